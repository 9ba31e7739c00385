// SPDX-License-Identifier: MIT
/* netpoll: the epoll instance, and waits for descriptors; netpoll.h has the rules. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <poll.h>
#include <unistd.h>

#include "burrow/time.h"
#include "netpoll.h"
#include "sched.h"

#define INTEREST	(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)
#define READ_EVENTS	(EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)
#define WRITE_EVENTS	(EPOLLOUT | EPOLLHUP | EPOLLERR)
#define MORE_THAN_DATA	(EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)
#define WAKE		UINT64_MAX	/* the data of @wake_fd */
#define ADDRESS		0x0000ffffffffffc0ULL	/* of a G, in a word */

/**
 * struct netpoll - the epoll instance of the process
 * @lock:	it is made once						[const]
 * @fd:		-1: nobody needed it yet				[atomic]
 * @wake_fd:	ends a wait; never read, as it is an edge too		[before @fd]
 * @waiting:	Gs in words and queues					[atomic]
 */
static struct netpoll {
	struct bw_lock lock;
	s32 fd;
	s32 wake_fd;
	u32 waiting;
} netpoll = { .fd = -1, .lock.rank = BW_RANK_NETPOLL };

bool bw_netpoll_is_up(void)
{
	return load_seq(&netpoll.fd) >= 0;
}

u32 bw_netpoll_waiting(void)
{
	return load_seq(&netpoll.waiting);
}

void bw_netpoll_wake(void)
{
	u64 one = 1;

	while (write(netpoll.wake_fd, &one, sizeof(one)) < 0 &&
	       *bw_errno_here() == EINTR)
		;
}

static int make_locked(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET,
				  .data.u64 = WAKE };
	int fd = epoll_create1(EPOLL_CLOEXEC), err;

	if (fd < 0)
		return -*bw_errno_here();
	netpoll.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (netpoll.wake_fd < 0 ||
	    epoll_ctl(fd, EPOLL_CTL_ADD, netpoll.wake_fd, &ev)) {
		err = -*bw_errno_here();
		if (netpoll.wake_fd >= 0)
			close(netpoll.wake_fd);
		close(fd);
		return err;
	}
	/* pairs with sleep_until() in idle.c */
	__atomic_store_n(&netpoll.fd, fd, __ATOMIC_SEQ_CST);
	return 0;
}

static int need_netpoll(void)
{
	int err = 0;

	if (likely(bw_netpoll_is_up()))
		return 0;
	bw_lock(&netpoll.lock);
	if (!bw_netpoll_is_up())
		err = make_locked();
	bw_unlock(&netpoll.lock);
	/* who minds the clock does not look there yet */
	bw_poll_poke(0);
	return err;
}

static int ctl(struct bw_desc *d, int op)
{
	struct epoll_event ev = { .events = INTEREST };

	ev.data.u64 = (u64)READ_ONCE(d->gen) << 32 | (u32)d->fd;
	return epoll_ctl(netpoll.fd, op, d->fd, &ev) ?
	       -*bw_errno_here() : 0;
}

/* Registers it, once in its life (D3). */
static __attribute__((noinline)) int need_polled(struct bw_desc *d)
{
	int err = need_netpoll();

	if (err)
		return err;
	bw_lock(&d->lock);
	if (!READ_ONCE(d->polled)) {
		err = ctl(d, EPOLL_CTL_ADD);
		/* close(2) left it there, as somebody has a duplicate */
		if (err == -EEXIST)
			err = ctl(d, EPOLL_CTL_MOD);
		WRITE_ONCE(d->polled, !err);
	}
	bw_unlock(&d->lock);
	return err;
}

static bool is_g(u64 word)
{
	return word >= BW_DESC_MAX;
}

static struct bw_g *to_g(u64 word)
{
	return (struct bw_g *)(uintptr_t)(word & ADDRESS);
}

u64 bw_desc_word_of(const struct bw_g *g, u64 ticket)
{
	u64 nr = ticket / BW_TIMED_STEP;

	return (uintptr_t)g | (nr & 63) | (nr >> 6) << 48;
}

/* @g, out of a word or a queue, is to look again. */
static void go_on(struct bw_g *g, u64 ticket, struct bw_glist *out)
{
	if (!bw_sched_win(g, ticket))
		return;
	bw_g_move(g, BW_G_PARKED, BW_G_RUNNABLE);
	bw_glist_add(out, g);
}

/* An event, or the end: the word becomes @new unless it is closed (D1). */
static void word_signal(struct bw_desc *d, enum bw_dir dir, u64 new,
			struct bw_glist *out)
{
	u64 old = READ_ONCE(d->word[dir]), ticket = 0;

	for (;;) {
		if (old == BW_DESC_CLOSED || old == new)
			return;
		if (is_g(old)) {
			/* of the wait that is in the word, or look again */
			ticket = READ_ONCE(to_g(old)->io_ticket);
			if (bw_desc_word_of(to_g(old), ticket) != old) {
				old = READ_ONCE(d->word[dir]);
				continue;
			}
		}
		/* pairs with commit_word() */
		if (try_cmpxchg(&d->word[dir], &old, new))
			break;
	}
	if (is_g(old))
		go_on(to_g(old), ticket, out);
}

/**
 * struct word_wait - what the commit of a wait is given		[its G]
 * @d:		where it waits
 * @dirs:	for what
 * @busy:	the direction in which another G waits, or BW_NR_DIRS
 */
struct word_wait {
	struct bw_desc *d;
	u32 dirs;
	u32 busy;
};

/* @me out of the words it is in. */
static void withdraw(struct bw_desc *d, u32 dirs, u64 me)
{
	u32 dir;

	for (dir = 0; dir < BW_NR_DIRS; dir++) {
		u64 old = me;

		if (dirs & BW_DIR_BIT(dir))
			try_cmpxchg(&d->word[dir], &old, BW_DESC_IDLE);
	}
}

/* Off the stack. False: there is something to be tried, or somebody else. */
static bool commit_word(struct bw_g *g, void *arg)
{
	struct word_wait *w = arg;
	struct bw_desc *d = w->d;
	struct bw_p *p = g->m->p;
	u32 dirs = w->dirs, in = 0, dir;
	u64 ticket = READ_ONCE(g->wait), me = bw_desc_word_of(g, ticket);

	/* pairs with word_signal() */
	WRITE_ONCE(g->io_ticket, ticket);
	for (dir = 0; dir < BW_NR_DIRS; dir++) {
		u64 old = BW_DESC_IDLE;

		if (!(dirs & BW_DIR_BIT(dir)))
			continue;
		/* pairs with word_signal() */
		if (try_cmpxchg(&d->word[dir], &old, me)) {
			in |= BW_DIR_BIT(dir);
			continue;
		}
		/* once it was in a word it may be elsewhere, and @w be gone */
		if (!in)
			w->busy = is_g(old) ? dir : BW_NR_DIRS;
		else
			withdraw(d, in, me);
		return false;
	}
	bw_count(p, BW_COUNT_io_waits);
	return true;
}

/* What comes from now on is for the next try. */
bool bw_desc_use_ready(struct bw_desc *d, u32 dirs)
{
	bool used = false;
	u32 dir;

	for (dir = 0; dir < BW_NR_DIRS; dir++) {
		u64 old = BW_DESC_READY;

		if ((dirs & BW_DIR_BIT(dir)) &&
		    READ_ONCE(d->word[dir]) == BW_DESC_READY)
			used |= try_cmpxchg(&d->word[dir], &old, BW_DESC_IDLE);
	}
	return used;
}

static const char *reason_of(u32 dirs)
{
	return dirs == BW_DIR_BOTH ? "a descriptor" :
	       dirs & BW_DIR_BIT(BW_DIR_READ) ? "reading" : "writing";
}

/* They are RUNNABLE, and the caller goes on. */
static void go_on_all(struct bw_glist *out)
{
	struct bw_m *m = bw_m_self();

	if (!out->nr)
		return;
	bw_m_enter_soft(m);
	bw_submit_list(m, out, 0);
	bw_m_exit(m);
}

/**
 * struct bw_desc_queued - a G behind the one in the word		[lock]
 */
struct bw_desc_queued {
	struct bw_desc_queued *next;
	struct bw_g *g;
	u64 ticket;
};

static bool unlink_locked(struct bw_desc *d, enum bw_dir dir,
			  struct bw_desc_queued *q)
{
	struct bw_desc_queued **at = &d->queue[dir];

	while (*at && *at != q)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = q->next;
	__atomic_store_n(&d->nr_queued[dir], d->nr_queued[dir] - 1,
			 __ATOMIC_SEQ_CST);
	return true;
}

static void link_locked(struct bw_desc *d, enum bw_dir dir,
			struct bw_desc_queued *q)
{
	struct bw_desc_queued **at = &d->queue[dir];

	while (*at)
		at = &(*at)->next;
	*at = q;
	/* pairs with bw_desc_pass_on() (D5) */
	__atomic_store_n(&d->nr_queued[dir], d->nr_queued[dir] + 1,
			 __ATOMIC_SEQ_CST);
}

static bool commit_unlock(struct bw_g *g, void *lock)
{
	bw_count(g->m->p, BW_COUNT_io_waits);
	bw_unlock(lock);
	return true;
}

/* Behind the G in the word, unless that has gone (D5). */
static int queue_wait(struct bw_desc *d, enum bw_dir dir, u64 deadline)
{
	struct bw_desc_queued q = { .g = bw_self() };
	int err;

	bw_lock(&d->lock);
	link_locked(d, dir, &q);
	if (!is_g(load_seq(&d->word[dir]))) {
		unlink_locked(d, dir, &q);
		bw_unlock(&d->lock);
		return 0;
	}
	q.ticket = bw_sched_ticket();
	err = bw_sched_park_until(commit_unlock, &d->lock,
				  reason_of(BW_DIR_BIT(dir)), deadline);
	if (!err)
		return 0;
	bw_lock(&d->lock);
	unlink_locked(d, dir, &q);
	bw_unlock(&d->lock);
	return err;
}

static void queue_pop_locked(struct bw_desc *d, enum bw_dir dir, u32 max,
			     struct bw_glist *out)
{
	struct bw_desc_queued *q;

	while (out->nr < max) {
		q = d->queue[dir];
		if (!q)
			return;
		unlink_locked(d, dir, q);
		/* from here on @q may be gone */
		go_on(q->g, q->ticket, out);
	}
}

void bw_desc_pass_on(struct bw_desc *d, enum bw_dir dir)
{
	struct bw_glist out = { .nr = 0 };

	/* pairs with bw_desc_get(): who comes later finds what is there */
	if (likely((load_seq(&d->refs) & ~BW_DESC_CLOSING) == 1))
		return;
	word_signal(d, dir, BW_DESC_READY, &out);
	if (load_seq(&d->nr_queued[dir])) {
		bw_lock(&d->lock);
		queue_pop_locked(d, dir, out.nr + 1, &out);
		bw_unlock(&d->lock);
	}
	go_on_all(&out);
}

void bw_desc_close_words(struct bw_desc *d)
{
	struct bw_glist out = { .nr = 0 };
	u32 dir;

	for (dir = 0; dir < BW_NR_DIRS; dir++)
		word_signal(d, dir, BW_DESC_CLOSED, &out);
	bw_lock(&d->lock);
	for (dir = 0; dir < BW_NR_DIRS; dir++)
		queue_pop_locked(d, dir, UINT32_MAX, &out);
	bw_desc_wake_threads_locked(d);
	bw_unlock(&d->lock);
	go_on_all(&out);
}

/* In the word; *@busy: another one is. */
static int word_wait(struct bw_desc *d, u32 dirs, u64 deadline, u32 *busy)
{
	struct word_wait w = { d, dirs, BW_NR_DIRS };
	struct bw_g *g = bw_self();
	int err = bw_sched_park_until(commit_word, &w, reason_of(dirs),
				      deadline);

	withdraw(d, dirs, bw_desc_word_of(g, READ_ONCE(g->wait)));
	if (!err)
		bw_desc_use_ready(d, dirs);
	*busy = w.busy;
	return err;
}

/**
 * struct both_wait - for both, while another G is in one of the words	[its G]
 * @d:		where it waits
 * @behind:	directions in which it is queued; in the others it is in the word
 * @q:		its places there						[lock]
 */
struct both_wait {
	struct bw_desc *d;
	u32 behind;
	struct bw_desc_queued q[BW_NR_DIRS];
};

/* Whoever comes first, here or there, wins the one ticket. */
static void link_both_locked(struct both_wait *b)
{
	struct bw_desc *d = b->d;
	u32 dir;

	for (dir = 0; dir < BW_NR_DIRS; dir++) {
		b->q[dir].g = bw_self();
		b->q[dir].ticket = bw_sched_ticket();
		if (!is_g(load_seq(&d->word[dir])))
			continue;
		link_locked(d, dir, &b->q[dir]);
		/* again (D5): has it gone without having seen us? */
		if (is_g(load_seq(&d->word[dir])))
			b->behind |= BW_DIR_BIT(dir);
		else
			unlink_locked(d, dir, &b->q[dir]);
	}
}

/* Off the stack. The G that was readied comes by the lock before @b is gone. */
static bool commit_both(struct bw_g *g, void *arg)
{
	struct both_wait *b = arg;
	struct bw_desc *d = b->d;
	struct word_wait w = { d, BW_DIR_BOTH & ~b->behind, BW_NR_DIRS };
	bool waits = commit_word(g, &w);

	bw_unlock(&d->lock);
	return waits;
}

static int wait_behind(struct bw_desc *d, u64 deadline)
{
	struct both_wait b = { .d = d };
	struct bw_g *g = bw_self();
	int err;
	u32 dir;

	bw_lock(&d->lock);
	link_both_locked(&b);
	err = bw_sched_park_until(commit_both, &b, reason_of(BW_DIR_BOTH),
				  deadline);
	bw_lock(&d->lock);
	for (dir = 0; dir < BW_NR_DIRS; dir++)
		if (b.behind & BW_DIR_BIT(dir))
			unlink_locked(d, dir, &b.q[dir]);
	bw_unlock(&d->lock);
	withdraw(d, BW_DIR_BOTH & ~b.behind,
		 bw_desc_word_of(g, READ_ONCE(g->wait)));
	if (!err)
		bw_desc_use_ready(d, BW_DIR_BOTH & ~b.behind);
	return err;
}

static int wait_for_both(struct bw_desc *d, u64 deadline)
{
	u32 busy;

	if (is_g(READ_ONCE(d->word[BW_DIR_READ])) ||
	    is_g(READ_ONCE(d->word[BW_DIR_WRITE])))
		return wait_behind(d, deadline);
	return word_wait(d, BW_DIR_BOTH, deadline, &busy);
}

static int wait_for_one(struct bw_desc *d, enum bw_dir dir, u64 deadline)
{
	u32 busy;
	int err = word_wait(d, BW_DIR_BIT(dir), deadline, &busy);

	return !err && busy == dir ? queue_wait(d, dir, deadline) : err;
}

static int wait_in_g(struct bw_desc *d, u32 dirs, u64 deadline)
{
	int err;

	__atomic_fetch_add(&netpoll.waiting, 1, __ATOMIC_SEQ_CST);
	if (dirs == BW_DIR_BOTH)
		err = wait_for_both(d, deadline);
	else
		err = wait_for_one(d, dirs == BW_DIR_BIT(BW_DIR_WRITE),
				   deadline);
	__atomic_fetch_sub(&netpoll.waiting, 1, __ATOMIC_SEQ_CST);
	return err;
}

int bw_desc_wait(struct bw_desc *d, u32 dirs, u64 deadline)
{
	struct bw_m *m = bw_m_self();
	int err;

	if (bw_desc_is_closing(d))
		return -ECANCELED;
	if (deadline != BW_NEVER && bw_now() >= deadline)
		return -ETIMEDOUT;
	if (unlikely(m->attached))
		return bw_desc_wait_in_thread(m, d, dirs, deadline);
	if (unlikely(!READ_ONCE(d->polled))) {
		err = need_polled(d);
		if (err)
			return err;
	}
	err = wait_in_g(d, dirs, deadline);
	return !err && bw_desc_is_closing(d) ? -ECANCELED : err;
}

/* To the nanosecond where the kernel has it (5.11), and so has the emulator. */
static int wait_exactly(struct epoll_event *ev, u64 until)
{
	u64 now = bw_now(), ns = until > now ? until - now : 0;
	struct timespec ts = { (time_t)(ns / 1000000000ULL),
			       (long)(ns % 1000000000ULL) };
	struct pollfd p = { .fd = netpoll.fd, .events = POLLIN };
	static bool missing;
	long n;

	if (!READ_ONCE(missing)) {
		n = syscall(SYS_epoll_pwait2, netpoll.fd, ev,
			    BW_NETPOLL_EVENTS, &ts, NULL, 0);
		if (n >= 0 || *bw_errno_here() == EINTR)
			return (int)n;
		WRITE_ONCE(missing, true);
	}
	ppoll(&p, 1, &ts, NULL);
	return epoll_wait(netpoll.fd, ev, BW_NETPOLL_EVENTS, 0);
}

int bw_netpoll_wait(struct epoll_event *ev, u64 until)
{
	int n;

	if (!until || until == BW_NEVER)
		n = epoll_wait(netpoll.fd, ev, BW_NETPOLL_EVENTS,
			       until ? -1 : 0);
	else
		n = wait_exactly(ev, until);
	if (n < 0 && *bw_errno_here() != EINTR)
		bw_throw("epoll does not work");
	bw_count(NULL, BW_COUNT_io_polls);
	return max(n, 0);
}

void bw_netpoll_take(const struct epoll_event *ev, int nr, struct bw_glist *out)
{
	int i;

	for (i = 0; i < nr; i++) {
		struct bw_desc *d;

		if (ev[i].data.u64 == WAKE)
			continue;
		d = bw_desc_find((int)(u32)ev[i].data.u64);
		/* an old life's (D3) */
		if (READ_ONCE(d->gen) != ev[i].data.u64 >> 32)
			continue;
		bw_count(NULL, BW_COUNT_io_events);
		if (ev[i].events & MORE_THAN_DATA)
			WRITE_ONCE(d->hung_up, true);
		if (ev[i].events & READ_EVENTS)
			word_signal(d, BW_DIR_READ, BW_DESC_READY, out);
		if (ev[i].events & WRITE_EVENTS)
			word_signal(d, BW_DIR_WRITE, BW_DESC_READY, out);
	}
}

void bw_netpoll_clean(void)
{
	__atomic_store_n(&netpoll.waiting, 0, __ATOMIC_SEQ_CST);
}

void bw_netpoll_forked(void)
{
	if (netpoll.fd >= 0) {
		close(netpoll.wake_fd);
		close(netpoll.fd);
	}
	netpoll.fd = -1;
	netpoll.waiting = 0;
	bw_lock_init(&netpoll.lock, BW_RANK_NETPOLL);
}
