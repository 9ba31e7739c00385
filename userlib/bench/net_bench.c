// SPDX-License-Identifier: MIT
/*
 * net_bench: echo servers with many connections, one after another.
 *
 *	net_bench CONNECTIONS MS ROUNDS SERVER...
 *
 * A SERVER is *burrow*, a G for each connection; *raw*, one thread around
 * epoll_wait(2); or a program that prints its port and echoes for ever. Each is
 * started anew for each round, in turn. The client, in this process, is one
 * thread with an epoll loop of its own, which sends 64 bytes on every connection
 * and again whenever they have come back. A line for each server: round trips a
 * second, the least, the median and the most, and the median of its ratio to the
 * first server of the same round; then the server's CPU time for a round trip, in
 * us, the median, and of its ratios. That one says something on a machine that
 * has other work, too.
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
#define MAX_ROUNDS	100
#define MAX_SERVERS	8

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

/**
 * struct result - of a server in a round, or of all rounds in order
 * @rate:	round trips a second
 * @cpu:	the server's CPU time for one, us
 */
struct result {
	double rate, cpu;
};

static struct result client(pid_t server, int port, int conns, double duration)
{
	int *fd = calloc((size_t)conns, sizeof(*fd));
	int ep = epoll_create1(0), i, nr;
	struct epoll_event ev[64];
	char buf[BYTES] = "";
	double from, warm, cpu = 0;
	long n = 0;

	for (i = 0; i < conns; i++) {
		fd[i] = client_connect(port, i);
		watch(ep, fd[i]);
	}
	for (i = 0; i < conns; i++)
		if (write(fd[i], buf, BYTES) != BYTES)
			fail("write");
	warm = seconds() + duration / 4;
	from = warm;
	while (seconds() < warm + duration) {
		if (!n) {
			from = seconds();
			cpu = cpu_of(server);
		}
		nr = epoll_wait(ep, ev, 64, 100);
		for (i = 0; i < nr; i++)
			if (recv(ev[i].data.fd, buf, BYTES, MSG_WAITALL) !=
			    BYTES || write(ev[i].data.fd, buf, BYTES) != BYTES)
				fail("a server ended");
		if (from >= warm || seconds() >= warm)
			n += nr;
	}
	duration = seconds() - from;
	cpu = cpu_of(server) - cpu;
	for (i = 0; i < conns; i++)
		close(fd[i]);
	close(ep);
	free(fd);
	return (struct result){ (double)n / duration, cpu / (double)n };
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct result got[MAX_SERVERS][MAX_ROUNDS];

static double at(const struct result *r, bool is_cpu)
{
	return is_cpu ? r->cpu : r->rate;
}

/* Of the results of server @s, or their ratios to the first one's, in order. */
static void in_order(double *v, int s, int rounds, bool is_cpu, bool is_ratio)
{
	int r;

	for (r = 0; r < rounds; r++)
		v[r] = at(&got[s][r], is_cpu) /
		       (is_ratio ? at(&got[0][r], is_cpu) : 1);
	qsort(v, (size_t)rounds, sizeof(v[0]), by_value);
}

static void tell(const char *server, int s, int conns, int rounds)
{
	const char *name = strrchr(server, '/');
	double v[MAX_ROUNDS];

	in_order(v, s, rounds, false, false);
	printf("%-8s %6d %9.0f %9.0f %9.0f", name ? name + 1 : server, conns,
	       v[0], v[rounds / 2], v[rounds - 1]);
	in_order(v, s, rounds, false, true);
	printf("   %.2f", v[rounds / 2]);
	in_order(v, s, rounds, true, false);
	printf("   %8.2f", v[rounds / 2]);
	in_order(v, s, rounds, true, true);
	printf("   %.2f\n", v[rounds / 2]);
}

int main(int argc, char **argv)
{
	int conns = argc > 4 ? atoi(argv[1]) : 0, rounds, r, s, port;
	double duration;
	struct rlimit lim;

	if (conns < 1 || argc - 4 > MAX_SERVERS)
		return 2;
	duration = atof(argv[2]) / 1000;
	rounds = atoi(argv[3]);
	if (rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	for (r = 0; r < rounds; r++)
		for (s = 0; s < argc - 4; s++) {
			pid_t pid = start(argv[s + 4], &port);

			got[s][r] = client(pid, port, conns, duration);
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
	for (s = 0; s < argc - 4; s++)
		tell(argv[s + 4], s, conns, rounds);
	return 0;
}
