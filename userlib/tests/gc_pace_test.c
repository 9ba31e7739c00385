// SPDX-License-Identifier: MIT
/* When cycles come: limits of memory, and what the environment says. */
#include <sys/stat.h>

#include "gc_rig.h"

/* A sweep in the background may be giving some back. */
static u64 used_pages(void)
{
	struct bw_mheap *h = bw_mheap();
	u64 nr;

	bw_lock(&h->lock);
	nr = h->used_pages;
	bw_unlock(&h->lock);
	return nr;
}

static int limited(void *arg)
{
	struct bw_gc_stats st;
	u64 **kept = bw_alloc(64 * sizeof(*kept));
	u32 i;

	/* half of the limit is alive, and as much again is made many times */
	for (i = 0; i < 64; i++)
		kept[i] = bw_alloc(256 << 10);
	for (i = 0; i < 2000; i++) {
		let_collect();
		bw_alloc(64 << 10);
	}
	bw_gc_stats(&st);
	EXPECT(st.goal <= 32 << 20 && st.cycles > 5);
	EXPECT(kept[63] && used_pages() < 48 * 128);
	return 0;
}

static void a_memory_limit_caps_the_heap_where_percent_would_not(void)
{
	int64_t none = bw_gc_set_limit(32 << 20);
	int percent = bw_gc_set_percent(1000);

	in_run(limited);
	EXPECT(bw_gc_set_limit(none) == 32 << 20);
	EXPECT(bw_gc_set_percent(percent) == 1000);
}

static void memlimit_child(void *arg)
{
	setenv("BURROW_MEMLIMIT", "32M", 1);
	setenv("BURROW_GC", "1000", 1);
	in_run(limited);
}

static void BURROW_MEMLIMIT_does_so_from_the_first_object_on(void)
{
	char said[1000];

	if (!EXPECT(!rig_child(memlimit_child, NULL, said, sizeof(said))))
		printf("# %s\n", said);
}

static void put(const char *dir, const char *file, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "w");
	if (!EXPECT(f))
		return;
	fputs(text, f);
	fclose(f);
}

static void the_tightest_memory_cgroup_counts(void)
{
	char top[] = "/tmp/gc_test.XXXXXX", dir[200];

	if (!EXPECT(mkdtemp(top)))
		return;
	snprintf(dir, sizeof(dir), "%s/a", top);
	EXPECT(!mkdir(dir, 0700));
	put(dir, "memory.max", "1000000\n");
	snprintf(dir, sizeof(dir), "%s/a/b", top);
	EXPECT(!mkdir(dir, 0700));
	put(dir, "memory.max", "max\n");
	EXPECT(bw_memlimit_cgroup("0::/a/b\n", top) == 1000000);
	put(dir, "memory.max", "70000\n");
	EXPECT(bw_memlimit_cgroup("0::/a/b\n", top) == 70000);
	EXPECT(bw_memlimit_cgroup("0::/\n", top) == INT64_MAX);
	EXPECT(bw_memlimit_cgroup("", top) == INT64_MAX);
	snprintf(dir, sizeof(dir), "%s/memory", top);
	EXPECT(!mkdir(dir, 0700));
	put(dir, "memory.limit_in_bytes", "9223372036854771712\n");
	EXPECT(bw_memlimit_cgroup("5:memory:/\n0::/a\n", top) == 1000000);
	put(dir, "memory.limit_in_bytes", "5000\n");
	EXPECT(bw_memlimit_cgroup("7:cpu:/x\n5:memory:/\n", top) == 5000);
	snprintf(dir, sizeof(dir), "rm -r %s", top);
	EXPECT(!system(dir));
}

static void bad_gc(void *arg)
{
	setenv(arg, "12x", 1);
	bw_alloc(16);
}

static void a_bad_value_is_one_clear_error(void)
{
	static const char *const name[] = { "BURROW_GC", "BURROW_MEMLIMIT" };
	char said[1000];
	u32 i;

	for (i = 0; i < 2; i++) {
		EXPECT(rig_aborted(rig_child(bad_gc, (void *)name[i], said,
					     sizeof(said))));
		EXPECT(strstr(said, "=12x is not allowed"));
	}
}

static void the_heap_is_whole_in_the_end(void)
{
	int bad;

	bw_gc();
	bad = bw_mheap_check(bw_mheap());
	if (!EXPECT(!bad))
		printf("# invariant %d\n", bad);
}

int main(void)
{
	if (!getenv("BURROW_GC"))
		setenv("BURROW_GC", "100", 1);
	/* in children, before there is a heap here */
	TEST(a_bad_value_is_one_clear_error);
	TEST(BURROW_MEMLIMIT_does_so_from_the_first_object_on);
	TEST(the_tightest_memory_cgroup_counts);
	TEST(a_memory_limit_caps_the_heap_where_percent_would_not);
	TEST(the_heap_is_whole_in_the_end);
	return tap_end();
}
