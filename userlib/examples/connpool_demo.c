// SPDX-License-Identifier: MIT
/* connpool_demo: a hundred Gs share three connections. */
#include <stdio.h>
#include <string.h>

#include "connpool.h"

#define MAX_OPEN	3
#define MAX_IDLE	2
#define USERS		100
#define MS		1000000ULL

static struct bw_counter nr_opened, nr_open, most_open;

static struct pconn *open_one(void)
{
	struct pconn *c = bw_alloc_noscan(sizeof(*c));
	int64_t n = bw_counter_add(&nr_open, 1), most;

	while (n > (most = bw_counter_load(&most_open)) &&
	       !bw_counter_cas(&most_open, most, n))
		;
	c->id = (int)bw_counter_add(&nr_opened, 1);
	return c;
}

static void close_one(struct pconn *c)
{
	bw_counter_add(&nr_open, -1);
}

static struct pool pool = {
	.open = open_one, .close = close_one, .max_idle = MAX_IDLE,
	.lifetime = 3600 * 1000 * MS,
};

static int use(void *arg)
{
	struct pconn *c;
	int err = pool_get(&pool, bw_ctx_background(), &c);

	if (err)
		return err;
	bw_yield();
	pool_put(&pool, c, (long)arg % 10 != 0);
	return 0;
}

static int start(void *arg)
{
	struct bw_ctx *soon = bw_ctx_with_timeout(bw_ctx_background(), 5 * MS);
	struct pconn *c[MAX_OPEN + 1];
	struct bw_group g = { 0 };
	long i;
	int err;

	if (pool_init(&pool, MAX_OPEN))
		return 1;
	for (i = 0; i < USERS; i++)
		bw_group_go(&g, use, (void *)i);
	err = bw_group_wait(&g);
	printf("%d users: %s, never more than %d open: %s\n", USERS,
	       err ? strerror(-err) : "all served", MAX_OPEN,
	       bw_counter_load(&most_open) <= MAX_OPEN ? "true" : "false");
	for (i = 0; i < MAX_OPEN; i++)
		pool_get(&pool, bw_ctx_background(), &c[i]);
	err = pool_get(&pool, soon, &c[MAX_OPEN]);
	printf("one more, while all are in use: %s\n", strerror(-err));
	for (i = 0; i < MAX_OPEN; i++)
		pool_put(&pool, c[i], true);
	printf("kept open: %d\n", (int)bw_counter_load(&nr_open));
	for (i = 0; i < pool.nr_idle; i++)
		pool.idle[i]->until = 0;
	pool_get(&pool, bw_ctx_background(), &c[0]);
	printf("open when those were too old: %d\n",
	       (int)bw_counter_load(&nr_open));
	return 0;
}

int main(void)
{
	return bw_run(start, NULL);
}
