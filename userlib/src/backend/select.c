// SPDX-License-Identifier: MIT
/*
 * select: kernel or user.
 *
 *	bw_heap_open()			heap/heap.c
 *	  bw_backend_open()		<- here
 *	    bw_backend_open_dev()	backend/dev.c
 *	    bw_backend_open_user()	backend/user.c
 *
 * Who asked for the kernel gets it or an error; who left the choice gets user
 * mode where the module cannot be used, and with verbose hears why.
 */
#include <unistd.h>

#include "backend.h"
#include "base/error.h"
#include "base/sysmem.h"
#include "base/throw.h"
#include "burrow/heap.h"

static int choose(const struct bw_options *o, struct bw_backend **out)
{
	int err;

	if (o->mode == BW_MODE_USER)
		return bw_backend_open_user(o, out);
	err = bw_backend_open_dev(o, out);
	if (!err || o->mode == BW_MODE_KERNEL)
		return err;
	if (o->verbose)
		bw_note("user mode: %s", bw_error_last());
	return bw_backend_open_user(o, out);
}

int bw_backend_open(const struct bw_options *o, struct bw_backend **out)
{
	int err;

	if (sysconf(_SC_PAGESIZE) != (long)BW_SYS_PAGE)
		return bw_error(-EOPNOTSUPP, "burrow needs pages of 4 KiB, "
				"this system's have %ld bytes",
				sysconf(_SC_PAGESIZE));
	err = choose(o, out);
	if (!err && o->verbose)
		bw_note("%s mode, window of %llu MiB", (*out)->mode,
			(unsigned long long)(*out)->window.nr_arenas *
			(BURROW_ARENA_SIZE >> 20));
	return err;
}
