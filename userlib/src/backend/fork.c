// SPDX-License-Identifier: MIT
/*
 * fork: the C library calls us before and after each fork().
 *
 *	fork()
 *	  prepare()		<- here: no call is under way from here on
 *	    be->ops->fork(PREPARE)
 *	  _Fork()		the window's page is wiped in the child
 *	  parent()		<- here: calls go on
 *	    be->ops->fork(PARENT)
 *	  child()		<- here
 *	    be->ops->fork(CHILD)
 *	    bw_window_inherit()	the heap is the child's, too
 *
 * N1. The list and its lock stand still from prepare() on: no backend comes or
 *     goes while there are two of the process.
 * N2. A backend whose heap was lost in this process (its window is not ours) is
 *     passed over: what it had is lost for all descendants.
 * N3. A child that was not made by fork() of the C library (a bare clone()) has
 *     not been here: its windows are wiped and each call says EXDEV.
 *
 * The lock's rank is not checked: prepare() may come while other handlers hold
 * locks of any rank (bw_fork_init()), and only bw_fork_*() takes it.
 */
#include <pthread.h>

#include "base/error.h"
#include "base/futex.h"
#include "base/lock.h"
#include "burrow/heap.h"
#include "fork.h"

/**
 * struct forks - what fork() has to do with
 * @lock:	of the list
 * @first:	backend							[lock]
 * @err:	of the registration					[const]
 */
static struct forks {
	u32 lock;
	struct bw_backend *first;
	int err;
} forks;

static pthread_once_t once = PTHREAD_ONCE_INIT;

void bw_gate_enter_slow(struct bw_gate *g)
{
	u32 old = READ_ONCE(g->word);

	for (;;) {
		if (old & BW_GATE_SHUT) {
			/* pairs with bw_gate_open() (G1) */
			bw_futex_wait(&g->word, old, 0);
			old = READ_ONCE(g->word);
		} else if (try_cmpxchg_acquire(&g->word, &old,
					       old + BW_GATE_INSIDE)) {
			return;
		}
	}
}

void bw_gate_leave_slow(struct bw_gate *g)
{
	/* those who want to enter wait on the same word, and sleep again */
	bw_futex_wake(&g->word, INT32_MAX);
}

void bw_gate_shut(struct bw_gate *g)
{
	u32 now = fetch_or(&g->word, BW_GATE_SHUT) | BW_GATE_SHUT;

	while (now != BW_GATE_SHUT) {
		bw_futex_wait(&g->word, now, 0);
		/* pairs with bw_gate_leave() */
		now = smp_load_acquire(&g->word);
	}
}

void bw_gate_open(struct bw_gate *g)
{
	/* pairs with bw_gate_enter() */
	xchg(&g->word, 0);
	bw_futex_wake(&g->word, INT32_MAX);
}

/* Waits for a call at a time, but lets none begin meanwhile. */
static void prepare(void)
{
	struct bw_backend *be;

	bw_word_lock(&forks.lock);
	for (be = forks.first; be; be = be->next)
		bw_gate_shut(&be->gate);
	for (be = forks.first; be; be = be->next) {
		be->forking = bw_window_is_ours(&be->window);
		if (!be->forking)
			continue;
		bw_window_bequeath(&be->window);
		be->ops->fork(be, BW_FORK_PREPARE);
	}
}

static void parent(void)
{
	struct bw_backend *be;

	for (be = forks.first; be; be = be->next) {
		if (be->forking)
			be->ops->fork(be, BW_FORK_PARENT);
		bw_gate_open(&be->gate);
	}
	bw_word_unlock(&forks.lock);
}

static void child(void)
{
	struct bw_backend *be;

	for (be = forks.first; be; be = be->next) {
		WRITE_ONCE(be->epoch, be->epoch + 1);
		bw_gate_reset(&be->gate);
		if (!be->forking)
			continue;
		be->lost = be->ops->fork(be, BW_FORK_CHILD);
		if (!be->lost)
			bw_window_inherit(&be->window);
		else
			bw_error(-EXDEV, "%s", be->lost);
	}
	bw_word_reset(&forks.lock);
}

static void register_handlers(void)
{
	forks.err = -pthread_atfork(prepare, parent, child);
}

int bw_fork_init(void)
{
	/* not under the list's lock: the C library has a lock of its own here */
	pthread_once(&once, register_handlers);
	if (forks.err)
		return bw_error(forks.err, "fork() cannot be prepared for: %s",
				bw_errno_name(forks.err));
	return 0;
}

int bw_fork_add(struct bw_backend *be)
{
	int err = bw_fork_init();

	if (err)
		return err;
	bw_word_lock(&forks.lock);
	be->next = forks.first;
	forks.first = be;
	bw_word_unlock(&forks.lock);
	return 0;
}

void bw_fork_del(struct bw_backend *be)
{
	struct bw_backend **at;

	bw_word_lock(&forks.lock);
	for (at = &forks.first; *at && *at != be; at = &(*at)->next)
		;
	if (*at)
		*at = be->next;
	bw_word_unlock(&forks.lock);
}
