// SPDX-License-Identifier: MIT
/*
 * A child of fork() has the heap as it was, and from then on its own. Fits both
 * modes.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "fork_rig.h"

static void look(void *arg)
{
	const struct burrow_heap_stats *was = arg;
	struct burrow_heap_stats s;

	expect_kept();
	EXPECT(!bw_heap_stats(heap, &s));
	EXPECT(s.out_spans == was->out_spans &&
	       s.out_pages_live == was->out_pages_live &&
	       s.out_pages_free == was->out_pages_free &&
	       s.out_pages_lazy == was->out_pages_lazy &&
	       s.out_nr_alloc == was->out_nr_alloc &&
	       s.out_nr_free == was->out_nr_free);
	EXPECT(!s.out_nr_reclaimed);
	expect_whole(3);
}

static void a_child_finds_contents_spans_and_counts_as_they_were(void)
{
	struct burrow_heap_stats s;

	scene_make();
	EXPECT(!bw_heap_stats(heap, &s) && s.out_nr_reclaimed);
	EXPECT(rig_join(rig_fork(look, &s)));
	expect_kept();
	bw_heap_close(heap);
}

#define GO_ON		600

static void go_on_and_look(void *arg)
{
	go_on(*(u64 *)arg, GO_ON);
	expect_kept();
	expect_whole(3);
}

/* Both have the same spans at the same places, and different ones later. */
static void parent_and_child_go_on_without_each_other(void)
{
	u64 seed = tap_seed(20240901), own, i;
	pid_t pid[3];

	scene_make();
	for (i = 0; i < 3; i++) {
		own = seed + i;
		pid[i] = rig_fork(go_on_and_look, &own);
		go_on(seed + 10 + i, GO_ON / 4);
	}
	expect_kept();
	expect_whole(3);
	for (i = 0; i < 3; i++)
		EXPECT(rig_join(pid[i]));
	expect_kept();
	bw_heap_close(heap);
}

/* Until the parent has let go of the other end. */
static void wait_for(int fd)
{
	char c;

	while (read(fd, &c, 1) < 0)
		;
}

struct late {
	int fd[2];
	struct burrow_heap_stats s;
};

static void look_late(void *arg)
{
	struct late *late = arg;

	close(late->fd[1]);
	wait_for(late->fd[0]);
	look(&late->s);
	go_on(5, 100);
	expect_whole(3);
}

/* K-words above all: in user mode they were in shared memory. */
static void what_the_parent_does_meanwhile_a_child_does_not_see(void)
{
	struct late late;
	pid_t pid;
	u32 i;

	scene_make();
	if (!EXPECT(!pipe(late.fd)) || !EXPECT(!bw_heap_stats(heap, &late.s)))
		return;
	pid = rig_fork(look_late, &late);
	for (i = 0; i < NR_KEPT; i++)
		kept_drop(&kept[i], BURROW_FREE_RECLAIM);
	EXPECT(!bw_heap_arena_add(heap, 3, NULL));
	expect_whole(4);
	close(late.fd[1]);
	EXPECT(rig_join(pid));
	close(late.fd[0]);
	bw_heap_close(heap);
}

static void touch_guards(void *arg)
{
	u32 i;

	for (i = 4; i < NR_KEPT; i += 5) {
		volatile u64 *low = words(kept[i].ref.page);
		volatile u64 *high = words(kept[i].ref.page +
					   BURROW_GUARD_PAGES);
		struct bw_span s;

		EXPECT(bw_heap_span_of(heap, (void *)low, &s));
		EXPECT(s.guarded);
		EXPECT(is_forbidden(low) && is_forbidden(high - 1));
		EXPECT(!is_forbidden(high + 1));
	}
	if (!arg)
		return;
	/* in the place of some, and of their guards, there is one without */
	for (i = 4; i < NR_KEPT; i += 5)
		kept_drop(&kept[i], 0);
	EXPECT(kept_take(&kept[4], &(struct bw_span_want){
		.npages = 6 * STACK_PAGES, .kind = BURROW_KIND_STACK,
	}, 9));
	expect_kept();
	expect_whole(3);
}

static void stacks_keep_their_guards_in_a_child_and_lose_them_there(void)
{
	scene_make();
	EXPECT(rig_join(rig_fork(touch_guards, heap)));
	touch_guards(NULL);
	EXPECT(rig_join(rig_fork(touch_guards, NULL)));
	expect_kept();
	bw_heap_close(heap);
}

static void descend(void *arg)
{
	u32 left = *(u32 *)arg;
	pid_t pid = 0;

	go_on(left, 60);
	if (left--)
		pid = rig_fork(descend, &left);
	go_on(left + 100, 60);
	expect_kept();
	expect_whole(3);
	EXPECT(!pid || rig_join(pid));
}

static void children_of_children_have_heaps_of_their_own(void)
{
	u32 left = 4;

	scene_make();
	EXPECT(rig_join(rig_fork(descend, &left)));
	expect_kept();
	bw_heap_close(heap);
}

static void expect_there(void *k)
{
	EXPECT(kept_is_there(k));
	expect_whole(4);
}

static void add_an_arena(void *arg)
{
	struct bw_span_want want = rig_want(BURROW_ARENA_PAGES);
	struct kept k;
	u32 index;

	EXPECT(bw_heap_arena_add(heap, 0, NULL) == -EEXIST);
	EXPECT(!bw_heap_arena_add(heap, BURROW_ARENA_ANY, &index));
	EXPECT(index == 3);
	want.flags = BURROW_ALLOC_LAZY;
	EXPECT(kept_take(&k, &want, 7));
	EXPECT(k.ref.page == 3 * BURROW_ARENA_PAGES && kept_is_there(&k));
	EXPECT(bw_heap_arena_add(heap, BURROW_ARENA_ANY, NULL) == -ENOSPC);
	expect_kept();
	expect_whole(4);
	EXPECT(rig_join(rig_fork(expect_there, &k)));
}

static void parent_and_child_add_arenas_at_the_same_place(void)
{
	pid_t pid;

	scene_make();
	pid = rig_fork(add_an_arena, NULL);
	add_an_arena(NULL);
	EXPECT(rig_join(pid));
	bw_heap_close(heap);
}

static void use_a_heap_that_was_empty(void *arg)
{
	struct bw_span_want want = rig_want(3);
	struct kept k;

	EXPECT(!bw_heap_check(heap));
	EXPECT(!bw_heap_umeta(heap, 0));
	EXPECT(!bw_heap_arena_add(heap, 0, NULL));
	EXPECT(kept_take(&k, &want, 7) && kept_is_there(&k));
	expect_whole(1);
}

/* The module makes no clone of a heap that has no mapping. */
static void a_heap_without_arenas_is_inherited_too(void)
{
	pid_t pid;

	heap = rig_heap(0, true);
	pid = rig_fork(use_a_heap_that_was_empty, NULL);
	use_a_heap_that_was_empty(NULL);
	EXPECT(rig_join(pid));
	bw_heap_close(heap);
}

static void close_heap(void *arg)
{
	expect_whole(1);
	bw_heap_close(heap);
}

static void close_one_and_open_another(void *arg)
{
	struct bw_heap *first = heap;

	bw_heap_close(arg);
	heap = rig_heap(0, true);
	use_a_heap_that_was_empty(NULL);
	EXPECT(rig_join(rig_fork(close_heap, NULL)));
	bw_heap_close(heap);
	heap = first;
	expect_kept();
	go_on(3, 100);
	EXPECT(rig_join(rig_fork(go_on_and_look, &(u64){ 4 })));
	bw_heap_close(heap);
}

static void each_heap_is_inherited_and_can_be_closed_in_the_child(void)
{
	struct bw_heap *other = rig_heap(2, true);

	scene_make();
	EXPECT(rig_join(rig_fork(close_one_and_open_another, other)));
	expect_kept();
	EXPECT(!bw_heap_check(other));
	bw_heap_close(other);
	EXPECT(rig_join(rig_fork(go_on_and_look, &(u64){ 5 })));
	bw_heap_close(heap);
}

static struct bw_parker parked, free_one, with_token;

static void use_parkers(void *arg)
{
	struct bw_parker anew;

	EXPECT(bw_parker_park(&parked) == -EXDEV);
	EXPECT(bw_parker_unpark(&parked) == -EXDEV);
	EXPECT(bw_parker_park_until(&free_one, 1) == -EXDEV);
	EXPECT(bw_parker_park(&with_token) == -EXDEV);
	EXPECT(!bw_parker_init(&anew, heap) && !anew.slot);
	EXPECT(bw_parker_handover(&free_one, &anew, 1) == -EXDEV);
	EXPECT(bw_parker_handover(&anew, &free_one, 1) == -EXDEV);
	/* it has the number that this one had */
	bw_parker_fini(&parked);
	EXPECT(bw_parker_park_until(&anew, 1) == -ETIMEDOUT);
	EXPECT(!bw_parker_init(&parked, heap) && parked.slot == 1);
	EXPECT(!bw_parker_unpark(&parked) && !bw_parker_park(&parked));
	bw_parker_fini(&parked);
	bw_parker_fini(&anew);
	expect_whole(1);
}

static void *park_once(void *arg)
{
	return bw_parker_park(arg) ? arg : NULL;
}

static void parkers_stay_with_the_parent_and_can_be_made_anew(void)
{
	pthread_t t;
	void *bad;

	heap = rig_heap(1, true);
	EXPECT(!bw_parker_init(&parked, heap) && !parked.slot);
	EXPECT(!bw_parker_init(&free_one, heap));
	EXPECT(!bw_parker_init(&with_token, heap));
	EXPECT(!bw_parker_unpark(&with_token));
	pthread_create(&t, NULL, park_once, &parked);
	/* 2: asleep (base/parker.h) */
	while (READ_ONCE(parked.word) != 2)
		sched_yield();
	EXPECT(rig_join(rig_fork(use_parkers, NULL)));
	EXPECT(!bw_parker_park(&with_token));
	EXPECT(!bw_parker_unpark(&parked));
	pthread_join(t, &bad);
	EXPECT(!bad);
	bw_parker_fini(&parked);
	bw_parker_fini(&free_one);
	bw_parker_fini(&with_token);
	bw_heap_close(heap);
}

static void expect_EXDEV(void)
{
	struct bw_span_want want = rig_want(1);
	struct burrow_span_ref ref = kept[0].ref;
	struct burrow_range r = { ref.page, 1 };
	struct burrow_heap_stats stats;
	struct bw_parker p;
	struct bw_span s;

	EXPECT(bw_heap_span_alloc(heap, &want, &ref, 1, NULL) == -EXDEV);
	EXPECT(bw_heap_span_free(heap, 0, &ref, 1, NULL) == -EXDEV);
	EXPECT(bw_heap_span_reclaim(heap, &r, 1, NULL, NULL) == -EXDEV);
	EXPECT(bw_heap_span_sweep(heap, 0, &ref, 1, NULL, NULL) == -EXDEV);
	EXPECT(bw_heap_reclaim(heap, 1, NULL) == -EXDEV);
	EXPECT(bw_heap_arena_add(heap, 3, NULL) == -EXDEV);
	EXPECT(bw_heap_stats(heap, &stats) == -EXDEV);
	EXPECT(bw_heap_check(heap) == -EXDEV);
	EXPECT(strstr(bw_heap_error(), "another process's"));
	EXPECT(bw_parker_init(&p, heap) == -EXDEV);
	EXPECT(!bw_heap_span_of(heap, bw_heap_addr(heap, 0), &s));
	EXPECT(!bw_heap_umeta(heap, 0));
}

static void fork_that_again(void *arg)
{
	expect_EXDEV();
	bw_heap_close(heap);
}

/* No handler has run in it, and it has nothing to leave to its own children. */
static void a_child_that_clone_made_gets_EXDEV_and_takes_nothing_away(void)
{
	pid_t pid;

	scene_make();
	fflush(stdout);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		tap_bad_here = 0;
		expect_EXDEV();
		EXPECT(rig_join(rig_fork(fork_that_again, NULL)));
		bw_heap_close(heap);
		fflush(stdout);
		_exit(tap_bad_here != 0);
	}
	EXPECT(rig_join(pid));
	expect_kept();
	go_on(8, 100);
	expect_whole(3);
	bw_heap_close(heap);
}

static void a_child_of_vfork_is_in_the_same_heap(void)
{
	pid_t pid;

	scene_make();
	pid = vfork();
	if (!pid)
		_exit(bw_heap_check(heap) || !kept_is_there(&kept[1]));
	EXPECT(rig_join(pid));
	go_on(8, 100);
	expect_whole(3);
	bw_heap_close(heap);
}

static void fail_to_fork(void *arg)
{
	struct rlimit none = { 0, 0 };

	if (!getuid() && !EXPECT(!setresuid(65534, 65534, 65534)))
		return;
	EXPECT(!setrlimit(RLIMIT_NPROC, &none));
	EXPECT(fork() == -1 && errno == EAGAIN);
	expect_kept();
	go_on(8, 200);
	expect_whole(3);
}

static void a_fork_that_fails_leaves_the_heap_as_it_was(void)
{
	scene_make();
	EXPECT(rig_join(rig_fork(fail_to_fork, NULL)));
	bw_heap_close(heap);
}

int main(void)
{
	TEST(a_child_finds_contents_spans_and_counts_as_they_were);
	TEST(parent_and_child_go_on_without_each_other);
	TEST(what_the_parent_does_meanwhile_a_child_does_not_see);
	TEST(stacks_keep_their_guards_in_a_child_and_lose_them_there);
	TEST(children_of_children_have_heaps_of_their_own);
	TEST(parent_and_child_add_arenas_at_the_same_place);
	TEST(a_heap_without_arenas_is_inherited_too);
	TEST(each_heap_is_inherited_and_can_be_closed_in_the_child);
	TEST(parkers_stay_with_the_parent_and_can_be_made_anew);
	TEST(a_child_that_clone_made_gets_EXDEV_and_takes_nothing_away);
	TEST(a_child_of_vfork_is_in_the_same_heap);
	TEST(a_fork_that_fails_leaves_the_heap_as_it_was);
	return tap_end();
}
