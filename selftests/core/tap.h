/* SPDX-License-Identifier: MIT */
/*
 * tap: one line a test, "ok 3 - the sentence it proves", and a plan at the end.
 */
#ifndef BW_SELFTESTS_TAP_H
#define BW_SELFTESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_nr;
static int tap_nr_bad;

/* A line for whoever reads the log. */
__attribute__((format(printf, 1, 2)))
static inline void tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("# ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	fflush(stdout);
}

__attribute__((format(printf, 2, 3)))
static inline bool tap_ok(bool good, const char *fmt, ...)
{
	va_list ap;

	tap_nr_bad += !good;
	va_start(ap, fmt);
	printf("%sok %d - ", good ? "" : "not ", ++tap_nr);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	fflush(stdout);
	return good;
}

/* The plan; what main() returns. */
static inline int tap_end(void)
{
	printf("1..%d\n", tap_nr);
	return tap_nr_bad || !tap_nr;
}

/* A number from the environment, decimal or 0x, to run a failure again. */
static inline unsigned long long tap_env(const char *name,
					 unsigned long long value)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : value;
}

#endif
