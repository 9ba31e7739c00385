// SPDX-License-Identifier: GPL-2.0-only
/*
 * coreheap_test: KUnit suite burrow_coreheap.
 *
 * The rows, and how one is played, are in story.h and rows_damage.h;
 * selftests/core plays the same ones in a process.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/string.h>

#include "rows_damage.h"
#include "story.h"

static void describe_story(const struct coreheap_row *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(story, coreheap_rows, describe_story);

static void a_story_goes_as_it_is_told(struct kunit *test)
{
	struct verdict v = coreheap_row_run(test->param_value);

	if (v.why)
		KUNIT_FAIL(test, "step %d: %s: got %lld, want %lld", v.step,
			   v.why, v.got, v.want);
}

static void describe_damage(const struct damage_row *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(damage, damage_rows, describe_damage);

static void check_names_the_damage(struct kunit *test)
{
	struct verdict v = damage_row_run(test->param_value);

	if (v.why)
		KUNIT_FAIL(test, "%s: got %lld, want %lld", v.why, v.got,
			   v.want);
}

static struct kunit_case coreheap_cases[] = {
	KUNIT_CASE_PARAM(a_story_goes_as_it_is_told, story_gen_params),
	KUNIT_CASE_PARAM(check_names_the_damage, damage_gen_params),
	{}
};

static struct kunit_suite coreheap_suite = {
	.name = "burrow_coreheap",
	.test_cases = coreheap_cases,
};

kunit_test_suite(coreheap_suite);

MODULE_DESCRIPTION("KUnit tests of the burrow page heap");
MODULE_LICENSE("GPL");
