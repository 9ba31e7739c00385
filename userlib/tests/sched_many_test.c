// SPDX-License-Identifier: MIT
/* A million Gs that wait: what they cost, that all go on, and are used again. */
#include <malloc.h>

#include "sched_rig.h"

/* in a guest still more than twice what address space may be lost below */
#define MANY	(rig_is_guest() ? 6000L : RIG_SLOW ? 20000L : 1000000L)

static struct bw_g **all;
static struct countdown here, gone;

static void wait_once(void *arg)
{
	all[(long)arg] = bw_self();
	countdown_done(&here);
	bw_park();
	countdown_done(&gone);
}

static long kib(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			n = atol(line + strlen(key));
	if (f)
		fclose(f);
	return n;
}

static long memory(void)
{
	return kib("VmRSS:") + kib("VmPTE:");
}

static int many(void *arg)
{
	long before = memory(), i, used;
	u64 t = rig_now();

	countdown_init(&here, MANY);
	countdown_init(&gone, MANY);
	for (i = 0; i < MANY; i++)
		if (bw_go(wait_once, (void *)i))
			break;
	EXPECT(i == MANY);
	countdown_wait(&here);
	t = rig_now() - t;
	used = memory() - before;
	printf("# %ld Gs: %llu ns and %ld bytes each\n", MANY,
	       (unsigned long long)(t / MANY), used * 1024 / MANY);
	EXPECT(RIG_SLOW || used * 1024 / MANY <= 4800);
	t = rig_now();
	for (i = 0; i < MANY; i++)
		bw_ready(all[i]);
	countdown_wait(&gone);
	t = rig_now() - t;
	printf("# ended: %llu ns each\n", (unsigned long long)(t / MANY));
	return 0;
}

static void a_million_Gs_wait_and_go_on(void)
{
	EXPECT(!run_it(many));
}

static void the_next_million_takes_no_more_address_space(void)
{
	long vm = kib("VmSize:");

	EXPECT(!run_it(many));
	/* up to 9 threads and chunks */
	EXPECT(kib("VmSize:") - vm < 200L << 10);
}

static int leave_them(void *arg)
{
	long i;

	countdown_init(&here, MANY);
	for (i = 0; i < MANY; i++)
		EXPECT(!bw_go(wait_once, (void *)i));
	countdown_wait(&here);
	return 0;
}

static void a_run_that_leaves_a_million_gives_their_memory_back(void)
{
	EXPECT(!run_it(leave_them));
	printf("# %ld MiB are left\n", kib("VmRSS:") >> 10);
	/* the Gs themselves stay; their stacks would be 4 GiB */
	EXPECT(kib("VmRSS:") < 1L << 20);
}

int main(void)
{
	/* one more for a thread that reads a file would be 64 MiB */
	mallopt(M_ARENA_MAX, 1);
	all = calloc(MANY, sizeof(*all));
	if (kib("VmRSS:") && all) {
		TEST(a_million_Gs_wait_and_go_on);
		TEST(the_next_million_takes_no_more_address_space);
		TEST(a_run_that_leaves_a_million_gives_their_memory_back);
	}
	return tap_end();
}
