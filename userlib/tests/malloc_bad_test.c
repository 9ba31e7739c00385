// SPDX-License-Identifier: MIT
/*
 * What is said when a program does what it must not, or memory runs out. Each row
 * runs this program again, with its number as the argument.
 */
#include <sys/resource.h>

#include "malloc_rig.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool is_sanitized = true;
#else
static const bool is_sanitized;
#endif

/* A compiler that knows free() is not to see these. */
static void *volatile keep;

/* With others at hand and room for more: nothing of it goes the slow way. */
static void free_twice_in_a_row(void)
{
	void *p[40];
	int i;

	for (i = 0; i < 40; i++)
		p[i] = bw_mem_malloc(100);
	for (i = 0; i < 10; i++)
		bw_mem_free(p[i]);
	keep = bw_mem_malloc(100);
	bw_mem_free(keep);
	bw_mem_free(keep);
}

static void free_twice_with_others_between(void)
{
	void *p[3000], *again = bw_mem_malloc(100);
	unsigned int i;

	for (i = 0; i < 3000; i++)
		p[i] = bw_mem_malloc(100);
	bw_mem_free(again);
	for (i = 0; i < 3000; i++)
		bw_mem_free(p[i]);
	bw_mem_free(again);
	bw_mem_trim(0);
}

static void free_inside(void)
{
	char *p = bw_mem_malloc(100);

	keep = p + 16;
	bw_mem_free(keep);
	bw_mem_trim(0);
}

static void free_large_twice(void)
{
	keep = bw_mem_malloc(1 << 20);
	bw_mem_free(keep);
	bw_mem_free(keep);
}

static void free_inside_large(void)
{
	char *p = bw_mem_malloc(1 << 20);

	keep = p + 8192;
	bw_mem_free(keep);
}

static void free_what_is_not_ours(void)
{
	int here;

	keep = &here;
	bw_mem_free(keep);
}

static void realloc_what_is_not_ours(void)
{
	int here;

	keep = &here;
	keep = bw_mem_realloc(keep, 10);
}

static void write_after_free(void)
{
	char *p = bw_mem_malloc(100);

	bw_mem_free(p);
	keep = p;
	((char *)keep)[70] = 1;
	keep = bw_mem_malloc(100);
}

static const struct row {
	const char *name;
	void (*fn)(void);
	const char *burrow;
	const char *says;
} rows[] = {
	{ "a double free in a row is fatal", free_twice_in_a_row, "",
	  "it was freed before" },
	{ "a double free is found when it goes back to its span",
	  free_twice_with_others_between, "", "it was freed before" },
	{ "a double free is found at once with verify=1",
	  free_twice_with_others_between, "verify=1", "it was freed before" },
	{ "a free inside of a block is found when it goes back", free_inside,
	  "", "no block begins there: byte 16 of slot" },
	{ "a free inside of a block is found at once with verify=1",
	  free_inside, "verify=1", "no block begins there: byte 16" },
	{ "a write to what was freed is found with clobberfree=1",
	  write_after_free, "clobberfree=1", "byte 70 of the block of" },
	{ "a double free of a large block is fatal", free_large_twice, "",
	  "it was freed before, or no block begins there" },
	{ "a free inside of a large block is fatal", free_inside_large, "",
	  "no block begins there" },
	{ "a free of what is not of the heap is fatal", free_what_is_not_ours,
	  "", "no block begins there" },
	{ "a realloc of what is not of the heap is fatal",
	  realloc_what_is_not_ours, "", "no block begins there" },
};

#define NR_ROWS	(sizeof(rows) / sizeof(*rows))

static const struct row *row;

static void is_fatal(void)
{
	char said[1024], arg[16];
	int status;

	snprintf(arg, sizeof(arg), "%zu", (size_t)(row - rows));
	status = mrig_again(arg, row->burrow, said, sizeof(said));
	if (!EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) ||
	    !EXPECT(strstr(said, "burrow: fatal: ")) ||
	    !EXPECT(strstr(said, row->says)))
		printf("# status %x, said: %s\n", (unsigned int)status, said);
}

/* What is freed is filled, what is a block is not touched. */
static int clobbered(void)
{
	unsigned char *p = bw_mem_malloc(100), *other = bw_mem_malloc(100);

	keep = p;
	mrig_fill(p, 100, 1);
	mrig_fill(other, 100, 2);
	bw_mem_free(p);
	p = keep;
	return !mrig_holds(p, 100, 0xdf) || !mrig_holds(other, 100, 2);
}

/* Until there is none; a linked list of them, and how many. */
static size_t take_all(size_t n, void **list)
{
	size_t nr = 0;
	void *p;

	for (errno = 0; (p = bw_mem_malloc(n)); nr++) {
		*(void **)p = *list;
		*list = p;
	}
	return errno == ENOMEM ? nr : 0;
}

static void give_all(void *list)
{
	while (list) {
		void *next = *(void **)list;

		bw_mem_free(list);
		list = next;
	}
}

static bool fills_and_empties(size_t n, size_t at_least)
{
	void *list = NULL;
	size_t nr = take_all(n, &list);

	if (nr * n < at_least)
		fprintf(stderr, "%zu of %zu bytes\n", nr, n);
	give_all(list);
	return nr * n >= at_least;
}

/* Three times, each size: what was freed is there for the next. */
static int out_of_memory(size_t at_least)
{
	static const size_t sizes[] = { 64, 1000, 30000, 100000, 2 << 20 };
	unsigned int i, k;

	for (k = 0; k < 3; k++)
		for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
			if (!fills_and_empties(sizes[i], at_least))
				return 1;
	return !mrig_heap_is_good();
}

/* Less than what is kept while the heap grows, but all that is left. */
static int last_resort(void)
{
	void *list = NULL, *block;
	int i;

	take_all(16384, &list);
	for (i = 0; i < 300; i++) {
		void *next = *(void **)list;

		bw_mem_free(list);
		list = next;
	}
	block = bw_mem_malloc(1 << 20);
	bw_mem_free(block);
	give_all(list);
	return !block;
}

static void runs_well(const char *arg, const char *burrow)
{
	char said[1024];
	int status = mrig_again(arg, burrow, said, sizeof(said));

	if (!EXPECT(mrig_ended_well(status)))
		printf("# status %x, said: %s\n", (unsigned int)status, said);
}

static void a_full_window_is_NULL_and_ENOMEM_and_works_on(void)
{
	runs_well("window", "window=64M");
}

static void clobberfree_fills_what_is_freed(void)
{
	runs_well("clobber", "clobberfree=1");
}

static void what_is_kept_for_others_is_the_last_resort(void)
{
	runs_well("resort", "window=64M");
}

static void an_address_space_limit_is_NULL_and_ENOMEM_and_works_on(void)
{
	struct rlimit old, lim;

	if (is_sanitized) {
		tap_skip("a sanitizer needs address space of its own");
		return;
	}
	getrlimit(RLIMIT_AS, &old);
	lim = old;
	lim.rlim_cur = 512 << 20;
	setrlimit(RLIMIT_AS, &lim);
	runs_well("limit", "");
	setrlimit(RLIMIT_AS, &old);
}

/* One line, and NULL from then on. */
static void one_line_and_NULL(const char *burrow, const char *begins)
{
	char said[1024];
	int status = mrig_again("options", burrow, said, sizeof(said));
	const char *line = strstr(said, begins);

	if (!EXPECT(mrig_ended_well(status)) || !EXPECT(line) ||
	    !EXPECT(line && !strstr(line + 1, "burrow:")))
		printf("# status %x, said: %s\n", (unsigned int)status, said);
}

static void bad_options_are_one_line_and_NULL(void)
{
	one_line_and_NULL("bogus=1", "burrow: malloc: BURROW: unknown key");
}

static void a_kernel_mode_that_cannot_be_had_is_one_line_and_NULL(void)
{
	const char *mode = getenv("BURROW_MODE");
	char *saved = mode ? strdup(mode) : NULL;

	setenv("BURROW_MODE", "kernel", 1);
	one_line_and_NULL("device=/nowhere", "burrow: malloc: cannot open /nowhere");
	if (saved)
		setenv("BURROW_MODE", saved, 1);
	else
		unsetenv("BURROW_MODE");
	free(saved);
}

static int options_child(void)
{
	errno = 0;
	if (bw_mem_malloc(10) || errno != ENOMEM)
		_exit(1);
	errno = 0;
	if (bw_mem_calloc(1000, 1000) || errno != ENOMEM)
		_exit(2);
	_exit(0);
}

static int again(const char *arg)
{
	if (!strcmp(arg, "window"))
		return out_of_memory(32 << 20);
	if (!strcmp(arg, "clobber"))
		return clobbered();
	if (!strcmp(arg, "resort"))
		return last_resort();
	if (!strcmp(arg, "limit"))
		return out_of_memory(64 << 20);
	if (!strcmp(arg, "options"))
		return options_child();
	rows[atoi(arg)].fn();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return again(argv[1]);
	for (row = rows; row < rows + NR_ROWS; row++)
		tap_run(row->name, is_fatal);
	TEST(clobberfree_fills_what_is_freed);
	TEST(a_full_window_is_NULL_and_ENOMEM_and_works_on);
	TEST(what_is_kept_for_others_is_the_last_resort);
	TEST(an_address_space_limit_is_NULL_and_ENOMEM_and_works_on);
	TEST(bad_options_are_one_line_and_NULL);
	TEST(a_kernel_mode_that_cannot_be_had_is_one_line_and_NULL);
	return tap_end();
}
