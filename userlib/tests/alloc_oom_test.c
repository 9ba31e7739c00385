// SPDX-License-Identifier: MIT
/*
 * When memory runs out: each call says NULL and ENOMEM, what there is stays as it
 * was, and what is freed can be had again.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "alloc_rig.h"
#include "burrow.h"
#include "oom_rig.h"

#define UNIT	(BURROW_HUGE_PAGES * BURROW_PAGE_SIZE)
#define SIZES	12
#define CALLS	5
#define REGION	40

static const size_t sizes[SIZES] = {
	1, 8, 16, 40, 300, 4000, 20000, 32768, 40000, 500000, UNIT + UNIT / 2,
	2 * UNIT,
};

/* Of large ones the test looks at the beginning. */
static size_t seen(size_t n)
{
	return n < 40000 ? n : 40000;
}

static void *call(u32 which, size_t n)
{
	/* tiny ones share blocks that only a collector frees: not here */
	if (which && n < BW_TINY_BLOCK)
		n = BW_TINY_BLOCK;
	switch (which) {
	case 0:
		return bw_alloc(n);
	case 1:
		return bw_alloc_noscan(n);
	case 2:
		return bw_alloc_raw(n);
	case 3:
		return bw_alloc_array(n, 1);
	default:
		return bw_new_plain_array(char, n);
	}
}

/* Each call with each size; how many had something. */
static u32 make_objects(struct shadow *o)
{
	u32 i, got = 0;

	for (i = 0; i < SIZES * CALLS; i++) {
		o[i].n = sizes[i % SIZES];
		o[i].fill = (u8)(i + 1);
		errno = 0;
		o[i].p = call(i / SIZES, o[i].n);
		EXPECT(o[i].p || errno == ENOMEM);
		if (!o[i].p)
			continue;
		o[i].n = seen(o[i].n);
		EXPECT(i / SIZES == 2 || rig_is_filled(o[i].p, o[i].n, 0));
		memset(o[i].p, o[i].fill, o[i].n);
		got++;
	}
	return got;
}

static u32 use_region(void)
{
	struct shadow o[REGION];
	struct bw_region *r = bw_region_make();
	u32 i, got = !!r;

	EXPECT(r || errno == ENOMEM);
	for (i = 0; r && i < REGION; i++) {
		o[i].n = 100 + 3001 * i;
		errno = 0;
		o[i].p = bw_region_alloc(r, o[i].n);
		EXPECT(o[i].p || errno == ENOMEM);
		if (!o[i].p)
			continue;
		EXPECT(rig_is_filled(o[i].p, o[i].n, 0));
		memset(o[i].p, (int)i + 1, o[i].n);
		got++;
	}
	for (i = 0; r && i < REGION; i++)
		EXPECT(!o[i].p || rig_is_filled(o[i].p, o[i].n, (u8)(i + 1)));
	if (r)
		bw_region_reset(r);
	EXPECT(!r || bw_region_alloc(r, 100) || errno == ENOMEM);
	bw_region_free(r);
	return got;
}

static u32 chain(void)
{
	struct shadow o[SIZES * CALLS];
	u32 i, got = make_objects(o);

	got += use_region();
	for (i = 0; i < SIZES * CALLS; i++) {
		EXPECT(!o[i].p || rig_is_filled(o[i].p, o[i].n, o[i].fill));
		bw_free(o[i].p);
	}
	return got;
}

/* Nothing is kept: each attempt begins with what the first began with. */
static void empty(struct bw_mheap *h)
{
	struct bw_mcache *c = bw_mcache_attach();

	bw_mcache_flush_frees(c);
	bw_mcache_flush(c);
	bw_mheap_scavenge(h, ~0ULL);
}

static void each_step_of_the_backend_may_fail_and_nothing_is_lost(void)
{
	static const int errs[] = { -ENOMEM, -ENOMEM, -ENOSPC, -EBUSY };
	static const u64 in_a_row[] = { 1, 1000000, 3, 20 };
	u64 total = 1, nth, used;
	u32 e, all, got, fewer = 0;
	struct oom oom;

	EXPECT(bw_mcache_attach());
	all = chain();
	EXPECT(all == SIZES * CALLS + 1 + REGION);
	empty(bw_mheap());
	used = bw_mheap()->used_pages;
	oom_begin(&oom, bw_mheap());
	for (e = 0; e < ARRAY_SIZE(errs); e++)
		/* until an attempt comes to its end before the step */
		for (nth = 1, total = nth; nth <= total; nth += 1 + nth / 24) {
			bw_backend_failnth_again(oom.failing, nth, in_a_row[e],
						 errs[e]);
			got = chain();
			total = bw_backend_failnth_steps(oom.failing);
			EXPECT(got <= all);
			fewer += got < all;
			bw_backend_failnth_again(oom.failing, 0, 0, 0);
			empty(oom.h);
			if (!EXPECT(!bw_mheap_check(oom.h)) ||
			    !EXPECT(oom.h->used_pages == used)) {
				printf("# %d at step %llu, %llu of %llu pages\n",
				       errs[e], (unsigned long long)nth,
				       (unsigned long long)oom.h->used_pages,
				       (unsigned long long)used);
				exit(1);
			}
		}
	EXPECT(chain() == all);
	EXPECT(fewer > 10);
	printf("# %llu steps, %u times less\n", (unsigned long long)total,
	       fewer);
	oom_end(&oom);
}

static void tiny_objects_run_out_as_others_do(void)
{
	struct oom oom;
	u8 *p = NULL;
	u32 nr;

	empty(bw_mheap());
	oom_begin(&oom, bw_mheap());
	bw_backend_failnth_again(oom.failing, 1, ~0U, -ENOMEM);
	for (nr = 0; nr < 10000; nr++) {
		errno = 0;
		p = bw_alloc_noscan(8);
		if (!p)
			break;
		EXPECT(rig_is_filled(p, 8, 0));
	}
	EXPECT(!p && errno == ENOMEM);
	bw_backend_failnth_again(oom.failing, 0, 0, 0);
	EXPECT(bw_alloc_noscan(8));
	EXPECT(!bw_mheap_check(oom.h));
	oom_end(&oom);
}

#define CGROUP		"/sys/fs/cgroup/burrow_oom"
#define LIMIT		(48U << 20)
#define MOST		8192U

static bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 &&
		    write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static bool cgroup_limit(u32 bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", bytes);
	return file_write(CGROUP "/memory.max", text);
}

static bool cgroup_make(void)
{
	/* it may be there already */
	file_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	return (!mkdir(CGROUP, 0755) || errno == EEXIST) &&
	       cgroup_limit(8 * LIMIT);
}

/*
 * U-words and descriptors come by touch, and that is killed at the limit: they are
 * to be there before it is set.
 */
static void touch_all(u8 **p, size_t n)
{
	u32 i, nr = 2 * LIMIT / (u32)n;

	for (i = 0; i < nr; i++)
		p[i] = bw_alloc(n);
	for (i = 0; i < nr; i++)
		bw_free(p[i]);
	empty(bw_mheap());
}

/* Objects of @n bytes until there are no more; how many. */
static u32 take_all(u8 **p, size_t n)
{
	u32 nr;

	for (nr = 0; nr < MOST; nr++) {
		errno = 0;
		p[nr] = bw_alloc(n);
		if (!p[nr])
			break;
		memset(p[nr], (int)(nr % 255 + 1), n);
	}
	EXPECT(nr < MOST && errno == ENOMEM);
	return nr;
}

static void in_cgroup(void *arg)
{
	static const size_t size[] = { 32768, 200000, 16384 };
	static u8 *p[MOST];
	u32 s, i, nr, again;

	EXPECT(file_write(CGROUP "/cgroup.procs", "0"));
	memset(p, 1, sizeof(p));
	for (s = 0; s < ARRAY_SIZE(size); s++)
		touch_all(p, size[s]);
	EXPECT(cgroup_limit(LIMIT));
	for (s = 0; s < ARRAY_SIZE(size); s++) {
		nr = take_all(p, size[s]);
		EXPECT(nr * size[s] > LIMIT / 2 && nr * size[s] < LIMIT);
		for (i = 0; i < nr; i++) {
			EXPECT(rig_is_filled(p[i], size[s],
					     (u8)(i % 255 + 1)));
			bw_free(p[i]);
		}
		EXPECT(!bw_mheap_check(bw_mheap()));
		/* what was freed can be had again */
		again = take_all(p, size[s]);
		EXPECT(again >= nr - nr / 8);
		printf("# %u of %zu bytes, then %u\n", nr, size[s], again);
		for (i = 0; i < again; i++)
			bw_free(p[i]);
		empty(bw_mheap());
		EXPECT(!bw_mheap_check(bw_mheap()));
	}
}

static void at_the_limit_of_a_cgroup_it_is_ENOMEM_and_nobody_is_killed(void)
{
	char said[512];
	int status;

	if (!cgroup_make()) {
		tap_skip("no memory cgroup can be made");
		return;
	}
	status = rig_child(in_cgroup, NULL, said, sizeof(said));
	if (!EXPECT(!status))
		printf("# status %x, said: %s\n", (unsigned int)status, said);
	EXPECT(!rmdir(CGROUP));
}

int main(void)
{
	/* nothing but what the test does */
	setenv("BURROW_GC", "off", 1);
	TEST(each_step_of_the_backend_may_fail_and_nothing_is_lost);
	TEST(tiny_objects_run_out_as_others_do);
	/* in user mode who goes beyond it is killed: memory comes by touch */
	if (!strcmp(bw_mheap()->be->mode, "kernel"))
		TEST(at_the_limit_of_a_cgroup_it_is_ENOMEM_and_nobody_is_killed);
	return tap_end();
}
