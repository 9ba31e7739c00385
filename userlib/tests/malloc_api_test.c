// SPDX-License-Identifier: MIT
/* What malloc(3), posix_memalign(3) and their like promise. */
#include "malloc_rig.h"

/* The compiler is not to see what is wrong with them. */
static volatile size_t huge = (size_t)-100;
static volatile size_t none;

static bool is_aligned(const void *p, size_t align)
{
	return !((uintptr_t)p % align);
}

static void every_size_is_usable_and_aligned_to_16(void)
{
	size_t n;

	for (n = 0; n < 300000; n += n < 2100 ? 1 : 509) {
		unsigned char *p = bw_mem_malloc(n);

		if (!EXPECT(p) || !EXPECT(is_aligned(p, 16)) ||
		    !EXPECT(bw_mem_usable_size(p) >= n))
			return;
		mrig_fill(p, bw_mem_usable_size(p), 0xa5);
		bw_mem_free(p);
	}
	EXPECT(mrig_is_good());
}

static void small_waste_is_at_most_an_eighth(void)
{
	size_t n;

	for (n = 128; n <= 256 << 10; n += 16) {
		void *p = bw_mem_malloc(n);

		if (!EXPECT(bw_mem_usable_size(p) <= n + n / 7 + 16 ||
			    (n > 32768 && n < 65536)))
			printf("# of %zu\n", n);
		bw_mem_free(p);
	}
}

static void zero_bytes_are_a_block_of_its_own(void)
{
	void *a = bw_mem_malloc(0), *b = bw_mem_malloc(0);
	void *c = bw_mem_calloc(0, 7);

	EXPECT(a && b && c && a != b && b != c);
	bw_mem_free(a);
	bw_mem_free(b);
	bw_mem_free(c);
	bw_mem_free(NULL);
	EXPECT(bw_mem_usable_size(NULL) == 0);
}

static void too_much_is_ENOMEM(void)
{
	static void *(*const with_align[])(size_t align, size_t n) = {
		bw_mem_memalign, bw_mem_aligned_alloc,
	};
	void *volatile p = bw_mem_malloc(100);	/* not freed by a failure */
	void *out = p;
	unsigned int i;

#define EXPECT_ENOMEM(call) do {					\
		errno = 0;						\
		EXPECT(!(call));					\
		EXPECT(errno == ENOMEM);				\
	} while (0)

	EXPECT_ENOMEM(bw_mem_malloc(huge));
	EXPECT_ENOMEM(bw_mem_malloc((size_t)PTRDIFF_MAX + 1 + none));
	EXPECT_ENOMEM(bw_mem_malloc(1ULL << (45 + none)));
	EXPECT_ENOMEM(bw_mem_calloc(huge, 2));
	EXPECT_ENOMEM(bw_mem_calloc(huge / 2, 3));
	EXPECT_ENOMEM(bw_mem_realloc(p, huge));
	EXPECT_ENOMEM(bw_mem_reallocarray(p, huge / 2, 3));
	EXPECT_ENOMEM(bw_mem_reallocarray(p, huge / 16, 16));
	EXPECT_ENOMEM(bw_mem_valloc(huge));
	EXPECT_ENOMEM(bw_mem_pvalloc(huge));
	for (i = 0; i < 2; i++) {
		EXPECT_ENOMEM(with_align[i](64, huge));
		EXPECT_ENOMEM(with_align[i](1UL << 62, 1 + none));
	}
	errno = 7;
	EXPECT(bw_mem_posix_memalign(&out, 64, huge) == ENOMEM);
	EXPECT(errno == 7 && out == p);
	EXPECT(bw_mem_usable_size(p) >= 100);
	bw_mem_free(p);
}

static void calloc_is_zero_whatever_was_there(void)
{
	static const size_t sizes[] = {
		1, 16, 100, 1000, 5000, 32768, 40000, 100000, 300000, 5000000,
	};
	unsigned int i, k;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (k = 0; k < 5; k++) {
			unsigned char *p = bw_mem_malloc(sizes[i]);

			mrig_fill(p, sizes[i], 0xff);
			bw_mem_free(p);
			p = bw_mem_calloc(sizes[i], 1);
			EXPECT(mrig_holds(p, sizes[i], 0));
			mrig_fill(p, sizes[i], 0xee);
			bw_mem_free(p);
		}
	}
}

static void alignments_hold_at_every_size(void)
{
	size_t align, n;

	for (align = 8; align <= 4 << 20; align *= 2) {
		for (n = 0; n < 200000; n = n * 3 + 1) {
			void *a = bw_mem_memalign(align, n), *c = NULL;
			void *b = bw_mem_aligned_alloc(align, n);

			EXPECT(!bw_mem_posix_memalign(&c, align, n));
			EXPECT(a && b && c);
			EXPECT(is_aligned(a, align) && is_aligned(b, align) &&
			       is_aligned(c, align));
			EXPECT(bw_mem_usable_size(a) >= n);
			mrig_fill(a, n, 1);
			mrig_fill(b, n, 2);
			mrig_fill(c, n, 3);
			EXPECT(mrig_holds(a, n, 1) && mrig_holds(b, n, 2));
			bw_mem_free(a);
			bw_mem_free(b);
			bw_mem_free(c);
		}
	}
	EXPECT(mrig_heap_is_good());
}

static void alignments_that_are_none_are_EINVAL(void)
{
	volatile size_t three = 3, none_at_all = 0;
	void *out = &out;

	EXPECT(bw_mem_posix_memalign(&out, three, 8) == EINVAL);
	EXPECT(bw_mem_posix_memalign(&out, none_at_all, 8) == EINVAL);
	EXPECT(bw_mem_posix_memalign(&out, three + 1, 8) == EINVAL);
	EXPECT(out == &out);
	errno = 0;
	EXPECT(!bw_mem_aligned_alloc(three, 8) && errno == EINVAL);
	errno = 0;
	EXPECT(!bw_mem_memalign(huge, 8) && errno == EINVAL);
	/* memalign() takes it for the next power of two */
	out = bw_mem_memalign(three * 11, 8);
	EXPECT(is_aligned(out, 64));
	bw_mem_free(out);
}

static void valloc_and_pvalloc_give_pages(void)
{
	void *a = bw_mem_valloc(10), *b = bw_mem_pvalloc(4097);

	EXPECT(a && is_aligned(a, 4096));
	EXPECT(b && is_aligned(b, 4096) && bw_mem_usable_size(b) >= 8192);
	bw_mem_free(a);
	bw_mem_free(b);
}

static void realloc_keeps_what_fits(void)
{
	static const size_t sizes[] = {
		1, 16, 17, 100, 1024, 1025, 30000, 32769, 70000, 262144,
		262145, 1 << 20, 3 << 20, 20 << 20, 5 << 20, 262145, 40000,
		33, 1,
	};
	unsigned char *p = bw_mem_realloc(NULL, sizes[0]);
	size_t i;

	mrig_fill(p, sizes[0], 1);
	for (i = 1; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t keep = sizes[i] < sizes[i - 1] ? sizes[i] :
							sizes[i - 1];

		p = bw_mem_realloc(p, sizes[i]);
		EXPECT(p && mrig_holds(p, keep, (unsigned char)i));
		mrig_fill(p, sizes[i], (unsigned char)(i + 1));
	}
	EXPECT(!bw_mem_realloc(p, none));
	p = bw_mem_reallocarray(NULL, 10, 10);
	EXPECT(p && bw_mem_usable_size(p) >= 100);
	bw_mem_free(p);
	EXPECT(mrig_heap_is_good());
}

static void a_block_that_grows_in_steps_is_seldom_moved(void)
{
	char *p = bw_mem_malloc(2 << 20), *q;
	size_t n, moves = 0;

	for (n = 2 << 20; n < 64 << 20; n += 64 << 10) {
		q = bw_mem_realloc(p, n);
		moves += q != p;
		p = q;
		p[n - 1] = 1;
	}
	EXPECT(moves < 20);
	bw_mem_free(p);
}

static void stamp(char *p, size_t n, size_t mark)
{
	size_t i;

	for (i = 0; i + sizeof(i) <= n; i += 4096)
		*(size_t *)(void *)(p + i) = mark + i;
}

static bool is_stamped(const char *p, size_t n, size_t mark)
{
	size_t i;

	for (i = 0; i + sizeof(i) <= n; i += 4096)
		if (*(const size_t *)(const void *)(p + i) != mark + i)
			return false;
	return true;
}

/* They are in each other's way: some move. */
static void large_blocks_that_change_keep_what_is_in_them(void)
{
	uint64_t state = 4711;
	size_t had[8] = { 0 }, n;
	char *p[8] = { NULL };
	unsigned int i, k;

	for (k = 0; k < 400; k++) {
		i = (unsigned int)(mrig_random(&state) % 8);
		n = (200 << 10) + mrig_random(&state) % (k % 16 ? 2 << 20 :
								  9 << 20);
		p[i] = bw_mem_realloc(p[i], n);
		if (!EXPECT(p[i]) || !EXPECT(is_stamped(p[i], n < had[i] ? n :
							had[i], i)))
			return;
		EXPECT(bw_mem_usable_size(p[i]) >= n);
		stamp(p[i], n, i);
		had[i] = n;
	}
	EXPECT(mrig_heap_is_good());
	for (i = 0; i < 8; i++)
		bw_mem_free(p[i]);
	EXPECT(mrig_heap_is_good());
}

static void a_large_block_that_shrinks_stays_and_gives_its_end_back(void)
{
	char *p = bw_mem_malloc(20 << 20), *q;

	stamp(p, 20 << 20, 3);
	q = bw_mem_realloc(p, 2 << 20);
	/* a sanitizer, or a guard page, knows the old length: it is a copy */
	EXPECT(q == p || mrig_is_watched() || getenv("BURROW"));
	EXPECT(is_stamped(q, 2 << 20, 3));
	EXPECT(bw_mem_usable_size(q) < 3 << 20);
	bw_mem_free(q);
}

static void success_and_free_leave_errno_alone(void)
{
	static void *p[200];
	size_t n, i;

	errno = 77;
	for (n = 1; n < 4 << 20; n = n * 3 + 5) {
		for (i = 0; i < 200; i++)
			p[i] = bw_mem_malloc(n);
		EXPECT(errno == 77);
		for (i = 0; i < 200; i++)
			bw_mem_free(p[i]);
		EXPECT(errno == 77);
	}
	bw_mem_trim(0);
	EXPECT(errno == 77);
}

static void mallinfo2_follows_what_is_allocated(void)
{
	struct mallinfo2 a, b, c;
	char *p;

	bw_mem_trim(0);
	a = bw_mem_mallinfo2();
	p = bw_mem_malloc(10 << 20);
	b = bw_mem_mallinfo2();
	bw_mem_free(p);
	c = bw_mem_mallinfo2();
	EXPECT(b.uordblks >= a.uordblks + (10 << 20));
	EXPECT(b.uordblks < a.uordblks + (12 << 20));
	EXPECT(b.hblkhd >= a.hblkhd + (10 << 20));
	EXPECT(c.uordblks < a.uordblks + (1 << 20));
	EXPECT(b.arena >= b.uordblks && b.arena == b.uordblks + b.fordblks);
}

static void malloc_trim_gives_memory_back(void)
{
	static void *p[1000];
	struct mallinfo2 a, b;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		p[i] = bw_mem_malloc(20000);
		mrig_fill(p[i], 20000, 1);
	}
	for (i = 0; i < 1000; i++)
		bw_mem_free(p[i]);
	a = bw_mem_mallinfo2();
	EXPECT(bw_mem_trim(0) == 1);
	b = bw_mem_mallinfo2();
	EXPECT(a.fordblks >= 8 << 20);
	EXPECT(b.keepcost < 1 << 20);
	EXPECT(bw_mem_trim(0) == 0);
	EXPECT(mrig_heap_is_good());
}

static void mallopt_takes_what_the_C_library_documents(void)
{
	EXPECT(bw_mem_mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
	EXPECT(bw_mem_mallopt(M_ARENA_MAX, 1) == 1);
	EXPECT(bw_mem_mallopt(4711, 1) == 0);
}

/* While a thread is BUSY: what the C library allocates for us then. */
static void calls_from_our_own_set_up_get_static_memory(void)
{
#ifdef BW_MALLOC_INTERPOSE
	tap_skip("it cannot be seen from here");
#else
	char *small, *zero, *large;

	bw_front_flush(&bw_front);
	bw_front.state = BW_FRONT_BUSY;
	small = bw_mem_malloc(100);
	zero = bw_mem_calloc(10, 100);
	large = bw_mem_malloc(50000);
	bw_front.state = BW_FRONT_READY;
	EXPECT(bw_boot_owns(small) && is_aligned(small, 16));
	EXPECT(bw_boot_owns(zero) && mrig_holds(zero, 1000, 0));
	EXPECT(large && bw_mem_usable_size(large) >= 50000);
	mrig_fill(small, 100, 3);
	mrig_fill(large, 50000, 4);
	small = bw_mem_realloc(small, 5000);
	EXPECT(!bw_boot_owns(small) && mrig_holds(small, 100, 3));
	bw_mem_free(small);
	bw_mem_free(zero);
	bw_mem_free(large);
	EXPECT(mrig_is_good());
#endif
}

int main(void)
{
	TEST(every_size_is_usable_and_aligned_to_16);
	TEST(small_waste_is_at_most_an_eighth);
	TEST(zero_bytes_are_a_block_of_its_own);
	TEST(too_much_is_ENOMEM);
	TEST(calloc_is_zero_whatever_was_there);
	TEST(alignments_hold_at_every_size);
	TEST(alignments_that_are_none_are_EINVAL);
	TEST(valloc_and_pvalloc_give_pages);
	TEST(realloc_keeps_what_fits);
	TEST(a_block_that_grows_in_steps_is_seldom_moved);
	TEST(large_blocks_that_change_keep_what_is_in_them);
	TEST(a_large_block_that_shrinks_stays_and_gives_its_end_back);
	TEST(success_and_free_leave_errno_alone);
	TEST(mallinfo2_follows_what_is_allocated);
	TEST(malloc_trim_gives_memory_back);
	TEST(mallopt_takes_what_the_C_library_documents);
	TEST(calls_from_our_own_set_up_get_static_memory);
	return tap_end();
}
