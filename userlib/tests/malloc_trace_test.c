// SPDX-License-Identifier: MIT
/* Random traces against a shadow model: who has a block finds what he wrote. */
#include "malloc_rig.h"

#define SLOTS		400
#define STEPS		20000
#define MOST		(600U << 10)

struct slot {
	unsigned char *p;
	size_t n;
	unsigned char value;
};

struct trace {
	struct slot slot[SLOTS];
	uint64_t state;
	bool good;
};

static bool slot_holds(const struct slot *s)
{
	return !s->p || mrig_holds(s->p, s->n, s->value);
}

static void slot_free(struct slot *s)
{
	bw_mem_free(s->p);
	s->p = NULL;
}

static void slot_alloc(struct slot *s, uint64_t *state)
{
	uint64_t r = mrig_random(state);

	s->n = mrig_size(state, MOST);
	s->value = (unsigned char)r;
	switch (r >> 8 & 7) {
	case 0:
		s->p = bw_mem_calloc(1, s->n);
		if (!mrig_holds(s->p, s->n, 0))
			s->value++;
		break;
	case 1:
		s->p = bw_mem_memalign(16UL << (r >> 16) % 11, s->n);
		break;
	default:
		s->p = bw_mem_malloc(s->n);
	}
	if (s->p)
		memset(s->p, (unsigned char)r, s->n);
}

static bool slot_realloc(struct slot *s, uint64_t *state)
{
	size_t n = mrig_size(state, MOST), keep = n < s->n ? n : s->n;
	unsigned char *p = bw_mem_realloc(s->p, n);

	if (!p || !mrig_holds(p, keep, s->value))
		return false;
	s->p = p;
	s->n = n;
	memset(p, s->value, n);
	return true;
}

static void trace_run(struct trace *t, unsigned int steps)
{
	while (steps--) {
		struct slot *s = &t->slot[mrig_random(&t->state) % SLOTS];

		t->good &= slot_holds(s);
		if (!s->p)
			slot_alloc(s, &t->state);
		else if (mrig_random(&t->state) % 3)
			slot_free(s);
		else
			t->good &= slot_realloc(s, &t->state);
	}
}

static void trace_end(struct trace *t)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		t->good &= slot_holds(&t->slot[i]);
		slot_free(&t->slot[i]);
	}
}

static void one_thread_finds_what_it_wrote(void)
{
	static struct trace t = { .good = true };
	unsigned int i;

	t.state = tap_seed(1);
	for (i = 0; i < 10; i++) {
		trace_run(&t, STEPS / 10);
		EXPECT(mrig_is_good());
	}
	trace_end(&t);
	EXPECT(t.good);
	EXPECT(mrig_heap_is_good());
}

#define THREADS	4

/* A bag through which threads hand each other blocks. */
static struct trace bag[THREADS];
static pthread_mutex_t bag_lock[THREADS];

static void *wander(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	unsigned int i;

	for (i = 0; i < 40; i++) {
		unsigned int k = (unsigned int)(mrig_random(&state) % THREADS);

		pthread_mutex_lock(&bag_lock[k]);
		trace_run(&bag[k], STEPS / 200);
		pthread_mutex_unlock(&bag_lock[k]);
	}
	return NULL;
}

static void threads_free_what_others_allocated(void)
{
	pthread_t thread[THREADS];
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		bag[i].state = i + 1;
		bag[i].good = true;
		pthread_mutex_init(&bag_lock[i], NULL);
	}
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, wander,
			       (void *)(uintptr_t)(i + 77));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < THREADS; i++) {
		trace_end(&bag[i]);
		EXPECT(bag[i].good);
	}
	EXPECT(mrig_heap_is_good());
}

static int ferry[2];

/* Pointers go through a pipe: one allocates, the other frees. */
static void *freer(void *arg)
{
	bool *good = arg;
	unsigned char *p;

	while (read(ferry[0], &p, sizeof(p)) == sizeof(p)) {
		*good &= mrig_holds(p, 100, (unsigned char)(uintptr_t)p);
		bw_mem_free(p);
	}
	return NULL;
}

static size_t in_use(void)
{
	return bw_mem_mallinfo2().uordblks;
}

static void a_producer_does_not_grow_while_its_consumer_frees(void)
{
	bool good = true;
	pthread_t thread;
	size_t before;
	/* growing, it would have taken more than twice what it may */
	int i, nr = mrig_is_guest() ? 40000 : 60000;

	EXPECT(!pipe(ferry));
	before = in_use();
	pthread_create(&thread, NULL, freer, &good);
	for (i = 0; i < nr; i++) {
		unsigned char *p = bw_mem_malloc(100);

		memset(p, (unsigned char)(uintptr_t)p, 100);
		EXPECT(write(ferry[1], &p, sizeof(p)) == sizeof(p));
	}
	close(ferry[1]);
	pthread_join(thread, NULL);
	close(ferry[0]);
	EXPECT(good);
	EXPECT(in_use() < before + (2 << 20));
	EXPECT(mrig_heap_is_good());
}

static void *come_and_go(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	void *p[64];
	int i, k;

	for (k = 0; k < 4; k++) {
		for (i = 0; i < 64; i++)
			p[i] = bw_mem_malloc(mrig_size(&state, 20000));
		for (i = 0; i < 64; i++)
			bw_mem_free(p[i]);
	}
	return NULL;
}

static void threads(unsigned int nr)
{
	pthread_t thread[8];
	unsigned int i, k;

	for (i = 0; i < nr; i += 8) {
		for (k = 0; k < 8; k++)
			pthread_create(&thread[k], NULL, come_and_go,
				       (void *)(uintptr_t)(i + k + 1));
		for (k = 0; k < 8; k++)
			pthread_join(thread[k], NULL);
	}
}

/* What a thread has at hand would be lost 200 times. */
static void threads_that_end_leave_nothing_behind(void)
{
	size_t before;

	threads(16);
	bw_mem_trim(0);
	before = in_use();
	threads(200);
	bw_mem_trim(0);
	EXPECT(in_use() < before + (256 << 10));
	if (in_use() >= before + (256 << 10))
		printf("# %zu KiB\n", (in_use() - before) >> 10);
	EXPECT(mrig_heap_is_good());
}

static pthread_key_t late_key;

/* Runs in each round of destructors, to the last. */
static void late(void *arg)
{
	void *p[100];
	int i;

	for (i = 0; i < 100; i++)
		p[i] = bw_mem_malloc(64);
	for (i = 0; i < 100; i++)
		bw_mem_free(p[i]);
	bw_mem_free(arg);
	pthread_setspecific(late_key, bw_mem_malloc(48));
}

static void *late_thread(void *arg)
{
	pthread_setspecific(late_key, bw_mem_malloc(48));
	return arg;
}

static void destructors_of_other_keys_may_allocate_and_free(void)
{
	pthread_t thread;
	size_t before;
	int i;

	pthread_key_create(&late_key, late);
	bw_mem_trim(0);
	before = in_use();
	for (i = 0; i < 50; i++) {
		pthread_create(&thread, NULL, late_thread, NULL);
		pthread_join(thread, NULL);
	}
	bw_mem_trim(0);
	/* the last block of each thread is nobody's, as with any malloc */
	EXPECT(in_use() < before + 50 * 48 + (64 << 10));
	EXPECT(mrig_heap_is_good());
}

int main(void)
{
	TEST(one_thread_finds_what_it_wrote);
	TEST(threads_free_what_others_allocated);
	TEST(a_producer_does_not_grow_while_its_consumer_frees);
	TEST(threads_that_end_leave_nothing_behind);
	TEST(destructors_of_other_keys_may_allocate_and_free);
	return tap_end();
}
