/* SPDX-License-Identifier: MIT */
/*
 * burrow/ctx.h: contexts: until when, and whether at all, work is still wanted.
 *
 *	struct bw_ctx *c = bw_ctx_with_timeout(bw_ctx_background(), MS);
 *
 *	struct bw_case k[] = {
 *		BW_RECV(answers, &answer),
 *		BW_RECV(bw_ctx_done(c), NULL),
 *	};
 *	if (bw_select(k, 2) == 1)
 *		return bw_ctx_err(c);
 *	bw_ctx_cancel(c);		nobody needs its children any more
 *
 * A context is made from another, its parent: it is over when it is cancelled, at
 * its deadline, and whenever its parent is over. It has the values of its parent,
 * and one more. It is an object: one that nobody has is collected, whether it was
 * cancelled or not, and there is nothing that has to be stopped. Contexts are passed
 * on as arguments; all calls may be made by any G or attached thread.
 */
#ifndef BURROW_CTX_H
#define BURROW_CTX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bw_chan;
struct bw_ctx;

/* The root of all: never over, no deadline, no values. It is NULL. */
static inline struct bw_ctx *bw_ctx_background(void)
{
	return NULL;
}

/* NULL and ENOMEM: no memory. A deadline beyond the parent's is the parent's. */
struct bw_ctx *bw_ctx_with_cancel(struct bw_ctx *parent);
struct bw_ctx *bw_ctx_with_deadline(struct bw_ctx *parent, uint64_t when);
struct bw_ctx *bw_ctx_with_timeout(struct bw_ctx *parent, uint64_t ns);

/*
 * Over when its parent is. @key is an address that is nobody else's, of a static
 * variable, say; bw_ctx_value() finds the nearest value with it, or NULL.
 */
struct bw_ctx *bw_ctx_with_value(struct bw_ctx *parent, const void *key,
				 void *value);
void *bw_ctx_value(const struct bw_ctx *c, const void *key);

/*
 * Ends it with all its children; more than once is fine, the first counts. @cause
 * is a negative errno for bw_ctx_cause(). Not of a background or a with_value.
 */
void bw_ctx_cancel(struct bw_ctx *c);
void bw_ctx_cancel_cause(struct bw_ctx *c, int cause);

/*
 * Closed when it is over; NULL where that never comes. Nobody sends on it or closes
 * it.
 */
struct bw_chan *bw_ctx_done(struct bw_ctx *c);
/* 0: not over; -ECANCELED; -ETIMEDOUT: its deadline has passed. */
int bw_ctx_err(const struct bw_ctx *c);
/* What the one that was cancelled was given, or the same as bw_ctx_err(). */
int bw_ctx_cause(const struct bw_ctx *c);
/* For *_until() calls; BW_FOREVER: none. */
uint64_t bw_ctx_deadline(const struct bw_ctx *c);

/* 0 after @ns, or bw_ctx_err() as soon as it is over. -ENOMEM */
int bw_ctx_sleep(struct bw_ctx *c, uint64_t ns);

#ifdef __cplusplus
}
#endif

#endif
