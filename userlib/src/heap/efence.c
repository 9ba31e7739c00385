// SPDX-License-Identifier: MIT
/*
 * efence: BURROW=efence=1: a touch of a span that was freed is SIGSEGV.
 *
 *	bw_mspan_get()		heap/pageheap.c		no spares
 *	  bw_efence(off)	<- here
 *	bw_mspan_put()
 *	  bw_spans_release()	heap/pageheap_release.c	reclaimed at once
 *	    bw_efence(on)	<- here
 *
 * In kernel mode a page without a span is that already once its memory is gone.
 * In user mode it would be memory again, so its address range is closed, while
 * the span is the caller's: the next owner opens it.
 */
#include <sys/mman.h>

#include "base/error.h"
#include "base/throw.h"
#include "pageheap_inside.h"

void bw_efence(const struct bw_mheap *h, const struct bw_mspan *s, bool on)
{
	size_t bytes = (size_t)s->npages << BURROW_PAGE_SHIFT;

	if (!h->closes)
		return;
	if (mprotect(s->base, bytes, on ? PROT_NONE : PROT_READ | PROT_WRITE))
		bw_fatal("efence: mprotect() of %zu bytes at %p: more mappings "
			 "than vm.max_map_count allows", bytes, s->base);
}
