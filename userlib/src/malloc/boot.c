// SPDX-License-Identifier: MIT
/* boot: see boot.h */
#include <pthread.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sysmem.h"
#include "base/throw.h"
#include "block.h"
#include "boot.h"
#include "depot.h"

#define BOOT_BYTES	(256U << 10)

/**
 * struct boot - of the process
 * @lock:	the heap is opened once (rank PROCESS)
 * @heap:	or NULL							[atomic]
 * @key:	its destructor ends a thread's front			[const]
 * @constructed: the C library has begun				[const]
 * @failed:	there never will be a heap; it was said		[lock]
 * @used:	bytes of static memory					[atomic]
 */
static struct boot {
	struct bw_lock lock;
	struct bw_mheap *heap;
	pthread_key_t key;
	bool constructed;
	bool failed;
	u32 used;
} boot = { .lock = { BW_LOCK_FREE, BW_RANK_PROCESS } };

static char boot_memory[BOOT_BYTES] __aligned(4096);

struct bw_pages bw_pages __hidden;
bool bw_boot_classes __hidden;

/* The size stands before it. */
void *bw_boot_alloc(size_t n, size_t align)
{
	size_t bytes, at;

	if (bw_boot_heap() && bw_front.state != BW_FRONT_BUSY)
		return NULL;
	if (boot.failed || n > BOOT_BYTES || align > BOOT_BYTES)
		return NULL;
	if (align < BW_MALLOC_ALIGN)
		align = BW_MALLOC_ALIGN;
	bytes = (n + BW_MALLOC_ALIGN - 1) & ~(size_t)(BW_MALLOC_ALIGN - 1);
	bytes += align;
	if (boot.used + bytes > BOOT_BYTES)
		return NULL;
	at = fetch_add_relaxed(&boot.used, (u32)bytes);
	if (at + bytes > BOOT_BYTES)
		return NULL;
	at = (at + align) & ~(align - 1);
	*(size_t *)(void *)(boot_memory + at - sizeof(size_t)) = n;
	return boot_memory + at;
}

void *bw_boot_alloc_class(u32 cls)
{
	if (!bw_mclass[cls].size)
		bw_mclasses_init();
	return bw_boot_alloc(bw_mclass[cls].size, 0);
}

bool bw_boot_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)boot_memory < BOOT_BYTES;
}

size_t bw_boot_size(const void *p)
{
	return *(const size_t *)(const void *)((const char *)p -
					       sizeof(size_t));
}

struct bw_mheap *bw_boot_heap(void)
{
	/* pairs with heap_open() */
	return smp_load_acquire(&boot.heap);
}

void bw_boot_free(void *p)
{
	if (!p || bw_boot_owns(p))
		return;
	if (!bw_boot_thread())
		bw_fatal("free(%p): no block begins there", p);
	bw_block_free(p);
}

static void thread_ends(void *arg)
{
	int saved = errno;

	if (!bw_front_end(arg))
		pthread_setspecific(boot.key, arg);
	errno = saved;
}

static void child_begins(void)
{
	bw_depots_reset_locks();
	boot.lock.word = BW_LOCK_FREE;
}

/* Whoever has the lock says it, and the others are quiet. */
static int failed(int err, const char *why)
{
	if (!boot.failed && err != -ENOMEM) {
		bw_note("malloc: %s", why);
		boot.failed = true;
	}
	return err;
}

static int parts_make(struct bw_mheap *h, bool exact)
{
	size_t nr = bw_window_pages(&h->be->window);
	u8 *cls = bw_sys_alloc(nr);

	if (!cls || pthread_key_create(&boot.key, thread_ends)) {
		bw_sys_free(cls, nr);
		return -ENOMEM;
	}
	bw_mclasses_init();
	bw_depots_init(h, exact);
	if (pthread_atfork(bw_depots_lock_all, bw_depots_unlock_all,
			   child_begins)) {
		pthread_key_delete(boot.key);
		bw_sys_free(cls, nr);
		return -ENOMEM;
	}
	bw_pages.base = (uintptr_t)h->map.base;
	bw_pages.cls = cls;
	bw_pages.nr = nr;
	bw_boot_classes = !h->guard;
	return 0;
}

static int heap_open(void)
{
	struct bw_mheap *h;
	int err = bw_mheap_get(&h);

	if (err)
		return failed(err, bw_error_last());
	err = parts_make(h, h->verify || h->clobberfree);
	if (!err)
		/* pairs with bw_boot_heap() */
		smp_store_release(&boot.heap, h);
	return err;
}

static bool heap_is_there(void)
{
	int err = 0;

	if (likely(bw_boot_heap()))
		return true;
	if (!boot.constructed && !environ)
		return false;
	bw_lock(&boot.lock);
	if (!boot.heap && !boot.failed)
		err = heap_open();
	err = boot.failed ? -EINVAL : err;
	bw_unlock(&boot.lock);
	return !err;
}

/* What is called meanwhile may allocate: BUSY, it gets static memory. */
bool bw_boot_thread(void)
{
	struct bw_front *f = &bw_front;

	if (f->state != BW_FRONT_NEW)
		return f->state != BW_FRONT_BUSY;
	f->state = BW_FRONT_BUSY;
	if (!heap_is_there()) {
		f->state = BW_FRONT_NEW;
		return false;
	}
	bw_front_begin(f);
	/* for a key beyond the first 32 it allocates: by now it can */
	pthread_setspecific(boot.key, f);
	return true;
}

__attribute__((constructor)) static void constructed(void)
{
	int saved = errno;

	boot.constructed = true;
	bw_boot_thread();
	errno = saved;
}
