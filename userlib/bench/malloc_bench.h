/* SPDX-License-Identifier: MIT */
/* malloc_bench: between its two files. */
#ifndef MALLOC_BENCH_H
#define MALLOC_BENCH_H

#include <stddef.h>
#include <stdint.h>

uint64_t bench_random(uint64_t *state);

/* A block is used, so that no compiler leaves it out. */
static inline void bench_use(void *p)
{
	__asm__ volatile("" : : "r" (p) : "memory");
}

/* One thread allocates, the other frees. */
unsigned long bench_handover(size_t n);
/* Servers: each thread replaces blocks at random and ends; the next goes on. */
unsigned long bench_larson(size_t n);
/* Every thread allocates batches that any thread frees. */
unsigned long bench_xmalloc(size_t n);

#endif
