// SPDX-License-Identifier: MIT
/* api: what programs call (burrow/gc.h), and messages for what they must not. */
#include "base/throw.h"
#include "burrow/barrier.h"
#include "burrow/gc.h"
#include "burrow/go.h"
#include "collector.h"
#include "leak.h"
#include "root.h"
#include "sched/sched.h"
#include "special.h"

/* Whoever has an object has a heap. */
static struct bw_mheap *heap_here(void)
{
	struct bw_mheap *h = bw_mheap();

	if (!h)
		bw_throw("there is no heap");
	return h;
}

void bw_gc(void)
{
	bool g = bw_self() && bw_m_self()->p;

	/* others run on this P meanwhile */
	if (g)
		bw_block_begin();
	bw_collector_run();
	if (g)
		bw_block_end();
}

size_t bw_leaks(struct bw_leak *leak, size_t max)
{
	/* pairs with bw_gc_cycle() */
	xchg(&bw_collector.leaks_wanted, 1);
	bw_gc();
	return bw_leaks_copy(leak, max);
}

void bw_barriers_used(void)
{
	bw_collector_setup();
	WRITE_ONCE(bw_collector.mode, BW_GC_HYBRID);
	bw_pacer_renew(&bw_collector);
}

int bw_gc_set_percent(int percent)
{
	struct bw_collector *c = &bw_collector;
	int old;

	bw_collector_setup();
	old = (int)xchg(&c->pacer.percent, percent < 0 ? -1 : percent);
	bw_pacer_renew(c);
	return old;
}

int64_t bw_gc_set_limit(int64_t bytes)
{
	struct bw_collector *c = &bw_collector;
	s64 old;

	bw_collector_setup();
	old = xchg(&c->pacer.limit, bytes < 0 ? INT64_MAX : (s64)bytes);
	bw_pacer_renew(c);
	return old;
}

int bw_root_add(const void *p, size_t bytes)
{
	return bw_root_add_range(p, bytes);
}

void bw_root_del(const void *p)
{
	if (!bw_root_del_range(p))
		bw_fatal("bw_root_del(%p): no root was added there", p);
}

int bw_pin(void *p)
{
	return bw_pin_add(p);
}

void bw_unpin(void *p)
{
	if (!bw_pin_del(p))
		bw_fatal("bw_unpin(%p): it is not pinned", p);
}

int bw_finalizer_set(void *p, void (*fn)(void *obj, void *arg), void *arg)
{
	return bw_special_set_final(heap_here(), p, fn, arg);
}

struct bw_weak *bw_weak_make(void *p)
{
	return bw_special_weak(heap_here(), p);
}

void *bw_weak_get(struct bw_weak *w)
{
	return bw_special_get(w);
}

void bw_weak_free(struct bw_weak *w)
{
	if (w)
		bw_special_put(w);
}

void bw_root_data(int on)
{
	bw_root_set_data(on);
}

void bw_gc_stats(struct bw_gc_stats *out)
{
	const struct bw_collector *c = &bw_collector;
	const struct bw_mheap *h = bw_mheap_peek();

	*out = (struct bw_gc_stats){
		.cycles = READ_ONCE(c->nr),
		.pause_ns = READ_ONCE(c->pause),
		.longest_ns = READ_ONCE(c->longest),
		.cpu_ns = READ_ONCE(c->cpu),
		.goal = (uint64_t)READ_ONCE(c->pacer.goal),
		.marked = (uint64_t)READ_ONCE(c->pacer.marked),
		.live = h ? (uint64_t)READ_ONCE(h->gc.live) : 0,
		.allocated = h ? READ_ONCE(h->gc.allocated) : 0,
		.swept = h ? READ_ONCE(h->gc.swept) : 0,
	};
}
