// SPDX-License-Identifier: MIT
/*
 * failnth: another backend, of whose steps one fails, or some in a row. For tests, which sweep
 * the number over every step of a call chain.
 *
 * A step that fails leaves the inner backend as it was: the call is not passed
 * on, or a vector call is passed on only up to the element before.
 */
#include "backend.h"
#include "base/atomic.h"
#include "base/error.h"
#include "base/sysmem.h"

/**
 * struct bw_failnth - the wrapper
 * @be:		what every backend has; its window is a copy of the inner one's
 * @inner:	who does the work					[const]
 * @nth:	the step that fails				[while nobody calls]
 * @nr:		and so many after it, less one			[while nobody calls]
 * @err:	with what					[while nobody calls]
 * @steps:	so far							[atomic]
 */
struct bw_failnth {
	struct bw_backend be;
	struct bw_backend *inner;
	u64 nth;
	u64 nr;
	int err;
	u64 steps;
};

static struct bw_failnth *to_failnth(struct bw_backend *be)
{
	return container_of(be, struct bw_failnth, be);
}

/* Takes @nr steps; returns how many of them come before the one that fails. */
static u32 steps_take(struct bw_failnth *f, u32 nr)
{
	u64 before = fetch_add_relaxed(&f->steps, nr);

	if (f->nth + f->nr <= before + 1 || f->nth > before + nr)
		return nr;
	return f->nth > before ? (u32)(f->nth - before - 1) : 0;
}

static bool step_fails(struct bw_failnth *f)
{
	return steps_take(f, 1) == 0;
}

static void fail_close(struct bw_backend *be)
{
	struct bw_failnth *f = to_failnth(be);

	f->inner->ops->close(f->inner);
	bw_sys_free(f, sizeof(*f));
}

static int fail_arena_add(struct bw_backend *be, u32 kind, u32 index,
			  u32 *out_index)
{
	struct bw_failnth *f = to_failnth(be);

	if (step_fails(f))
		return f->err;
	return f->inner->ops->arena_add(f->inner, kind, index, out_index);
}

static int fail_span_alloc(struct bw_backend *be,
			   const struct burrow_span_alloc *req,
			   struct burrow_span_ref *spans, u32 nr, u32 *done)
{
	struct bw_failnth *f = to_failnth(be);
	u32 most = steps_take(f, nr);
	int err = 0;

	*done = 0;
	if (most)
		err = f->inner->ops->span_alloc(f->inner, req, spans, most,
						done);
	return err || most == nr ? err : f->err;
}

static int fail_span_free(struct bw_backend *be, u32 flags,
			  const struct burrow_span_ref *spans, u32 nr,
			  u32 *done)
{
	struct bw_failnth *f = to_failnth(be);
	u32 most = steps_take(f, nr);
	int err = 0;

	*done = 0;
	if (most)
		err = f->inner->ops->span_free(f->inner, flags, spans, most,
					       done);
	return err || most == nr ? err : f->err;
}

static int fail_span_reclaim(struct bw_backend *be,
			     const struct burrow_range *ranges, u32 nr,
			     u32 *done, u64 *frames)
{
	struct bw_failnth *f = to_failnth(be);
	u32 most = steps_take(f, nr);
	int err = 0;

	*done = 0;
	*frames = 0;
	if (most)
		err = f->inner->ops->span_reclaim(f->inner, ranges, most, done,
						  frames);
	return err || most == nr ? err : f->err;
}

static int fail_span_sweep(struct bw_backend *be, u32 flags,
			   const struct burrow_span_ref *spans, u32 nr,
			   u64 *freed, u32 *done, u32 *nr_freed, u64 *pages)
{
	struct bw_failnth *f = to_failnth(be);
	u32 most = steps_take(f, nr);
	int err = 0;

	*done = 0;
	*nr_freed = 0;
	*pages = 0;
	if (freed)
		memset(freed, 0, (nr + 63) / 64 * sizeof(*freed));
	if (most)
		err = f->inner->ops->span_sweep(f->inner, flags, spans, most,
						freed, done, nr_freed, pages);
	return err || most == nr ? err : f->err;
}

static int fail_span_resize(struct bw_backend *be, u32 flags,
			    struct burrow_span_ref *span, u32 npages)
{
	struct bw_failnth *f = to_failnth(be);

	if (step_fails(f))
		return f->err;
	return f->inner->ops->span_resize(f->inner, flags, span, npages);
}

static int fail_lazy_reclaim(struct bw_backend *be, u64 bytes, u64 *got)
{
	struct bw_failnth *f = to_failnth(be);

	*got = 0;
	if (step_fails(f))
		return f->err;
	return f->inner->ops->lazy_reclaim(f->inner, bytes, got);
}

static int fail_room(struct bw_backend *be, u64 bytes)
{
	struct bw_failnth *f = to_failnth(be);

	if (step_fails(f))
		return f->err;
	return f->inner->ops->room(f->inner, bytes);
}

static int fail_stats(struct bw_backend *be, struct burrow_heap_stats *out)
{
	struct bw_failnth *f = to_failnth(be);

	if (step_fails(f))
		return f->err;
	return f->inner->ops->stats(f->inner, out);
}

static int fail_thread_add(struct bw_backend *be, u32 *slot)
{
	struct bw_failnth *f = to_failnth(be);

	if (step_fails(f))
		return f->err;
	return f->inner->ops->thread_add(f->inner, slot);
}

static int fail_thread_del(struct bw_backend *be, u32 slot)
{
	struct bw_backend *inner = to_failnth(be)->inner;

	return inner->ops->thread_del(inner, slot);
}

static int fail_park(struct bw_backend *be, u32 slot, u64 deadline, u32 swap)
{
	struct bw_failnth *f = to_failnth(be);
	int err;

	if (!step_fails(f))
		return f->inner->ops->park(f->inner, slot, deadline, swap);
	/* fails as a sleep does: after the swap */
	err = swap == BW_NO_SLOT ? 0 : f->inner->ops->unpark(f->inner, swap);
	return err ? err : f->err;
}

static int fail_unpark(struct bw_backend *be, u32 slot)
{
	struct bw_backend *inner = to_failnth(be)->inner;

	return inner->ops->unpark(inner, slot);
}

static int fail_check(struct bw_backend *be)
{
	struct bw_backend *inner = to_failnth(be)->inner;

	return inner->ops->check(inner);
}

static const struct bw_backend_ops failnth_ops = {
	.close		= fail_close,
	.arena_add	= fail_arena_add,
	.span_alloc	= fail_span_alloc,
	.span_free	= fail_span_free,
	.span_reclaim	= fail_span_reclaim,
	.span_sweep	= fail_span_sweep,
	.span_resize	= fail_span_resize,
	.lazy_reclaim	= fail_lazy_reclaim,
	.room		= fail_room,
	.stats		= fail_stats,
	.thread_add	= fail_thread_add,
	.thread_del	= fail_thread_del,
	.park		= fail_park,
	.unpark		= fail_unpark,
	.check		= fail_check,
};

int bw_backend_open_failnth(struct bw_backend *inner, u64 nth, int err,
			    struct bw_backend **out)
{
	struct bw_failnth *f = bw_sys_alloc(sizeof(*f));

	if (!f)
		return bw_error(-ENOMEM, "no memory for a wrapper");
	f->be = *inner;
	f->be.ops = &failnth_ops;
	f->inner = inner;
	f->nth = nth;
	f->nr = 1;
	f->err = err;
	*out = &f->be;
	return 0;
}

u64 bw_backend_failnth_steps(struct bw_backend *be)
{
	return READ_ONCE(to_failnth(be)->steps);
}

void bw_backend_failnth_again(struct bw_backend *be, u64 nth, u64 nr, int err)
{
	struct bw_failnth *f = to_failnth(be);

	f->nth = nth;
	f->nr = nr;
	f->err = err;
	WRITE_ONCE(f->steps, 0);
}
