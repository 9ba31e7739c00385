// SPDX-License-Identifier: MIT
/*
 * lang_bench_fiber: boost.fiber's rows of bench-lang, as lang_bench.c has them. With
 * one P its round-robin scheduler, with two its work stealing.
 *
 * Its buffered channel has room for one less than its capacity, a power of two: "1" is
 * one of 2, "128" one of 256. It has no select and no waitgroup.
 */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <time.h>
#include <unistd.h>

#include <boost/fiber/all.hpp>

#include "fiber_threads.hpp"

namespace fibers = boost::fibers;

static const long N = 300000;
static const int NONE = 77;
static clockid_t clock_id = CLOCK_MONOTONIC;

static double ns_now()
{
	struct timespec ts;

	clock_gettime(clock_id, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

template <typename Fn> static fibers::fiber start(Fn fn)
{
	return fibers::fiber(fibers::launch::post, std::allocator_arg,
			     fibers::fixedsize_stack(16384), fn);
}

using unbuffered = fibers::unbuffered_channel<long>;
using buffered = fibers::buffered_channel<long>;

static double do_buffer()
{
	buffered c(256);
	double t = ns_now();
	long value;

	for (long i = 0; i < N / 64; i++) {
		for (long k = 0; k < 64; k++)
			c.push(k);
		for (long k = 0; k < 64; k++)
			c.pop(value);
	}
	return (ns_now() - t) / (double)(N / 64 * 64);
}

static double do_ping()
{
	unbuffered a, b;
	long value;
	fibers::fiber other = start([&a, &b] {
		long x;

		while (a.pop(x) == fibers::channel_op_status::success)
			b.push(x);
	});
	double t = ns_now();

	for (long i = 0; i < N; i++) {
		a.push(i);
		b.pop(value);
	}
	t = (ns_now() - t) / N / 2;
	a.close();
	other.join();
	return t;
}

template <typename Channel> static double through(Channel &c, long pairs)
{
	std::vector<fibers::fiber> all;
	double t = ns_now();

	for (long i = 0; i < pairs; i++) {
		all.push_back(start([&c, pairs] {
			for (long k = 0; k < N / pairs; k++)
				c.push(k);
		}));
		all.push_back(start([&c, pairs] {
			long value;

			for (long k = 0; k < N / pairs; k++)
				c.pop(value);
		}));
	}
	for (auto &f : all)
		f.join();
	return (ns_now() - t) / N;
}

template <long cap, long pairs> static double do_through()
{
	if (cap) {
		buffered c(2 * cap);

		return through(c, pairs);
	}
	unbuffered c;

	return through(c, pairs);
}

static fibers::mutex mutex;
static long worked;

static double do_lock()
{
	double t = ns_now();

	for (long i = 0; i < N; i++) {
		mutex.lock();
		mutex.unlock();
	}
	return (ns_now() - t) / N;
}

static double do_fight()
{
	std::vector<fibers::fiber> all;
	double t = ns_now();

	for (int f = 0; f < 4; f++)
		all.push_back(start([] {
			for (long i = 0; i < N / 4; i++) {
				mutex.lock();
				long x = worked;
				for (long k = 0; k < 20; k++)
					x = x * 5 + k;
				worked = x;
				mutex.unlock();
			}
		}));
	for (auto &f : all)
		f.join();
	return (ns_now() - t) / N;
}

static const struct row {
	const char *name;
	double (*fn)();
} rows[] = {
	{ "buffer", do_buffer }, { "ping", do_ping },
	{ "spsc0", do_through<0, 1> }, { "spsc1", do_through<1, 1> },
	{ "spsc128", do_through<128, 1> }, { "mpmc0", do_through<0, 4> },
	{ "mpmc1", do_through<1, 4> }, { "mpmc128", do_through<128, 4> },
	{ "lock", do_lock }, { "fight", do_fight },
};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	for (auto &row : rows) {
		if (strcmp(row.name, argv[1]))
			continue;
		if (!strcmp(argv[2], "1"))
			clock_id = CLOCK_PROCESS_CPUTIME_ID;
		else
			run_on_two_threads();
		/* the first time, memory is touched and threads are made */
		row.fn();
		printf("%.1f\n", row.fn());
		fflush(stdout);
		/* the other thread is still there */
		_exit(0);
	}
	return NONE;
}
