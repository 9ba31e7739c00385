/* SPDX-License-Identifier: MIT */
/*
 * anchor_so: a struct bw_anchor (anchor.h), in shared libraries only. C has no
 * word for a symbol of which a process has one, whoever brings it.
 */
	.section .data.bw_heap_anchor, "aw"
	.balign	64
	.globl	bw_heap_anchor
	.type	bw_heap_anchor, %gnu_unique_object
	.size	bw_heap_anchor, 64
bw_heap_anchor:
	.zero	64

	.section .note.GNU-stack, "", %progbits
