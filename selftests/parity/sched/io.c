// SPDX-License-Identifier: MIT
/* io: descriptors (script.c). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <burrow/io.h>
#include <burrow/time.h>
#include <burrow/trace.h>

#include "script.h"

#define MS		1000000ULL
#define NR_CLIENTS	10
#define NR_ROUNDS	5
#define BIG		(256 << 10)

static struct crowd crowd;
static int fd[2];
static char big[BIG];

static void flags_of(const char *what, int d)
{
	printf("%s: %s\n", what, fcntl(d, F_GETFL) & O_NONBLOCK ?
	       "O_NONBLOCK" : "blocks");
}

static void writes(void *arg)
{
	long n = (long)bw_write_all(fd[1], big, BIG);

	number("written", n);
	number("close", bw_close(fd[1]));
	crowd_less(&crowd);
}

/* More than fits, through whatever @fd is. */
static void stream(const char *what)
{
	long n;

	printf("- %s\n", what);
	crowd_begin(&crowd, 1);
	bw_go(writes, NULL);
	n = (long)bw_read_all(fd[0], big, BIG);
	crowd_wait(&crowd);
	number("read", n);
	number("then", (long)bw_read(fd[0], big, 1));
	flags_of("flags", fd[0]);
	number("close", bw_close(fd[0]));
	number("close again", bw_close(fd[0]));
	number("a read of what was closed", (long)bw_read(fd[0], big, 1));
}

static int streams(void *arg)
{
	if (pipe(fd))
		return 1;
	stream("a pipe");
	if (pipe2(fd, O_NONBLOCK))
		return 1;
	stream("a pipe that does not block");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return 1;
	stream("a pair of sockets");
	return 0;
}

static int calls(void *arg)
{
	char a[3], b[4];
	struct iovec in[2] = { { a, 3 }, { b, 4 } };
	struct iovec out[2] = { { "abc", 3 }, { "defg", 4 } };

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return 1;
	number("read, nothing there", (long)bw_read_until(fd[0], a, 1, 1));
	number("... in 2 ms", (long)bw_recv_until(fd[0], a, 1, 0,
						  bw_now() + 2 * MS));
	number("poll", bw_poll(fd[0], POLLOUT));
	number("poll in vain", bw_poll_until(fd[0], POLLIN, 1));
	number("writev", (long)bw_writev(fd[1], out, 2));
	number("poll", bw_poll(fd[0], POLLIN));
	number("readv", (long)bw_readv(fd[0], in, 2));
	printf("%.3s %.4s\n", a, b);
	number("send", (long)bw_send(fd[1], "hello", 5, 0));
	number("peek", (long)bw_recv(fd[0], a, 3, MSG_PEEK));
	number("recv", (long)bw_recv(fd[0], b, 4, 0));
	number("the end", bw_close(fd[1]));
	number("what was left", (long)bw_read(fd[0], b, 4));
	number("and then", (long)bw_read(fd[0], b, 4));
	number("write", (long)bw_write(fd[0], b, 4));
	number("close", bw_close(fd[0]));
	number("no descriptor", (long)bw_write(-1, b, 4));
	number("a bad address", (long)bw_write(STDERR_FILENO, (void *)1, 4));
	return 0;
}

static int files(void *arg)
{
	int d = memfd_create("file", 0);
	char c[8];

	if (d < 0)
		return 1;
	number("write", (long)bw_write(d, "12345678", 8));
	lseek(d, 2, SEEK_SET);
	number("read", (long)bw_read(d, c, 8));
	printf("%.6s\n", c);
	number("read on", (long)bw_read(d, c, 8));
	number("poll", bw_poll(d, POLLIN | POLLOUT));
	number("close", bw_close(d));
	return 0;
}

static void waits(void *arg)
{
	long *result = arg;
	char c;

	*result = (long)bw_read(fd[0], &c, 1);
	crowd_less(&crowd);
}

static uint64_t io_waits(void)
{
	struct bw_stats stats = { .size = sizeof(stats) };

	bw_stats(&stats);
	return stats.io_waits;
}

static int closes(void *arg)
{
	uint64_t before;
	long result[3];
	int i;

	if (pipe2(fd, O_NONBLOCK))
		return 1;
	crowd_begin(&crowd, 3);
	before = io_waits();
	for (i = 0; i < 3; i++)
		bw_go(waits, &result[i]);
	while (io_waits() - before < 3)
		bw_sleep(MS);
	number("close", bw_close(fd[0]));
	crowd_wait(&crowd);
	for (i = 0; i < 3; i++)
		number("a read that was cut short", result[i]);
	bw_close(fd[1]);
	return 0;
}

static struct sockaddr_in where;
static int listener;

static void serves(void *arg)
{
	int d = (int)(long)arg;
	char c[16];
	ssize_t n;

	while ((n = bw_read(d, c, sizeof(c))) > 0)
		bw_write_all(d, c, (size_t)n);
	bw_close(d);
	crowd_less(&crowd);
}

static void accepts(void *arg)
{
	int i, d;

	for (i = 0; i < NR_CLIENTS; i++) {
		d = bw_accept(listener, NULL, NULL, SOCK_CLOEXEC);
		if (d < 0)
			number("accept", d);
		bw_go(serves, (void *)(long)d);
	}
	crowd_less(&crowd);
}

static long nr_echoed;

static void asks(void *arg)
{
	int d = bw_socket(AF_INET, SOCK_STREAM, 0), i, err;
	char c[8];

	err = bw_connect(d, (struct sockaddr *)&where, sizeof(where));
	if (err)
		number("connect", err);
	for (i = 0; i < NR_ROUNDS; i++) {
		bw_write_all(d, "question", 8);
		if (bw_read_all(d, c, 8) == 8 && !memcmp(c, "question", 8))
			__atomic_add_fetch(&nr_echoed, 1, __ATOMIC_RELAXED);
	}
	bw_close(d);
	crowd_less(&crowd);
}

static int echo(void *arg)
{
	socklen_t len = sizeof(where);
	int i, d;

	nr_echoed = 0;
	where = (struct sockaddr_in){ .sin_family = AF_INET };
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = bw_socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&where, len) ||
	    listen(listener, NR_CLIENTS) ||
	    getsockname(listener, (struct sockaddr *)&where, &len))
		return 1;
	number("nobody comes", bw_accept_until(listener, NULL, NULL, 0,
					       bw_now() + 2 * MS));
	crowd_begin(&crowd, 2 * NR_CLIENTS + 1);
	bw_go(accepts, NULL);
	for (i = 0; i < NR_CLIENTS; i++)
		bw_go(asks, NULL);
	crowd_wait(&crowd);
	number("answers", __atomic_load_n(&nr_echoed, __ATOMIC_RELAXED));
	number("close", bw_close(listener));
	d = bw_socket(AF_INET, SOCK_STREAM, 0);
	number("nobody listens",
	       bw_connect(d, (struct sockaddr *)&where, sizeof(where)));
	bw_close(d);
	return 0;
}

static bool has_read;

static void blocks(void *arg)
{
	char c;

	bw_block_begin();
	__atomic_store_n(&has_read, read(fd[0], &c, 1) == 1, __ATOMIC_SEQ_CST);
	bw_block_end();
	crowd_less(&crowd);
}

/* The only P comes back from a read that nobody but we can end. */
static int blocked(void *arg)
{
	if (pipe(fd))
		return 1;
	has_read = false;
	crowd_begin(&crowd, 1);
	bw_go(blocks, NULL);
	bw_sleep(30 * MS);
	holds("it has read", __atomic_load_n(&has_read, __ATOMIC_SEQ_CST));
	number("write", write(fd[1], "x", 1));
	crowd_wait(&crowd);
	holds("it has read", __atomic_load_n(&has_read, __ATOMIC_SEQ_CST));
	close(fd[0]);
	close(fd[1]);
	return 0;
}

void io_script(void)
{
	int procs;

	section("descriptors");
	for (procs = 1; procs < 3; procs++) {
		run_on(procs, "streams", streams);
		run_on(procs, "calls", calls);
		run_on(procs, "files", files);
		run_on(procs, "closes", closes);
		run_on(procs, "echo", echo);
		run_on(procs, "blocked", blocked);
	}
}
