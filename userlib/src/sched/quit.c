// SPDX-License-Identifier: MIT
/*
 * quit: SIGQUIT asks what the program is doing. Every G is shown and the process
 * ends with status 2 (BURROW=sigquit=exit), or goes on (go-on).
 *
 *	on_quit()		the handler: a word, and a token for sysmon
 *	sysmon
 *	  bw_quit_look()	<- here: bw_dump(), and perhaps the end
 *
 * It is sysmon that writes, as a handler may have interrupted anything. While
 * there is no run there is no sysmon, and nothing to show: then the signal does
 * what it does to any process.
 *
 * A program that has its own handler, or ignores the signal, keeps that.
 */
#include <signal.h>
#include <unistd.h>

#include "eyes.h"

static u32 wanted;			/* [atomic] */

static void on_quit(int sig)
{
	int saved = errno;

	if (bw_is_running() && !bw_sched.cut_off) {
		/* pairs with bw_quit_is_wanted(), by the token if not sooner */
		__atomic_store_n(&wanted, 1, __ATOMIC_SEQ_CST);
		bw_sysmon_poke();
	} else {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	errno = saved;
}

bool bw_quit_is_wanted(void)
{
	return load_seq(&wanted);
}

void bw_quit_look(void)
{
	WRITE_ONCE(wanted, 0);
	bw_note("SIGQUIT: every G there is");
	bw_dump();
	if (!bw_sched.quit_goes_on)
		_exit(2);
}

void bw_quit_init(void)
{
	struct sigaction sa, old;

	if (sigaction(SIGQUIT, NULL, &old) || old.sa_flags & SA_SIGINFO ||
	    old.sa_handler != SIG_DFL)
		return;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_quit;
	sa.sa_flags = SA_RESTART | SA_ONSTACK;
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGQUIT, &sa, NULL))
		bw_throw("no handler for SIGQUIT");
}
