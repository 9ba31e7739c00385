// SPDX-License-Identifier: MIT
/* programs: the examples that run to their end (script.h). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "script.h"

/**
 * struct row - a program						[const]
 * @argv:	its name and its arguments
 * @last:	lines, from the end, that are the same each time
 */
static const struct row {
	char *argv[4];
	int last;
} rows[] = {
	{ { "hello" }, 0 },
	{ { "ring", "50", "20" }, 0 },
	{ { "pipeline" }, 1 },
	{ { "sieve", "12" }, 1 },
	/* before that it may say that it is still waiting */
	{ { "fanin", "5", "3" }, 1 },
	{ { "timeouts" }, 7 },
	{ { "workers" }, 2 },
	{ { "connpool_demo" }, 4 },
	{ { "lru", "3" }, 7 },
	/* the last line has the number of collections */
	{ { "trees", "10" }, 0 },
};

static size_t read_all(int fd, char *to, size_t size)
{
	size_t n = 0;
	ssize_t more;

	while (n < size - 1 && (more = read(fd, to + n, size - 1 - n)) > 0)
		n += (size_t)more;
	to[n] = '\0';
	return n;
}

/* Where the last so many lines begin. */
static const char *last_lines(const char *text, size_t n, int nr)
{
	const char *p = text + n;

	if (!nr)
		return p;
	while (p > text && (p == text + n || p[-1] != '\n' || --nr))
		p--;
	return p;
}

void programs_script(void)
{
	static char text[65536];
	struct program p;
	unsigned int i;
	size_t n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		printf("--- %s\n", rows[i].argv[0]);
		p = program_begin(rows[i].argv);
		n = read_all(p.out, text, sizeof(text));
		printf("%s%s\n%s", last_lines(text, n, rows[i].last),
		       program_end(p), n ? "" : "it printed nothing\n");
	}
}
