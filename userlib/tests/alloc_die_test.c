// SPDX-License-Identifier: MIT
/*
 * What is misuse, and what is said of it; what the options find. Each case has a
 * process of its own, which opens the heap with an environment of its own.
 */
#include <sys/resource.h>

#include "alloc_rig.h"
#include "burrow.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	true
#else
#define SANITIZED	false
#endif

static void free_twice(void)
{
	void *p = bw_alloc(48);

	bw_free(p);
	bw_free(p);
}

static void free_twice_behind_another(void)
{
	void *p = bw_alloc(48), *q = bw_alloc(48);

	bw_free(q);
	bw_free(p);
	bw_free(p);
}

static void free_twice_out_of_the_window(void)
{
	void *p[200];
	u32 i;

	for (i = 0; i < 200; i++)
		p[i] = bw_alloc(32);
	bw_free(p[3]);
	bw_free(p[3]);
}

static void free_twice_in_a_full_span(void)
{
	void *p[300];
	u32 i;

	for (i = 0; i < 300; i++)
		p[i] = bw_alloc(48);
	bw_free(p[5]);
	bw_free(p[5]);
}

static void free_twice_with_a_flush_between(void)
{
	void *p[300];
	u32 i;

	for (i = 0; i < 300; i++)
		p[i] = bw_alloc(48);
	bw_free(p[5]);
	bw_mcache_flush(bw_mcache_attach());
	bw_free(p[5]);
}

static void *free_it(void *p)
{
	bw_free(p);
	return NULL;
}

static void free_in_two_threads(void)
{
	void *p = bw_alloc(48);
	pthread_t t;

	pthread_create(&t, NULL, free_it, p);
	pthread_join(t, NULL);
	pthread_create(&t, NULL, free_it, p);
	pthread_join(t, NULL);
}

/* While it is in the stash of the one who freed it first. */
static void free_in_another_thread_too(void)
{
	void *p = bw_alloc(48);
	pthread_t t;

	bw_free(p);
	pthread_create(&t, NULL, free_it, p);
	pthread_join(t, NULL);
	bw_mcache_flush(bw_mcache_attach());
}

static void free_twice_with_many_between(void)
{
	void *p[40];
	u32 i;

	for (i = 0; i < 40; i++)
		p[i] = bw_alloc(48);
	for (i = 0; i < 40; i++)
		bw_free(p[i]);
	bw_free(p[7]);
}

static void free_twice_with_a_shelf_between(void)
{
	void *p[300];
	u32 i;

	for (i = 0; i < 300; i++)
		p[i] = bw_alloc(48);
	for (i = 0; i < 300; i++)
		bw_free(p[i]);
	bw_free(p[7]);
}

static void free_inside_a_span_of_pages(void)
{
	char *p[200];
	u32 i;

	for (i = 0; i < 200; i++)
		p[i] = bw_alloc(144);
	bw_free(p[0]);
	/* 144 bytes from the start of the second page */
	bw_free(p[57] + 128);
}

static void free_inside(void)
{
	bw_free((char *)bw_alloc(48) + 16);
}

static void free_inside_a_large_one(void)
{
	bw_free((char *)bw_alloc(100000) + 8192);
}

static void free_a_large_one_twice(void)
{
	void *p = bw_alloc(100000);

	bw_free(p);
	bw_free(p);
}

static void free_behind_the_last_slot(void)
{
	char *p = bw_alloc(48);

	bw_free(bw_alloc(48));
	/* 170 slots of 48 bytes leave 32 of the page */
	bw_free((char *)((uintptr_t)p & ~(BURROW_PAGE_SIZE - 1)) + 170 * 48);
}

static void free_what_is_not_ours(void)
{
	int local;

	bw_free(bw_alloc(8));
	bw_free(&local);
}

static void free_in_no_arena(void)
{
	bw_free(bw_alloc(8));
	bw_free(bw_mheap()->map.base + bw_mheap()->map.limit + 8192);
}

static void free_of_a_region(void)
{
	bw_free(bw_region_alloc(bw_region_make(), 100));
}

static void size_of_nothing(void)
{
	void *p = bw_alloc(100000);

	bw_free(p);
	bw_usable_size(p);
}

static void write_after_free(void)
{
	volatile char *p = bw_alloc(48);
	u32 i;

	bw_free((void *)p);
	p[17] = 1;
	for (i = 0; i < 1000; i++)
		bw_alloc(48);
}

static void just_alloc(void)
{
	bw_alloc(8);
}

static void touch_behind_a_large_one(void)
{
	size_t n = 40000;
	volatile char *p = bw_alloc(n);

	p[n - 1] = 1;
	bw_free((void *)p);
	p = bw_alloc(n);
	p[n] = 1;
}

static const struct row {
	const char *what;
	void (*fn)(void);
	const char *options;
	const char *says;
} rows[] = {
	{ "twice", free_twice, "", "it was freed before: byte 0 of slot 0, "
	  "class 4 (48 bytes, conservative), in the cached span" },
	{ "twice, not the last", free_twice_behind_another, "",
	  "it was freed before: byte 0 of slot 0, class 4" },
	{ "twice, out of the window", free_twice_out_of_the_window, "",
	  "freed before: byte 0 of slot 3, class 3 (32 bytes" },
	{ "twice, in a full span", free_twice_in_a_full_span, "",
	  "freed before: byte 0 of slot 5, class 4" },
	{ "twice, with a flush", free_twice_with_a_flush_between, "",
	  "freed before: byte 0 of slot 5, class 4" },
	{ "by two threads", free_in_two_threads, "", "it was freed before" },
	{ "by another thread, too", free_in_another_thread_too, "",
	  "it was freed before" },
	{ "twice, and many between", free_twice_with_many_between, "",
	  "freed before: byte 0 of slot 7, class 4" },
	{ "twice, and a shelf between", free_twice_with_a_shelf_between, "",
	  "freed before: byte 0 of slot 7, class 4" },
	{ "inside, beyond a page", free_inside_a_span_of_pages, "",
	  "no object begins there: byte 128 of slot 57, class 10" },
	{ "inside", free_inside, "", "no object begins there: byte 16 of slot" },
	{ "inside a large one", free_inside_a_large_one, "",
	  "no object begins there: byte 8192 of slot 0, class 0" },
	{ "a large one twice", free_a_large_one_twice, "",
	  "there is no span: it was freed before, or never" },
	{ "the tail of a span", free_behind_the_last_slot, "",
	  "no object begins there: byte 0 of slot 170" },
	{ "the stack", free_what_is_not_ours, "", "there is no span" },
	{ "no arena", free_in_no_arena, "", "there is no span" },
	{ "of a region", free_of_a_region, "",
	  "manual), in the owned span of 2 pages" },
	{ "size of nothing", size_of_nothing, "", "there is no span" },
	{ "a bad option", just_alloc, "clobberfree=2", "clobberfree is 0 or 1" },
};

static void run_row(void *arg)
{
	const struct row *r = arg;

	setenv("BURROW", r->options, 1);
	r->fn();
}

static void each_misuse_is_fatal_and_says_where(void)
{
	char said[1000];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int status;

		status = rig_child(run_row, (void *)&rows[i], said,
				   sizeof(said));
		if (!EXPECT(rig_aborted(status)) ||
		    !EXPECT(strstr(said, rows[i].says)))
			printf("# %s: %s\n", rows[i].what, said);
	}
}

static void what_is_written_to_after_its_free_is_found_at_reuse(void)
{
	static const struct row written = {
		"written to", write_after_free, "clobberfree=1", "byte 17",
	};
	char said[1000];
	int status;

	status = rig_child(run_row, (void *)&written, said, sizeof(said));
	/* an address sanitizer is there before us */
	EXPECT(status);
	EXPECT(strstr(said, "byte 17 of slot 0 ") ||
	       strstr(said, "use-after-poison"));
}

/* In a child, with everything the options check. */
static void trace(void *arg)
{
	struct shadow o[300] = { { .p = NULL } };
	u64 seed = 3;
	u32 i;

	setenv("BURROW", arg, 1);
	for (i = 0; i < 20000; i++) {
		struct shadow *at = &o[rig_random(&seed) % 300];

		if (at->p) {
			EXPECT(rig_is_filled(at->p, at->n, at->fill));
			bw_free(at->p);
		}
		at->n = rig_size(&seed);
		at->fill = (u8)(i | 1);
		at->p = i % 2 ? bw_alloc(at->n) : bw_alloc_noscan(at->n);
		EXPECT(at->p && rig_is_filled(at->p, at->n, 0));
		memset(at->p, at->fill, at->n);
	}
	EXPECT(rig_heap_is_whole());
}

static void a_clean_program_runs_with_every_option(void)
{
	static const char *const options[] = {
		"", "clobberfree=1", "verify=1,window=1G", "guard=1",
		"clobberfree=1,guard=1,verify=1,window=1G",
	};
	char said[1000];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		int status = rig_child(trace, (void *)options[i], said,
				       sizeof(said));

		if (!EXPECT(status == 0))
			printf("# %s: %s\n", options[i], said);
	}
}

static void run_guard(void *arg)
{
	setenv("BURROW", arg, 1);
	touch_behind_a_large_one();
}

static void a_large_object_ends_at_a_guard_page(void)
{
	char said[300];
	int status;

	status = rig_child(run_guard, "guard=1", said, sizeof(said));
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	status = rig_child(run_guard, "guard=0", said, sizeof(said));
	EXPECT(status == 0 || SANITIZED);
}

/* Objects until there are no more; then those are whole, and can be freed. */
static void exhaust(void *arg)
{
	struct rlimit lim = { 1ULL << 30, 1ULL << 30 };
	size_t n = *(size_t *)arg;
	void **first = NULL, **p;
	u64 nr = 0, again = 0;

	setrlimit(RLIMIT_AS, &lim);
	while ((p = bw_alloc(n))) {
		*p = first;
		first = p;
		nr++;
	}
	EXPECT(errno == ENOMEM && nr * n > 64 << 20);
	for (; first; first = p, again++) {
		p = *first;
		bw_free(first);
	}
	EXPECT(again == nr);
	EXPECT((p = bw_alloc(n)));
	bw_free(p);
	bw_mcache_flush(bw_mcache_attach());
	EXPECT(rig_heap_is_whole());
}

static void without_address_space_there_is_null_and_the_heap_goes_on(void)
{
	size_t sizes[] = { 64, 1000, 20000, 1000000 };
	char said[300];
	u32 i;

	if (SANITIZED) {
		tap_skip("sanitizers need more address space");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		int status = rig_child(exhaust, &sizes[i], said, sizeof(said));

		if (!EXPECT(status == 0))
			printf("# %zu: %s\n", sizes[i], said);
	}
}

int main(void)
{
	TEST(each_misuse_is_fatal_and_says_where);
	TEST(what_is_written_to_after_its_free_is_found_at_reuse);
	TEST(a_clean_program_runs_with_every_option);
	TEST(a_large_object_ends_at_a_guard_page);
	TEST(without_address_space_there_is_null_and_the_heap_goes_on);
	return tap_end();
}
