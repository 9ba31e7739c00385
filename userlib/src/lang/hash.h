/* SPDX-License-Identifier: MIT */
/*
 * hash: keys of maps to 64 bits, by two secret words of the map.
 *
 * The step is one multiplication of 64 by 64 bits whose halves are xored. Both its
 * factors have a secret in them, so nobody who chooses keys can make a factor 0, or
 * foresee which keys will meet.
 *
 * Rejected: AES instructions. They are as fast for long keys and slower for words
 * (8 cycles of latency to 4), and would have to be chosen when the program runs.
 */
#ifndef BW_LANG_HASH_H
#define BW_LANG_HASH_H

#include "base/types.h"
#include "burrow/map.h"

/* Another each time. */
struct bw_hash_key bw_hash_key_make(void);

static inline u64 bw_hash_load8(const char *p)
{
	u64 x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline u64 bw_hash_load4(const char *p)
{
	u32 x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/* More than 32. */
u64 bw_hash_long(const struct bw_hash_key *k, const char *p, size_t n);

/* The first and the last 16 do not wait for each other; changed over they differ. */
static inline u64 bw_hash_16_to_32(const struct bw_hash_key *k, const char *p,
				   size_t n)
{
	u64 x = bw_hash_mix(bw_hash_load8(p) ^ k->a, bw_hash_load8(p + 8) ^ k->b);

	p += n - 16;
	return bw_hash_mix(bw_hash_mix(bw_hash_load8(p) ^ k->b,
				       bw_hash_load8(p + 8) ^ k->a) ^ n,
			   x ^ k->b);
}

/* The ends of short keys may overlap: their length tells them apart. */
static inline u64 bw_hash_bytes(const struct bw_hash_key *k, const void *key,
				size_t n)
{
	const char *p = key;
	u64 x = 0, y = 0;

	if (unlikely(n > 32))
		return bw_hash_long(k, p, n);
	if (n >= 16)
		return bw_hash_16_to_32(k, p, n);
	if (likely(n >= 8)) {
		x = bw_hash_load8(p);
		y = bw_hash_load8(p + n - 8);
	} else if (n >= 4) {
		x = bw_hash_load4(p);
		y = bw_hash_load4(p + n - 4);
	} else if (n) {
		x = (u8)p[0] | (u64)(u8)p[n / 2] << 8 | (u64)(u8)p[n - 1] << 16;
	}
	return bw_hash_mix(bw_hash_mix(x ^ k->a, y ^ k->b) ^ n, k->b);
}

#endif
