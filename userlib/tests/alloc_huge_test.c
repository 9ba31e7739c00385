// SPDX-License-Identifier: MIT
/*
 * Large objects without pointers lie in huge arenas, and where they cannot,
 * elsewhere. With BURROW_MODE=kernel the module has blocks of 2 MiB for them.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "alloc_rig.h"
#include "burrow.h"

#define UNIT	(BURROW_HUGE_PAGES * BURROW_PAGE_SIZE)

static bool is_huge(const struct bw_mheap *h, const void *p)
{
	u32 page = (u32)((size_t)((const char *)p - h->map.base) >>
			 BURROW_PAGE_SHIFT);
	const char *kmeta = bw_window_kmeta(&h->be->window,
					    page >> BURROW_ARENA_PAGE_SHIFT);

	return ((const u64 *)(const void *)kmeta)[page % BURROW_ARENA_PAGES] &
	       BURROW_W_HUGE;
}

/* A heap whose window has so many arenas, of whose steps one fails. */
static struct bw_mheap *heap_with(u64 arenas, bool guard, u64 nth, int err)
{
	struct bw_backend *be, *failing;
	struct bw_options o;
	struct bw_mheap *h;

	bw_options_init(&o);
	o.mode = BW_MODE_USER;
	o.window = arenas << BURROW_ARENA_SHIFT;
	o.verify = true;
	o.guard = guard;
	if (bw_options_parse(&o, NULL, getenv("BURROW_MODE")) ||
	    bw_backend_open(&o, &be) ||
	    bw_backend_open_failnth(be, nth, err, &failing) ||
	    bw_mheap_open_on(failing, &o, &h)) {
		printf("Bail out! %s\n", bw_error_last());
		exit(1);
	}
	return h;
}

static void what_fills_units_lies_in_them_and_is_zero(void)
{
	static const size_t sizes[] = {
		UNIT, UNIT - 1, 2 * UNIT - UNIT / 8, 5 * UNIT + 1 - UNIT / 2,
		40 * UNIT,
	};
	struct bw_mheap *h = bw_mheap();
	u32 i, round;

	for (round = 0; round < 2; round++)
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t n = sizes[i];
			u8 *p = bw_alloc_noscan(n);

			if (!EXPECT(p))
				return;
			EXPECT(is_huge(h, p) && (uintptr_t)p % UNIT == 0);
			EXPECT(bw_usable_size(p) % UNIT == 0);
			EXPECT(bw_usable_size(p) >= n &&
			       bw_usable_size(p) < n + UNIT);
			EXPECT(rig_is_filled(p, n, 0));
			memset(p, 0xa5, n);
			bw_free(p);
		}
	EXPECT(rig_heap_is_whole());
}

static void what_would_waste_or_may_hold_pointers_lies_elsewhere(void)
{
	struct bw_mheap *h = bw_mheap();
	void *p[] = {
		bw_alloc_noscan(UNIT - BURROW_PAGE_SIZE),
		bw_alloc_noscan(UNIT + UNIT / 2),
		bw_alloc_noscan(2 * UNIT - UNIT / 4 - BURROW_PAGE_SIZE),
		bw_alloc(UNIT), bw_alloc(8 * UNIT),
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		EXPECT(p[i] && !is_huge(h, p[i]));
		EXPECT(bw_usable_size(p[i]) < 9 * UNIT);
		bw_free(p[i]);
	}
}

static bool module_has_blocks(void)
{
	struct burrow_query q = { .size = sizeof(q) };
	int fd = open("/dev/burrow", O_RDWR | O_CLOEXEC);
	bool has = fd >= 0 && !ioctl(fd, BURROW_IOC_QUERY, &q) &&
		   q.out_features & BURROW_FEAT_HUGE;

	if (fd >= 0)
		close(fd);
	return has;
}

static u64 units(struct bw_mheap *h)
{
	struct burrow_heap_stats st;

	EXPECT(!h->be->ops->stats(h->be, &st));
	return st.out_units;
}

static void a_touch_brings_a_block_of_2_MiB(void)
{
	struct bw_mheap *h = bw_mheap();
	u64 before;
	u8 *p;

	if (!module_has_blocks()) {
		tap_skip("this kernel has no entries of 2 MiB for a module");
		return;
	}
	bw_mheap_scavenge(h, ~0ULL);
	before = units(h);
	p = bw_alloc_noscan(4 * UNIT);
	if (!EXPECT(p))
		return;
	memset(p, 1, 4 * UNIT);
	printf("# %llu units\n", (unsigned long long)(units(h) - before));
	EXPECT(units(h) == before + 4);
	bw_free(p);
	bw_mheap_scavenge(h, ~0ULL);
	EXPECT(units(h) == before);
}

static void a_small_window_and_guards_have_no_huge_arenas(void)
{
	struct bw_mheap *h = heap_with(8, false, 0, 0);
	char *p = bw_large_alloc(h, UNIT, BURROW_KIND_NOSCAN, true);

	EXPECT(p && !is_huge(h, p));
	bw_large_free(h, bw_mspan_of(h, p), p);
	rig_expect_empty(h);
	bw_mheap_close(h);
	h = heap_with(64, true, 0, 0);
	p = bw_large_alloc(h, UNIT, BURROW_KIND_NOSCAN, true);
	EXPECT(p && !is_huge(h, p));
	bw_large_free(h, bw_mspan_of(h, p), p);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

/* Two objects; how many of them lay in units. */
static u32 attempt(u64 nth, int err, u64 *steps)
{
	struct bw_mheap *h = heap_with(64, false, nth, err);
	u32 i, nr = 0;
	char *p[2];

	for (i = 0; i < 2; i++) {
		p[i] = bw_large_alloc(h, 2 * UNIT, BURROW_KIND_NOSCAN, true);
		if (!p[i]) {
			printf("Bail out! no object\n");
			exit(1);
		}
		EXPECT(!p[i][0] && !p[i][2 * UNIT - 1]);
		memset(p[i], 7, 2 * UNIT);
		nr += is_huge(h, p[i]);
	}
	*steps = bw_backend_failnth_steps(h->be);
	for (i = 0; i < 2; i++)
		bw_large_free(h, bw_mspan_of(h, p[i]), p[i]);
	rig_expect_empty(h);
	bw_mheap_close(h);
	return nr;
}

static void where_units_cannot_be_had_it_is_an_ordinary_span(void)
{
	static const int errs[] = { -ENOMEM, -ENOSPC, -EOPNOTSUPP, -EBUSY };
	u64 total, nth, steps;
	u32 e, elsewhere = 0;

	EXPECT(attempt(0, -EIO, &total) == 2);
	for (e = 0; e < ARRAY_SIZE(errs); e++)
		for (nth = 1; nth <= total; nth++)
			elsewhere += attempt(nth, errs[e], &steps) < 2;
	EXPECT(elsewhere >= 2 * ARRAY_SIZE(errs));
	printf("# %llu steps, %u times elsewhere\n", (unsigned long long)total,
	       elsewhere);
}

static void in_child(void *arg)
{
	u8 *p = arg, *q;

	EXPECT(rig_is_filled(p, 3 * UNIT, 0x21));
	memset(p, 0x22, 3 * UNIT);
	q = bw_alloc_noscan(UNIT);
	EXPECT(q && rig_is_filled(q, UNIT, 0));
	EXPECT(is_huge(bw_mheap(), q));
	bw_free(p);
	bw_free(q);
	EXPECT(rig_heap_is_whole());
}

static void a_child_of_fork_has_them_too(void)
{
	u8 *p = bw_alloc_noscan(3 * UNIT);
	char said[512];

	if (!EXPECT(p))
		return;
	memset(p, 0x21, 3 * UNIT);
	EXPECT(!rig_child(in_child, p, said, sizeof(said)));
	EXPECT(rig_is_filled(p, 3 * UNIT, 0x21));
	bw_free(p);
	EXPECT(rig_heap_is_whole());
}

int main(void)
{
	TEST(what_fills_units_lies_in_them_and_is_zero);
	TEST(what_would_waste_or_may_hold_pointers_lies_elsewhere);
	/* user mode takes what the system gives, and counts no blocks */
	if (!strcmp(bw_mheap()->be->mode, "kernel"))
		TEST(a_touch_brings_a_block_of_2_MiB);
	TEST(a_small_window_and_guards_have_no_huge_arenas);
	TEST(where_units_cannot_be_had_it_is_an_ordinary_span);
	TEST(a_child_of_fork_has_them_too);
	return tap_end();
}
