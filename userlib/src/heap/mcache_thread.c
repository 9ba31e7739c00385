// SPDX-License-Identifier: MIT
/*
 * mcache_thread: which mcache a thread has, from its first object to its end.
 *
 *	bw_mcache_alloc_slow()		heap/mcache.c
 *	  bw_mcache_attach()		<- here
 *	    bw_mheap()			heap/pageheap_open.c
 *
 * A thread's @front is what the fast paths read. Its own mcache is @behind, and
 * the same unless the heap has hooks. Both go when the thread ends; a destructor
 * of another key that allocates afterwards attaches once more, and the key's own
 * destructor is called again.
 *
 * The collector hears of a thread before it has its first mcache, and when it ends
 * after it gave it back: in between it knows how to stop it.
 *
 * In a child of fork() the thread that is left puts its mcache aside (@inherited)
 * until its first slow call, which comes here: then what other threads left half
 * done is mended (mcache_fork.c), and the mcache is taken up again.
 */
#include <pthread.h>

#include "base/hooks.h"
#include "base/throw.h"
#include "mcache.h"

__thread struct bw_mcache *bw_mcache_front
	__attribute__((tls_model("initial-exec"))) = &bw_mcache_none;

static __thread struct bw_mcache *behind
	__attribute__((tls_model("initial-exec")));

/* The parent's, of the thread that is this child's first. */
static __thread struct bw_mcache *inherited
	__attribute__((tls_model("initial-exec")));

struct bw_mcache *bw_mcache_survivor;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void release(struct bw_mcache *c)
{
	bw_section_begin();
	bw_mcache_front = &bw_mcache_none;
	behind = NULL;
	bw_mcache_release(c);
	bw_section_end();
}

static void thread_ends(void *arg)
{
	struct bw_mcache *c = arg;
	struct bw_mheap *h = c->heap;

	release(c);
	BW_UP(thread_ends, h);
}

void bw_mcache_detach(void)
{
	if (!behind)
		return;
	pthread_setspecific(key, NULL);
	release(behind);
}

/* A child's child, too, that never came to take it up. */
static void child_begins(void)
{
	bw_mcache_front = &bw_mcache_none;
	if (behind)
		inherited = behind;
	behind = NULL;
	bw_mcache_survivor = inherited;
	pthread_setspecific(key, NULL);
}

static void key_make(void)
{
	if (pthread_key_create(&key, thread_ends))
		return;
	has_key = !pthread_atfork(NULL, NULL, child_begins);
}

/* The one this thread had in the parent, or a new one. */
static struct bw_mcache *mcache_get(struct bw_mheap *h)
{
	struct bw_mcache *c = inherited;

	if (!c)
		return bw_mcache_make(h);
	inherited = NULL;
	c->epoch = READ_ONCE(h->be->epoch);
	return c;
}

bool bw_mcache_is_alone(struct bw_mheap *h)
{
	const struct bw_mcache *c;
	bool alone = true;

	bw_heap_mend(h);
	bw_lock(&h->gc.caches_lock);
	for (c = h->gc.caches; c; c = c->next)
		alone &= c == behind || c == inherited;
	bw_unlock(&h->gc.caches_lock);
	return alone;
}

struct bw_mcache *bw_mcache_attach(void)
{
	struct bw_mheap *h;

	if (behind)
		return behind;
	pthread_once(&once, key_make);
	if (!has_key)
		bw_throw("no thread-specific key is left for the heap");
	h = bw_mheap();
	/* the child of a fork() that had no memory for it has no heap */
	if (!h || !bw_mheap_is_ours(h))
		return NULL;
	bw_heap_mend(h);
	BW_UP(thread_begins, h);
	behind = mcache_get(h);
	if (!behind)
		return NULL;
	if (pthread_setspecific(key, behind)) {
		bw_mcache_release(behind);
		behind = NULL;
		return NULL;
	}
	if (!h->hooks)
		bw_mcache_front = behind;
	return behind;
}
