// SPDX-License-Identifier: MIT
/*
 * What only the user-mode backend does at fork: K-words are copied, guards that
 * are mappings are inherited, and the system may refuse.
 *
 * The program's mmap() and mremap() stand in for those of the C library and
 * refuse when they are told to.
 */
#include <sys/resource.h>

#include "mremap_rig.h"
#include "stack_rig.h"

#define MMAP		100
#define MREMAP		101

void *mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off)
{
	if (is_refused(MMAP))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, at, bytes, prot, flags, fd, off);
}

static bool mremap_fails(void *to, size_t bytes, int flags)
{
	return is_refused(MREMAP);
}

static struct burrow_span_ref refs[20];

static void fill_some(void)
{
	struct bw_span_want want = rig_want(5);
	u32 i;

	EXPECT(!bw_heap_span_alloc(heap, &want, refs, 20, NULL));
	for (i = 0; i < 20; i++)
		fill(refs[i].page, 5, (u8)i);
}

static bool some_are_there(void)
{
	struct bw_span s;
	u32 i;

	for (i = 0; i < 20; i++)
		if (!bw_heap_span_of(heap, words(refs[i].page + 4), &s) ||
		    s.gen != refs[i].gen || !range_is(refs[i].page, 5, (u8)i))
			return false;
	return !bw_heap_check(heap);
}

static void expect_no_heap(void *why)
{
	struct bw_span_want want = rig_want(1);
	struct burrow_span_ref ref;
	struct bw_span s;

	refuse.err = 0;
	EXPECT(strstr(bw_heap_error(), why));
	bw_error(0, "%s", "");
	EXPECT(bw_heap_check(heap) == -EXDEV);
	EXPECT(strstr(bw_heap_error(), why));
	EXPECT(bw_heap_span_alloc(heap, &want, &ref, 1, NULL) == -EXDEV);
	EXPECT(!bw_heap_span_of(heap, words(refs[0].page), &s));
	/* what was there can be read all the same */
	EXPECT(range_is(refs[19].page, 5, 19));
}

static void expect_no_heap_nor_any_later(void *why)
{
	expect_no_heap(why);
	EXPECT(rig_join(rig_fork(expect_no_heap, why)));
	bw_heap_close(heap);
}

/* The test's own memory is there already: only the copy is short of it. */
static void fork_without_room(void *arg)
{
	struct rlimit lim = { 1 << 20, 1 << 20 };

	EXPECT(!setrlimit(RLIMIT_AS, &lim));
	EXPECT(rig_join(rig_fork(expect_no_heap_nor_any_later,
				 "found no memory to copy")));
	EXPECT(some_are_there());
}

static void without_room_for_the_copy_fork_succeeds_and_the_child_is_told(void)
{
	refuse.err = 0;
	heap = rig_heap(2, true);
	fill_some();
	EXPECT(rig_join(rig_fork(fork_without_room, NULL)));
	bw_heap_close(heap);
}

static void expect_some_and_mappings(void *before)
{
	EXPECT(some_are_there());
	/* K-words that were there and that were not are in two now */
	EXPECT(rig_nr_mappings() <= *(u32 *)before + 1);
	bw_heap_close(heap);
}

static void a_fork_leaves_no_mapping_behind(void)
{
	u32 before, i;

	refuse.err = 0;
	heap = rig_heap(2, true);
	fill_some();
	before = rig_nr_mappings();
	for (i = 0; i < 5; i++) {
		EXPECT(rig_join(rig_fork(expect_some_and_mappings, &before)));
		EXPECT(rig_nr_mappings() == before);
	}
	bw_heap_close(heap);
}

static void expect_some(void *arg)
{
	EXPECT(some_are_there());
}

static void fork_refused(int call, u32 from, const char *why)
{
	refuse_from(call, ENOMEM, from);
	EXPECT(rig_join(rig_fork(expect_no_heap_nor_any_later, (void *)why)));
	refuse.err = 0;
	EXPECT(some_are_there());
}

/* The calls of a fork, in the parent's and in the child's count of them. */
static void whatever_is_refused_the_child_is_told_and_the_parent_is_well(void)
{
	heap = rig_heap(2, true);
	fill_some();
	fork_refused(MMAP, 1, "found no memory to copy");
	fork_refused(MMAP, 2, "no memory to map");
	fork_refused(MREMAP, 1, "no memory to map");
	fork_refused(MREMAP, 2, "no memory to map");
	fork_refused(UNFENCES, 1, "no memory to map");
	EXPECT(rig_join(rig_fork(expect_some, NULL)));
	bw_heap_close(heap);
}

static bool is_read_only(volatile u64 *at)
{
	struct sigaction sa = { .sa_handler = on_segv };
	bool hit = true;

	(void)*at;
	sigaction(SIGSEGV, &sa, NULL);
	armed = true;
	if (!sigsetjmp(back, 1)) {
		*at = 0;
		hit = false;
	}
	armed = false;
	return hit;
}

static void store_to_a_kword(void *arg)
{
	const struct bw_window *w = &heap->be->window;
	u32 arena = refs[0].page >> BURROW_ARENA_PAGE_SHIFT;

	EXPECT(some_are_there());
	EXPECT(is_read_only((u64 *)(void *)bw_window_kmeta(w, arena)));
	EXPECT(some_are_there());
}

static void a_childs_K_words_are_as_safe_from_stores_as_its_parents(void)
{
	heap = rig_heap(2, true);
	fill_some();
	EXPECT(rig_join(rig_fork(store_to_a_kword, NULL)));
	bw_heap_close(heap);
}

static void touch_between_arenas(void *arg)
{
	const struct bw_window *w = &heap->be->window;

	store_to_a_kword(NULL);
	EXPECT(is_forbidden((u64 *)(void *)bw_window_kmeta(w, 0)));
	EXPECT(is_forbidden((u64 *)(void *)bw_window_kmeta(w, 2)));
	EXPECT(is_forbidden(words(2 * BURROW_ARENA_PAGES)));
}

static void arenas_with_gaps_between_them_are_inherited(void)
{
	struct bw_span s;

	heap = rig_heap(0, true);
	EXPECT(!bw_heap_arena_add(heap, 1, NULL));
	EXPECT(!bw_heap_arena_add(heap, 3, NULL));
	fill_some();
	EXPECT(refs[0].page == BURROW_ARENA_PAGES);
	EXPECT(rig_join(rig_fork(touch_between_arenas, NULL)));
	EXPECT(!bw_heap_span_of(heap, words(0), &s));
	bw_heap_close(heap);
}

static void free_guarded(void *arg)
{
	u32 *fences = arg, i;

	for (i = 0; i < 20; i++)
		EXPECT(is_guarded(refs[i].page) && guard_is_good(refs[i].page));
	expect_counts(20, *fences);
	EXPECT(!bw_heap_span_free(heap, 0, refs, 20, NULL));
	expect_counts(0, 0);
	for (i = 0; i < 20 * 8; i++)
		EXPECT(!is_forbidden(words(refs[0].page + i)));
}

static void guards_of_a_kind(bool markers)
{
	struct bw_span_want want = want_stack(8);
	u32 fences = markers ? 0 : 20, i;

	heap = stack_heap(markers, 1);
	EXPECT(!bw_heap_span_alloc(heap, &want, refs, 20, NULL));
	EXPECT(rig_join(rig_fork(free_guarded, &fences)));
	for (i = 0; i < 20; i++)
		EXPECT(guard_is_good(refs[i].page));
	free_guarded(&fences);
	bw_heap_close(heap);
}

static void guards_of_both_kinds_are_inherited_and_can_be_taken_away(void)
{
	guards_of_a_kind(true);
	guards_of_a_kind(false);
}

int main(void)
{
	TEST(without_room_for_the_copy_fork_succeeds_and_the_child_is_told);
	TEST(whatever_is_refused_the_child_is_told_and_the_parent_is_well);
	TEST(a_fork_leaves_no_mapping_behind);
	TEST(a_childs_K_words_are_as_safe_from_stores_as_its_parents);
	TEST(arenas_with_gaps_between_them_are_inherited);
	TEST(guards_of_both_kinds_are_inherited_and_can_be_taken_away);
	return tap_end();
}
