// SPDX-License-Identifier: MIT
/*
 * desc_thread: an attached thread waits for a descriptor by itself, with poll(2),
 * so that it needs no run and nobody who minds the clock. A second descriptor of
 * its own, made for the wait, is there to end it when the first is closed.
 */
#include <sys/eventfd.h>
#include <poll.h>
#include <unistd.h>

#include "burrow/time.h"
#include "netpoll.h"
#include "sched.h"

/**
 * struct bw_desc_thread - an attached thread that waits		[d->lock]
 */
struct bw_desc_thread {
	struct bw_desc_thread *next;
	int wake_fd;
};

/**
 * struct polling - what it waits for					[its thread]
 */
struct polling {
	struct pollfd p[2];
	u64 deadline;
	int err;
};

static void link_thread(struct bw_desc *d, struct bw_desc_thread *t)
{
	bw_lock(&d->lock);
	t->next = d->threads;
	d->threads = t;
	bw_unlock(&d->lock);
}

static void unlink_thread(struct bw_desc *d, struct bw_desc_thread *t)
{
	struct bw_desc_thread **at = &d->threads;

	bw_lock(&d->lock);
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	bw_unlock(&d->lock);
}

void bw_desc_wake_threads_locked(struct bw_desc *d)
{
	struct bw_desc_thread *t;
	u64 one = 1;

	for (t = d->threads; t; t = t->next)
		while (write(t->wake_fd, &one, sizeof(one)) < 0 &&
		       *bw_errno_here() == EINTR)
			;
}

static void poll_at_rest(struct bw_m *m, void *arg)
{
	struct polling *w = arg;
	struct timespec ts, *timeout = NULL;
	int n;

	do {
		u64 now = bw_now(), ns = w->deadline - now;

		if (w->deadline != BW_NEVER) {
			ns = w->deadline > now ? ns : 0;
			ts.tv_sec = (time_t)(ns / 1000000000ULL);
			ts.tv_nsec = (long)(ns % 1000000000ULL);
			timeout = &ts;
		}
		n = ppoll(w->p, 2, timeout, NULL);
	} while (n < 0 && *bw_errno_here() == EINTR);
	w->err = n < 0 ? -*bw_errno_here() : n ? 0 : -ETIMEDOUT;
}

int bw_desc_wait_in_thread(struct bw_m *m, struct bw_desc *d, u32 dirs,
			   u64 deadline)
{
	struct bw_desc_thread t = { .wake_fd = eventfd(0, EFD_CLOEXEC) };
	struct polling w = { .deadline = deadline };

	if (t.wake_fd < 0)
		return -*bw_errno_here();
	w.p[0].fd = d->fd;
	if (dirs & BW_DIR_BIT(BW_DIR_READ))
		w.p[0].events |= POLLIN | POLLRDHUP | POLLPRI;
	if (dirs & BW_DIR_BIT(BW_DIR_WRITE))
		w.p[0].events |= POLLOUT;
	w.p[1] = (struct pollfd){ .fd = t.wake_fd, .events = POLLIN };
	link_thread(d, &t);
	if (!bw_desc_is_closing(d)) {
		bw_m_enter_soft(m);
		bw_rest(m, poll_at_rest, &w);
		bw_m_exit(m);
	}
	unlink_thread(d, &t);
	close(t.wake_fd);
	return bw_desc_is_closing(d) ? -ECANCELED : w.err;
}
