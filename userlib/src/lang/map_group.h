/* SPDX-License-Identifier: MIT */
/*
 * map_group: which slots of a window may be taken, and which have keys; which have a
 * tag is in burrow/map_probe.h, and what groups and windows are.
 */
#ifndef BW_LANG_MAP_GROUP_H
#define BW_LANG_MAP_GROUP_H

#include "base/types.h"
#include "burrow/map.h"

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

static inline u32 bw_window_upto(const u8 *ctrl, u8 most)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)ctrl);
	__m128i over = _mm_subs_epu8(x, _mm_set1_epi8((char)most));

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

static inline u32 bw_window_free(const u8 *ctrl)
{
	return bw_window_bits(vcleq_u8(vld1q_u8(ctrl), vdupq_n_u8(BW_DELETED)));
}

static inline u32 bw_window_full(const u8 *ctrl)
{
	return bw_window_bits(vcgtq_u8(vld1q_u8(ctrl), vdupq_n_u8(BW_BLOCKED)));
}

#else

#define bw_window_free	bw_window_free_c
#define bw_window_full	bw_window_full_c

#endif

#endif
