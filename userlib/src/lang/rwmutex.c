// SPDX-License-Identifier: MIT
/*
 * rwmutex: many readers or one writer.
 *
 * The word has WRITER, WAITERS and, from READER on, the number of readers.
 *
 * Y1. WAITERS is set while the list has somebody, and changes under its lock.
 * Y2. While WAITERS is set, who comes goes into the list, and only who holds its
 *     lock lets anybody in. So those who wait are served in their order.
 * Y3. Who leaves last, while WAITERS is set, lets the next in (admit_locked()).
 */
#include "waiting.h"

#define WRITER	1U
#define WAITERS	2U
#define READER	4U

static bool may_enter(u32 word, u32 what)
{
	return what == WRITER ? word < READER && !(word & WRITER) :
				!(word & WRITER);
}

/* Nobody waits, and it can be had. */
static bool enter(struct bw_rwmutex *m, u32 what)
{
	u32 old = READ_ONCE(m->bw_word);

	while (!(old & WAITERS) && may_enter(old, what))
		if (try_cmpxchg(&m->bw_word, &old, old + what))
			return true;
	return false;
}

/* Those at the front who can have it, as a chain. */
static struct bw_waiter *admit_locked(struct bw_rwmutex *m)
{
	struct bw_waitlist *l = bw_waiting_list(&m->bw_waiting);
	struct bw_waiter *w, *chain = NULL, **end = &chain;

	/* nobody but us lets any in, though readers may leave (Y2) */
	while ((w = l->first) && may_enter(READ_ONCE(m->bw_word), w->kind)) {
		bw_waiter_win(w);
		__atomic_fetch_add(&m->bw_word, w->kind, __ATOMIC_SEQ_CST);
		*end = w;
		end = &w->next;
	}
	*end = NULL;
	if (!l->first)
		fetch_and(&m->bw_word, ~WAITERS);
	return chain;
}

static void wait_for(struct bw_rwmutex *m, u32 what, const char *reason)
{
	struct bw_waiter w;
	u32 old;

	bw_waiting_lock(&m->bw_waiting);
	/* from here on who leaves comes for the lock (Y3) */
	old = fetch_or(&m->bw_word, WAITERS);
	if (!(old & WAITERS) && may_enter(old, what)) {
		/* only more of it can have become free */
		__atomic_fetch_add(&m->bw_word, what - WAITERS,
				   __ATOMIC_SEQ_CST);
		bw_waiting_unlock(&m->bw_waiting);
		return;
	}
	w = bw_waiting_self(&m->bw_waiting, BW_NEVER);
	w.kind = what;
	bw_waiter_add(bw_waiting_list(&m->bw_waiting), &w);
	bw_waiter_park(&w, reason, BW_NEVER);
}

static void leave(struct bw_rwmutex *m, u32 what, const char *who)
{
	u32 old = __atomic_fetch_sub(&m->bw_word, what, __ATOMIC_SEQ_CST);
	char self[BW_CALLER_TEXT];
	struct bw_waiter *chain;

	if (unlikely(what == WRITER ? !(old & WRITER) : old < READER))
		bw_fatal("%s() by %s of what is not locked", who,
			 bw_caller_self(self));
	if (likely(!(old & WAITERS)) || old - what >= READER)
		return;
	bw_waiting_lock(&m->bw_waiting);
	chain = admit_locked(m);
	bw_waiting_unlock(&m->bw_waiting);
	bw_waiters_ready(chain);
}

void bw_rwmutex_lock(struct bw_rwmutex *m)
{
	bw_caller("bw_rwmutex_lock");
	if (!enter(m, WRITER))
		wait_for(m, WRITER, "rwmutex, to write");
}

void bw_rwmutex_rlock(struct bw_rwmutex *m)
{
	bw_caller("bw_rwmutex_rlock");
	if (!enter(m, READER))
		wait_for(m, READER, "rwmutex, to read");
}

bool bw_rwmutex_trylock(struct bw_rwmutex *m)
{
	return enter(m, WRITER);
}

bool bw_rwmutex_tryrlock(struct bw_rwmutex *m)
{
	return enter(m, READER);
}

void bw_rwmutex_unlock(struct bw_rwmutex *m)
{
	bw_caller("bw_rwmutex_unlock");
	leave(m, WRITER, "bw_rwmutex_unlock");
}

void bw_rwmutex_runlock(struct bw_rwmutex *m)
{
	bw_caller("bw_rwmutex_runlock");
	leave(m, READER, "bw_rwmutex_runlock");
}
