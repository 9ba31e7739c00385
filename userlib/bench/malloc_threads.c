// SPDX-License-Identifier: MIT
/* malloc_threads: the rows of malloc_bench that have threads. */
#include <pthread.h>
#include <stdlib.h>

#include "malloc_bench.h"

#define THREADS		2
#define BATCH		128

/* A batch on its way from one thread to another. */
struct batch {
	struct batch *next;
	void *block[BATCH];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static pthread_cond_t less = PTHREAD_COND_INITIALIZER;
static struct batch *queue;
static unsigned int queued;
static size_t block_size;

static void push(struct batch *b)
{
	pthread_mutex_lock(&lock);
	while (queued == 64)
		pthread_cond_wait(&less, &lock);
	b->next = queue;
	queue = b;
	queued++;
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

static struct batch *pull(void)
{
	struct batch *b;

	pthread_mutex_lock(&lock);
	while (!queue)
		pthread_cond_wait(&more, &lock);
	b = queue;
	queue = b->next;
	queued--;
	pthread_cond_signal(&less);
	pthread_mutex_unlock(&lock);
	return b;
}

static struct batch *batch_make(size_t n, uint64_t *state)
{
	struct batch *b = malloc(sizeof(*b));
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		b->block[i] = malloc(state ? 16 + bench_random(state) % n : n);
		*(char *)b->block[i] = 1;
	}
	return b;
}

static void batch_free(struct batch *b)
{
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		free(b->block[i]);
	free(b);
}

#define HANDOVERS	20000UL

static void *consumer(void *arg)
{
	unsigned long i;

	for (i = 0; i < HANDOVERS; i++)
		batch_free(pull());
	return arg;
}

unsigned long bench_handover(size_t n)
{
	pthread_t thread;
	unsigned long i;

	pthread_create(&thread, NULL, consumer, NULL);
	for (i = 0; i < HANDOVERS; i++)
		push(batch_make(n, NULL));
	pthread_join(thread, NULL);
	return HANDOVERS * BATCH;
}

#define LARSON_SLOTS	1000
#define LARSON_STEPS	100000UL
#define LARSON_LIVES	10

/* What a thread leaves to the one after it. */
struct estate {
	void *block[LARSON_SLOTS];
	uint64_t state;
};

static void *server(void *arg)
{
	struct estate *e = arg;
	unsigned long i;

	for (i = 0; i < LARSON_STEPS; i++) {
		uint64_t r = bench_random(&e->state);
		unsigned int k = (unsigned int)(r % LARSON_SLOTS);

		free(e->block[k]);
		e->block[k] = malloc(10 + (r >> 32) % block_size);
		*(char *)e->block[k] = 1;
	}
	return NULL;
}

unsigned long bench_larson(size_t n)
{
	static struct estate estate[THREADS];
	pthread_t thread[THREADS];
	unsigned int life, i, k;

	block_size = n;
	for (life = 0; life < LARSON_LIVES; life++) {
		for (i = 0; i < THREADS; i++) {
			estate[i].state = i + 1 + life;
			pthread_create(&thread[i], NULL, server,
				       &estate[(i + life) % THREADS]);
		}
		for (i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
	}
	for (i = 0; i < THREADS; i++)
		for (k = 0; k < LARSON_SLOTS; k++)
			free(estate[i].block[k]);
	return LARSON_STEPS * LARSON_LIVES * THREADS;
}

#define XMALLOCS	10000UL

static void *trader(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	unsigned long i;

	for (i = 0; i < XMALLOCS; i++) {
		push(batch_make(block_size, &state));
		batch_free(pull());
	}
	return NULL;
}

unsigned long bench_xmalloc(size_t n)
{
	pthread_t thread[THREADS];
	unsigned int i;

	block_size = n;
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, trader,
			       (void *)(uintptr_t)(i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return XMALLOCS * THREADS * BATCH;
}
