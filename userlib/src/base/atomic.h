/* SPDX-License-Identifier: MIT */
/*
 * atomic: the kernel's vocabulary for shared words, so that code, documents
 * and models say the same things.
 *
 * Without a suffix an operation that reads and writes is fully ordered, as in
 * the kernel; _acquire and _relaxed weaken it. There are no free-standing
 * barriers here: thread sanitizers do not understand them.
 */
#ifndef BW_BASE_ATOMIC_H
#define BW_BASE_ATOMIC_H

#ifndef READ_ONCE
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#endif
#ifndef smp_load_acquire
/* nothing after it moves before it */
#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
/* nothing before it moves after it */
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#endif

#define xchg(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

/* True when *p was *old; otherwise *old is what *p is. */
#define try_cmpxchg(p, old, v) \
	__atomic_compare_exchange_n((p), (old), (v), false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define try_cmpxchg_acquire(p, old, v) \
	__atomic_compare_exchange_n((p), (old), (v), false, \
				    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)

/* What was there before. */
#define fetch_or(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define fetch_and(p, v)		__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define fetch_or_relaxed(p, v)	__atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define fetch_add_relaxed(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_RELAXED)

#endif
