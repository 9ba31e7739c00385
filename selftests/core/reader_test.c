// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * reader_test: whoever reads K-words while spans come and go (L2, S1, S2).
 *
 *	writer		bw_core_span_alloc(), _extend(), _trim(), _free()
 *	reader		<- here: plain loads and an acquire, as a process does it
 *
 * The writer gives every span a class that follows from its generation, so
 * the reader knows a head that never was. A reader that sees the same head
 * before and after has to see its bodies in between.
 */
#include <pthread.h>

#include "tap.h"
#include "tests/scene.h"

#define WINDOW		(2 * ARENA)
#define ENOUGH		5000000		/* spans the reader has to see whole */

static struct scene sc;
static bool stop;			/* [atomic] the reader's word */
static const char *wrong;		/* the reader's, until it is joined */
static u64 nr_seen;

static u32 class_of(u32 gen)
{
	return gen % BURROW_NR_CLASSES;
}

static u64 word_at(u32 page)
{
	/* pairs with bw_span_write() (L2) */
	return smp_load_acquire(bw_span_word(&sc.core, page));
}

/* The head page of the span that covers @page (L2), or BW_NO_PAGE. */
static u32 look_up(u32 page, u64 *head)
{
	u64 word = word_at(page);
	u32 at = page;

	if (burrow_word_tag(word) == BURROW_TAG_NONE)
		return BW_NO_PAGE;
	if (burrow_word_tag(word) == BURROW_TAG_BODY)
		at = burrow_word_low(word);
	*head = word_at(at);
	if (burrow_word_tag(*head) != BURROW_TAG_HEAD ||
	    burrow_word_gen(*head) != burrow_word_gen(word) ||
	    page - at >= burrow_word_low(*head))
		return BW_NO_PAGE;
	return at;
}

/* Body words of a span whose head stayed: none may be missing. */
static bool bodies_are_there(u32 at, u64 head)
{
	u32 npages = burrow_word_low(head), bad = 0, i;
	u64 body = burrow_word_body(at, burrow_word_gen(head));

	for (i = 1; i < npages; i += 1 + npages / 16)
		bad += word_at(at + i) != body;
	if (npages > 1)
		bad += word_at(at + npages - 1) != body;
	/* the loads above may not be done after this one */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (word_at(at) != head)
		return true;
	nr_seen++;
	return !bad;
}

static void *reader(void *unused)
{
	u32 page = 1;
	u64 head = 0;

	while (nr_seen < ENOUGH && !wrong) {
		u32 at;

		page = page * 1103515245 + 12345;
		at = look_up(page / 65536 % WINDOW, &head);
		if (at == BW_NO_PAGE)
			continue;
		if (burrow_word_class(head) != class_of(burrow_word_gen(head)))
			wrong = "a head that never was";
		else if (!bodies_are_there(at, head))
			wrong = "a head without its bodies";
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	return unused;
}

/* Longer, once, if what is behind it is free; shorter; either may be refused. */
static bool resize(const struct bw_run *at, u32 by)
{
	struct bw_run tail;
	int err = bw_core_span_extend(&sc.core, at->page, at->gen,
				      at->npages + 2 + by, &tail);

	if (err)
		return err == -ENOSPC;
	return by % 2 || !bw_core_span_trim(&sc.core, at->page, at->gen,
					    at->npages + 1 + by / 2, &tail);
}

/* Spans of all sizes, the oldest of a ring of 64 freed for the next. */
static bool writer(u64 *nr_spans)
{
	struct bw_run ring[64] = { { 0 } }, out;
	u64 i;

	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); i++) {
		struct bw_run *at = &ring[i % 64];
		struct bw_span_req req = {
			.npages = 1 + (u32)(i * 2654435761U % 241),
			.cls = class_of((sc.core.gen + 1) & BURROW_GEN_MASK),
		};

		if (at->npages &&
		    bw_core_span_free(&sc.core, at->page, at->gen, &out))
			return false;
		if (bw_core_span_alloc(&sc.core, &req, at) ||
		    (i % 2 && !resize(at, (u32)(i * 40503 >> 4) % 100)))
			return false;
	}
	*nr_spans = i;
	return true;
}

int main(void)
{
	u64 nr_spans = 0;
	pthread_t thread;
	bool good;

	if (!scene_make(&sc, 2) || !scene_map(&sc, 0) || !scene_map(&sc, 1) ||
	    pthread_create(&thread, NULL, reader, NULL))
		return 1;
	good = writer(&nr_spans);
	pthread_join(thread, NULL);
	tap_note("%llu spans came and went, %llu were seen whole",
		 (unsigned long long)nr_spans, (unsigned long long)nr_seen);
	if (!tap_ok(good && !wrong, "who sees a head sees the bodies behind it"))
		tap_note("%s", wrong ? wrong : "a span was refused");
	tap_ok(!bw_core_check(&sc.core), "and the heap is sound afterwards");
	scene_free(&sc);
	return tap_end();
}
