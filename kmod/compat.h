/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat: every difference between the kernels burrow builds for, 6.1 and up.
 * No other file looks at LINUX_VERSION_CODE.
 */
#ifndef BW_COMPAT_H
#define BW_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#endif
