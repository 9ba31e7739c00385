/* SPDX-License-Identifier: MIT */
/* jobs: the roots of a cycle, in pieces that markers share. */
#ifndef BW_GC_JOBS_H
#define BW_GC_JOBS_H

#include "mark.h"

void bw_jobs_begin(void);
/* Fits bw_range_fn and bw_root_fn. */
void bw_job_add(const char *low, const char *end, void *arg);
/* There was no memory for all of them: the caller marks without jobs, alone. */
bool bw_jobs_lost(void);
/* Bytes in all. */
s64 bw_jobs_bytes(void);
/* Several markers may do this at the same time; each job is done once. */
void bw_jobs_do(struct bw_marker *m);
void bw_jobs_each(void (*fn)(const char *low, const char *end, void *arg),
		  void *arg);

#endif
