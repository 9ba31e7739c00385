// SPDX-License-Identifier: MIT
/*
 * look: the registers of a thread that runs, for a backtrace of its G.
 *
 *	bw_dump()			dump.c
 *	  bw_backtrace()		backtrace.c
 *	    bw_look_begin()	<- here	sends the stop's signal, and waits
 *	      on_stop()			stop.c, in that thread
 *		bw_look_answer() <- here	registers; it stays in the handler
 *	    bw_unwind()
 *	    bw_look_end()	<- here	it goes on
 *
 * One look at a time (the lock of base/symbol.c). @word has its number and
 *
 *	NONE --- who looks ---> ASKED --- the handler ---> TAKEN ---> HELD
 *	  ^----- no answer came ---'                                   |
 *	  '-------------------- who looks ----------------------------'
 *
 * E1. ASKED is left by a cmpxchg: either the thread is held, or who looked has
 *     gone, and the thread passes by when the signal comes at last.
 * E2. @g and @at are stored before HELD, and read by who looks after it.
 * E3. A thread may be held anywhere, with any lock. So who looks takes none and
 *     calls nobody who might until it lets go: bw_unwind() does not. It has one of
 *     ours itself, so no stop catches it while it holds somebody.
 *
 * A system call of the G's is interrupted as by a stop (stop.c). Not with a
 * thread sanitizer, which keeps signals: the registers would be old.
 *
 * Rejected: a copy of the stack, made by the handler (how much of it?); ptrace,
 * which no thread may do to another of its process.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/futex.h"
#include "eyes.h"

#define PATIENCE_NS	3000000000ULL	/* of a whole dump */

enum { NONE, ASKED, TAKEN, HELD, STATES = 4 };

/**
 * struct look - the one there is
 * @word:	the look's number * STATES + its state			[atomic]
 * @m:		who is asked						[before ASKED]
 * @g:		what it runs						[before HELD]
 * @at:		its registers						[before HELD]
 * @until:	how long who looks waits for answers			[SYMBOLS]
 */
static struct look {
	u32 word;
	const struct bw_m *m;
	const struct bw_g *g;
	struct bw_unwind at;
	u64 until;
} look;

void bw_looks_begin(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	look.until = (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec +
		     PATIENCE_NS;
}

/* As DWARF numbers them. */
static void registers(struct bw_unwind *u, const ucontext_t *uc)
{
	u32 i;

#if defined(__x86_64__)
	static const u8 reg[] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP,
		REG_RSP, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13,
		REG_R14, REG_R15,
	};

	u->known = 0;
	for (i = 0; i < ARRAY_SIZE(reg); i++)
		bw_unwind_set(u, i, (u64)uc->uc_mcontext.gregs[reg[i]]);
	u->pc = (u64)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	u->known = 0;
	for (i = 0; i < 31; i++)
		bw_unwind_set(u, i, uc->uc_mcontext.regs[i]);
	bw_unwind_set(u, BW_UNWIND_SP, uc->uc_mcontext.sp);
	u->pc = uc->uc_mcontext.pc;
#endif
}

void bw_look_answer(const struct bw_m *m, const void *context)
{
	u32 word = load_seq(&look.word), nr = word & ~(STATES - 1U);
	int saved = errno;

	if (likely(word != nr + ASKED) || READ_ONCE(look.m) != m ||
	    !try_cmpxchg(&look.word, &word, nr + TAKEN))
		return;
	look.g = m->g;
	registers(&look.at, context);
	/* pairs with is_held() */
	xchg(&look.word, nr + HELD);
	bw_futex_wake(&look.word, 1);
	/* pairs with bw_look_end() */
	while (load_seq(&look.word) == nr + HELD)
		bw_futex_wait(&look.word, nr + HELD, 0);
	errno = saved;
}

/* E1. False: it does not answer. */
static bool is_held(u32 nr)
{
	u32 now;

	/* pairs with bw_look_answer() */
	while ((now = load_seq(&look.word)) != nr + HELD) {
		int err = bw_futex_wait(&look.word, now, now == nr + ASKED ?
							 look.until : 0);

		if (err == -ETIMEDOUT &&
		    try_cmpxchg(&look.word, &now, nr + NONE))
			return false;
	}
	return true;
}

void bw_look_end(void)
{
	u32 nr = look.word & ~(STATES - 1U);

	/* pairs with bw_look_answer() */
	xchg(&look.word, nr + NONE);
	bw_futex_wake(&look.word, 1);
}

bool bw_look_begin(const struct bw_m *m, const struct bw_g *g,
		   struct bw_unwind *u)
{
	u32 nr = (look.word & ~(STATES - 1U)) + STATES;
	u32 asked = nr + ASKED;

	/* a view may be old: it ran on our own thread, and is elsewhere */
	if (BW_TSAN || m == bw_m_self())
		return false;
	look.m = m;
	/* pairs with bw_look_answer() */
	xchg(&look.word, asked);
	if (syscall(SYS_tgkill, getpid(), READ_ONCE(m->rest.tid),
		    BW_STOP_SIGNAL) &&
	    try_cmpxchg(&look.word, &asked, nr + NONE))
		return false;
	if (!is_held(nr))
		return false;
	if (look.g != g) {
		bw_look_end();
		return false;
	}
	u->pc = look.at.pc;
	u->known = look.at.known;
	memcpy(u->reg, look.at.reg, sizeof(u->reg));
	return true;
}

void bw_looks_forked(void)
{
	WRITE_ONCE(look.word, (look.word & ~(STATES - 1U)) + NONE);
}
