/* SPDX-License-Identifier: MIT */
/* pageheap_inside: between the files of the page heap, and for nobody else. */
#ifndef BW_HEAP_PAGEHEAP_INSIDE_H
#define BW_HEAP_PAGEHEAP_INSIDE_H

#include "pageheap.h"

/* pageheap.c: each page names the span, or none. */
void bw_owners_set(struct bw_mheap *h, struct bw_mspan *s, bool to_span);
/* H1. Of pages before @end somebody got some just now. */
void bw_arenas_await(struct bw_mheap *h, u32 end);
/* Where the bits of a span that begins there are. */
u64 *bw_mspan_alloc_bits(const struct bw_mheap *h, u32 page);

/* pageheap_desc.c */
/* Up to @nr descriptors, with @lock and @freed; 0 where there is no memory. */
u32 bw_descs_take_locked(struct bw_mheap *h, struct bw_list *to, u32 nr);
/* Whatever is on the list becomes unused. */
void bw_descs_give_locked(struct bw_mheap *h, struct bw_list *from);

/* pageheap_release.c */
u64 bw_clock_now(void);
void bw_used_add_locked(struct bw_mheap *h, u32 npages);
/* Moves all but @keep spares to @out; those of all classes. */
void bw_spares_trim_locked(struct bw_mheap *h, struct bw_spares *sp, u32 keep,
			   struct bw_list *out);
void bw_spares_drop_locked(struct bw_mheap *h, struct bw_list *out);
/* efence.c: nobody is to touch it, or its owner may. */
void bw_efence(const struct bw_mheap *h, const struct bw_mspan *s, bool on);
/* SPARE spans go back to the backend; those it does not take to @stuck. */
void bw_spans_release(struct bw_mheap *h, struct bw_list *list);
/* After a put: what is not needed goes, by whoever sees to that. */
void bw_mheap_put_due(struct bw_mheap *h);

/* Counters of pages: changed with the lock, read by the pacer without. */
static inline void bw_pages_add(u64 *count, u64 nr)
{
	WRITE_ONCE(*count, *count + nr);
}

static inline void bw_pages_sub(u64 *count, u64 nr)
{
	WRITE_ONCE(*count, *count - nr);
}

#endif
