// SPDX-License-Identifier: GPL-2.0-only
/*
 * pagemap_test: KUnit suite burrow_pagemap.
 *
 * The rows, and how one is played, are in rows_pagemap.h;
 * selftests/core plays the same ones in a process.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "rows_pagemap.h"

static void describe_pagemap(const struct pagemap_row *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pagemap, pagemap_rows, describe_pagemap);

static void find_ends_where_the_row_says(struct kunit *test)
{
	struct verdict v = pagemap_row_run(test->param_value);

	if (v.why)
		KUNIT_FAIL(test, "%s: got %lld, want %lld", v.why, v.got,
			   v.want);
}

static struct kunit_case pagemap_cases[] = {
	KUNIT_CASE_PARAM(find_ends_where_the_row_says, pagemap_gen_params),
	{}
};

static struct kunit_suite pagemap_suite = {
	.name = "burrow_pagemap",
	.test_cases = pagemap_cases,
};

kunit_test_suite(pagemap_suite);
