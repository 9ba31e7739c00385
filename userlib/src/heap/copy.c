// SPDX-License-Identifier: MIT
/* copy: see copy.h */
#include <pthread.h>

#include "copy.h"

static struct bw_copy own;
static bool joined;

bool bw_copy_has_joined(void)
{
	/* pairs with bw_copy_join_locked() */
	return smp_load_acquire(&joined);
}

void bw_copy_join_locked(struct bw_anchor *a)
{
	if (joined)
		return;
	own.next = a->copies;
	own.section = (char *)&bw_section - (char *)pthread_self();
	if (!BW_LEAF_COUNTS) {
		own.leaf = (uintptr_t)__start_bw_leaf;
		own.leaf_end = (uintptr_t)__stop_bw_leaf;
	}
	own.hook = &bw_section_hook;
	if (a->hook)
		WRITE_ONCE(bw_section_hook, a->hook);
	/* pairs with first() */
	smp_store_release(&a->copies, &own);
	/* pairs with bw_copy_has_joined() (K1) */
	smp_store_release(&joined, true);
}

static const struct bw_copy *first(void)
{
	/* pairs with bw_copy_join_locked(); what is on the list stays as it is */
	return smp_load_acquire(&bw_anchor()->copies);
}

void bw_copies_hook(bw_section_fn *hook)
{
	struct bw_anchor *a = bw_anchor();
	const struct bw_copy *c;

	bw_anchor_lock(a);
	a->hook = hook;
	for (c = first(); c; c = c->next)
		WRITE_ONCE(*c->hook, hook);
	bw_anchor_unlock(a);
}

/* Of the calling thread. */
static struct bw_section *section(const struct bw_copy *c)
{
	return (void *)((char *)pthread_self() + c->section);
}

bool bw_copies_count(void)
{
	const struct bw_copy *c;

	for (c = first(); c; c = c->next)
		if (READ_ONCE(section(c)->count))
			return true;
	return false;
}

bool bw_copies_ask(void)
{
	const struct bw_copy *c;

	for (c = first(); c; c = c->next) {
		struct bw_section *s = section(c);

		if (READ_ONCE(s->count)) {
			WRITE_ONCE(s->asked, 1);
			return true;
		}
	}
	return false;
}

void bw_copies_unask(void)
{
	const struct bw_copy *c;

	for (c = first(); c; c = c->next)
		WRITE_ONCE(section(c)->asked, 0);
}

bool bw_copies_leaf_has(uintptr_t pc)
{
	const struct bw_copy *c;

	for (c = first(); c; c = c->next)
		if (pc - c->leaf < c->leaf_end - c->leaf)
			return true;
	return false;
}

u32 bw_copies_nr(void)
{
	const struct bw_copy *c;
	u32 nr = 0;

	for (c = first(); c; c = c->next)
		nr++;
	return nr;
}
