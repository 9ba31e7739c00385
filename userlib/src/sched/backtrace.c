// SPDX-License-Identifier: MIT
/*
 * backtrace: how a G came to where it is.
 *
 *	bw_dump()		dump.c
 *	  bw_backtrace()	<- here: where to begin
 *	    bw_look_begin()	look.c: a thread that runs tells
 *	    bw_unwind()		base/unwind.c
 *
 * A G that is off its stack left a frame of bw_switch() there; one that is in a
 * call left a note in its M (bw_call_note()). One that runs is held meanwhile,
 * and so is an attached thread whatever it does; only who asks is where it is.
 *
 * V1. If the G was in the same place before and after, nobody wrote to the stack
 *     in between but who came back to the same place: what was read is whole, or
 *     it is not told.
 */
#include "base/unwind.h"
#include "eyes.h"

#if defined(__x86_64__)
#define FRAME_BYTES	56U
#elif defined(__aarch64__)
#define FRAME_BYTES	160U
#endif

/* The frame of switch_<arch>.S, as registers. */
__attribute__((no_sanitize_address, no_sanitize_thread, noinline))
static void from_switch(struct bw_unwind *u, u64 sp)
{
	const u64 *frame = (const u64 *)(uintptr_t)sp;
	u32 i;

#if defined(__x86_64__)
	static const u32 reg[] = { 15, 14, 13, 12, 3, BW_UNWIND_FP };

	for (i = 0; i < ARRAY_SIZE(reg); i++)
		bw_unwind_set(u, reg[i], frame[i]);
	u->pc = frame[6];
	bw_unwind_set(u, BW_UNWIND_SP, sp + FRAME_BYTES);
#elif defined(__aarch64__)
	for (i = 0; i < 11; i++)
		bw_unwind_set(u, 19 + i, frame[i]);
	u->pc = frame[11];
	bw_unwind_set(u, BW_UNWIND_SP, sp + FRAME_BYTES);
#endif
}

__attribute__((no_sanitize_address, no_sanitize_thread, noinline))
static u64 from_call(struct bw_unwind *u, const struct bw_m *m)
{
	const volatile struct bw_call *call = &m->call;

	u->pc = call->pc;
	bw_unwind_set(u, BW_UNWIND_FP, call->fp);
	bw_unwind_set(u, BW_UNWIND_SP, call->sp);
	return call->sp;
}

/* Of its G's stack, or of the thread's own: only while that cannot change. */
static void bounds(struct bw_unwind *u, const struct bw_g_view *v)
{
	if (v->stack) {
		u->lo = (u64)(uintptr_t)v->stack;
		u->hi = u->lo + bw_sched.stack_bytes;
	} else if (v->m) {
		u->lo = (u64)(uintptr_t)v->m->rest.stack;
		u->hi = (u64)(uintptr_t)v->m->rest.stack_end;
	}
}

/* What runs on a thread that is not ours, which stands still until _end(). */
static bool from_thread(struct bw_unwind *u, const struct bw_g_view *v)
{
	u64 sp;

	if (!v->m || !bw_look_begin(v->m, v->g, u))
		return false;
	bounds(u, v);
	sp = u->reg[BW_UNWIND_SP];
	/* not in the scheduler, and not on the stack of a handler */
	if (sp >= u->lo && sp < u->hi)
		return true;
	bw_look_end();
	return false;
}

static u32 of_running(struct bw_unwind *u, const struct bw_g_view *v, u64 *pc,
		      u32 max)
{
	u32 nr;

	if (!from_thread(u, v))
		return 0;
	u->lo = u->reg[BW_UNWIND_SP];
	nr = bw_unwind(u, pc, max);
	bw_look_end();
	return nr;
}

static u32 of_waiting(struct bw_unwind *u, const struct bw_g_view *v, u64 *pc,
		      u32 max)
{
	struct bw_g_view after;
	u64 at = v->sp;
	u32 nr;

	bounds(u, v);
	if (v->state == BW_G_BLOCKED)
		at = from_call(u, v->m);
	else if (at >= u->lo && at <= u->hi - FRAME_BYTES)
		from_switch(u, at);
	if (!u->known || at < u->lo || at > u->hi)
		return 0;
	u->lo = at;
	nr = bw_unwind(u, pc, max);
	bw_g_look(v->g, &after);
	if (after.state != v->state || after.sp != v->sp || after.id != v->id)
		return 0;
	return nr;
}

/* Who calls this; the frames of the dump come first. */
static u32 of_caller(struct bw_unwind *u, struct bw_call here, u64 *pc, u32 max)
{
	u->pc = here.pc;
	bw_unwind_set(u, BW_UNWIND_FP, here.fp);
	bw_unwind_set(u, BW_UNWIND_SP, here.sp);
	if (here.sp < u->lo || here.sp > u->hi)
		return 0;
	return bw_unwind(u, pc, max);
}

__attribute__((noinline))
u32 bw_backtrace(const struct bw_g_view *v, u64 *pc, u32 max)
{
	struct bw_m *self = bw_m_self();
	struct bw_unwind u = { .known = 0 };

	/* one that has no stack has not run yet */
	if (v->state == BW_G_FREE || (!v->stack && !v->bare))
		return 0;
	if (self && self->g == v->g) {
		bounds(&u, v);
		return of_caller(&u, bw_call_here(), pc, max);
	}
	if (v->state == BW_G_RUNNING || !v->stack)
		return of_running(&u, v, pc, max);
	return of_waiting(&u, v, pc, max);
}
