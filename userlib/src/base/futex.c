// SPDX-License-Identifier: MIT
/* futex: see futex.h */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "futex.h"

#define NSEC_PER_SEC	1000000000ULL

int bw_futex_wait(u32 *word, u32 val, u64 deadline)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline / NSEC_PER_SEC),
		.tv_nsec = (long)(deadline % NSEC_PER_SEC),
	};
	int saved = errno, err = 0;

	/* the _BITSET form is the one whose timeout is absolute */
	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
		    val, deadline ? &ts : NULL, NULL, FUTEX_BITSET_MATCH_ANY))
		err = -errno;
	errno = saved;
	return err;
}

void bw_futex_wake(u32 *word, int nr)
{
	int saved = errno;

	/* EFAULT, when the word has gone meanwhile, is nobody left to wake */
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, nr, NULL,
		NULL, 0);
	errno = saved;
}
