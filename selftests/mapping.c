// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * mapping: what mmap() of the device allows, and what can be done to such a
 * mapping afterwards. Each arena has three, whole and at their places: nothing
 * the process does may move, cut, double or open them up.
 */
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "child.h"
#include "touch.h"

#define WHOLE	BURROW_ARENA_SIZE
#define RW	(PROT_READ | PROT_WRITE)
#define FIXED	(MAP_SHARED | MAP_FIXED)

struct map_row {
	const char *name;
	long at;		/* bytes from where arena 0's part belongs */
	size_t len;
	int prot;
	int flags;
	enum burrow_mmap_kind kind;
	__u64 off;
	int err;
};

static const struct map_row bad_maps[] = {
	{ "next arena's place", WHOLE, WHOLE, RW, FIXED,
	  BURROW_MMAP_DATA, 0, -EINVAL },
	{ "a frame too high", FRAME_SIZE, WHOLE, RW, FIXED,
	  BURROW_MMAP_DATA, 0, -EINVAL },
	{ "a frame too short", 0, WHOLE - FRAME_SIZE, RW, FIXED,
	  BURROW_MMAP_DATA, 0, -EINVAL },
	{ "one frame", 0, FRAME_SIZE, RW, FIXED,
	  BURROW_MMAP_DATA, 0, -EINVAL },
	{ "two arenas long", 0, 2 * WHOLE, RW, FIXED,
	  BURROW_MMAP_DATA, 0, -EINVAL },
	{ "from a frame on", 0, WHOLE, RW, FIXED,
	  BURROW_MMAP_DATA, FRAME_SIZE, -EINVAL },
	{ "private", 0, WHOLE, RW, MAP_PRIVATE | MAP_FIXED,
	  BURROW_MMAP_DATA, 0, -EINVAL },
	{ "executable", 0, WHOLE, RW | PROT_EXEC, FIXED,
	  BURROW_MMAP_DATA, 0, -EINVAL },
	{ "kind unknown", 0, WHOLE, RW, FIXED,
	  BURROW_NR_MMAP_KINDS, 0, -EINVAL },
	{ "kind 255", 0, WHOLE, RW, FIXED,
	  (enum burrow_mmap_kind)255, 0, -EINVAL },
	{ "arena not added", WHOLE, WHOLE, RW, FIXED,
	  BURROW_MMAP_DATA, WHOLE, -ENXIO },
	{ "K-words writable", 0, BURROW_KMETA_SIZE, RW, FIXED,
	  BURROW_MMAP_KMETA, 0, -EINVAL },
	{ "K-words executable", 0, BURROW_KMETA_SIZE, PROT_READ | PROT_EXEC,
	  FIXED, BURROW_MMAP_KMETA, 0, -EINVAL },
	{ "K-words private", 0, BURROW_KMETA_SIZE, PROT_READ,
	  MAP_PRIVATE | MAP_FIXED, BURROW_MMAP_KMETA, 0, -EINVAL },
	{ "K-words of data's length", 0, WHOLE, PROT_READ, FIXED,
	  BURROW_MMAP_KMETA, 0, -EINVAL },
	{ "K-words short", 0, FRAME_SIZE, PROT_READ, FIXED,
	  BURROW_MMAP_KMETA, 0, -EINVAL },
	{ "U-words private", 0, BURROW_UMETA_SIZE, RW,
	  MAP_PRIVATE | MAP_FIXED, BURROW_MMAP_UMETA, 0, -EINVAL },
	{ "U-words executable", 0, BURROW_UMETA_SIZE, RW | PROT_EXEC, FIXED,
	  BURROW_MMAP_UMETA, 0, -EINVAL },
	{ "U-words elsewhere", BURROW_UMETA_SIZE, BURROW_UMETA_SIZE, RW,
	  FIXED, BURROW_MMAP_UMETA, 0, -EINVAL },
};

/* The kinds that are none lie where data would. */
static char *map_place(const struct heap *h, const struct map_row *row)
{
	return part(h, row->kind < BURROW_NR_MMAP_KINDS ? row->kind :
		       BURROW_MMAP_DATA, 0) + row->at;
}

TEST(a_mapping_that_is_not_the_whole_part_at_its_place_is_refused)
{
	struct heap h;
	size_t i;

	ASSERT_EQ(0, heap_make(&h, TEST_ARENAS));
	ASSERT_EQ(0, arena_add(&h, 0));
	for (i = 0; i < NR(bad_maps); i++) {
		const struct map_row *row = &bad_maps[i];
		char *p = mmap(map_place(&h, row), row->len, row->prot,
			       row->flags, h.fd,
			       BURROW_MMAP_OFFSET(row->kind, row->off));

		EXPECT_ROW(row->err, p == MAP_FAILED ? -errno : 0, row->name);
	}
	EXPECT_EQ(0, arena_map(&h, 0));
}

TEST(a_mapping_before_the_heap_is_ENXIO)
{
	struct heap h;

	ASSERT_EQ(0, places_reserve(&h, TEST_ARENAS));
	h.fd = device_open();
	ASSERT_LE(0, h.fd);
	EXPECT_EQ(-ENXIO, part_map(&h, BURROW_MMAP_DATA, 0));
	ASSERT_EQ(0, heap_set_up(&h));
	EXPECT_EQ(-ENXIO, part_map(&h, BURROW_MMAP_DATA, 0));
}

FIXTURE(heap) {
	struct heap h;
	struct burrow_span_ref span;	/* four pages of 'a' */
	char *p;
};

#define SPAN_PAGES	4U
#define SPAN_BYTES	(SPAN_PAGES * BURROW_PAGE_SIZE)

FIXTURE_SETUP(heap)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 2));
	ASSERT_EQ(0, span_alloc(&self->h, SPAN_PAGES, 0, &self->span));
	self->p = page_addr(&self->h, self->span.page);
	memset(self->p, 'a', SPAN_BYTES);
}

FIXTURE_TEARDOWN(heap)
{
}

TEST_F(heap, a_part_cannot_be_mapped_a_second_time_elsewhere)
{
	static const size_t size[] = {
		BURROW_ARENA_SIZE, BURROW_KMETA_SIZE, BURROW_UMETA_SIZE,
	};
	int kind;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, size[kind], part_prot(kind),
					   MAP_SHARED, self->h.fd,
					   BURROW_MMAP_OFFSET(kind, 0)));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_TRUE(bytes_are(self->p, 'a', SPAN_BYTES));
}

TEST_F(heap, data_mapped_over_itself_begins_anew)
{
	struct burrow_heap_stats stats;
	struct burrow_span_ref again;

	ASSERT_EQ(0, part_map(&self->h, BURROW_MMAP_DATA, 0));
	EXPECT_EQ(0, kword(&self->h, self->span.page));
	EXPECT_EQ(SIGSEGV, touch(self->p));
	EXPECT_EQ(-ESTALE, span_free(&self->h, 0, self->span));
	EXPECT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(0, stats.out_spans);
	EXPECT_EQ(0, stats.out_frames);
	EXPECT_EQ(0, span_alloc(&self->h, SPAN_PAGES, 0, &again));
	EXPECT_TRUE(bytes_are(page_addr(&self->h, again.page), 0, SPAN_BYTES));
}

/* Writes through a debugger's eyes: a child traces us. */
static int child_pokes(void *arg)
{
	pid_t parent = getppid();
	int status;

	CHILD_CHECK(!ptrace(PTRACE_ATTACH, parent, NULL, NULL));
	CHILD_CHECK(waitpid(parent, &status, 0) == parent);
	errno = 0;
	CHILD_CHECK(ptrace(PTRACE_POKEDATA, parent, arg, (void *)~0UL) == -1);
	CHILD_CHECK(errno == EIO || errno == EFAULT);
	CHILD_CHECK(!ptrace(PTRACE_DETACH, parent, NULL, NULL));
	return CHILD_OK;
}

TEST_F(heap, k_words_cannot_be_written_by_any_way)
{
	static const char garbage[8] = "garbage";
	volatile __u64 *word = &self->h.kmeta[self->span.page];
	struct iovec from = { (void *)garbage, 8 }, to = { (void *)word, 8 };
	__u64 was = *word;
	int fds[2], mem;

	EXPECT_EQ(SIGSEGV, touch_write((void *)word, 1));
	EXPECT_EQ(-1, mprotect((void *)self->h.kmeta, BURROW_KMETA_SIZE, RW));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(SIGSEGV, touch_write((void *)word, 1));

	mem = open("/proc/self/mem", O_RDWR);
	ASSERT_LE(0, mem);
	EXPECT_EQ(-1, pwrite(mem, garbage, 8, (unsigned long)word));
	EXPECT_EQ(-1, process_vm_writev(getpid(), &from, 1, &to, 1, 0));

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(8, write(fds[1], garbage, 8));
	EXPECT_EQ(-1, read(fds[0], (void *)word, 8));
	EXPECT_EQ(EFAULT, errno);

	EXPECT_EQ(CHILD_OK, child_run(child_pokes, (void *)word));
	EXPECT_EQ(was, *word);
}

TEST_F(heap, no_part_becomes_executable)
{
	int kind;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++) {
		EXPECT_EQ(-1, mprotect(part(&self->h, kind, 0),
				       part_size(kind),
				       PROT_READ | PROT_EXEC));
		EXPECT_EQ(EACCES, errno);
	}
}

TEST_F(heap, no_part_can_be_cut)
{
	int kind;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++) {
		char *at = part(&self->h, kind, 0);
		size_t size = part_size(kind);
		char *const cut[] = {
			at, at + FRAME_SIZE, at + size / 2,
			at + size - FRAME_SIZE,
		};
		size_t i;

		for (i = 0; i < NR(cut); i++) {
			EXPECT_EQ(-1, munmap(cut[i], FRAME_SIZE));
			EXPECT_EQ(EINVAL, errno);
			EXPECT_EQ(-1, mprotect(cut[i], FRAME_SIZE, PROT_NONE));
			EXPECT_EQ(EINVAL, errno);
			EXPECT_EQ(MAP_FAILED,
				  mmap(cut[i], FRAME_SIZE, RW,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				       -1, 0));
			/* 6.1 has one errno for all it cannot unmap */
			EXPECT_TRUE(errno == EINVAL || errno == ENOMEM);
		}
	}
	EXPECT_TRUE(bytes_are(self->p, 'a', SPAN_BYTES));
	EXPECT_EQ(0, span_free(&self->h, 0, self->span));
}

TEST_F(heap, no_part_can_be_moved_grown_or_doubled)
{
	int kind;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++) {
		char *at = part(&self->h, kind, 0);
		size_t n = part_size(kind);
		char *to = place_reserve(n, n);
		const struct {
			size_t old, new;
			int flags;
		} rows[] = {
			{ n, n / 2, 0 },
			{ n, n + FRAME_SIZE, MREMAP_MAYMOVE },
			{ n, 2 * n, MREMAP_MAYMOVE },
			{ n, n, MREMAP_MAYMOVE | MREMAP_FIXED },
			{ n, n / 2, MREMAP_MAYMOVE | MREMAP_FIXED },
			{ FRAME_SIZE, FRAME_SIZE,
			  MREMAP_MAYMOVE | MREMAP_FIXED },
			{ n, n, MREMAP_MAYMOVE | MREMAP_DONTUNMAP },
			{ 0, n, MREMAP_MAYMOVE },
			{ 0, FRAME_SIZE, MREMAP_MAYMOVE },
		};
		size_t i;

		ASSERT_NE(NULL, to);
		for (i = 0; i < NR(rows); i++) {
			EXPECT_EQ(MAP_FAILED, mremap(at, rows[i].old,
						     rows[i].new,
						     rows[i].flags, to))
				TH_LOG("kind %d row %zu", kind, i);
			EXPECT_TRUE(errno == EINVAL || errno == EFAULT);
		}
	}
	EXPECT_TRUE(bytes_are(self->p, 'a', SPAN_BYTES));
	EXPECT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, self->span));
	EXPECT_EQ(SIGSEGV, touch(self->p));
}

TEST_F(heap, u_words_are_zero_and_writable_everywhere)
{
	static const size_t at[] = {
		BURROW_U_ALLOC, BURROW_U_MARK - 8, BURROW_U_MARK, BURROW_U_PTR,
		BURROW_U_OWNER, BURROW_UMETA_SIZE - 8,
	};
	size_t i;

	for (i = 0; i < NR(at); i++) {
		__u64 *word = (__u64 *)(self->h.umeta + at[i]);

		EXPECT_EQ(0, *word);
		*word = ~0ULL - i;
	}
	for (i = 0; i < NR(at); i++)
		EXPECT_EQ(~0ULL - i, *(__u64 *)(self->h.umeta + at[i]));
	for (i = 0; i < NR(at); i++)
		EXPECT_EQ(0, *(__u64 *)(part(&self->h, BURROW_MMAP_UMETA, 1) +
					at[i]));
}

TEST_F(heap, a_whole_arena_can_be_protected_and_opened_again)
{
	EXPECT_EQ(0, mprotect(self->h.window, WHOLE, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(self->p));
	EXPECT_EQ(0, mprotect(self->h.window, WHOLE, PROT_READ));
	EXPECT_TRUE(bytes_are(self->p, 'a', SPAN_BYTES));
	EXPECT_EQ(SIGSEGV, touch_write(self->p, 'b'));
	EXPECT_EQ(0, mprotect(self->h.window, WHOLE, RW));
	EXPECT_EQ(0, touch_write(self->p, 'a'));
	EXPECT_TRUE(bytes_are(self->p, 'a', SPAN_BYTES));
}

TEST_F(heap, work_on_a_protected_arena_does_no_harm)
{
	static const int prot[] = { PROT_NONE, PROT_READ };
	struct burrow_span_ref span;
	size_t i;

	for (i = 0; i < NR(prot); i++) {
		ASSERT_EQ(0, mprotect(self->h.window, WHOLE, prot[i]));
		if (span_alloc(&self->h, SPAN_PAGES, 0, &span)) {
			ASSERT_EQ(0, mprotect(self->h.window, WHOLE, RW));
			continue;
		}
		EXPECT_EQ(SIGSEGV, touch_write(page_addr(&self->h, span.page),
					       1));
		ASSERT_EQ(0, mprotect(self->h.window, WHOLE, RW));
		EXPECT_TRUE(bytes_are(page_addr(&self->h, span.page), 0,
				      SPAN_BYTES));
		memset(page_addr(&self->h, span.page), 'b', SPAN_BYTES);
		EXPECT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, span));
	}
	EXPECT_TRUE(bytes_are(self->p, 'a', SPAN_BYTES));
}

TEST_F(heap, madvise_takes_nothing_away)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT,
		MADV_WIPEONFORK, MADV_HUGEPAGE, MADV_MERGEABLE,
	};
	__u64 *owner = (__u64 *)(self->h.umeta + BURROW_U_OWNER);
	__u64 word = kword(&self->h, self->span.page);
	size_t i;
	int kind;

	*owner = 99;
	for (i = 0; i < NR(advice); i++) {
		for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++)
			madvise(part(&self->h, kind, 0), part_size(kind),
				advice[i]);
		madvise(self->p, BURROW_PAGE_SIZE, advice[i]);
		EXPECT_TRUE(bytes_are(self->p, 'a', SPAN_BYTES));
		EXPECT_EQ(word, kword(&self->h, self->span.page));
		EXPECT_EQ(99, *owner);
	}
}

/* Whoever walks the whole arena finds no memory behind its free pages. */
TEST_F(heap, populating_the_mapping_brings_no_frame_to_a_free_page)
{
	struct burrow_heap_stats stats;

	mlock(self->h.window, WHOLE);
	munlock(self->h.window, WHOLE);
	madvise(self->h.window, WHOLE, MADV_POPULATE_READ);
	madvise(self->h.window, WHOLE, MADV_POPULATE_WRITE);
	madvise(self->h.window, WHOLE, MADV_WILLNEED);
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(SPAN_PAGES * FRAMES_PER_PAGE, stats.out_frames);
}

TEST_F(heap, unmapping_the_data_frees_its_spans_and_it_can_be_mapped_again)
{
	struct burrow_heap_stats stats;
	struct burrow_span_ref again;

	ASSERT_EQ(0, part_unmap(&self->h, BURROW_MMAP_DATA, 0));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(2, stats.out_arenas);
	EXPECT_EQ(1, stats.out_arenas_mapped);
	EXPECT_EQ(0, stats.out_spans);
	EXPECT_EQ(0, stats.out_pages_live);
	EXPECT_EQ(0, stats.out_frames);
	EXPECT_EQ(BURROW_ARENA_PAGES, stats.out_pages_free);
	EXPECT_EQ(0, kword(&self->h, self->span.page));
	EXPECT_EQ(-ESTALE, span_free(&self->h, 0, self->span));
	EXPECT_EQ(-ESTALE, range_reclaim(&self->h, self->span.page, 1));

	ASSERT_EQ(0, part_map(&self->h, BURROW_MMAP_DATA, 0));
	ASSERT_EQ(0, span_alloc(&self->h, SPAN_PAGES, 0, &again));
	EXPECT_EQ(self->span.page, again.page);
	EXPECT_NE(self->span.gen, again.gen);
	EXPECT_FALSE(needs_zero(&self->h, again));
	EXPECT_TRUE(bytes_are(self->p, 0, SPAN_BYTES));
}

TEST_F(heap, unmapping_either_arena_ends_a_span_over_both)
{
	const __u32 npages = BURROW_ARENA_PAGES + 16;
	struct burrow_heap_stats stats;
	struct burrow_span_ref big;
	__u32 index;

	for (index = 0; index < 2; index++) {
		ASSERT_EQ(0, span_alloc(&self->h, npages, BURROW_ALLOC_LAZY,
					&big));
		memset(page_addr(&self->h, BURROW_ARENA_PAGES - 2), 'b',
		       4 * BURROW_PAGE_SIZE);
		ASSERT_EQ(0, part_unmap(&self->h, BURROW_MMAP_DATA, index));
		EXPECT_EQ(-ESTALE, span_free(&self->h, 0, big));
		ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
		EXPECT_EQ(BURROW_ARENA_PAGES,
			  stats.out_pages_free + stats.out_pages_live);
		EXPECT_EQ(0, kword(&self->h, BURROW_ARENA_PAGES - 1));
		EXPECT_EQ(0, kword(&self->h, BURROW_ARENA_PAGES));
		ASSERT_EQ(0, part_map(&self->h, BURROW_MMAP_DATA, index));
	}
}

TEST_F(heap, an_arena_is_gone_with_the_last_of_its_mappings)
{
	struct burrow_heap_stats stats;
	int kind;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++) {
		ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
		EXPECT_EQ(2, stats.out_arenas);
		EXPECT_EQ(-EEXIST, arena_add(&self->h, 0));
		ASSERT_EQ(0, part_unmap(&self->h, kind, 0));
	}
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(1, stats.out_arenas);
	EXPECT_EQ(-ENXIO, part_map(&self->h, BURROW_MMAP_DATA, 0));
	EXPECT_EQ(0, arena_add(&self->h, BURROW_ARENA_ANY));
	EXPECT_EQ(0, arena_map(&self->h, 0));
	EXPECT_EQ(0, span_alloc(&self->h, 1, 0, &self->span));
}

TEST_F(heap, a_touch_outside_every_span_is_SIGSEGV)
{
	EXPECT_EQ(0, touch(self->p));
	EXPECT_EQ(0, touch(self->p + SPAN_BYTES - 1));
	EXPECT_EQ(SIGSEGV, touch(self->p + SPAN_BYTES));
	EXPECT_EQ(SIGSEGV, touch_write(self->p + SPAN_BYTES, 1));
	EXPECT_EQ(SIGSEGV, touch(self->h.window + WHOLE - 1));
	EXPECT_EQ(SIGSEGV, touch(self->h.window + WHOLE));

	EXPECT_EQ(0, span_free(&self->h, 0, self->span));
	EXPECT_LT(0, range_reclaim(&self->h, self->span.page, SPAN_PAGES));
	EXPECT_EQ(SIGSEGV, touch(self->p));
	EXPECT_EQ(SIGSEGV, touch_write(self->p + SPAN_BYTES - 1, 1));
}

TEST_HARNESS_MAIN
