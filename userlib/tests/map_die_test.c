// SPDX-License-Identifier: MIT
/* Maps: every line of misuse. */
#include "death_rig.h"
#include "map_rig.h"

static const struct bw_map_type words = BW_MAP(BW_U64, BW_U64);
static const struct bw_map_type texts = BW_MAP(BW_STRING, BW_U64);
static struct bw_map *shared;

static int into_null(void *arg)
{
	bw_map_at_u64(NULL, 1, NULL);
	return 0;
}

static int any_into_null(void *arg)
{
	u64 key = 1;

	bw_map_put(NULL, &key, &key);
	return 0;
}

static int string_into_null(void *arg)
{
	bw_map_at_string(NULL, BW_STR("a"), NULL);
	return 0;
}

static int word_of_strings(void *arg)
{
	static const struct bw_map_type t = BW_MAP(BW_STRING, BW_U64);

	bw_map_get_u64(bw_map_make(&t, 0), 1);
	return 0;
}

static int word_into_strings(void *arg)
{
	static const struct bw_map_type t = BW_MAP(BW_STRING, BW_U64);

	bw_map_at_u64(bw_map_make(&t, 0), 1, NULL);
	return 0;
}

static int odd_alignment(void *arg)
{
	static const struct bw_map_type t = {
		BW_U64, { 8, 3, NULL, BW_KEY_BYTES }, NULL, NULL,
	};

	bw_map_make(&t, 0);
	return 0;
}

static int size_of_another(void *arg)
{
	static const struct bw_map_type t = {
		BW_U64, { 24, 8, &bw_type_string, BW_KEY_BYTES }, NULL, NULL,
	};

	bw_map_make(&t, 0);
	return 0;
}

static int too_long(void *arg)
{
	static const struct bw_map_type t = {
		BW_U64, { (1U << 24) + 8, 8, NULL, BW_KEY_BYTES }, NULL, NULL,
	};

	bw_map_make(&t, 0);
	return 0;
}

static int other_keys(void *arg)
{
	bw_map_get_string(bw_map_make(&words, 0), BW_STR("a"));
	return 0;
}

static int no_keys(void *arg)
{
	static const struct bw_map_type t = BW_MAP(BW_NOTHING, BW_U64);

	bw_map_make(&t, 0);
	return 0;
}

static int half_own(void *arg)
{
	static const struct bw_map_type t =
		BW_MAP_OWN(BW_U64, BW_U64, NULL, rig_equal_word);

	bw_map_make(&t, 0);
	return 0;
}

/* In the middle of a change others run, for ever. */
static bool equal_waits(const void *a, const void *b)
{
	for (;;)
		bw_yield();
	return true;
}

static const struct bw_map_type waits =
	BW_MAP_OWN(BW_U64, BW_U64, rig_hash_worst, equal_waits);

static void changes(void *arg)
{
	u64 key = 1;

	bw_map_at(shared, &key, NULL);
}

static int while_it_changes(void (*fn)(void *arg))
{
	struct bw_map_iter it;
	u64 key = 1;

	shared = bw_map_make(&waits, 0);
	bw_map_at(shared, &key, NULL);
	bw_map_iter_begin(&it, shared);
	bw_go(changes, NULL);
	while (!(bw_map_state(shared) & BW_MAP_WRITING))
		bw_yield();
	if (fn)
		fn(NULL);
	else
		bw_map_next(&it);
	return 0;
}

static void reads(void *arg)
{
	u64 key = 2;

	bw_map_get(shared, &key);
}

static void removes(void *arg)
{
	u64 key = 2;

	bw_map_del(shared, &key);
}

static void clears(void *arg)
{
	bw_map_clear(shared);
}

static int two_change(void *arg)
{
	return while_it_changes(changes);
}

static int one_reads(void *arg)
{
	return while_it_changes(reads);
}

static int one_removes(void *arg)
{
	return while_it_changes(removes);
}

static int one_clears(void *arg)
{
	return while_it_changes(clears);
}

static int one_iterates(void *arg)
{
	return while_it_changes(NULL);
}

/* What is made for words and for strings sees another who changes the map, too. */
static struct bw_map *changed_by_another(const struct bw_map_type *t)
{
	struct bw_string any = BW_STR("a string, or a word");
	struct bw_map *m = bw_map_make(t, 0);

	bw_map_put(m, &any, &any);
	WRITE_ONCE(m->state, bw_map_state(m) | BW_MAP_WRITING);
	return m;
}

static int word_is_added(void *arg)
{
	return !bw_map_at_u64(changed_by_another(&words), 1, NULL);
}

static int word_is_removed(void *arg)
{
	return !bw_map_del_u64(changed_by_another(&words), 1);
}

static int string_is_removed(void *arg)
{
	return !bw_map_del_string(changed_by_another(&texts),
				  BW_STR("twelve bytes"));
}

/* The second of a stretch, of which nothing is looked at again. */
static int the_next_is_taken(void *arg)
{
	struct bw_map *m = bw_map_make(&words, 0);
	struct bw_map_iter it;

	bw_map_at_u64(m, 1, NULL);
	bw_map_at_u64(m, 2, NULL);
	bw_map_iter_begin(&it, m);
	bw_map_next(&it);
	WRITE_ONCE(m->state, bw_map_state(m) | BW_MAP_WRITING);
	return bw_map_next(&it);
}

static void misuse_dies_with_the_right_line(void)
{
	static const struct misuse rows[] = {
		{ into_null, "bw_map_at_u64() into a map that is NULL" },
		{ any_into_null, "bw_map_put() into a map that is NULL" },
		{ string_into_null,
		  "bw_map_at_string() into a map that is NULL" },
		{ word_of_strings, "bw_map_get_u64() of a map with other keys" },
		{ word_into_strings, "bw_map_at_u64() of a map with other" },
		{ odd_alignment, "bw_map_make(): an alignment of 3" },
		{ size_of_another, "bw_map_make(): 24 bytes of type string" },
		{ too_long, "bw_map_make(): a key or a value of 16777224" },
		{ other_keys, "bw_map_get_string() of a map with other keys" },
		{ no_keys, "bw_map_make(): keys of no bytes" },
		{ half_own, "bw_map_make(): a hash and no equal" },
		{ two_change, "concurrent use of a map: it is changed by two" },
		{ one_reads, "concurrent use of a map: it is read and" },
		{ one_removes, "concurrent use of a map: it is changed by two" },
		{ one_clears, "concurrent use of a map: it is changed by two" },
		{ one_iterates, "concurrent use of a map: it is iterated" },
		{ word_is_added, "concurrent use of a map: it is changed by" },
		{ word_is_removed, "concurrent use of a map: it is changed" },
		{ string_is_removed, "concurrent use of a map: it is changed" },
		{ the_next_is_taken, "concurrent use of a map: it is iterated" },
	};

	expect_misuse(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	TEST(misuse_dies_with_the_right_line);
	return tap_end();
}
