// SPDX-License-Identifier: MIT
/*
 * sigmask: the stop's signal stays out of everybody's masks.
 *
 *	sigprocmask(), pthread_sigmask(), sigsuspend(), signalfd(), ppoll(),
 *	pselect(), epoll_pwait(), epoll_pwait2()	without it in the set
 *	sigaction(), signal()		not for it; for others, with it in sa_mask
 *
 * These are the C library's names: whoever is linked with us comes here first.
 * A thread that had the signal blocked would not answer a stop, and
 * sigfillset() is what programs do.
 *
 * In a handler of the program's it is blocked, other than elsewhere: the handler
 * may have interrupted a leaf (base/section.h), which the stop's handler could
 * not see. So a handler that does not return delays a stop.
 *
 * What is a cancellation point in the C library is left to it, where it can be
 * found; in a static program the system call has to do. A library that was linked
 * without us has its versions of these names from the C library and is not seen.
 *
 * Not with sanitizers, which have these names themselves.
 */
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sched.h"

#if !BW_ASAN && !BW_TSAN

#define KERNEL_SET_BYTES	8

/* The C library's own; the signals 32 and 33 are its, too. */
extern int __sigaction(int sig, const struct sigaction *act,
		       struct sigaction *old);

static const sigset_t *without(const sigset_t *set, sigset_t *copy)
{
	if (!set)
		return NULL;
	*copy = *set;
	sigdelset(copy, BW_STOP_SIGNAL);
	/* sigdelset() leaves these alone */
	copy->__val[0] &= ~(3UL << 31);
	return copy;
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	int saved = errno, err = 0;
	sigset_t copy;

	if (how != SIG_UNBLOCK)
		set = without(set, &copy);
	if (old)
		sigemptyset(old);
	if (syscall(SYS_rt_sigprocmask, how, set, old, KERNEL_SET_BYTES))
		err = errno;
	errno = saved;
	return err;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	int err = pthread_sigmask(how, set, old);

	if (!err)
		return 0;
	errno = err;
	return -1;
}

int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction copy;

	if (act && sig == BW_STOP_SIGNAL && READ_ONCE(bw_section_hook)) {
		errno = EINVAL;
		return -1;
	}
	if (act && sig != BW_STOP_SIGNAL) {
		copy = *act;
		sigaddset(&copy.sa_mask, BW_STOP_SIGNAL);
		act = &copy;
	}
	return __sigaction(sig, act, old);
}

sighandler_t signal(int sig, sighandler_t handler)
{
	struct sigaction sa = { .sa_flags = SA_RESTART }, old;

	sa.sa_handler = handler;
	sigemptyset(&sa.sa_mask);
	return sigaction(sig, &sa, &old) ? SIG_ERR : old.sa_handler;
}

int signalfd(int fd, const sigset_t *set, int flags)
{
	sigset_t copy;

	return (int)syscall(SYS_signalfd4, fd, without(set, &copy),
			    KERNEL_SET_BYTES, flags);
}

int sigsuspend(const sigset_t *set)
{
	static int (*next)(const sigset_t *set);
	sigset_t copy;

	if (!next)
		next = (__typeof__(next))dlsym(RTLD_NEXT, "sigsuspend");
	set = without(set, &copy);
	return next ? next(set) :
		      (int)syscall(SYS_rt_sigsuspend, set, KERNEL_SET_BYTES);
}

int ppoll(struct pollfd *fds, nfds_t nr, const struct timespec *timeout,
	  const sigset_t *set)
{
	static __typeof__(ppoll) *next;
	struct timespec left;
	sigset_t copy;

	if (!next)
		next = (__typeof__(next))dlsym(RTLD_NEXT, "ppoll");
	set = without(set, &copy);
	if (next)
		return next(fds, nr, timeout, set);
	/* the kernel writes what is left */
	if (timeout)
		left = *timeout;
	return (int)syscall(SYS_ppoll, fds, nr, timeout ? &left : NULL, set,
			    KERNEL_SET_BYTES);
}

int pselect(int nr, fd_set *in, fd_set *out, fd_set *except,
	    const struct timespec *timeout, const sigset_t *set)
{
	static __typeof__(pselect) *next;
	struct {
		const sigset_t *set;
		size_t bytes;
	} arg;
	struct timespec left;
	sigset_t copy;

	if (!next)
		next = (__typeof__(next))dlsym(RTLD_NEXT, "pselect");
	set = without(set, &copy);
	if (next)
		return next(nr, in, out, except, timeout, set);
	if (timeout)
		left = *timeout;
	arg.set = set;
	arg.bytes = KERNEL_SET_BYTES;
	return (int)syscall(SYS_pselect6, nr, in, out, except,
			    timeout ? &left : NULL, &arg);
}

int epoll_pwait(int fd, struct epoll_event *events, int nr, int timeout,
		const sigset_t *set)
{
	static __typeof__(epoll_pwait) *next;
	sigset_t copy;

	if (!next)
		next = (__typeof__(next))dlsym(RTLD_NEXT, "epoll_pwait");
	set = without(set, &copy);
	return next ? next(fd, events, nr, timeout, set) :
		      (int)syscall(SYS_epoll_pwait, fd, events, nr, timeout,
				   set, KERNEL_SET_BYTES);
}

/* As the C library has it from 2.35 on. */
extern int epoll_pwait2(int fd, struct epoll_event *events, int nr,
			const struct timespec *timeout, const sigset_t *set);

int epoll_pwait2(int fd, struct epoll_event *events, int nr,
		 const struct timespec *timeout, const sigset_t *set)
{
	static __typeof__(epoll_pwait2) *next;
	sigset_t copy;

	if (!next)
		next = (__typeof__(next))dlsym(RTLD_NEXT, "epoll_pwait2");
	set = without(set, &copy);
	return next ? next(fd, events, nr, timeout, set) :
		      (int)syscall(SYS_epoll_pwait2, fd, events, nr, timeout,
				   set, KERNEL_SET_BYTES);
}

#endif
