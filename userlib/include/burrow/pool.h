/* SPDX-License-Identifier: MIT */
/*
 * burrow/pool.h: objects that were needed, and will be again.
 *
 *	struct bw_pool *buffers = bw_pool_make(make_buffer, NULL);
 *
 *	b = bw_pool_get(buffers);	one that was put, or a new one
 *	bw_pool_put(buffers, b);
 *
 * What is in a pool is what a collection need not keep: an object that nobody got
 * between two collections is dropped by the second. Each P has its own, and takes
 * others' when it has none. Which one comes is not said, nor in what state: who puts
 * or gets cleans it. All calls may be made by any G or attached thread; a pool is an
 * object. A child of fork() makes its own: another thread may have been at work on the
 * parent's, and is not there to end it.
 */
#ifndef BURROW_POOL_H
#define BURROW_POOL_H

#ifdef __cplusplus
extern "C" {
#endif

struct bw_pool;

/* @make may be NULL, and return NULL. NULL: no memory. */
struct bw_pool *bw_pool_make(void *(*make)(void *arg), void *arg);

/* One that was put, or make(arg), or NULL where there is no @make. */
void *bw_pool_get(struct bw_pool *p);

/* An object (burrow/alloc.h); NULL is fine. Nobody uses it until somebody got it. */
void bw_pool_put(struct bw_pool *p, void *obj);

#ifdef __cplusplus
}
#endif

#endif
