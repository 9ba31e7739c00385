// SPDX-License-Identifier: MIT
/* Where a pointer keeps its object: stacks, registers, data, what was registered. */
#include <sys/mman.h>

#include "gc_rig.h"

static void *volatile in_data;
static __thread void *volatile in_tls;
static u64 secrets[8];

/* No neighbour is kept in its place, whose end is its start. */
static u64 alone(void)
{
	u64 secret;

	secret_of(32);
	secret = secret_of(32);
	secret_of(32);
	return secret;
}

static __attribute__((noinline)) void spread(u64 **on_stack)
{
	u64 **heap, *registered = NULL;

	secrets[0] = alone();
	in_data = (void *)(uintptr_t)~secrets[0];
	secrets[1] = alone();
	in_tls = (void *)(uintptr_t)~secrets[1];
	secrets[2] = alone();
	*on_stack = (u64 *)(uintptr_t)~secrets[2];
	heap = bw_alloc(64);
	secrets[3] = alone();
	heap[3] = (u64 *)(uintptr_t)~secrets[3];
	on_stack[1] = (u64 *)heap;
	secrets[4] = alone();
	EXPECT(!bw_pin((void *)(uintptr_t)~secrets[4]));
	secrets[5] = alone();
	registered = (u64 *)(uintptr_t)~secrets[5];
	heap = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	heap[7] = registered;
	EXPECT(!bw_root_add(heap, 4096));
	EXPECT(bw_root_add(heap, 4096) == -EEXIST);
	EXPECT(bw_root_add((char *)heap + 1, 4096) == -EINVAL);
	secrets[7] = hide(heap);
}

static __attribute__((noinline)) void unspread(u64 **on_stack)
{
	void *range = (void *)(uintptr_t)~secrets[7];

	in_data = NULL;
	in_tls = NULL;
	on_stack[0] = NULL;
	on_stack[1] = NULL;
	bw_unpin((void *)(uintptr_t)~secrets[4]);
	bw_root_del(range);
	munmap(range, 4096);
}

static int each_kind(void *arg)
{
	u64 *volatile on_stack[2];
	bool went[6] = { false };
	u32 i, round;

	bw_lock_thread();
	for (round = 0; round < 10; round++) {
		spread((u64 **)on_stack);
		for (i = 0; i < 2; i++)
			collect();
		for (i = 0; i < 6; i++)
			if (!EXPECT(is_there(secrets[i])))
				printf("# root %u\n", i);
		unspread((u64 **)on_stack);
		collect();
		for (i = 0; i < 6; i++)
			went[i] |= !is_there(secrets[i]);
	}
	/* now and then a stale word keeps one, but not each time */
	for (i = 0; i < 6; i++)
		if (!EXPECT(went[i]))
			printf("# root %u\n", i);
	bw_unlock_thread();
	return 0;
}

static void each_kind_of_root_keeps_what_it_points_to(void)
{
	in_run(each_kind);
}

static u64 parked_secret;
static struct bw_g *parked;
static u32 ready;

static void parks(void *arg)
{
	u64 *volatile p = bw_alloc(100);

	*p = 0x600d;
	parked_secret = hide(p);
	parked = bw_self();
	/* pairs with parked_main() */
	smp_store_release(&ready, 1U);
	bw_park();
	EXPECT(*p == 0x600d);
	WRITE_ONCE(ready, 2);
}

static int parked_main(void *arg)
{
	u32 i;

	ready = 0;
	bw_go(parks, NULL);
	/* pairs with parks() */
	while (smp_load_acquire(&ready) != 1)
		bw_yield();
	for (i = 0; i < 3; i++)
		collect();
	EXPECT(is_there(parked_secret));
	bw_ready(parked);
	while (READ_ONCE(ready) != 2)
		bw_yield();
	return 0;
}

static void a_stack_that_waits_keeps_what_is_on_it(void)
{
	in_run(parked_main);
}

static u64 thread_secret[2], tls_secret[2];

static void *holder(void *arg)
{
	bool attached = arg;
	u64 *volatile p;

	if (attached)
		EXPECT(!bw_thread_attach());
	p = bw_alloc(100);
	*p = 0x600d;
	thread_secret[attached] = hide(p);
	in_tls = bw_alloc(100);
	tls_secret[attached] = hide(in_tls);
	/* pairs with threads_main() */
	__atomic_add_fetch(&ready, 1, __ATOMIC_RELEASE);
	while (READ_ONCE(ready) != 100)
		usleep(100);
	EXPECT(*p == 0x600d);
	if (attached)
		bw_thread_detach();
	return NULL;
}

static int threads_main(void *arg)
{
	pthread_t t[2];
	u32 i;

	WRITE_ONCE(ready, 0);
	for (i = 0; i < 2; i++)
		EXPECT(!pthread_create(&t[i], NULL, holder,
				       (void *)(uintptr_t)i));
	/* pairs with holder() */
	while (smp_load_acquire(&ready) != 2)
		bw_yield();
	for (i = 0; i < 3; i++)
		collect();
	EXPECT(is_there(thread_secret[0]) && is_there(thread_secret[1]));
	EXPECT(is_there(tls_secret[0]) && is_there(tls_secret[1]));
	WRITE_ONCE(ready, 100);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static void threads_keep_what_they_hold_attached_or_not(void)
{
	in_run(threads_main);
}

static int main_keeps(void *arg)
{
	u64 *p = arg;
	u32 i;

	for (i = 0; i < 3; i++)
		collect();
	EXPECT(*p == 0x600d);
	return 0;
}

static __attribute__((noinline)) u64 in_own_tls(void)
{
	u64 secret = secret_of(48);

	in_tls = (void *)(uintptr_t)~secret;
	return secret;
}

static void the_caller_of_a_run_keeps_what_it_holds(void)
{
	u64 *volatile p = bw_alloc(64), *volatile q = bw_alloc(64);
	u64 secret = hide(q), other = in_own_tls();

	*p = 0x600d;
	wipe();
	EXPECT(!bw_run(main_keeps, (void *)p));
	EXPECT(is_there(secret) && *p == 0x600d);
	EXPECT(is_there(other));
	in_tls = NULL;
	/* and without a run */
	bw_gc();
	EXPECT(is_there(secret) && *p == 0x600d);
}

/* The pointer is in a register that calls keep, and nowhere else. */
static __attribute__((noinline)) bool in_register(void)
{
	u64 secret = secret_of(48);
	bool there;
#if defined(__x86_64__)
	register u64 p __asm__("r15") = ~secret;

	wipe();
	__asm__ volatile("" : "+r" (p));
	bw_gc();
	__asm__ volatile("" : "+r" (p));
	there = is_there(secret) && *(u64 *)(uintptr_t)p == 0x600d;
#else
	there = true;
#endif
	return there;
}

static u32 spinning;

/* In a vector register, while nothing is called. */
static void in_vector(void *arg)
{
	u64 secret = secret_of(48), p;

	wipe();
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	p = ~secret;
	__asm__ volatile("movq %0, %%xmm7\n\txorl %k0, %k0"
			 : "+r" (p) : : "xmm7");
	WRITE_ONCE(spinning, 1);
	__asm__ volatile("1: movl %1, %%eax\n\tcmpl $2, %%eax\n\tjne 1b\n\t"
			 "movq %%xmm7, %0"
			 : "=r" (p) : "m" (spinning) : "eax", "xmm7", "memory");
	EXPECT(is_there(secret) && p == ~secret);
#else
	p = secret;
	WRITE_ONCE(spinning, 1);
	EXPECT(p == secret);
#endif
	WRITE_ONCE(spinning, 3);
}

/* Below the stack pointer, where a function that calls nothing may have it. */
static void in_red_zone(void *arg)
{
	u64 secret = secret_of(48), p;

	wipe();
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	p = secret;
	/* calls may have left it in any of these */
	__asm__ volatile("xorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\t"
			 "xorl %%esi, %%esi\n\txorl %%edi, %%edi\n\t"
			 "xorl %%r8d, %%r8d\n\txorl %%r9d, %%r9d\n\t"
			 "xorl %%r10d, %%r10d\n\txorl %%r11d, %%r11d\n\t"
			 "notq %0\n\tmovq %0, -64(%%rsp)\n\txorl %k0, %k0\n\t"
			 "movl $1, %1\n\t"
			 "1: movl %1, %%eax\n\tcmpl $2, %%eax\n\tjne 1b\n\t"
			 "movq -64(%%rsp), %0\n\tmovq $0, -64(%%rsp)"
			 : "+r" (p), "+m" (spinning)
			 : : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9",
			     "r10", "r11", "cc", "memory");
	EXPECT(is_there(secret) && p == ~secret);
#else
	p = secret;
	WRITE_ONCE(spinning, 1);
	EXPECT(p == secret);
#endif
	WRITE_ONCE(spinning, 3);
}

/* Cycles while @fn runs in another thread and calls nothing. */
static void beside(void (*fn)(void *arg))
{
	u32 i;

	if (bw_procs(0) < 2)
		bw_procs(2);
	WRITE_ONCE(spinning, 0);
	bw_go(fn, NULL);
	while (!READ_ONCE(spinning))
		bw_yield();
	for (i = 0; i < 3; i++)
		bw_gc();
	if (READ_ONCE(spinning) == 1)
		WRITE_ONCE(spinning, 2);
	while (READ_ONCE(spinning) != 3)
		bw_yield();
}

static int registers_main(void *arg)
{
	u32 i;

	for (i = 0; i < 5; i++)
		EXPECT(in_register());
	for (i = 0; i < 3; i++)
		beside(in_vector);
	return 0;
}

static int red_zone_main(void *arg)
{
	u32 i;

	for (i = 0; i < 5; i++)
		beside(in_red_zone);
	return 0;
}

static void a_pointer_in_a_stopped_threads_red_zone_keeps_its_object(void)
{
	in_run(red_zone_main);
}

static void a_pointer_in_a_register_alone_keeps_its_object(void)
{
	in_run(registers_main);
}

static void all(void)
{
	TEST(each_kind_of_root_keeps_what_it_points_to);
	TEST(a_stack_that_waits_keeps_what_is_on_it);
	TEST(threads_keep_what_they_hold_attached_or_not);
	TEST(the_caller_of_a_run_keeps_what_it_holds);
	TEST(a_pointer_in_a_stopped_threads_red_zone_keeps_its_object);
	TEST(a_pointer_in_a_register_alone_keeps_its_object);
	TEST(the_heap_is_whole_in_the_end);
}

int main(void)
{
	return gc_tests_twice(all);
}
