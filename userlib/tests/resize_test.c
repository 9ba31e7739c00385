// SPDX-License-Identifier: MIT
/* Spans that get longer and shorter: pageheap_resize.c, in either mode. */
#include <sys/resource.h>

#include "failnth_rig.h"

#define PAGE	BURROW_PAGE_SIZE

static struct bw_mheap *h;

static struct bw_mspan *get(u32 npages)
{
	struct bw_mspan *s = bw_mspan_get(h, npages, 0, BURROW_KIND_MANUAL, 0);

	if (!s) {
		printf("Bail out! no span of %u pages\n", npages);
		exit(1);
	}
	return s;
}

/* Each page has a word of its own. */
static void fill(struct bw_mspan *s, u32 from, u32 to, u64 with)
{
	u32 i;

	for (i = from; i < to; i++)
		*(u64 *)(void *)(s->base + i * PAGE + 8) = with + i;
}

static bool holds(const struct bw_mspan *s, u32 npages, u64 with)
{
	u32 i;

	for (i = 0; i < npages; i++)
		if (*(u64 *)(void *)(s->base + i * PAGE + 8) != with + i)
			return false;
	return true;
}

/* All of its pages name it, and so does the span table. */
static bool is_whole(struct bw_mspan *s, u32 npages)
{
	struct bw_span found;

	return s->npages == npages && s->elem_size == npages * PAGE &&
	       bw_mspan_of(h, s->base) == s &&
	       bw_mspan_of(h, s->base + npages * PAGE - 1) == s &&
	       bw_mspan_of(h, s->base + npages * PAGE) != s &&
	       bw_heap_span_of(&h->pub, s->base + (npages - 1) * PAGE,
			       &found) &&
	       found.page == s->ref.page && found.gen == s->ref.gen &&
	       found.npages == npages && !bw_mheap_check(h);
}

/* Mappings that the window's arenas are cut into. */
static u32 count_mappings(void)
{
	uintptr_t lo = (uintptr_t)h->map.base;
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start;
	char line[512];
	u32 n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += sscanf(line, "%lx", &start) == 1 && start >= lo &&
		     start < lo + RIG_WINDOW;
	if (f)
		fclose(f);
	return n;
}

static void a_span_grows_into_free_pages_behind_it(void)
{
	struct bw_mspan *s, *behind;
	char *base;

	h = rig_mheap();
	s = get(40);
	base = s->base;
	fill(s, 0, 40, 7);
	EXPECT(bw_mspan_resize(h, s, 300, false));
	EXPECT(s->base == base && is_whole(s, 300));
	fill(s, 40, 300, 7);
	EXPECT(holds(s, 300, 7));
	behind = get(1);
	EXPECT(behind->base == base + 300 * PAGE);
	EXPECT(!bw_mspan_resize(h, s, 301, false));
	EXPECT(is_whole(s, 300) && bw_mspan_resize(h, s, 300, false));
	bw_mspan_put(h, behind);
	bw_mspan_put(h, s);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void pages_that_come_to_a_short_span_are_there(void)
{
	struct burrow_heap_stats st;
	struct bw_mspan *s;

	h = rig_mheap();
	s = get(2);
	EXPECT(bw_mspan_resize(h, s, 64, false));
	EXPECT(!h->be->ops->stats(h->be, &st));
	EXPECT(st.out_frames >= 64 * PAGE / 4096);
	bw_mspan_put(h, s);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void what_a_span_gives_back_is_for_others(void)
{
	struct bw_mspan *s, *other;

	h = rig_mheap();
	s = get(300);
	fill(s, 0, 300, 1);
	EXPECT(bw_mspan_resize(h, s, 100, false) && is_whole(s, 100));
	EXPECT(holds(s, 100, 1) && !bw_mspan_of(h, s->base + 100 * PAGE));
	other = get(200);
	EXPECT(other->base == s->base + 100 * PAGE && other->needzero);
	EXPECT(is_whole(other, 200));
	bw_mspan_put(h, s);
	EXPECT(is_whole(other, 200));
	bw_mspan_put(h, other);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

/* The first word of a page's alloc bits. */
static u64 *alloc_bits(const char *at)
{
	size_t page = (size_t)(at - h->map.base) / PAGE;
	char *umeta = bw_window_umeta(&h->be->window,
				      (u32)(page / BURROW_ARENA_PAGES));

	return (u64 *)(void *)(umeta + BURROW_U_ALLOC +
			       page % BURROW_ARENA_PAGES * BURROW_U_PAGE_BYTES);
}

/* In user mode a place that was moved to is a mapping of its own. */
static bool has_more_mappings(u32 than)
{
	return count_mappings() > than || strcmp(h->be->mode, "user");
}

static void a_span_without_room_behind_it_moves_with_its_pages(void)
{
	struct bw_mspan *s, *behind, *after;
	struct burrow_heap_stats st;
	u32 mappings;
	char *old;

	h = rig_mheap();
	s = get(40);
	behind = get(1);
	mappings = count_mappings();
	fill(s, 0, 40, 5);
	old = s->base;
	EXPECT(!bw_mspan_resize(h, s, 400, false));
	s->alloc[0] = 1;
	EXPECT(bw_mspan_resize(h, s, 400, true));
	EXPECT(s->base != old && is_whole(s, 400) && holds(s, 40, 5));
	EXPECT(s->alloc[0] == 1 && *alloc_bits(old) == 0);
	EXPECT(!h->be->ops->stats(h->be, &st) && st.out_spans == 2 &&
	       st.out_nr_alloc - st.out_nr_free == 2);
	EXPECT(!bw_mspan_of(h, old) && has_more_mappings(mappings));
	fill(s, 40, 400, 5);
	after = get(40);
	EXPECT(after->base == old && !after->needzero);
	EXPECT(rig_is_filled((u8 *)old, 40 * PAGE, 0));
	EXPECT(holds(s, 400, 5));
	bw_mspan_put(h, after);
	bw_mspan_put(h, behind);
	bw_mspan_put(h, s);
	rig_expect_empty(h);
	/* what it leaves behind is as it was */
	EXPECT(count_mappings() <= mappings);
	bw_mheap_close(h);
}

/* Of the process; what the system counts against RLIMIT_AS. */
static size_t address_space(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	if (!f || fscanf(f, "%zu", &pages) != 1)
		EXPECT(!"/proc/self/statm");
	if (f)
		fclose(f);
	return pages * 4096;
}

/* Kernels differ in whether that is refused, and in what is unmapped by then. */
static void a_move_that_may_be_refused_leaves_no_hole(void)
{
	struct bw_mspan *s, *behind, *after;
	struct rlimit was, tight;
	bool moved;

	h = rig_mheap();
	s = get(40);
	behind = get(1);
	fill(s, 0, 40, 5);
	EXPECT(!getrlimit(RLIMIT_AS, &was));
	tight = was;
	tight.rlim_cur = address_space();
	EXPECT(!setrlimit(RLIMIT_AS, &tight));
	moved = bw_mspan_resize(h, s, 400, true);
	EXPECT(!setrlimit(RLIMIT_AS, &was));
	EXPECT(is_whole(s, moved ? 400 : 40) && holds(s, 40, 5));
	after = get(400);
	fill(after, 0, 400, 6);
	EXPECT(holds(after, 400, 6) && holds(s, 40, 5));
	bw_mspan_put(h, after);
	bw_mspan_put(h, behind);
	bw_mspan_put(h, s);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void a_span_moves_to_an_arena_that_is_made_for_it(void)
{
	struct bw_mspan *s, *behind;

	h = rig_mheap();
	s = get(4000);
	behind = get(4000);
	fill(s, 0, 4000, 9);
	EXPECT(bw_mspan_resize(h, s, 6000, true));
	EXPECT(is_whole(s, 6000) && holds(s, 4000, 9));
	EXPECT(h->map.limit >> BURROW_ARENA_SHIFT == 2);
	/* and there is no end to it but the window's */
	EXPECT(!bw_mspan_resize(h, s, 4 * BURROW_ARENA_PAGES + 1, true));
	EXPECT(is_whole(s, 6000) && holds(s, 4000, 9));
	bw_mspan_put(h, behind);
	bw_mspan_put(h, s);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void a_moved_span_shrinks_grows_and_moves_again(void)
{
	struct bw_mspan *s, *wall[4];
	u32 mappings, i;

	h = rig_mheap();
	s = get(20);
	wall[0] = get(1);
	mappings = count_mappings();
	fill(s, 0, 20, 3);
	for (i = 1; i < 4; i++) {
		EXPECT(bw_mspan_resize(h, s, 300 * i, true));
		/* what it was, and what it grew by, are two mappings */
		EXPECT(is_whole(s, 300 * i) &&
		       holds(s, i > 1 ? 101 * (i - 1) : 20, 3));
		fill(s, 0, 300 * i, 3);
		wall[i] = get(8);
		EXPECT(bw_mspan_resize(h, s, 100 * i, true));
		EXPECT(is_whole(s, 100 * i) && holds(s, 100 * i, 3));
		EXPECT(bw_mspan_resize(h, s, 101 * i, false));
		EXPECT(holds(s, 100 * i, 3));
		fill(s, 0, 101 * i, 3);
	}
	for (i = 0; i < 4; i++)
		bw_mspan_put(h, wall[i]);
	bw_mspan_put(h, s);
	rig_expect_empty(h);
	EXPECT(count_mappings() <= mappings);
	bw_mheap_close(h);
}

static int resize(struct burrow_span_ref *ref, u32 flags, u32 npages)
{
	return h->be->ops->span_resize(h->be, flags, ref, npages);
}

static void what_cannot_be_resized_says_why(void)
{
	const struct burrow_span_alloc stack = {
		.npages = 8, .kind = BURROW_KIND_STACK,
	};
	const struct burrow_span_alloc huge = {
		.npages = BURROW_HUGE_PAGES, .kind = BURROW_KIND_NOSCAN,
		.flags = BURROW_ALLOC_HUGE | BURROW_ALLOC_LAZY,
	};
	const struct bw_backend_ops *ops;
	struct burrow_span_ref ref, gone;
	struct bw_mspan *s;
	u32 n;

	h = rig_mheap();
	ops = h->be->ops;
	s = get(4);
	ref = s->ref;
	EXPECT(resize(&ref, 4, 5) == -EOPNOTSUPP);
	EXPECT(resize(&ref, 0, 0) == -EINVAL);
	EXPECT(resize(&ref, 0, BURROW_MAX_PAGES) == -EINVAL);
	gone = (struct burrow_span_ref){ ref.page, ref.gen + 1 };
	EXPECT(resize(&gone, 0, 5) == -ESTALE);
	gone = (struct burrow_span_ref){ ref.page + 1, ref.gen };
	EXPECT(resize(&gone, 0, 5) == -ESTALE);
	EXPECT(!bw_mheap_arena_add(h, BURROW_ARENA_STACK));
	EXPECT(!ops->span_alloc(h->be, &stack, &gone, 1, &n));
	EXPECT(resize(&gone, 0, 9) == -EINVAL);
	EXPECT(resize(&gone, 0, 7) == -EINVAL);
	EXPECT(!ops->span_free(h->be, 0, &gone, 1, &n));
	EXPECT(!bw_mheap_arena_add(h, BURROW_ARENA_HUGE));
	EXPECT(!ops->span_alloc(h->be, &huge, &gone, 1, &n));
	EXPECT(resize(&gone, BW_RESIZE_LAZY, 300) == -EINVAL);
	EXPECT(!resize(&gone, BW_RESIZE_LAZY, 512));
	EXPECT(!resize(&gone, 0, 256));
	EXPECT(!ops->span_free(h->be, 0, &gone, 1, &n));
	EXPECT(is_whole(s, 4));
	bw_mspan_put(h, s);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

/* What the sweep goes through; how many did as they were asked. */
static u32 chain(void)
{
	struct bw_mspan *s = bw_mspan_get(h, 40, 0, BURROW_KIND_MANUAL, 0);
	struct bw_mspan *wall = bw_mspan_get(h, 1, 0, BURROW_KIND_MANUAL, 0);
	u32 good = 0, had;

	if (s) {
		had = s->npages;
		fill(s, 0, had, 11);
		good += bw_mspan_resize(h, s, 60, true);
		good += holds(s, 40, 11);
		good += bw_mspan_resize(h, s, 700, true);
		good += holds(s, 40, 11);
		good += bw_mspan_resize(h, s, 30, true);
		good += holds(s, 30, 11);
		EXPECT(is_whole(s, s->npages));
		bw_mspan_put(h, s);
	}
	if (wall)
		bw_mspan_put(h, wall);
	return good;
}

static u64 attempt(u64 nth, int err, u32 *got)
{
	h = rig_mheap_on(rig_failing(nth, err));
	*got = chain();
	return rig_failing_end(h);
}

static void a_backend_that_fails_leaves_the_span_as_it_was(void)
{
	static const int errs[] = { -ENOMEM, -ENOSPC, -EBUSY, -EOPNOTSUPP };
	u64 total, nth;
	u32 e, got, shorter = 0;

	total = attempt(0, -EIO, &got);
	EXPECT(got == 6);
	for (e = 0; e < ARRAY_SIZE(errs); e++)
		for (nth = 1; nth <= total; nth++) {
			attempt(nth, errs[e], &got);
			/* contents are kept whatever fails */
			EXPECT(!got || got >= 3);
			shorter += got < 6;
		}
	EXPECT(shorter);
	printf("# %llu steps, %u times less\n", (unsigned long long)total,
	       shorter);
}

#define SLOTS	24

/* Spans that grow, shrink, go; each with a word of its own in each page. */
static void *trace(void *arg)
{
	struct bw_mspan *s[SLOTS] = { NULL };
	u64 seed = 88172645463325252ULL + (uintptr_t)arg, r;
	u32 i, n, k;

	for (k = 0; k < 1500; k++) {
		r = rig_random(&seed);
		i = (u32)(r % SLOTS);
		n = 1 + (u32)(r >> 8) % (r >> 40 & 7 ? 60 : 1200);
		if (!s[i]) {
			s[i] = get(n);
			fill(s[i], 0, n, i);
		} else if (r >> 50 & 3) {
			u32 had = s[i]->npages;

			if (!bw_mspan_resize(h, s[i], n, r >> 60 & 1))
				n = had;
			EXPECT(s[i]->npages == n &&
			       holds(s[i], min(n, had), i));
			fill(s[i], 0, n, i);
		} else {
			EXPECT(holds(s[i], s[i]->npages, i));
			bw_mspan_put(h, s[i]);
			s[i] = NULL;
		}
	}
	for (i = 0; i < SLOTS; i++)
		if (s[i]) {
			EXPECT(holds(s[i], s[i]->npages, i));
			bw_mspan_put(h, s[i]);
		}
	return NULL;
}

static void spans_of_several_threads_keep_what_is_in_them(void)
{
	pthread_t thread[3];
	u32 mappings;
	uintptr_t i;

	h = rig_mheap();
	bw_mspan_put(h, get(8000));
	mappings = count_mappings();
	for (i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, trace, (void *)i);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	rig_expect_empty(h);
	/* each arena one: neighbours of two moves may have stayed apart */
	EXPECT(count_mappings() <= mappings + 64);
	bw_mheap_close(h);
}

static void in_child(void *arg)
{
	struct bw_mspan *s = arg;

	EXPECT(holds(s, 500, 21));
	EXPECT(bw_mspan_resize(h, s, 900, true) && holds(s, 500, 21));
	fill(s, 0, 900, 22);
	bw_mspan_put(h, s);
	EXPECT(!bw_mheap_check(h));
}

static void a_child_of_fork_has_what_was_moved(void)
{
	struct bw_mspan *s, *wall;
	char said[512];

	h = rig_mheap();
	s = get(10);
	wall = get(1);
	EXPECT(bw_mspan_resize(h, s, 500, true));
	fill(s, 0, 500, 21);
	EXPECT(!rig_child(in_child, s, said, sizeof(said)));
	EXPECT(holds(s, 500, 21) && is_whole(s, 500));
	bw_mspan_put(h, s);
	bw_mspan_put(h, wall);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

int main(void)
{
	TEST(a_span_grows_into_free_pages_behind_it);
	TEST(pages_that_come_to_a_short_span_are_there);
	TEST(what_a_span_gives_back_is_for_others);
	TEST(a_span_without_room_behind_it_moves_with_its_pages);
	TEST(a_move_that_may_be_refused_leaves_no_hole);
	TEST(a_span_moves_to_an_arena_that_is_made_for_it);
	TEST(a_moved_span_shrinks_grows_and_moves_again);
	TEST(what_cannot_be_resized_says_why);
	TEST(a_backend_that_fails_leaves_the_span_as_it_was);
	TEST(spans_of_several_threads_keep_what_is_in_them);
	TEST(a_child_of_fork_has_what_was_moved);
	return tap_end();
}
