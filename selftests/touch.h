/* SPDX-License-Identifier: MIT */
/*
 * touch: one access to memory, and the signal it cost.
 *
 *	touch_read() touch_write()	0, SIGSEGV or SIGBUS
 *
 * A child would not do as the victim: it has a heap of its own. The
 * handlers are installed by touch_init(), once, before the first touch; a fault
 * outside a touch kills as it would have without them.
 */
#ifndef BURROW_SELFTEST_TOUCH_H
#define BURROW_SELFTEST_TOUCH_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

static __thread sigjmp_buf touch_back;
static __thread volatile sig_atomic_t touch_is_on;

static void touch_caught(int sig)
{
	if (touch_is_on)
		siglongjmp(touch_back, sig);
	signal(sig, SIG_DFL);
}

static inline int touch_init(void)
{
	struct sigaction sa = { .sa_handler = touch_caught };

	return sigaction(SIGSEGV, &sa, NULL) || sigaction(SIGBUS, &sa, NULL) ?
	       -errno : 0;
}

static inline int touch_read(const void *p, char *val)
{
	int sig = sigsetjmp(touch_back, 1);

	if (!sig) {
		touch_is_on = 1;
		*val = *(const volatile char *)p;
	}
	touch_is_on = 0;
	return sig;
}

static inline int touch_write(void *p, char val)
{
	int sig = sigsetjmp(touch_back, 1);

	if (!sig) {
		touch_is_on = 1;
		*(volatile char *)p = val;
	}
	touch_is_on = 0;
	return sig;
}

/* The signal that reading one byte there costs. */
static inline int touch(const void *p)
{
	char val;

	return touch_read(p, &val);
}

/* Every byte of [p, p + n) is @val. */
static inline bool bytes_are(const char *p, char val, size_t n)
{
	return p[0] == val && !memcmp(p, p + 1, n - 1);
}

#endif
