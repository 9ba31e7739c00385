// SPDX-License-Identifier: MIT
/* runq: the rare operations (runq.h). */
#include "runq.h"

void bw_glist_join(struct bw_glist *to, struct bw_glist *from)
{
	if (!from->first)
		return;
	if (to->last)
		to->last->link = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	WRITE_ONCE(to->nr, to->nr + from->nr);
	*from = (struct bw_glist){ .nr = 0 };
}

/* Reads @n slots from @head on, then takes them all or none (Q3). */
static bool take(struct bw_runq *q, u32 head, u32 n, struct bw_g **out)
{
	u32 i;

	for (i = 0; i < n; i++)
		out[i] = READ_ONCE(q->slot[(head + i) % BW_RUNQ_SLOTS]);
	return __atomic_compare_exchange_n(&q->head, &head, head + n, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void bw_runq_put_slow(struct bw_runq *q, struct bw_g *g, u32 head,
		      struct bw_glist *spill)
{
	struct bw_g *half[BW_RUNQ_SLOTS / 2];
	u32 i;

	if (!take(q, head, BW_RUNQ_SLOTS / 2, half)) {
		/* somebody stole meanwhile: there is room */
		bw_runq_put(q, g, spill);
		return;
	}
	for (i = 0; i < BW_RUNQ_SLOTS / 2; i++)
		bw_glist_add(spill, half[i]);
	bw_glist_add(spill, g);
}

struct bw_g *bw_runq_steal(struct bw_runq *to, struct bw_runq *from)
{
	struct bw_g *got[BW_RUNQ_SLOTS / 2];
	u32 head, n, i, tail = to->tail;

	do {
		head = smp_load_acquire(&from->head);	/* pairs with takers */
		n = smp_load_acquire(&from->tail) - head;  /* pairs with put */
		/* not one moment: the head moved between the two loads */
		if (n > BW_RUNQ_SLOTS)
			n = 0;
		n -= n / 2;
		if (!n)
			return NULL;
	} while (!take(from, head, n, got));
	for (i = 1; i < n; i++)
		WRITE_ONCE(to->slot[(tail + i - 1) % BW_RUNQ_SLOTS], got[i]);
	/* pairs with takers (Q2) */
	smp_store_release(&to->tail, tail + n - 1);
	return got[0];
}

void bw_runq_flush(struct bw_runq *q, struct bw_glist *out)
{
	struct bw_g *g;

	while ((g = bw_runq_get_next(q)) || (g = bw_runq_get(q)))
		bw_glist_add(out, g);
}

void bw_runq_check(const struct bw_runq *q)
{
	u32 i, k;

	if (q->tail - q->head > BW_RUNQ_SLOTS)
		bw_throw("a ring holds more than it has slots");
	for (i = q->head; i != q->tail; i++)
		for (k = i + 1; k != q->tail; k++)
			if (q->slot[i % BW_RUNQ_SLOTS] ==
			    q->slot[k % BW_RUNQ_SLOTS])
				bw_throw("a G is in a ring twice");
}
