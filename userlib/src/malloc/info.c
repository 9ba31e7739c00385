// SPDX-License-Identifier: MIT
/* info: what the C library lets programs ask of malloc, and tell it. */
#include "boot.h"
#include "depot.h"
#include "entry.h"

/* All that can be had, whatever @pad says; 1: some went back. */
int bw_mem_trim(size_t pad)
{
	struct bw_mheap *h;
	int saved = errno;
	u64 got;

	if (!bw_boot_thread())
		return 0;
	h = bw_boot_heap();
	bw_fronts_flush();
	bw_depots_drain();
	got = bw_mags_trim(0) + bw_mheap_scavenge(h, ~0ULL);
	errno = saved;
	return got != 0;
}

/* What lies in magazines of threads and depots counts as in use. */
struct mallinfo2 bw_mem_mallinfo2(void)
{
	struct mallinfo2 info = { .arena = 0 };
	struct burrow_heap_stats st;
	u64 used, spans, free;
	struct bw_mheap *h;

	if (!bw_boot_thread())
		return info;
	h = bw_boot_heap();
	bw_depots_count(&spans, &free);
	bw_lock(&h->lock);
	used = h->used_pages << BURROW_PAGE_SHIFT;
	bw_unlock(&h->lock);
	if (h->be->ops->stats(h->be, &st))
		return info;
	info.arena = (st.out_pages_live + st.out_pages_free) <<
		     BURROW_PAGE_SHIFT;
	info.hblkhd = used - min(used, spans);
	info.uordblks = used - min(used, free);
	info.fordblks = info.arena - min(info.arena, info.uordblks);
	info.keepcost = st.out_pages_lazy << BURROW_PAGE_SHIFT;
	return info;
}

/* Each of the C library's is taken; none has a meaning here. */
int bw_mem_mallopt(int param, int value)
{
	switch (param) {
	case M_MXFAST:
	case M_TRIM_THRESHOLD:
	case M_TOP_PAD:
	case M_MMAP_THRESHOLD:
	case M_MMAP_MAX:
	case M_CHECK_ACTION:
	case M_PERTURB:
	case M_ARENA_TEST:
	case M_ARENA_MAX:
		return 1;
	default:
		return 0;
	}
}
