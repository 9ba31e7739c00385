/* SPDX-License-Identifier: MIT */
/*
 * connpool: connections that are dear, for many Gs: at most so many at a time, some
 * kept for the next who needs one, none for too long.
 *
 *	err = pool_get(&pool, ctx, &conn);	waits for a turn as long as @ctx
 *	pool_put(&pool, conn, was_it_good);
 */
#ifndef BW_EXAMPLES_CONNPOOL_H
#define BW_EXAMPLES_CONNPOOL_H

#include <stdbool.h>

#include <burrow.h>

#define POOL_IDLE	16

/**
 * struct pconn - a connection
 * @id:		the how manyth it was
 * @until:	not used beyond that
 */
struct pconn {
	int id;
	uint64_t until;
};

/**
 * struct pool - those there are
 * @open:	makes one, NULL: it cannot				[const]
 * @close:	ends one						[const]
 * @max_idle:	kept at most, up to POOL_IDLE				[const]
 * @lifetime:	of a connection, ns					[const]
 * @turns:	a value in it for each connection that may be open	[const]
 * @mutex:	guards the rest
 * @idle:	the one used last is at the end				[mutex]
 */
struct pool {
	struct pconn *(*open)(void);
	void (*close)(struct pconn *c);
	int max_idle;
	uint64_t lifetime;
	struct bw_chan *turns;
	struct bw_mutex mutex;
	int nr_idle;
	struct pconn *idle[POOL_IDLE];
};

int pool_init(struct pool *p, int max_open);
int pool_get(struct pool *p, struct bw_ctx *ctx, struct pconn **out);
void pool_put(struct pool *p, struct pconn *c, bool good);

#endif
