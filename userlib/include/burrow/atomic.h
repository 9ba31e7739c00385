/* SPDX-License-Identifier: MIT */
/*
 * burrow/atomic.h: words that several Gs or threads use without a lock.
 *
 *	struct bw_counter hits;			static, on a stack, in an object
 *	bw_counter_add(&hits, 1);
 *
 *	struct bw_ptr head;
 *	do
 *		node->next = old = bw_ptr_load(&head);
 *	while (!bw_ptr_cas(&head, old, node));
 *
 * Structs of zeros to begin with. All of it is in one order for everybody (SEQ_CST),
 * as Go's. Stores of pointers have the collector's barrier (burrow/barrier.h), so a
 * struct bw_ptr may be part of an object; its type names it as any pointer.
 */
#ifndef BURROW_ATOMIC_H
#define BURROW_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include "barrier.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bw_counter {
	int64_t bw_value;
};

static inline int64_t bw_counter_load(const struct bw_counter *c)
{
	return __atomic_load_n(&c->bw_value, __ATOMIC_SEQ_CST);
}

static inline void bw_counter_store(struct bw_counter *c, int64_t value)
{
	__atomic_store_n(&c->bw_value, value, __ATOMIC_SEQ_CST);
}

/* What it is then. */
static inline int64_t bw_counter_add(struct bw_counter *c, int64_t by)
{
	return __atomic_add_fetch(&c->bw_value, by, __ATOMIC_SEQ_CST);
}

/* What it was. */
static inline int64_t bw_counter_xchg(struct bw_counter *c, int64_t value)
{
	return __atomic_exchange_n(&c->bw_value, value, __ATOMIC_SEQ_CST);
}

/* Was it @old, and is it @value now? */
static inline bool bw_counter_cas(struct bw_counter *c, int64_t old,
				  int64_t value)
{
	return __atomic_compare_exchange_n(&c->bw_value, &old, value, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

struct bw_ptr {
	void *bw_value;
};

static inline void *bw_ptr_load(const struct bw_ptr *p)
{
	return __atomic_load_n(&p->bw_value, __ATOMIC_SEQ_CST);
}

static inline void *bw_ptr_xchg(struct bw_ptr *p, void *value)
{
	return bw_xchg_slot(&p->bw_value, value);
}

/* The exchange is what orders it, and tells what was there for the barrier. */
static inline void bw_ptr_store(struct bw_ptr *p, void *value)
{
	bw_xchg_slot(&p->bw_value, value);
}

static inline bool bw_ptr_cas(struct bw_ptr *p, void *old, void *value)
{
	return bw_cas_slot(&p->bw_value, &old, value);
}

#ifdef __cplusplus
}
#endif

#endif
