/* SPDX-License-Identifier: MIT */
/*
 * burrow/alloc.h: objects, regions, and how much there is of them.
 *
 * The heap of the process is opened by the first call, as BURROW and
 * BURROW_MODE say (burrow/heap.h); what they ask for and cannot get is a fatal
 * error with a message. Any thread may call any of this at any time; nothing
 * here is async-signal-safe.
 *
 * Out of memory: NULL, and errno is ENOMEM. Objects of 16 bytes or more are
 * aligned to 16, smaller ones to 8, those of bw_alloc_noscan() below 16 bytes
 * to what their size is a multiple of.
 *
 * In a child of fork(), which may exec or _exit, the first of these calls is a
 * fatal error.
 */
#ifndef BURROW_ALLOC_H
#define BURROW_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include <burrow/layout.h>
#include <burrow/type.h>

#ifdef __cplusplus
extern "C" {
#endif

/* @n zero bytes; every word of them may be a pointer. */
void *bw_alloc(size_t n);

/* @n zero bytes that never hold pointers to objects. */
void *bw_alloc_noscan(size_t n);

/* The same, and what is in them is anything. */
void *bw_alloc_raw(size_t n);

/* @n times @size bytes of bw_alloc(); NULL and ENOMEM if that is too much. */
void *bw_alloc_array(size_t n, size_t size);

/* Of any C type; for types that say where their pointers are see type.h. */
#define bw_new_plain(type)	((type *)bw_alloc(sizeof(type)))
#define bw_new_plain_array(type, n) \
	((type *)bw_alloc_array((n), sizeof(type)))

/*
 * Frees an object whose end the caller knows; NULL is fine. What is not the
 * start of an object, or was freed before, is a fatal error that names its span,
 * class and slot. Objects of bw_alloc_noscan() and bw_alloc_raw() below 16 bytes
 * share memory and are not freed alone: that does nothing.
 */
void bw_free(void *p);

/*
 * Bytes that may be used at @p, as many as were asked for or more. 0 for NULL
 * and for objects below 16 bytes without pointers, where it is not known.
 */
size_t bw_usable_size(const void *p);

/*
 * Regions: objects that end together. One thread at a time. Their memory is
 * zero, aligned to 16, and no root: the collector does not look into it.
 */
struct bw_region;

struct bw_region *bw_region_make(void);
void *bw_region_alloc(struct bw_region *r, size_t n);
/* All objects end; the region keeps some memory for the next. */
void bw_region_reset(struct bw_region *r);
/* And the region; NULL is fine. */
void bw_region_free(struct bw_region *r);

/**
 * struct bw_memclass - spans of one size class, of all kinds
 * @size:	of a slot; 0 in class 0, for objects with spans of their own and
 *		what regions and others hold
 * @spans:	how many
 * @bytes:	in these
 * @objects:	slots in use
 */
struct bw_memclass {
	uint64_t size;
	uint64_t spans;
	uint64_t bytes;
	uint64_t objects;
};

/**
 * struct bw_memstats - bytes
 * @heap:	in arenas: spans and free pages
 * @spans:	in spans that are in use
 * @in_use:	of these in objects, as their slots are long
 * @idle:	@heap - @spans
 * @lazy:	of @idle: with memory behind them
 * @released:	of @idle: without
 * @nr_objects:	how many are @in_use
 * @by_class:	see above
 *
 * Each is off at most by what other threads were allocating and freeing during
 * the call, and by what they freed and still hold to give back together or to
 * allocate again (at most 1024 objects a thread, and 62 of each class and kind).
 */
struct bw_memstats {
	uint64_t heap;
	uint64_t spans;
	uint64_t in_use;
	uint64_t idle;
	uint64_t lazy;
	uint64_t released;
	uint64_t nr_objects;
	struct bw_memclass by_class[BURROW_NR_CLASSES];
};

/* 0, or a negative errno. All zero before there is a heap. */
int bw_memstats(struct bw_memstats *out);

#ifdef __cplusplus
}
#endif

#endif
