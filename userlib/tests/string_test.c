// SPDX-License-Identifier: MIT
/* Strings: tables of what each call says; and what only they have, under the collector. */
#include "gc_rig.h"
#include "sched_rig.h"

static char said[2000];

static bool is(struct bw_string s, const char *text)
{
	return s.len == strlen(text) && bw_string_equal(s, bw_string_view(text));
}

static void strings_are_compared_and_made(void)
{
	struct bw_string a = BW_STR("abc"), b = BW_STR("abd"), none = { 0 };
	struct bw_string parts[] = { a, none, b }, s;
	char *c;

	EXPECT(bw_string_compare(a, b) < 0 && bw_string_compare(b, a) > 0);
	EXPECT(!bw_string_compare(a, a) && !bw_string_compare(none, none));
	EXPECT(bw_string_compare(none, a) < 0);
	EXPECT(bw_string_compare(BW_STR("ab"), a) < 0);
	EXPECT(bw_string_compare(BW_STR("\xff"), a) > 0);
	s = bw_string_copy(a.ptr, a.len);
	EXPECT(s.ptr != a.ptr && is(s, "abc"));
	EXPECT(is(bw_string_copy(NULL, 0), ""));
	EXPECT(is(bw_string_concat(a, b), "abcabd"));
	EXPECT(bw_string_concat(a, none).ptr == a.ptr);
	EXPECT(bw_string_concat(none, b).ptr == b.ptr);
	EXPECT(is(bw_string_concat(none, none), ""));
	EXPECT(is(bw_string_join(parts, 3, BW_STR(", ")), "abc, , abd"));
	EXPECT(is(bw_string_join(parts, 0, a), ""));
	c = bw_string_c(bw_string_sub(a, 1, 3));
	EXPECT(!strcmp(c, "bc"));
	EXPECT(is(bw_string_trim(BW_STR(" \t a b\r\n")), "a b"));
	EXPECT(is(bw_string_trim(BW_STR("  ")), ""));
	s = bw_string_sub(a, 3, 3);
	EXPECT(!s.len && s.ptr != a.ptr + 3);
}

static void what_is_searched_is_found(void)
{
	static const struct {
		const char *s, *what;
		size_t first, last;
		bool begins, ends;
	} rows[] = {
		{ "abcabc", "bc", 1, 4, false, true },
		{ "abcabc", "abc", 0, 3, true, true },
		{ "abcabc", "abcabc", 0, 0, true, true },
		{ "abcabc", "abcabca", BW_NPOS, BW_NPOS, false, false },
		{ "aaa", "aa", 0, 1, true, true },
		{ "", "a", BW_NPOS, BW_NPOS, false, false },
		{ "", "", 0, 0, true, true },
		{ "ab", "", 0, 2, true, true },
		{ "ab", "c", BW_NPOS, BW_NPOS, false, false },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bw_string s = bw_string_view(rows[i].s);
		struct bw_string what = bw_string_view(rows[i].what);

		if (!EXPECT(bw_string_find(s, what) == rows[i].first &&
			    bw_string_find_last(s, what) == rows[i].last &&
			    bw_string_begins(s, what) == rows[i].begins &&
			    bw_string_ends(s, what) == rows[i].ends))
			printf("# row %u\n", i);
	}
}

static void what_is_cut_is_all_parts(void)
{
	static const struct {
		const char *s, *between, *parts;
	} rows[] = {
		{ "a,b,c", ",", "[a][b][c]" }, { "a,,b", ",", "[a][][b]" },
		{ ",", ",", "[][]" }, { "", ",", "[]" }, { "abc", ",", "[abc]" },
		{ "a--b-", "--", "[a][b-]" }, { "a,", ",", "[a][]" },
	};
	struct bw_string rest, part;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bw_builder b = { 0 };

		rest = bw_string_view(rows[i].s);
		while (bw_string_cut(&rest, bw_string_view(rows[i].between),
				     &part))
			bw_builder_addf(&b, "[%.*s]", BW_STR_ARGS(part));
		if (!EXPECT(is(bw_builder_string(&b), rows[i].parts)))
			printf("# row %u\n", i);
	}
}

static void runes_are_read_and_written(void)
{
	static const struct {
		struct bw_string s;
		u32 rune[4];
		u32 nr;
		bool good;
	} rows[] = {
		{ { "a\xc3\xa4\xe2\x82\xac", 6 }, { 'a', 0xe4, 0x20ac }, 3, true },
		{ { "\xf0\x9f\x98\x80", 4 }, { 0x1f600 }, 1, true },
		{ { "\xf4\x8f\xbf\xbf", 4 }, { 0x10ffff }, 1, true },
		{ { "\0", 1 }, { 0 }, 1, true },
		{ { "\xc0\x80", 2 }, { 0xfffd, 0xfffd }, 2, false },
		{ { "\xe0\x80\x80", 3 }, { 0xfffd, 0xfffd, 0xfffd }, 3, false },
		{ { "\xed\xa0\x80", 3 }, { 0xfffd, 0xfffd, 0xfffd }, 3, false },
		{ { "\xf4\x90\x80\x80", 4 },
		  { 0xfffd, 0xfffd, 0xfffd, 0xfffd }, 4, false },
		{ { "\xe2\x82", 2 }, { 0xfffd, 0xfffd }, 2, false },
		{ { "\xe2z", 2 }, { 0xfffd, 'z' }, 2, false },
		{ { "\xff", 1 }, { 0xfffd }, 1, false },
	};
	char text[4];
	u32 i, k, rune;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bw_string rest = rows[i].s;

		for (k = 0; bw_string_rune(&rest, &rune); k++)
			EXPECT(k < 4 && rune == rows[i].rune[k]);
		if (!EXPECT(k == rows[i].nr && k == bw_string_runes(rows[i].s) &&
			    bw_string_is_utf8(rows[i].s) == rows[i].good))
			printf("# row %u\n", i);
	}
	for (i = 0; i < 0x110000; i += 7) {
		struct bw_string s = { text, bw_rune_write(text, i) };
		bool good = i < 0xd800 || i > 0xdfff;

		EXPECT(bw_string_rune(&s, &rune) && !s.len &&
		       rune == (good ? i : BW_RUNE_BAD));
	}
	EXPECT(bw_rune_write(text, 0x110000) == 3);
}

static void numbers_are_read(void)
{
	static const struct {
		const char *s;
		u32 base;
		int err;
		s64 value;
	} rows[] = {
		{ "0", 10, 0, 0 }, { "-12", 10, 0, -12 }, { "+12", 10, 0, 12 },
		{ "9223372036854775807", 10, 0, INT64_MAX },
		{ "-9223372036854775808", 10, 0, INT64_MIN },
		{ "9223372036854775808", 10, -ERANGE, INT64_MAX },
		{ "-9223372036854775809", 10, -ERANGE, INT64_MIN },
		{ "99999999999999999999999", 10, -ERANGE, INT64_MAX },
		{ "ff", 16, 0, 255 }, { "zZ", 36, 0, 35 * 36 + 35 },
		{ "0x1F", 0, 0, 31 }, { "010", 0, 0, 8 }, { "0b11", 0, 0, 3 },
		{ "-0o7", 0, 0, -7 }, { "0", 0, 0, 0 },
		{ "", 10, -EINVAL, 5 }, { "-", 10, -EINVAL, 5 },
		{ "1 ", 10, -EINVAL, 5 }, { " 1", 10, -EINVAL, 5 },
		{ "12a", 10, -EINVAL, 5 }, { "--1", 10, -EINVAL, 5 },
		{ "0x", 0, -EINVAL, 5 }, { "2", 2, -EINVAL, 5 },
		{ "1", 1, -EINVAL, 5 }, { "1", 37, -EINVAL, 5 },
	};
	double d = 0;
	u64 n = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		s64 value = 5;
		int err = bw_string_to_i64(bw_string_view(rows[i].s),
					   rows[i].base, &value);

		if (!EXPECT(err == rows[i].err && value == rows[i].value))
			printf("# row %u: %d, %lld\n", i, err,
			       (long long)value);
	}
	EXPECT(!bw_string_to_u64(BW_STR("18446744073709551615"), 10, &n) &&
	       n == UINT64_MAX);
	EXPECT(bw_string_to_u64(BW_STR("18446744073709551616"), 10, &n) ==
	       -ERANGE);
	EXPECT(bw_string_to_u64(BW_STR("-1"), 10, &n) == -EINVAL);
	EXPECT(!bw_string_to_double(BW_STR("-1.5e3"), &d) && d == -1500);
	EXPECT(bw_string_to_double(BW_STR("1e999"), &d) == -ERANGE);
	EXPECT(bw_string_to_double(BW_STR("1x"), &d) == -EINVAL);
	EXPECT(bw_string_to_double(BW_STR(" 1"), &d) == -EINVAL);
	EXPECT(bw_string_to_double(BW_STR(""), &d) == -EINVAL);
}

static void what_was_built_does_not_change(void)
{
	struct bw_builder b = { 0 };
	struct bw_string s, first;
	struct bw_bytes bytes = { 0 };
	u32 i;

	EXPECT(is(bw_builder_string(&b), ""));
	bw_builder_add(&b, BW_STR("ab"));
	bw_builder_add_char(&b, 'c');
	first = bw_builder_string(&b);
	bw_builder_add_rune(&b, 0x20ac);
	bw_builder_addf(&b, "%d-%0200d", 7, 1);
	s = bw_builder_string(&b);
	EXPECT(is(first, "abc"));
	EXPECT(s.len == 3 + 3 + 2 + 200);
	EXPECT(bw_string_begins(s, BW_STR("abc\342\202\2547-000")) &&
	       bw_string_ends(s, BW_STR("0001")));
	for (i = 0; i < 10000; i++)
		bw_builder_add_char(&b, 'x');
	EXPECT(is(first, "abc") && bw_builder_string(&b).len == 10208);
	b.short_of = true;
	EXPECT(!bw_builder_string(&b).ptr && errno == ENOMEM);
	bw_append(&bytes, 'h');
	bw_append(&bytes, 'i');
	s = bw_string_of_slice(bytes);
	EXPECT(is(s, "hi") && s.ptr == bytes.ptr);
}

/* Strings that only strings, maps and slices have; nodes behind a region's pin. */
static const struct bw_map_type lengths = BW_MAP(BW_STRING, BW_OF(string));

static u32 nr_final;

static void final(void *obj, void *arg)
{
	__atomic_add_fetch(&nr_final, 1, __ATOMIC_RELEASE);
}

BW_SLICE(struct bw_string, strings);

static struct bw_string text_of(u32 i)
{
	struct bw_builder b = { 0 };

	bw_builder_addf(&b, "%u-%0*u", i, (int)(i % 90), i);
	return bw_builder_string(&b);
}

static int run_strings(void *arg)
{
	struct bw_map *m = bw_map_make(&lengths, 0);
	struct strings all = { 0 };
	u32 i, n = RIG_SLOW ? 300 : 3000;

	for (i = 0; i < n; i++) {
		struct bw_string s = text_of(i), half;

		half = bw_string_sub(text_of(i), 0, s.len / 2);
		EXPECT(!bw_map_put(m, &s, &half));
		s = bw_string_concat(s, BW_STR("!"));
		EXPECT(!bw_append_of(string, &all, &s));
	}
	for (i = 0; i < n; i++) {
		struct bw_string s = text_of(i), *half = bw_map_get(m, &s);

		EXPECT(half && bw_string_begins(s, *half) &&
		       half->len == s.len / 2);
		EXPECT(bw_string_begins(bw_at(all, i), s) &&
		       bw_at(all, i).len == s.len + 1);
	}
	return 0;
}

static void strings_child(void *arg)
{
	setenv("BURROW", "gcevery=10,gccheckmark=1,clobberfree=1", 1);
	if (arg)
		bw_barriers_used();
	EXPECT(!bw_run(run_strings, NULL));
	exit(tap_bad_here != 0);
}

static void strings_are_found_by_the_collector(void)
{
	int i;

	for (i = 0; i < 2; i++)
		if (!EXPECT(!rig_child(strings_child, i ? said : NULL, said,
				       sizeof(said))))
			printf("# %s: %s\n", i ? "hybrid" : "plain", said);
}

BW_SLICE(struct node *, nodes);

/* A map in a region's memory, which is no root, lives by its pin. */
static struct bw_map **region_map(struct bw_region *r)
{
	struct bw_map **m = bw_region_alloc(r, sizeof(*m));
	struct bw_string s = BW_STR("a");

	*m = bw_map_make(&lengths, 0);
	EXPECT(!bw_pin(*m));
	*(struct bw_string *)bw_map_at_string(*m, s, NULL) =
		bw_string_copy("kept", 4);
	return m;
}

/* Objects with finalizers that a map, a slice and a weak reference have. */
static __attribute__((noinline))
struct bw_weak *given_up(void)
{
	static const struct bw_map_type t = BW_MAP(BW_U64, BW_POINTER);
	struct bw_map *m = bw_map_make(&t, 0);
	struct nodes s = { 0 };
	struct node *n;
	u64 i;

	for (i = 0; i < 50; i++) {
		n = bw_new(node);
		EXPECT(!bw_finalizer_set(n, final, NULL));
		if (i % 2)
			EXPECT(!bw_map_put(m, &i, &n));
		else
			EXPECT(!bw_append_ptr(&s, n));
	}
	collect();
	EXPECT(!__atomic_load_n(&nr_final, __ATOMIC_ACQUIRE));
	EXPECT(bw_map_len(m) == 25 && s.len == 25);
	bw_keepalive(s.ptr);
	return bw_weak_make(m);
}

static int run_others(void *arg)
{
	struct bw_region *r = bw_region_make();
	struct bw_map **m = region_map(r);
	struct bw_weak *w = given_up();
	struct bw_string *s;

	/* words that look like pointers may keep some */
	EXPECT(collect_until(&nr_final, 40));
	s = bw_map_get_string(*m, BW_STR("a"));
	EXPECT(s && is(*s, "kept"));
	bw_unpin(*m);
	bw_weak_free(w);
	bw_region_free(r);
	return 0;
}

static void regions_finalizers_and_pins_know_maps_and_slices(void)
{
	EXPECT(!bw_run(run_others, NULL));
}

static void part_beyond(void *arg)
{
	bw_string_sub(BW_STR("abc"), 2, 4);
}

static void cut_at_nothing(void *arg)
{
	struct bw_string s = BW_STR("abc");

	bw_string_cut(&s, BW_STR(""), &s);
}

static void misuse_dies_with_the_right_line(void)
{
	EXPECT(WIFSIGNALED(rig_child(part_beyond, NULL, said, sizeof(said))));
	EXPECT(strstr(said, "part [2:4] of a string of length 3"));
	EXPECT(WIFSIGNALED(rig_child(cut_at_nothing, NULL, said,
				     sizeof(said))));
	EXPECT(strstr(said, "bw_string_cut() at an empty string"));
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	/* in children, so before this process has a run */
	TEST(strings_are_found_by_the_collector);
	TEST(misuse_dies_with_the_right_line);
	TEST(strings_are_compared_and_made);
	TEST(what_is_searched_is_found);
	TEST(what_is_cut_is_all_parts);
	TEST(runes_are_read_and_written);
	TEST(numbers_are_read);
	TEST(what_was_built_does_not_change);
	TEST(regions_finalizers_and_pins_know_maps_and_slices);
	return tap_end();
}
