/* SPDX-License-Identifier: MIT */
/*
 * map_bench: keys, the clock and the rows, for map_bench.c and map_bench_peers.cpp;
 * map_bench.go has the same.
 *
 *	PROGRAM u64|string N	a line each: what, nanoseconds of CPU time for each key
 *	PROGRAM worst N		inserts of words: the slowest, and the one that 1 of a
 *				million is slower than; by the clock and in CPU time; and
 *				*floor*, the same loop without a map, which has all that
 *				others do to the thread
 *	PROGRAM append N	words appended to a slice one by one, each
 *
 *	insert	N keys that are not there, into a new map
 *	hit	each of them, in another order
 *	miss	as many that are not there
 *	iterate	over all
 *	delete	each, in the other order
 *
 * Strings are pointer and length, 16 to 23 bytes long; those that are looked up are
 * others than those in the map.
 */
#ifndef MAP_BENCH_H
#define MAP_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INSERT, HIT, MISS, ITERATE, DELETE, NR_STEPS };

static const char *const step_name[NR_STEPS] = {
	"insert", "hit", "miss", "iterate", "delete",
};

static inline double clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static inline double cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline uint64_t key_of(uint64_t i)
{
	i = (i + 1) * 0x9e3779b97f4a7c15ULL;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9ULL;
	i = (i ^ i >> 27) * 0x94d049bb133111ebULL;
	return i ^ i >> 31;
}

#define SLOWEST		64

/* The slowest of so many steps, slowest first. */
struct slowest {
	double ns[SLOWEST];
};

static inline void slowest_add(struct slowest *s, double ns)
{
	int i;

	if (ns <= s->ns[SLOWEST - 1])
		return;
	for (i = SLOWEST - 1; i > 0 && s->ns[i - 1] < ns; i--)
		s->ns[i] = s->ns[i - 1];
	s->ns[i] = ns;
}

static inline void slowest_tell(const struct slowest *s, const char *what, size_t n)
{
	size_t of_million = n / 1000000;

	printf("%s %.0f\n", what, s->ns[0]);
	if (of_million < SLOWEST)
		printf("%s-1e-6 %.0f\n", what, s->ns[of_million]);
}

struct text {
	const char *ptr;
	size_t len;
};

static inline void *need(void *p)
{
	if (!p) {
		fprintf(stderr, "no memory\n");
		exit(1);
	}
	return p;
}

/* Keys from @first on; @order: in that of keys, or another. */
static inline uint64_t *words_of(size_t n, size_t first, int order)
{
	uint64_t *word = (uint64_t *)need(malloc(n * sizeof(*word)));
	size_t i, k;

	for (i = 0; i < n; i++)
		word[i] = key_of(first + i);
	for (i = n; order && i > 1; i--) {
		uint64_t last = word[i - 1];

		k = key_of(~i) % i;
		word[i - 1] = word[k];
		word[k] = last;
	}
	return word;
}

static inline struct text *texts_of(const uint64_t *word, size_t n)
{
	struct text *text = (struct text *)need(malloc(n * sizeof(*text)));
	char *p = (char *)need(malloc(n * 24));
	size_t i;

	for (i = 0; i < n; i++, p += 24) {
		text[i].ptr = p;
		text[i].len = (size_t)snprintf(p, 24, "%016llx%.*s",
					       (unsigned long long)word[i],
					       (int)(word[i] % 8), "-abcdef");
	}
	return text;
}

/* So often, that there is something to measure. */
static inline size_t rounds_of(size_t n)
{
	return n < 300000 ? 300000 / n + 1 : 1;
}

static inline void tell(const double *ns, size_t n)
{
	int i;

	for (i = 0; i < NR_STEPS; i++)
		printf("%s %.2f\n", step_name[i],
		       ns[i] / (double)(rounds_of(n) * n));
}

#endif
