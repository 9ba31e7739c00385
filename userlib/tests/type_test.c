// SPDX-License-Identifier: MIT
/* Types: which words of an object are said to be pointers. */
#include "alloc_rig.h"
#include "burrow.h"
#include "heap/ptrbits.h"

struct node {
	struct node *left;
	u64 key;
	struct node *right;
};

BW_TYPE(node, struct node, left, right);

union either {
	void *pointer;
	double number;
};

struct mixed {
	u64 head;
	void *many[3];
	u32 a, b;
	union either either[2];
	char text[20];
	struct node inner;
};

BW_TYPE(mixed, struct mixed, many, either, inner.left, inner.right);

struct wide {
	u64 pad[100];
	void *middle[2];
	u64 more[400];
	void *last;
};

BW_TYPE(wide, struct wide, middle, last);

struct row {
	void *of;
	u64 nr;
	void *cell[];
};

BW_TYPE_TAIL(row, struct row, cell, of);

struct text {
	struct text *next;
	u64 len;
	char bytes[];
};

BW_TYPE_BYTES(text, struct text, bytes, next);

struct plain {
	u64 a, b;
};

BW_TYPE_NOSCAN(plain, struct plain);

static bool is_pointer(const void *p, size_t word)
{
	return bw_ptrbits_get(&bw_mheap()->map, (const char *)p + word * 8, 1);
}

/* Exactly the words of @offsets (bytes), a set that ends with -1, are marked. */
static bool words_are(const void *p, const s32 *offsets)
{
	size_t words = bw_usable_size(p) / 8, w;
	bool good = true;

	for (w = 0; w < words; w++) {
		bool want = false;
		u32 i;

		for (i = 0; offsets[i] >= 0; i++)
			want |= (size_t)offsets[i] == w * 8;
		good &= is_pointer(p, w) == want;
		if (!good) {
			printf("# word %zu\n", w);
			return false;
		}
	}
	return true;
}

static u32 kind_of(const void *p)
{
	return bw_mspan_of(bw_mheap(), p)->kind;
}

#define AT(t, f)	((s32)offsetof(struct t, f))

static void named_fields_are_pointers_and_no_others(void)
{
	static const s32 node[] = { AT(node, left), AT(node, right), -1 };
	static const s32 mixed[] = {
		AT(mixed, many[0]), AT(mixed, many[1]), AT(mixed, many[2]),
		AT(mixed, either[0]), AT(mixed, either[1]),
		AT(mixed, inner.left), AT(mixed, inner.right), -1
	};
	static const s32 wide[] = {
		AT(wide, middle[0]), AT(wide, middle[1]), AT(wide, last), -1
	};
	u32 i;

	for (i = 0; i < 500; i++) {
		struct node *n = bw_new(node);
		struct mixed *m = bw_new(mixed);
		struct wide *w = bw_new(wide);

		EXPECT(words_are(n, node) && words_are(m, mixed));
		EXPECT(words_are(w, wide));
		EXPECT(kind_of(n) == BURROW_KIND_SCAN);
		EXPECT(rig_is_filled((u8 *)w, sizeof(*w), 0));
	}
}

static void each_struct_of_an_array_has_its_bits(void)
{
	size_t lens[] = { 1, 2, 21, 22, 100, 5000, 400000 }, i, k, w;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		struct node *n = bw_new_array(node, lens[i]);
		size_t words = bw_usable_size(n) / 8;
		bool good = true;

		for (k = 0; k < lens[i]; k++)
			good &= is_pointer(&n[k].left, 0) &&
				!is_pointer(&n[k].key, 0) &&
				is_pointer(&n[k].right, 0);
		for (w = lens[i] * 3; w < words; w++)
			good &= !is_pointer(n, w);
		EXPECT(good);
		bw_free(n);
	}
}

static void a_tail_is_pointers_where_its_type_says_so(void)
{
	struct row *r = bw_new_tail(row, 100);
	struct text *t = bw_new_tail(text, 1000);
	size_t i;

	EXPECT(is_pointer(r, 0) && !is_pointer(r, 1));
	for (i = 0; i < 100; i++)
		EXPECT(is_pointer(&r->cell[i], 0));
	for (i = 102; i < bw_usable_size(r) / 8; i++)
		EXPECT(!is_pointer(r, i));
	EXPECT(is_pointer(t, 0));
	for (i = 1; i < bw_usable_size(t) / 8; i++)
		EXPECT(!is_pointer(t, i));
	EXPECT(bw_new_tail(row, 0) && bw_new_tail(text, 0));
}

static void a_slot_that_had_another_type_has_the_new_ones_bits(void)
{
	static const s32 node[] = { AT(node, left), AT(node, right), -1 };
	struct row *r;
	struct node *n;
	u32 i;

	for (i = 0; i < 1000; i++) {
		r = bw_new_tail(row, 2);
		EXPECT(is_pointer(r, 0) && !is_pointer(r, 1) &&
		       is_pointer(r, 2) && is_pointer(r, 3));
		bw_free(r);
		n = bw_new(node);
		EXPECT((void *)n == (void *)r && words_are(n, node));
		bw_free(n);
	}
	/* a neighbour's stay as they are */
	n = bw_new(node);
	r = bw_new_tail(row, 2);
	bw_free(n);
	n = bw_new(node);
	EXPECT(words_are(n, node) && is_pointer(r, 3));
}

static void objects_without_pointers_are_noscan_and_without_a_type_are_not(void)
{
	struct plain *p = bw_new(plain);
	struct plain *many = bw_new_array(plain, 100);
	struct node *n = bw_new_plain(struct node);

	EXPECT(kind_of(p) == BURROW_KIND_NOSCAN);
	EXPECT(kind_of(many) == BURROW_KIND_NOSCAN);
	EXPECT(kind_of(n) == BURROW_KIND_CONSERVATIVE);
}

static void too_many_are_enomem(void)
{
	errno = 0;
	EXPECT(!bw_new_array(node, SIZE_MAX / 24 + 2) && errno == ENOMEM);
	errno = 0;
	EXPECT(!bw_new_tail(row, SIZE_MAX / 8) && errno == ENOMEM);
	errno = 0;
	EXPECT(!bw_new_tail(text, SIZE_MAX - 8) && errno == ENOMEM);
}

static void array_of_row(void *arg)
{
	bw_new_array(row, 2);
}

static void tail_of_node(void *arg)
{
	bw_new_tail(node, 2);
}

static void the_wrong_call_for_a_type_is_a_message(void)
{
	char said[400];

	EXPECT(rig_aborted(rig_child(array_of_row, NULL, said, sizeof(said))));
	EXPECT(strstr(said, "type row has a tail"));
	EXPECT(rig_aborted(rig_child(tail_of_node, NULL, said, sizeof(said))));
	EXPECT(strstr(said, "type node has no tail"));
}

#define ROUNDS	20000

static void *maker(void *arg)
{
	static const s32 node[] = { AT(node, left), AT(node, right), -1 };
	u64 seed = (uintptr_t)arg;
	struct node *kept[64] = { NULL };
	u32 i;

	for (i = 0; i < ROUNDS; i++) {
		u32 at = rig_random(&seed) % 64;

		if (kept[at]) {
			EXPECT(words_are(kept[at], node));
			bw_free(kept[at]);
		}
		kept[at] = bw_new(node);
	}
	for (i = 0; i < 64; i++)
		bw_free(kept[i]);
	return NULL;
}

static void threads_do_not_meet_in_a_word_of_bits(void)
{
	pthread_t t[4];
	u32 i;

	for (i = 0; i < 4; i++)
		EXPECT(!pthread_create(&t[i], NULL, maker,
				       (void *)(uintptr_t)(i + 1)));
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

int main(void)
{
	TEST(named_fields_are_pointers_and_no_others);
	TEST(each_struct_of_an_array_has_its_bits);
	TEST(a_tail_is_pointers_where_its_type_says_so);
	TEST(a_slot_that_had_another_type_has_the_new_ones_bits);
	TEST(objects_without_pointers_are_noscan_and_without_a_type_are_not);
	TEST(too_many_are_enomem);
	TEST(the_wrong_call_for_a_type_is_a_message);
	TEST(threads_do_not_meet_in_a_word_of_bits);
	return tap_end();
}
