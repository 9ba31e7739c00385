// SPDX-License-Identifier: MIT
/* say: see say.h */
#include <stdio.h>

#include "say.h"

struct bw_heap *heap;

void section(const char *name)
{
	printf("--- %s\n", name);
}

void result(const char *what, int err)
{
	printf("%s: %s\n", what, bw_errno_name(err));
}

u64 *words(u32 page)
{
	return bw_heap_addr(heap, page);
}

void fill(u32 page, u32 npages, u64 stamp)
{
	u64 *w = words(page), i;

	for (i = 0; i < npages * PAGE_WORDS; i++)
		w[i] = stamp + i;
}

const char *content(u32 page, u32 npages, u64 stamp)
{
	const u64 *w = words(page);
	bool zero = true, same = true;
	u64 i;

	for (i = 0; i < npages * PAGE_WORDS; i++) {
		zero &= w[i] == 0;
		same &= w[i] == stamp + i;
	}
	return zero ? "zero" : same ? "stamp" : "other";
}

void show_lookup(const void *addr)
{
	struct bw_span s;

	if (!bw_heap_span_of(heap, addr, &s)) {
		printf("  no span\n");
		return;
	}
	printf("  page %u npages %u kind %u class %u needzero %d guarded %d\n",
	       s.page, s.npages, s.kind, s.cls, s.needzero, s.guarded);
}

int alloc(const struct bw_span_want *want, struct burrow_span_ref *ref,
	  u32 nr)
{
	u32 done, i;
	int err = bw_heap_span_alloc(heap, want, ref, nr, &done);

	printf("alloc %u x %u align %u kind %u class %u flags %u: %u done, %s\n",
	       nr, want->npages, want->align, want->kind, want->cls,
	       want->flags, done, bw_errno_name(err));
	for (i = 0; i < done && i < 8; i++)
		show_lookup(words(ref[i].page));
	return err;
}

void release(u32 flags, const struct burrow_span_ref *ref, u32 nr)
{
	u32 done;
	int err = bw_heap_span_free(heap, flags, ref, nr, &done);

	printf("free %u flags %u: %u done, %s\n", nr, flags, done,
	       bw_errno_name(err));
}

void reclaim(const struct burrow_range *r, u32 nr)
{
	u64 frames;
	u32 done;
	int err = bw_heap_span_reclaim(heap, r, nr, &done, &frames);

	printf("reclaim %u from page %u npages %u: %u done, %s, %lu frames\n",
	       nr, r->page, r->npages, done, bw_errno_name(err),
	       (unsigned long)frames);
}

void stats(void)
{
	struct burrow_heap_stats s;
	int err = bw_heap_stats(heap, &s);

	printf("stats %s: arenas %u mapped %u spans %llu live %llu free %llu "
	       "lazy %llu frames %llu umeta %llu\n", bw_errno_name(err),
	       s.out_arenas, s.out_arenas_mapped, s.out_spans,
	       s.out_pages_live, s.out_pages_free, s.out_pages_lazy,
	       s.out_frames, s.out_umeta_frames);
	printf("  alloc %llu free %llu reclaimed %llu threads %u; check %s\n",
	       s.out_nr_alloc, s.out_nr_free, s.out_nr_reclaimed,
	       s.out_threads, bw_errno_name(bw_heap_check(heap)));
}

struct bw_span_want want(u32 npages)
{
	return (struct bw_span_want){
		.npages = npages, .kind = BURROW_KIND_NOSCAN,
	};
}
