// SPDX-License-Identifier: MIT
/* Maps: what each call does, of all sizes. */
#include <strings.h>

#include "map_rig.h"
#include "oom_rig.h"

static char said[1 << 16];

static void windows_are_looked_at_in_the_same_way_everywhere(void)
{
	u64 seed = tap_seed(7);
	u8 ctrl[BW_WINDOW];
	u32 i, k, want;

	for (i = 0; i < 100000; i++) {
		u8 tag = bw_tag(rig_random(&seed));

		for (k = 0, want = 0; k < BW_WINDOW; k++) {
			u64 r = rig_random(&seed) >> 20;

			ctrl[k] = r % 3 ? (u8)(r >> 8) : r % 4 ? tag : r >> 8 & 3;
			want |= (u32)(ctrl[k] == tag) << k;
		}
		EXPECT(bw_window_match_c(ctrl, tag) == want);
		EXPECT(bw_window_match(ctrl, tag) == want);
		EXPECT(bw_window_empty(ctrl) ==
		       bw_window_match_c(ctrl, BW_EMPTY));
		EXPECT(bw_window_free(ctrl) == bw_window_free_c(ctrl));
		EXPECT(bw_window_full(ctrl) == bw_window_full_c(ctrl));
		for (k = 0; k < BW_WINDOW; k++) {
			EXPECT((bw_window_full(ctrl) >> k & 1) ==
			       (ctrl[k] >= BW_TAG_MIN));
			EXPECT((bw_window_free(ctrl) >> k & 1) ==
			       (ctrl[k] <= BW_DELETED));
		}
	}
	for (i = 0; i < 256; i++)
		EXPECT(bw_tag(i) >= BW_TAG_MIN);
}

#define BINS	256U

/* @shift: which bits. */
static void expect_even(const u64 *h, u32 n, u32 shift, const char *what)
{
	u32 bin[BINS] = { 0 }, i, most = n / BINS;

	for (i = 0; i < n; i++)
		bin[h[i] >> shift & (BINS - 1)]++;
	/* 256 in a bin: 8 deviations of 16 are far from chance */
	most += most / 2 + 16;
	for (i = 0; i < BINS; i++)
		if (!EXPECT(bin[i] < most))
			printf("# %s, bits from %u: %u of %u in a bin\n", what,
			       shift, bin[i], n);
}

static void hashes_of_keys_that_are_alike_are_spread(void)
{
	static const u32 shifts[] = { 0, 8, 56 };
	static u64 h[1 << 16];
	char text[40];
	u32 i, s, k, n = ARRAY_SIZE(h);

	for (k = 0; k < 8; k++) {
		struct bw_hash_key key = bw_hash_key_make();

		for (s = 0; s < 48; s += 12) {
			for (i = 0; i < n; i++)
				h[i] = bw_hash_u64(&key, (u64)i << s);
			for (i = 0; i < ARRAY_SIZE(shifts); i++)
				expect_even(h, n, shifts[i], "words");
		}
		for (s = 8; s < 40; s += 8) {
			memset(text, 'x', sizeof(text));
			for (i = 0; i < n; i++) {
				memcpy(text + s / 2 - 2, &i, 4);
				h[i] = bw_hash_bytes(&key, text, s);
			}
			for (i = 0; i < ARRAY_SIZE(shifts); i++)
				expect_even(h, n, shifts[i], "strings");
		}
	}
}

static void every_byte_and_the_length_count_for_a_hash(void)
{
	struct bw_hash_key key = bw_hash_key_make(), other = bw_hash_key_make();
	char text[300] = { 0 };
	u64 h;
	u32 n, i;

	for (n = 1; n < sizeof(text); n++) {
		h = bw_hash_bytes(&key, text, n);
		EXPECT(h != bw_hash_bytes(&other, text, n));
		EXPECT(h != bw_hash_bytes(&key, text, n - 1));
		for (i = 0; i < n; i++) {
			text[i]++;
			EXPECT(h != bw_hash_bytes(&key, text, n));
			text[i]--;
		}
	}
}

/*
 * pNV: N gets V; gNV: N has V; g-N: N is not there; dN, d-N: N is removed, was not
 * there; aN, a-N: value of N added to by 1, N was there or new; bN, b-N: the same by
 * the call that is for such keys, if there is one; c: clear; lN
 */
static const char *const scripts[] = {
	"l0 g-1 d-1 p15 g15 l1 p16 g16 l1 d1 g-1 d-1 l0",
	"a-1 g11 a1 g12 d1 a-1 g11 l1",
	"b-1 g11 b1 g12 d1 b-1 g11 b-2 b-3 b-4 b-5 b-6 b-7 b-8 b-9 b9 l9",
	"p11 p22 p33 p44 p55 p66 p77 p88 l8 p99 l9 g11 g99 c l0 g-1 g-9",
	"p11 p22 p33 p44 p55 p66 p77 p88 d1 d2 d3 p12 p23 p34 g88 l8 a-9",
	"c p11 c c p12 g12 l1",
};

/* As bw_map_at(); @n is the word that @key is, where it is one. */
static u64 *at_by_kind(struct bw_map *m, const struct rig_map_kind *k,
		       const void *key, u64 n, bool *fresh)
{
	if (rig_is_words(k))
		return bw_map_at_u64(m, n, fresh);
	if (rig_is_strings(k))
		return bw_map_at_string(m, *(const struct bw_string *)key,
					fresh);
	return bw_map_at(m, key, fresh);
}

static bool step(struct bw_map *m, const struct rig_map_kind *k, const char *at)
{
	u64 n = (u64)(at[1] - '0'), *got, value;
	char key[RIG_MAP_KEY] __aligned(16);
	bool fresh = false, no = at[1] == '-';

	if (no)
		n = (u64)(at[2] - '0');
	rig_key_kept(k, key, n);
	switch (*at) {
	case 'p':
		value = (u64)(at[2] - '0');
		return !bw_map_put(m, key, &value);
	case 'g':
		got = bw_map_get(m, key);
		return no ? !got : got && *got == (u64)(at[2] - '0');
	case 'd':
		return bw_map_del(m, key) == !no;
	case 'a':
	case 'b':
		got = *at == 'a' ? bw_map_at(m, key, &fresh) :
				   at_by_kind(m, k, key, n, &fresh);
		return fresh == no && got && (*got)++ == (no ? 0 : 1);
	case 'c':
		bw_map_clear(m);
		return !bw_map_len(m);
	default:
		return bw_map_len(m) == n;
	}
}

static void a_map_does_what_the_table_says(void)
{
	u32 i, k;

	for (k = 0; k < ARRAY_SIZE(rig_map_kinds); k++)
		for (i = 0; i < ARRAY_SIZE(scripts); i++) {
			const struct rig_map_kind *kind = &rig_map_kinds[k];
			struct bw_map *m = bw_map_make(&kind->type, 0);
			const char *at = scripts[i];

			for (; at; at = strchr(at, ' '), at += !!at)
				if (!EXPECT(step(m, kind, at)))
					printf("# %s, row %u at '%s'\n",
					       kind->name, i, at);
			EXPECT(!bw_map_check(m));
		}
}

static void null_is_an_empty_map(void)
{
	struct bw_map_iter it;
	u64 key = 1;

	EXPECT(!bw_map_len(NULL));
	EXPECT(!bw_map_get(NULL, &key) && !bw_map_get_u64(NULL, 1));
	EXPECT(!bw_map_get_string(NULL, BW_STR("a")));
	EXPECT(!bw_map_del(NULL, &key) && !bw_map_del_u64(NULL, 1));
	EXPECT(!bw_map_del_string(NULL, BW_STR("a")));
	bw_map_clear(NULL);
	bw_map_each(it, NULL)
		EXPECT(false);
}

static void fill(char *to, size_t n, u32 i, u32 step)
{
	size_t k;

	memcpy(to, &i, min(n, sizeof(i)));
	for (k = sizeof(i); k < n; k++)
		to[k] = (char)(i * step + k);
}

static void of_sizes(size_t key_size, size_t value_size, size_t align)
{
	const struct bw_map_type t = {
		{ key_size, align, NULL, BW_KEY_BYTES },
		{ value_size, align, NULL, BW_KEY_BYTES }, NULL, NULL,
	};
	u32 n = key_size == 1 ? 256 : 900, i;
	struct bw_map *m = bw_map_make(&t, 0);
	char *key = calloc(1, key_size), *value = calloc(1, value_size + 1);
	struct bw_map_iter it;

	for (i = 0; i < n; i++) {
		fill(key, key_size, i, 3);
		fill(value, value_size, i, 5);
		EXPECT(!bw_map_put(m, key, value));
	}
	EXPECT(bw_map_len(m) == n && !bw_map_check(m));
	for (i = 0; i < n; i++) {
		char *got;

		fill(key, key_size, i, 3);
		fill(value, value_size, i, 5);
		got = bw_map_get(m, key);
		EXPECT(got && !memcmp(got, value, value_size) &&
		       (uintptr_t)got % align == 0);
	}
	i = 0;
	bw_map_each(it, m)
		i += (uintptr_t)it.key % align == 0;
	EXPECT(i == n);
	free(key);
	free(value);
}

static void keys_and_values_are_of_any_size(void)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 8, 12, 16, 33, 100, 1000 };
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (k = 0; k < ARRAY_SIZE(sizes); k++)
			of_sizes(sizes[i], sizes[k], 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		of_sizes(sizes[i], 0, 1);
	of_sizes(16, 48, 16);
	of_sizes(4, 4, 4);
	of_sizes(8, 20000, 8);
	of_sizes(20000, 8, 8);
}

static bool text_equal(const void *a, const void *b)
{
	const struct bw_string *x = a, *y = b;

	return x->len == y->len && !strncasecmp(x->ptr, y->ptr, x->len);
}

static u64 text_hash(const void *key)
{
	const struct bw_string *s = key;
	u64 h = 0;
	size_t i;

	for (i = 0; i < s->len; i++)
		h = h * 31 + (s->ptr[i] | 0x20);
	return h;
}

static void a_type_may_have_its_own_equal(void)
{
	static const struct bw_map_type t =
		BW_MAP_OWN(BW_STRING, BW_PLAIN(int), text_hash, text_equal);
	struct bw_map *m = bw_map_make(&t, 0);
	struct bw_string a = BW_STR("Ada"), b = BW_STR("aDA");
	int one = 1;

	EXPECT(!bw_map_put(m, &a, &one));
	EXPECT(*(int *)bw_map_get(m, &b) == 1 && bw_map_len(m) == 1);
	EXPECT(bw_map_del(m, &b) && !bw_map_len(m));
}

static u64 nan_hash(const void *key)
{
	return 1;
}

static bool nan_equal(const void *a, const void *b)
{
	return *(const double *)a == *(const double *)b;
}

static void a_key_that_is_not_itself_is_never_found(void)
{
	static const struct bw_map_type own =
		BW_MAP_OWN(BW_PLAIN(double), BW_NOTHING, nan_hash, nan_equal);
	static const struct bw_map_type bytes =
		BW_MAP(BW_PLAIN(double), BW_NOTHING);
	struct bw_map *m = bw_map_make(&own, 0), *b = bw_map_make(&bytes, 0);
	double key = __builtin_nan(""), zero[2] = { 0.0, -0.0 };
	u32 i;

	for (i = 0; i < 100; i++)
		EXPECT(!bw_map_put(m, &key, NULL) && !bw_map_put(b, &key, NULL));
	EXPECT(bw_map_len(m) == 100 && !bw_map_get(m, &key));
	EXPECT(bw_map_len(b) == 1 && bw_map_get(b, &key));
	bw_map_clear(m);
	for (i = 0; i < 2; i++)
		EXPECT(!bw_map_put(m, &zero[i], NULL) &&
		       !bw_map_put(b, &zero[i], NULL));
	EXPECT(bw_map_len(m) == 1 && bw_map_len(b) == 3);
}

/* The map grows while it is given what is in it, and what it frees is overwritten. */
static void what_is_put_may_lie_in_the_map_child(void *arg)
{
	static const struct bw_map_type t = BW_MAP(BW_PLAIN(struct rig_bytes),
						   BW_PLAIN(struct rig_bytes));
	struct rig_bytes b = { { 0 } }, *v;
	struct bw_map *m;
	u32 i;

	setenv("BURROW", "clobberfree=1", 1);
	m = bw_map_make(&t, 0);
	EXPECT(!bw_map_put(m, &b, &b));
	for (i = 1; i < 3000; i++) {
		v = bw_map_get(m, &b);
		memcpy(v->byte, &i, sizeof(i));
		/* both are the value of the last: next key, same value */
		EXPECT(!bw_map_put(m, v, v));
		memcpy(b.byte, &i, sizeof(i));
		v = bw_map_get(m, &b);
		EXPECT(v && !memcmp(v, &b, sizeof(b)));
	}
	EXPECT(bw_map_len(m) == 3000 && !bw_map_check(m));
}

static void what_is_put_may_lie_in_the_map(void)
{
	if (!EXPECT(!rig_child(what_is_put_may_lie_in_the_map_child, NULL, said,
			       sizeof(said))))
		printf("# %s\n", said);
}

/* How many of @keys were the first one of some iteration. */
static u32 nr_first(u32 keys, u32 iterations)
{
	const struct rig_map_kind *k = &rig_map_kinds[0];
	struct bw_map *m = bw_map_make(&k->type, 0);
	bool first[200] = { false };
	struct bw_map_iter it;
	u32 i, nr = 0;

	for (i = 0; i < keys; i++)
		rig_map_put(m, k, i, i);
	for (i = 0; i < iterations; i++) {
		bw_map_iter_begin(&it, m);
		EXPECT(bw_map_next(&it));
		first[*(const u64 *)it.key] = true;
	}
	for (i = 0; i < keys; i++)
		nr += first[i];
	return nr;
}

/* At each slot of one window, and of several stretches. */
static void iterations_begin_anywhere(void)
{
	EXPECT(nr_first(8, 2000) == 8);
	EXPECT(nr_first(200, 20000) == 200);
}

/* Nothing is removed; tables are replaced by larger ones, or split. */
static void iterate_and_add(const struct rig_map_kind *k, u32 keys)
{
	struct bw_map *m = bw_map_make(&k->type, 0);
	struct bw_map_iter it;
	u64 i, next = keys;

	for (i = 0; i < keys; i++)
		rig_map_put(m, k, i, i);
	bw_map_each(it, m) {
		EXPECT(it.value == bw_map_get(m, it.key));
		for (i = 0; i < keys && next < 8 * (u64)keys; i++, next++)
			rig_map_put(m, k, next, next);
	}
}

static void what_an_iteration_gives_lies_in_the_map(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rig_map_kinds); i++) {
		iterate_and_add(&rig_map_kinds[i], 5);
		iterate_and_add(&rig_map_kinds[i], 100);
		if (i < RIG_MAP_GOOD)
			iterate_and_add(&rig_map_kinds[i], 3000);
	}
}

#define MANY	(RIG_SLOW ? 100000U : 1000000U)

static void a_million_keys(const struct rig_map_kind *k, size_t hint)
{
	struct bw_map *m = bw_map_make(&k->type, hint);
	struct bw_map_iter it;
	u64 i, sum = 0, *got;

	for (i = 0; i < MANY; i++)
		rig_map_put(m, k, i, i * 7);
	EXPECT(bw_map_len(m) == MANY && !bw_map_check(m));
	for (i = 0; i < MANY; i++) {
		got = rig_map_get(m, k, i);
		if (!EXPECT(got && *got == i * 7))
			return;
	}
	EXPECT(!rig_map_get(m, k, MANY + 1));
	bw_map_each(it, m)
		sum += *(u64 *)it.value / 7;
	EXPECT(sum == (u64)MANY * (MANY - 1) / 2);
	for (i = 0; i < MANY; i += 2)
		EXPECT(rig_map_del(m, k, i));
	EXPECT(bw_map_len(m) == MANY / 2 && !bw_map_check(m));
}

static void a_million_keys_come_and_go(void)
{
	a_million_keys(&rig_map_kinds[0], 0);
	a_million_keys(&rig_map_kinds[1], MANY);
}

/* A queue in a map of @keys: how deep its directory is. */
static u32 depth_of_a_queue(u32 keys)
{
	const struct rig_map_kind *k = &rig_map_kinds[0];
	struct bw_map *m = bw_map_make(&k->type, 0);
	u64 i;

	for (i = 0; i < 40 * (u64)keys; i++) {
		rig_map_put(m, k, i, i);
		if (i >= keys)
			EXPECT(rig_map_del(m, k, i - keys));
	}
	EXPECT(!bw_map_check(m) && bw_map_len(m) == keys);
	return m->depth;
}

/* Tables stay as large as they are, and are full of what was deleted. */
static void what_comes_and_goes_takes_no_more_room(void)
{
	EXPECT(depth_of_a_queue(600) == 0);
	EXPECT(depth_of_a_queue(5000) <= 4);
}

/* Hashes that are all the same cost time, and a directory of a few words. */
static void keys_that_collide_take_no_more_room(void)
{
	const struct rig_map_kind *k = &rig_map_kinds[4];
	struct bw_map *m = bw_map_make(&k->type, 0);
	u64 i;

	for (i = 0; i < 3000; i++)
		rig_map_put(m, k, i, i);
	EXPECT(!bw_map_check(m) && bw_map_len(m) == 3000);
	EXPECT(m->depth <= 6);
	for (i = 0; i < 3000; i++)
		EXPECT(rig_map_del(m, k, i));
	EXPECT(!bw_map_check(m) && !bw_map_len(m));
}

static void without_memory_a_map_stays_as_it_was(void *arg)
{
	const struct rig_map_kind *k = arg;
	struct bw_map *m = bw_map_make(&k->type, 0);
	u64 i, done = 0, refused = 0, nth = 1;
	char key[RIG_MAP_KEY] __aligned(16);
	struct oom o;

	rig_map_put(m, k, done++, 0);
	oom_begin(&o, bw_mheap());
	while (done < 20000 && refused < 60) {
		bw_backend_failnth_again(o.failing, nth++ % 3 + 1, 1U << 30,
					 -ENOMEM);
		for (i = done; i < done + 3000; i++) {
			memset(key, 0, sizeof(key));
			k->key(key, i);
			if (bw_map_put(m, key, &i)) {
				refused++;
				break;
			}
		}
		EXPECT(bw_map_len(m) == i);
		done = i;
		bw_backend_failnth_again(o.failing, ~0ULL, 1, -ENOMEM);
		EXPECT(!bw_map_check(m));
		/* what is short now is there later */
		rig_map_put(m, k, done++, i);
	}
	oom_end(&o);
	EXPECT(refused);
	for (i = 0; i < done; i++)
		EXPECT(rig_map_get(m, k, i));
}

static void no_memory_leaves_a_map_as_it_was(void)
{
	if (!EXPECT(!rig_child(without_memory_a_map_stays_as_it_was,
			       (void *)&rig_map_kinds[0], said, sizeof(said))))
		printf("# %s\n", said);
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	/* in children, so before this process has a run */
	TEST(no_memory_leaves_a_map_as_it_was);
	TEST(what_is_put_may_lie_in_the_map);
	TEST(windows_are_looked_at_in_the_same_way_everywhere);
	TEST(hashes_of_keys_that_are_alike_are_spread);
	TEST(every_byte_and_the_length_count_for_a_hash);
	TEST(a_map_does_what_the_table_says);
	TEST(null_is_an_empty_map);
	TEST(keys_and_values_are_of_any_size);
	TEST(a_type_may_have_its_own_equal);
	TEST(a_key_that_is_not_itself_is_never_found);
	TEST(iterations_begin_anywhere);
	TEST(what_an_iteration_gives_lies_in_the_map);
	TEST(a_million_keys_come_and_go);
	TEST(what_comes_and_goes_takes_no_more_room);
	TEST(keys_that_collide_take_no_more_room);
	return tap_end();
}
