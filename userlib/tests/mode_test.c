// SPDX-License-Identifier: MIT
/*
 * Kernel or user, and what is said when the module cannot be had.
 *
 * This program's ioctl() stands in for the one of the C library: on a harmless
 * device it plays a module that answers wrongly, or rightly up to a point.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "rig.h"

#define GOOD_FEATURES \
	(BURROW_FEAT_POPULATE | BURROW_FEAT_RECLAIM | BURROW_FEAT_PARK | \
	 BURROW_FEAT_FORK | BURROW_FEAT_SHRINK | BURROW_FEAT_SWEEP | \
	 BURROW_FEAT_STACK | BURROW_FEAT_UWORDS | BURROW_FEAT_ROOM)

/* How the module that is played behaves. */
static struct play {
	bool on;
	struct burrow_query query;
	int setup_errno;
	int stats_errno;
	int room_errno;
	u32 nr_setup;
	u32 nr_arena_add;
	u32 arena_kind;
	struct burrow_heap_setup setup;
} play;

static int play_ioctl(unsigned long nr, void *arg)
{
	struct burrow_arena_add *add = arg;

	switch (nr) {
	case BURROW_IOC_QUERY:
		*(struct burrow_query *)arg = play.query;
		return 0;
	case BURROW_IOC_HEAP_SETUP:
		play.setup = *(struct burrow_heap_setup *)arg;
		play.nr_setup++;
		errno = play.setup_errno;
		return errno ? -1 : 0;
	case BURROW_IOC_ARENA_ADD:
		add->out_index = add->index == BURROW_ARENA_ANY ?
				 play.nr_arena_add : add->index;
		play.nr_arena_add++;
		play.arena_kind = add->kind;
		return 0;
	case BURROW_IOC_HEAP_STATS:
		errno = play.stats_errno;
		return errno ? -1 : 0;
	case BURROW_IOC_HEAP_ROOM:
		errno = play.room_errno;
		return errno ? -1 : 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

int ioctl(int fd, unsigned long nr, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, nr);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (play.on)
		return play_ioctl(nr, arg);
	return (int)syscall(SYS_ioctl, fd, nr, arg);
}

static void play_a_good_module(void)
{
	play = (struct play){
		.on = true,
		.query = {
			.out_features = GOOD_FEATURES,
			.out_page_shift = BURROW_PAGE_SHIFT,
			.out_arena_shift = BURROW_ARENA_SHIFT,
			.out_max_arenas = BURROW_MAX_ARENAS,
			.out_max_batch = BW_MIN_BATCH,
			.out_max_threads = 4,
		},
	};
}

static int open_heap(enum bw_mode mode, const char *device,
		     struct bw_heap **heap)
{
	const struct bw_heap_opts opts = {
		.size = sizeof(opts), .mode = mode, .device = device,
		.window = RIG_WINDOW,
	};

	bw_error(0, "%s", "");
	return bw_heap_open(heap, &opts);
}

/* Kernel mode fails with @err and says @words; auto falls back to user. */
static void expect_no_kernel(const char *device, int err, const char *words)
{
	struct bw_heap *heap;

	if (!EXPECT(open_heap(BW_MODE_KERNEL, device, &heap) == err) ||
	    !EXPECT(strstr(bw_heap_error(), words)))
		printf("# %s\n", bw_heap_error());
	if (!EXPECT(!open_heap(BW_MODE_AUTO, device, &heap)))
		return;
	EXPECT(!strcmp(bw_heap_mode(heap), "user"));
	bw_heap_close(heap);
}

static void without_a_device_the_module_is_said_to_be_missing(void)
{
	play.on = false;
	expect_no_kernel("/nonexistent", -ENOENT, "is the module loaded?");
	expect_no_kernel("/nonexistent", -ENOENT, "/nonexistent");
}

static void another_device_is_said_not_to_be_burrows(void)
{
	play.on = false;
	expect_no_kernel("/dev/null", -ENOTTY, "does not answer as burrow's");
}

static void open_without_permission(void *arg)
{
	struct bw_heap *heap;

	if (!getuid())
		EXPECT(!setresgid(65534, 65534, 65534) &&
		       !setresuid(65534, 65534, 65534));
	EXPECT(open_heap(BW_MODE_KERNEL, arg, &heap) == -EACCES);
	EXPECT(strstr(bw_heap_error(), "no permission"));
}

static void without_permission_that_is_what_is_said(void)
{
	char path[] = "/tmp/burrow-mode-test-XXXXXX", said[400];
	int fd = mkstemp(path);

	play.on = false;
	if (!EXPECT(fd >= 0))
		return;
	EXPECT(!fchmod(fd, 0));
	EXPECT(!rig_child(open_without_permission, path, said, sizeof(said)));
	close(fd);
	unlink(path);
}

static void a_module_with_other_shifts_is_refused(void)
{
	play_a_good_module();
	play.query.out_page_shift = 12;
	expect_no_kernel("/dev/null", -EOPNOTSUPP, "pages of 2^12");
	play_a_good_module();
	play.query.out_arena_shift = 30;
	expect_no_kernel("/dev/null", -EOPNOTSUPP, "arenas of 2^30");
}

static void a_module_that_lacks_a_feature_is_refused(void)
{
	char says[40];
	u32 i;

	for (i = 0; GOOD_FEATURES >> i; i++) {
		if (!(GOOD_FEATURES >> i & 1))
			continue;
		play_a_good_module();
		play.query.out_features = ~(1ULL << i);
		snprintf(says, sizeof(says), "lacks features 0x%x that",
			 1U << i);
		expect_no_kernel("/dev/null", -EOPNOTSUPP, says);
	}
	play_a_good_module();
	play.query.out_max_batch = BW_MIN_BATCH - 1;
	expect_no_kernel("/dev/null", -EOPNOTSUPP, "vectors of 63 elements");
	play_a_good_module();
	play.query.out_features |= 1ULL << 63;
	play.setup_errno = ENOMEM;
	expect_no_kernel("/dev/null", -ENOMEM, "does not set up a heap");
}

static void the_window_that_is_set_up_is_aligned_and_apart(void)
{
	struct bw_heap *heap;

	play_a_good_module();
	if (!EXPECT(!open_heap(BW_MODE_AUTO, "/dev/null", &heap)))
		return;
	EXPECT(!strcmp(bw_heap_mode(heap), "kernel"));
	EXPECT(play.setup.window_size == RIG_WINDOW);
	EXPECT(play.setup.window == (uintptr_t)bw_heap_addr(heap, 0));
	EXPECT(play.setup.window % BURROW_ARENA_SIZE == 0);
	EXPECT(play.setup.umeta % BURROW_UMETA_SIZE == 0);
	EXPECT(play.setup.kmeta % BURROW_KMETA_SIZE == 0);
	EXPECT(play.setup.umeta >= play.setup.window + RIG_WINDOW);
	EXPECT(play.setup.kmeta >= play.setup.umeta + 4 * BURROW_UMETA_SIZE);
	bw_heap_close(heap);
}

static void an_arena_that_cannot_be_mapped_is_not_asked_for_twice(void)
{
	struct bw_heap *heap;

	play_a_good_module();
	/* of this device no mapping can be made */
	if (!EXPECT(!open_heap(BW_MODE_KERNEL, "/dev/null", &heap)))
		return;
	EXPECT(bw_heap_arena_add(heap, BURROW_ARENA_ANY, NULL) == -ENODEV);
	EXPECT(bw_heap_arena_add(heap, BURROW_ARENA_ANY, NULL) == -ENODEV);
	EXPECT(bw_heap_arena_add(heap, 0, NULL) == -ENODEV);
	EXPECT(play.nr_arena_add == 1);
	EXPECT(bw_heap_arena_add(heap, 3, NULL) == -ENODEV);
	EXPECT(play.nr_arena_add == 2);
	/* nor one for whose mappings there was no room */
	play.room_errno = ENOMEM;
	EXPECT(bw_heap_arena_add(heap, 2, NULL) == -ENOMEM);
	EXPECT(bw_heap_arena_add(heap, 2, NULL) == -ENOMEM);
	play.room_errno = 0;
	EXPECT(bw_heap_arena_add(heap, 2, NULL) == -ENODEV);
	EXPECT(play.nr_arena_add == 3);
	EXPECT(!bw_heap_umeta(heap, 0));
	bw_heap_close(heap);
}

static void a_stranded_arena_is_given_to_who_wants_its_kind(void)
{
	const u32 stack = BURROW_ARENA_STACK, any = BURROW_ARENA_ANY;
	struct bw_heap *heap;

	play_a_good_module();
	if (!EXPECT(!open_heap(BW_MODE_KERNEL, "/dev/null", &heap)))
		return;
	EXPECT(bw_heap_arena_add_kind(heap, stack, any, NULL) == -ENODEV);
	EXPECT(play.nr_arena_add == 1 && play.arena_kind == stack);
	EXPECT(bw_heap_arena_add(heap, any, NULL) == -ENODEV);
	EXPECT(play.nr_arena_add == 2 && !play.arena_kind);
	EXPECT(bw_heap_arena_add_kind(heap, stack, any, NULL) == -ENODEV);
	EXPECT(bw_heap_arena_add(heap, any, NULL) == -ENODEV);
	EXPECT(play.nr_arena_add == 2);
	bw_heap_close(heap);
}

/* Is there a mapping of just this place, with these rights and this offset? */
static bool is_mapped(u64 start, u64 size, const char *rights, u64 offset)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[256], want[128];
	bool found = false;

	snprintf(want, sizeof(want), "%llx-%llx %s %08llx ",
		 (unsigned long long)start, (unsigned long long)(start + size),
		 rights, (unsigned long long)offset);
	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, want, strlen(want));
	if (f)
		fclose(f);
	return found;
}

static void an_arena_is_mapped_in_its_three_places(void)
{
	const u64 off = 2 * BURROW_ARENA_SIZE;
	struct bw_heap *heap;
	u32 index;

	play_a_good_module();
	/* of this one any mapping can be made */
	if (!EXPECT(!open_heap(BW_MODE_KERNEL, "/dev/zero", &heap)))
		return;
	EXPECT(!bw_heap_arena_add(heap, 2, &index) && index == 2);
	EXPECT((uintptr_t)bw_heap_umeta(heap, 2) ==
	       play.setup.umeta + 2 * BURROW_UMETA_SIZE);
	EXPECT(is_mapped(play.setup.window + off, BURROW_ARENA_SIZE, "rw-s",
			 BURROW_MMAP_OFFSET(BURROW_MMAP_DATA, off)));
	EXPECT(is_mapped(play.setup.umeta + 2 * BURROW_UMETA_SIZE,
			 BURROW_UMETA_SIZE, "rw-s",
			 BURROW_MMAP_OFFSET(BURROW_MMAP_UMETA, off)));
	EXPECT(is_mapped(play.setup.kmeta + 2 * BURROW_KMETA_SIZE,
			 BURROW_KMETA_SIZE, "r--s",
			 BURROW_MMAP_OFFSET(BURROW_MMAP_KMETA, off)));
	bw_heap_close(heap);
}

static void expect_no_heap(void *arg)
{
	struct bw_heap *heap = arg;

	EXPECT(play.nr_setup == 1);
	EXPECT(strstr(bw_heap_error(), "no memory for a copy"));
	EXPECT(!bw_heap_umeta(heap, 0));
	EXPECT(bw_heap_check(heap) == -EXDEV);
	EXPECT(strstr(bw_heap_error(), "no memory for a copy"));
	bw_heap_close(heap);
}

static void expect_the_arena(void *arg)
{
	EXPECT(play.nr_setup == 1);
	EXPECT(bw_heap_umeta(arg, 0) && !bw_heap_check(arg));
}

static void a_child_for_which_the_module_had_no_memory_is_told(void)
{
	struct bw_heap *heap;

	play_a_good_module();
	if (!EXPECT(!open_heap(BW_MODE_KERNEL, "/dev/zero", &heap)))
		return;
	EXPECT(!bw_heap_arena_add(heap, 0, NULL));
	play.stats_errno = EXDEV;
	EXPECT(rig_join(rig_fork(expect_no_heap, heap)));
	play.stats_errno = 0;
	EXPECT(rig_join(rig_fork(expect_the_arena, heap)));
	EXPECT(bw_heap_umeta(heap, 0) && !bw_heap_check(heap));
	bw_heap_close(heap);
}

static void expect_a_new_set_up(void *arg)
{
	u64 window = (uintptr_t)bw_heap_addr(arg, 0);

	EXPECT(play.nr_setup == 2 && play.setup.window == window);
	play.stats_errno = 0;
	EXPECT(!bw_heap_check(arg));
	EXPECT(!bw_heap_arena_add(arg, BURROW_ARENA_ANY, NULL));
	bw_heap_close(arg);
}

static void a_child_sets_a_heap_up_where_there_was_nothing_to_clone(void)
{
	struct bw_heap *heap;

	play_a_good_module();
	if (!EXPECT(!open_heap(BW_MODE_KERNEL, "/dev/zero", &heap)))
		return;
	play.stats_errno = EXDEV;
	EXPECT(rig_join(rig_fork(expect_a_new_set_up, heap)));
	bw_heap_close(heap);
}

static void open_verbosely(void *arg)
{
	const struct bw_heap_opts opts = {
		.size = sizeof(opts), .flags = BW_HEAP_VERBOSE, .device = arg,
		.window = RIG_WINDOW,
	};
	struct bw_heap *heap;

	EXPECT(!bw_heap_open(&heap, &opts));
}

static void a_fallback_is_told_once_to_who_wants_to_hear(void)
{
	char said[800], *first;

	play.on = false;
	EXPECT(!rig_child(open_verbosely, "/nonexistent", said, sizeof(said)));
	first = strstr(said, "cannot open /nonexistent: ENOENT");
	if (!EXPECT(first))
		return;
	EXPECT(!strstr(first + 1, "cannot open"));
	EXPECT(strstr(said, "user mode, window of 256 MiB"));
}

static void say_much(void *arg)
{
	u32 i;

	dprintf(STDERR_FILENO, "the beginning\n");
	for (i = 0; i < 1000; i++)
		dprintf(STDERR_FILENO, "line %u of what is in between\n", i);
	dprintf(STDERR_FILENO, "the end\n");
}

static void of_a_child_that_says_much_the_beginning_and_the_end_are_kept(void)
{
	char said[500];

	EXPECT(!rig_child(say_much, NULL, said, sizeof(said)));
	EXPECT(!strncmp(said, "the beginning\nline 0 ", 21));
	EXPECT(strstr(said, "line 999 of what is in between\nthe end\n"));
}

int main(void)
{
	TEST(without_a_device_the_module_is_said_to_be_missing);
	TEST(another_device_is_said_not_to_be_burrows);
	TEST(without_permission_that_is_what_is_said);
	TEST(a_module_with_other_shifts_is_refused);
	TEST(a_module_that_lacks_a_feature_is_refused);
	TEST(the_window_that_is_set_up_is_aligned_and_apart);
	TEST(an_arena_that_cannot_be_mapped_is_not_asked_for_twice);
	TEST(a_stranded_arena_is_given_to_who_wants_its_kind);
	TEST(an_arena_is_mapped_in_its_three_places);
	TEST(a_child_for_which_the_module_had_no_memory_is_told);
	TEST(a_child_sets_a_heap_up_where_there_was_nothing_to_clone);
	TEST(a_fallback_is_told_once_to_who_wants_to_hear);
	TEST(of_a_child_that_says_much_the_beginning_and_the_end_are_kept);
	return tap_end();
}
