// SPDX-License-Identifier: MIT
/*
 * pagepolicy_shape: makes heaps of each shape, and checks that they have it.
 *
 *	visit()			pagepolicy.c
 *	  shape_make()		<- here: one populate_*() a variant
 *	  shape_check()		<- here: pagemap and smaps
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pagepolicy_shape.h"

#define BALLAST		2		/* frames left between two of A's */

#ifndef UFFDIO_MOVE
#define UFFD_FEATURE_MOVE	(1 << 16)
#define UFFDIO_MOVE		_IOWR(UFFDIO, 0x05, struct uffdio_move)
struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};
#endif

/* Set before the first heap is made. */
static size_t heap_bytes;
static const uint32_t *shuffled;	/* a heap's pages in random order */
static int uffd;

/* PROT_NONE on both sides keeps its VMA from merging with another. */
char *map_make(size_t bytes, int advice)
{
	char *raw = mmap(NULL, bytes + 2 * BLOCK, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *p = (char *)(((uintptr_t)raw + BLOCK) & ~(BLOCK - 1));

	if (raw == MAP_FAILED || mprotect(p, bytes, PROT_READ | PROT_WRITE))
		err(1, "%zu bytes of memory", bytes);
	if (p - FRAME > raw)
		munmap(raw, p - FRAME - raw);
	munmap(p + bytes + FRAME, raw + 2 * BLOCK - FRAME - p);
	if (advice >= 0 && madvise(p, bytes, advice))
		err(1, "madvise %d", advice);
	return p;
}

void map_free(char *p, size_t bytes)
{
	munmap(p - FRAME, bytes + 2 * FRAME);
}

/* Not zero: a page of zeros loses its frame when its 2 MiB block is split. */
void touch(char *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += FRAME)
		*(volatile char *)(p + i) = 1;
}

/*
 * A. Touched in random order, so that neighbours get frames far from each
 * other, with frames in between that others hold meanwhile: a heap that lives
 * on what a long-running machine has left over.
 */
static char *populate_scattered(void)
{
	char *p = map_make(heap_bytes, MADV_NOHUGEPAGE);
	char *ballast = map_make(BALLAST * heap_bytes, MADV_NOHUGEPAGE);
	size_t i;

	for (i = 0; i < heap_bytes / FRAME; i++) {
		touch(p + shuffled[i] * FRAME, FRAME);
		touch(ballast + i * BALLAST * FRAME, BALLAST * FRAME);
	}
	map_free(ballast, BALLAST * heap_bytes);
	return p;
}

/* C, and what B starts from. */
static char *populate_huge(void)
{
	char *p = map_make(heap_bytes, MADV_HUGEPAGE);

	touch(p, heap_bytes);
	return p;
}

/*
 * B. A VMA that ends inside a 2 MiB entry makes the kernel cut that entry into
 * 512 small ones; the frames stay where they are. NOHUGEPAGE then keeps the
 * kernel from mending it.
 */
static char *populate_cut(void)
{
	char *p = populate_huge();
	size_t i;

	for (i = 0; i < heap_bytes; i += BLOCK)
		if (mprotect(p + i + FRAME, FRAME, PROT_READ) ||
		    mprotect(p + i + FRAME, FRAME, PROT_READ | PROT_WRITE))
			err(1, "mprotect");
	if (madvise(p, heap_bytes, MADV_NOHUGEPAGE))
		err(1, "madvise");
	return p;
}

/* E. A frame can move to another page without being copied. */
static char *populate_shuffled(void)
{
	char *from = populate_huge(), *p = map_make(heap_bytes, MADV_NOHUGEPAGE);
	struct uffdio_register reg = {
		.range = { (uintptr_t)p, heap_bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	size_t i;

	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		err(1, "UFFDIO_REGISTER");
	for (i = 0; i < heap_bytes / FRAME; i++) {
		struct uffdio_move move = {
			.dst = (uintptr_t)p + i * FRAME,
			.src = (uintptr_t)from + shuffled[i] * FRAME,
			.len = FRAME,
		};

		while (ioctl(uffd, UFFDIO_MOVE, &move))
			if (errno != EAGAIN)
				err(1, "UFFDIO_MOVE");
	}
	if (ioctl(uffd, UFFDIO_UNREGISTER, &reg.range))
		err(1, "UFFDIO_UNREGISTER");
	map_free(from, heap_bytes);
	return p;
}

/* D */
static char *populate_plain(void)
{
	char *p = map_make(heap_bytes, -1);

	touch(p, heap_bytes);
	return p;
}

/**
 * struct variant - a shape of memory				[const]
 * @populate:	makes it
 * @min_huge:	bounds of its share of 2 MiB entries
 * @max_huge:
 * @min_beside:	bounds of its share of pages whose next one is also next in
 * @max_beside:	physical memory
 */
static const struct variant {
	char letter;
	const char *name;
	char *(*populate)(void);
	double min_huge, max_huge, min_beside, max_beside;
} variants[NR_VARIANTS] = {
	{ 'A', "4 KiB entries, scattered frames", populate_scattered,
	  0, 0, 0, 0.01 },
	{ 'B', "4 KiB entries, 2 MiB blocks", populate_cut,
	  0, 0, 0.99, 1 },
	{ 'C', "2 MiB entries", populate_huge,
	  1, 1, 0.99, 1 },
	{ 'D', "plain anonymous memory", populate_plain,
	  0, 1, 0, 1 },
	{ 'E', "4 KiB entries, shuffled in 2 MiB blocks", populate_shuffled,
	  0, 0, 0, 0.01 },
};

/* What was seen of each variant: lowest and highest. */
static struct shape {
	double huge[2];		/* share mapped by 2 MiB entries */
	double beside[2];	/* share with the next page next in memory */
	double blocks[2];	/* 2 MiB blocks of memory it has frames in */
} seen[NR_VARIANTS] = {
	[0 ... NR_VARIANTS - 1] = { { 1, 0 }, { 1, 0 }, { 1e9, 0 } },
};

double share_huge(const void *p, size_t bytes)
{
	unsigned long from, to, kb, sum = 0;
	FILE *f = fopen("/proc/self/smaps", "r");
	bool ours = false;
	char line[512];

	if (!f)
		err(1, "smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			ours = from < (uintptr_t)p + bytes && to > (uintptr_t)p;
		else if (ours && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			sum += kb;
	}
	fclose(f);
	return (double)sum * 1024 / bytes;
}

/* The frame behind each of @n pages; 0 where the kernel hides it. */
static void frames_read(const void *p, size_t n, uint64_t *frames)
{
	const uint64_t present = 1ULL << 63, pfn = (1ULL << 55) - 1;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	ssize_t bytes = n * sizeof(*frames);
	size_t i;

	if (fd < 0 || pread(fd, frames, bytes, (uintptr_t)p / FRAME * 8) != bytes)
		err(1, "pagemap");
	close(fd);
	for (i = 0; i < n; i++) {
		if (!(frames[i] & present))
			errx(1, "page %zu has no frame", i);
		frames[i] &= pfn;
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void shape_check(int v, const char *heap)
{
	size_t i, n = heap_bytes / FRAME, beside = 0, blocks = 1;
	double huge = share_huge(heap, heap_bytes), share;
	uint64_t *frames = malloc(n * sizeof(*frames));
	const struct variant *va = &variants[v];

	if (!frames)
		err(1, "frames");
	frames_read(heap, n, frames);
	for (i = 0; i + 1 < n; i++)
		beside += frames[i + 1] == frames[i] + 1;
	share = (double)beside / (n - 1);
	qsort(frames, n, sizeof(*frames), by_value);
	for (i = 0; i + 1 < n; i++)
		blocks += frames[i + 1] / 512 != frames[i] / 512;
	free(frames);

	if (huge < va->min_huge || huge > va->max_huge ||
	    share < va->min_beside || share > va->max_beside)
		errx(1, "%c: %.4f by 2 MiB entries, %.4f contiguous: not '%s'",
		     va->letter, huge, share, va->name);
	keep(seen[v].huge, huge);
	keep(seen[v].beside, share);
	keep(seen[v].blocks, blocks);
}

const char *shapes_lack(void)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_MOVE,
	};
	uint64_t frame;

	frames_read(&api, 1, &frame);
	if (!frame)
		return "pagemap shows frames to root only";
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		return "no UFFDIO_MOVE";
	return NULL;
}

void shapes_init(size_t bytes, const uint32_t *order)
{
	heap_bytes = bytes;
	shuffled = order;
}

char *shape_make(int v)
{
	return variants[v].populate();
}

void shapes_report(void)
{
	const struct shape *s;

	printf("\n| | shape | by 2 MiB entries | next page is next frame "
	       "| 2 MiB blocks it has frames in |\n"
	       "| --- | --- | --- | --- | --- |\n");
	for (s = seen; s < seen + NR_VARIANTS; s++)
		printf("| %c | %s | %.1f-%.1f %% | %.2f-%.2f %% | %.0f-%.0f |\n",
		       variants[s - seen].letter, variants[s - seen].name,
		       s->huge[0] * 100, s->huge[1] * 100,
		       s->beside[0] * 100, s->beside[1] * 100,
		       s->blocks[0], s->blocks[1]);
}
