// SPDX-License-Identifier: MIT
/*
 * desc: what is known of descriptors, one struct bw_desc for each number, for
 * ever; found by the number in a table of two levels.
 *
 *	bw_read(), ...		io.c
 *	  bw_desc_get()		<- here		a call begins
 *	  bw_desc_put()		<- here		... and ends, and closes perhaps
 *	bw_close()		<- here
 */
#include <sched.h>
#include <unistd.h>

#include "base/sysmem.h"
#include "burrow/io.h"
#include "netpoll.h"
#include "sched.h"

#define SHIFT		9U
#define CHUNK		(1U << SHIFT)
#define CHUNKS		8192U		/* 4 million descriptors */

/* Each made once, by cmpxchg. */
static struct bw_desc *chunk[CHUNKS];

static struct bw_desc *chunk_make(u32 at)
{
	struct bw_desc *new = bw_sys_alloc(CHUNK * sizeof(*new)), *old = NULL;
	u32 i;

	if (!new)
		return NULL;
	for (i = 0; i < CHUNK; i++) {
		new[i].fd = (s32)(at * CHUNK + i);
		bw_lock_init(&new[i].lock, BW_RANK_DESC);
	}
	if (try_cmpxchg(&chunk[at], &old, new))
		return new;
	bw_sys_free(new, CHUNK * sizeof(*new));
	return old;
}

struct bw_desc *bw_desc_find(int fd)
{
	struct bw_desc *c;

	if ((u32)fd >= CHUNKS * CHUNK)
		return NULL;
	/* pairs with chunk_make() */
	c = smp_load_acquire(&chunk[(u32)fd >> SHIFT]);
	return c ? &c[(u32)fd % CHUNK] : NULL;
}

static int make_known(int fd, struct bw_desc **out)
{
	struct bw_desc *c;

	if (fd < 0)
		return -EBADF;
	if ((u32)fd >= CHUNKS * CHUNK)
		return -EMFILE;
	c = chunk_make((u32)fd >> SHIFT);
	if (!c)
		return -ENOMEM;
	*out = &c[(u32)fd % CHUNK];
	return 0;
}

static int find(int fd, struct bw_desc **out)
{
	*out = bw_desc_find(fd);
	return likely(*out) ? 0 : make_known(fd, out);
}

bool bw_desc_is_closing(const struct bw_desc *d)
{
	return load_seq(&d->refs) & BW_DESC_CLOSING;
}

/*
 * Until nobody is in close(2) with it (D7). That is a moment; a descriptor that
 * lingers keeps only those up who name a number that they were told is closed.
 */
static u32 refs_when_closed(const struct bw_desc *d)
{
	u32 refs;

	/* pairs with put() */
	while ((refs = smp_load_acquire(&d->refs)) == BW_DESC_CLOSING)
		sched_yield();
	return refs;
}

static int get(struct bw_desc *d, u32 more)
{
	u32 old = READ_ONCE(d->refs);

	do {
		if (unlikely(old == BW_DESC_CLOSING))
			old = refs_when_closed(d);
		if (old & BW_DESC_CLOSING)
			return -EBADF;
		/* pairs with put() */
	} while (!try_cmpxchg(&d->refs, &old, (old + 1) | more));
	return 0;
}

/* Of a new life: nothing is known of it (D3, D4). */
static void new_life(struct bw_desc *d)
{
	WRITE_ONCE(d->gen, READ_ONCE(d->gen) + 1);
	WRITE_ONCE(d->kind, BW_KIND_UNKNOWN);
	WRITE_ONCE(d->nonblock, false);
	WRITE_ONCE(d->polled, false);
	WRITE_ONCE(d->hung_up, false);
	WRITE_ONCE(d->tcp, false);
	WRITE_ONCE(d->drained, false);
	__atomic_store_n(&d->word[BW_DIR_READ], BW_DESC_IDLE, __ATOMIC_SEQ_CST);
	__atomic_store_n(&d->word[BW_DIR_WRITE], BW_DESC_IDLE, __ATOMIC_SEQ_CST);
}

static void forget(struct bw_desc *d)
{
	/* pairs with put() of the calls of the life before */
	if (refs_when_closed(d))
		bw_fatal("descriptor %d is somebody else's while a call of "
			 "burrow/io.h is under way on it", d->fd);
	new_life(d);
}

/*
 * The last one: from close() on the number may be somebody else's, who waits in
 * get() or forget() for us to be done (D7).
 */
static int put(struct bw_desc *d)
{
	u32 now = __atomic_sub_fetch(&d->refs, 1, __ATOMIC_SEQ_CST);
	int err;

	if (likely(now != BW_DESC_CLOSING))
		return 0;
	new_life(d);
	err = close(d->fd) && *bw_errno_here() != EINTR ?
	      -*bw_errno_here() : 0;
	/* pairs with get() and forget() */
	__atomic_store_n(&d->refs, 0, __ATOMIC_SEQ_CST);
	return err;
}

int bw_desc_get(int fd, struct bw_desc **out)
{
	int err = find(fd, out);

	if (err)
		return err;
	err = get(*out, 0);
	if (!err)
		bw_self()->io = *out;
	return err;
}

void bw_desc_put(struct bw_desc *d)
{
	bw_self()->io = NULL;
	put(d);
}

int bw_desc_fresh(int fd, bool tcp)
{
	struct bw_desc *d;
	int err = find(fd, &d);

	if (err)
		return err;
	/* one that close(2) closed may still be known */
	forget(d);
	WRITE_ONCE(d->tcp, tcp);
	WRITE_ONCE(d->nonblock, true);
	WRITE_ONCE(d->kind, BW_KIND_SOCKET);
	return 0;
}

void bw_desc_drop(struct bw_g *g)
{
	struct bw_desc *d = g->io;
	u32 dir;

	if (likely(!d))
		return;
	for (dir = 0; dir < BW_NR_DIRS; dir++) {
		u64 old = bw_desc_word_of(g, READ_ONCE(g->wait));

		try_cmpxchg(&d->word[dir], &old, BW_DESC_IDLE);
	}
	bw_lock(&d->lock);
	/* all Gs of the run are dropped, and nobody else is in queues */
	for (dir = 0; dir < BW_NR_DIRS; dir++) {
		d->queue[dir] = NULL;
		WRITE_ONCE(d->nr_queued[dir], 0);
	}
	bw_unlock(&d->lock);
	g->io = NULL;
	put(d);
}

int bw_close(int fd)
{
	struct bw_desc *d;
	int err;

	bw_m_need("bw_close");
	err = find(fd, &d);
	if (err == -EMFILE)
		return close(fd) ? -*bw_errno_here() : 0;
	if (!err)
		err = get(d, BW_DESC_CLOSING);
	if (err)
		return err;
	bw_desc_close_words(d);
	return put(d);
}

void bw_forget(int fd)
{
	struct bw_desc *d = bw_desc_find(fd);

	if (d)
		forget(d);
}

static void desc_forked(struct bw_desc *d)
{
	u32 dir;

	bw_lock_init(&d->lock, BW_RANK_DESC);
	for (dir = 0; dir < BW_NR_DIRS; dir++) {
		d->queue[dir] = NULL;
		d->nr_queued[dir] = 0;
	}
	d->threads = NULL;
	d->refs = 0;
	forget(d);
}

void bw_descs_forked(void)
{
	u32 i, k;

	for (i = 0; i < CHUNKS; i++)
		for (k = 0; chunk[i] && k < CHUNK; k++)
			desc_forked(&chunk[i][k]);
}
