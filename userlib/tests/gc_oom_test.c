// SPDX-License-Identifier: MIT
/*
 * Memory runs out while there is a cycle: each step of the backend, and each piece
 * of memory that the collector takes for itself. What is alive stays as it was, and
 * once there is memory again what is dead goes.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "gc_rig.h"
#include "oom_rig.h"

#define LISTS	40
#define LENGTH	300
#define DONE	3		/* of a child: it took fewer pieces than that */

static struct node *lists[LISTS];

/* What mmap() is to refuse of bw_sys_alloc(): from the nth on, so many. */
static long countdown, nr_refused;

/* A sanitizer has its own mmap() in this place. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define OURS	1

static bool refuses(int prot, int flags)
{
	long n;

	if (prot != (PROT_READ | PROT_WRITE) ||
	    flags != (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE))
		return false;
	n = __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED);
	return n <= 0 && n > -READ_ONCE(nr_refused);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	if (refuses(prot, flags)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}
#else
#define OURS	0
#endif

/* A list without a hole: where there was no memory it is shorter. */
static __attribute__((noinline)) struct node *list_new(u64 id)
{
	struct node *list = NULL, *n;
	u32 i;

	for (i = 0; i < LENGTH; i++) {
		n = bw_new(node);
		if (!n)
			break;
		bw_set(&n->next, list);
		n->id = id + i;
		n->sum = ~n->id;
		list = n;
	}
	return list;
}

/* Nodes of all lists, each as it was made. */
static __attribute__((noinline)) u32 nodes(void)
{
	const struct node *n;
	u32 i, nr = 0;

	for (i = 0; i < LISTS; i++)
		for (n = lists[i]; n; n = n->next, nr++) {
			if (!EXPECT(n->sum == ~n->id))
				return nr;
			if (n->next)
				EXPECT(n->next->id == n->id - 1);
		}
	return nr;
}

static void fill(u32 from)
{
	u32 i;

	for (i = from; i < LISTS; i += 2)
		lists[i] = list_new((u64)i << 32);
}

/* Some live, some die, there is a cycle, and some are made after it. */
static void script(void)
{
	u32 before;

	fill(0);
	bw_alloc(100000);
	before = nodes();
	bw_gc();
	EXPECT(nodes() == before);
	fill(1);
	bw_gc();
	nodes();
}

static void steps_child(void *arg)
{
	static const u64 in_a_row[] = { 1, 20, 1000000 };
	u64 nth, total = 1, most;
	struct oom o;
	u32 i;

	if (arg)
		bw_barriers_used();
	fill(0);
	fill(1);
	bw_gc();
	oom_begin(&o, bw_mheap());
	for (i = 0; i < ARRAY_SIZE(in_a_row); i++) {
		for (nth = 1, most = total; nth <= max(total, most); nth++) {
			bw_backend_failnth_again(o.failing, nth, in_a_row[i],
						 -ENOMEM);
			memset(lists, 0, sizeof(lists));
			script();
			total = bw_backend_failnth_steps(o.failing);
			bw_backend_failnth_again(o.failing, ~0ULL, 1, -ENOMEM);
			bw_gc();
			bw_mheap_scavenge(o.h, 0);
			EXPECT(rig_heap_is_whole());
			/* enough of them: the chain is the same again and again */
			if (nth > 60)
				break;
		}
	}
	oom_end(&o);
	memset(lists, 0, sizeof(lists));
	script();
	EXPECT(nodes() == LISTS * LENGTH);
}

static void is_survived(void (*fn)(void *arg), void *arg)
{
	char said[1000];

	if (!EXPECT(!rig_child(fn, arg, said, sizeof(said))))
		printf("# %s\n", said);
}

static void each_step_of_the_backend_may_fail_in_a_cycle(void)
{
	is_survived(steps_child, NULL);
	is_survived(steps_child, (void *)1);
}

/**
 * struct refusal - which pieces of memory are not to be had, and in which cycle
 */
struct refusal {
	long from;
	long nr;
	bool hybrid;
	bool leaks;
};

static void pieces_child(void *arg)
{
	const struct refusal *r = arg;
	u64 secret;
	bool hit;

	if (r->hybrid)
		bw_barriers_used();
	fill(0);
	fill(1);
	secret = secret_of(64);
	WRITE_ONCE(nr_refused, r->nr);
	WRITE_ONCE(countdown, r->from);
	/* the first: the collector's thread, buffers, jobs, roots */
	if (r->leaks)
		EXPECT(!bw_leaks(NULL, 0));
	else
		bw_gc();
	hit = READ_ONCE(countdown) <= 0;
	WRITE_ONCE(countdown, INT64_MAX / 2);
	EXPECT(nodes() == LISTS * LENGTH);
	memset(lists, 0, sizeof(lists));
	fill(0);
	collect();
	collect();
	EXPECT(nodes() == LISTS / 2 * LENGTH);
	EXPECT(bw_collector.nr > 0);
	EXPECT(!is_there(secret) || rig_heap_is_whole());
	fflush(stdout);
	_exit(tap_bad_here ? 1 : hit ? 0 : DONE);
}

static void pieces(struct refusal r)
{
	char said[1000];
	int status;

	for (r.from = 1; r.from < 100; r.from++) {
		status = rig_child(pieces_child, &r, said, sizeof(said));
		if (WIFEXITED(status) && WEXITSTATUS(status) == DONE)
			break;
		if (!EXPECT(!status))
			printf("# piece %ld and %ld more: %s\n", r.from,
			       r.nr - 1, said);
	}
	EXPECT(r.from > 4 && r.from < 100);
	printf("# %ld pieces\n", r.from - 1);
}

static void each_piece_of_memory_may_be_refused_to_the_collector(void)
{
	if (!OURS) {
		tap_skip("a sanitizer has its own mmap()");
		return;
	}
	pieces((struct refusal){ .nr = 1 });
	pieces((struct refusal){ .nr = 5 });
	pieces((struct refusal){ .nr = 1, .hybrid = true });
	pieces((struct refusal){ .nr = 5, .hybrid = true });
	pieces((struct refusal){ .nr = 1, .leaks = true });
	pieces((struct refusal){ .nr = 5, .leaks = true });
}

int main(void)
{
	setenv("BURROW_GC", "100", 1);
	/* in the children: what was lost is seen to be */
	setenv("BURROW", "clobberfree=1", 1);
	countdown = INT64_MAX / 2;
	TEST(each_step_of_the_backend_may_fail_in_a_cycle);
	TEST(each_piece_of_memory_may_be_refused_to_the_collector);
	return tap_end();
}
