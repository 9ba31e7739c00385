// SPDX-License-Identifier: MIT
/* What a G may do, and what becomes of it: runs, ends, names, threads, numbers. */
#include <sys/syscall.h>

#include "sched_rig.h"

static int give_42(void *arg)
{
	*(int *)arg += 1;
	return 42;
}

static void a_run_returns_what_its_first_G_does_and_can_be_repeated(void)
{
	int n = 0, i;

	for (i = 1; i <= 20; i++)
		EXPECT(bw_run(give_42, &n) == 42 && n == i);
}

static int exit_first(void *arg)
{
	bw_exit();
}

static long rest;

static void forever(void *arg)
{
	for (;;) {
		add(&rest, 1);
		bw_yield();
	}
}

static void never_readied(void *arg)
{
	add(&rest, 1);
	bw_park();
	EXPECT(!"it was dropped");
}

static int leave_some(void *arg)
{
	int i;

	for (i = 0; i < 100; i++)
		EXPECT(!bw_go(i % 2 ? forever : never_readied, NULL));
	while (__atomic_load_n(&rest, __ATOMIC_SEQ_CST) < 100)
		bw_yield();
	return 1;
}

static void a_run_ends_with_its_first_G_whatever_the_others_do(void)
{
	EXPECT(run_it(exit_first) == 0);
	EXPECT(run_it(leave_some) == 1);
	rest = 0;
	EXPECT(run_it(leave_some) == 1);
}

/* Ends @n frames down. */
static int deep(struct countdown *c, int n)
{
	bw_yield();
	if (n > 0)
		return 1 + deep(c, n - 1);
	countdown_done(c);
	if (!n)
		bw_exit();
	return n;
}

static void exit_deep(void *arg)
{
	EXPECT(deep(arg, 20) && !"came back");
}

static int exits(void *arg)
{
	struct countdown c;
	int i;

	countdown_init(&c, 500);
	for (i = 0; i < 500; i++)
		bw_go(exit_deep, &c);
	countdown_wait(&c);
	return 0;
}

static void any_G_may_end_at_any_depth(void)
{
	run_it(exits);
}

static u64 ids[300];
static int key_a, key_b;
static long drops;

static void drop(void *value)
{
	EXPECT(!bw_local_get(key_a));
	bw_yield();
	add(&drops, (long)value);
}

static void with_locals(void *arg)
{
	u64 *id = *(u64 **)arg;
	struct countdown *c = *(struct countdown **)((char *)arg + 8);
	long me = id - ids;
	int i;

	*id = bw_g_id(bw_self());
	EXPECT(!strcmp(bw_g_name(bw_self()), "local"));
	EXPECT(!bw_local_get(key_a) && !bw_local_get(key_b));
	bw_local_set(key_a, (void *)(me + 1));
	bw_local_set(key_b, (void *)(me + 1000));
	for (i = 0; i < 5; i++) {
		bw_yield();
		EXPECT(bw_local_get(key_a) == (void *)(me + 1));
		EXPECT(bw_local_get(key_b) == (void *)(me + 1000));
	}
	countdown_done(c);
}

static int locals(void *arg)
{
	static struct {
		u64 *id;
		struct countdown *c;
	} args[300];
	struct countdown c;
	int i, k;

	EXPECT(bw_g_id(bw_self()) && !strcmp(bw_g_name(bw_self()), "main"));
	countdown_init(&c, 300);
	for (i = 0; i < 300; i++) {
		args[i].id = &ids[i];
		args[i].c = &c;
		EXPECT(!bw_go_named("local", with_locals, &args[i]));
	}
	countdown_wait(&c);
	while (__atomic_load_n(&drops, __ATOMIC_SEQ_CST) != 300 * 301 / 2)
		bw_yield();
	for (i = 0; i < 300; i++)
		for (k = 0; k < i; k++)
			EXPECT(ids[i] && ids[i] != ids[k]);
	return 0;
}

static void each_G_has_a_number_a_name_and_values_of_its_own(void)
{
	key_a = bw_local_make(drop);
	key_b = bw_local_make(NULL);
	EXPECT(key_a == 0 && key_b == 1);
	run_it(locals);
	EXPECT(drops == 300 * 301 / 2);
	EXPECT(bw_local_make(NULL) == 2 && bw_local_make(NULL) == 3);
	EXPECT(bw_local_make(NULL) == -ENOSPC);
}

static __attribute__((noinline)) long tid(void)
{
	return syscall(SYS_gettid);
}

static long strangers, stop_it;

static void wander(void *arg)
{
	struct countdown *c = arg;
	long wired = *(long *)(c + 1);

	while (!__atomic_load_n(&stop_it, __ATOMIC_SEQ_CST)) {
		if (tid() == wired)
			add(&strangers, 1);
		bw_yield();
	}
	countdown_done(c);
}

static void wired_main(void *arg)
{
	long me, i;

	bw_lock_thread();
	bw_lock_thread();
	me = tid();
	for (i = 0; i < 100; i++) {
		bw_yield();
		EXPECT(tid() == me);
		bw_ready(bw_self());
		bw_park();
		bw_block_begin();
		bw_block_end();
		EXPECT(tid() == me);
	}
	bw_unlock_thread();
	bw_yield();
	EXPECT(tid() == me);
	bw_unlock_thread();
	countdown_done(arg);
}

static int wired(void *arg)
{
	struct {
		struct countdown c;
		long wired;
	} a = { .wired = tid() };
	struct countdown others;
	int i;

	bw_lock_thread();
	a.wired = tid();
	countdown_init(&a.c, 6);
	stop_it = 0;
	strangers = 0;
	for (i = 0; i < 6; i++)
		bw_go(wander, &a);
	countdown_init(&others, 4);
	for (i = 0; i < 4; i++)
		bw_go(wired_main, &others);
	countdown_wait(&others);
	EXPECT(tid() == a.wired);
	__atomic_store_n(&stop_it, 1, __ATOMIC_SEQ_CST);
	countdown_wait(&a.c);
	EXPECT(!strangers);
	EXPECT(tid() == a.wired);
	bw_unlock_thread();
	return 0;
}

static void a_G_with_a_thread_stays_there_and_has_it_alone(void)
{
	run_it(wired);
}

static long dead_tid;

static void end_locked(void *arg)
{
	bw_lock_thread();
	dead_tid = tid();
	countdown_done(arg);
}

static int locked_end(void *arg)
{
	struct countdown c;

	countdown_init(&c, 1);
	bw_go(end_locked, &c);
	countdown_wait(&c);
	/* gone: nobody by that number is in the process */
	while (!syscall(SYS_tgkill, getpid(), (int)dead_tid, 0))
		bw_yield();
	return 0;
}

static void a_G_that_ends_with_its_thread_locked_takes_it_along(void)
{
	run_it(locked_end);
}

static struct bw_g *guest, *host;
static long ball;

static void *guest_main(void *arg)
{
	int i;

	EXPECT(!bw_self());
	EXPECT(!bw_thread_attach());
	EXPECT(bw_thread_attach() == -EBUSY);
	__atomic_store_n(&guest, bw_self(), __ATOMIC_SEQ_CST);
	bw_ready(host);
	for (i = 0; i < 200; i++) {
		while (__atomic_load_n(&ball, __ATOMIC_SEQ_CST) % 2 == 0)
			bw_park();
		add(&ball, 1);
		bw_ready(host);
		bw_yield();
	}
	bw_block_begin();
	bw_block_end();
	EXPECT(!bw_go(arg ? never_readied : forever, NULL));
	bw_thread_detach();
	EXPECT(!bw_self());
	return NULL;
}

static int attached(void *arg)
{
	pthread_t t;
	int i;

	guest = NULL;
	host = bw_self();
	rest = 0;
	ball = 0;
	pthread_create(&t, NULL, guest_main, NULL);
	while (!__atomic_load_n(&guest, __ATOMIC_SEQ_CST))
		bw_park();
	for (i = 0; i < 200; i++) {
		add(&ball, 1);
		bw_ready(guest);
		while (__atomic_load_n(&ball, __ATOMIC_SEQ_CST) % 2)
			bw_park();
	}
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
	while (!__atomic_load_n(&rest, __ATOMIC_SEQ_CST))
		bw_yield();
	EXPECT(ball == 400);
	return 0;
}

static void a_thread_that_attached_parks_readies_and_makes_Gs(void)
{
	run_it(attached);
	run_it(attached);
	EXPECT(!bw_thread_attach());
	EXPECT(bw_go(forever, NULL) == -ESRCH);
	bw_thread_detach();
}

#if defined(__x86_64__)
#define ROUND_DOWN	0x2000U
#define ROUND_UP	0x4000U
#else
#define ROUND_DOWN	0x800000U
#define ROUND_UP	0x400000U
#endif
#define ROUND_MASK	(ROUND_DOWN | ROUND_UP)

static u32 round_get(void)
{
	struct bw_fp fp;

	bw_fp_save(&fp);
	return fp.control & ROUND_MASK;
}

static void rounding(void *arg)
{
	u32 i, mode = bw_g_id(bw_self()) % 2 ? ROUND_UP : ROUND_DOWN;
	struct bw_fp fp = BW_FP_INIT;

	EXPECT(!round_get());
	fp.control |= mode;
	bw_fp_load(&fp);
	for (i = 0; i < 20; i++) {
		bw_yield();
		EXPECT(round_get() == mode);
	}
	countdown_done(arg);
}

static int control_words(void *arg)
{
	struct countdown c;
	int i;

	countdown_init(&c, 50);
	for (i = 0; i < 50; i++)
		bw_go(rounding, &c);
	countdown_wait(&c);
	EXPECT(!round_get());
	return 0;
}

static void the_rounding_mode_is_the_Gs(void)
{
	run_it(control_words);
}

static void dig(void *arg)
{
	size_t before = bw_stack_peak(), after;
	char deep[20000];

	memset(deep, 1, sizeof(deep));
	/* somebody might look at it */
	__asm__ volatile("" :: "r" (deep) : "memory");
	after = bw_stack_peak();
	EXPECT(after >= 20000 && before <= after);
	countdown_done(arg);
}

static int peak(void *arg)
{
	struct countdown c;

	EXPECT(bw_stack_peak() > 0 && bw_stack_peak() < 20000 * (1 + 9 *
								RIG_SLOW));
	countdown_init(&c, 1);
	bw_go(dig, &c);
	countdown_wait(&c);
	return 0;
}

static void the_depth_a_stack_once_had_can_be_read(void)
{
	run_it(peak);
}

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	TEST(the_depth_a_stack_once_had_can_be_read);
	TEST(a_run_returns_what_its_first_G_does_and_can_be_repeated);
	TEST(a_run_ends_with_its_first_G_whatever_the_others_do);
	TEST(any_G_may_end_at_any_depth);
	TEST(each_G_has_a_number_a_name_and_values_of_its_own);
	TEST(a_G_with_a_thread_stays_there_and_has_it_alone);
	TEST(a_G_that_ends_with_its_thread_locked_takes_it_along);
	TEST(a_thread_that_attached_parks_readies_and_makes_Gs);
	TEST(the_rounding_mode_is_the_Gs);
	return tap_end();
}
