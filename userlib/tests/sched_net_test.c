// SPDX-License-Identifier: MIT
/*
 * Descriptors: what each call does, streams of all kinds and their ends, many at
 * once, attached threads, and fairness beside Gs that never wait.
 */
#include <sys/un.h>

#include "burrow/time.h"
#include "net_rig.h"

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

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	TEST(every_call_does_what_its_namesake_does);
	TEST(streams_of_all_kinds_carry_everything);
	TEST(what_cannot_be_polled_is_used_as_it_is);
	TEST(a_connection_that_is_refused_says_so);
	TEST(the_end_of_a_stream_is_seen_behind_its_last_bytes);
	TEST(descriptors_are_looked_at_beside_Gs_that_only_yield);
	TEST(an_attached_thread_waits_by_itself);
	TEST(ten_thousand_sockets_are_served);
	return tap_end();
}
