/* SPDX-License-Identifier: MIT */
/*
 * map_group: slots of a map, by their control bytes.
 *
 * A group is eight slots. The byte of a slot is EMPTY, or DELETED, or the *tag* of its
 * key, eight bits of the hash. Two groups, a window, are looked at together: that is
 * what a vector register holds, and a probe that has to go on to a second window costs
 * a mispredicted branch, which with a map that is not in a cache is most of what there
 * is to pay. The answer has a bit for each slot.
 */
#ifndef BW_LANG_MAP_GROUP_H
#define BW_LANG_MAP_GROUP_H

#include "base/types.h"

#define BW_GROUP	8U
#define BW_WINDOW	(2 * BW_GROUP)

#define BW_EMPTY	0U
#define BW_DELETED	1U
#define BW_BLOCKED	2U	/* no slot: the second group of the smallest table */
#define BW_TAG_MIN	3U

static inline u8 bw_tag(u64 h)
{
	u8 low = (u8)h;

	return low < BW_TAG_MIN ? low + BW_TAG_MIN : low;
}

/* In plain C: a 1 in the high bit of each byte that is 0. */
static inline u64 bw_group_zeros_c(u64 x)
{
	u64 low = 0x7f7f7f7f7f7f7f7fULL;

	return ~(((x & low) + low) | x | low);
}

/* Of these, a bit a byte. */
static inline u32 bw_group_bits_c(u64 high)
{
	return (u32)((high >> 7) * 0x0102040810204080ULL >> 56);
}

static inline u32 bw_window_match_c(const u8 *ctrl, u8 with)
{
	u64 x[2];

	memcpy(x, ctrl, sizeof(x));
	x[0] ^= with * 0x0101010101010101ULL;
	x[1] ^= with * 0x0101010101010101ULL;
	return bw_group_bits_c(bw_group_zeros_c(x[0])) |
	       bw_group_bits_c(bw_group_zeros_c(x[1])) << 8;
}

static inline u32 bw_window_free_c(const u8 *ctrl)
{
	return bw_window_match_c(ctrl, BW_EMPTY) |
	       bw_window_match_c(ctrl, BW_DELETED);
}

static inline u32 bw_window_full_c(const u8 *ctrl)
{
	return 0xffff & ~(bw_window_free_c(ctrl) |
			  bw_window_match_c(ctrl, BW_BLOCKED));
}

#if defined(__SSE2__)
#include <emmintrin.h>

static inline __m128i bw_window_load(const u8 *ctrl)
{
	return _mm_loadu_si128((const __m128i *)ctrl);
}

/* With a key's tag, or EMPTY. */
static inline u32 bw_window_match(const u8 *ctrl, u8 with)
{
	return (u32)_mm_movemask_epi8(_mm_cmpeq_epi8(bw_window_load(ctrl),
						     _mm_set1_epi8((char)with)));
}

static inline u32 bw_window_upto(const u8 *ctrl, u8 most)
{
	__m128i over = _mm_subs_epu8(bw_window_load(ctrl),
				     _mm_set1_epi8((char)most));

	return (u32)_mm_movemask_epi8(_mm_cmpeq_epi8(over,
						     _mm_setzero_si128()));
}

static inline u32 bw_window_free(const u8 *ctrl)
{
	return bw_window_upto(ctrl, BW_DELETED);
}

static inline u32 bw_window_full(const u8 *ctrl)
{
	return bw_window_upto(ctrl, BW_BLOCKED) ^ 0xffff;
}

#elif defined(__ARM_NEON)
#include <arm_neon.h>

/* Of bytes that are all ones or all zeros. */
static inline u32 bw_window_bits(uint8x16_t is)
{
	static const u8 bit[BW_WINDOW] = {
		1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
	};
	uint8x16_t some = vandq_u8(is, vld1q_u8(bit));

	return vaddv_u8(vget_low_u8(some)) |
	       (u32)vaddv_u8(vget_high_u8(some)) << 8;
}

static inline u32 bw_window_match(const u8 *ctrl, u8 with)
{
	return bw_window_bits(vceqq_u8(vld1q_u8(ctrl), vdupq_n_u8(with)));
}

static inline u32 bw_window_free(const u8 *ctrl)
{
	return bw_window_bits(vcleq_u8(vld1q_u8(ctrl), vdupq_n_u8(BW_DELETED)));
}

static inline u32 bw_window_full(const u8 *ctrl)
{
	return bw_window_bits(vcgtq_u8(vld1q_u8(ctrl), vdupq_n_u8(BW_BLOCKED)));
}

#else

#define bw_window_match	bw_window_match_c
#define bw_window_free	bw_window_free_c
#define bw_window_full	bw_window_full_c

#endif

static inline u32 bw_window_empty(const u8 *ctrl)
{
	return bw_window_match(ctrl, BW_EMPTY);
}

#endif
