// SPDX-License-Identifier: MIT
/*
 * sched_peers_fiber: boost.fiber's rows of bench-sched-peers. With one P its
 * round-robin scheduler, with two its work stealing. Stacks are of 16 KiB, from its
 * pool where that is faster (few at a time) and allowed (one thread).
 */
#include <atomic>
#include <memory>
#include <vector>

#include <boost/fiber/all.hpp>

#include "fiber_threads.hpp"
extern "C" {
#include "sched_peers.h"
}

namespace fibers = boost::fibers;

static int nr_procs;
static bool pooled;
static const std::size_t stack_bytes = 16384;

template <typename Fn> static fibers::fiber start(Fn fn)
{
	static fibers::pooled_fixedsize_stack pool(stack_bytes);

	if (pooled)
		return fibers::fiber(fibers::launch::post, std::allocator_arg,
				     pool, fn);
	return fibers::fiber(fibers::launch::post, std::allocator_arg,
			     fibers::fixedsize_stack(stack_bytes), fn);
}

/*
 * Who waits for a number of fibers. They are never destroyed: the last may still
 * be on its way out of the mutex.
 */
class waiter {
	std::atomic<long> left_{0};
	fibers::mutex lock_;
	fibers::condition_variable_any over_;
	bool is_over_ = false;

public:
	void expect(long n)
	{
		is_over_ = false;
		left_ = n;
	}

	void one_less()
	{
		if (left_.fetch_sub(1) != 1)
			return;
		std::unique_lock<fibers::mutex> held(lock_);
		is_over_ = true;
		over_.notify_one();
	}

	void wait()
	{
		std::unique_lock<fibers::mutex> held(lock_);
		over_.wait(held, [this] { return is_over_; });
	}
};

static waiter w;

static double many(long n, long at_once)
{
	double t = ns_now();

	for (long i = 0; i < n; i += at_once) {
		w.expect(at_once);
		for (long k = 0; k < at_once; k++)
			start([] { w.one_less(); }).detach();
		w.wait();
	}
	return (ns_now() - t) / (double)n;
}

static double do_create()
{
	pooled = nr_procs == 1;
	many(10000, 1000);
	return many(100000, 1000);
}

static double do_join()
{
	long n = 100000;

	pooled = nr_procs == 1;
	double t = ns_now();
	for (long i = 0; i < n; i++)
		start([] {}).join();
	return (ns_now() - t) / (double)n;
}

static double do_yield()
{
	long n = 100000;
	double t = ns_now();

	w.expect(4);
	for (int i = 0; i < 4; i++)
		start([n] {
			for (long k = 0; k < n; k++)
				boost::this_fiber::yield();
			w.one_less();
		}).detach();
	w.wait();
	return (ns_now() - t) / (double)(4 * n);
}

using channel = fibers::unbuffered_channel<long>;

static double do_ping()
{
	long n = 50000, got;
	channel a, b;
	double t = ns_now();
	fibers::fiber other = start([&a, &b, n] {
		long x;

		for (long i = 0; i < n; i++) {
			a.pop(x);
			b.push(x);
		}
	});

	for (long i = 0; i < n; i++) {
		a.push(i);
		b.pop(got);
	}
	other.join();
	return (ns_now() - t) / (double)(2 * n);
}

static double do_fan()
{
	using queue = fibers::buffered_channel<long>;
	std::vector<std::unique_ptr<queue>> in;
	std::vector<fibers::fiber> workers;
	long n = 1000;

	for (int i = 0; i < WORKERS; i++) {
		in.emplace_back(new queue(2));
		queue *q = in.back().get();
		workers.push_back(start([q] {
			long x;

			while (q->pop(x) == fibers::channel_op_status::success)
				w.one_less();
		}));
	}
	double t = ns_now();
	for (long i = 0; i < n; i++) {
		w.expect(WORKERS);
		for (auto &q : in)
			q->push(i);
		w.wait();
	}
	t = ns_now() - t;
	for (auto &q : in)
		q->close();
	for (auto &f : workers)
		f.join();
	return t / (double)(n * WORKERS);
}

static void skynet(channel &up, long nr, long size)
{
	channel c;
	long sum = 0, x;

	if (size == 1) {
		up.push(nr);
		return;
	}
	for (int i = 0; i < 10; i++)
		start([&c, nr, size, i] {
			skynet(c, nr + i * size / 10, size / 10);
		}).detach();
	for (int i = 0; i < 10; i++) {
		c.pop(x);
		sum += x;
	}
	up.push(sum);
}

static double do_skynet()
{
	long n = 100000;
	channel c;
	long sum;
	double t = ns_now();

	start([&c, n] { skynet(c, 0, n); }).detach();
	c.pop(sum);
	if (sum != n * (n - 1) / 2)
		exit(1);
	return (ns_now() - t) / ((double)n * 10 / 9);
}

static fibers::mutex parked_lock;
static fibers::condition_variable parked_here;

static double do_parked()
{
	double t = ns_now();

	w.expect(NR_PARKED);
	for (long i = 0; i < NR_PARKED; i++)
		start([] {
			std::unique_lock<fibers::mutex> held(parked_lock);

			w.one_less();
			parked_here.wait(held);
		}).detach();
	w.wait();
	return (ns_now() - t) / NR_PARKED;
}

static double do_parked_bytes()
{
	double m = memory();

	do_parked();
	return (memory() - m) / NR_PARKED;
}

static double do_timer()
{
	static double sample[MAX_SAMPLES];

	for (int i = 0; i < 200; i++) {
		auto at = std::chrono::steady_clock::now() +
			  std::chrono::microseconds(100);

		boost::this_fiber::sleep_until(at);
		sample[i] = (double)std::chrono::nanoseconds(
			std::chrono::steady_clock::now() - at).count();
	}
	return median(sample, 200);
}

static const struct row rows[] = {
	{ "create", do_create },
	{ "join", do_join },
	{ "yield", do_yield },
	{ "ping", do_ping },
	{ "fan", do_fan },
	{ "skynet", do_skynet },
	{ "parked", do_parked },
	{ "parked-bytes", do_parked_bytes },
	{ "timer", do_timer },
	{ nullptr, nullptr },
};

int main(int argc, char **argv)
{
	const struct row *row = argc > 2 ? find_row(rows, argv[1]) : nullptr;

	if (!row)
		return NONE;
	nr_procs = atoi(argv[2]);
	if (nr_procs > 1)
		run_on_two_threads();
	printf("%.3f\n", row->fn());
	/* fibers that wait for ever, and the other thread */
	fflush(stdout);
	_exit(0);
}
