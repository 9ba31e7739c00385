/* SPDX-License-Identifier: MIT */
/* say: the calls of the script, each followed by a line that says its result. */
#ifndef BW_PARITY_SAY_H
#define BW_PARITY_SAY_H

#include <burrow.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PAGE_WORDS	(BURROW_PAGE_SIZE / sizeof(u64))

/* The heap the script is at work on. */
extern struct bw_heap *heap;

void section(const char *name);
void result(const char *what, int err);

u64 *words(u32 page);
void fill(u32 page, u32 npages, u64 stamp);
/* "zero", "stamp" (what fill() wrote) or "other". */
const char *content(u32 page, u32 npages, u64 stamp);

/* Spans of noscan objects; the caller changes what it wants otherwise. */
struct bw_span_want want(u32 npages);

void show_lookup(const void *addr);
int alloc(const struct bw_span_want *want, struct burrow_span_ref *ref,
	  u32 nr);
void release(u32 flags, const struct burrow_span_ref *ref, u32 nr);
void reclaim(const struct burrow_range *r, u32 nr);
void stats(void);

/* Each in the file of its name. */
void memory_script(void);
void sweep_script(void);
void stack_script(void);
void fork_script(void);

#endif
