// SPDX-License-Identifier: MIT
/* work: see work.h */
#include <assert.h>

#include "base/futex.h"
#include "base/sysmem.h"
#include "work.h"

#define SLAB_BUFS	64U

void bw_work_init(struct bw_workpool *p, u32 max)
{
	memset(p, 0, sizeof(*p));
	bw_lock_init(&p->lock, BW_RANK_GC_WORK);
	p->max = max;
}

static struct bw_workbuf *empty_locked(struct bw_workpool *p)
{
	struct bw_workbuf *b = p->empty;

	if (b)
		p->empty = b->next;
	else if (p->nr_fresh && p->nr_fresh--)
		b = p->fresh++;
	return b;
}

static void add_locked(struct bw_workpool *p, struct bw_workbuf *slab, u32 n)
{
	if (!p->nr_fresh) {
		p->fresh = slab;
		p->nr_fresh = n;
		return;
	}
	/* somebody else did the same */
	while (n--) {
		slab[n].next = p->empty;
		p->empty = &slab[n];
	}
}

/* W3. False: there is no memory, or there are as many as there may be. */
static bool slab_add(struct bw_workpool *p)
{
	struct bw_workbuf *slab = NULL;
	u32 n;

	bw_lock(&p->lock);
	n = min(SLAB_BUFS, p->max - p->nr_made);
	p->nr_made += n;
	bw_unlock(&p->lock);
	if (n)
		slab = bw_sys_alloc(n * sizeof(*slab));
	bw_lock(&p->lock);
	if (slab)
		add_locked(p, slab, n);
	else
		p->nr_made -= n;
	bw_unlock(&p->lock);
	return slab;
}

/* Slabs are not known as such: each buffer is a page of its own. */
static_assert(sizeof(struct bw_workbuf) == BW_SYS_PAGE, "a page");

static void list_free(struct bw_workbuf *b)
{
	struct bw_workbuf *next;

	for (; b; b = next) {
		next = b->next;
		bw_sys_free(b, sizeof(*b));
	}
}

void bw_work_fini(struct bw_workpool *p)
{
	list_free(p->full);
	list_free(p->empty);
	if (p->nr_fresh)
		bw_sys_free(p->fresh, p->nr_fresh * sizeof(*p->fresh));
	bw_work_init(p, p->max);
}

bool bw_work_reserve(struct bw_workpool *p, u32 nr)
{
	u32 made;

	nr = min(nr, p->max);
	do {
		bw_lock(&p->lock);
		made = p->nr_made;
		bw_unlock(&p->lock);
	} while (made < nr && slab_add(p));
	return made >= nr;
}

struct bw_workbuf *bw_work_empty(struct bw_workpool *p)
{
	struct bw_workbuf *b;

	do {
		bw_lock(&p->lock);
		b = empty_locked(p);
		bw_unlock(&p->lock);
	} while (!b && slab_add(p));
	if (b)
		b->nr = 0;
	return b;
}

void bw_work_put(struct bw_workpool *p, struct bw_workbuf *b)
{
	bool wake;

	bw_lock(&p->lock);
	wake = b->nr && p->nr_waiting;
	if (b->nr) {
		b->next = p->full;
		p->full = b;
		WRITE_ONCE(p->nr_full, p->nr_full + 1);
	} else {
		b->next = p->empty;
		p->empty = b;
	}
	if (wake)
		WRITE_ONCE(p->seq, p->seq + 1);
	bw_unlock(&p->lock);
	/* W3 */
	if (wake)
		bw_futex_wake(&p->seq, 1);
}

static struct bw_workbuf *get_locked(struct bw_workpool *p)
{
	struct bw_workbuf *b = p->full;

	if (b) {
		p->full = b->next;
		WRITE_ONCE(p->nr_full, p->nr_full - 1);
	}
	return b;
}

struct bw_workbuf *bw_work_get(struct bw_workpool *p)
{
	struct bw_workbuf *b;

	if (!READ_ONCE(p->nr_full))
		return NULL;
	bw_lock(&p->lock);
	b = get_locked(p);
	bw_unlock(&p->lock);
	return b;
}

void bw_work_begin(struct bw_workpool *p)
{
	bw_lock(&p->lock);
	p->over = false;
	bw_unlock(&p->lock);
}

void bw_work_enter(struct bw_workpool *p)
{
	bw_lock(&p->lock);
	p->nr_out++;
	bw_unlock(&p->lock);
}

/* True: those that sleep are to be woken, without the lock. */
static bool leave_locked(struct bw_workpool *p)
{
	p->nr_out--;
	if (p->nr_out || p->full)
		return false;
	p->over = true;
	WRITE_ONCE(p->seq, p->seq + 1);
	return p->nr_waiting;
}

void bw_work_leave(struct bw_workpool *p)
{
	bool wake;

	bw_lock(&p->lock);
	wake = leave_locked(p);
	bw_unlock(&p->lock);
	if (wake)
		bw_futex_wake(&p->seq, INT32_MAX);
}

/* The lock is taken again. */
static void sleep_locked(struct bw_workpool *p)
{
	u32 seq = p->seq;

	WRITE_ONCE(p->nr_waiting, p->nr_waiting + 1);
	bw_unlock(&p->lock);
	/* whoever puts after that has changed @seq */
	bw_futex_wait(&p->seq, seq, 0);
	bw_lock(&p->lock);
	WRITE_ONCE(p->nr_waiting, p->nr_waiting - 1);
}

struct bw_workbuf *bw_work_wait(struct bw_workpool *p)
{
	struct bw_workbuf *b;
	bool wake = false;

	bw_lock(&p->lock);
	b = get_locked(p);
	if (!b)
		wake = leave_locked(p);
	while (!b && !p->over) {
		sleep_locked(p);
		b = get_locked(p);
		if (b)
			p->nr_out++;
	}
	bw_unlock(&p->lock);
	if (wake)
		bw_futex_wake(&p->seq, INT32_MAX);
	return b;
}
