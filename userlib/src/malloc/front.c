// SPDX-License-Identifier: MIT
/*
 * front: the slow halves (front.h), and the life of a thread's front.
 *
 *	first call	bw_boot_thread()	NEW -> READY
 *	thread ends	thread_ends()		READY -> LATE, as late as can be
 *
 * The destructor of our key is put off while the C library still runs those of
 * other keys, which free what they have. What comes after it, the C library's own
 * frees, goes to the depot slot by slot.
 */
#include "base/throw.h"
#include "boot.h"
#include "depot.h"
#include "front.h"

__thread struct bw_front bw_front __hidden
	__attribute__((tls_model("initial-exec")));

/* A cap begins here, and doubles with each trip to the depot. */
#define CAP_FIRST	2U
/* Trips between two looks at the spares. */
#define TICK_MASK	63U

static void cap_grow(struct bw_bin *bin, u32 cls)
{
	s32 cap = min(2 * bin->cap, (s32)bw_depot_most(cls));

	bin->room += cap - bin->cap;
	bin->cap = cap;
}

static void *bin_load(struct bw_bin *bin, void *head, u32 count)
{
	bin->head = *(void **)head;
	bin->room = bin->cap - ((s32)count - 1);
	return head;
}

/* A spare that was not needed for a while goes back: one class a look. */
static void tick(struct bw_front *f)
{
	struct bw_spare *sp;
	u32 cls;

	if (++f->tick & TICK_MASK)
		return;
	cls = f->tick / (TICK_MASK + 1) % BW_MALLOC_CLASSES;
	sp = &f->spare[cls];
	if (sp->head && !sp->used) {
		bw_depot_put(cls, sp->head, sp->count);
		sp->head = NULL;
	}
	sp->used = false;
}

void bw_front_relieve(void)
{
	if (bw_front.state == BW_FRONT_READY)
		bw_front_flush(&bw_front);
	bw_depots_drain();
}

/* What all depots keep may be in the way: once is enough. */
static u32 get_or_relieve(u32 cls, u32 want, void **head)
{
	u32 n = bw_depot_get(cls, want, head);

	if (likely(n))
		return n;
	bw_front_relieve();
	return bw_depot_get(cls, want, head);
}

/* F3: one, and what else came with it goes back at once. */
static void *take_one(u32 cls)
{
	void *head, *rest;
	u32 n = get_or_relieve(cls, 1, &head);

	if (!n)
		return NULL;
	rest = *(void **)head;
	if (n > 1)
		bw_depot_put(cls, rest, n - 1);
	return head;
}

static void *taken(void *p, int saved)
{
	errno = p ? saved : ENOMEM;
	return p;
}

void *bw_front_take_slow(u32 off)
{
	u32 cls = off / BW_BIN_BYTES;
	struct bw_front *f = &bw_front;
	struct bw_bin *bin = &f->bin[cls];
	struct bw_spare *sp = &f->spare[cls];
	int saved = errno;
	void *head;
	u32 n;

	if (unlikely(f->state < BW_FRONT_READY) && !bw_boot_thread())
		return taken(bw_boot_alloc_class(cls), saved);
	if (unlikely(!bin->cap))
		return taken(take_one(cls), saved);
	sp->used = true;
	if (sp->head) {
		head = sp->head;
		sp->head = NULL;
		return bin_load(bin, head, sp->count);
	}
	cap_grow(bin, cls);
	n = get_or_relieve(cls, (u32)bin->cap, &head);
	if (!n)
		return taken(NULL, saved);
	tick(f);
	return taken(bin_load(bin, head, n), saved);
}

/* The bin is full: it is the spare from now on, and @p the first of a new one. */
static void bin_full(struct bw_front *f, void *p, u32 cls)
{
	struct bw_bin *bin = &f->bin[cls];
	struct bw_spare *sp = &f->spare[cls];

	if (sp->head) {
		bw_depot_put(cls, sp->head, sp->count);
		tick(f);
		cap_grow(bin, cls);
	}
	sp->used = true;
	sp->head = bin->head;
	sp->count = (u32)(bin->cap - bin->room);
	*(void **)p = NULL;
	bin->head = p;
	bin->room = bin->cap - 1;
}

void bw_front_give_slow(void *p, u32 cls)
{
	struct bw_front *f = &bw_front;
	int saved = errno;

	if (!cls) {
		bw_boot_free(p);
		errno = saved;
		return;
	}
	if (f->state < BW_FRONT_READY)
		bw_boot_thread();
	if (f->bin[cls].head == p)
		bw_depot_bad(p, "it was freed before");
	if (!f->bin[cls].cap) {
		*(void **)p = NULL;
		bw_depot_put(cls, p, 1);
	} else if (f->bin[cls].room > 0) {
		front_give(p);
	} else {
		bin_full(f, p, cls);
	}
	errno = saved;
}

void bw_front_begin(struct bw_front *f)
{
	bool exact = bw_depot_is_exact();
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++) {
		f->bin[cls].cap = exact ? 0 :
				  (s32)min(CAP_FIRST, bw_depot_most(cls));
		f->bin[cls].room = f->bin[cls].cap;
	}
	f->state = BW_FRONT_READY;
}

void bw_front_flush(struct bw_front *f)
{
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++) {
		struct bw_bin *bin = &f->bin[cls];
		struct bw_spare *sp = &f->spare[cls];

		if (bin->head)
			bw_depot_put(cls, bin->head,
				     (u32)(bin->cap - bin->room));
		if (sp->head)
			bw_depot_put(cls, sp->head, sp->count);
		bin->head = NULL;
		bin->room = bin->cap;
		sp->head = NULL;
	}
}

bool bw_front_end(struct bw_front *f)
{
	u32 cls;

	if (f->state != BW_FRONT_READY || ++f->rounds < BW_FRONT_ROUNDS)
		return f->state != BW_FRONT_READY;
	bw_front_flush(f);
	f->state = BW_FRONT_LATE;
	for (cls = 0; cls < BW_MALLOC_CLASSES; cls++)
		f->bin[cls] = (struct bw_bin){ NULL, 0, 0 };
	return true;
}

static u32 length(const void *p, u32 most)
{
	u32 n = 0;

	for (; p && n <= most; n++)
		p = *(void *const *)p;
	return n;
}

int bw_front_check(const struct bw_front *f)
{
	u32 cls;

	for (cls = 0; cls < BW_MALLOC_CLASSES; cls++) {
		const struct bw_bin *bin = &f->bin[cls];
		const struct bw_spare *sp = &f->spare[cls];
		u32 n = (u32)(bin->cap - bin->room);

		if (length(bin->head, n) != n)
			return 1;
		if (sp->head && (!sp->count ||
				 length(sp->head, sp->count) != sp->count))
			return 2;
		if (f->state != BW_FRONT_READY && (bin->cap || sp->head))
			return 3;
	}
	return f->bin[0].cap || f->bin[0].head ? 4 : 0;
}
