// SPDX-License-Identifier: MIT
/* map_bench: burrow's maps (map_bench.h). */
#include "burrow.h"
#include "map_bench.h"

static const struct bw_map_type words = BW_MAP(BW_U64, BW_U64);
static const struct bw_map_type texts = BW_MAP(BW_STRING, BW_U64);

static size_t nr;
static uint64_t sum;

static size_t count(const struct bw_map *m)
{
	struct bw_map_iter it;
	size_t n = 0;

	bw_map_each(it, m) {
		sum += *(uint64_t *)it.value;
		n++;
	}
	return n;
}

static void check(size_t n, size_t want)
{
	if (n == want)
		return;
	fprintf(stderr, "%zu in place of %zu\n", n, want);
	exit(1);
}

/**
 * struct keys - of a run: words, or strings
 */
struct keys {
	const uint64_t *word;
	const struct text *text;
};

static struct bw_string str(const struct text *t)
{
	return (struct bw_string){ t->ptr, t->len };
}

static size_t insert(struct bw_map *m, const struct keys *k)
{
	size_t i;

	for (i = 0; k->word && i < nr; i++)
		*(uint64_t *)bw_map_at_u64(m, k->word[i], NULL) = i;
	for (i = 0; k->text && i < nr; i++)
		*(uint64_t *)bw_map_at_string(m, str(&k->text[i]), NULL) = i;
	return bw_map_len(m);
}

static size_t find(struct bw_map *m, const struct keys *k)
{
	size_t got = 0, i;

	for (i = 0; k->word && i < nr; i++)
		got += !!bw_map_get_u64(m, k->word[i]);
	for (i = 0; k->text && i < nr; i++)
		got += !!bw_map_get_string(m, str(&k->text[i]));
	return got;
}

static size_t iterate(struct bw_map *m, const struct keys *k)
{
	return count(m);
}

static size_t remove_all(struct bw_map *m, const struct keys *k)
{
	size_t got = 0, i;

	for (i = 0; k->word && i < nr; i++)
		got += bw_map_del_u64(m, k->word[i]);
	for (i = 0; k->text && i < nr; i++)
		got += bw_map_del_string(m, str(&k->text[i]));
	return got;
}

static struct keys keys_make(bool words_or_texts, size_t first, int order)
{
	const uint64_t *word = words_of(nr, first, order);

	return words_or_texts ? (struct keys){ word, NULL } :
				(struct keys){ NULL, texts_of(word, nr) };
}

static void run_steps(bool is_words, double *ns)
{
	static size_t (*const step[NR_STEPS])(struct bw_map *m,
					      const struct keys *k) = {
		insert, find, find, iterate, remove_all,
	};
	struct keys in = keys_make(is_words, 0, 0);
	struct keys look = keys_make(is_words, 0, 1);
	struct keys other = keys_make(is_words, nr, 0);
	const struct keys *of[NR_STEPS] = { &in, &look, &other, NULL, &look };
	size_t r, i;

	for (r = 0; r < rounds_of(nr); r++) {
		struct bw_map *m = bw_map_make(is_words ? &words : &texts, 0);

		for (i = 0; i < NR_STEPS; i++) {
			double t = cpu_ns();
			size_t got = step[i](m, of[i]);

			ns[i] += cpu_ns() - t;
			check(got, i == MISS ? 0 : nr);
		}
	}
}

BW_SLICE(uint64_t, appended);

/* Words, one by one, to an empty slice. */
static double append_ns(void)
{
	struct appended s = { 0 };
	double t = cpu_ns();
	size_t i;

	for (i = 0; i < nr; i++)
		bw_append(&s, i);
	t = cpu_ns() - t;
	check(s.len, nr);
	return t / (double)nr;
}

static void worst_by(clockid_t id, const char *what, const uint64_t *in,
		     struct bw_map *m)
{
	struct slowest slowest = { { 0 } };
	double was = clock_ns(id), now;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (m)
			*(uint64_t *)bw_map_at_u64(m, in[i], NULL) = i;
		else
			sum += in[i];
		now = clock_ns(id);
		slowest_add(&slowest, now - was);
		was = now;
	}
	slowest_tell(&slowest, what, nr);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * What others do to the thread hits few of many: the median of the inserts that split a
 * table, and the last that doubled the directory, are what the map itself takes.
 */
static void work(const uint64_t *in)
{
	double *ns = need(malloc(nr * sizeof(*ns))), was, now, twice = 0;
	struct bw_map *m = bw_map_make(&words, 0);
	struct bw_map_table **dir, *t;
	size_t i, splits = 0;
	uint64_t h;

	for (i = 0; i < nr; i++) {
		h = bw_hash_u64(&m->hash, in[i]);
		t = bw_map_table_at(m, h);
		dir = m->dir;
		was = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		*(uint64_t *)bw_map_at_u64(m, in[i], NULL) = i;
		now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		if (dir != m->dir)
			twice = now - was;
		else if (t != bw_map_table_at(m, h))
			ns[splits++] = now - was;
	}
	qsort(ns, splits, sizeof(*ns), by_size);
	if (splits)
		printf("split %.0f\nsplit-of-100 %.0f\n", ns[splits / 2],
		       ns[splits - 1 - splits / 100]);
	printf("double %.0f\n", twice);
	free(ns);
}

static void worst(void)
{
	uint64_t *in = words_of(nr, 0, 0);

	worst_by(CLOCK_MONOTONIC, "clock", in, bw_map_make(&words, 0));
	worst_by(CLOCK_MONOTONIC, "clock-floor", in, NULL);
	worst_by(CLOCK_THREAD_CPUTIME_ID, "cpu", in, bw_map_make(&words, 0));
	worst_by(CLOCK_THREAD_CPUTIME_ID, "cpu-floor", in, NULL);
	work(in);
}

static int run(void *arg)
{
	double ns[NR_STEPS] = { 0 };
	const char *what = arg;

	if (!strcmp(what, "worst")) {
		worst();
		return 0;
	}
	if (!strcmp(what, "append")) {
		append_ns();
		printf("append %.2f\n", append_ns());
		return 0;
	}
	run_steps(!strcmp(what, "u64"), ns);
	tell(ns, nr);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	nr = strtoul(argv[2], NULL, 0);
	if (!nr)
		return 2;
	setenv("BURROW_PROCS", "1", 0);
	/* marking is not to stop the program: all it stores is stored by the map */
	bw_barriers_used();
	return bw_run(run, argv[1]);
}
