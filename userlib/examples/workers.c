// SPDX-License-Identifier: MIT
/*
 * workers: jobs for a few Gs, results in the order of the jobs, and what happens
 * when one fails: the others hear of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <burrow.h>

#define JOBS	20
#define WORKERS	4
#define BAD	13

static long result[JOBS];
static struct bw_ctx *wanted;
static int bad_job = -1;

/* Steps of the Collatz sequence: some jobs are longer than others. */
static long steps(long n)
{
	long nr = 0;

	for (; n != 1; nr++)
		n = n % 2 ? 3 * n + 1 : n / 2;
	return nr;
}

static int job(void *arg)
{
	long i = (long)arg;

	/* somebody failed: it is not wanted any more */
	if (bw_ctx_err(wanted))
		return bw_ctx_err(wanted);
	if (i == bad_job)
		return -EIO;
	result[i] = steps(i + 1);
	return 0;
}

static int all_jobs(void)
{
	struct bw_group g = { 0 };
	long i;
	int err = 0;

	wanted = bw_group_ctx(&g, bw_ctx_background());
	bw_group_limit(&g, WORKERS);
	for (i = 0; i < JOBS && !err; i++)
		err = bw_group_go(&g, job, (void *)i);
	return bw_group_wait(&g);
}

static int start(void *arg)
{
	int i, err = all_jobs();

	for (i = 0; i < JOBS; i++)
		printf("%ld%c", result[i], i + 1 < JOBS ? ' ' : '\n');
	bad_job = BAD;
	printf("all well: %s; with a bad one: %s\n", err ? "no" : "yes",
	       strerror(-all_jobs()));
	return err;
}

int main(void)
{
	return bw_run(start, NULL);
}
