/* SPDX-License-Identifier: MIT */
/*
 * switch: see switch.h. The frame, from its lowest word:
 *
 *	0	x19 x20 ... x28
 *	80	x29, x30: where to go on
 *	96	d8 d9 ... d15
 *
 * As on x86-64 it ends in an indirect jump, and both frames have one shape.
 */
	.text
	.globl	bw_switch
	.hidden	bw_switch
	.type	bw_switch, %function
	.p2align 5
bw_switch:
	.cfi_startproc
	sub	sp, sp, #160
	.cfi_adjust_cfa_offset 160
	stp	x19, x20, [sp, #0]
	.cfi_rel_offset x19, 0
	.cfi_rel_offset x20, 8
	stp	x21, x22, [sp, #16]
	.cfi_rel_offset x21, 16
	.cfi_rel_offset x22, 24
	stp	x23, x24, [sp, #32]
	.cfi_rel_offset x23, 32
	.cfi_rel_offset x24, 40
	stp	x25, x26, [sp, #48]
	.cfi_rel_offset x25, 48
	.cfi_rel_offset x26, 56
	stp	x27, x28, [sp, #64]
	.cfi_rel_offset x27, 64
	.cfi_rel_offset x28, 72
	stp	x29, x30, [sp, #80]
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x10, sp
	str	x10, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	.cfi_def_cfa_offset 0
	.cfi_same_value x19
	.cfi_same_value x20
	.cfi_same_value x21
	.cfi_same_value x22
	.cfi_same_value x23
	.cfi_same_value x24
	.cfi_same_value x25
	.cfi_same_value x26
	.cfi_same_value x27
	.cfi_same_value x28
	.cfi_same_value x29
	.cfi_same_value x30
	/* x16: where indirect jumps to the start of a call may land */
	mov	x16, x30
	br	x16
	.cfi_endproc
	.size	bw_switch, . - bw_switch

	.globl	bw_switch_frame
	.hidden	bw_switch_frame
	.type	bw_switch_frame, %function
	.p2align 4
bw_switch_frame:
	.cfi_startproc
	sub	x9, x0, #160
	str	x1, [x9]
	adr	x10, start
	stp	xzr, x10, [x9, #80]
	mov	x0, x9
	ret
	.cfi_endproc
	.size	bw_switch_frame, . - bw_switch_frame

/* The outermost frame of a G: here unwinding ends. */
	.type	start, %function
	.p2align 4
start:
	.cfi_startproc
	.cfi_undefined x30
	mov	x0, x19
	mov	x29, xzr
	bl	bw_g_main
	brk	#1
	.cfi_endproc
	.size	start, . - start

	.hidden	bw_g_main
	.section .note.GNU-stack, "", %progbits
