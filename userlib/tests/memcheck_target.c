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

static void p_is_zero(const char *p, size_t n)
{
	if (*p || memcmp(p, p + 1, n - 1))
		abort();
}

static void use_after_free(void)
{
	keep = bw_alloc(100);
	bw_free(keep);
	keep[3]++;
}

static void large_use_after_free(void)
{
	keep = bw_alloc(100000);
	bw_free(keep);
	keep[3]++;
}

static void large_overrun(void)
{
	keep = bw_alloc(100000);
	keep[100000] = 1;
}

/* The page heap has these pages once more, and a region gets them. */
static void large_again(void)
{
	struct bw_region *r = bw_region_make();
	int i;

	for (i = 0; i < 10; i++) {
		char *p = bw_alloc(16384 + 50000 * (size_t)(i % 3));

		bw_free(p);
		memset(bw_region_alloc(r, 60000), 1, 60000);
	}
	bw_region_free(r);
	p_is_zero(bw_alloc(300000), 300000);
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
	{ "large-free", large_use_after_free },
	{ "large-overrun", large_overrun },
	{ "large-again", large_again },
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
