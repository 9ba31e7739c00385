// SPDX-License-Identifier: MIT
/*
 * group: Gs with one task.
 *
 * U1. The group may lie on the stack of who waits: a G touches it for the last time
 *     when it is done (Z1 in waitgroup.c), and has given back its room before that.
 * U2. @bw_err is set once, by the first that fails, before the context is cancelled.
 */
#include <errno.h>

#include "burrow/alloc.h"
#include "burrow/barrier.h"
#include "burrow/go.h"
#include "burrow/group.h"
#include "caller.h"

/**
 * struct job - what a G is to do					[const]
 */
struct job {
	struct bw_group *group;
	int (*fn)(void *arg);
	void *arg;
};

BW_TYPE(job, struct job, group, arg);

struct bw_ctx *bw_group_ctx(struct bw_group *g, struct bw_ctx *parent)
{
	if (g->bw_ctx)
		bw_fatal("bw_group_ctx(): the group has a context");
	bw_set(&g->bw_ctx, bw_ctx_with_cancel(parent));
	return g->bw_ctx;
}

void bw_group_limit(struct bw_group *g, uint32_t n)
{
	if (!n)
		bw_fatal("bw_group_limit() of 0");
	if (__atomic_load_n(&g->bw_left.bw_word, __ATOMIC_SEQ_CST))
		bw_fatal("bw_group_limit(): some of the group are at work");
	if (n > g->bw_limit)
		bw_sem_release(&g->bw_room, n - g->bw_limit);
	else if (n < g->bw_limit)
		bw_sem_acquire(&g->bw_room, g->bw_limit - n);
	g->bw_limit = n;
}

static void failed(struct bw_group *g, int err)
{
	int none = 0;

	/* pairs with bw_group_wait(), through the waitgroup */
	if (try_cmpxchg(&g->bw_err, &none, err) && g->bw_ctx)
		bw_ctx_cancel_cause(g->bw_ctx, err < 0 ? err : -ECANCELED);
}

static void done(struct bw_group *g)
{
	if (g->bw_limit)
		bw_sem_release(&g->bw_room, 1);
	/* U1 */
	bw_waitgroup_done(&g->bw_left);
}

static void job_main(void *arg)
{
	struct job *j = arg;
	int err = j->fn(j->arg);

	if (err)
		failed(j->group, err);
	done(j->group);
}

/* There is room for it. */
static int start(struct bw_group *g, int (*fn)(void *arg), void *arg)
{
	struct job *j = bw_new(job);
	int err = -ENOMEM;

	bw_waitgroup_add(&g->bw_left, 1);
	if (j) {
		bw_set(&j->group, g);
		j->fn = fn;
		bw_set(&j->arg, arg);
		err = bw_go(job_main, j);
	}
	if (err)
		done(g);
	return err;
}

int bw_group_go(struct bw_group *g, int (*fn)(void *arg), void *arg)
{
	if (g->bw_limit)
		bw_sem_acquire(&g->bw_room, 1);
	return start(g, fn, arg);
}

int bw_group_try_go(struct bw_group *g, int (*fn)(void *arg), void *arg)
{
	if (g->bw_limit && !bw_sem_tryacquire(&g->bw_room, 1))
		return -EAGAIN;
	return start(g, fn, arg);
}

int bw_group_wait(struct bw_group *g)
{
	bw_waitgroup_wait(&g->bw_left);
	if (g->bw_ctx)
		bw_ctx_cancel(g->bw_ctx);
	return READ_ONCE(g->bw_err);
}
