// SPDX-License-Identifier: MIT
/*
 * parker: the loop around the protocol of base/parker.h.
 *
 *	bw_parker_park()		<- here
 *	  bw_park_begin()		base/parker.h	most often all there is
 *	    backend park		backend/backend.h
 *
 * The backend's slot may end a sleep for a wake that came late; only the word
 * says whether there is a token, so the loop asks the word.
 *
 * Slots are not inherited over fork(), and the child's first ones have the
 * numbers of its parent's. So a parker knows the process it was made in
 * (@epoch), and elsewhere all of it is EXDEV.
 */
#include "backend/fork.h"
#include "base/parker.h"
#include "heap.h"

int bw_parker_init(struct bw_parker *p, struct bw_heap *heap)
{
	*p = (struct bw_parker){
		.heap = heap, .word = BW_PARK_EMPTY, .epoch = READ_ONCE(heap->be->epoch),
	};
	return heap->be->ops->thread_add(heap->be, &p->slot);
}

static bool is_inherited(const struct bw_parker *p)
{
	return unlikely(p->epoch != READ_ONCE(p->heap->be->epoch));
}

void bw_parker_fini(struct bw_parker *p)
{
	int err;

	if (is_inherited(p))
		return;
	err = p->heap->be->ops->thread_del(p->heap->be, p->slot);
	if (err && err != -EXDEV)
		bw_throw("a parker ended that was in use, or twice");
}

/* ASLEEP, and the slot's until the token comes or time is up. */
static int sleep_in_slot(struct bw_parker *p, uint64_t deadline, u32 swap)
{
	struct bw_backend *be = p->heap->be;

	bw_stat_inc(&p->heap->stats, BW_STAT_sleeps);
	for (;;) {
		int err = be->ops->park(be, p->slot, deadline, swap);

		swap = BW_NO_SLOT;
		if (err && err != -EINTR)
			return bw_park_cancel(&p->word) ? 0 : err;
		if (bw_park_taken(&p->word))
			return 0;
		if (!err)
			bw_stat_inc(&p->heap->stats, BW_STAT_late_wakes);
	}
}

int bw_parker_park_until(struct bw_parker *p, uint64_t deadline)
{
	if (deadline > INT64_MAX)
		return -EINVAL;
	if (is_inherited(p))
		return -EXDEV;
	if (bw_park_begin(&p->word))
		return 0;
	return sleep_in_slot(p, deadline, BW_NO_SLOT);
}

int bw_parker_park(struct bw_parker *p)
{
	return bw_parker_park_until(p, 0);
}

/* ENXIO: its owner had the token already and ended the parker (parker.h). */
static int wake(struct bw_heap *heap, u32 slot)
{
	int err;

	bw_stat_inc(&heap->stats, BW_STAT_wakes);
	err = heap->be->ops->unpark(heap->be, slot);
	return err == -ENXIO ? 0 : err;
}

int bw_parker_unpark(struct bw_parker *p)
{
	/* by value: after the token is posted, *p may be gone */
	struct bw_heap *heap = p->heap;
	u32 slot = p->slot;

	if (is_inherited(p))
		return -EXDEV;
	return bw_park_post(&p->word) ? wake(heap, slot) : 0;
}

int bw_parker_handover(struct bw_parker *p, struct bw_parker *to,
		       uint64_t deadline)
{
	u32 slot = to->slot;
	int err;

	if (deadline > INT64_MAX)
		return -EINVAL;
	if (is_inherited(p) || is_inherited(to))
		return -EXDEV;
	if (to->heap != p->heap) {
		err = bw_parker_unpark(to);
		return err ? err : bw_parker_park_until(p, deadline);
	}
	if (!bw_park_post(&to->word))
		return bw_parker_park_until(p, deadline);
	if (bw_park_begin(&p->word))
		return wake(p->heap, slot);
	bw_stat_inc(&p->heap->stats, BW_STAT_wakes);
	err = sleep_in_slot(p, deadline, slot);
	/* ENXIO was the other slot's: as in wake(), and this park goes on */
	return err == -ENXIO ? bw_parker_park_until(p, deadline) : err;
}
