/* SPDX-License-Identifier: MIT */
/*
 * burrow/gc.h: the collector of objects (burrow/alloc.h, burrow/type.h).
 *
 * An object lives as long as it can be reached: from stacks and registers of Gs
 * and of threads that are attached or allocate, from static data of the program
 * and its libraries and their thread-local variables, from ranges that were
 * registered, from pins, and from other objects. A pointer to anywhere inside is
 * good enough. What is not looked at: memory of malloc() and regions, mappings,
 * thread-specific values, what the kernel was given; register or pin what only
 * they hold. bw_free() is allowed, and never needed.
 *
 * BURROW_GC=100|off says by how many percent the heap may grow before a cycle;
 * BURROW_MEMLIMIT=bytes what it should stay below (K, M, G, T; default: what the
 * cgroups allow).
 */
#ifndef BURROW_GC_H
#define BURROW_GC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bw_g;

/* A whole cycle, sweep and all; others run meanwhile where they can. */
void bw_gc(void);

/* What BURROW_GC and BURROW_MEMLIMIT say, from now on; negative: none. The old. */
int bw_gc_set_percent(int percent);
int64_t bw_gc_set_limit(int64_t bytes);

/*
 * From now on the words of [@p, @p + @bytes) are looked at, each of which may be
 * a pointer. @p is aligned to 8. 0, -EINVAL, -EEXIST, -ENOMEM
 */
int bw_root_add(const void *p, size_t bytes);
/* What was added there is looked at no longer; fatal if nothing was. */
void bw_root_del(const void *p);

/* The object that @p points into lives until as many unpins. 0, -ENOMEM */
int bw_pin(void *p);
void bw_unpin(void *p);

/* 0: static data of the program and its libraries is not looked at. */
void bw_root_data(int on);

/* Up to here the object is used, whatever the compiler thinks. */
static inline void bw_keepalive(const void *p)
{
	__asm__ volatile("" : : "r" (p) : "memory");
}

/*
 * When the object that begins at @p can no longer be reached, fn(p, arg) runs,
 * once, in a G of its own while a bw_run() is under way; the object lives until
 * then, with all that it reaches, so that of two such objects the one that nobody
 * needs goes first. Those that reach each other in a cycle are kept. @arg is
 * reachable meanwhile: not the object itself, nor what points to it. NULL takes
 * the finalizer away. Not for objects below 16 bytes without pointers. 0, -ENOMEM
 */
int bw_finalizer_set(void *p, void (*fn)(void *obj, void *arg), void *arg);

/*
 * A weak reference to the object that begins at @p does not keep it:
 * bw_weak_get() is the object, or NULL from the cycle on that found that nobody
 * could reach it (before its finalizer ran), or after bw_free(). As many
 * bw_weak_free() as bw_weak_make(). NULL: no memory
 */
struct bw_weak;

struct bw_weak *bw_weak_make(void *p);
void *bw_weak_get(struct bw_weak *w);
void bw_weak_free(struct bw_weak *w);

/**
 * struct bw_leak - a G that waits for ever
 * @g:		which
 * @id:		bw_g_id()
 * @name:	of bw_go_named(), or NULL
 * @reason:	what it waits for, in words
 * @fn:		what it was started with
 */
struct bw_leak {
	struct bw_g *g;
	uint64_t id;
	const char *name;
	const char *reason;
	void (*fn)(void *arg);
};

/*
 * A cycle, in one stop, that looks for Gs that wait without a deadline for
 * something in the heap that nobody can reach but Gs of which the same is true:
 * they wait for ever. Returns how many there are, and tells of @max of them at
 * most. They are not ended, and what they hold lives. A word that looks like a
 * pointer may hide one; none is named that could go on. Who waits in bw_park(), for
 * a descriptor or for the clock is not among them. BURROW=leakcheck=1 does it when
 * the first G of a run ends, and names them with their backtraces.
 */
size_t bw_leaks(struct bw_leak *leak, size_t max);

/**
 * struct bw_gc_stats - so far
 * @cycles:	that are over
 * @pause_ns:	the world stood still, all in all
 * @longest_ns:	and at most
 * @cpu_ns:	CPU time of marking
 * @goal:	bytes of objects at which the next cycle is to be over
 * @marked:	bytes of objects that the last cycle left
 * @live:	these, and what was taken since
 * @allocated:	bytes ever taken
 * @swept:	bytes that cycles freed
 */
struct bw_gc_stats {
	uint64_t cycles;
	uint64_t pause_ns;
	uint64_t longest_ns;
	uint64_t cpu_ns;
	uint64_t goal;
	uint64_t marked;
	uint64_t live;
	uint64_t allocated;
	uint64_t swept;
};

void bw_gc_stats(struct bw_gc_stats *out);

#ifdef __cplusplus
}
#endif

#endif
