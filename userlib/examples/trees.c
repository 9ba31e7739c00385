// SPDX-License-Identifier: MIT
/*
 * trees: binary trees that nobody frees, while a large one stays.
 *
 *	trees [DEPTH]
 *
 * All stores of pointers into objects are bw_set(), so the collector may mark while
 * the program runs (BURROW=gctrace=1 says "hybrid").
 */
#include <stdio.h>
#include <stdlib.h>

#include <burrow/alloc.h>
#include <burrow/barrier.h>
#include <burrow/gc.h>
#include <burrow/go.h>
#include <burrow/type.h>

struct tree {
	struct tree *left;
	struct tree *right;
};

BW_TYPE(tree, struct tree, left, right);

static int depth = 14;
static struct tree *kept;

static struct tree *make(int d)
{
	struct tree *t = bw_new(tree);

	if (d) {
		bw_set(&t->left, make(d - 1));
		bw_set(&t->right, make(d - 1));
	}
	return t;
}

static long count(const struct tree *t)
{
	return t ? 1 + count(t->left) + count(t->right) : 0;
}

static int run(void *arg)
{
	struct bw_gc_stats st;
	int d, bad = 0;
	long i, n;

	kept = make(depth);
	for (d = 4; d <= depth; d += 2) {
		for (i = 0, n = 0; i < 1L << (depth - d); i++)
			n += count(make(d));
		bad |= n != ((2L << d) - 1) << (depth - d);
		printf("%ld trees of depth %d: %ld nodes\n", i, d, n);
	}
	bad |= count(kept) != (2L << depth) - 1;
	bw_gc_stats(&st);
	printf("the tree of depth %d has %ld nodes after %llu collections\n",
	       depth, count(kept), (unsigned long long)st.cycles);
	return bad;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		depth = atoi(argv[1]);
	if (depth < 4 || depth > 26) {
		fprintf(stderr, "usage: trees [4..26]\n");
		return 2;
	}
	bw_barriers_used();
	return bw_run(run, NULL);
}
