/* SPDX-License-Identifier: MIT */
/* dev: what the files of the kernel's backend share (dev.c). */
#ifndef BW_BACKEND_DEV_H
#define BW_BACKEND_DEV_H

#include "backend.h"
#include "base/lock.h"

/**
 * struct bw_dev - a heap in the kernel
 * @be:		what every backend has
 * @fd:		the open file						[const]
 * @path:	of the device						[const]
 * @features:	BURROW_FEAT_*						[const]
 * @arenas:	of what follows
 * @stranded:	a bit for each arena that was added but whose mapping failed
 *		before the first: only a mapping's end takes an arena away, so
 *		the next who needs one of its kind gets this		[arenas]
 */
struct bw_dev {
	struct bw_backend be;
	int fd;
	char path[sizeof(((struct bw_options *)0)->device)];
	u64 features;
	struct bw_lock arenas;
	u64 stranded[BURROW_NR_ARENA_KINDS][BURROW_MAX_ARENAS / 64];
};

static inline struct bw_dev *bw_to_dev(struct bw_backend *be)
{
	return container_of(be, struct bw_dev, be);
}

/* One ioctl: 0 or -errno; -EXDEV where the heap is not this process's. */
int bw_dev_call(struct bw_backend *be, unsigned long nr, void *arg);

/* dev_resize.c */
int bw_dev_span_resize(struct bw_backend *be, u32 flags,
		       struct burrow_span_ref *span, u32 npages);

#endif
