/* SPDX-License-Identifier: MIT */
/*
 * burrow/go.h: many functions at once, on few threads.
 *
 * A *G* is a function with a stack of its own. bw_run() makes the first and as
 * many places to run Gs (*Ps*) as there are CPUs; threads carry Gs, a P at a
 * time, and a G may go on in another thread whenever it comes back from a call
 * of this file (unless bw_lock_thread() holds it). So between two such calls a
 * G has its thread to itself; across one, errno and thread-local variables are
 * those of whichever thread it is now in, and their addresses must not be kept.
 * Compilers do keep them, that of errno too, from one place of a function to the
 * next: let a function that uses such a variable make no call of this file, or
 * none before the last use.
 *
 * A G that computes for 10 ms while others wait lets them run at its next call of
 * this file; without such a call it keeps its thread and they get another, so that
 * the thread competes with theirs for CPUs. One that is about to block in a system
 * call says so (bw_block_begin()), then others run meanwhile at once.
 *
 * Calls for Gs are a fatal error elsewhere. Any thread may be made to count as
 * a G by bw_thread_attach(). In a child after fork() everything here is a fatal
 * error: it may exec or _exit, or call bw_after_fork().
 *
 * BURROW_PROCS=n sets the number of Ps (default: the CPUs this process may use,
 * or less by its cgroups), BURROW_MAXTHREADS=n the threads at most (10000).
 * BURROW=stacksize=64K sets the address space of a stack (a power of two, 64K to
 * 1M), BURROW=deadlock=fatal|report|off what happens when nothing can run.
 */
#ifndef BURROW_GO_H
#define BURROW_GO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bw_g;

/*
 * Runs fn(arg) as the first G and returns its result when it has ended. Gs that
 * are still there then are gone: those that wait never go on, those that run
 * end at their next call of this file, and bw_run() waits for that. A thread in
 * a bw_block section is not waited for; it ends when it comes out of it. The
 * calling thread itself runs no G. bw_run() may be called again afterwards; a
 * call while another is under way, or from a G, is fatal, and so is a wrong
 * option or a system that gives no thread.
 */
int bw_run(int (*fn)(void *arg), void *arg);

/*
 * A new G for fn(arg), which runs some time. It gets its stack when it first
 * runs; if there is no memory for one, it waits until another G's is free, and
 * where that takes 10 s it is fatal. 0, -ENOMEM, or -ESRCH from an attached thread
 * while there is no bw_run().
 */
int bw_go(void (*fn)(void *arg), void *arg);

/* @name is for messages; it stays where it is as long as the G lives. */
int bw_go_named(const char *name, void (*fn)(void *arg), void *arg);

/* Ends the calling G. In the first one it ends the run, with 0 as result. */
__attribute__((noreturn)) void bw_exit(void);

/* Lets another G run, if there is one. */
void bw_yield(void);

/* The calling G; NULL where there is none. */
struct bw_g *bw_self(void);

/*
 * A number of its own for every G of a process. Asked of a G that has ended the
 * answer is that of the last G there, or of the next: memory of Gs is used
 * again, but never for anything else.
 */
uint64_t bw_g_id(const struct bw_g *g);
const char *bw_g_name(const struct bw_g *g);

/*
 * A G holds at most one token. bw_park() takes it, or waits until there is one;
 * bw_ready() leaves one, from any thread. What was written before bw_ready() is
 * seen after the bw_park() that took its token. As memory of Gs is used again,
 * a token left for a G that has ended may be found by a later one: look at what
 * you wait for, not at the return alone.
 */
void bw_park(void);
void bw_ready(struct bw_g *g);

/*
 * Around a call that may block in the kernel: others run on this P meanwhile.
 * In between nothing of this file may be called but bw_ready(), bw_self() and
 * bw_go(). Both leave errno alone; see above for how to read it.
 */
void bw_block_begin(void);
void bw_block_end(void);

/*
 * Values that belong to a G: a key, at most 4 of them, is made once for the
 * process. -ENOSPC. When a G ends, @drop (NULL is fine) gets each value of it
 * that is not NULL, in the G, by order of keys. Not for Gs that a bw_run() left.
 */
int bw_local_make(void (*drop)(void *value));
void *bw_local_get(int key);
void bw_local_set(int key, void *value);

/*
 * From now on this G runs in this thread, and nothing else does; calls nest. A
 * G that ends without unlocking takes the thread with it.
 */
void bw_lock_thread(void);
void bw_unlock_thread(void);

/*
 * The calling thread counts as a G (it may park, be readied, make Gs) until it
 * detaches; it needs no P, and when it waits, the thread waits. 0, or -ENOMEM,
 * -EMFILE; -EBUSY: it is one already.
 */
int bw_thread_attach(void);
void bw_thread_detach(void);

/*
 * In a child of fork(), before anything else of burrow: it has no run, no Gs but
 * in memory, and may have a bw_run() of its own, as often as it likes. The caller,
 * a G or not, is a thread like any other from then on. What the parent waited for
 * is not waited for: timers do not fire (they may be started again), tickers are
 * not to be used. Nothing is known of descriptors; they are open as fork() left
 * them, and burrow's own must not have been closed. Objects are there; from here on
 * they are collected, and what only other threads or Gs of the parent knew is garbage.
 * Finalizers of what is garbage run in the child, too. 0; -EXDEV, -ENOMEM: there is no
 * memory for it, and only exec and _exit are left; -EBUSY: another thread of the child
 * has objects already. Elsewhere it does nothing.
 */
int bw_after_fork(void);

/*
 * Sets the number of Ps, 1 to 1024, and returns what it was; 0 only asks. Gs
 * move as their threads come to a call. -EINVAL
 */
int bw_procs(int n);

/*
 * The most of its stack, in bytes, that was ever touched since the memory was
 * last given back to the system: by this G or others that had the stack before.
 */
size_t bw_stack_peak(void);

#ifdef __cplusplus
}
#endif

#endif
