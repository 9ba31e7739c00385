// SPDX-License-Identifier: MIT
/*
 * user_frame: frames by madvise(), where the module has vm_insert_pages() and
 * unmap_mapping_pages().
 */
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/sysmem.h"
#include "user.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23	/* Linux 5.14 */
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24	/* Linux 5.18 */
#endif

#define COUNT_BATCH	1024U

/* A write that changes nothing, to each frame. */
void bw_frames_touch(char *at, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += BW_SYS_PAGE)
		fetch_or_relaxed((u8 *)at + i, 0);
}

int bw_frames_populate(char *at, size_t bytes)
{
	if (!madvise(at, bytes, MADV_POPULATE_WRITE))
		return 0;
	/* EINVAL: this kernel does not know it */
	if (errno != EINVAL)
		return -ENOMEM;
	bw_frames_touch(at, bytes);
	return 0;
}

u64 bw_frames_count(char *at, size_t bytes)
{
	unsigned char in_core[COUNT_BATCH];
	u64 count = 0;

	while (bytes) {
		size_t n = min(bytes, COUNT_BATCH * BW_SYS_PAGE), i;

		if (mincore(at, n, in_core))
			return count;
		for (i = 0; i < n / BW_SYS_PAGE; i++)
			count += in_core[i] & 1;
		at += n;
		bytes -= n;
	}
	return count;
}

/*
 * Locked memory (mlockall) refuses to go before 5.18, and what was asked for
 * is above all that it reads as zero.
 */
void bw_frames_take(char *at, size_t bytes)
{
	if (madvise(at, bytes, MADV_DONTNEED) &&
	    madvise(at, bytes, MADV_DONTNEED_LOCKED))
		memset(at, 0, bytes);
}
