// SPDX-License-Identifier: MIT
/* Stopping the world: who is stopped, what is found, and that all go on. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "sched_rig.h"

#define NR		3

static long end, counts[2 * NR], alive;
static int fd[2];

static long get(const long *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static void loop(long *count)
{
	add(&alive, 1);
	while (!get(&end))
		add(count, 1);
}

static void loop_g(void *arg)
{
	loop(&counts[(long)arg]);
	add(&alive, -1);
}

static void loop_blocked(void *arg)
{
	bw_block_begin();
	loop(&counts[(long)arg]);
	bw_block_end();
	add(&alive, -1);
}

static void *loop_attached(void *arg)
{
	EXPECT(!bw_thread_attach());
	loop(&counts[(long)arg]);
	bw_thread_detach();
	add(&alive, -1);
	return NULL;
}

static void wait_alive(long n)
{
	while (get(&alive) != n)
		bw_yield();
}

/* Looks at the world from inside a stop, again and again. */
static void nothing_moves(void)
{
	long before[2 * NR];
	int i, lap;

	for (i = 0; i < 2 * NR; i++)
		before[i] = get(&counts[i]);
	for (lap = 0; lap < 20; lap++) {
		sched_yield();
		for (i = 0; i < 2 * NR; i++)
			EXPECT(before[i] == get(&counts[i]));
	}
}

static int stop_them_all(void *arg)
{
	pthread_t t[2];
	int lap;

	end = 0;
	bw_go(loop_g, (void *)0L);
	bw_go(loop_g, (void *)1L);
	bw_go(loop_blocked, (void *)2L);
	bw_go(loop_blocked, (void *)3L);
	EXPECT(!pthread_create(&t[0], NULL, loop_attached, (void *)4L));
	EXPECT(!pthread_create(&t[1], NULL, loop_attached, (void *)5L));
	wait_alive(6);
	for (lap = 0; lap < 50; lap++) {
		bw_world_stop("test");
		EXPECT(bw_world_is_stopped());
		nothing_moves();
		bw_world_start();
		EXPECT(!bw_world_is_stopped());
	}
	__atomic_store_n(&end, 1, __ATOMIC_SEQ_CST);
	wait_alive(0);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	return 0;
}

static void loops_blocked_sections_and_attached_threads_are_stopped(void)
{
	run_it(stop_them_all);
}

/*
 * What is looked for: a word that is nowhere as it is but where a thread has it
 * on purpose. Here it is only ever seen with all bits the other way.
 */
#define HIDDEN(i)	(0x5eed5eed00000000UL + (unsigned long)(i) * 16)

enum place { PARKED, RUNNING, REGISTER, ARG, LOCAL, TLS, ATTACHED, ASLEEP,
	     BLOCKED, SELF, NR_PLACES };

static const char *const place_name[] = { "a parked G's stack",
	"a running G's stack", "a register", "a G's argument",
	"a bw_local value", "a thread-local variable",
	"an attached thread's stack", "a parked thread's stack",
	"the stack of a G in read()", "the stopper's stack" };

static long seen[NR_PLACES];

__attribute__((no_sanitize_address, no_sanitize_thread))
static void look(const char *low, const char *end, void *arg)
{
	const volatile unsigned long *word;
	int i;

	for (word = (const void *)low; (const char *)word < end; word++)
		for (i = 0; i < NR_PLACES; i++)
			if (~*word == HIDDEN(i))
				seen[i]++;
}

static unsigned long reveal(int i)
{
	volatile unsigned long h = HIDDEN(i);

	return ~h;
}

static void keep(unsigned long *word)
{
	__asm__ volatile("" :: "r" (word) : "memory");
}

static struct bw_g *parked[3];
static int local_key;
static __thread unsigned long tls_word;

static void has_parked(void *arg)
{
	unsigned long word = reveal(PARKED);

	keep(&word);
	parked[0] = bw_self();
	add(&alive, 1);
	while (!get(&end))
		bw_park();
	keep(&word);
	bw_local_set(local_key, NULL);
	add(&alive, -1);
}

static void has_local(void *arg)
{
	bw_local_set(local_key, (void *)reveal(LOCAL));
	has_parked(arg);
}

static void has_running(void *arg)
{
	unsigned long word = reveal(RUNNING);

	keep(&word);
	loop(&counts[0]);
	keep(&word);
	add(&alive, -1);
}

/* In a vector register or one of the others, and nowhere in memory. */
static void has_register(void *arg)
{
	unsigned long word = reveal(REGISTER);

	add(&alive, 1);
#if defined(__x86_64__) && !BW_TSAN
	__asm__ volatile("movq %[w], %%xmm9\n\t"
		"xor %k[w], %k[w]\n\t"
		"1: cmpq $0, %[end]\n\t"
		"pause\n\t"
		"je 1b\n\t"
		"pxor %%xmm9, %%xmm9\n\t"
		: [w] "+r" (word) : [end] "m" (end) : "xmm9", "memory", "cc");
#else
	while (!get(&end))
		__asm__ volatile("" : "+r" (word));
#endif
	add(&alive, -1);
}

/* Never looks at it. */
static void has_arg(void *arg)
{
	parked[2] = bw_self();
	add(&alive, 1);
	while (!get(&end))
		bw_park();
	add(&alive, -1);
}

static void *has_attached(void *arg)
{
	unsigned long word = reveal(ATTACHED);

	EXPECT(!bw_thread_attach());
	keep(&word);
	tls_word = reveal(TLS);
	keep(&tls_word);
	loop(&counts[1]);
	keep(&word);
	bw_thread_detach();
	add(&alive, -1);
	return NULL;
}

static void *has_asleep(void *arg)
{
	unsigned long word = reveal(ASLEEP);

	EXPECT(!bw_thread_attach());
	keep(&word);
	parked[1] = bw_self();
	add(&alive, 1);
	while (!get(&end))
		bw_park();
	keep(&word);
	bw_thread_detach();
	add(&alive, -1);
	return NULL;
}

static void has_blocked(void *arg)
{
	struct pollfd pfd = { .fd = fd[0], .events = POLLIN };
	unsigned long word = reveal(BLOCKED);
	char c;

	keep(&word);
	bw_block_begin();
	add(&alive, 1);
	/* a thread sanitizer keeps signals away from read() */
	while (BW_TSAN && poll(&pfd, 1, -1) != 1)
		;
	EXPECT(read(fd[0], &c, 1) == 1);
	bw_block_end();
	keep(&word);
	add(&alive, -1);
}

/* @with is in no place that this function could find itself. */
static __attribute__((noinline)) void go_with_arg(int p)
{
	bw_go(has_arg, (void *)reveal(p));
}

static __attribute__((noinline)) void scrub(void)
{
	volatile char room[2048];

	memset((char *)room, 0, sizeof(room));
}

static int look_everywhere(void *arg)
{
	unsigned long word;
	pthread_t t[2];
	int i, lap;

	end = 0;
	local_key = local_key ? local_key : bw_local_make(NULL);
	EXPECT(!pipe(fd));
	bw_go(has_local, NULL);
	bw_go(has_running, NULL);
	bw_go(has_register, NULL);
	bw_go(has_blocked, NULL);
	go_with_arg(ARG);
	EXPECT(!pthread_create(&t[0], NULL, has_attached, NULL));
	EXPECT(!pthread_create(&t[1], NULL, has_asleep, NULL));
	wait_alive(7);
	word = reveal(SELF);
	keep(&word);
	for (lap = 0; lap < 20; lap++) {
		memset(seen, 0, sizeof(seen));
		scrub();
		bw_world_stop("test");
		bw_world_each_stack(look, NULL);
		bw_world_start();
		for (i = 0; i < NR_PLACES; i++)
			if (!EXPECT(seen[i]))
				printf("# not found: %s\n", place_name[i]);
		bw_yield();
	}
	keep(&word);
	__atomic_store_n(&end, 1, __ATOMIC_SEQ_CST);
	EXPECT(write(fd[1], "x", 1) == 1);
	bw_ready(parked[0]);
	bw_ready(parked[1]);
	bw_ready(parked[2]);
	wait_alive(0);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	close(fd[0]);
	close(fd[1]);
	return 0;
}

static void what_each_stack_and_register_has_is_found(void)
{
	run_it(look_everywhere);
}

/* Many stoppers, over Gs that never stand still. */
static long stops, moves, owner;

static void stopper(void *arg)
{
	int i;

	for (i = 0; i < (RIG_SLOW ? 60 : 300); i++) {
		bw_world_stop("storm");
		EXPECT(add(&owner, 1) == 1);
		add(&stops, 1);
		EXPECT(add(&owner, -1) == 0);
		bw_world_start();
		bw_yield();
	}
	countdown_done(arg);
}

static void mover_end(void *arg)
{
	add(&moves, 1);
}

static void mover(void *arg)
{
	char c = 0;

	while (!get(&end)) {
		bw_go(mover_end, NULL);
		bw_yield();
		bw_block_begin();
		EXPECT(write(fd[1], &c, 1) == 1);
		EXPECT(read(fd[0], &c, 1) == 1);
		bw_block_end();
		add(&moves, 1);
	}
	add(&alive, -1);
}

/* Threads come and go, attached for a moment. */
static void *comer(void *arg)
{
	while (!get(&end)) {
		EXPECT(!bw_thread_attach());
		bw_go(mover_end, NULL);
		bw_thread_detach();
	}
	return NULL;
}

static void short_lived_thread(void *arg)
{
	/* ends with the thread */
	bw_lock_thread();
	add(&moves, 1);
}

static void thread_maker(void *arg)
{
	while (!get(&end)) {
		bw_go(short_lived_thread, NULL);
		bw_yield();
	}
	add(&alive, -1);
}

static void *thread_storm(void *arg)
{
	pthread_t t;

	while (!get(&end)) {
		EXPECT(!pthread_create(&t, NULL, (void *(*)(void *))arg, NULL));
		pthread_join(t, NULL);
	}
	return NULL;
}

static void *attach_once(void *arg)
{
	EXPECT(!bw_thread_attach());
	bw_thread_detach();
	return NULL;
}

static int storm(void *arg)
{
	struct countdown c;
	pthread_t t[2];
	int i;

	end = 0;
	stops = 0;
	alive = NR + 1;
	EXPECT(!pipe(fd));
	countdown_init(&c, 4);
	for (i = 0; i < NR; i++)
		bw_go(mover, NULL);
	bw_go(thread_maker, NULL);
	EXPECT(!pthread_create(&t[0], NULL, comer, NULL));
	EXPECT(!pthread_create(&t[1], NULL, thread_storm, attach_once));
	for (i = 0; i < 4; i++)
		bw_go(stopper, &c);
	countdown_wait(&c);
	__atomic_store_n(&end, 1, __ATOMIC_SEQ_CST);
	wait_alive(0);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	EXPECT(stops == 4 * (RIG_SLOW ? 60 : 300));
	EXPECT(get(&moves) > 0);
	close(fd[0]);
	close(fd[1]);
	return 0;
}

static void stops_compete_while_Gs_and_threads_come_and_go(void)
{
	run_it(storm);
}

/* Each G of a cycle is scanned once, and before it runs. */
#define WAITERS	200

static struct waiter {
	struct bw_g *g;
	long scanned;
	long ran_unscanned;
	long here;
} waiters[WAITERS];
static long cycle_on;	/* its number, or 0 */

__attribute__((no_sanitize_address, no_sanitize_thread))
static void note_scan(const char *low, const char *end, void *arg)
{
	int i;

	for (i = 0; i < WAITERS; i++)
		if (low <= (char *)waiters[i].here &&
		    (char *)waiters[i].here < end)
			add(&waiters[i].scanned, 1);
}

static void waiter(void *arg)
{
	struct waiter *w = arg;
	long on;

	w->g = bw_self();
	__atomic_store_n(&w->here, (long)__builtin_frame_address(0),
			 __ATOMIC_SEQ_CST);
	add(&alive, 1);
	while (!get(&end)) {
		bw_park();
		on = get(&cycle_on);
		/* of this cycle, and not when the next one is being set up */
		if (on && !get(&w->scanned) && get(&cycle_on) == on)
			add(&w->ran_unscanned, 1);
	}
	add(&alive, -1);
}

static void scanner(void *arg)
{
	bw_scan_all();
	countdown_done(arg);
}

static void scan_cycle(int lap)
{
	struct countdown c;
	int i;

	for (i = 0; i < WAITERS; i++)
		__atomic_store_n(&waiters[i].scanned, 0, __ATOMIC_SEQ_CST);
	bw_world_stop("scan");
	bw_world_each_thread(note_scan, NULL);
	bw_scan_begin(note_scan, NULL);
	__atomic_store_n(&cycle_on, lap + 1, __ATOMIC_SEQ_CST);
	bw_world_start();
	countdown_init(&c, 2);
	bw_go(scanner, &c);
	for (i = 0; i < WAITERS; i += 1 + lap % 3)
		bw_ready(waiters[i].g);
	bw_go(scanner, &c);
	countdown_wait(&c);
	bw_world_stop("scan ends");
	bw_scan_all();
	__atomic_store_n(&cycle_on, 0, __ATOMIC_SEQ_CST);
	bw_scan_end();
	bw_world_start();
	for (i = 0; i < WAITERS; i++) {
		EXPECT(get(&waiters[i].scanned) == 1);
		EXPECT(!get(&waiters[i].ran_unscanned));
	}
}

static int scans(void *arg)
{
	int i, lap;

	end = 0;
	for (i = 0; i < WAITERS; i++)
		bw_go(waiter, &waiters[i]);
	wait_alive(WAITERS);
	/* more than there are numbers of cycles */
	for (lap = 0; lap < (RIG_SLOW ? 70 : 150); lap++)
		scan_cycle(lap);
	__atomic_store_n(&end, 1, __ATOMIC_SEQ_CST);
	while (get(&alive)) {
		for (i = 0; i < WAITERS; i++)
			bw_ready(waiters[i].g);
		bw_yield();
	}
	return 0;
}

static void each_G_is_scanned_once_a_cycle_and_before_it_runs(void)
{
	run_it(scans);
}

int main(void)
{
	setenv("BURROW_PROCS", "5", 0);
	TEST(loops_blocked_sections_and_attached_threads_are_stopped);
	TEST(what_each_stack_and_register_has_is_found);
	TEST(stops_compete_while_Gs_and_threads_come_and_go);
	TEST(each_G_is_scanned_once_a_cycle_and_before_it_runs);
	return tap_end();
}
