// SPDX-License-Identifier: MIT
/*
 * Gs that wait for descriptors: deadlines, what close() ends, who gets what an edge
 * brought, numbers that are used again, and what a run left.
 */
#include "burrow/time.h"
#include "burrow/trace.h"
#include "net_rig.h"

static u64 seed;

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
	int fd[100][2], i;

	for (i = 0; i < 100; i++) {
		tcp_make(fd[i]);
		w[i] = (struct waiting){ .fd = fd[i][0],
					 .deadline = BW_FOREVER };
		countdown_init(&w[i].c, 1);
		bw_go(waits_to_read, &w[i]);
	}
	EXPECT(rig_comes_to_rest());
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
	TEST(a_close_ends_every_wait);
	TEST(who_waits_for_both_directions_waits_for_events_alone);
	TEST(a_wait_ends_at_its_deadline_and_loses_nothing);
	TEST(bytes_that_come_with_a_deadline_are_not_lost);
	TEST(all_who_wait_get_their_part_of_one_edge);
	TEST(a_number_that_is_used_again_is_another_descriptor);
	TEST(waits_that_a_run_left_are_gone);
	TEST(a_hundred_Gs_that_wait_wake_no_thread);
	return tap_end();
}
