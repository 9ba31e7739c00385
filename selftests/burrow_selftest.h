/* SPDX-License-Identifier: MIT */
/*
 * burrow_selftest: a heap as the kselftests use it, with nothing in between.
 *
 *	TEST_F(heap, ...)	selftests/<noun>.c
 *	  heap_make() span_alloc() ...	<- here: one ioctl or mmap each
 *	    /dev/burrow
 *
 * Helpers return 0 or -errno and never assert, so that threads and children
 * may call them; only a test's own process asserts. Each test runs in a process
 * of its own (the harness forks), so what it leaves behind goes with it.
 */
#ifndef BURROW_SELFTEST_H
#define BURROW_SELFTEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <kselftest_harness.h>
#include <burrow/burrow.h>

/* The guests are emulated, some of them with KASAN and lockdep. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#define TEST_ARENAS		8U
#define FRAME_SIZE		4096UL
#define FRAMES_PER_PAGE		(BURROW_PAGE_SIZE / FRAME_SIZE)

#define NR(a)			(sizeof(a) / sizeof((a)[0]))
#define U64(p)			((__u64)(unsigned long)(p))

/* A failed row of a table names itself; the test goes on with the next. */
#define EXPECT_ROW(want, seen, what) do {				\
	const char *row_name = (what);					\
									\
	EXPECT_EQ(want, seen)						\
		TH_LOG("row: %s", row_name);				\
} while (0)

/**
 * struct heap - one open file and the places it was set up with
 * @window:	PROT_NONE until an arena is mapped there
 * @kmeta:	indexed by page, where an arena's are mapped
 */
struct heap {
	int fd;
	__u32 nr_arenas;
	char *window;
	volatile __u64 *kmeta;
	char *umeta;
};

static inline int call(int fd, unsigned int cmd, const void *arg)
{
	int r = ioctl(fd, cmd, arg);

	return r < 0 ? -errno : r;
}

static inline int device_open(void)
{
	int fd = open(BURROW_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Address space without memory, a multiple of @align; NULL if there is none. */
static inline char *place_reserve(size_t bytes, size_t align)
{
	char *p, *at;

	p = mmap(NULL, bytes + align, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	at = (char *)((U64(p) + align - 1) & ~(align - 1));
	if (at > p)
		munmap(p, at - p);
	if (at + bytes < p + bytes + align)
		munmap(at + bytes, p + align - at);
	return at;
}

static inline int places_reserve(struct heap *h, __u32 nr_arenas)
{
	h->nr_arenas = nr_arenas;
	h->window = place_reserve(nr_arenas * BURROW_ARENA_SIZE,
				  BURROW_ARENA_SIZE);
	h->kmeta = (void *)place_reserve(nr_arenas * BURROW_KMETA_SIZE,
					 BURROW_KMETA_SIZE);
	h->umeta = place_reserve(nr_arenas * BURROW_UMETA_SIZE,
				 BURROW_UMETA_SIZE);
	return h->window && h->kmeta && h->umeta ? 0 : -ENOMEM;
}

static inline int heap_set_up(const struct heap *h)
{
	struct burrow_heap_setup arg = {
		.size = sizeof(arg),
		.window = U64(h->window),
		.window_size = h->nr_arenas * BURROW_ARENA_SIZE,
		.kmeta = U64(h->kmeta),
		.umeta = U64(h->umeta),
	};

	return call(h->fd, BURROW_IOC_HEAP_SETUP, &arg);
}

static inline int heap_make(struct heap *h, __u32 nr_arenas)
{
	int r = places_reserve(h, nr_arenas);

	if (r)
		return r;
	h->fd = device_open();
	return h->fd < 0 ? h->fd : heap_set_up(h);
}

/* Adds the arena; its index or -errno. */
static inline int arena_add(const struct heap *h, __u32 index)
{
	struct burrow_arena_add arg = {
		.size = sizeof(arg),
		.kind = BURROW_ARENA_HEAP,
		.index = index,
	};
	int r = call(h->fd, BURROW_IOC_ARENA_ADD, &arg);

	return r ? r : (int)arg.out_index;
}

static inline size_t part_size(enum burrow_mmap_kind kind)
{
	static const size_t size[] = {
		[BURROW_MMAP_DATA] = BURROW_ARENA_SIZE,
		[BURROW_MMAP_KMETA] = BURROW_KMETA_SIZE,
		[BURROW_MMAP_UMETA] = BURROW_UMETA_SIZE,
	};

	return size[kind];
}

/* Where the arena's data, K-words or U-words belong. */
static inline char *part(const struct heap *h, enum burrow_mmap_kind kind,
			 __u32 index)
{
	char *base = kind == BURROW_MMAP_DATA ? h->window :
		     kind == BURROW_MMAP_KMETA ? (char *)h->kmeta : h->umeta;

	return base + index * part_size(kind);
}

static inline int part_prot(enum burrow_mmap_kind kind)
{
	return kind == BURROW_MMAP_KMETA ? PROT_READ : PROT_READ | PROT_WRITE;
}

static inline int part_map(const struct heap *h, enum burrow_mmap_kind kind,
			   __u32 index)
{
	char *at = part(h, kind, index);
	char *p = mmap(at, part_size(kind), part_prot(kind),
		       MAP_SHARED | MAP_FIXED, h->fd,
		       BURROW_MMAP_OFFSET(kind, index * BURROW_ARENA_SIZE));

	return p == at ? 0 : -errno;
}

static inline int part_unmap(const struct heap *h, enum burrow_mmap_kind kind,
			     __u32 index)
{
	return munmap(part(h, kind, index), part_size(kind)) ? -errno : 0;
}

static inline int arena_map(const struct heap *h, __u32 index)
{
	int kind, r = 0;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS && !r; kind++)
		r = part_map(h, kind, index);
	return r;
}

static inline int arena_unmap(const struct heap *h, __u32 index)
{
	int kind, r = 0;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS && !r; kind++)
		r = part_unmap(h, kind, index);
	return r;
}

/* Adds and maps arenas 0 to nr - 1. */
static inline int arenas_make(const struct heap *h, __u32 nr)
{
	int r = 0;
	__u32 i;

	for (i = 0; i < nr && r >= 0; i++) {
		r = arena_add(h, i);
		if (r >= 0)
			r = arena_map(h, i);
	}
	return r;
}

/* A heap of @nr mapped arenas, ready for work. */
static inline int heap_ready(struct heap *h, __u32 nr)
{
	int r = heap_make(h, TEST_ARENAS);

	return r ? r : arenas_make(h, nr);
}

static inline char *page_addr(const struct heap *h, __u32 page)
{
	return h->window + page * BURROW_PAGE_SIZE;
}

static inline __u64 kword(const struct heap *h, __u32 page)
{
	/* pairs with the kernel's release store of the head (L2) */
	return __atomic_load_n(&h->kmeta[page], __ATOMIC_ACQUIRE);
}

static inline bool needs_zero(const struct heap *h, struct burrow_span_ref s)
{
	return kword(h, s.page) & BURROW_W_NEEDZERO;
}

/* A batch: out_nr and out_errno are left in @arg. */
static inline int spans_alloc(const struct heap *h,
			      struct burrow_span_alloc *arg)
{
	arg->size = sizeof(*arg);
	return call(h->fd, BURROW_IOC_SPAN_ALLOC, arg);
}

static inline int span_alloc(const struct heap *h, __u32 npages, __u32 flags,
			     struct burrow_span_ref *out)
{
	struct burrow_span_alloc arg = {
		.flags = flags,
		.spans = U64(out),
		.nr = 1,
		.npages = npages,
		.kind = BURROW_KIND_MANUAL,
	};

	return spans_alloc(h, &arg);
}

static inline int spans_free(const struct heap *h, __u32 flags,
			     const struct burrow_span_ref *spans, __u32 nr,
			     struct burrow_span_free *out)
{
	*out = (struct burrow_span_free) {
		.size = sizeof(*out),
		.flags = flags,
		.spans = U64(spans),
		.nr = nr,
	};
	return call(h->fd, BURROW_IOC_SPAN_FREE, out);
}

static inline int span_free(const struct heap *h, __u32 flags,
			    struct burrow_span_ref span)
{
	struct burrow_span_free arg;

	return spans_free(h, flags, &span, 1, &arg);
}

static inline int ranges_reclaim(const struct heap *h,
				 const struct burrow_range *ranges, __u32 nr,
				 struct burrow_span_reclaim *out)
{
	*out = (struct burrow_span_reclaim) {
		.size = sizeof(*out),
		.ranges = U64(ranges),
		.nr = nr,
	};
	return call(h->fd, BURROW_IOC_SPAN_RECLAIM, out);
}

/* Frames given back by one range, or -errno. */
static inline long range_reclaim(const struct heap *h, __u32 page,
				 __u32 npages)
{
	struct burrow_range range = { page, npages };
	struct burrow_span_reclaim arg;
	int r = ranges_reclaim(h, &range, 1, &arg);

	return r ? r : (long)arg.out_frames;
}

static inline int heap_stats(int fd, struct burrow_heap_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->size = sizeof(*out);
	return call(fd, BURROW_IOC_HEAP_STATS, out);
}

static inline int room(const struct heap *h, __u64 bytes)
{
	struct burrow_heap_room arg = { .size = sizeof(arg), .bytes = bytes };

	return call(h->fd, BURROW_IOC_HEAP_ROOM, &arg);
}

static inline int device_query(int fd, struct burrow_query *out)
{
	memset(out, 0, sizeof(*out));
	out->size = sizeof(*out);
	return call(fd, BURROW_IOC_QUERY, out);
}

/* The slot, or -errno. */
static inline int thread_add(const struct heap *h)
{
	struct burrow_thread_add arg = { .size = sizeof(arg) };
	int r = call(h->fd, BURROW_IOC_THREAD_ADD, &arg);

	return r ? r : (int)arg.out_slot;
}

static inline int thread_del(const struct heap *h, __u32 slot)
{
	struct burrow_thread_del arg = { .size = sizeof(arg), .slot = slot };

	return call(h->fd, BURROW_IOC_THREAD_DEL, &arg);
}

static inline int thread_park(const struct heap *h, __u32 slot,
			      __u64 deadline)
{
	struct burrow_thread_park arg = {
		.size = sizeof(arg),
		.slot = slot,
		.deadline = deadline,
	};

	return call(h->fd, BURROW_IOC_THREAD_PARK, &arg);
}

static inline int thread_swap(const struct heap *h, __u32 slot, __u32 wake,
			      __u64 deadline)
{
	struct burrow_thread_park arg = {
		.size = sizeof(arg),
		.flags = BURROW_PARK_SWAP,
		.slot = slot,
		.wake_slot = wake,
		.deadline = deadline,
	};

	return call(h->fd, BURROW_IOC_THREAD_PARK, &arg);
}

static inline int thread_unpark(const struct heap *h, __u32 slot)
{
	struct burrow_thread_unpark arg = { .size = sizeof(arg), .slot = slot };

	return call(h->fd, BURROW_IOC_THREAD_UNPARK, &arg);
}

#endif
