// SPDX-License-Identifier: MIT
/* check: see check.h */
#include "base/sysmem.h"
#include "base/throw.h"
#include "check.h"
#include "heap/ptrbits.h"
#include "nosan.h"

#define TELL_MOST	20U

bool bw_check_begin(struct bw_check *k, struct bw_mheap *h, bool types)
{
	*k = (struct bw_check){ .h = h, .types = types };
	k->bytes = READ_ONCE(h->map.limit) / 64;
	k->bits = bw_sys_alloc(max(k->bytes, BW_SYS_PAGE));
	if (!k->bits)
		bw_note("gccheckmark: no memory to check with");
	return k->bits;
}

/* Where it was found; objects are at least 8 bytes apart. */
static bool found_before(struct bw_check *k, const char *obj)
{
	size_t i = (size_t)(obj - k->h->map.base) / 8;
	u64 *word = &k->bits[i / 64], bit = 1ULL << (i % 64);

	if (*word & bit)
		return true;
	*word |= bit;
	return false;
}

static void push(struct bw_check *k, char *obj)
{
	size_t room = k->room ? 2 * k->room : 4096;
	char **at;

	if (k->nr == k->room) {
		at = bw_sys_alloc(room * sizeof(*at));
		if (!at)
			bw_throw("gccheckmark: no memory to check with");
		if (k->nr)
			memcpy(at, k->at, k->nr * sizeof(*at));
		bw_sys_free(k->at, k->room * sizeof(*at));
		k->at = at;
		k->room = room;
	}
	k->at[k->nr++] = obj;
}

static __noreturn __cold void missed(const struct bw_check *k,
				     const struct bw_mspan *s,
				     const char *obj, const char *from,
				     const u64 *word)
{
	struct bw_mspan *of = from ? bw_mspan_of(k->h, from) : NULL;

	if (!of)
		bw_fatal("gccheckmark: object %p (%lu bytes, %s), to which the "
			 "root at %p points, is not marked", obj, s->elem_size,
			 bw_kind_name(s->kind), (const void *)word);
	bw_fatal("gccheckmark: object %p (%lu bytes, %s), to which byte %zu of "
		 "object %p (%lu bytes, %s) points, is not marked", obj,
		 s->elem_size, bw_kind_name(s->kind),
		 (size_t)((const char *)word - from), from, of->elem_size,
		 bw_kind_name(of->kind));
}

/* What the word at @word, @v, keeps; in object @from, or a root. */
static void look(struct bw_check *k, u64 v, const char *from, const u64 *word)
{
	struct bw_mspan *s;
	char *obj = bw_mark_find(k->h, v, &s);

	bool marked = obj && bw_is_marked(k->h, obj);

	if (!obj || (!marked && !from && k->stale) || found_before(k, obj))
		return;
	if (!marked)
		missed(k, s, obj, from, word);
	k->found++;
	if (bw_mspan_scan(s) > BW_SCAN_NONE)
		push(k, obj);
}

/*
 * The object that ends where @word points. While marking, a pointer to the one
 * behind it may have come from an object to a root: that one is dead then.
 */
static void look_before(struct bw_check *k, u64 v, const u64 *word)
{
	bool stale = k->stale;

	k->stale = k->meanwhile;
	look(k, v, NULL, word);
	k->stale = stale;
}

static void tell_type(struct bw_check *k, u64 v, const char *obj,
		      const struct bw_mspan *s, size_t byte)
{
	struct bw_mspan *to;

	if (!bw_mark_find(k->h, v, &to) || k->told++ >= TELL_MOST)
		return;
	bw_note("typecheck: byte %zu of object %p (%lu bytes) holds %p, which "
		"points to an object (%lu bytes, %s), and its type does not "
		"name it", byte, obj, s->elem_size, (void *)(uintptr_t)v,
		to->elem_size, bw_kind_name(to->kind));
}

static BW_NO_SANITIZE void look_into(struct bw_check *k, const char *obj)
{
	struct bw_mspan *s = bw_mspan_of(k->h, obj);
	const u64 *word = (const u64 *)(const void *)obj;
	bool bits;
	size_t i;

	if (!s)
		return;
	bits = bw_mspan_scan(s) == BW_SCAN_BITS;
	for (i = 0; i < s->elem_size / 8; i++) {
		u64 v = BW_PEEK(word[i]);

		if (v - (uintptr_t)k->h->map.base >= k->h->map.limit)
			continue;
		if (!bits || bw_ptrbits_get(&k->h->map, word + i, 1))
			look(k, v, obj, word + i);
		else if (k->types)
			tell_type(k, v, obj, s, i * 8);
	}
}

BW_NO_SANITIZE void bw_check_roots(struct bw_check *k, const char *low,
				   const char *end)
{
	const u64 *word = (const u64 *)(const void *)low;

	for (; (const char *)word < end; word++) {
		u64 v = BW_PEEK(*word);

		if (v - (uintptr_t)k->h->map.base > k->h->map.limit)
			continue;
		look(k, v, NULL, word);
		look_before(k, v - 1, word);
		while (k->nr)
			look_into(k, k->at[--k->nr]);
	}
}

void bw_check_end(struct bw_check *k)
{
	bw_sys_free(k->bits, max(k->bytes, BW_SYS_PAGE));
	bw_sys_free(k->at, k->room * sizeof(*k->at));
}
