// SPDX-License-Identifier: MIT
/*
 * Descriptors: Gs that wait for them, deadlines, what close() ends, numbers that
 * are used again, many at once, and fairness beside Gs that never wait.
 */
#include <sys/resource.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

#include "burrow/io.h"
#include "burrow/time.h"
#include "burrow/trace.h"
#include "sched_rig.h"

#define MS	1000000ULL
#define FAR	(bw_now() + 60000 * MS)

static u64 seed;

static void pair_make(int fd[2], int type)
{
	EXPECT(!socketpair(AF_UNIX, type, 0, fd));
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A listening socket; *@a is where. */
static int listen_on(struct sockaddr_in *a)
{
	int fd = bw_socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*a);

	*a = loopback();
	EXPECT(fd >= 0 && !bind(fd, (struct sockaddr *)a, sizeof(*a)));
	EXPECT(!listen(fd, 4096));
	EXPECT(!getsockname(fd, (struct sockaddr *)a, &len));
	return fd;
}

static int connect_to(const struct sockaddr_in *a)
{
	int fd = bw_socket(AF_INET, SOCK_STREAM, 0), err;

	err = bw_connect(fd, (const struct sockaddr *)a, sizeof(*a));
	if (!EXPECT(!err))
		printf("# connect: %s\n", strerror(-err));
	return fd;
}

/* fd[0] and fd[1] are the ends of a TCP connection. */
static void tcp_make(int fd[2])
{
	struct sockaddr_in a;
	int l = listen_on(&a);

	fd[0] = connect_to(&a);
	fd[1] = bw_accept(l, NULL, NULL, SOCK_CLOEXEC);
	EXPECT(fd[1] >= 0);
	EXPECT(fcntl(fd[1], F_GETFL) & O_NONBLOCK);
	EXPECT(!bw_close(l));
}

struct stream {
	struct countdown c;
	int fd[2];
	long bytes;
};

static void writes_much(void *arg)
{
	struct stream *s = arg;
	static char buf[5000];
	long left = s->bytes;

	while (left) {
		long n = min(left, 1 + (long)(left * 7 % (long)sizeof(buf)));

		EXPECT(bw_write_all(s->fd[0], buf, (size_t)n) == n);
		left -= n;
	}
	countdown_done(&s->c);
}

static void through(int fd0, int fd1, long bytes)
{
	struct stream s = { .fd = { fd0, fd1 }, .bytes = bytes };
	char buf[3000];
	long got = 0;
	ssize_t n;

	countdown_init(&s.c, 1);
	bw_go(writes_much, &s);
	while (got < bytes) {
		n = bw_read(fd1, buf, sizeof(buf));
		if (!EXPECT(n > 0))
			break;
		got += n;
	}
	EXPECT(got == bytes);
	countdown_wait(&s.c);
	EXPECT(!bw_close(fd0));
	n = bw_read(fd1, buf, sizeof(buf));
	EXPECT(n == 0);
	EXPECT(!bw_close(fd1));
}

static int all_kinds(void *arg)
{
	long much = RIG_SLOW ? 300000 : 3000000;
	int fd[2], flags;

	tcp_make(fd);
	through(fd[0], fd[1], much);
	pair_make(fd, SOCK_STREAM);
	through(fd[0], fd[1], much);
	pair_make(fd, SOCK_STREAM | SOCK_NONBLOCK);
	through(fd[0], fd[1], much);
	EXPECT(!pipe2(fd, O_NONBLOCK));
	through(fd[1], fd[0], much);
	/* one that blocks stays so */
	EXPECT(!pipe(fd));
	flags = fcntl(fd[0], F_GETFL);
	EXPECT(bw_read_until(fd[0], &flags, 1, bw_now() + MS) == -ETIMEDOUT);
	EXPECT(fcntl(fd[0], F_GETFL) == flags && !(flags & O_NONBLOCK));
	through(fd[1], fd[0], much / 10);
	return 0;
}

static void streams_of_all_kinds_carry_everything(void)
{
	run_it(all_kinds);
}

static int every_call(void *arg)
{
	char a[8], b[8], text[] = "0123456789";
	struct iovec iov[2] = { { a, 3 }, { b, 8 } };
	struct iovec out[2] = { { text, 4 }, { text + 4, 6 } };
	int fd[2], i;

	for (i = 0; i < 3; i++) {
		if (i == 0)
			tcp_make(fd);
		else if (i == 1)
			pair_make(fd, SOCK_STREAM);
		else
			EXPECT(!pipe(fd) && dup2(fd[1], 90) == 90 &&
			       !close(fd[1]) && dup2(fd[0], fd[1] = 91) == 91 &&
			       dup2(90, fd[0]) == fd[0] && !close(90));
		EXPECT(bw_writev(fd[0], out, 2) == 10);
		EXPECT(bw_readv(fd[1], iov, 2) == 10);
		EXPECT(!memcmp(a, "012", 3) && !memcmp(b, "3456789", 7));
		EXPECT(bw_write(fd[0], text, 2) == 2);
		EXPECT(bw_read_until(fd[1], a, 0, 0) == 0);
		EXPECT(bw_read_until(fd[1], a, 8, 0) == 2);
		EXPECT(bw_read_until(fd[1], a, 8, 0) == -ETIMEDOUT);
		EXPECT(bw_readv_until(fd[1], iov, 2, bw_now() + MS) ==
		       -ETIMEDOUT);
		EXPECT(bw_poll_until(fd[1], POLLIN, bw_now() + MS) ==
		       -ETIMEDOUT);
		EXPECT(bw_poll(fd[0], POLLOUT) == POLLOUT);
		EXPECT(bw_write(fd[0], text, 1) == 1);
		EXPECT(bw_poll(fd[1], POLLIN) == POLLIN);
		if (i < 2) {
			EXPECT(bw_recv(fd[1], a, 1, MSG_PEEK) == 1);
			EXPECT(bw_send(fd[0], a, 1, MSG_NOSIGNAL) == 1);
			EXPECT(bw_read_all(fd[1], a, 2) == 2);
			EXPECT(bw_recv_until(fd[1], a, 1, 0, 0) == -ETIMEDOUT);
			EXPECT(bw_poll(fd[1], POLLIN | POLLOUT) == POLLOUT);
		}
		EXPECT(!bw_close(fd[1]));
		EXPECT(bw_send(fd[0], a, 1, MSG_NOSIGNAL) != 0);
		EXPECT(!bw_close(fd[0]));
		EXPECT(bw_close(fd[0]) == -EBADF);
		EXPECT(bw_read(fd[0], a, 1) == -EBADF);
	}
	EXPECT(bw_close(-1) == -EBADF && bw_read(-5, a, 1) == -EBADF);
	EXPECT(bw_readv(0, iov, -1) == -EINVAL);
	EXPECT(bw_accept(-1, NULL, NULL, 0) == -EBADF);
	return 0;
}

static void every_call_does_what_its_namesake_does(void)
{
	signal(SIGPIPE, SIG_IGN);
	run_it(every_call);
}

static int unpollable(void *arg)
{
	char name[] = "/tmp/sched_net_test.XXXXXX", buf[100];
	int fd = mkstemp(name), null = open("/dev/null", O_RDWR);

	EXPECT(bw_write(fd, "hello", 5) == 5);
	EXPECT(lseek(fd, 0, SEEK_SET) == 0);
	EXPECT(bw_read(fd, buf, sizeof(buf)) == 5 && !memcmp(buf, "hello", 5));
	EXPECT(bw_read_until(fd, buf, 1, 0) == 0);
	EXPECT(bw_poll(fd, POLLIN) == POLLIN);
	EXPECT(bw_read(null, buf, 1) == 0 && bw_write(null, buf, 7) == 7);
	EXPECT(bw_recv(fd, buf, 1, 0) == -ENOTSOCK);
	EXPECT(!bw_close(fd) && !bw_close(null));
	unlink(name);
	return 0;
}

static void what_cannot_be_polled_is_used_as_it_is(void)
{
	run_it(unpollable);
}

static int refused(void *arg)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	struct sockaddr_in a;
	int l = listen_on(&a), fd;

	EXPECT(!bw_close(l));
	fd = bw_socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(bw_connect(fd, (struct sockaddr *)&a, sizeof(a)) ==
	       -ECONNREFUSED);
	EXPECT(!bw_close(fd));
	/* one that blocks */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(bw_connect_until(fd, (struct sockaddr *)&a, sizeof(a), FAR) ==
	       -EOPNOTSUPP);
	EXPECT(bw_connect(fd, (struct sockaddr *)&a, sizeof(a)) ==
	       -ECONNREFUSED);
	EXPECT(!bw_close(fd));
	fd = bw_socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT(bw_connect(fd, (struct sockaddr *)&u, sizeof(u)) < 0);
	EXPECT(!bw_close(fd));
	EXPECT(bw_socket(-1, 0, 0) < 0);
	return 0;
}

static void a_connection_that_is_refused_says_so(void)
{
	run_it(refused);
}

/* The end comes with the last bytes, before or after somebody waits for them. */
static void says_bye(void *arg)
{
	struct stream *s = arg;
	u64 my = (u64)s->bytes * 2654435761U + 1;

	if (rig_random(&my) % 2)
		bw_yield();
	EXPECT(bw_write(s->fd[0], "x", 1) == 1);
	if (rig_random(&my) % 2)
		bw_yield();
	EXPECT(bw_write(s->fd[0], "bye", 3) == 3);
	if (rig_random(&my) % 2)
		EXPECT(!shutdown(s->fd[0], SHUT_WR));
	else
		EXPECT(!bw_close(s->fd[0]));
	countdown_done(&s->c);
}

static int ends(void *arg)
{
	struct sockaddr_in a;
	int l = listen_on(&a), i;

	for (i = 0; i < (RIG_SLOW ? 100 : 1500); i++) {
		struct stream s = { .bytes = i };
		char buf[100];
		long got = 0;
		ssize_t n;

		s.fd[0] = connect_to(&a);
		s.fd[1] = bw_accept(l, NULL, NULL, 0);
		countdown_init(&s.c, 1);
		bw_go(says_bye, &s);
		/* short reads, so that nothing seems to be left */
		while ((n = bw_read_until(s.fd[1], buf, sizeof(buf), FAR)) > 0)
			got += n;
		EXPECT(n == 0 && got == 4);
		countdown_wait(&s.c);
		/* after half a close the other way is open */
		if (bw_poll_until(s.fd[0], POLLOUT, 0) == POLLOUT) {
			EXPECT(bw_write(s.fd[1], "yes", 3) == 3);
			EXPECT(bw_read(s.fd[0], buf, 100) == 3);
			EXPECT(!bw_close(s.fd[0]));
		}
		EXPECT(!bw_close(s.fd[1]));
	}
	EXPECT(!bw_close(l));
	return 0;
}

static void the_end_of_a_stream_is_seen_behind_its_last_bytes(void)
{
	run_it(ends);
}

struct waiting {
	struct countdown c;
	int fd;
	long wrong;
	int want;
	u64 deadline;
	struct bw_g *g;		/* who reads [atomic] */
};

#define WAITERS	11

static void waits_to_read(void *arg)
{
	struct waiting *w = arg;
	char c;

	WRITE_ONCE(w->g, bw_self());
	add(&w->wrong, bw_read_until(w->fd, &c, 1, w->deadline) != w->want);
	countdown_done(&w->c);
}

static void waits_in_poll(void *arg)
{
	struct waiting *w = arg;

	add(&w->wrong, bw_poll_until(w->fd, POLLIN | POLLPRI, w->deadline) !=
		       w->want);
	countdown_done(&w->c);
}

static void waits_in_poll_for_both(void *arg)
{
	struct waiting *w = arg;

	add(&w->wrong, bw_poll_until(w->fd, POLLIN | POLLOUT, w->deadline) !=
		       w->want);
	countdown_done(&w->c);
}

static void fill(int fd)
{
	static char buf[65536];

	while (bw_write_until(fd, buf, sizeof(buf), 0) > 0)
		;
}

static void waits_to_write(void *arg)
{
	struct waiting *w = arg;

	add(&w->wrong, bw_write_until(w->fd, "x", 1, w->deadline) != w->want);
	countdown_done(&w->c);
}

static void start_waiting(struct waiting *w)
{
	int i;

	countdown_init(&w->c, WAITERS);
	w->wrong = 0;
	for (i = 0; i < 4; i++) {
		bw_go(waits_to_read, w);
		bw_go(waits_to_write, w);
		if (i < 2)
			bw_go(waits_in_poll_for_both, w);
	}
	bw_go(waits_in_poll, w);
}

/* Until the descriptor is the reader's: before, its number is just a number. */
static __attribute__((no_sanitize_thread))
void until_has_it(struct waiting *w)
{
	while (!READ_ONCE(w->g) || !READ_ONCE(w->g->io))
		bw_yield();
}

/* A look at what is theirs; who wakes meanwhile is counted the next time. */
static __attribute__((no_sanitize_thread))
void count_waiting(struct bw_g *g, void *arg)
{
	if (READ_ONCE(g->state) == BW_G_PARKED && READ_ONCE(g->io))
		++*(u32 *)arg;
}

/* Until @n Gs wait for descriptors. */
static void until_waiting(u32 n)
{
	u32 nr;

	do {
		bw_yield();
		nr = 0;
		bw_g_each(count_waiting, &nr);
	} while (nr < n);
}

static int closes(void *arg)
{
	struct waiting w = { .want = -ECANCELED, .deadline = BW_FOREVER };
	int fd[2], i;

	for (i = 0; i < (RIG_SLOW ? 20 : 300); i++) {
		if (i % 2)
			tcp_make(fd);
		else
			pair_make(fd, SOCK_STREAM);
		fill(fd[0]);
		w.fd = fd[0];
		w.deadline = i % 3 ? BW_FOREVER : FAR;
		start_waiting(&w);
		/* they wait, or are on their way to, or have not begun */
		if (i % 4)
			bw_sleep(rig_random(&seed) % (200 * 1000));
		else
			w.want = 0;
		if (w.want) {
			EXPECT(!bw_close(fd[0]));
		} else {
			until_waiting(WAITERS);
			w.want = -ECANCELED;
			EXPECT(!bw_close(fd[0]));
		}
		countdown_wait(&w.c);
		/* who began later was told that it is not there */
		if (i % 4 == 0)
			EXPECT(!w.wrong);
		bw_close(fd[1]);
	}
	return 0;
}

static void a_close_ends_every_wait(void)
{
	run_it(closes);
}

/* The first reads a byte; behind it in that direction, somebody waits for both. */
static void polls_both(void *arg)
{
	struct waiting *w = arg;

	w->want = bw_poll(w->fd, POLLIN | POLLOUT);
	countdown_done(&w->c);
}

static void reads_one(void *arg)
{
	struct waiting *w = arg;
	char c;

	add(&w->wrong, bw_read(w->fd, &c, 1) != 1);
	countdown_done(&w->c);
}

static u64 io_waits(void)
{
	struct bw_stats s = { .size = sizeof(s) };

	EXPECT(!bw_stats(&s));
	return s.io_waits;
}

static void drain(int fd)
{
	static char buf[65536];

	while (bw_read_until(fd, buf, sizeof(buf), 0) > 0)
		;
}

/* In the word for writing and behind a reader; what ends it is @edge. */
static void both_behind_a_reader(const char *edge)
{
	struct waiting w = { .wrong = 0 };
	u64 waits = io_waits();
	int fd[2];

	pair_make(fd, SOCK_STREAM);
	fill(fd[0]);
	w.fd = fd[0];
	countdown_init(&w.c, 2);
	bw_go(reads_one, &w);
	while (io_waits() < waits + 1)
		bw_yield();
	bw_go(polls_both, &w);
	while (io_waits() < waits + 2)
		bw_yield();
	/* it does not look again now and then */
	bw_sleep(25 * MS);
	EXPECT(io_waits() == waits + 2);
	if (edge)
		EXPECT(bw_write(fd[1], edge, strlen(edge)) > 0);
	else
		drain(fd[1]);
	while (add(&w.c.left, 0) == 2)
		bw_yield();
	/* one byte was the reader's, and then it waits alone, for both */
	if (!edge || !edge[1])
		EXPECT(bw_write(fd[1], "x", 1) == 1);
	countdown_wait(&w.c);
	EXPECT(!w.wrong);
	EXPECT(w.want & (edge ? POLLIN : POLLOUT));
	EXPECT(!bw_close(fd[0]) && !bw_close(fd[1]));
}

static int both(void *arg)
{
	int i;

	for (i = 0; i < 3; i++) {
		both_behind_a_reader(NULL);
		both_behind_a_reader("a");
		both_behind_a_reader("ab");
	}
	return 0;
}

static void who_waits_for_both_directions_waits_for_events_alone(void)
{
	run_it(both);
}

static int deadlines(void *arg)
{
	struct waiting w = { .want = -ETIMEDOUT };
	int fd[2], i;
	char c;

	for (i = 0; i < (RIG_SLOW ? 10 : 60); i++) {
		/* not TCP, whose peer's buffer may still grow */
		pair_make(fd, SOCK_STREAM);
		fill(fd[0]);
		w.fd = fd[0];
		w.deadline = bw_now() + 2 * MS;
		start_waiting(&w);
		countdown_wait(&w.c);
		EXPECT(bw_now() >= w.deadline && !w.wrong);
		/* nothing was lost by it */
		EXPECT(bw_write(fd[1], "ab", 2) == 2);
		EXPECT(bw_read_until(fd[0], &c, 1, FAR) == 1 && c == 'a');
		EXPECT(bw_read_until(fd[0], &c, 1, FAR) == 1 && c == 'b');
		EXPECT(!bw_close(fd[0]) && !bw_close(fd[1]));
	}
	return 0;
}

static void a_wait_ends_at_its_deadline_and_loses_nothing(void)
{
	run_it(deadlines);
}

/* Deadlines that come just when the bytes do. */
static void sends_bytes(void *arg)
{
	struct stream *s = arg;
	u64 my = bw_g_id(bw_self()) * 2654435761U + 1;
	long i;

	for (i = 0; i < s->bytes; i++) {
		EXPECT(bw_write(s->fd[0], "z", 1) == 1);
		bw_sleep(rig_random(&my) % 30000);
	}
	countdown_done(&s->c);
}

static int close_calls(void *arg)
{
	struct stream s = { .bytes = RIG_SLOW ? 300 : 3000 };
	long got = 0, late = 0;
	ssize_t n;
	char c[8];

	tcp_make(s.fd);
	countdown_init(&s.c, 1);
	bw_go(sends_bytes, &s);
	/* short reads, after which the next one does not ask */
	while (got < s.bytes) {
		n = bw_read_until(s.fd[1], c, sizeof(c),
				  bw_now() + rig_random(&seed) % 60000);
		got += n > 0 ? n : 0;
		late += n == -ETIMEDOUT;
		if (n <= 0 && !EXPECT(n == -ETIMEDOUT))
			break;
	}
	printf("# %ld bytes, %ld deadlines\n", got, late);
	countdown_wait(&s.c);
	EXPECT(bw_read_until(s.fd[1], c, 1, 0) == -ETIMEDOUT);
	EXPECT(!bw_close(s.fd[0]) && !bw_close(s.fd[1]));
	return 0;
}

/* What makes one edge may be enough for all. */
static int one_edge(void *arg)
{
	struct waiting w = { .want = 1, .deadline = BW_FOREVER };
	int fd[2], i, k;

	for (i = 0; i < (RIG_SLOW ? 30 : 300); i++) {
		if (i % 2)
			tcp_make(fd);
		else
			EXPECT(!pipe(fd) && dup2(fd[0], 92) == 92 &&
			       dup2(fd[1], fd[0]) == fd[0] &&
			       dup2(92, fd[1]) == fd[1] && !close(92));
		w.fd = fd[1];
		countdown_init(&w.c, 5);
		for (k = 0; k < 5; k++)
			bw_go(waits_to_read, &w);
		bw_sleep(rig_random(&seed) % 200000);
		EXPECT(bw_write(fd[0], "12345", 5) == 5);
		countdown_wait(&w.c);
		EXPECT(!w.wrong);
		EXPECT(!bw_close(fd[0]) && !bw_close(fd[1]));
	}
	return 0;
}

static void all_who_wait_get_their_part_of_one_edge(void)
{
	run_it(one_edge);
}

static void bytes_that_come_with_a_deadline_are_not_lost(void)
{
	run_it(close_calls);
}

static struct crowd {
	struct countdown c;
	struct sockaddr_in a;
	int l;
	long served, asked;
} crowd;

static void serves_one(void *arg)
{
	int fd = (int)(long)arg;
	char buf[64];
	ssize_t n;

	while ((n = bw_read(fd, buf, sizeof(buf))) > 0)
		EXPECT(bw_write_all(fd, buf, (size_t)n) == n);
	add(&crowd.served, 1);
	bw_close(fd);
}

static void accepts(void *arg)
{
	int fd;

	while ((fd = bw_accept(crowd.l, NULL, NULL, 0)) >= 0)
		bw_go(serves_one, (void *)(long)fd);
	EXPECT(fd == -ECANCELED || fd == -EBADF);
	countdown_done(&crowd.c);
}

struct asks {
	struct countdown *here, *gone, *go;
	struct bw_g *g;
};

static void asks(void *arg)
{
	struct asks *a = arg;
	u64 sent = bw_g_id(bw_self()), got = 0;
	int fd = connect_to(&crowd.a), i;

	__atomic_store_n(&a->g, bw_self(), __ATOMIC_RELEASE);
	countdown_done(a->here);
	/* until all are connected */
	bw_park();
	for (i = 0; i < 2; i++) {
		EXPECT(bw_write(fd, &sent, sizeof(sent)) == sizeof(sent));
		EXPECT(bw_read_all(fd, &got, sizeof(got)) == sizeof(got));
		EXPECT(got == sent);
		add(&crowd.asked, 1);
	}
	bw_close(fd);
	countdown_done(a->gone);
}

static int sockets(void *arg)
{
	long n = *(long *)arg, i;
	struct asks *a = calloc((size_t)n, sizeof(*a));
	struct countdown here, gone;

	crowd.served = 0;
	crowd.asked = 0;
	crowd.l = listen_on(&crowd.a);
	countdown_init(&crowd.c, 4);
	for (i = 0; i < 4; i++)
		bw_go(accepts, NULL);
	countdown_init(&here, n);
	countdown_init(&gone, n);
	for (i = 0; i < n; i++) {
		a[i] = (struct asks){ .here = &here, .gone = &gone };
		bw_go(asks, &a[i]);
		if (i % 100 == 99)
			bw_sleep(0);
	}
	countdown_wait(&here);
	for (i = 0; i < n; i++)
		bw_ready(a[i].g);
	countdown_wait(&gone);
	EXPECT(crowd.asked == 2 * n);
	while (READ_ONCE(crowd.served) < n)
		bw_sleep(MS);
	EXPECT(!bw_close(crowd.l));
	countdown_wait(&crowd.c);
	free(a);
	return 0;
}

static void ten_thousand_sockets_are_served(void)
{
	long n = BW_TSAN ? 60 : RIG_SLOW ? 500 : 5000;
	rlim_t need = (rlim_t)(2 * n + 100);
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	/* root may have more */
	r.rlim_cur = max(r.rlim_max, need);
	r.rlim_max = r.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &r);
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < need) {
		tap_skip("RLIMIT_NOFILE is too low");
		return;
	}
	bw_run(sockets, &n);
}

/*
 * Numbers are used again at once, by pairs of Gs that know their stamp: nobody
 * ever reads another one's.
 */
static void reuses(void *arg)
{
	u64 my = bw_g_id(bw_self()) * 2654435761U + 1, stamp, got;
	int i, fd[2];

	for (i = 0; i < (RIG_SLOW ? 40 : 400); i++) {
		struct waiting w = { .deadline = BW_FOREVER,
				     .want = -ECANCELED };

		pair_make(fd, SOCK_STREAM);
		bw_forget(fd[0]);
		bw_forget(fd[1]);
		w.fd = fd[0];
		countdown_init(&w.c, 1);
		stamp = rig_random(&my);
		if (i % 2) {
			bw_go(waits_to_read, &w);
			until_has_it(&w);
			bw_sleep(rig_random(&my) % 20000);
			EXPECT(!bw_close(fd[0]));
			countdown_wait(&w.c);
		} else {
			EXPECT(bw_write(fd[0], &stamp, 8) == 8);
			EXPECT(bw_read_until(fd[1], &got, 8, FAR) == 8);
			EXPECT(got == stamp);
			EXPECT(bw_read_until(fd[1], &got, 8, bw_now() +
				rig_random(&my) % 20000) == -ETIMEDOUT);
			EXPECT(!bw_close(fd[0]));
		}
		EXPECT(!bw_close(fd[1]));
	}
	countdown_done(arg);
}

static int reuse(void *arg)
{
	struct countdown c;
	int i;

	countdown_init(&c, 8);
	for (i = 0; i < 8; i++)
		bw_go(reuses, &c);
	countdown_wait(&c);
	return 0;
}

static void a_number_that_is_used_again_is_another_descriptor(void)
{
	run_it(reuse);
}

static long done;

static void yields_until_done(void *arg)
{
	while (!READ_ONCE(done))
		bw_yield();
	countdown_done(arg);
}

static void ping(void *arg)
{
	struct stream *s = arg;
	char c = 'p';
	int i;

	for (i = 0; i < 20; i++) {
		EXPECT(bw_write(s->fd[0], &c, 1) == 1);
		EXPECT(bw_read(s->fd[0], &c, 1) == 1);
	}
	WRITE_ONCE(done, 1);
	countdown_done(&s->c);
}

static void pong(void *arg)
{
	struct stream *s = arg;
	char c;

	while (bw_read(s->fd[1], &c, 1) == 1)
		EXPECT(bw_write(s->fd[1], &c, 1) == 1);
	countdown_done(&s->c);
}

static int fair(void *arg)
{
	struct countdown c;
	struct stream s;
	int i, n;

	for (n = 1; n <= 300; n += 299) {
		done = 0;
		tcp_make(s.fd);
		countdown_init(&c, n);
		countdown_init(&s.c, 2);
		bw_procs(n == 1 ? 1 : 2);
		for (i = 0; i < n; i++)
			bw_go(yields_until_done, &c);
		bw_go(pong, &s);
		bw_go(ping, &s);
		countdown_wait(&c);
		EXPECT(!bw_close(s.fd[0]));
		countdown_wait(&s.c);
		EXPECT(!bw_close(s.fd[1]));
	}
	bw_procs(4);
	return 0;
}

static void descriptors_are_looked_at_beside_Gs_that_only_yield(void)
{
	run_it(fair);
}

static int in_thread[2];
static long thread_here;

static void *thread_main(void *arg)
{
	char c;

	EXPECT(!bw_thread_attach());
	EXPECT(bw_read_until(in_thread[0], &c, 1, bw_now() + MS) == -ETIMEDOUT);
	add(&thread_here, 1);
	EXPECT(bw_read(in_thread[0], &c, 1) == 1 && c == 'q');
	add(&thread_here, 1);
	EXPECT(bw_read(in_thread[0], &c, 1) == -ECANCELED);
	bw_thread_detach();
	return NULL;
}

static void talk_to_thread(void)
{
	pthread_t t;

	thread_here = 0;
	pair_make(in_thread, SOCK_STREAM);
	bw_forget(in_thread[0]);
	bw_forget(in_thread[1]);
	pthread_create(&t, NULL, thread_main, NULL);
	while (READ_ONCE(thread_here) < 1)
		bw_sleep(MS);
	EXPECT(bw_write(in_thread[1], "q", 1) == 1);
	while (READ_ONCE(thread_here) < 2)
		bw_sleep(MS);
	bw_sleep(2 * MS);
	EXPECT(!bw_close(in_thread[0]));
	pthread_join(t, NULL);
	EXPECT(!bw_close(in_thread[1]));
}

static int talk_in_run(void *arg)
{
	talk_to_thread();
	return 0;
}

static void an_attached_thread_waits_by_itself(void)
{
	run_it(talk_in_run);
	/* and without a run */
	EXPECT(!bw_thread_attach());
	talk_to_thread();
	bw_thread_detach();
}

static int left[2][2];

static int leaves_waits(void *arg)
{
	static struct waiting w[2];
	int i;

	for (i = 0; i < 2; i++) {
		if (!left[i][1]) {
			if (i)
				EXPECT(!pipe(left[i]));
			else
				pair_make(left[i], SOCK_STREAM);
		}
		w[i] = (struct waiting){ .fd = left[i][0],
					 .deadline = BW_FOREVER };
		countdown_init(&w[i].c, 1000);
		bw_go(waits_to_read, &w[i]);
		bw_go(waits_to_read, &w[i]);
		bw_go(waits_in_poll, &w[i]);
	}
	if (arg)
		bw_sleep(MS);
	return 0;
}

static int uses_them_again(void *arg)
{
	char c;
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT(bw_write(left[i][1], "n", 1) == 1);
		EXPECT(bw_read_until(left[i][0], &c, 1, FAR) == 1 && c == 'n');
		if (arg)
			EXPECT(!bw_close(left[i][0]) && !bw_close(left[i][1]));
	}
	return 0;
}

static void waits_that_a_run_left_are_gone(void)
{
	int i;

	memset(left, 0, sizeof(left));
	for (i = 0; i < 10; i++) {
		bw_run(leaves_waits, i % 2 ? left : NULL);
		bw_run(uses_them_again, NULL);
	}
	bw_run(uses_them_again, left);
	/* the descriptors were really closed */
	EXPECT(fcntl(left[0][0], F_GETFD) < 0 && fcntl(left[1][0], F_GETFD) < 0);
}

static int idle(void *arg)
{
	static struct waiting w[100];
	struct rusage before, after;
	int fd[100][2], i;

	for (i = 0; i < 100; i++) {
		tcp_make(fd[i]);
		w[i] = (struct waiting){ .fd = fd[i][0],
					 .deadline = BW_FOREVER };
		countdown_init(&w[i].c, 1);
		bw_go(waits_to_read, &w[i]);
	}
	bw_sleep(300 * MS);
	getrusage(RUSAGE_SELF, &before);
	bw_sleep(500 * MS);
	getrusage(RUSAGE_SELF, &after);
	printf("# %ld switches of threads\n",
	       after.ru_nvcsw - before.ru_nvcsw);
	EXPECT(after.ru_nvcsw - before.ru_nvcsw <= 10);
	for (i = 0; i < 100; i++)
		bw_close(fd[i][1]);
	for (i = 0; i < 100; i++) {
		countdown_wait(&w[i].c);
		EXPECT(!w[i].wrong);
		bw_close(fd[i][0]);
	}
	return 0;
}

static void a_hundred_Gs_that_wait_wake_no_thread(void)
{
	run_it(idle);
}

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	seed = tap_seed(11);
	TEST(every_call_does_what_its_namesake_does);
	TEST(streams_of_all_kinds_carry_everything);
	TEST(what_cannot_be_polled_is_used_as_it_is);
	TEST(a_connection_that_is_refused_says_so);
	TEST(the_end_of_a_stream_is_seen_behind_its_last_bytes);
	TEST(a_close_ends_every_wait);
	TEST(who_waits_for_both_directions_waits_for_events_alone);
	TEST(a_wait_ends_at_its_deadline_and_loses_nothing);
	TEST(bytes_that_come_with_a_deadline_are_not_lost);
	TEST(all_who_wait_get_their_part_of_one_edge);
	TEST(a_number_that_is_used_again_is_another_descriptor);
	TEST(descriptors_are_looked_at_beside_Gs_that_only_yield);
	TEST(an_attached_thread_waits_by_itself);
	TEST(waits_that_a_run_left_are_gone);
	TEST(ten_thousand_sockets_are_served);
	TEST(a_hundred_Gs_that_wait_wake_no_thread);
	return tap_end();
}
