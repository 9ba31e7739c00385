/* SPDX-License-Identifier: MIT */
/*
 * burrow/chan.h: channels: values from G to G, in order.
 *
 *	struct bw_chan *c = bw_chan_make(node, 0);	of a BW_TYPE()
 *	struct bw_chan *n = bw_chan_make_bytes(sizeof(long), 128);
 *
 *	bw_chan_send(n, &value);
 *	bw_chan_range(n, &value)		until it is closed
 *		sum += value;
 *	bw_chan_close(n);
 *
 * A channel of capacity 0 has no buffer: who sends waits for who receives. With a
 * buffer a sender waits while it is full and a receiver while it is empty. Those
 * who wait are served in their order. Values are copied. Only senders close, once,
 * when nothing will be sent any more; receivers get what is in the buffer, and then
 * hear that it is closed. A NULL channel is never ready: who uses it waits for ever.
 *
 * A channel is an object: it lives while somebody has it, and so does what its
 * buffer points to. All calls may be made by any G or attached thread (burrow/go.h).
 * Sending on a closed channel and closing it again are fatal errors. In a child of
 * fork() the parent's channels are not to be used.
 */
#ifndef BURROW_CHAN_H
#define BURROW_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bw_chan;

/* NULL and ENOMEM: no memory. Elements of a type; each may be a pointer; none is. */
struct bw_chan *bw_chan_make_type(const struct bw_type *t, size_t cap);
struct bw_chan *bw_chan_make_words(size_t words, size_t cap);
struct bw_chan *bw_chan_make_bytes(size_t size, size_t cap);

#define bw_chan_make(name, cap)	bw_chan_make_type(&bw_type_##name, (cap))
/* Of pointers. */
#define bw_chan_make_ptr(cap)	bw_chan_make_words(1, (cap))

/*
 * 0, or why not:
 *	-EAGAIN		try: it would have to wait
 *	-ETIMEDOUT	until: the deadline came first
 *	-ENOMEM		until: there is no memory for a deadline
 *	-EPIPE		receive: it is closed and empty, and *@to is zeroed
 * @from and @to may be NULL where elements have no size, @to also to drop one.
 */
void bw_chan_send(struct bw_chan *c, const void *from);
int bw_chan_try_send(struct bw_chan *c, const void *from);
int bw_chan_send_until(struct bw_chan *c, const void *from, uint64_t deadline);
/* True: a value; false: it is closed. */
bool bw_chan_recv(struct bw_chan *c, void *to);
int bw_chan_try_recv(struct bw_chan *c, void *to);
int bw_chan_recv_until(struct bw_chan *c, void *to, uint64_t deadline);

void bw_chan_close(struct bw_chan *c);
/* A moment ago. */
size_t bw_chan_len(const struct bw_chan *c);
size_t bw_chan_cap(const struct bw_chan *c);

/* Until it is closed and empty. */
#define bw_chan_range(c, to)	while (bw_chan_recv((c), (to)))

/*
 * A channel that yields one uint64_t, the moment it was for, @ns from now, and
 * with a @period one more each period that it was empty (0: none). It costs nothing
 * while nobody waits for it. bw_chan_timer_set() gives it another moment
 * (BW_FOREVER: none) and takes back what was not received; true: it had not yielded
 * yet. Nobody sends on it or closes it.
 */
struct bw_chan *bw_chan_after(uint64_t ns);
struct bw_chan *bw_chan_tick(uint64_t period);
bool bw_chan_timer_set(struct bw_chan *c, uint64_t when, uint64_t period);

/**
 * struct bw_case - what a select may do
 * @chan:	NULL: never
 * @value:	from where or where to
 * @send:	or receive
 * @closed:	out: it was a receive from a closed channel
 */
struct bw_case {
	struct bw_chan *chan;
	void *value;
	bool send;
	bool closed;
};

#define BW_SEND(c, from)	{ (c), (void *)(from), true, false }
#define BW_RECV(c, to)		{ (c), (void *)(to), false, false }

/*
 * Does one of @n cases, any of those that can be done, with equal chances; waits
 * until one can. Its index; try: -EAGAIN; until: -ETIMEDOUT; -ENOMEM: more than 64
 * cases, or a deadline, and no memory.
 */
int bw_select(struct bw_case *cases, size_t n);
int bw_select_try(struct bw_case *cases, size_t n);
int bw_select_until(struct bw_case *cases, size_t n, uint64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
