/* SPDX-License-Identifier: MIT */
/*
 * ptrbits: which words of a precise object may be pointers.
 *
 *	bw_alloc_type()			rt/type.c
 *	  bw_ptrbits_put()		<- here: the bits of a slot
 *	bw_mark_drain()			gc/mark.c
 *	  bw_ptrbits_get()		<- here: 64 of them
 *
 * A bit for each 8 bytes of the arena, at BURROW_U_PTR. Bits of a slot are its
 * owner's; neighbours in one word belong to the same span, which one mcache has
 * at a time, so no store needs an atomic read-modify-write.
 *
 * B1. All bits of a slot are written when it becomes an object, those beyond the
 *     type too: nobody clears them when it ends.
 * B2. The slot is zero then, and nobody but the allocating thread has its
 *     address. A marker that finds it with old bits reads zeroes, and a slot that
 *     was taken while marking is black. So the bits may follow the store that
 *     makes it allocated.
 */
#ifndef BW_HEAP_PTRBITS_H
#define BW_HEAP_PTRBITS_H

#include "pageheap.h"

/* The word that has the bit of the granule at @off from the window's base. */
static inline __attribute__((always_inline)) u64 *
bw_ptrbits_word(const struct bw_mspan_map *map, size_t off)
{
	size_t arena = off >> BURROW_ARENA_SHIFT;

	return (u64 *)(void *)(map->umeta + (arena << BURROW_UMETA_SHIFT) +
			       BURROW_U_PTR) +
	       (off & (BURROW_ARENA_SIZE - 1)) / 512;
}

static inline __attribute__((always_inline)) u64 bw_ptrbits_ones(u32 n)
{
	return n >= 64 ? ~0ULL : (1ULL << n) - 1;
}

/* Some of the 64 bits of a word; others of it are another slot's. */
static inline __attribute__((always_inline)) void
bw_ptrbits_store(u64 *word, u64 bits, u64 mask)
{
	u64 old = READ_ONCE(*word);

	/* most often the last object here was of the same type */
	if ((old & mask) != bits)
		WRITE_ONCE(*word, (old & ~mask) | bits);
}

/* The @n bits (up to 64) of the granules from @p on. */
static inline __attribute__((always_inline)) void
bw_ptrbits_put(const struct bw_mspan_map *map, const void *p, u64 bits, u32 n)
{
	size_t off = (size_t)((const char *)p - map->base);
	u64 *word = bw_ptrbits_word(map, off);
	u32 at = off / 8 % 64;

	bw_ptrbits_store(word, bits << at, bw_ptrbits_ones(n) << at);
	if (at + n > 64)
		bw_ptrbits_store(word + 1, bits >> (64 - at),
				 bw_ptrbits_ones(at + n - 64));
}

/* The bits of the 64 granules from @p on, less if that is beyond an arena. */
static inline u64 bw_ptrbits_get(const struct bw_mspan_map *map, const void *p,
				 u32 n)
{
	size_t off = (size_t)((const char *)p - map->base);
	const u64 *word = bw_ptrbits_word(map, off);
	u32 at = off / 8 % 64;
	u64 bits = READ_ONCE(*word) >> at;

	if (at + n > 64)
		bits |= READ_ONCE(word[1]) << (64 - at);
	return bits & bw_ptrbits_ones(n);
}

#endif
