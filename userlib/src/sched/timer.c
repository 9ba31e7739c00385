// SPDX-License-Identifier: MIT
/* timer: heaps of what is to happen; timer.h has the rules. */
#include "base/sysmem.h"
#include "burrow/time.h"
#include "sched.h"

#define FIRST_BYTES	BW_SYS_PAGE
#define FIRE_MAX	64U		/* at a time, into a ring */
#define FAR_NS		1000000ULL	/* ... is what is further away */
#define SKIP_SLICES	15U		/* while it is far */

void bw_timers_init(struct bw_timers *t)
{
	t->min = BW_NEVER;
	bw_lock_init(&t->lock, BW_RANK_TIMERS);
}

static bool is_alive(const struct bw_timed_entry *e)
{
	return __atomic_load_n(e->word, __ATOMIC_RELAXED) == e->value;
}

static void sift_up(struct bw_timed_entry *h, u32 i, struct bw_timed_entry e)
{
	while (i) {
		u32 up = (i - 1) / 4;

		if (h[up].when <= e.when)
			break;
		h[i] = h[up];
		i = up;
	}
	h[i] = e;
}

static void sift_down(struct bw_timed_entry *h, u32 nr, u32 i,
		      struct bw_timed_entry e)
{
	for (;;) {
		u32 child = 4 * i + 1, least = child, k;

		if (child >= nr)
			break;
		for (k = child + 1; k < nr && k < child + 4; k++)
			if (h[k].when < h[least].when)
				least = k;
		if (h[least].when >= e.when)
			break;
		h[i] = h[least];
		i = least;
	}
	h[i] = e;
}

static void heapify_locked(struct bw_timers *t)
{
	u32 i;

	for (i = t->nr > 1 ? (t->nr - 2) / 4 + 1 : 0; i-- > 0;)
		sift_down(t->heap, t->nr, i, t->heap[i]);
}

static void pop_locked(struct bw_timers *t)
{
	struct bw_timed_entry last = t->heap[--t->nr];

	if (t->nr)
		sift_down(t->heap, t->nr, 0, last);
}

static void min_locked(struct bw_timers *t)
{
	u64 min = t->nr ? t->heap[0].when : BW_NEVER;

	/* pairs with bw_m_poll(): it sees this, or we its @until */
	if (t->min != min)
		__atomic_store_n(&t->min, min, __ATOMIC_SEQ_CST);
}

static void sweep_locked(struct bw_timers *t)
{
	u32 i, nr = 0;

	for (i = 0; i < t->nr; i++)
		if (is_alive(&t->heap[i]))
			t->heap[nr++] = t->heap[i];
	t->nr = nr;
	heapify_locked(t);
}

static int grow_locked(struct bw_timers *t)
{
	size_t old = t->room * sizeof(*t->heap), bytes = FIRST_BYTES;
	struct bw_timed_entry *heap;

	while (bytes < old)
		bytes *= 2;
	if (old)
		bytes *= 2;
	heap = bw_sys_alloc(bytes);
	if (!heap)
		return -ENOMEM;
	if (old) {
		memcpy(heap, t->heap, t->nr * sizeof(*heap));
		bw_sys_free(t->heap, bytes / 2);
	}
	t->heap = heap;
	t->room = (u32)(bytes / sizeof(*heap));
	return 0;
}

/* It is full (I3). */
static __cold int make_room_locked(struct bw_timers *t)
{
	sweep_locked(t);
	if (4 * (u64)t->nr < 3 * (u64)t->room)
		return 0;
	return grow_locked(t) && t->nr == t->room ? -ENOMEM : 0;
}

static int add_locked(struct bw_timers *t, struct bw_timed_entry e)
{
	if (unlikely(t->nr == t->room) && make_room_locked(t))
		return -ENOMEM;
	sift_up(t->heap, t->nr++, e);
	min_locked(t);
	return 0;
}

int bw_timers_add(struct bw_p *p, u64 when, u64 *word, u64 value)
{
	struct bw_timers *t = p ? &p->timers : &bw_sched.p[0]->timers;
	int err;

	bw_lock(&t->lock);
	WRITE_ONCE(t->skip, 0);
	err = add_locked(t, (struct bw_timed_entry){ when, word, value });
	bw_unlock(&t->lock);
	if (!err)
		bw_poll_poke(when);
	return err;
}

/* It is due. Alive: the G that waited for it; NULL: it was dead. */
static struct bw_g *win_g(const struct bw_timed_entry *e)
{
	bool parked = (e->value & BW_TIMED_MASK) == BW_TIMED_ASLEEP;
	struct bw_g *g = parked ? container_of(e->word, struct bw_g, token) :
				  container_of(e->word, struct bw_g, wait);

	if (!bw_timed_win(e->word, e->value))
		return NULL;
	g->late = true;
	bw_g_move(g, BW_G_PARKED, BW_G_RUNNABLE);
	return g;
}

bool bw_timers_fire(struct bw_p *of, struct bw_m *m, u64 now, u32 max,
		    struct bw_glist *out)
{
	struct bw_timed_entry due[FIRE_MAX];
	struct bw_timers *t = &of->timers;
	u32 nr_due = 0, n = 0, i;
	u64 fired = 0;
	struct bw_g *g;

	bw_lock(&t->lock);
	while (n < max && nr_due < FIRE_MAX && t->nr) {
		struct bw_timed_entry e = t->heap[0];

		/* dead ones that are not due can wait (bw_timers_next()) */
		if (e.when > now)
			break;
		pop_locked(t);
		if (!is_alive(&e))
			continue;
		n++;
		g = NULL;
		if ((e.value & BW_TIMED_MASK) == BW_TIMED_ARMED)
			due[nr_due++] = e;
		else
			g = win_g(&e);
		if (!g)
			continue;
		fired++;
		bw_glist_add(out, g);
	}
	min_locked(t);
	WRITE_ONCE(t->nr_checks, READ_ONCE(t->nr_checks) + 1);
	bw_unlock(&t->lock);
	for (i = 0; i < nr_due; i++)
		fired += bw_timer_fire(of, m, &due[i], now);
	if (fired)
		bw_count_add(m ? m->p : NULL, BW_COUNT_timers_fired, fired);
	return n;
}

/*
 * At most half of the ring is filled with those, so that their order is kept; a
 * ring that stays fuller than that leaves them to others, and to sysmon.
 */
void bw_timers_check(struct bw_m *m)
{
	struct bw_p *p = m->p;
	struct bw_glist out = { .nr = 0 };
	u64 now, min;
	u32 skip = READ_ONCE(p->timers.skip);

	if (skip) {
		WRITE_ONCE(p->timers.skip, skip - 1);
		return;
	}
	if (p->q.tail - READ_ONCE(p->q.head) > BW_RUNQ_SLOTS / 2)
		return;
	now = bw_now();
	min = READ_ONCE(p->timers.min);
	if (min <= now) {
		bw_timers_fire(p, m, now, FIRE_MAX, &out);
		bw_submit_list(m, &out, 1);
		return;
	}
	WRITE_ONCE(p->timers.nr_checks, READ_ONCE(p->timers.nr_checks) + 1);
	if (min - now > FAR_NS)
		WRITE_ONCE(p->timers.skip, SKIP_SLICES);
}

u64 bw_timers_min(void)
{
	u32 i, nr = load_seq(&bw_sched.nr_made);
	u64 min = BW_NEVER;

	for (i = 0; i < nr; i++)
		min = min(min, load_seq(&bw_sched.p[i]->timers.min));
	return min;
}

bool bw_timers_run_all(struct bw_m *m)
{
	u64 min = bw_timers_min(), now;
	struct bw_glist out = { .nr = 0 };
	bool any = false;
	u32 i, nr;

	if (likely(min == BW_NEVER))
		return false;
	now = bw_now();
	if (min > now)
		return false;
	nr = load_seq(&bw_sched.nr_made);
	for (i = 0; i < nr && out.nr < FIRE_MAX; i++)
		if (load_seq(&bw_sched.p[i]->timers.min) <= now)
			any |= bw_timers_fire(bw_sched.p[i], m, now,
					      FIRE_MAX - out.nr, &out);
	bw_submit_list(m, &out, 1);
	return any;
}

u64 bw_timers_next(void)
{
	u32 i, nr = load_seq(&bw_sched.nr_made);

	for (i = 0; i < nr; i++) {
		struct bw_timers *t = &bw_sched.p[i]->timers;

		if (READ_ONCE(t->min) == BW_NEVER)
			continue;
		bw_lock(&t->lock);
		while (t->nr && !is_alive(&t->heap[0]))
			pop_locked(t);
		min_locked(t);
		bw_unlock(&t->lock);
	}
	return bw_timers_min();
}

/* All that it has, for the caller. */
static struct bw_timers detach(struct bw_timers *t)
{
	struct bw_timers had;

	bw_lock(&t->lock);
	had = *t;
	t->heap = NULL;
	t->nr = 0;
	t->room = 0;
	min_locked(t);
	bw_unlock(&t->lock);
	return had;
}

void bw_timers_hand_over(struct bw_p *from)
{
	struct bw_timers *to = &bw_sched.p[0]->timers, had;
	bool back = false;

	if (&from->timers == to || READ_ONCE(from->timers.min) == BW_NEVER)
		return;
	had = detach(&from->timers);
	bw_lock(&to->lock);
	while (had.nr && !add_locked(to, had.heap[had.nr - 1]))
		had.nr--;
	bw_unlock(&to->lock);
	if (had.nr) {
		/* it has none: only its owner adds, and that was us */
		bw_lock(&from->timers.lock);
		from->timers.heap = had.heap;
		from->timers.nr = had.nr;
		from->timers.room = had.room;
		min_locked(&from->timers);
		bw_unlock(&from->timers.lock);
		back = true;
	}
	if (!back)
		bw_sys_free(had.heap, had.room * sizeof(*had.heap));
	bw_poll_poke(0);
}

void bw_timers_clean(void)
{
	u32 i, k, nr = load_seq(&bw_sched.nr_made);

	for (i = 0; i < nr; i++) {
		struct bw_timers *t = &bw_sched.p[i]->timers;

		bw_lock(&t->lock);
		for (k = 0; k < t->nr; k++)
			if ((t->heap[k].value & BW_TIMED_MASK) ==
			    BW_TIMED_ARMED)
				bw_timed_win(t->heap[k].word,
					     t->heap[k].value);
		t->nr = 0;
		min_locked(t);
		bw_unlock(&t->lock);
	}
}

void bw_timers_verify(struct bw_timers *t)
{
	u32 i;

	bw_lock(&t->lock);
	if (t->nr > t->room)
		bw_throw("more timers than there is room for");
	if (t->nr && t->min > t->heap[0].when)
		bw_throw("a timer is earlier than its heap says");
	for (i = 1; i < t->nr; i++)
		if (t->heap[(i - 1) / 4].when > t->heap[i].when)
			bw_throw("a timer is earlier than the one above it");
	bw_unlock(&t->lock);
}
