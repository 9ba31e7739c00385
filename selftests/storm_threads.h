/* SPDX-License-Identifier: MIT */
/*
 * storm_threads: who is in the storm besides the hands that alloc and free.
 */
#ifndef BURROW_SELFTEST_STORM_THREADS_H
#define BURROW_SELFTEST_STORM_THREADS_H

#include <sys/uio.h>

#include "harvest.h"
#include "storm.h"
#include "uring.h"

#define HOG_BYTES	(48 * MB)
#define SPARE_ARENA	6U		/* comes and goes */
#define ENDLESS		(1U << 30)

#define STACKS		4U

static void *thread_stacks(void *arg)
{
	struct burrow_span_ref ref[STACKS];
	struct burrow_span_free done;
	struct hand *hand = arg;
	struct storm *s = hand->s;
	unsigned int n, i;

	for (n = 0; n < s->ops / 2; n++) {
		struct burrow_span_alloc a = {
			.spans = U64(ref), .nr = STACKS,
			.npages = BURROW_GUARD_PAGES + 1 + chance(hand, 5),
			.kind = BURROW_KIND_STACK,
			.flags = chance(hand, 2) ? BURROW_ALLOC_LAZY : 0,
		};
		int r = spans_alloc(&s->h, &a);

		if (is_refused(hand, r))
			continue;
		STORM_CHECK(s, !r);
		for (i = 0; !r && i < a.out_nr; i++) {
			char *guard = page_addr(&s->h, ref[i].page);
			char *top = guard + a.npages * BURROW_PAGE_SIZE;

			STORM_CHECK(s, !touch_write(top - 1, 't'));
			STORM_CHECK(s, !touch_write(top - BURROW_PAGE_SIZE, 't'));
			guard += chance(hand, BURROW_GUARD_PAGES *
					BURROW_PAGE_SIZE);
			STORM_CHECK(s, touch_write(guard, 'g') == SIGSEGV);
		}
		if (!r)
			STORM_CHECK(s, !spans_free(&s->h, chance(hand, 2) ?
						   BURROW_FREE_RECLAIM : 0,
						   ref, a.out_nr, &done));
	}
	return NULL;
}

/* A child that is alone: ranges that are free stay free. */
static void child_reclaims_lazy(struct hand *hand)
{
	struct held *held = &hand->held[chance(hand, HELD)];
	struct burrow_span_ref ref = held->ref;
	__u32 npages = held->npages;

	if (!npages)
		return;
	held_each(hand, held, false, false);
	STORM_CHECK(hand->s, !span_free(&hand->s->h, 0, ref));
	held->npages = 0;
	STORM_CHECK(hand->s, range_reclaim(&hand->s->h, ref.page, npages) >= 0);
}

static int child_works(struct hand *hand, int out, bool is_endless)
{
	struct burrow_heap_stats stats;
	struct storm *s = hand->s;
	unsigned int n;

	/* under pressure it may have none */
	if (s->nomem && heap_stats(s->h.fd, &stats) == -EXDEV)
		return CHILD_OK;
	s->out = -1;
	s->bad = 0;
	hand_check(hand);
	for (n = 0; is_endless || n < 16; n++) {
		hand_work(hand);
		child_reclaims_lazy(hand);
		if (write(out, "", 1) != 1)
			break;
	}
	hand_check(hand);
	return s->bad ? CHILD_BAD : CHILD_OK;
}

static void storm_fork(struct hand *hand)
{
	bool is_endless = chance(hand, 2);
	struct storm *s = hand->s;
	unsigned int left = chance(hand, 24);
	int out[2], status;
	char byte;
	pid_t pid;

	STORM_CHECK(s, !pipe(out));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(out[0]);
		_exit(child_works(hand, out[1], is_endless));
	}
	close(out[1]);
	if (pid > 0) {
		while (left-- && read(out[0], &byte, 1) == 1)
			;
		if (is_endless)
			kill(pid, SIGKILL);
		status = child_wait(pid);
		if (status != (is_endless ? CHILD_KILLED + SIGKILL : CHILD_OK) &&
		    !(s->nomem && status == CHILD_OK))
			STORM_BAD(s, "a child", status);
	}
	close(out[0]);
}

/* The forker's own spans rest while it forks: the child knows what is in them. */
static void *thread_forks(void *arg)
{
	struct hand *hand = arg;
	unsigned int n;

	for (n = 0; n < hand->s->ops / 16; n++) {
		hand_work(hand);
		hand_work(hand);
		storm_fork(hand);
	}
	hand_check(hand);
	hand_drop(hand);
	return NULL;
}

static void *reserve(void *at, size_t bytes, int flags)
{
	return mmap(at, bytes, PROT_NONE, flags | MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_NORESERVE, -1, 0);
}

/* The kernel has copied the page table when it is told, and copies it back. */
static bool view_stays(const struct storm *s)
{
	static void *to = MAP_FAILED;
	bool moved;

	/* the attempt leaves a hole there, into which others may map */
	if (to != MAP_FAILED)
		to = reserve(to, BURROW_ARENA_SIZE, MAP_FIXED_NOREPLACE);
	if (to == MAP_FAILED)
		to = reserve(NULL, BURROW_ARENA_SIZE, 0);
	if (to == MAP_FAILED)
		return false;
	moved = mremap(s->h.window, BURROW_ARENA_SIZE, BURROW_ARENA_SIZE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
	return !moved;
}

/* Unmapped, and nobody else's: with threads a hole would be taken. */
static void view_give(const struct storm *s, enum burrow_mmap_kind kind,
		      __u32 index)
{
	reserve(part(&s->h, kind, index), part_size(kind), MAP_FIXED);
}

/* What a view does not take, wherever others are with it. */
static void mappings_refused(struct hand *hand)
{
	struct storm *s = hand->s;
	char *at = s->h.window + (1 + chance(hand, 8000)) * BURROW_PAGE_SIZE;

	STORM_CHECK(s, munmap(at, BURROW_PAGE_SIZE));
	STORM_CHECK(s, mprotect(at, BURROW_PAGE_SIZE, PROT_READ));
	STORM_CHECK(s, view_stays(s));
	STORM_CHECK(s, mremap(at, BURROW_PAGE_SIZE, 2 * BURROW_PAGE_SIZE,
			      MREMAP_MAYMOVE) == MAP_FAILED);
	/* page table entries go, what is behind them stays */
	STORM_CHECK(s, !madvise(s->h.window, (at - s->h.window), MADV_DONTNEED));
}

static void mappings_come_and_go(struct hand *hand)
{
	struct storm *s = hand->s;
	char *data = part(&s->h, BURROW_MMAP_DATA, SPARE_ARENA);
	unsigned int kind, first = chance(hand, BURROW_NR_MMAP_KINDS);
	int r = arena_add(&s->h, SPARE_ARENA);

	if (is_refused(hand, r))
		return;
	STORM_CHECK(s, r == (int)SPARE_ARENA);
	r = arena_map(&s->h, SPARE_ARENA);
	if (!is_refused(hand, r))
		STORM_CHECK(s, !r);
	if (!r) {
		STORM_CHECK(s, !mprotect(data, BURROW_ARENA_SIZE, PROT_READ));
		STORM_CHECK(s, touch_write(data, 1) == SIGSEGV);
		STORM_CHECK(s, !mprotect(data, BURROW_ARENA_SIZE,
					 PROT_READ | PROT_WRITE));
		STORM_CHECK(s, touch_write(data, 1) == SIGSEGV);
		STORM_CHECK(s, !touch_write(part(&s->h, BURROW_MMAP_UMETA,
						 SPARE_ARENA), 1));
		STORM_CHECK(s, !touch(part(&s->h, BURROW_MMAP_KMETA,
					   SPARE_ARENA)));
	}
	/* in some order, whatever of it was mapped */
	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++)
		view_give(s, (kind + first) % BURROW_NR_MMAP_KINDS,
			  SPARE_ARENA);
}

static void *thread_mappings(void *arg)
{
	struct hand *hand = arg;
	unsigned int n;

	for (n = 0; n < hand->s->ops / 4; n++) {
		mappings_refused(hand);
		mappings_come_and_go(hand);
	}
	return NULL;
}

#define STORM_DISK	"/dev/ram0"	/* the debug kernel has it */
#define PIN_PAGES	4U
#define PIN_BYTES	(PIN_PAGES * BURROW_PAGE_SIZE)

/* Frames that others write to and read from, or hold on to. */
struct pins {
	struct storm *s;
	struct uring u;
	int file, disk, pipe[2];
	bool has_ring;
	char *p, buf[PIN_BYTES];
};

/* A frame through a pipe, a page through the other door. */
static void pins_copy(struct pins *pins, char val)
{
	struct iovec to = { pins->buf, PIN_BYTES }, from = { pins->p, PIN_BYTES };
	struct iovec frame = { pins->p + FRAME_SIZE, FRAME_SIZE };
	struct storm *s = pins->s;

	memset(pins->p, val, PIN_BYTES);
	STORM_CHECK(s, vmsplice(pins->pipe[1], &frame, 1, 0) ==
		       (ssize_t)FRAME_SIZE);
	STORM_CHECK(s, process_vm_readv(getpid(), &to, 1, &from, 1, 0) ==
		       (ssize_t)PIN_BYTES);
	STORM_CHECK(s, bytes_are(pins->buf, val, PIN_BYTES));
	memset(pins->buf, val + 1, PIN_BYTES);
	STORM_CHECK(s, read(pins->pipe[0], pins->buf, FRAME_SIZE) ==
		       (ssize_t)FRAME_SIZE);
	STORM_CHECK(s, bytes_are(pins->buf, val, FRAME_SIZE));
	memset(pins->buf, val + 1, PIN_BYTES);
	STORM_CHECK(s, process_vm_writev(getpid(), &to, 1, &from, 1, 0) ==
		       (ssize_t)PIN_BYTES);
	STORM_CHECK(s, bytes_are(pins->p, val + 1, PIN_BYTES));
}

/* While frames are shared with a child no buffer is taken: then not. */
static bool pins_ring(struct pins *pins, char val)
{
	struct storm *s = pins->s;
	int r;

	if (!pins->has_ring ||
	    uring_register(&pins->u, pins->p, PIN_BYTES))
		return false;
	memset(pins->buf, val, PIN_BYTES);
	STORM_CHECK(s, pwrite(pins->file, pins->buf, PIN_BYTES, 0) ==
		       (ssize_t)PIN_BYTES);
	memset(pins->p, val + 1, PIN_BYTES);
	r = uring_read_fixed(&pins->u, pins->file, pins->p, PIN_BYTES);
	if (r != (int)PIN_BYTES)
		STORM_BAD(s, "a read into a fixed buffer", r);
	STORM_CHECK(s, bytes_are(pins->p, val, PIN_BYTES));
	STORM_CHECK(s, !uring_unregister(&pins->u));
	return true;
}

/* To a disk and back, past the page cache: the frames are pinned meanwhile. */
static bool pins_direct(struct pins *pins, char val)
{
	struct storm *s = pins->s;

	if (pins->disk < 0)
		return false;
	memset(pins->p, val, PIN_BYTES);
	STORM_CHECK(s, pwrite(pins->disk, pins->p, PIN_BYTES, 0) ==
		       (ssize_t)PIN_BYTES);
	memset(pins->p, val + 1, PIN_BYTES);
	STORM_CHECK(s, pread(pins->disk, pins->p, PIN_BYTES, 0) ==
		       (ssize_t)PIN_BYTES);
	STORM_CHECK(s, bytes_are(pins->p, val, PIN_BYTES));
	return true;
}

static void *thread_pins(void *arg)
{
	struct hand *hand = arg;
	struct storm *s = hand->s;
	static struct pins pins;
	struct burrow_span_ref ref;
	unsigned int n, rings = 0, direct = 0;

	pins.s = s;
	STORM_CHECK(s, !pipe(pins.pipe));
	pins.file = memfd_create("storm", MFD_CLOEXEC);
	pins.has_ring = !uring_make(&pins.u);
	pins.disk = open(STORM_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	for (n = 0; n < s->ops / 8; n++) {
		int r = span_alloc(&s->h, PIN_PAGES, chance(hand, 2), &ref);

		if (is_refused(hand, r))
			continue;
		STORM_CHECK(s, !r);
		pins.p = page_addr(&s->h, ref.page);
		pins_copy(&pins, n);
		rings += pins_ring(&pins, n);
		direct += pins_direct(&pins, n);
		STORM_CHECK(s, !span_free(&s->h, chance(hand, 2), ref));
	}
	if (s->ops < ENDLESS)
		printf("# fixed buffers: %u of %u times, direct I/O: %u\n",
		       rings, n, direct);
	return NULL;
}

/* What this thread writes is told, whatever the others do. */
static void harvest_follows(struct hand *hand, char *p)
{
	struct storm *s = hand->s;
	__u32 arena = (p - s->h.window) / BURROW_ARENA_SIZE;
	struct harvest w;
	int r;

	p[chance(hand, BURROW_PAGE_SIZE)] = 'h';
	p += FRAME_SIZE * chance(hand, FRAMES_PER_PAGE);
	*p = 'h';
	r = harvest(&s->h, arena, &w);
	if (is_refused(hand, r))
		return;
	STORM_CHECK(s, !r);
	STORM_CHECK(s, harvest_has(&w, &s->h, p));
}

static void *thread_harvests(void *arg)
{
	struct hand *hand = arg;
	struct storm *s = hand->s;
	struct burrow_span_ref ref;
	unsigned int n, i;

	for (n = 0; n < s->ops / 16; n++) {
		int r = span_alloc(&s->h, 1, 0, &ref);

		if (is_refused(hand, r))
			continue;
		STORM_CHECK(s, !r);
		for (i = 0; i < 4; i++)
			harvest_follows(hand, page_addr(&s->h, ref.page));
		STORM_CHECK(s, !span_free(&s->h, 0, ref));
	}
	return NULL;
}

/* What is there, or SIGSEGV: spans move, end and are discarded under it. */
static void *thread_touches(void *arg)
{
	struct hand *hand = arg;
	struct storm *s = hand->s;
	unsigned int n;

	for (n = 0; n < s->ops * 4; n++) {
		char *p = s->h.window + chance(hand, 2048) * FRAME_SIZE;
		int sig = touch(p);

		STORM_CHECK(s, !sig || sig == SIGSEGV);
	}
	return NULL;
}

static void *thread_shrinks(void *arg)
{
	struct hand *hand = arg;
	unsigned int n;

	for (n = 0; n < hand->s->ops / 8; n++)
		STORM_CHECK(hand->s, !file_write("/proc/sys/vm/drop_caches",
						 "2"));
	return NULL;
}

/* Whom the OOM killer is to take, should there be need. */
static int child_hogs(void *arg)
{
	struct storm *s = arg;
	unsigned int n;
	size_t i;
	char *p;

	CHILD_CHECK(!file_write("/proc/self/oom_score_adj", "1000"));
	for (n = 0; n < s->ops / 32; n++) {
		p = mmap(NULL, HOG_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			continue;
		for (i = 0; i < HOG_BYTES; i += FRAME_SIZE)
			p[i] = 1;
		munmap(p, HOG_BYTES);
	}
	return CHILD_OK;
}

#endif
