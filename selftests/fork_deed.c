// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork_deed: what parent and child do to their heaps after the fork, a table of
 * deeds. Reclaim and unmapping take out the other side's page table entries as
 * well (there is one mapping of the file for both): it must find its own frames
 * again.
 */
#include "fork.h"

FIXTURE(scene) {
	struct scene s;
};

FIXTURE_SETUP(scene)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
}

FIXTURE_TEARDOWN(scene)
{
}

/* What one side may do without the other seeing it. Spans 0 to 7 are for it. */
static int do_new_spans(const struct scene *s)
{
	struct burrow_span_ref n[8];
	int i, r = 0;

	for (i = 0; i < 8 && !r; i++) {
		r = span_alloc(&s->h, 8, i & 1 ? BURROW_ALLOC_LAZY : 0, &n[i]);
		if (!r)
			memset(page_addr(&s->h, n[i].page), '!',
			       8 * BURROW_PAGE_SIZE);
	}
	return r;
}

static int do_free(const struct scene *s)
{
	int i, r = 0;

	for (i = 0; i < 8 && !r; i++)
		r = span_free(&s->h, 0, s->ref[i]);
	return r;
}

static int do_free_and_reclaim(const struct scene *s)
{
	struct burrow_span_free done;

	return spans_free(&s->h, BURROW_FREE_RECLAIM, s->ref, 8, &done);
}

static int do_paced_reclaim(const struct scene *s)
{
	int r = do_free(s);

	if (r)
		return r;
	return heap_reclaim(&s->h, ~0ULL) == 8 * SPAN_BYTES ? 0 : -EIO;
}

static int do_shrink(const struct scene *s)
{
	struct burrow_heap_stats stats;
	int i, r = do_free(s);

	/* a pass takes as much as the kernel asks for: some passes */
	for (i = 0; i < 64 && !r; i++) {
		r = heap_stats(s->h.fd, &stats);
		if (!r && !stats.out_pages_lazy)
			return 0;
		file_write("/proc/sys/vm/drop_caches", "2");
	}
	return -EIO;
}

static int do_discard(const struct scene *s)
{
	long frames = range_reclaim(&s->h, s->ref[0].page, SCENE_PAGES);

	return frames == SCENE_PAGES * FRAMES_PER_PAGE &&
	       bytes_are(scene_span(s, 0), 0, SPAN_BYTES) ? 0 : -EIO;
}

static int do_unmap(const struct scene *s)
{
	return arena_unmap(&s->h, 0);
}

static int do_map_anew(const struct scene *s)
{
	struct burrow_span_ref n;
	int r = part_map(&s->h, BURROW_MMAP_DATA, 0);

	if (!r)
		r = span_alloc(&s->h, 8, 0, &n);
	return r ? r : bytes_are(page_addr(&s->h, n.page), 0,
				 8 * BURROW_PAGE_SIZE) ? 0 : -EIO;
}

static int do_madvise(const struct scene *s)
{
	if (madvise(s->h.window, BURROW_ARENA_SIZE, MADV_DONTNEED))
		return -errno;
	return scene_is_intact(s) ? 0 : -EIO;
}

static const struct deed {
	const char *name;
	int (*fn)(const struct scene *s);
} deeds[] = {
	{ "new spans", do_new_spans },
	{ "free", do_free },
	{ "free and reclaim", do_free_and_reclaim },
	{ "paced reclaim", do_paced_reclaim },
	{ "shrink", do_shrink },
	{ "discard", do_discard },
	{ "unmap", do_unmap },
	{ "map anew", do_map_anew },
	{ "MADV_DONTNEED", do_madvise },
};

struct doer {
	const struct scene *s;
	const struct deed *deed;
	struct turns t;
};

static int child_does(void *arg)
{
	struct doer *d = arg;

	CHILD_CHECK(!d->deed->fn(d->s));
	return CHILD_OK;
}

TEST_F(scene, nothing_the_child_does_shows_in_the_parent)
{
	struct doer d = { .s = &self->s };
	size_t i;

	for (i = 0; i < NR(deeds); i++) {
		d.deed = &deeds[i];
		EXPECT_ROW(CHILD_OK, child_run(child_does, &d), deeds[i].name);
		EXPECT_ROW(true, scene_is_intact(&self->s), deeds[i].name);
	}
}

static int child_looks_on(void *arg)
{
	struct doer *d = arg;

	turns_keep(&d->t, CHILD);
	CHILD_CHECK(!turn_take(&d->t, CHILD));
	CHILD_CHECK(scene_is_intact(d->s));
	scene_fill(d->s, 'a');
	CHILD_CHECK(scene_is_full_of(d->s, 'a'));
	return CHILD_OK;
}

/* The doer is the parent of the one that looks on. */
static int child_does_as_a_parent(void *arg)
{
	struct doer *d = arg;
	pid_t pid;

	CHILD_CHECK(!turns_make(&d->t));
	pid = child_start(child_looks_on, d);
	turns_keep(&d->t, PARENT);
	CHILD_CHECK(!d->deed->fn(d->s));
	CHILD_CHECK(!turn_give(&d->t, PARENT));
	return child_wait(pid);
}

TEST_F(scene, nothing_the_parent_does_shows_in_the_child)
{
	struct doer d = { .s = &self->s };
	size_t i;

	for (i = 0; i < NR(deeds); i++) {
		d.deed = &deeds[i];
		EXPECT_ROW(CHILD_OK, child_run(child_does_as_a_parent, &d),
			   deeds[i].name);
		EXPECT_ROW(true, scene_is_intact(&self->s), deeds[i].name);
	}
}

TEST_HARNESS_MAIN
