// SPDX-License-Identifier: MIT
// map_bench_peers: maps of C++ libraries, one a program (map_bench.h):
// -DPEER_STD, -DPEER_ABSL, -DPEER_BOOST.
#include <string_view>
#include <vector>

#include "map_bench.h"

#if defined(PEER_ABSL)
#include "absl/container/flat_hash_map.h"
template <class K> using map_of = absl::flat_hash_map<K, uint64_t>;
#elif defined(PEER_BOOST)
#include <boost/unordered/unordered_flat_map.hpp>
template <class K> using map_of = boost::unordered_flat_map<K, uint64_t>;
#else
#include <unordered_map>
template <class K> using map_of = std::unordered_map<K, uint64_t>;
#endif

static size_t nr;
static uint64_t sum;

static uint64_t word(const uint64_t *w)
{
	return *w;
}

static std::string_view word(const text *t)
{
	return { t->ptr, t->len };
}

template <class F> static void step(double *ns, int which, F fn)
{
	double t = cpu_ns();
	size_t got = fn();

	ns[which] += cpu_ns() - t;
	if (got != (which == MISS ? 0 : nr)) {
		fprintf(stderr, "%zu in place of %zu\n", got, nr);
		exit(1);
	}
}

template <class K, class T>
static void run(double *ns, const T *in, const T *look, const T *other)
{
	for (size_t r = 0; r < rounds_of(nr); r++) {
		map_of<K> m;

		step(ns, INSERT, [&] {
			for (size_t i = 0; i < nr; i++)
				m[word(&in[i])] = i;
			return m.size();
		});
		step(ns, HIT, [&] {
			size_t got = 0;
			for (size_t i = 0; i < nr; i++)
				got += m.find(word(&look[i])) != m.end();
			return got;
		});
		step(ns, MISS, [&] {
			size_t got = 0;
			for (size_t i = 0; i < nr; i++)
				got += m.find(word(&other[i])) != m.end();
			return got;
		});
		step(ns, ITERATE, [&] {
			size_t got = 0;
			for (auto &e : m) {
				sum += e.second;
				got++;
			}
			return got;
		});
		step(ns, DELETE, [&] {
			size_t got = 0;
			for (size_t i = 0; i < nr; i++)
				got += m.erase(word(&look[i]));
			return got;
		});
	}
}

static double append_ns()
{
	std::vector<uint64_t> s;
	double t = cpu_ns();

	for (size_t i = 0; i < nr; i++)
		s.push_back(i);
	return (cpu_ns() - t) / (double)s.size();
}

static void worst_by(clockid_t id, const char *what, const uint64_t *in,
		     bool floor)
{
	struct slowest slowest = {};
	map_of<uint64_t> m;
	double was = clock_ns(id), now;

	for (size_t i = 0; i < nr; i++) {
		if (floor)
			sum += in[i];
		else
			m[in[i]] = i;
		now = clock_ns(id);
		slowest_add(&slowest, now - was);
		was = now;
	}
	slowest_tell(&slowest, what, nr);
}

int main(int argc, char **argv)
{
	double ns[NR_STEPS] = { 0 };

	if (argc != 3 || !(nr = strtoul(argv[2], NULL, 0)))
		return 2;
	uint64_t *in = words_of(nr, 0, 0), *look = words_of(nr, 0, 1);
	uint64_t *other = words_of(nr, nr, 0);

	if (!strcmp(argv[1], "worst")) {
		worst_by(CLOCK_MONOTONIC, "clock", in, false);
		worst_by(CLOCK_MONOTONIC, "clock-floor", in, true);
		worst_by(CLOCK_THREAD_CPUTIME_ID, "cpu", in, false);
		worst_by(CLOCK_THREAD_CPUTIME_ID, "cpu-floor", in, true);
		return 0;
	}
	if (!strcmp(argv[1], "append")) {
#ifdef PEER_STD
		append_ns();
		printf("append %.2f\n", append_ns());
		return 0;
#else
		return 77;
#endif
	}
	if (!strcmp(argv[1], "u64"))
		run<uint64_t>(ns, in, look, other);
	else
		run<std::string_view>(ns, texts_of(in, nr), texts_of(look, nr),
				      texts_of(other, nr));
	tell(ns, nr);
}
