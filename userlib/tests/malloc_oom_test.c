// SPDX-License-Identifier: MIT
/*
 * When memory runs out: each call of the malloc family says NULL and ENOMEM, what
 * there is stays as it was, and nothing is lost.
 */
#include "cgroup_rig.h"
#include "heap/pageheap.h"
#include "malloc/entry.h"
#include "malloc_rig.h"
#include "oom_rig.h"

/* Not each step with each error, under a sanitizer fewer: it is 189 calls a time. */
#if defined(__SANITIZE_ADDRESS__)
#define SKIPS	2
#else
#define SKIPS	12
#endif

#define CALLS	9
#define SIZES	6

static const size_t sizes[SIZES] = {
	1, 200, 5000, 40000, 300000, 2 << 20,
};

/**
 * struct block - as the test remembers it
 */
struct block {
	unsigned char *p;
	size_t n;
	unsigned char fill;
};

static void *call(unsigned int which, size_t n)
{
	void *p = NULL;

	switch (which) {
	case 0:
		return bw_mem_malloc(n);
	case 1:
		return bw_mem_calloc(n, 1);
	case 2:
		return bw_mem_realloc(NULL, n);
	case 3:
		return bw_mem_reallocarray(NULL, n, 1);
	case 4:
		return bw_mem_memalign(64, n);
	case 5:
		return bw_mem_aligned_alloc(16384, n);
	case 6:
		errno = bw_mem_posix_memalign(&p, 1 << 20, n);
		return p;
	case 7:
		return bw_mem_valloc(n);
	default:
		return bw_mem_pvalloc(n);
	}
}

/* Of large ones the test looks at the beginning. */
static size_t seen(size_t n)
{
	return n < 40000 ? n : 40000;
}

static bool holds(const struct block *b, size_t n)
{
	return !b->p || mrig_holds(b->p, seen(n), b->fill);
}

static unsigned int make(struct block *b, unsigned int i)
{
	b->n = sizes[i % SIZES];
	b->fill = (unsigned char)(i + 1);
	errno = 0;
	b->p = call(i / SIZES, b->n);
	EXPECT(b->p || errno == ENOMEM);
	if (!b->p)
		return 0;
	if (i / SIZES == 1)
		EXPECT(mrig_holds(b->p, seen(b->n), 0));
	mrig_fill(b->p, seen(b->n), b->fill);
	return 1;
}

/* Longer or shorter; a block that cannot be had leaves the old one. */
static unsigned int resize(struct block *b, size_t n)
{
	unsigned char *p;

	if (!b->p)
		return 0;
	errno = 0;
	p = bw_mem_realloc(b->p, n);
	if (!p) {
		EXPECT(errno == ENOMEM && holds(b, b->n));
		return 0;
	}
	b->p = p;
	EXPECT(holds(b, n < b->n ? n : b->n));
	b->n = n;
	mrig_fill(p, seen(n), b->fill);
	return 1;
}

#define BLOCKS	(CALLS * SIZES)

/* How many calls had what they asked for: each block makes three. */
static unsigned int chain(void)
{
	struct block b[BLOCKS];
	unsigned int i, got = 0;

	for (i = 0; i < BLOCKS; i++)
		got += make(&b[i], i);
	for (i = 0; i < BLOCKS; i++)
		got += resize(&b[i], 3 * b[i].n + 17);
	for (i = 0; i < BLOCKS; i++)
		got += resize(&b[i], b[i].n / 2 + 1);
	for (i = 0; i < BLOCKS; i++) {
		EXPECT(holds(&b[i], b[i].n));
		bw_mem_free(b[i].p);
	}
	return got;
}

static void each_step_of_the_backend_may_fail_and_no_block_is_lost(void)
{
	/* one alone costs nothing: all that is kept goes, and it is tried again */
	static const int errs[] = { -ENOMEM, -ENOMEM, -ENOSPC };
	static const u64 in_a_row[] = { 1, 1000000, 4 };
	unsigned int e, got, fewer = 0;
	uint64_t total = 1, nth, used;
	struct oom oom;

	EXPECT(chain() == 3 * BLOCKS);
	bw_mem_trim(0);
	used = bw_boot_heap()->used_pages;
	oom_begin(&oom, bw_boot_heap());
	for (e = 0; e < ARRAY_SIZE(errs); e++)
		for (nth = oom_first(&oom), total = nth; nth <= total;
		     nth = e ? nth + 1 + nth / SKIPS :
			       oom_next(&oom, nth, SKIPS)) {
			bw_backend_failnth_again(oom.failing, nth, in_a_row[e],
						 errs[e]);
			got = chain();
			total = bw_backend_failnth_steps(oom.failing);
			EXPECT(in_a_row[e] > 1 || got == 3 * BLOCKS);
			fewer += got < 3 * BLOCKS;
			bw_backend_failnth_again(oom.failing, 0, 0, 0);
			bw_mem_trim(0);
			if (!EXPECT(mrig_heap_is_good() &&
				    oom.h->used_pages == used))
				printf("# step %llu, %llu pages\n",
				       (unsigned long long)nth,
				       (unsigned long long)oom.h->used_pages);
		}
	EXPECT(chain() == 3 * BLOCKS);
	EXPECT(fewer > 10);
	printf("# %llu steps, %u times less\n", (unsigned long long)total,
	       fewer);
	oom_end(&oom);
}

static void *limited_alloc(size_t n, unsigned int nr)
{
	return bw_mem_malloc(n);
}

static void trim(void)
{
	bw_mem_trim(0);
}

static int in_cgroup(size_t left)
{
	static const struct crig_calls calls = {
		limited_alloc, bw_mem_free, mrig_heap_is_good, trim,
	};
	struct crig_seen was[] = {
		{ .n = 1000 }, { .n = 32768 }, { .n = 200000 },
	};

	return crig_there(&calls, left, was, ARRAY_SIZE(was));
}

static void at_the_limit_of_a_cgroup_it_is_ENOMEM_and_nobody_is_killed(void)
{
	crig_everywhere();
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "cgroup"))
		return in_cgroup(strtoul(argv[2], NULL, 0));
	/* in user mode who goes beyond it is killed: memory comes by touch */
	bw_mem_free(bw_mem_malloc(1));
	if (strcmp(bw_boot_heap()->be->mode, "kernel"))
		TEST(each_step_of_the_backend_may_fail_and_no_block_is_lost);
	else
		TEST(at_the_limit_of_a_cgroup_it_is_ENOMEM_and_nobody_is_killed);
	return tap_end();
}
