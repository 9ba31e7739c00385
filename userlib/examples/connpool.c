// SPDX-License-Identifier: MIT
/* connpool: see connpool.h */
#include <errno.h>
#include <stdio.h>

#include "connpool.h"

int pool_init(struct pool *p, int max_open)
{
	p->turns = bw_chan_make_bytes(0, (size_t)max_open);
	if (!p->turns)
		return -ENOMEM;
	while (max_open--)
		bw_chan_send(p->turns, NULL);
	return 0;
}

/* One that may be used; those that are too old end. */
static struct pconn *take_idle(struct pool *p)
{
	struct pconn *c = NULL;

	while (!c) {
		bw_mutex_lock(&p->mutex);
		c = p->nr_idle ? p->idle[--p->nr_idle] : NULL;
		bw_mutex_unlock(&p->mutex);
		if (!c)
			return NULL;
		if (bw_now() >= c->until) {
			p->close(c);
			c = NULL;
		}
	}
	return c;
}

int pool_get(struct pool *p, struct bw_ctx *ctx, struct pconn **out)
{
	struct bw_case k[] = {
		BW_RECV(p->turns, NULL), BW_RECV(bw_ctx_done(ctx), NULL),
	};

	/* who waits is served in order; who need not wait any more is not */
	if (bw_ctx_err(ctx) || bw_select(k, 2) == 1)
		return bw_ctx_err(ctx);
	*out = take_idle(p);
	if (*out)
		return 0;
	*out = p->open();
	if (*out) {
		(*out)->until = bw_now() + p->lifetime;
		return 0;
	}
	bw_chan_send(p->turns, NULL);
	return -ECONNREFUSED;
}

void pool_put(struct pool *p, struct pconn *c, bool good)
{
	bool keep;

	bw_mutex_lock(&p->mutex);
	keep = good && p->nr_idle < p->max_idle && bw_now() < c->until;
	if (keep)
		p->idle[p->nr_idle++] = c;
	bw_mutex_unlock(&p->mutex);
	if (!keep)
		p->close(c);
	/* never full: it was received from */
	bw_chan_send(p->turns, NULL);
}
