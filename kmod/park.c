// SPDX-License-Identifier: GPL-2.0-only
/*
 * park: places where threads sleep until somebody wakes them.
 *
 *	             unpark                    unpark
 *	EMPTY ------------------> TOKEN <---------------- SLEEPER
 *	  |  <------------------                             ^
 *	  |        park takes it                             |
 *	  +--------------------------------------------------+
 *	                  park finds none
 *
 * K1. At most one token and at most one sleeper a slot.
 * K2. A token is set under the slot's lock, before the sleeper is woken; the
 *     sleeper sets its state, then looks for the token. One of the two sees
 *     the other: no wake-up is lost. (set_current_state() has the barrier,
 *     wake_up_process() its partner.)
 * K3. A slot with a sleeper cannot be deleted, so the sleeper needs no
 *     reference to it.
 * K4. A sleeper is woken when the lock is free, for its first step is to take it:
 *     woken under it, it spins on another CPU until the waker has come to the
 *     end, which in a guest may have lost its own CPU to it. By then it may have
 *     left, even exited. RCU keeps the task; a wake-up that comes for nothing is
 *     what every sleep in the kernel has to expect.
 */
#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "burrow_trace.h"
#include "heap.h"

/**
 * struct bw_parker - one thread slot
 * @lock:	of all below
 * @token:	an unpark() not yet taken by a park()		[lock]
 * @gone:	deleted; only those who looked it up before see it [lock]
 * @sleeper:	who is parked here				[lock]
 * @rcu:	a lookup may be under way
 */
struct bw_parker {
	spinlock_t lock;
	bool token;
	bool gone;
	struct task_struct *sleeper;
	struct rcu_head rcu;
};

int bw_thread_add(struct bw_heap *heap, u32 *slot)
{
	struct bw_parker *p;
	int err;

	p = kzalloc(sizeof(*p), BW_GFP_CALL);
	if (!p)
		return -ENOMEM;
	spin_lock_init(&p->lock);
	err = xa_alloc(&heap->threads, slot, p,
		       XA_LIMIT(0, BW_MAX_THREADS - 1), BW_GFP_CALL);
	if (err) {
		kfree(p);
		return err == -EBUSY ? -EMFILE : err;
	}
	atomic_inc(&heap->nr_threads);
	return 0;
}

/*
 * Does fn to a slot under its lock: -ENXIO when there is no such slot, else
 * what fn says.
 */
static int parker_do(struct bw_heap *heap, u32 slot,
		     int (*fn)(struct bw_parker *p), struct bw_parker **out)
{
	struct bw_parker *p;
	int err = -ENXIO;

	rcu_read_lock();
	p = xa_load(&heap->threads, slot);
	if (p) {
		spin_lock(&p->lock);
		if (!p->gone)
			err = fn(p);
		spin_unlock(&p->lock);
	}
	rcu_read_unlock();
	*out = p;
	return err;
}

static int del_locked(struct bw_parker *p)
{
	if (p->sleeper)
		return -EBUSY;
	p->gone = true;
	return 0;
}

static int park_locked(struct bw_parker *p)
{
	if (p->sleeper)
		return -EBUSY;
	p->sleeper = current;
	return 0;
}

int bw_thread_del(struct bw_heap *heap, u32 slot)
{
	struct bw_parker *p;
	int err = parker_do(heap, slot, del_locked, &p);

	if (err)
		return err;
	xa_erase(&heap->threads, slot);
	kfree_rcu(p, rcu);
	atomic_dec(&heap->nr_threads);
	return 0;
}

int bw_thread_unpark(struct bw_heap *heap, u32 slot)
{
	struct task_struct *sleeper = NULL;
	struct bw_parker *p;
	int err = -ENXIO;

	trace_burrow_unpark(heap->id, slot);
	rcu_read_lock();
	p = xa_load(&heap->threads, slot);
	if (p) {
		spin_lock(&p->lock);
		if (!p->gone) {
			/* pairs with the look in parker_sleep() (K2) */
			WRITE_ONCE(p->token, true);
			sleeper = p->sleeper;
			err = 0;
		}
		spin_unlock(&p->lock);
	}
	/* K4 */
	if (sleeper)
		wake_up_process(sleeper);
	rcu_read_unlock();
	return err;
}

/* Until there is a token: 0, -ETIMEDOUT or -EINTR. Takes nothing. */
static int parker_sleep(struct bw_parker *p, u64 deadline)
{
	ktime_t expires = deadline;
	int err = 0;

	for (;;) {
		/* pairs with bw_thread_unpark() (K2) */
		set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		if (READ_ONCE(p->token) || err)
			break;
		if (signal_pending(current))
			err = -EINTR;
		else if (!deadline)
			schedule();
		else if (!schedule_hrtimeout_range(&expires, 0,
						   HRTIMER_MODE_ABS))
			err = -ETIMEDOUT;
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

int bw_thread_park(struct bw_heap *heap, const struct burrow_thread_park *arg)
{
	bool swap = arg->flags & BURROW_PARK_SWAP;
	struct bw_parker *p;
	int err;

	if (arg->deadline > KTIME_MAX || (!swap && arg->wake_slot))
		return -EINVAL;
	err = parker_do(heap, arg->slot, park_locked, &p);
	if (err)
		return err;

	trace_burrow_park(heap->id, arg->slot);
	/* Awake and already a sleeper: whom we wake may unpark us at once. */
	if (swap)
		err = bw_thread_unpark(heap, arg->wake_slot);
	if (!err)
		err = parker_sleep(p, arg->deadline);

	spin_lock(&p->lock);
	p->sleeper = NULL;
	if (p->token && err != -ENXIO) {
		p->token = false;
		err = 0;
	}
	spin_unlock(&p->lock);
	/* A swap has woken somebody: it must not be done twice. */
	return err == -EINTR && !swap ? -ERESTARTSYS : err;
}

void bw_threads_free(struct bw_heap *heap)
{
	struct bw_parker *p;
	unsigned long slot;

	xa_for_each(&heap->threads, slot, p)
		kfree(p);
	xa_destroy(&heap->threads);
}
