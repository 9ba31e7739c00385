/* SPDX-License-Identifier: MIT */
/*
 * root: where the program has pointers that are in no object.
 *
 *	bw_root_refresh()	before the stop: data of the program and its libraries
 *	bw_root_each()		in it: that, what was registered, pins
 *	stacks, registers and thread-local variables are sched/scan.c's
 *
 * R1. The loader's lock is held from refresh to the end of the stop, by staying
 *     in the callback of dl_iterate_phdr(): no thread is stopped that has it, and
 *     no library comes or goes.
 * R2. A registered range or pin is there before the call that makes it returns,
 *     and a cycle that begins later sees it.
 */
#ifndef BW_GC_ROOT_H
#define BW_GC_ROOT_H

#include "base/types.h"

typedef void bw_root_fn(const char *low, const char *end, void *arg);

/*
 * Calls fn(arg) once, with all libraries held in place and their data known.
 * False: there is no memory for the table; fn() was not called.
 */
bool bw_root_hold(void (*fn)(void *arg), void *arg);

/* Inside of it: all ranges, aligned to words. */
void bw_root_each(bw_root_fn *fn, void *arg);

/* -EEXIST; -ENOMEM; -EINVAL not aligned to 8, or empty */
int bw_root_add_range(const void *low, size_t bytes);
/* False: there is none that begins there. */
bool bw_root_del_range(const void *low);

int bw_pin_add(void *p);
bool bw_pin_del(void *p);

/* Of what programs give: fork() takes it. */
u32 *bw_root_lock(void);

/* Does the data of the program and its libraries count? (default: yes) */
void bw_root_set_data(bool on);

#endif
