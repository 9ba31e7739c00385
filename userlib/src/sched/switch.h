/* SPDX-License-Identifier: MIT */
/*
 * switch: from one stack to another, in assembly (switch_<arch>.S).
 *
 * What is kept is what the calling convention makes the callee keep; a context
 * at rest is one pointer, to the frame that bw_switch() left on its stack.
 * Signal masks, errno and TLS are the thread's and stay with it.
 *
 * The control words of floating point belong to the G, too. Reading mxcsr alone
 * takes longer than bw_switch(), so it is done once for two switches: a G saves
 * them as it leaves, a M runs on with whatever they are (it does not compute),
 * and loads those of its next G only where they are others.
 */
#ifndef BW_SCHED_SWITCH_H
#define BW_SCHED_SWITCH_H

#include "base/types.h"

/* Leaves a frame, whose place goes to *from, and goes on from the frame @to. */
void bw_switch(void **from, void *to);

/*
 * A frame at the top of a new stack: switching to it calls bw_g_main(arg). @top
 * is 16-aligned.
 */
void *bw_switch_frame(void *top, void *arg);

/* g.c, called by the frame above; does not return. */
void bw_g_main(void *arg);

/**
 * struct bw_fp - control words of floating point
 * @control:	mxcsr, or fpcr
 * @x87:	x87's
 */
struct bw_fp {
	u32 control;
	u16 x87;
} __attribute__((packed, aligned(2)));

#if defined(__x86_64__)

/* what a function may use below its stack pointer */
#define BW_RED_ZONE	128U

static inline char *bw_sp(void)
{
	char *sp;

	__asm__ volatile("mov %%rsp, %0" : "=r" (sp));
	return sp;
}

/* what a process starts with */
#define BW_FP_INIT	((struct bw_fp){ 0x1f80, 0x037f })
/* below it are flags that nobody has to keep */
#define BW_FP_MASK	0xffc0U

static inline void bw_fp_save(struct bw_fp *fp)
{
	__asm__ volatile("stmxcsr %0" : "=m" (fp->control));
	__asm__ volatile("fnstcw %0" : "=m" (fp->x87));
}

static inline void bw_fp_load(const struct bw_fp *fp)
{
	__asm__ volatile("ldmxcsr %0" :: "m" (fp->control));
	__asm__ volatile("fldcw %0" :: "m" (fp->x87));
}

#elif defined(__aarch64__)

#define BW_RED_ZONE	0U

static inline char *bw_sp(void)
{
	char *sp;

	__asm__ volatile("mov %0, sp" : "=r" (sp));
	return sp;
}

#define BW_FP_INIT	((struct bw_fp){ 0, 0 })
#define BW_FP_MASK	0xffffffffU

static inline void bw_fp_save(struct bw_fp *fp)
{
	u64 fpcr;

	__asm__ volatile("mrs %0, fpcr" : "=r" (fpcr));
	fp->control = (u32)fpcr;
}

static inline void bw_fp_load(const struct bw_fp *fp)
{
	__asm__ volatile("msr fpcr, %0" :: "r" ((u64)fp->control));
}

#endif

static inline bool bw_fp_same(const struct bw_fp *a, const struct bw_fp *b)
{
	return !((a->control ^ b->control) & BW_FP_MASK) && a->x87 == b->x87;
}

#endif
