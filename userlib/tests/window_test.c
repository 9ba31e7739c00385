// SPDX-License-Identifier: MIT
/* The window under an address space limit. Each case is a child of its own. */
#include <sys/resource.h>

#include "rig.h"

#define M		(1024 * 1024ULL)
#define DEFAULT_PAGES	((u32)(BW_DEFAULT_WINDOW >> BURROW_PAGE_SHIFT))

static struct bw_heap_opts user_opts(u64 window)
{
	return (struct bw_heap_opts){
		.size = sizeof(struct bw_heap_opts), .mode = BW_MODE_USER,
		.window = window,
	};
}

/* Address space in use now, so that a limit means the same everywhere. */
static u64 vm_size(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long pages = 0;

	EXPECT(f && fscanf(f, "%llu", &pages) == 1);
	if (f)
		fclose(f);
	return pages * 4096;
}

static u64 limit_to(u64 more)
{
	struct rlimit lim = { .rlim_cur = vm_size() + more };

	lim.rlim_max = lim.rlim_cur;
	EXPECT(!setrlimit(RLIMIT_AS, &lim));
	return lim.rlim_cur;
}

static void open_under_512M(void *arg)
{
	struct bw_heap_opts opts = user_opts(0);
	struct bw_span_want want = rig_want(100);
	struct burrow_span_ref ref;
	u64 limit = limit_to(512 * M), bytes;
	struct bw_heap *heap;
	u32 added = 0;

	if (!EXPECT(!bw_heap_open(&heap, &opts)))
		return;
	bytes = (u64)bw_heap_window_pages(heap) << BURROW_PAGE_SHIFT;
	EXPECT(bytes >= BURROW_ARENA_SIZE && bytes <= 512 * M);
	EXPECT(bytes <= limit / 2);
	while (!bw_heap_arena_add(heap, BURROW_ARENA_ANY, NULL))
		added++;
	EXPECT(added == bytes / BURROW_ARENA_SIZE);
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	memset(bw_heap_addr(heap, ref.page), 1, 100 * BURROW_PAGE_SIZE);
	bw_heap_close(heap);
}

static void a_default_window_shrinks_to_what_the_limit_allows(void)
{
	char said[400];

	EXPECT(!rig_child(open_under_512M, NULL, said, sizeof(said)));
}

static void open_explicitly(void *arg)
{
	struct bw_heap_opts opts = user_opts(1024 * M);
	struct bw_heap *heap;

	limit_to(512 * M);
	EXPECT(bw_heap_open(&heap, &opts) == -ENOMEM);
	EXPECT(strstr(bw_heap_error(), "window of 1024 MiB"));
	opts = user_opts(128 * M);
	EXPECT(!bw_heap_open(&heap, &opts));
	bw_heap_close(heap);
}

static void a_window_asked_for_by_size_is_that_or_an_error(void)
{
	char said[400];

	EXPECT(!rig_child(open_explicitly, NULL, said, sizeof(said)));
}

static void open_under_16M(void *arg)
{
	struct bw_heap_opts opts = user_opts(0);
	struct bw_heap *heap;
	u64 before;

	limit_to(16 * M);
	before = vm_size();
	EXPECT(bw_heap_open(&heap, &opts) == -ENOMEM);
	EXPECT(strstr(bw_heap_error(), "no address space"));
	EXPECT(vm_size() == before);
}

static void where_not_even_an_arena_fits_open_says_so_and_leaves_nothing(void)
{
	char said[400];

	EXPECT(!rig_child(open_under_16M, NULL, said, sizeof(said)));
}

static void open_under_no_limit(void *arg)
{
	struct bw_heap_opts opts = user_opts(0);
	u64 before = vm_size();
	struct bw_heap *heap;

	EXPECT(!bw_heap_open(&heap, &opts));
	EXPECT(bw_heap_window_pages(heap) == DEFAULT_PAGES);
	bw_heap_close(heap);
	EXPECT(vm_size() == before);
}

static void without_a_limit_it_is_256G_and_close_leaves_nothing(void)
{
	char said[400];

	EXPECT(!rig_child(open_under_no_limit, NULL, said, sizeof(said)));
}

static void a_window_of_1T_has_room_for_the_last_arena(void)
{
	struct bw_heap_opts opts = user_opts(1ULL << 40);
	struct bw_span_want want = rig_want(BURROW_ARENA_PAGES);
	struct burrow_span_ref ref;
	struct bw_heap *heap;
	struct bw_span s;
	u32 index;

	if (!EXPECT(!bw_heap_open(&heap, &opts)))
		return;
	EXPECT(bw_heap_window_pages(heap) == BURROW_MAX_PAGES);
	EXPECT(!bw_heap_arena_add(heap, BURROW_MAX_ARENAS - 1, &index));
	want.flags = BURROW_ALLOC_LAZY;
	if (!EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL)))
		return;
	EXPECT(ref.page == BURROW_MAX_PAGES - BURROW_ARENA_PAGES);
	*(u64 *)bw_heap_addr(heap, BURROW_MAX_PAGES - 1) = 1;
	EXPECT(bw_heap_span_of(heap, bw_heap_addr(heap, BURROW_MAX_PAGES - 1),
			       &s) && s.page == ref.page);
	bw_heap_close(heap);
}

/* Bytes of [at, at + bytes) that a debugger's core dump leaves out. */
static u64 hidden_bytes(const char *at, u64 bytes)
{
	u64 lo = (u64)(uintptr_t)at, hi = lo + bytes, hidden = 0;
	unsigned long long from = 0, to = 0, a, b;
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];

	while (EXPECT(f) && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx ", &a, &b) == 2) {
			from = max(a, lo);
			to = min(b, hi);
		} else if (!strncmp(line, "VmFlags:", 8) &&
			   strstr(line, " dd") && from < to) {
			hidden += to - from;
		}
	}
	if (f)
		fclose(f);
	return hidden;
}

static u64 hidden_in(struct bw_backend *be, u32 nr)
{
	const struct bw_window *w = &be->window;

	return hidden_bytes(w->data, nr * BURROW_ARENA_SIZE) +
	       hidden_bytes(w->umeta, nr * BURROW_UMETA_SIZE) +
	       hidden_bytes(w->kmeta, nr * BURROW_KMETA_SIZE);
}

static void hidden_from_dumps(void *arg)
{
	u64 arena = BURROW_ARENA_SIZE + BURROW_UMETA_SIZE + BURROW_KMETA_SIZE;
	struct bw_backend *be = rig_backend(0, true);
	u32 index;

	EXPECT(hidden_in(be, 4) == 4 * arena);
	EXPECT(!be->ops->arena_add(be, BURROW_ARENA_HEAP, 0, &index));
	EXPECT(hidden_in(be, 1) == 0);
	EXPECT(hidden_in(be, 4) == 3 * arena);
	/* fills the hole: a failed arena_add() leaves it as it was */
	bw_window_mend(bw_window_data(&be->window, 2), BURROW_ARENA_SIZE);
	EXPECT(hidden_in(be, 4) == 3 * arena);
	be->ops->close(be);
}

static void a_debuggers_core_dump_has_arenas_and_not_the_rest_of_the_window(void)
{
	char said[400];

	EXPECT(!rig_child(hidden_from_dumps, NULL, said, sizeof(said)));
}

int main(void)
{
	TEST(a_default_window_shrinks_to_what_the_limit_allows);
	TEST(a_window_asked_for_by_size_is_that_or_an_error);
	TEST(where_not_even_an_arena_fits_open_says_so_and_leaves_nothing);
	TEST(without_a_limit_it_is_256G_and_close_leaves_nothing);
	TEST(a_debuggers_core_dump_has_arenas_and_not_the_rest_of_the_window);
	TEST(a_window_of_1T_has_room_for_the_last_arena);
	return tap_end();
}
