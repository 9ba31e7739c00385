/* SPDX-License-Identifier: MIT */
/* fork: the backends that a child of fork() inherits (fork.c). */
#ifndef BW_BACKEND_FORK_H
#define BW_BACKEND_FORK_H

#include "backend.h"

/*
 * Registers with the C library, if that was not done. What is registered later
 * comes first when fork() begins: whoever calls a backend with locks of his own
 * held, and takes them before a fork, registers after this (or after he opened a
 * backend, which does it). -ENOMEM, and a line for bw_error_last().
 */
int bw_fork_init(void);

/*
 * From here on fork() asks the backend (its fork_* operations). -ENOMEM, and a
 * line for bw_error_last().
 */
int bw_fork_add(struct bw_backend *be);

/* From here on it does not; one that was not added is fine. */
void bw_fork_del(struct bw_backend *be);

#endif
