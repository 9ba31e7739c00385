/* SPDX-License-Identifier: MIT */
/*
 * fiber_threads.hpp: boost.fiber on two threads that steal each other's work, for the
 * programs in C++ that stand beside burrow with two Ps.
 */
#ifndef BW_BENCH_FIBER_THREADS_HPP
#define BW_BENCH_FIBER_THREADS_HPP

#include <mutex>
#include <thread>

#include <boost/fiber/all.hpp>

static inline void steal_work()
{
	boost::fibers::use_scheduling_algorithm<
		boost::fibers::algo::work_stealing>(2u, true);
}

/* The second thread only lends a hand. */
static inline void helps()
{
	static boost::fibers::mutex lock;
	static boost::fibers::condition_variable never;

	steal_work();
	std::unique_lock<boost::fibers::mutex> held(lock);
	never.wait(held);
}

/* Called by main(), before there are fibers. */
static inline void run_on_two_threads()
{
	std::thread(helps).detach();
	steal_work();
}

#endif
