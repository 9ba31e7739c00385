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

#define SECOND	1000000000UL

/* A cycle that took a second, in a process that has no collector's thread. */
static void tight_child(void *arg)
{
	struct bw_collector *c = &bw_collector;
	u64 now;

	bw_keepalive(bw_alloc(16));
	bw_gc_set_limit(2 << 20);
	c->pacer.marked = 8 << 20;
	c->running = BW_GC_PLAIN;
	now = bw_gc_now();
	c->times.begin = now - SECOND;
	bw_pacer_end(c);
	EXPECT(c->pacer.not_before >= now + SECOND);
	/* more than the limit is alive: a cycle is due, and held back */
	EXPECT(c->pacer.goal > c->pacer.limit);
	c->h->gc.live = c->pacer.goal;
	c->pacer.not_before = UINT64_MAX;
	bw_collector_due(c->h);
	EXPECT(!c->wanted);
	c->pacer.not_before = 1;
	bw_collector_due(c->h);
	EXPECT(c->wanted == 1);
}

/* Where there is room, and for who asked, nobody waits. */
static void roomy_child(void *arg)
{
	struct bw_collector *c = &bw_collector;

	bw_keepalive(bw_alloc(16));
	bw_gc_set_limit(arg ? 2 << 20 : 1 << 30);
	c->forced = arg ? 1 : 0;
	c->pacer.marked = 8 << 20;
	c->times.begin = bw_gc_now() - SECOND;
	bw_pacer_end(c);
	EXPECT(!c->pacer.not_before);
}

static void too_tight_a_limit_leaves_half_of_the_time_and_is_told(void)
{
	char said[1000];
	const char *told;

	EXPECT(!rig_child(tight_child, NULL, said, sizeof(said)));
	told = strstr(said, "is too tight for");
	EXPECT(told && !strstr(told + 1, "is too tight for"));
	EXPECT(!rig_child(roomy_child, NULL, said, sizeof(said)));
	EXPECT(!*said);
	EXPECT(!rig_child(roomy_child, (void *)1, said, sizeof(said)));
	EXPECT(!*said);
}

#define TRACED	3

static int traced_main(void *arg)
{
	struct node *kept = NULL, *n;
	u32 i, k;

	for (i = 0; i < TRACED; i++) {
		/* below the first goal: no cycle but those asked for */
		for (k = 0; k < 20000; k++) {
			n = bw_new(node);
			bw_set(&n->next, kept);
			kept = n;
		}
		bw_gc();
	}
	bw_keepalive(kept);
	return 0;
}

static void traced_child(void *arg)
{
	setenv("BURROW", "gctrace=1,gcpacertrace=1", 1);
	setenv("BURROW_GC", "1000", 1);
	if (arg)
		bw_barriers_used();
	in_run(traced_main);
}

/* A line of gctrace: Go's fields, which tools know, and the mode. */
static bool trace_is_good(const char *line, u32 nr, const char *mode)
{
	unsigned int cycle, share, before, after, marked, goal, stacks, globals;
	double at, clock[3], cpu[5];
	int procs, end = 0;

	if (sscanf(line, "burrow: gc %u @%lfs %u%%: %lf+%lf+%lf ms clock, "
		   "%lf+%lf/%lf/%lf+%lf ms cpu, %u->%u->%u MB, %u MB goal, "
		   "%u MB stacks, %u MB globals, %d P, %n", &cycle, &at, &share,
		   &clock[0], &clock[1], &clock[2], &cpu[0], &cpu[1], &cpu[2],
		   &cpu[3], &cpu[4], &before, &after, &marked, &goal, &stacks,
		   &globals, &procs, &end) != 18 || !end)
		return false;
	return cycle == nr && at >= 0 && share <= 100 && after >= marked &&
	       goal >= marked && procs >= 1 &&
	       !strncmp(line + end, mode, strlen(mode));
}

static void trace_of(const char *mode, void *hybrid)
{
	const char *line, *pacer;
	char said[4000];
	u32 nr = 0, nr_pacer = 0, cycle;

	if (!EXPECT(!rig_child(traced_child, hybrid, said, sizeof(said))))
		printf("# %s\n", said);
	for (line = said; (line = strstr(line, "burrow: gc ")); line++)
		if (!EXPECT(trace_is_good(line, ++nr, mode)))
			printf("# %s\n", line);
	for (pacer = said; (pacer = strstr(pacer, "pacer: gc ")); pacer++)
		nr_pacer += sscanf(pacer, "pacer: gc %u: ", &cycle) == 1 &&
			    cycle == nr_pacer + 1;
	EXPECT(nr >= TRACED && nr_pacer == nr);
}

static void gctrace_tells_each_cycle_in_a_line_with_the_fields_of_Go(void)
{
	trace_of("plain (forced)\n", NULL);
	trace_of("hybrid (forced)\n", (void *)1);
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

int main(void)
{
	gc_as_usual();
	/* in children, before there is a heap here */
	TEST(a_bad_value_is_one_clear_error);
	TEST(BURROW_MEMLIMIT_does_so_from_the_first_object_on);
	TEST(too_tight_a_limit_leaves_half_of_the_time_and_is_told);
	TEST(gctrace_tells_each_cycle_in_a_line_with_the_fields_of_Go);
	TEST(the_tightest_memory_cgroup_counts);
	TEST(a_memory_limit_caps_the_heap_where_percent_would_not);
	TEST(the_heap_is_whole_in_the_end);
	return tap_end();
}
