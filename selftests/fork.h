/* SPDX-License-Identifier: MIT */
/*
 * fork: a heap that is made to be forked, and a way to take turns.
 *
 *	scene_make()		spans that are each full of their own byte
 *	scene_is_intact()	nobody else's write or reclaim shows
 *	turn_give() turn_take()	the other process may go on / waits
 *
 * What a child is told of the heap it finds in its own memory: fork() copies a
 * scene like everything else.
 */
#ifndef BURROW_SELFTEST_FORK_H
#define BURROW_SELFTEST_FORK_H

#include <sys/socket.h>

#include "child.h"
#include "proc.h"
#include "touch.h"

#define SCENE_SPANS	16U
#define SCENE_PAGES	4U
#define SCENE_FRAMES	(SCENE_SPANS * SCENE_PAGES * FRAMES_PER_PAGE)
#define SPAN_BYTES	(SCENE_PAGES * BURROW_PAGE_SIZE)

struct scene {
	struct heap h;
	struct burrow_span_ref ref[SCENE_SPANS];
};

static inline char *scene_span(const struct scene *s, __u32 i)
{
	return page_addr(&s->h, s->ref[i].page);
}

/* The U-word of a span's first page. */
static inline __u64 *scene_uword(const struct scene *s, __u32 i)
{
	return (__u64 *)(s->h.umeta + BURROW_U_OWNER) + s->ref[i].page;
}

/* Each span is full of @base + its number, which its U-word says too. */
static inline void scene_fill(const struct scene *s, char base)
{
	__u32 i;

	for (i = 0; i < SCENE_SPANS; i++) {
		memset(scene_span(s, i), base + i, SPAN_BYTES);
		*scene_uword(s, i) = base + i;
	}
}

static inline bool scene_is_full_of(const struct scene *s, char base)
{
	__u32 i;

	for (i = 0; i < SCENE_SPANS; i++)
		if (!bytes_are(scene_span(s, i), base + i, SPAN_BYTES) ||
		    *scene_uword(s, i) != (__u64)(base + i))
			return false;
	return true;
}

#define SCENE_BASE	'A'

static inline bool scene_is_intact(const struct scene *s)
{
	return scene_is_full_of(s, SCENE_BASE);
}

/* One arena of @nr_arenas, with the spans in it. */
static inline int scene_make(struct scene *s, __u32 nr_arenas)
{
	__u32 i;
	int r;

	r = heap_make(&s->h, nr_arenas);
	if (!r)
		r = arenas_make(&s->h, 1);
	for (i = 0; i < SCENE_SPANS && !r; i++)
		r = span_alloc(&s->h, SCENE_PAGES, 0, &s->ref[i]);
	if (!r)
		scene_fill(s, SCENE_BASE);
	return r;
}

/* Frames that all heaps of the uid hold, this one among them. */
static inline __u64 total_frames(const struct heap *h)
{
	struct burrow_heap_stats stats;

	return heap_stats(h->fd, &stats) ? ~0ULL : stats.out_user_frames;
}

static inline long long heap_reclaim(const struct heap *h, __u64 bytes)
{
	struct burrow_heap_reclaim arg = {
		.size = sizeof(arg), .bytes = bytes,
	};
	int r = call(h->fd, BURROW_IOC_HEAP_RECLAIM, &arg);

	return r ? r : (long long)arg.out_bytes;
}

/**
 * struct turns - two ends of a socket, for the parent and for the child
 *
 * Each side closes the other's end, so that whoever waits for one that died is
 * not left waiting.
 */
struct turns {
	int end[2];
};

static inline int turns_make(struct turns *t)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, t->end) ? -errno : 0;
}

static inline void turns_keep(struct turns *t, int which)
{
	close(t->end[!which]);
}

static inline int turn_give(const struct turns *t, int which)
{
	return send(t->end[which], "", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* 0, or -EPIPE when the other side is gone. */
static inline int turn_take(const struct turns *t, int which)
{
	char byte;

	return read(t->end[which], &byte, 1) == 1 ? 0 : -EPIPE;
}

enum { PARENT, CHILD };

#endif
