// SPDX-License-Identifier: MIT
/*
 * mcache_hook: see mcache_hook.h. What a compiler or a header is not there for
 * is empty: the #if are all at the top.
 */
#include "base/throw.h"
#include "mcache_hook.h"
#include "pageheap.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN	1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#define asan_is_there()		true
#else
#define asan_is_there()		false
#define ASAN_POISON_MEMORY_REGION(p, n)		((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n)	((void)(p), (void)(n))
#endif

#if defined(__has_include)
#if __has_include("valgrind/memcheck.h")
#include <valgrind/memcheck.h>
#define HAS_VALGRIND	1
#endif
#endif

#ifndef HAS_VALGRIND
#define VALGRIND_GET_VBITS(p, bits, n) \
	((void)(p), (void)(bits), (void)(n), 0)
#define VALGRIND_MALLOCLIKE_BLOCK(p, n, redzone, zeroed) \
	((void)(p), (void)(n), (void)(redzone), (void)(zeroed))
#define VALGRIND_FREELIKE_BLOCK(p, redzone)	((void)(p), (void)(redzone))
#define VALGRIND_MAKE_MEM_NOACCESS(p, n)		((void)(p), (void)(n))
#define VALGRIND_MAKE_MEM_DEFINED(p, n)			((void)(p), (void)(n))
#endif

/* Of valgrind's tools memcheck alone, the others answer 0. */
static bool memcheck_is_there(void)
{
	char byte = 0, bits;

	return VALGRIND_GET_VBITS(&byte, &bits, 1) == 1;
}

bool bw_hook_wanted(void)
{
	return asan_is_there() || memcheck_is_there();
}

static size_t slot_bytes(const struct bw_mspan *s)
{
	return s->elem_size * s->nelems;
}

void bw_hook_span(struct bw_mheap *h, struct bw_mspan *s)
{
	if (h->clobberfree) {
		memset(s->base, BW_CLOBBER, slot_bytes(s));
		s->needzero = true;
	}
	VALGRIND_MAKE_MEM_NOACCESS(s->base, slot_bytes(s));
	ASAN_POISON_MEMORY_REGION(s->base, slot_bytes(s));
}

void bw_hook_span_end(struct bw_mspan *s)
{
	if (!s->cls)
		VALGRIND_FREELIKE_BLOCK(s->base, 0);
	VALGRIND_MAKE_MEM_NOACCESS(s->base, slot_bytes(s));
	ASAN_POISON_MEMORY_REGION(s->base, slot_bytes(s));
}

void bw_hook_span_begin(struct bw_mspan *s)
{
	VALGRIND_MAKE_MEM_DEFINED(s->base, slot_bytes(s));
	ASAN_UNPOISON_MEMORY_REGION(s->base, slot_bytes(s));
}

static void clobber_check(const struct bw_mspan *s, const char *p)
{
	size_t i;

	for (i = 0; i < s->elem_size; i++)
		if ((u8)p[i] != BW_CLOBBER)
			bw_fatal("clobberfree: byte %zu of slot %zu at %p, "
				 "class %u (%llu bytes, %s), was written to "
				 "after it was freed: 0x%x", i,
				 (size_t)(p - s->base) / s->elem_size, p,
				 s->cls, (unsigned long long)s->elem_size,
				 bw_kind_name(s->kind), (u8)p[i]);
}

void bw_hook_alloc(struct bw_mheap *h, struct bw_mspan *s, char *p, size_t n)
{
	ASAN_UNPOISON_MEMORY_REGION(p, s->elem_size);
	if (h->clobberfree) {
		VALGRIND_MAKE_MEM_DEFINED(p, s->elem_size);
		clobber_check(s, p);
		VALGRIND_MAKE_MEM_NOACCESS(p, s->elem_size);
	}
	ASAN_POISON_MEMORY_REGION(p, s->elem_size);
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	VALGRIND_MALLOCLIKE_BLOCK(p, n, 0, !s->needzero);
}

void bw_hook_free(struct bw_mheap *h, struct bw_mspan *s, char *p)
{
	VALGRIND_FREELIKE_BLOCK(p, 0);
	if (h->clobberfree) {
		VALGRIND_MAKE_MEM_DEFINED(p, s->elem_size);
		ASAN_UNPOISON_MEMORY_REGION(p, s->elem_size);
		memset(p, BW_CLOBBER, s->elem_size);
		VALGRIND_MAKE_MEM_NOACCESS(p, s->elem_size);
	}
	ASAN_POISON_MEMORY_REGION(p, s->elem_size);
}

void bw_hook_large(struct bw_mheap *h, struct bw_mspan *s, size_t n)
{
	if (h->clobberfree && s->needzero)
		memset(s->base, BW_CLOBBER, n);
	ASAN_POISON_MEMORY_REGION(s->base, s->elem_size);
	ASAN_UNPOISON_MEMORY_REGION(s->base, n);
	VALGRIND_MAKE_MEM_NOACCESS(s->base, s->elem_size);
	VALGRIND_MALLOCLIKE_BLOCK(s->base, n, 0, !s->needzero);
}

void bw_hook_zero(char *p, size_t n, size_t slot)
{
	memset(p, 0, bw_hook_wanted() ? n : slot);
}
