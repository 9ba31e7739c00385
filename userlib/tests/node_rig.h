/* SPDX-License-Identifier: MIT */
/*
 * node_rig: objects for tests of what keeps them alive. One that was freed and used
 * again, or overwritten, is no good any more.
 */
#ifndef BW_TESTS_NODE_RIG_H
#define BW_TESTS_NODE_RIG_H

#include "burrow.h"
#include "base/types.h"

struct node {
	struct node *next;
	u64 id;
	struct node *other;
	u64 sum;
};

BW_TYPE(node, struct node, next, other);

static inline struct node *node_new(u64 id)
{
	struct node *n = bw_new(node);

	n->id = id;
	n->sum = ~id;
	return n;
}

static inline bool node_is_good(const struct node *n, u64 id)
{
	return n && n->id == id && n->sum == ~id;
}

#endif
