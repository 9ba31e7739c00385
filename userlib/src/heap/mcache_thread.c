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
 * A child of fork() has the locks and half-made changes of threads that it has
 * not. So its only thread loses its mcache: its next call comes here, and ends it
 * with a message. The parent's locks need not be held over fork() for that.
 */
#include <pthread.h>

#include "base/throw.h"
#include "mcache.h"

__thread struct bw_mcache *bw_mcache_front
	__attribute__((tls_model("initial-exec"))) = &bw_mcache_none;

static __thread struct bw_mcache *behind
	__attribute__((tls_model("initial-exec")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;
static bool in_child;

static void thread_ends(void *arg)
{
	struct bw_mcache *c = arg;

	bw_mcache_front = &bw_mcache_none;
	behind = NULL;
	bw_mcache_release(c);
}

/* What is left of the parent's is not touched: it may be of any moment. */
static void child_begins(void)
{
	bw_mcache_front = &bw_mcache_none;
	behind = NULL;
	in_child = true;
	pthread_setspecific(key, NULL);
}

static void key_make(void)
{
	if (pthread_key_create(&key, thread_ends))
		return;
	has_key = !pthread_atfork(NULL, NULL, child_begins);
}

struct bw_mcache *bw_mcache_attach(void)
{
	struct bw_mheap *h;

	if (behind)
		return behind;
	if (in_child)
		bw_throw("bw_alloc() or the like in a child of fork(), which "
			 "may exec or _exit");
	pthread_once(&once, key_make);
	if (!has_key)
		bw_throw("no thread-specific key is left for the heap");
	h = bw_mheap();
	if (!h)
		return NULL;
	behind = bw_mcache_make(h);
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
