/* SPDX-License-Identifier: MIT */
/*
 * burrow/map_probe.h: what a compiler has to see to look into a map without a call.
 *
 *	bw_map_get_u64(), bw_map_next()		in place, where they hit or miss at once
 *	  bw_map_get_u64_slow(), bw_map_next_slow()	lang/: all else
 *
 * Comes with burrow/map.h. Nothing here is for programs but the two calls: lang/map.h
 * says what the fields mean to each other (T1 to T7), and both may change with any
 * version of the library.
 */
#ifndef BURROW_MAP_PROBE_H
#define BURROW_MAP_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BW_MAP_INLINE	static inline __attribute__((always_inline))

/**
 * struct bw_hash_key - of a map						[const]
 * @a:		any
 * @b:		odd
 */
struct bw_hash_key {
	uint64_t a;
	uint64_t b;
};

BW_MAP_INLINE uint64_t bw_hash_mix(uint64_t x, uint64_t y)
{
	__uint128_t p = (__uint128_t)x * y;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/*
 * Two steps: after one, keys at equal distances are anything but spread (up to
 * three times as many as there should be in a bin).
 */
BW_MAP_INLINE uint64_t bw_hash_u64(const struct bw_hash_key *k, uint64_t x)
{
	return bw_hash_mix(bw_hash_mix(x ^ k->a, k->b), k->b);
}

/*
 * A group is eight slots. The byte of a slot is EMPTY, or DELETED, or the *tag* of its
 * key, eight bits of the hash. Two groups, a window, are looked at together: that is
 * what a vector register holds, and a probe that has to go on to a second window costs
 * a mispredicted branch, which with a map that is not in a cache is most of what there
 * is to pay. The answer has a bit for each slot.
 */
#define BW_GROUP	8U
#define BW_WINDOW	(2 * BW_GROUP)

#define BW_EMPTY	0U
#define BW_DELETED	1U
#define BW_BLOCKED	2U	/* no slot: the second group of the smallest table */
#define BW_TAG_MIN	3U

BW_MAP_INLINE uint8_t bw_tag(uint64_t h)
{
	uint8_t low = (uint8_t)h;

	return low < BW_TAG_MIN ? (uint8_t)(low + BW_TAG_MIN) : low;
}

/* In plain C: a 1 in the high bit of each byte that is 0. */
BW_MAP_INLINE uint64_t bw_group_zeros_c(uint64_t x)
{
	uint64_t low = 0x7f7f7f7f7f7f7f7fULL;

	return ~(((x & low) + low) | x | low);
}

/* Of these, a bit a byte. */
BW_MAP_INLINE uint32_t bw_group_bits_c(uint64_t high)
{
	return (uint32_t)((high >> 7) * 0x0102040810204080ULL >> 56);
}

BW_MAP_INLINE uint32_t bw_window_match_c(const uint8_t *ctrl, uint8_t with)
{
	uint64_t x[2];

	memcpy(x, ctrl, sizeof(x));
	x[0] ^= with * 0x0101010101010101ULL;
	x[1] ^= with * 0x0101010101010101ULL;
	return bw_group_bits_c(bw_group_zeros_c(x[0])) |
	       bw_group_bits_c(bw_group_zeros_c(x[1])) << 8;
}

/* Which have a key's tag, or are EMPTY. */
#if defined(__SSE2__)

BW_MAP_INLINE uint32_t bw_window_match(const uint8_t *ctrl, uint8_t with)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)ctrl);

	x = _mm_cmpeq_epi8(x, _mm_set1_epi8((char)with));
	return (uint32_t)_mm_movemask_epi8(x);
}

#elif defined(__ARM_NEON)

/* Of bytes that are all ones or all zeros. */
BW_MAP_INLINE uint32_t bw_window_bits(uint8x16_t is)
{
	static const uint8_t bit[BW_WINDOW] = {
		1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
	};
	uint8x16_t some = vandq_u8(is, vld1q_u8(bit));

	return vaddv_u8(vget_low_u8(some)) |
	       (uint32_t)vaddv_u8(vget_high_u8(some)) << 8;
}

BW_MAP_INLINE uint32_t bw_window_match(const uint8_t *ctrl, uint8_t with)
{
	return bw_window_bits(vceqq_u8(vld1q_u8(ctrl), vdupq_n_u8(with)));
}

#else
#define bw_window_match	bw_window_match_c
#endif

BW_MAP_INLINE uint32_t bw_window_empty(const uint8_t *ctrl)
{
	return bw_window_match(ctrl, BW_EMPTY);
}

/**
 * struct bw_map_table - a table			[all: who changes the map]
 * @slots:	where they begin: an object, or behind @ctrl			[const]
 * @used:	slots with keys
 * @left:	see T3
 * @depth:	bits of the hash that all its keys share
 * @mask:	windows - 1							[const]
 * @half:	of one window, only the first group is there			[const]
 * @stale:	see T5
 * @seen:	somebody has iterated over it			[atomic, only set]
 * @ctrl:	a byte a slot
 */
struct bw_map_table {
	char *slots;
	uint32_t used;
	uint32_t left;
	uint32_t mask;
	uint8_t depth;
	uint8_t half;
	bool stale;
	bool seen;
	uint8_t ctrl[];
};

/* Of @state: what a look has to know, for one test of all of it. */
#define BW_MAP_KIND	3U		/* BW_KEY_* */
#define BW_MAP_UNEVEN	4U		/* see T1 */
#define BW_MAP_PAIRS	8U		/* slots of two words, key and value */
#define BW_MAP_WRITING	0x80000000U	/* see T6 */

/**
 * struct bw_map - a map				[all: who changes the map]
 * @dir:	tables; &@only, where there is but one
 * @hash:	secrets								[const]
 * @state:	BW_MAP_*							[atomic]
 * @mask:	windows of each table - 1
 * @dir_mask:	words of @dir - 1
 * @shift:	of a hash, to the number of its word
 * @depth:	log2 of the words
 * @kind:	of keys								[const]
 * @pointers:	keys or values have some					[const]
 * @value_pointers: values have some					[const]
 * @max_lg:	log2 of the windows of a table that splits			[const]
 * @stride:	bytes of a slot							[const]
 * @value_at:	of which the value begins here					[const]
 * @value_size:	bytes of it							[const]
 * @nr:		keys
 * @gone:	see T7
 * @only:	the only table, twice: a hash cannot be shifted by all its bits
 * @spare:	the next directory, where this one is long, or NULL
 * @slot:	a slot's pointers, or NULL: tables have none, or all may be	[const]
 * @type:	what it is of							[const]
 */
struct bw_map {
	struct bw_map_table **dir;
	struct bw_hash_key hash;
	uint32_t state;
	uint32_t mask;
	uint32_t dir_mask;
	uint8_t shift;
	uint8_t depth;
	uint8_t kind;
	bool pointers;
	bool value_pointers;
	uint8_t max_lg;
	uint32_t stride;
	uint32_t value_at;
	uint32_t value_size;
	size_t nr;
	uint64_t gone;
	struct bw_map_table *only;
	struct bw_map_table *only_too;
	struct bw_map_table **spare;
	struct bw_type *slot;
	const struct bw_map_type *type;
};

BW_MAP_INLINE uint32_t bw_map_state(const struct bw_map *m)
{
	return __atomic_load_n(&m->state, __ATOMIC_RELAXED);
}

BW_MAP_INLINE struct bw_map_table *bw_map_table_at(const struct bw_map *m,
						   uint64_t h)
{
	return m->dir[h >> m->shift];
}

BW_MAP_INLINE uint32_t bw_map_first(uint64_t h, uint32_t mask)
{
	return (uint32_t)(h >> 8) & mask;
}

/*
 * Slots are taken from a window's first on: its first lines are most often the ones,
 * and come with the control bytes, not after them.
 */
BW_MAP_INLINE void bw_map_expect(const char *slot, uint32_t lines)
{
	uint32_t i;

	for (i = 0; i < lines; i++)
		__builtin_prefetch(slot + 64 * (size_t)i);
}

void *bw_map_get_u64_slow(const struct bw_map *m, uint64_t key);

BW_MAP_INLINE void *bw_map_get_u64(const struct bw_map *m, uint64_t key)
{
	const struct bw_map_table *t;
	const uint8_t *ctrl;
	uint32_t first, match;
	uint64_t h, *slot;

	if (__builtin_expect(!m || bw_map_state(m) !=
			     (BW_KEY_U64 | BW_MAP_PAIRS), 0))
		return bw_map_get_u64_slow(m, key);
	h = bw_hash_u64(&m->hash, key);
	t = bw_map_table_at(m, h);
	first = bw_map_first(h, m->mask) * BW_WINDOW;
	ctrl = t->ctrl + first;
	bw_map_expect(t->slots + (size_t)first * 2 * sizeof(*slot), 2);
	for (match = bw_window_match(ctrl, bw_tag(h)); match;
	     match &= match - 1) {
		slot = (uint64_t *)(void *)t->slots +
		       2 * (size_t)(first + (uint32_t)__builtin_ctz(match));
		if (__builtin_expect(*slot == key, 1))
			return slot + 1;
	}
	if (__builtin_expect(bw_window_empty(ctrl) != 0, 1))
		return NULL;
	return bw_map_get_u64_slow(m, key);
}

bool bw_map_next_slow(struct bw_map_iter *it);

/* The next of those that were seen together, while none is gone (T7). */
BW_MAP_INLINE bool bw_map_next(struct bw_map_iter *it)
{
	const struct bw_map *m = it->map;
	uint64_t full = it->full;
	uint32_t i;

	if (__builtin_expect(!full || m->gone != it->gone ||
			     bw_map_state(m) & BW_MAP_WRITING, 0))
		return bw_map_next_slow(it);
	i = ((uint32_t)__builtin_ctzll(full) + it->turn) & it->wrap;
	it->full = full & (full - 1);
	it->key = it->slots + (size_t)i * it->stride;
	it->value = (char *)(uintptr_t)it->key + it->value_at;
	return true;
}

#ifdef __cplusplus
}
#endif

#endif
