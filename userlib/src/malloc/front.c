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

/* Trips between two looks at the spares. */
#define TICK_MASK	63U

/* How often somebody wanted to have what all threads have at hand. */
static u32 asked;

static struct bw_mag *mag_of(const struct bw_bin *bin)
{
	return bin->low ? (struct bw_mag *)(void *)(bin->low - 1) : NULL;
}

static void bin_load(struct bw_bin *bin, struct bw_mag *m)
{
	bin->low = (void **)(void *)m + 1;
	bin->top = bin->low + m->count;
	bin->end = bin->low + m->cap;
}

static struct bw_mag *bin_unload(struct bw_bin *bin)
{
	struct bw_mag *m = mag_of(bin);

	if (m)
		m->count = (u16)(bin->top - bin->low);
	bin->top = NULL;
	bin->low = NULL;
	bin->end = NULL;
	return m;
}

/* A blank one that is longer than @m, which goes back. NULL: no memory. */
static struct bw_mag *longer(struct bw_mag *m, u32 cls)
{
	u32 most = bw_depot_most(cls), kind = m ? m->kind + 1U : 0;
	struct bw_mag *to;

	if (m && kind > bw_mag_kind(most))
		return m;
	to = bw_mag_get(kind, most);
	if (to && m)
		bw_mag_put(m);
	return to ? to : m;
}

/*
 * It works on the other one; F2 is the caller's. The one that is blank gets longer,
 * until there is no more need to swap.
 */
static void bin_swap(struct bw_bin *bin, u32 cls)
{
	struct bw_mag *m = bin_unload(bin), *to = bin->spare;

	if (!to->count)
		to = longer(to, cls);
	else if (m)
		m = longer(m, cls);
	bin_load(bin, to);
	bin->spare = m;
	if (m)
		m->used = true;
}

/* For good. */
static void mag_give(struct bw_mag *m, u32 cls)
{
	if (m && m->count)
		m = bw_depot_put(cls, m);
	if (m)
		bw_mag_put(m);
}

/*
 * A bin has as many slots as when this was last asked: nobody used the class, or
 * it does not matter. Its magazine remembers, which counts when it is none.
 */
static bool bin_is_idle(const struct bw_bin *bin)
{
	struct bw_mag *m = mag_of(bin);
	u16 count;

	if (!m)
		return false;
	count = (u16)(bin->top - bin->low);
	if (m->count == count)
		return true;
	m->count = count;
	return false;
}

/* What was not needed for a while goes back: one class a look. */
static __attribute__((noinline)) void look(struct bw_front *f)
{
	struct bw_bin *bin;
	u32 cls;

	if (READ_ONCE(asked) != f->asked) {
		f->asked = READ_ONCE(asked);
		bw_front_flush(f);
		return;
	}
	cls = f->tick / (TICK_MASK + 1) % BW_MALLOC_CLASSES;
	bin = &f->bin[cls];
	if (!bin->spare) {
		if (bin_is_idle(bin))
			mag_give(bin_unload(bin), cls);
	} else if (!bin->spare->used) {
		mag_give(bin->spare, cls);
		bin->spare = NULL;
	} else {
		bin->spare->used = false;
	}
}

static __always_inline void tick(struct bw_front *f)
{
	int saved;

	if (likely(++f->tick & TICK_MASK && READ_ONCE(asked) == f->asked))
		return;
	saved = errno;
	look(f);
	errno = saved;
}

/* As long as those of its class become, or nearly. */
static inline bool is_grown(const struct bw_mag *m)
{
	return m->kind == BW_MAG_KINDS - 1 || m->cap < bw_mag_room(m->kind);
}

/*
 * The bin changes places with its spare, which is of the other sort. Most trips
 * of who is at the edge between two magazines are no more than this.
 */
static __always_inline void change_places(struct bw_bin *bin)
{
	struct bw_mag *m = mag_of(bin);

	m->count = (u16)(bin->top - bin->low);
	m->used = true;
	bin_load(bin, bin->spare);
	bin->spare = m;
}

void bw_fronts_flush(void)
{
	u32 now = fetch_add_relaxed(&asked, 1) + 1;

	if (bw_front.state != BW_FRONT_READY)
		return;
	bw_front.asked = now;
	bw_front_flush(&bw_front);
}

void bw_front_relieve(void)
{
	if (bw_front.state == BW_FRONT_READY)
		bw_front_flush(&bw_front);
	bw_depots_drain();
}

/* What all depots keep may be in the way: once is enough. */
static u32 cut_or_relieve(u32 cls, void **slot, u32 want)
{
	u32 n = bw_depot_cut(cls, slot, want);

	if (likely(n))
		return n;
	bw_front_relieve();
	return bw_depot_cut(cls, slot, want);
}

/* F3 */
static void *take_one(u32 cls)
{
	void *p;

	return cut_or_relieve(cls, &p, 1) ? p : NULL;
}

/* The bin is empty, its spare not full. False: one at a time may still go. */
static bool bin_refill(struct bw_front *f, struct bw_bin *bin, u32 cls)
{
	struct bw_mag *m = bin_unload(bin);
	struct bw_mag *full = bw_depot_get(cls, m);

	if (full) {
		bin_load(bin, full);
		return true;
	}
	m = longer(m, cls);
	if (!m)
		return false;
	m->count = (u16)cut_or_relieve(cls, m->slot, m->cap);
	bin_load(bin, m);
	return m->count;
}

static bool is_direct(const struct bw_front *f)
{
	return f->state != BW_FRONT_READY || bw_depot_is_exact();
}

static void *taken(void *p, int saved)
{
	errno = p ? saved : ENOMEM;
	return p;
}

static __attribute__((noinline)) void *take_slow(struct bw_front *f, u32 cls)
{
	struct bw_bin *bin = &f->bin[cls];
	int saved = errno;
	void *p;

	if (unlikely(f->state < BW_FRONT_READY) && !bw_boot_thread())
		return taken(bw_boot_alloc_class(cls), saved);
	if (unlikely(is_direct(f)))
		return taken(take_one(cls), saved);
	if (bin->spare && bin->spare->count)
		bin_swap(bin, cls);
	else if (!bin_refill(f, bin, cls))
		return taken(take_one(cls), saved);
	p = *bin->top--;
	tick(f);
	return taken(p, saved);
}

void *bw_front_take_slow(u32 off)
{
	struct bw_front *f = &bw_front;
	struct bw_bin *bin = &f->bin[off / BW_BIN_BYTES];
	void *p;

	/* who has a spare is READY (F3) */
	if (unlikely(!bin->spare || !bin->spare->count || !bin->low ||
		     !is_grown(mag_of(bin))))
		return take_slow(f, off / BW_BIN_BYTES);
	change_places(bin);
	p = *bin->top--;
	tick(f);
	return p;
}

/* The spare goes to the depot for a blank one: how long is the caller's. */
static struct bw_mag *spare_change(struct bw_bin *bin, u32 cls, u32 kind)
{
	struct bw_mag *m = bw_depot_put(cls, bin->spare);

	bin->spare = NULL;
	if (m && m->kind < kind) {
		bw_mag_put(m);
		m = NULL;
	}
	return m ? m : bw_mag_get(kind, bw_depot_most(cls));
}

/* The bin is full, or there is none. False: no memory for one. */
static bool bin_empty(struct bw_bin *bin, u32 cls)
{
	struct bw_mag *m = mag_of(bin), *blank;
	u32 most = bw_mag_kind(bw_depot_most(cls));

	if (bin->spare && !bin->spare->count) {
		bin_swap(bin, cls);
		return true;
	}
	if (!m)
		blank = bw_mag_get(0, bw_depot_most(cls));
	else if (!bin->spare)
		blank = bw_mag_get(m->kind, bw_depot_most(cls));
	else
		blank = spare_change(bin, cls, min(m->kind + 1U, most));
	if (!blank)
		return false;
	m = bin_unload(bin);
	bin_load(bin, blank);
	if (m) {
		bin->spare = m;
		m->used = true;
	}
	return true;
}

static __attribute__((noinline)) void give_slow(struct bw_front *f, void *p,
						u32 cls)
{
	struct bw_bin *bin = &f->bin[cls];
	int saved = errno;

	if (!cls) {
		bw_boot_free(p);
		errno = saved;
		return;
	}
	if (f->state < BW_FRONT_READY)
		bw_boot_thread();
	if (bin->top && *bin->top == p)
		bw_depot_bad(p, "it was freed before");
	if (is_direct(f) || (bin->top == bin->end && !bin_empty(bin, cls))) {
		bw_depot_put_slots(cls, &p, 1);
	} else {
		*++bin->top = p;
		tick(f);
	}
	errno = saved;
}

void bw_front_give_slow(void *p, u32 cls)
{
	struct bw_front *f = &bw_front;
	struct bw_bin *bin = &f->bin[cls];

	/* in bin 0 there is nothing (F4) */
	if (unlikely(!bin->spare || bin->spare->count || !bin->low ||
		     *bin->top == p || !is_grown(bin->spare))) {
		give_slow(f, p, cls);
		return;
	}
	change_places(bin);
	*++bin->top = p;
	tick(f);
}

void bw_front_begin(struct bw_front *f)
{
	f->asked = READ_ONCE(asked);
	f->state = BW_FRONT_READY;
}

void bw_front_flush(struct bw_front *f)
{
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++) {
		struct bw_bin *bin = &f->bin[cls];

		mag_give(bin_unload(bin), cls);
		mag_give(bin->spare, cls);
		bin->spare = NULL;
	}
}

bool bw_front_end(struct bw_front *f)
{
	if (f->state != BW_FRONT_READY || ++f->rounds < BW_FRONT_ROUNDS)
		return f->state != BW_FRONT_READY;
	bw_front_flush(f);
	f->state = BW_FRONT_LATE;
	return true;
}

static bool slots_are_of(void *const *slot, u32 nr, u32 cls)
{
	while (nr)
		if (bw_pages_class(slot[--nr]) != cls)
			return false;
	return true;
}

static bool bin_is_good(const struct bw_bin *bin, u32 cls)
{
	const struct bw_mag *m = mag_of(bin);

	if (!m)
		return !bin->top && !bin->end;
	return bin->end == bin->low + m->cap && bin->low <= bin->top &&
	       bin->top <= bin->end &&
	       slots_are_of(m->slot, (u32)(bin->top - bin->low), cls);
}

int bw_front_check(const struct bw_front *f)
{
	bool none = f->state != BW_FRONT_READY || bw_depot_is_exact();
	u32 cls;

	for (cls = 0; cls < BW_MALLOC_CLASSES; cls++) {
		const struct bw_bin *bin = &f->bin[cls];
		const struct bw_mag *sp = bin->spare;

		if (!bin_is_good(bin, cls))
			return 1;
		if (sp && ((sp->count && sp->count != sp->cap) ||
			   !slots_are_of(sp->slot, sp->count, cls)))
			return 2;
		if (none && (bin->low || sp))
			return 3;
	}
	return f->bin[0].low || f->bin[0].spare ? 4 : 0;
}
