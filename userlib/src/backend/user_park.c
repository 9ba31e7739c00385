// SPDX-License-Identifier: MIT
/*
 * user_park: thread slots, a futex word each, with the moves of kmod/park.c.
 *
 *	word = USED | TOKEN? | SLEEPER?, or 0 while the slot is nobody's
 *
 * K1. At most one token and at most one sleeper a slot: both are bits.
 * K2. SLEEPER is set by the thread that parks, before it looks for the token,
 *     and cleared by it as it leaves, with the token if it takes one. So a
 *     token that a sleeper is being woken for cannot go to somebody else.
 * K3. A sleeper sleeps only while the word is what it saw, without TOKEN; who
 *     sets TOKEN on a word with SLEEPER wakes afterwards. So either the futex
 *     call sees TOKEN and does not sleep, or the wake comes after it slept.
 * K4. A slot with a sleeper is not deleted.
 */
#include "base/futex.h"
#include "user.h"

#define USED	1U
#define TOKEN	2U
#define SLEEPER	4U

#define MAX_DEADLINE	((u64)INT64_MAX)

int bw_user_thread_add(struct bw_backend *be, u32 *slot)
{
	struct bw_user *u = bw_to_user(be);
	int err = -EMFILE;
	u32 i;

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	bw_lock(&u->slots);
	for (i = u->slot_hint; i < be->max_threads; i++)
		if (!READ_ONCE(u->slot[i].word))
			break;
	u->slot_hint = i;
	if (i < be->max_threads) {
		WRITE_ONCE(u->slot[i].word, USED);
		u->slot_hint++;
		u->nr_slots++;
		*slot = i;
		err = 0;
	}
	bw_unlock(&u->slots);
	return err;
}

static int slot_del(u32 *word)
{
	u32 old = READ_ONCE(*word);

	do {
		if (!(old & USED))
			return -ENXIO;
		if (old & SLEEPER)
			return -EBUSY;
	} while (!try_cmpxchg(word, &old, 0));
	return 0;
}

int bw_user_thread_del(struct bw_backend *be, u32 slot)
{
	struct bw_user *u = bw_to_user(be);
	int err;

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (slot >= be->max_threads)
		return -ENXIO;
	bw_lock(&u->slots);
	err = slot_del(&u->slot[slot].word);
	if (!err) {
		u->slot_hint = min(u->slot_hint, slot);
		u->nr_slots--;
	}
	bw_unlock(&u->slots);
	return err;
}

int bw_user_unpark(struct bw_backend *be, u32 slot)
{
	struct bw_user *u = bw_to_user(be);
	u32 *word, old;

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (slot >= be->max_threads)
		return -ENXIO;
	word = &u->slot[slot].word;
	old = READ_ONCE(*word);
	do {
		if (!(old & USED))
			return -ENXIO;
		/* pairs with slot_leave(), which takes what this leaves */
	} while (!try_cmpxchg(word, &old, old | TOKEN));
	if ((old & (SLEEPER | TOKEN)) == SLEEPER)
		bw_futex_wake(word, 1);
	return 0;
}

/* This thread becomes the slot's sleeper (K2). */
static int slot_enter(u32 *word)
{
	u32 old = READ_ONCE(*word);

	do {
		if (!(old & USED))
			return -ENXIO;
		if (old & SLEEPER)
			return -EBUSY;
	} while (!try_cmpxchg(word, &old, old | SLEEPER));
	return 0;
}

/* Until there is a token: 0, -ETIMEDOUT or -EINTR. Takes nothing. */
static int slot_sleep(u32 *word, u64 deadline)
{
	for (;;) {
		u32 val = READ_ONCE(*word);
		int err;

		if (val & TOKEN)
			return 0;
		/* pairs with bw_user_unpark() (K3) */
		err = bw_futex_wait(word, val, deadline);
		if (err && err != -EAGAIN)
			return err;
	}
}

/* A token that is there goes to the sleeper, whatever it came back with. */
static int slot_leave(u32 *word, int err)
{
	u32 gone, old = READ_ONCE(*word);

	do {
		gone = SLEEPER;
		if (err != -ENXIO)
			gone |= old & TOKEN;
		/* pairs with bw_user_unpark() */
	} while (!try_cmpxchg(word, &old, old & ~gone));
	return gone & TOKEN ? 0 : err;
}

int bw_user_park(struct bw_backend *be, u32 slot, u64 deadline, u32 swap)
{
	struct bw_user *u = bw_to_user(be);
	u32 *word;
	int err;

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (deadline > MAX_DEADLINE)
		return -EINVAL;
	if (slot >= be->max_threads)
		return -ENXIO;
	word = &u->slot[slot].word;
	err = slot_enter(word);
	if (err)
		return err;
	/* already a sleeper: whom we wake may unpark us at once */
	if (swap != BW_NO_SLOT)
		err = bw_user_unpark(be, swap);
	if (!err)
		err = slot_sleep(word, deadline);
	return slot_leave(word, err);
}
