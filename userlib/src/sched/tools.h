/* SPDX-License-Identifier: MIT */
/*
 * tools: what sanitizers and Valgrind want to be told of stacks that change.
 * Without them all of it is nothing.
 */
#ifndef BW_SCHED_TOOLS_H
#define BW_SCHED_TOOLS_H

#include "base/types.h"

#ifndef __has_feature
#define __has_feature(x)	(0 && (x))
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define BW_ASAN	1
#else
#define BW_ASAN	0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define BW_TSAN	1
#else
#define BW_TSAN	0
#endif

/* Outside Valgrind this is a few instructions that do nothing. */
#if __has_include("valgrind/valgrind.h") && !BW_ASAN && !BW_TSAN
#include <valgrind/valgrind.h>

static inline void bw_valgrind_stack(char *low, char *end)
{
	VALGRIND_STACK_REGISTER(low, end - 1);
}
#else
static inline void bw_valgrind_stack(char *low, char *end)
{
}
#endif

/**
 * struct bw_fiber - a stack, as a sanitizer knows it			[owner]
 * @low:	its lowest address
 * @bytes:	its size
 * @handle:	asan: its fake stack while it is left; tsan: its fiber
 */
struct bw_fiber {
#if BW_ASAN || BW_TSAN
	const void *low;
	size_t bytes;
	void *handle;
#endif
};

#if BW_ASAN

static inline void bw_fiber_make(struct bw_fiber *f, const void *low, size_t n)
{
	f->low = low;
	f->bytes = n;
	f->handle = NULL;
	/* what the last one to run here left poisoned */
	__asan_unpoison_memory_region(low, n);
}

static inline void bw_fiber_free(struct bw_fiber *f)
{
	f->handle = NULL;
}

static inline void bw_fiber_leave(struct bw_fiber *from, struct bw_fiber *to,
				  bool dying)
{
	__sanitizer_start_switch_fiber(dying ? NULL : &from->handle, to->low,
				       to->bytes);
}

static inline void bw_fiber_arrive(struct bw_fiber *self)
{
	__sanitizer_finish_switch_fiber(self->handle, NULL, NULL);
}

static inline void bw_fiber_thread(struct bw_fiber *f, const void *low,
				   size_t n)
{
	f->low = low;
	f->bytes = n;
	f->handle = NULL;
}

#elif BW_TSAN

static inline void bw_fiber_make(struct bw_fiber *f, const void *low, size_t n)
{
	f->handle = __tsan_create_fiber(0);
}

static inline void bw_fiber_free(struct bw_fiber *f)
{
	/* one that did not begin has none */
	if (f->handle)
		__tsan_destroy_fiber(f->handle);
	f->handle = NULL;
}

static inline void bw_fiber_leave(struct bw_fiber *from, struct bw_fiber *to,
				  bool dying)
{
	__tsan_switch_to_fiber(to->handle, 0);
}

static inline void bw_fiber_arrive(struct bw_fiber *self)
{
}

static inline void bw_fiber_thread(struct bw_fiber *f, const void *low,
				   size_t n)
{
	f->handle = __tsan_get_current_fiber();
}

#else

static inline void bw_fiber_make(struct bw_fiber *f, const void *low, size_t n)
{
}

static inline void bw_fiber_free(struct bw_fiber *f)
{
}

static inline void bw_fiber_leave(struct bw_fiber *from, struct bw_fiber *to,
				  bool dying)
{
}

static inline void bw_fiber_arrive(struct bw_fiber *self)
{
}

static inline void bw_fiber_thread(struct bw_fiber *f, const void *low,
				   size_t n)
{
}

#endif

#endif
