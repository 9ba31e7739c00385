// SPDX-License-Identifier: MIT
/*
 * chan_make: the object of a channel.
 *
 * Without pointers it is one, its buffer behind it. With pointers the buffer is an
 * object of its own, so that its type may be any, and the channel points to it.
 */
#include <errno.h>

#include "burrow/alloc.h"
#include "chan.h"

BW_TYPE(chan, struct bw_chan, buf);

static struct bw_chan *none(void)
{
	errno = ENOMEM;
	return NULL;
}

struct bw_chan *bw_chan_make_bytes(size_t size, size_t cap)
{
	struct bw_chan *c;
	size_t bytes;

	if (__builtin_mul_overflow(size, cap, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*c), &bytes))
		return none();
	c = bw_alloc_noscan(bytes);
	if (!c)
		return NULL;
	c->buf = (char *)(c + 1);
	c->cap = cap;
	c->size = size;
	c->when = BW_NEVER;
	return c;
}

/* With @buf, which may be NULL, for @cap values. */
static struct bw_chan *with_buffer(void *buf, size_t size, size_t cap)
{
	struct bw_chan *c = buf || !cap ? bw_new(chan) : NULL;

	if (!c)
		return NULL;
	bw_set(&c->buf, (char *)buf);
	c->pointers = true;
	c->cap = cap;
	c->size = size;
	c->when = BW_NEVER;
	return c;
}

struct bw_chan *bw_chan_make_words(size_t words, size_t cap)
{
	size_t size;

	if (__builtin_mul_overflow(words, sizeof(void *), &size))
		return none();
	return with_buffer(cap ? bw_alloc_array(cap, size) : NULL, size, cap);
}

struct bw_chan *bw_chan_make_type(const struct bw_type *t, size_t cap)
{
	if (!(t->flags & BW_TYPE_HAS_POINTERS))
		return bw_chan_make_bytes(t->size, cap);
	if (t->unit)
		bw_fatal("bw_chan_make(): type %s has a tail", t->name);
	return with_buffer(cap ? bw_alloc_type_array(t, cap) : NULL, t->size,
			   cap);
}

void bw_chan_zero(const struct bw_chan *c, void *to)
{
	void **slot = to;
	size_t i;

	if (c->pointers && BW_BARRIER_ON)
		for (i = 0; i < c->size / sizeof(*slot); i++)
			bw_set_slot(slot + i, NULL);
	else if (c->size)
		memset(to, 0, c->size);
}

size_t bw_chan_len(const struct bw_chan *c)
{
	return c ? READ_ONCE(c->nr) : 0;
}

size_t bw_chan_cap(const struct bw_chan *c)
{
	return c ? c->cap : 0;
}
