/* SPDX-License-Identifier: MIT */
/*
 * harvest: which frames of a scene were written, as HEAP_HARVEST tells it.
 */
#ifndef BURROW_SELFTEST_HARVEST_H
#define BURROW_SELFTEST_HARVEST_H

#include "fork.h"

struct harvest {
	__u64 bits[BURROW_HARVEST_WORDS];
	__u32 nr;
	bool all;
};

static inline int harvest_into(const struct heap *h, __u32 arena, void *bits,
			       struct harvest *out)
{
	struct burrow_heap_harvest arg = {
		.size = sizeof(arg),
		.arena = arena,
		.bits = U64(bits),
	};
	int r = call(h->fd, BURROW_IOC_HEAP_HARVEST, &arg);

	out->nr = arg.out_nr;
	out->all = arg.out_all;
	return r;
}

/* -EPROTO: the bits are not as many as it says. */
static inline int harvest(const struct heap *h, __u32 arena,
			  struct harvest *out)
{
	int r = harvest_into(h, arena, out->bits, out);
	__u32 i, nr = 0;

	for (i = 0; !r && i < BURROW_HARVEST_WORDS; i++)
		nr += __builtin_popcountll(out->bits[i]);
	return r || nr == out->nr ? r : -EPROTO;
}

static inline bool harvest_has(const struct harvest *w, const struct heap *h,
			       const void *p)
{
	__u64 frame = ((const char *)p - h->window) / FRAME_SIZE;

	return w->bits[frame / 64] >> frame % 64 & 1;
}

/* The frames at @p and @q (NULL: no second) were written, no others. */
static inline bool harvest_is(const struct heap *h, const void *p,
			      const void *q)
{
	struct harvest w;

	return !harvest(h, 0, &w) && !w.all &&
	       w.nr == (__u32)!!p + !!q &&
	       (!p || harvest_has(&w, h, p)) && (!q || harvest_has(&w, h, q));
}

static inline bool harvest_is_empty(const struct heap *h)
{
	return harvest_is(h, NULL, NULL);
}

#endif
