/* SPDX-License-Identifier: MIT */
/*
 * switch: see switch.h. The frame, from its lowest word:
 *
 *	0	r15 r14 r13 r12 rbx rbp
 *	48	where to go on
 *
 * S1. It ends in an indirect jump. A ret would be predicted from the return
 *     stack, which knows the other context: 7.2 ns in place of 2.5.
 * S2. Both frames have one shape, so that the unwind rules hold on either side
 *     of the line that changes the stack.
 *
 * The object has no property note: with a shadow stack a switch would have to
 * switch that, too, and linkers turn it off for a program with such an object.
 */
	.text
	.globl	bw_switch
	.hidden	bw_switch
	.type	bw_switch, @function
	.p2align 5
bw_switch:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	push	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	push	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	push	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	push	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	mov	(%rsp), %r15
	mov	8(%rsp), %r14
	mov	16(%rsp), %r13
	mov	24(%rsp), %r12
	mov	32(%rsp), %rbx
	mov	40(%rsp), %rbp
	mov	48(%rsp), %rcx
	add	$56, %rsp
	.cfi_def_cfa_offset 0
	.cfi_register rip, rcx
	.cfi_same_value r15
	.cfi_same_value r14
	.cfi_same_value r13
	.cfi_same_value r12
	.cfi_same_value rbx
	.cfi_same_value rbp
	notrack jmp *%rcx
	.cfi_endproc
	.size	bw_switch, . - bw_switch

	.globl	bw_switch_frame
	.hidden	bw_switch_frame
	.type	bw_switch_frame, @function
	.p2align 4
bw_switch_frame:
	.cfi_startproc
	lea	-56(%rdi), %rax
	mov	%rsi, 32(%rax)
	lea	start(%rip), %rcx
	mov	%rcx, 48(%rax)
	ret
	.cfi_endproc
	.size	bw_switch_frame, . - bw_switch_frame

/* The outermost frame of a G: here unwinding ends. */
	.type	start, @function
	.p2align 4
start:
	.cfi_startproc
	.cfi_undefined rip
	mov	%rbx, %rdi
	xor	%ebp, %ebp
	call	bw_g_main
	ud2
	.cfi_endproc
	.size	start, . - start

	.hidden	bw_g_main
	.section .note.GNU-stack, "", @progbits
