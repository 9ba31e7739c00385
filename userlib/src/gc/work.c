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

static void slab_add_locked(struct bw_workpool *p)
{
	u32 n = min(SLAB_BUFS, p->max - p->nr_made), i;
	struct bw_workbuf *slab;

	if (!n)
		return;
	slab = bw_sys_alloc(n * sizeof(*slab));
	if (!slab)
		return;
	for (i = 0; i < n; i++) {
		slab[i].next = p->empty;
		p->empty = &slab[i];
	}
	p->nr_made += n;
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
	bw_work_init(p, p->max);
}

bool bw_work_reserve(struct bw_workpool *p, u32 nr)
{
	bool enough;

	bw_lock(&p->lock);
	while (p->nr_made < min(nr, p->max)) {
		u32 had = p->nr_made;

		slab_add_locked(p);
		if (p->nr_made == had)
			break;
	}
	enough = p->nr_made >= min(nr, p->max);
	bw_unlock(&p->lock);
	return enough;
}

struct bw_workbuf *bw_work_empty(struct bw_workpool *p)
{
	struct bw_workbuf *b;

	bw_lock(&p->lock);
	if (!p->empty)
		slab_add_locked(p);
	b = p->empty;
	if (b) {
		p->empty = b->next;
		b->nr = 0;
	}
	bw_unlock(&p->lock);
	return b;
}

static void wake_locked(struct bw_workpool *p, u32 nr)
{
	WRITE_ONCE(p->seq, p->seq + 1);
	bw_futex_wake(&p->seq, (int)nr);
}

void bw_work_put(struct bw_workpool *p, struct bw_workbuf *b)
{
	bw_lock(&p->lock);
	if (b->nr) {
		b->next = p->full;
		p->full = b;
		WRITE_ONCE(p->nr_full, p->nr_full + 1);
		if (p->nr_waiting)
			wake_locked(p, 1);
	} else {
		b->next = p->empty;
		p->empty = b;
	}
	bw_unlock(&p->lock);
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

static void leave_locked(struct bw_workpool *p)
{
	p->nr_out--;
	if (p->nr_out || p->full)
		return;
	p->over = true;
	if (p->nr_waiting)
		wake_locked(p, INT32_MAX);
}

void bw_work_leave(struct bw_workpool *p)
{
	bw_lock(&p->lock);
	leave_locked(p);
	bw_unlock(&p->lock);
}

struct bw_workbuf *bw_work_wait(struct bw_workpool *p)
{
	struct bw_workbuf *b;
	u32 seq;

	bw_lock(&p->lock);
	b = get_locked(p);
	if (!b)
		leave_locked(p);
	while (!b && !p->over) {
		WRITE_ONCE(p->nr_waiting, p->nr_waiting + 1);
		seq = p->seq;
		bw_unlock(&p->lock);
		/* whoever puts after that has changed @seq */
		bw_futex_wait(&p->seq, seq, 0);
		bw_lock(&p->lock);
		WRITE_ONCE(p->nr_waiting, p->nr_waiting - 1);
		b = get_locked(p);
		if (b)
			p->nr_out++;
	}
	bw_unlock(&p->lock);
	return b;
}
