/* SPDX-License-Identifier: MIT */
/*
 * tap: what a test prints.
 *
 *	ok 1 - a sentence that was shown to be true
 *	not ok 2 - a sentence that was not
 *	ok 3 - a sentence # SKIP why it could not be tried
 *	1..3
 *
 * A test is a function that calls EXPECT(); its name with blanks for its
 * underscores is the sentence. TEST(name) in the table of main().
 */
#ifndef BW_TESTS_TAP_H
#define BW_TESTS_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int tap_nr, tap_nr_bad;
static unsigned int tap_bad_here;		/* atomic: threads may EXPECT */
static const char *tap_skip_why;

/* False, and the test fails, when @cond does not hold. It goes on. */
#define EXPECT(cond) tap_expect((cond), #cond, __FILE__, __LINE__)

static inline bool tap_expect(bool good, const char *what, const char *file,
			      int line)
{
	if (!good &&
	    __atomic_fetch_add(&tap_bad_here, 1, __ATOMIC_RELAXED) < 10)
		printf("# %s:%d: not so: %s\n", file, line, what);
	return good;
}

/* Instead of the test's body, with a return after it. */
static inline void tap_skip(const char *why)
{
	tap_skip_why = why;
}

static inline void tap_run(const char *name, void (*fn)(void))
{
	char text[160];
	size_t i;

	snprintf(text, sizeof(text), "%s", name);
	for (i = 0; text[i]; i++)
		if (text[i] == '_')
			text[i] = ' ';
	tap_bad_here = 0;
	tap_skip_why = NULL;
	fn();
	tap_nr_bad += tap_bad_here != 0;
	printf("%sok %u - %s%s%s\n", tap_bad_here ? "not " : "", ++tap_nr,
	       text, tap_skip_why ? " # SKIP " : "",
	       tap_skip_why ? tap_skip_why : "");
	fflush(stdout);
}

#define TEST(name) tap_run(#name, name)

/* The plan; what main() returns. */
static inline int tap_end(void)
{
	printf("1..%u\n", tap_nr);
	return tap_nr_bad || !tap_nr;
}

/* To run a failure again: BW_TEST_SEED, or @value. */
static inline unsigned long long tap_seed(unsigned long long value)
{
	const char *text = getenv("BW_TEST_SEED");

	if (text)
		value = strtoull(text, NULL, 0);
	printf("# BW_TEST_SEED=%llu\n", value);
	return value;
}

#endif
