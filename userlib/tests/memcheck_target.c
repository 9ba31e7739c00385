// SPDX-License-Identifier: MIT
/* memcheck_target DEED: what memcheck.sh wants to hear of, one each. */
#include <stdlib.h>
#include <string.h>

#include "burrow/alloc.h"

/* A compiler is not to see through it. */
static char *volatile keep;

/* Nothing to be said of this. */
static void good(void)
{
	static void *p[300];
	size_t i;

	for (i = 0; i < 300; i++) {
		p[i] = bw_alloc(1 + i * 97);
		memset(p[i], 1, 1 + i * 97);
	}
	for (i = 0; i < 300; i += 2)
		bw_free(p[i]);
	for (i = 0; i < 300; i += 2) {
		p[i] = bw_alloc(1 + i * 61);
		if (*(char *)p[i])
			abort();
	}
	for (i = 0; i < 300; i++)
		bw_free(p[i]);
}

static void use_after_free(void)
{
	keep = bw_alloc(100);
	bw_free(keep);
	keep[3]++;
}

static void overrun(void)
{
	keep = bw_alloc(100);
	keep[100] = 1;
}

/* The first of a span is where the library itself points at. */
static void leak(void)
{
	int i;

	for (i = 0; i < 10; i++)
		keep = bw_alloc(100);
	keep = NULL;
}

static void malloc_use_after_free(void)
{
	keep = malloc(100);
	free(keep);
	keep[3]++;
}

static const struct deed {
	const char *name;
	void (*fn)(void);
} deeds[] = {
	{ "good", good },
	{ "free", use_after_free },
	{ "overrun", overrun },
	{ "leak", leak },
	{ "malloc", malloc_use_after_free },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(deeds) / sizeof(*deeds); i++) {
		if (argc != 2 || strcmp(argv[1], deeds[i].name))
			continue;
		deeds[i].fn();
		return 0;
	}
	return 1;
}
