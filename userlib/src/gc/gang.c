// SPDX-License-Identifier: MIT
/* gang: see gang.h */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/atomic.h"
#include "base/futex.h"
#include "gang.h"

/**
 * struct gang - the threads
 * @nr:		with the caller						[const]
 * @seq:	number of the job					[atomic]
 * @left:	who is not done with it					[atomic]
 * @fn:		what is to be done				[before @seq]
 * @arg:	with this					[before @seq]
 * @thread:	all but the caller					[const]
 */
static struct gang {
	u32 nr;
	u32 seq;
	u32 left;
	bw_gang_fn *fn;
	void *arg;
	pthread_t thread[BW_GANG_MAX];
} gang = { .nr = 1 };

static void *gang_main(void *arg)
{
	u32 i = (u32)(uintptr_t)arg, did = 0, seq;

	for (;;) {
		/* pairs with bw_gang_run() */
		while ((seq = smp_load_acquire(&gang.seq)) == did)
			bw_futex_wait(&gang.seq, did, 0);
		did = seq;
		gang.fn(i, gang.arg);
		/* pairs with bw_gang_run() */
		if (__atomic_sub_fetch(&gang.left, 1, __ATOMIC_SEQ_CST) == 0)
			bw_futex_wake(&gang.left, 1);
	}
	return NULL;
}

u32 bw_gang_init(u32 nr)
{
	sigset_t all, old;
	u32 i;

	nr = min(nr, BW_GANG_MAX);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (i = 1; i < nr; i++) {
		if (pthread_create(&gang.thread[i], NULL, gang_main,
				   (void *)(uintptr_t)i))
			break;
		pthread_setname_np(gang.thread[i], "burrow-mark");
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	gang.nr = i;
	return i;
}

u32 bw_gang_size(void)
{
	return gang.nr;
}

void bw_gang_forked(void)
{
	gang.nr = 1;
	gang.seq = 0;
	gang.left = 0;
}

void bw_gang_run(bw_gang_fn *fn, void *arg)
{
	u32 left;

	gang.fn = fn;
	gang.arg = arg;
	WRITE_ONCE(gang.left, gang.nr - 1);
	if (gang.nr > 1) {
		/* pairs with gang_main() */
		smp_store_release(&gang.seq, gang.seq + 1);
		bw_futex_wake(&gang.seq, INT_MAX);
	}
	fn(0, arg);
	while ((left = __atomic_load_n(&gang.left, __ATOMIC_SEQ_CST)))
		bw_futex_wait(&gang.left, left, 0);
}

u64 bw_gang_cpu(void)
{
	u64 sum = 0;
	u32 i;

	for (i = 1; i < gang.nr; i++) {
		struct timespec ts;
		clockid_t clock;

		if (pthread_getcpuclockid(gang.thread[i], &clock) ||
		    clock_gettime(clock, &ts))
			continue;
		sum += (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
	}
	return sum;
}
