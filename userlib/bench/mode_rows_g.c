// SPDX-License-Identifier: MIT
/*
 * mode_rows_g: Gs, calls in which they block, and collections (mode_bench.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "burrow.h"
#include "last_one.h"
#include "mode_bench.h"

#define GS	4000
#define BLOCKS	50

static double result;

static double in_a_run(int (*fn)(void *arg))
{
	if (bw_run(fn, NULL))
		die("bw_run");
	return result;
}

static void count(void *arg)
{
	one_less();
}

static int spawn(void *arg)
{
	double from = 0;
	long i, k;

	boss = bw_self();
	for (i = 0; i < 11; i++) {
		if (i == 1)
			from = now_ns();
		__atomic_store_n(&left, 1000, __ATOMIC_SEQ_CST);
		for (k = 0; k < 1000; k++)
			if (bw_go(count, NULL))
				return 1;
		wait_for_all();
	}
	result = (now_ns() - from) / 10000;
	return 0;
}

static double made_and_ended(void)
{
	return in_a_run(spawn);
}

static int gate;

static void stay(void *arg)
{
	one_less();
	while (!__atomic_load_n(&gate, __ATOMIC_ACQUIRE))
		bw_park();
	one_less();
}

static struct bw_g *parked[GS];
static long nr_parked;

static void stay_and_say(void *arg)
{
	long i = __atomic_fetch_add(&nr_parked, 1, __ATOMIC_RELAXED);

	__atomic_store_n(&parked[i], bw_self(), __ATOMIC_RELEASE);
	stay(arg);
}

static int park_many(void *arg)
{
	double from;
	long i;

	boss = bw_self();
	__atomic_store_n(&left, GS, __ATOMIC_SEQ_CST);
	from = now_ns();
	for (i = 0; i < GS; i++)
		if (bw_go(stay_and_say, NULL))
			return 1;
	wait_for_all();
	result = (now_ns() - from) / GS;
	__atomic_store_n(&left, GS, __ATOMIC_SEQ_CST);
	__atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
	for (i = 0; i < GS; i++)
		bw_ready(__atomic_load_n(&parked[i], __ATOMIC_ACQUIRE));
	wait_for_all();
	return 0;
}

static double made_and_parked(void)
{
	return in_a_run(park_many);
}

static int pipe_of[2];

static void writer(void *arg)
{
	if (write(pipe_of[1], "", 1) != 1)
		die("write");
}

/* The other G needs the P that this one has left. */
static int block(void *arg)
{
	double from = 0;
	char c;
	int i;

	if (pipe(pipe_of))
		return 1;
	for (i = 0; i <= BLOCKS; i++) {
		if (i == 1)
			from = now_ns();
		if (bw_go(writer, NULL))
			return 1;
		bw_block_begin();
		if (read(pipe_of[0], &c, 1) != 1)
			die("read");
		bw_block_end();
	}
	result = (now_ns() - from) / BLOCKS;
	return 0;
}

static double blocked(void)
{
	return in_a_run(block);
}

struct leaf {
	struct leaf *left, *right;
	long pad[2];
};

BW_TYPE(leaf, struct leaf, left, right);

static struct leaf *top;

static struct leaf *tree(int depth)
{
	struct leaf *t = bw_new(leaf);

	if (depth) {
		bw_set(&t->left, tree(depth - 1));
		bw_set(&t->right, tree(depth - 1));
	}
	return t;
}

#define TREE_MIB	16	/* 2^19 leaves of 32 bytes */

/* Half of it is dead: what is swept goes back to the page heap whole. */
static int collect(void *arg)
{
	double from;

	bw_gc_set_percent(-1);
	top = tree(18);
	bw_set(&top->left, (struct leaf *)NULL);
	from = now_ns();
	bw_gc();
	result = (now_ns() - from) / TREE_MIB;
	return 0;
}

static double collection(void)
{
	return in_a_run(collect);
}

const struct row g_rows[] = {
	{ "G, made and ended, 1,000 at a time", "G", made_and_ended,
	  QUICK | WALL },
	{ "G, made and parked, 4,000 of them", "G", made_and_parked,
	  QUICK | WALL },
	{ "a G blocks, until another has run", "time", blocked, QUICK | WALL },
	{ "collection of 16 MiB, half of it dead", "MiB", collection,
	  QUICK | WALL },
	{ 0 },
};
