/* SPDX-License-Identifier: MIT */
/*
 * burrow/sync.h: locks of Gs: who waits parks, and its thread runs others.
 *
 * All of these are structs of zeros to begin with, anywhere in memory, and are not
 * copied; memory of one is not given back while a call on it is under way. They may
 * be used by any G or attached thread (burrow/go.h); until_ calls return 0,
 * -ETIMEDOUT or -ENOMEM. Misuse is a fatal error. In a child of fork() the parent's
 * are not to be used, nor, in the next run, those that a G held or was about to get
 * when the last run ended.
 */
#ifndef BURROW_SYNC_H
#define BURROW_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who waits; not to be looked at. */
struct bw_waiting {
	uint32_t bw_lock;
	uint32_t bw_pad;
	void *bw_first;
	void *bw_last;
};

/*
 * A mutex. It is fair only to those who waited for 1 ms: it is handed to them, one
 * after the other, until nobody has waited so long. Any G may unlock it.
 */
struct bw_mutex {
	uint32_t bw_word;
	struct bw_waiting bw_waiting;
};

#define BW_MUTEX_LOCKED	1U

void bw_mutex_lock_slow(struct bw_mutex *m);
void bw_mutex_unlock_slow(struct bw_mutex *m);
int bw_mutex_lock_until(struct bw_mutex *m, uint64_t deadline);

static inline bool bw_mutex_trylock(struct bw_mutex *m)
{
	uint32_t old = 0;

	return __atomic_compare_exchange_n(&m->bw_word, &old, BW_MUTEX_LOCKED,
					   false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void bw_mutex_lock(struct bw_mutex *m)
{
	if (__builtin_expect(!bw_mutex_trylock(m), 0))
		bw_mutex_lock_slow(m);
}

static inline void bw_mutex_unlock(struct bw_mutex *m)
{
	uint32_t old = BW_MUTEX_LOCKED;

	bool done = __atomic_compare_exchange_n(&m->bw_word, &old, 0, false,
						__ATOMIC_RELEASE,
						__ATOMIC_RELAXED);

	if (__builtin_expect(!done, 0))
		bw_mutex_unlock_slow(m);
}

/*
 * For many readers or one writer. Those who wait go on in their order, readers that
 * follow each other together; who comes later waits behind them, so a G must not
 * take it for reading twice.
 */
struct bw_rwmutex {
	uint32_t bw_word;
	struct bw_waiting bw_waiting;
};

void bw_rwmutex_lock(struct bw_rwmutex *m);
void bw_rwmutex_unlock(struct bw_rwmutex *m);
void bw_rwmutex_rlock(struct bw_rwmutex *m);
void bw_rwmutex_runlock(struct bw_rwmutex *m);
bool bw_rwmutex_trylock(struct bw_rwmutex *m);
bool bw_rwmutex_tryrlock(struct bw_rwmutex *m);

/*
 * How many are still at work: bw_waitgroup_wait() waits until none is. Below 0 is
 * fatal. Add before you wait, and before the G is made that will say done.
 */
struct bw_waitgroup {
	uint64_t bw_word;
	struct bw_waiting bw_waiting;
};

void bw_waitgroup_add(struct bw_waitgroup *w, int n);
void bw_waitgroup_wait(struct bw_waitgroup *w);
int bw_waitgroup_wait_until(struct bw_waitgroup *w, uint64_t deadline);

static inline void bw_waitgroup_done(struct bw_waitgroup *w)
{
	bw_waitgroup_add(w, -1);
}

/* fn(arg) once; whoever comes meanwhile waits until it has returned. */
struct bw_once {
	uint32_t bw_done;
	struct bw_mutex bw_mutex;
};

void bw_once_slow(struct bw_once *o, void (*fn)(void *arg), void *arg);

static inline void bw_once(struct bw_once *o, void (*fn)(void *arg), void *arg)
{
	if (!__atomic_load_n(&o->bw_done, __ATOMIC_ACQUIRE))
		bw_once_slow(o, fn, arg);
}

/*
 * Something that holds under a mutex, which is unlocked while the G waits for it and
 * locked again afterwards, at a deadline too. Nobody goes on but for a signal; all
 * the same, look again: others may have had the mutex first.
 */
struct bw_cond {
	struct bw_waiting bw_waiting;
};

void bw_cond_wait(struct bw_cond *c, struct bw_mutex *m);
int bw_cond_wait_until(struct bw_cond *c, struct bw_mutex *m,
		       uint64_t deadline);
void bw_cond_signal(struct bw_cond *c);
void bw_cond_broadcast(struct bw_cond *c);

/*
 * So many of something, at first 0: bw_sem_release() adds. Who asks for much is not
 * passed by those who come later and ask for less.
 */
struct bw_sem {
	uint64_t bw_word;
	struct bw_waiting bw_waiting;
};

void bw_sem_acquire(struct bw_sem *s, uint32_t n);
int bw_sem_acquire_until(struct bw_sem *s, uint32_t n, uint64_t deadline);
bool bw_sem_tryacquire(struct bw_sem *s, uint32_t n);
void bw_sem_release(struct bw_sem *s, uint32_t n);

#ifdef __cplusplus
}
#endif

#endif
