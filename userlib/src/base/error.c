// SPDX-License-Identifier: MIT
/* error: see error.h */
#include <stdarg.h>

#include "burrow/heap.h"
#include "error.h"
#include "fmt.h"

static __thread char last[320];

int bw_error(int err, const char *fmt, ...)
{
	char line[sizeof(last)];
	va_list ap;

	/* by way of a copy: an argument may be the last line itself */
	va_start(ap, fmt);
	bw_vfmt(line, sizeof(line), fmt, ap);
	va_end(ap);
	memcpy(last, line, sizeof(last));
	return err;
}

const char *bw_error_last(void)
{
	return last;
}

/* The numbers of burrow/burrow.h, and those an open(2) may add. */
static const struct {
	int err;
	const char *name;
} names[] = {
	{ 0, "OK" },
	{ E2BIG, "E2BIG" },
	{ EACCES, "EACCES" },
	{ EAGAIN, "EAGAIN" },
	{ EBUSY, "EBUSY" },
	{ EEXIST, "EEXIST" },
	{ EFAULT, "EFAULT" },
	{ EINTR, "EINTR" },
	{ EINVAL, "EINVAL" },
	{ EIO, "EIO" },
	{ EISDIR, "EISDIR" },
	{ ELOOP, "ELOOP" },
	{ EMFILE, "EMFILE" },
	{ ENAMETOOLONG, "ENAMETOOLONG" },
	{ ENFILE, "ENFILE" },
	{ ENODEV, "ENODEV" },
	{ ENOENT, "ENOENT" },
	{ ENOMEM, "ENOMEM" },
	{ ENOSPC, "ENOSPC" },
	{ ENOTDIR, "ENOTDIR" },
	{ ENOTTY, "ENOTTY" },
	{ ENXIO, "ENXIO" },
	{ EOPNOTSUPP, "EOPNOTSUPP" },
	{ EPERM, "EPERM" },
	{ EROFS, "EROFS" },
	{ ESTALE, "ESTALE" },
	{ ETIMEDOUT, "ETIMEDOUT" },
	{ EXDEV, "EXDEV" },
	{ EUCLEAN, "EUCLEAN" },
};

const char *bw_errno_name(int err)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].err == err || names[i].err == -err)
			return names[i].name;
	return "an unexpected errno";
}
