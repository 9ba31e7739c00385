// SPDX-License-Identifier: MIT
/*
 * net_bench: an echo server with many connections (net_bench.py has the rounds).
 *
 *	net_bench CONNECTIONS MS SERVER
 *
 * SERVER is *burrow*, a G for each connection; *raw*, one thread around
 * epoll_wait(2); or a program that prints its port and echoes for ever. The client,
 * in this process, is one thread with an epoll loop of its own, which sends 64 bytes
 * on every connection and again whenever they have come back; a quarter of MS goes
 * to warm up. "NAME VALUE" lines: round trips a second, the server's CPU time for
 * one, in us, which says something on a machine that has other work, too; then how
 * many took how long from the sending until the client had them: "took US COUNT"
 * lines, four an octave.
 */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "burrow/go.h"
#include "burrow/io.h"

#define BYTES		64
#define NR_BINS		96

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A listening socket; says where on standard output. */
static int listen_and_say(int flags)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	socklen_t len = sizeof(a);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, 4096) || getsockname(fd, (struct sockaddr *)&a, &len))
		fail("listen");
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

static void serve(void *arg)
{
	int fd = (int)(long)arg;
	char buf[4096];
	ssize_t n;

	while ((n = bw_read(fd, buf, sizeof(buf))) > 0)
		if (bw_write_all(fd, buf, (size_t)n) != n)
			break;
	bw_close(fd);
}

static int burrow_main(void *arg)
{
	int l = listen_and_say(SOCK_NONBLOCK), fd;

	while ((fd = bw_accept(l, NULL, NULL, 0)) >= 0)
		bw_go(serve, (void *)(long)fd);
	return 1;
}

static void watch(int ep, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		fail("epoll_ctl");
}

static void raw_main(void)
{
	int l = listen_and_say(0), ep = epoll_create1(0), i, nr, fd;
	struct epoll_event ev[64];
	char buf[4096];
	ssize_t n;

	watch(ep, l);
	for (;;) {
		nr = epoll_wait(ep, ev, 64, -1);
		for (i = 0; i < nr; i++) {
			fd = ev[i].data.fd;
			if (fd == l) {
				watch(ep, accept4(l, NULL, NULL,
						  SOCK_NONBLOCK));
				continue;
			}
			n = read(fd, buf, sizeof(buf));
			if (n <= 0 || write(fd, buf, (size_t)n) != n)
				close(fd);
		}
	}
}

static pid_t start(const char *server, int *port)
{
	int p[2];
	pid_t pid;
	FILE *f;

	if (pipe(p))
		fail("pipe");
	pid = fork();
	if (pid) {
		close(p[1]);
		f = fdopen(p[0], "r");
		if (!f || fscanf(f, "%d", port) != 1)
			fail(server);
		fclose(f);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(p[1], STDOUT_FILENO);
	close(p[0]);
	close(p[1]);
	if (!strcmp(server, "burrow"))
		exit(bw_run(burrow_main, NULL));
	if (!strcmp(server, "raw"))
		raw_main();
	else
		execl(server, server, NULL);
	_exit(127);
}

static int client_connect(int port, int i)
{
	/* more than one address, as each has so many ports only */
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i % 8),
	};
	struct linger no = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		fail("connect");
	/* nothing is left behind when it is closed */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &no, sizeof(no));
	return fd;
}

/* CPU time of a process, in us. */
static double cpu_of(pid_t pid)
{
	struct timespec ts;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &ts))
		fail("clock");
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* How many round trips took up to 2^(i / 4) us; [the client alone] */
static long bins[NR_BINS];
static long nr_took;

static void count(double us)
{
	int i = 0;
	double up_to = 1;

	for (; i < NR_BINS - 1 && up_to < us; i++)
		up_to *= 1.189207115;
	bins[i]++;
	nr_took++;
}

/* At most so many us in all but @part of them. */
static double all_but(double part)
{
	double up_to = 1;
	long left = nr_took;
	int i = 0;

	for (; i < NR_BINS - 1; i++) {
		left -= bins[i];
		if ((double)left <= part * (double)nr_took)
			break;
		up_to *= 1.189207115;
	}
	return up_to;
}

/**
 * struct conn - one connection; [the client alone]
 * @fd:		of it
 * @sent:	when its bytes went, s
 */
struct conn {
	int fd;
	double sent;
};

static void say_hello(struct conn *c)
{
	char buf[BYTES] = "";

	c->sent = seconds();
	if (write(c->fd, buf, BYTES) != BYTES)
		fail("write");
}

/* What has come back goes out again. */
static void turn(struct conn *c, bool counts)
{
	char buf[BYTES];
	double now;

	if (recv(c->fd, buf, BYTES, MSG_WAITALL) != BYTES)
		fail("a server ended");
	now = seconds();
	if (counts)
		count((now - c->sent) * 1e6);
	c->sent = now;
	if (write(c->fd, buf, BYTES) != BYTES)
		fail("a server ended");
}

static struct conn *connect_all(int port, int conns, int ep)
{
	struct conn *c = calloc((size_t)conns, sizeof(*c));
	int i;

	if (!c)
		fail("calloc");
	for (i = 0; i < conns; i++) {
		struct epoll_event ev = { .events = EPOLLIN,
					  .data.ptr = &c[i] };

		c[i].fd = client_connect(port, i);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, c[i].fd, &ev))
			fail("epoll_ctl");
	}
	for (i = 0; i < conns; i++)
		say_hello(&c[i]);
	return c;
}

static void client(pid_t server, int port, int conns, double duration)
{
	int ep = epoll_create1(0), i, nr;
	struct conn *c = connect_all(port, conns, ep);
	struct epoll_event ev[64];
	double warm = seconds() + duration / 4, from = 0, cpu = 0, now;
	long n = 0;

	while ((now = seconds()) < warm + duration) {
		if (!from && now >= warm) {
			from = now;
			cpu = cpu_of(server);
		}
		nr = epoll_wait(ep, ev, 64, 100);
		for (i = 0; i < nr; i++)
			turn(ev[i].data.ptr, from > 0);
		if (from > 0)
			n += nr;
	}
	cpu = cpu_of(server) - cpu;
	if (!n)
		fail("not one round trip");
	printf("rate %.1f\ncpu %.3f\n", (double)n / (seconds() - from),
	       cpu / (double)n);
	free(c);
}

static void tell_tail(void)
{
	double up_to = 1;
	int i;

	printf("p99 %.1f\n", all_but(0.01));
	for (i = 0; i < NR_BINS; i++, up_to *= 1.189207115)
		if (bins[i])
			printf("took %.1f %ld\n", up_to, bins[i]);
}

int main(int argc, char **argv)
{
	int conns = argc == 4 ? atoi(argv[1]) : 0, port;
	struct rlimit lim;
	pid_t pid;

	if (conns < 1 || atof(argv[2]) <= 0)
		return 2;
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	pid = start(argv[3], &port);
	client(pid, port, conns, atof(argv[2]) / 1000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	tell_tail();
	return 0;
}
