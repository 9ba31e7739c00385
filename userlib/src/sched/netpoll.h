/* SPDX-License-Identifier: MIT */
/*
 * netpoll: Gs that wait for a descriptor, and one epoll instance for them all.
 *
 *	bw_read(), ...			io.c	  tries; EAGAIN
 *	  bw_desc_wait()	<- here		  parks in the word of a direction
 *	bw_m_poll()			idle.c	  who minds the clock waits here
 *	next(), sysmon				  look, now and then
 *	  bw_netpoll()		<- here		  events; Gs that go on
 *	bw_close()			desc.c	  ends every wait
 *
 * A descriptor has a word for each direction:
 *
 *	  .------ event ------> READY <--- event, and readies the G ----.
 *	  |  .-- who waits --------'                                    |
 *	  |  v                                                          |
 *	  IDLE <--- deadline --- the G that waits (its address) <-------+
 *	  |  '--- its commit ------------^    |                         |
 *	  '----------- close ----> CLOSED <---' and readies the G ------'
 *
 * D1. All moves are cmpxchgs; who moves a word away from a G tries to win it
 *     (sleep.c), and readies it if he does. A deadline that won first leaves
 *     READY to the next call.
 * D2. Events are edges. A G tries after it has left READY behind, so an edge
 *     that comes after its try finds the word IDLE, or the G, and is kept.
 * D3. A registration lasts as long as the descriptor: both directions at once,
 *     made when somebody waits for the first time. Its data has the number of the
 *     life (@gen), so an event of an old one is not taken for the new one's.
 * D4. Calls under way are counted in @refs. bw_close() closes the words, and
 *     the last call closes the descriptor, so its number is not anybody else's
 *     while a call may still use it.
 * D5. One G a direction is in the word; the others are in a queue behind it. Who
 *     ends a call in which it waited, or used READY, wakes the next one, and
 *     leaves READY if another call is under way: that may have tried before the
 *     edge, and be about to wait. One that begins later finds what is there. Who
 *     waits for both directions is in the word of one and behind another G in the
 *     other, or in both queues, with one ticket.
 * D6. The bits of the word that an address does not need have those of the number
 *     of the wait. So who moves the word has the ticket of the very wait that was
 *     in it, and never wins a later one: 4 million waits would have to pass
 *     between two of his instructions. (selftests/model/desc.pml)
 * D7. @refs is CLOSING alone until close(2) has returned. A call that begins just
 *     then, and would find the descriptor still open and wait in it for ever,
 *     waits until it is not; so does who has been given its number already.
 *
 * Rejected: a lock for each descriptor on the way of every event (the poller
 * would wait for it), one-shot registrations (a system call for each wait).
 */
#ifndef BW_SCHED_NETPOLL_H
#define BW_SCHED_NETPOLL_H

#include "base/lock.h"
#include "base/types.h"

enum bw_dir { BW_DIR_READ, BW_DIR_WRITE, BW_NR_DIRS };

#define BW_DIR_BIT(dir)		(1U << (dir))
#define BW_DIR_BOTH		3U

/* In a direction's word; everything else is the address of a G. */
enum bw_desc_word { BW_DESC_IDLE, BW_DESC_READY, BW_DESC_CLOSED, BW_DESC_MAX };

/* What it is, and so how it is used without blocking. */
enum bw_desc_kind {
	BW_KIND_UNKNOWN,
	BW_KIND_SOCKET,		/* MSG_DONTWAIT */
	BW_KIND_NONBLOCK,	/* it has O_NONBLOCK */
	BW_KIND_POLL,		/* blocks: poll(), and then in a bw_block section */
	BW_KIND_FILE,		/* cannot be polled: in a bw_block section */
};

#define BW_DESC_CLOSING		(1U << 31)

struct bw_desc_queued;
struct bw_desc_thread;

/**
 * struct bw_desc - what is known of a descriptor; one for each number, for ever
 * @word:	enum bw_desc_word or a G				[atomic]
 * @refs:	calls under way, and BW_DESC_CLOSING			[atomic]
 * @gen:	number of its life					[atomic]
 * @fd:		the number						[const]
 * @nr_queued:	how many are in @queue					[lock, atomic]
 * @kind:	enum bw_desc_kind					[atomic]
 * @nonblock:	a socket that has O_NONBLOCK				[atomic]
 * @polled:	it is registered					[lock, atomic]
 * @hung_up:	an event said that more than data is there		[atomic]
 * @tcp:	a short read says that nothing is left			[atomic]
 * @drained:	the last read was short					[atomic]
 * @lock:	for the rest						[const]
 * @queue:	Gs that wait behind the one in the word			[lock]
 * @threads:	attached threads that wait				[lock]
 */
struct bw_desc {
	u64 word[BW_NR_DIRS];
	u32 refs;
	u32 gen;
	s32 fd;
	u32 nr_queued[BW_NR_DIRS];
	u8 kind;
	bool nonblock;
	bool polled;
	bool hung_up;
	bool tcp;
	bool drained;
	struct bw_lock lock;
	struct bw_desc_queued *queue[BW_NR_DIRS];
	struct bw_desc_thread *threads;
} __aligned(64);

struct bw_g;
struct bw_glist;
struct bw_m;

/*
 * desc.c. A call on @fd begins: 0, -EBADF (also: it is being closed), -EMFILE:
 * the number is too high. And ends. Between the two the calling G is @io's.
 */
int bw_desc_get(int fd, struct bw_desc **out);
void bw_desc_put(struct bw_desc *d);
/* Just made by us, a socket with O_NONBLOCK. */
int bw_desc_fresh(int fd, bool tcp);
bool bw_desc_is_closing(const struct bw_desc *d);
/* NULL: nobody asked for it yet. */
struct bw_desc *bw_desc_find(int fd);
/* The calling G is dropped, in whatever call of io.c it is. */
void bw_desc_drop(struct bw_g *g);

/*
 * Until one of the directions in @dirs may be tried again: 0, -ETIMEDOUT,
 * -ECANCELED: closed. -EPERM: it cannot be polled. Other errors: epoll's.
 */
int bw_desc_wait(struct bw_desc *d, u32 dirs, u64 deadline);
/*
 * READY was for us: an edge from now on is for the try after the next (D2). True:
 * it was READY, and bw_desc_pass_on() is to come.
 */
bool bw_desc_use_ready(struct bw_desc *d, u32 dirs);
/* A call ends in which it waited for @dir, or used READY. */
void bw_desc_pass_on(struct bw_desc *d, enum bw_dir dir);
/* The word while @g waits with this ticket. */
u64 bw_desc_word_of(const struct bw_g *g, u64 ticket);
/* All who wait are to look again, and find it closed. */
void bw_desc_close_words(struct bw_desc *d);

/* desc_thread.c: bw_desc_wait() of an attached thread; wakes all of them. */
int bw_desc_wait_in_thread(struct bw_m *m, struct bw_desc *d, u32 dirs,
			   u64 deadline);
void bw_desc_wake_threads_locked(struct bw_desc *d);

#define BW_NETPOLL_EVENTS	64

struct epoll_event;

/* There is something to be polled. */
bool bw_netpoll_is_up(void);
/* Gs that wait in words and queues. */
u32 bw_netpoll_waiting(void);
/* Events until the deadline (0: those that are there); may wait. How many. */
int bw_netpoll_wait(struct epoll_event *ev, u64 until);
/* What they mean: Gs to @out, RUNNABLE. */
void bw_netpoll_take(const struct epoll_event *ev, int nr, struct bw_glist *out);
/* Ends a bw_netpoll_wait(), or the next. */
void bw_netpoll_wake(void);
/* The run is over. */
void bw_netpoll_clean(void);

/* fork.c: nobody waits, and nothing is known of any descriptor. */
void bw_descs_forked(void);
void bw_netpoll_forked(void);

#endif
