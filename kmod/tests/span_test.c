// SPDX-License-Identifier: GPL-2.0-only
/*
 * span_test: KUnit suite burrow_span.
 *
 * The rows, and how one is played, are in rows_span.h;
 * selftests/core plays the same ones in a process.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "rows_span.h"

static void describe_span(const struct span_row *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(span, span_rows, describe_span);

static void a_span_owns_its_words_and_no_others(struct kunit *test)
{
	struct verdict v = span_row_run(test->param_value);

	if (v.why)
		KUNIT_FAIL(test, "%s: got %#llx, want %#llx", v.why, v.got,
			   v.want);
}

static struct kunit_case span_cases[] = {
	KUNIT_CASE_PARAM(a_span_owns_its_words_and_no_others, span_gen_params),
	{}
};

static struct kunit_suite span_suite = {
	.name = "burrow_span",
	.test_cases = span_cases,
};

kunit_test_suite(span_suite);
