// SPDX-License-Identifier: MIT
/*
 * stop: the world is stopped when all Ms are: those with a P, those without one
 * that run user code all the same (in a bw_block section, or after they lost it),
 * and attached threads.
 *
 *	bw_world_stop()			the others
 *	@stopping = 1
 *	@here? counts as stopped	in a sleep of ours: nothing
 *	else tgkill()  ---------------> on_stop(), with registers on its stack
 *					  in a section: noted, and then at its end
 *					  in a leaf: ask me again
 *					  else @here = 1, sleeps on @stopping
 *	waits for @events	 <----- @events++
 *	...
 *	@stopping = 0  ---------------> @here = 0; stopped again? back
 *
 * O1. A M that is @here touches nothing of Gs. To go on it stores @here = 0 and
 *     then looks at @stopping, with a full barrier between; who stops stores
 *     @stopping and then looks at @here. So one of them sees the other: the
 *     M waits, or is asked. (selftests/model/stop.pml)
 * O2. What a M publishes (@sp, @frame, @live) is stored before @here = 1 and
 *     read by the stopper after it saw that.
 * O3. One party at a time stops the world: @owner. Who waits for it is in no
 *     section, so it can be stopped meanwhile.
 * O4. A section ends in bounded time: nobody sleeps in one without bw_rest(), but
 *     for a lock, whose holder is in a section too (T3).
 * O5. New Ms are @here until bw_rest_join(), and those that end from
 *     bw_rest_leave() on.
 *
 * A thread inside fork() is in a section from the first of our handlers to the
 * last; if it is stopped before or after, it has locks of the C library, of which
 * a stopper uses none.
 *
 * The handler blocks all signals: no other handler runs on a stopped thread.
 * System calls that it interrupts are restarted (SA_RESTART); the few that the
 * kernel does not restart for anybody (poll(), epoll_wait(), nanosleep()) say
 * EINTR, in a bw_block section or in an attached thread.
 *
 * Rejected: all Ps taken, as Go does: here Ms run user code without a P.
 * Ptrace or a cgroup's freezer: not from inside. SIGURG: programs use it.
 */
#include <limits.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/futex.h"
#include "heap/copy.h"
#include "sched.h"

#define SECOND	1000000000ULL

/**
 * struct world - who stops it
 * @owner:	enum bw_lock_word: one at a time			[atomic]
 * @stopping:	it is to be stopped, or is				[atomic]
 * @events:	somebody came to rest, or is to be asked again		[atomic]
 * @want:	the value of @events that the stopper waits for		[atomic]
 * @again:	somebody is to be asked again				[atomic]
 * @nr:		number of the stop					[owner]
 * @by:		who stops it						[owner]
 * @why:	for messages						[owner]
 * @slot:	in a child, the stack on which its first thread stands	[const]
 */
static struct world {
	u32 owner;
	u32 stopping;
	u32 events;
	u32 want;
	u32 again;
	u32 nr;
	struct bw_m *by;
	const char *why;
	char *slot;
} world;

static s32 my_tid(void)
{
	return (s32)syscall(SYS_gettid);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * SECOND + (u64)ts.tv_nsec;
}

bool bw_world_is_stopped(void)
{
	return load_seq(&world.stopping);
}

/* Something for the stopper to look at. */
static void tell_stopper(bool at_once)
{
	u32 nr = __atomic_add_fetch(&world.events, 1, __ATOMIC_SEQ_CST);

	/* pairs with wait_for_events() */
	if (at_once || nr == load_seq(&world.want))
		bw_futex_wake(&world.events, 1);
}

/* O1, O2. Where it stands is published. */
static void rest_begin(struct bw_m *m)
{
	__atomic_store_n(&m->rest.here, 1, __ATOMIC_SEQ_CST);
	if (unlikely(load_seq(&world.stopping)))
		tell_stopper(false);
}

/* O1: not before the world runs. */
static void rest_end(struct bw_m *m)
{
	for (;;) {
		while (unlikely(load_seq(&world.stopping)))
			bw_futex_wait(&world.stopping, 1, 0);
		__atomic_store_n(&m->rest.here, 0, __ATOMIC_SEQ_CST);
		if (likely(!load_seq(&world.stopping)))
			return;
		rest_begin(m);
	}
}

/* Registers that the callee keeps are in this frame. */
__attribute__((noinline))
void bw_rest(struct bw_m *m, void (*fn)(struct bw_m *m, void *arg), void *arg)
{
	__builtin_unwind_init();
	m->rest.frame = NULL;
	m->rest.sp = bw_sp();
	rest_begin(m);
	fn(m, arg);
	rest_end(m);
}

static void nothing(struct bw_m *m, void *arg)
{
}

void bw_rest_asked(struct bw_m *m)
{
	/* before: whoever asks later asks again */
	fetch_and(&m->asked, ~(u32)BW_ASK_STOP);
	bw_rest(m, nothing, NULL);
}

/* The hull of the thread's blocks of variables of what was loaded by now. */
static int tls_of(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct bw_rest *r = arg;
	char *at = info->dlpi_tls_data;
	u32 i;

	for (i = 0; at && i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_TLS)
			continue;
		/* far from its control block it was allocated later */
		if ((uintptr_t)at - (uintptr_t)pthread_self() + (1UL << 20) >
		    2UL << 20)
			break;
		if (!r->tls || at < r->tls)
			r->tls = at;
		at += info->dlpi_phdr[i].p_memsz;
		if (at > r->tls_end)
			r->tls_end = at;
	}
	return 0;
}

/*
 * A child's thread that was a G's: it never leaves that stack (W2 in fork.c), and
 * on the thread's own there is nothing but what called the G.
 */
static void bounds_of_slot(struct bw_rest *r)
{
	char *here = bw_sp(), *top = world.slot ? bw_stack_top(world.slot) : NULL;

	if (here < world.slot || here >= top)
		return;
	r->stack = world.slot + bw_sched.stack_bytes - bw_stack_usable();
	r->stack_end = top;
}

/* Bounds of the calling thread; before it can be stopped. */
static void bounds(struct bw_rest *r)
{
	pthread_attr_t attr;
	void *low = NULL;
	size_t bytes = 0;

	if (!pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstack(&attr, &low, &bytes);
		pthread_attr_destroy(&attr);
	}
	r->stack = low;
	r->stack_end = (char *)low + bytes;
	bounds_of_slot(r);
	r->tls = NULL;
	r->tls_end = NULL;
	dl_iterate_phdr(tls_of, r);
}

static void let_in(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, BW_STOP_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void bw_rest_join(struct bw_m *m)
{
	bounds(&m->rest);
	let_in();
	WRITE_ONCE(m->rest.tid, my_tid());
	m->rest.frame = NULL;
	m->rest.sp = bw_sp();
	WRITE_ONCE(m->asked, 0);
	/* O2, O5: @here is 1, so the stopper may look only when told */
	smp_store_release(&m->rest.live, true);
	rest_end(m);
}

void bw_rest_leave(struct bw_m *m)
{
	WRITE_ONCE(m->rest.live, false);
	rest_begin(m);
}

static void tell_late(u64 since)
{
	struct bw_m *m;

	/* pairs with m_get(): only grows at its head */
	for (m = smp_load_acquire(&bw_sched.all_m); m; m = m->all)
		if (m != world.by && !load_seq(&m->rest.here))
			bw_stop_tell(m, world.why, (now_ns() - since) / SECOND);
}

/*
 * It is asked once, and again where it says so. False: there is no thread. One
 * that comes to rest may detach and end under us, and another join as @m: so
 * its number is read once, and a number of nobody's means that the thread was
 * lost only if @m is not at rest and has it still.
 */
static bool ask(struct bw_m *m)
{
	u32 again = READ_ONCE(m->rest.again);
	s32 tid = READ_ONCE(m->rest.tid);

	if (m->rest.asked == world.nr && !again && !BW_TSAN)
		return true;
	WRITE_ONCE(m->rest.again, 0);
	m->rest.asked = world.nr;
	if (!syscall(SYS_tgkill, getpid(), tid, BW_STOP_SIGNAL))
		return true;
	if (errno == EAGAIN) {
		/* too many signals of this user are queued */
		WRITE_ONCE(m->rest.again, 1);
		__atomic_store_n(&world.again, 1, __ATOMIC_SEQ_CST);
		return true;
	}
	/* pairs with bw_rest_join(): @tid comes before @here = 0 */
	if (load_seq(&m->rest.here) || READ_ONCE(m->rest.tid) != tid)
		return true;
	/* an attached thread that ended without bw_thread_detach() */
	m->rest.live = false;
	__atomic_store_n(&m->rest.here, 1, __ATOMIC_SEQ_CST);
	return false;
}

/* How many are not at rest yet. */
static u32 ask_all(void)
{
	struct bw_m *m;
	u32 nr = 0;

	/* pairs with m_get() */
	for (m = smp_load_acquire(&bw_sched.all_m); m; m = m->all)
		if (m != world.by && !load_seq(&m->rest.here))
			nr += ask(m);
	return nr;
}

/*
 * A thread sanitizer keeps a signal until the G that ran then makes a call, which
 * may be in another thread: there everybody is asked again and again.
 */
static u64 wait_until(u64 told)
{
	return BW_TSAN ? now_ns() + SECOND / 200 : told + SECOND;
}

/* Until as many came to rest as were not, or one is to be asked again. */
static void wait_for_events(u32 from, u32 nr, u64 since, u64 *told)
{
	u32 now;

	__atomic_store_n(&world.want, from + nr, __ATOMIC_SEQ_CST);
	/* pairs with tell_stopper() */
	while ((s32)((now = load_seq(&world.events)) - from) < (s32)nr) {
		if (xchg(&world.again, 0)) {
			sched_yield();
			return;
		}
		if (bw_futex_wait(&world.events, now, wait_until(*told)) !=
		    -ETIMEDOUT)
			continue;
		if (now_ns() < *told + SECOND)
			return;
		*told = now_ns();
		tell_late(since);
		/* all again: one that was about to end took its signal along */
		world.nr++;
		return;
	}
}

static void own(void)
{
	u32 old = BW_LOCK_FREE;

	if (try_cmpxchg(&world.owner, &old, BW_LOCK_HELD))
		return;
	/*
	 * pairs with disown(); as bw_lock_slow(), but in no section (O3). A
	 * thread sanitizer stops it only between two of these.
	 */
	while (xchg(&world.owner, BW_LOCK_CONTENDED) != BW_LOCK_FREE)
		bw_futex_wait(&world.owner, BW_LOCK_CONTENDED,
			      BW_TSAN ? now_ns() + SECOND / 200 : 0);
}

static void disown(void)
{
	if (xchg(&world.owner, BW_LOCK_FREE) == BW_LOCK_CONTENDED)
		bw_futex_wake(&world.owner, 1);
}

void bw_world_stop(const char *why)
{
	struct bw_m *m = bw_m_self();
	u64 since = now_ns(), told = since;
	int saved = errno;
	u32 from, nr;

	if (!m || m->inside || bw_copies_count())
		bw_fatal("bw_world_stop() from where it must not be called: "
			 "%s", why);
	own();
	bw_m_enter_soft(m);
	WRITE_ONCE(world.by, m);
	world.why = why;
	world.nr++;
	__atomic_store_n(&world.stopping, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		from = load_seq(&world.events);
		nr = ask_all();
		if (!nr)
			break;
		wait_for_events(from, nr, since, &told);
	}
	errno = saved;
}

void bw_world_start(void)
{
	struct bw_m *m = world.by;
	int saved = errno;

	if (!m || m != bw_m_self())
		bw_fatal("bw_world_start() by somebody who did not stop it");
	WRITE_ONCE(world.by, NULL);
	/* pairs with rest_end() */
	__atomic_store_n(&world.stopping, 0, __ATOMIC_SEQ_CST);
	bw_futex_wake(&world.stopping, INT_MAX);
	disown();
	errno = saved;
	bw_m_exit(m);
}

static uintptr_t pc_of(const ucontext_t *uc)
{
#if defined(__x86_64__)
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t)uc->uc_mcontext.pc;
#endif
}

static char *sp_of(const ucontext_t *uc)
{
#if defined(__x86_64__)
	return (char *)uc->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	return (char *)uc->uc_mcontext.sp;
#endif
}

/*
 * Where it stands. On the stack that it interrupted the handler's frame is just
 * below, so that all is one range; on a signal stack they are two.
 */
static void publish(struct bw_m *m, const ucontext_t *uc, char *here)
{
	char *low = uc->uc_stack.ss_sp;

	if (!(uc->uc_stack.ss_flags & SS_DISABLE) && here >= low &&
	    here < low + uc->uc_stack.ss_size) {
		m->rest.frame = here;
		m->rest.frame_end = low + uc->uc_stack.ss_size;
		m->rest.sp = sp_of(uc) - BW_RED_ZONE;
	} else {
		m->rest.frame = NULL;
		m->rest.sp = here;
	}
}

/* Only what is safe in a handler, and no lock of anybody. */
static void on_stop(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	struct bw_m *m = bw_m_self();
	int saved = errno;

	if (m && READ_ONCE(m->rest.fence) == BW_FENCE_ASKED)
		xchg(&m->rest.fence, BW_FENCE_DONE);
	if (m)
		bw_look_answer(m, uc);
	/* not one of us, or it comes late */
	if (!m || m->rest.here || !load_seq(&world.stopping))
		return;
	if (READ_ONCE(m->inside)) {
		fetch_or(&m->asked, BW_ASK_STOP);
	} else if (bw_copies_ask()) {
		;	/* section_ended() comes */
	} else if (bw_copies_leaf_has(pc_of(uc))) {
		__atomic_store_n(&m->rest.again, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&world.again, 1, __ATOMIC_SEQ_CST);
		tell_stopper(true);
	} else {
		publish(m, uc, bw_sp());
		rest_begin(m);
		rest_end(m);
	}
	errno = saved;
}

bool bw_stop_fence(struct bw_m *m)
{
	if (READ_ONCE(m->rest.fence) == BW_FENCE_NONE) {
		xchg(&m->rest.fence, BW_FENCE_ASKED);
		syscall(SYS_tgkill, getpid(), m->rest.tid, BW_STOP_SIGNAL);
		return false;
	}
	if (load_seq(&m->rest.fence) != BW_FENCE_DONE)
		return false;
	WRITE_ONCE(m->rest.fence, BW_FENCE_NONE);
	return true;
}

/*
 * The handler's work, outside of sections: it has saved the registers where all
 * others have theirs.
 */
void bw_stop_now(struct bw_m *m)
{
	int saved = errno;

	if (!bw_copies_ask() && load_seq(&world.stopping) &&
	    READ_ONCE(world.by) != m &&
	    my_tid() == m->rest.tid)	/* or else a child of fork() */
		syscall(SYS_tgkill, getpid(), m->rest.tid, BW_STOP_SIGNAL);
	errno = saved;
}

/* The end of a section in the rooms below, those of other copies too. */
static void section_ended(void)
{
	struct bw_m *m = bw_m_self();

	if (!m)
		return;
	if (READ_ONCE(m->inside))
		fetch_or(&m->asked, BW_ASK_STOP);
	else
		bw_stop_now(m);
}

/*
 * A second scheduler in the process (libburrow.so by dlopen() in a program that
 * has libburrow.a) would take the signal away from the first, whose stops then
 * would never end.
 */
static void look_for_others(void)
{
	struct sigaction old;

	if (sigaction(BW_STOP_SIGNAL, NULL, &old) ||
	    (!(old.sa_flags & SA_SIGINFO) &&
	     (old.sa_handler == SIG_DFL || old.sa_handler == SIG_IGN)))
		return;
	bw_fatal("signal %d, with which the world is stopped, has a handler "
		 "already: the program's, or that of another copy of libburrow "
		 "in this process", BW_STOP_SIGNAL);
}

void bw_stop_init(void)
{
	struct sigaction sa = {
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};

	look_for_others();
	sa.sa_sigaction = on_stop;
	sigfillset(&sa.sa_mask);
	if (sigaction(BW_STOP_SIGNAL, &sa, NULL))
		bw_throw("no handler for stopping the world");
	bw_copies_hook(section_ended);
}

void bw_stop_stands_on(char *slot)
{
	world.slot = slot;
}

void bw_stop_forked(void)
{
	WRITE_ONCE(world.stopping, 0);
	WRITE_ONCE(world.owner, BW_LOCK_FREE);
	WRITE_ONCE(world.by, NULL);
	bw_looks_forked();
	bw_copies_unask();
}
