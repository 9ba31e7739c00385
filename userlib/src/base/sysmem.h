/* SPDX-License-Identifier: MIT */
/*
 * sysmem: the library's own memory and address space, from the system. It does
 * not use malloc(): some day it is malloc().
 */
#ifndef BW_BASE_SYSMEM_H
#define BW_BASE_SYSMEM_H

#include "types.h"

#define BW_SYS_PAGE	4096UL

/* Zeroed and private, in whole pages, paid for by touch; NULL: none left. */
void *bw_sys_alloc(size_t bytes);
void bw_sys_free(void *p, size_t bytes);

/* The same, at a multiple of @align. */
void *bw_sys_alloc_aligned(size_t bytes, size_t align);

/* Address space, a multiple of @align, that nobody may touch; NULL: none left. */
void *bw_sys_reserve(size_t bytes, size_t align);

#endif
