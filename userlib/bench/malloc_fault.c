// SPDX-License-Identifier: MIT
/*
 * malloc_fault: what it costs malloc that memory comes and goes, in kernel mode,
 * in user mode, and glibc's beside them. For a VM whose clock counts instructions
 * (make bench-vm ONLY=malloc); elsewhere the figures are times.
 *
 *	malloc_fault			all rows, as selftests/bench/main.c tells them
 *	malloc_fault ROW PEER		one, by their numbers: nanoseconds
 *
 * Every measurement is a process of its own: a heap grows but once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "malloc/entry.h"
#include "vm_row.h"

#define REPEATS		5	/* at most MAX_ROUNDS */
#define FRAME		4096UL
#define TOTAL		(16UL << 20)
#define CYCLES		8U

/**
 * struct peer - whose malloc
 * @name:	in the table
 * @mode:	BURROW_MODE
 */
struct peer {
	const char *name;
	const char *mode;
	void *(*alloc)(size_t n);
	void (*give)(void *p);
	void *(*again)(void *p, size_t n);
	int (*trim)(size_t pad);
};

/* The first is what the others are compared with. */
static const struct peer peers[] = {
	{ "user mode", "user", bw_mem_malloc, bw_mem_free, bw_mem_realloc,
	  bw_mem_trim },
	{ "kernel mode", "kernel", bw_mem_malloc, bw_mem_free, bw_mem_realloc,
	  bw_mem_trim },
	{ "glibc", "user", malloc, free, realloc, malloc_trim },
};

#define NR_PEERS	(sizeof(peers) / sizeof(*peers))

static void *block[TOTAL / 64];

static void touch(char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += FRAME)
		p[i] = 1;
	p[n - 1] = 1;
}

static void fill(const struct peer *peer, size_t n)
{
	size_t i;

	for (i = 0; i < TOTAL / n; i++) {
		block[i] = peer->alloc(n);
		if (!block[i])
			exit(2);
		touch(block[i], n);
	}
}

static void drop(const struct peer *peer, size_t n)
{
	size_t i;

	for (i = 0; i < TOTAL / n; i++)
		peer->give(block[i]);
}

/* A process that grows, and ends. */
static void grow(const struct peer *peer, size_t n)
{
	fill(peer, n);
}

/* All of it is freed and allocated again. */
static void tide(const struct peer *peer, size_t n)
{
	unsigned int i;

	for (i = 0; i < CYCLES; i++) {
		fill(peer, n);
		drop(peer, n);
	}
}

/* And goes back to the system in between. */
static void ebb(const struct peer *peer, size_t n)
{
	unsigned int i;

	for (i = 0; i < CYCLES; i++) {
		fill(peer, n);
		drop(peer, n);
		peer->trim(0);
	}
}

/* One block that grows by @n bytes, and is filled. */
static void stretch(const struct peer *peer, size_t n)
{
	size_t had = 0, size;
	char *p = NULL;

	for (size = n; size <= TOTAL; size += n) {
		p = peer->again(p, size);
		if (!p)
			exit(2);
		touch(p + had, size - had);
		had = size;
	}
	peer->give(p);
}

/*
 * Two that do so in turns: each finds the other behind it, and moves. They end here
 * where neither did: the row would be another.
 */
static void race(const struct peer *peer, size_t n)
{
	size_t size, moves = 0;
	char *p[2] = { NULL };
	unsigned int i;

	for (size = n; size <= TOTAL / 2; size += n)
		for (i = 0; i < 2; i++) {
			char *was = p[i];

			p[i] = peer->again(p[i], size);
			if (!p[i])
				exit(2);
			moves += was && was != p[i];
			touch(p[i] + size - n, n);
		}
	if (moves < 4)
		exit(3);
	peer->give(p[0]);
	peer->give(p[1]);
}

#define PAGES(cycles)	((double)(cycles) * TOTAL / FRAME)

static const struct row {
	const char *name;
	void (*fn)(const struct peer *peer, size_t n);
	size_t n;
	double pages;
} rows[] = {
	{ "fresh growth, blocks of 64", grow, 64, PAGES(1) },
	{ "fresh growth, blocks of 1000", grow, 1000, PAGES(1) },
	{ "fresh growth, blocks of 32K", grow, 32768, PAGES(1) },
	{ "fresh growth, blocks of 1M", grow, 1 << 20, PAGES(1) },
	{ "grow and shrink, blocks of 64", tide, 64, PAGES(CYCLES) },
	{ "grow and shrink, blocks of 32K", tide, 32768, PAGES(CYCLES) },
	{ "grow and shrink, blocks of 1M", tide, 1 << 20, PAGES(CYCLES) },
	{ "grow, shrink and trim, blocks of 64", ebb, 64, PAGES(CYCLES) },
	{ "grow, shrink and trim, blocks of 32K", ebb, 32768, PAGES(CYCLES) },
	{ "grow, shrink and trim, blocks of 1M", ebb, 1 << 20, PAGES(CYCLES) },
	{ "a block that grows by 64K", stretch, 65536, PAGES(1) },
	{ "two that grow in turns by 64K, and move", race, 65536, PAGES(1) },
	{ "two that grow in turns by 1M, and move", race, 1 << 20, PAGES(1) },
};

#define NR_ROWS		(sizeof(rows) / sizeof(*rows))

/* The first call, which opens the heap, is not the row's. */
static int one(const struct row *r, const struct peer *peer)
{
	double from;

	peer->give(peer->alloc(1));
	from = now_ns();
	r->fn(peer, r->n);
	printf("%.0f\n", now_ns() - from);
	return 0;
}

/* Negative: it did not end well. */
static double again(const struct row *r, const struct peer *peer)
{
	char row[16], which[16];

	snprintf(row, sizeof(row), "%zu", (size_t)(r - rows));
	snprintf(which, sizeof(which), "%zu", (size_t)(peer - peers));
	return child_says(peer->mode, "malloc_fault", row, which);
}

static int tell(const struct row *r, const struct peer *peer)
{
	double cost[REPEATS];
	unsigned int i;

	for (i = 0; i < REPEATS; i++)
		cost[i] = again(r, peer) / r->pages;
	return row_tell(r->name, peer->name, peers[0].name, "4K page", cost,
			REPEATS);
}

int main(int argc, char **argv)
{
	const struct peer *peer;
	const struct row *r;
	int bad = 0;

	if (argc == 3)
		return one(&rows[atoi(argv[1])], &peers[atoi(argv[2])]);
	printf("=malloc\n");
	fflush(stdout);
	for (r = rows; r < rows + NR_ROWS; r++)
		for (peer = peers; peer < peers + NR_PEERS; peer++)
			bad |= tell(r, peer);
	return bad;
}
