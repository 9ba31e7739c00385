// SPDX-License-Identifier: MIT
/*
 * segv: a G that ran into the guard of its stack gets one line, before the
 * process dies of it, and so does who touches the heap where nothing is. Faults
 * go to who was there before.
 *
 * The handler runs on a signal stack of the thread's: there is none left below.
 */
#include <signal.h>
#include <sys/auxv.h>

#include "base/sysmem.h"
#include "heap/pageheap.h"
#include "sched.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ	51
#endif

static struct sigaction before;

static size_t stack_bytes(void)
{
	return getauxval(AT_MINSIGSTKSZ) + (32UL << 10);
}

void *bw_signal_stack_make(void)
{
	stack_t ss = { .ss_size = stack_bytes() };

	ss.ss_sp = bw_sys_alloc(ss.ss_size);
	if (ss.ss_sp)
		sigaltstack(&ss, NULL);
	return ss.ss_sp;
}

void bw_signal_stack_free(void *stack)
{
	stack_t ss = { .ss_flags = SS_DISABLE };

	sigaltstack(&ss, NULL);
	bw_sys_free(stack, stack_bytes());
}

void bw_segv_tell(const struct bw_g *g)
{
	char entry[128];

	bw_g_entry(g, entry, sizeof(entry));
	bw_note("fatal: stack overflow: G %llu%s%s%s, started with %s, has %zu "
		"KiB; BURROW=stacksize= makes it more",
		(unsigned long long)g->id, g->name ? " '" : "",
		g->name ? g->name : "", g->name ? "'" : "", entry,
		bw_stack_usable() >> 10);
}

/* A touch of the heap where nothing is: said, then as if nobody had been here. */
static void tell_of_heap(const void *addr)
{
	char what[160];

	if (bw_mheap_explain(addr, what, sizeof(what)))
		bw_note("SIGSEGV at %p, %s", addr, what);
}

static void on_segv(int sig, siginfo_t *info, void *context)
{
	const struct bw_m *m = bw_m_self();
	const struct bw_g *g = m ? m->g : NULL;

	if (g && g->stack && info->si_code > 0 &&
	    bw_stack_guards(g->stack, info->si_addr)) {
		bw_segv_tell(g);
		signal(SIGSEGV, SIG_DFL);
		return;		/* and faults again */
	}
	if (info->si_code > 0)
		tell_of_heap(info->si_addr);
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(sig, info, context);
	} else if (before.sa_handler == SIG_DFL ||
		   before.sa_handler == SIG_IGN) {
		signal(SIGSEGV, SIG_DFL);
		if (info->si_code <= 0)
			raise(SIGSEGV);
	} else {
		before.sa_handler(sig);
	}
}

void bw_segv_init(void)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sa.sa_sigaction = on_segv;
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGSEGV, &sa, &before))
		bw_throw("no handler for stack overflow");
}
