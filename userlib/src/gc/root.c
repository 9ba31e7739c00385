// SPDX-License-Identifier: MIT
/* root: see root.h */
#include <link.h>

#include "base/lock.h"
#include "base/sysmem.h"
#include "root.h"

/**
 * struct range - of memory
 * @low:	its first byte
 * @end:	behind its last
 * @count:	of a pin: how often
 */
struct range {
	const char *low;
	const char *end;
	u64 count;
};

/**
 * struct table - ranges in order of @low
 * @at:		the ranges
 * @nr:		how many
 * @room:	for how many there is memory
 */
struct table {
	struct range *at;
	size_t nr;
	size_t room;
};

/**
 * struct roots - all there are
 * @lock:	of @given and @pins
 * @data:	of the program and its libraries	[bw_root_hold()]
 * @given:	bw_root_add()						[lock]
 * @pins:	bw_pin(); each is a word, of which the address is @low	[lock]
 * @skip_data:	they do not count					[atomic]
 */
static struct roots {
	struct bw_lock lock;
	struct table data;
	struct table given;
	struct table pins;
	bool skip_data;
} roots = { .lock.rank = BW_RANK_GC_ROOTS };

static bool grow(struct table *t)
{
	size_t room = t->room ? 2 * t->room : 256;
	struct range *at = bw_sys_alloc(room * sizeof(*at));

	if (!at)
		return false;
	if (t->nr)
		memcpy(at, t->at, t->nr * sizeof(*at));
	bw_sys_free(t->at, t->room * sizeof(*at));
	t->at = at;
	t->room = room;
	return true;
}

/* Where the first range is that does not begin before @low. */
static size_t place_of(const struct table *t, const char *low)
{
	size_t from = 0, to = t->nr;

	while (from < to) {
		size_t mid = (from + to) / 2;

		if (t->at[mid].low < low)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool is_at(const struct table *t, size_t i, const char *low)
{
	return i < t->nr && t->at[i].low == low;
}

static bool insert(struct table *t, size_t i, const char *low, const char *end)
{
	if (t->nr == t->room && !grow(t))
		return false;
	memmove(t->at + i + 1, t->at + i, (t->nr - i) * sizeof(*t->at));
	t->at[i] = (struct range){ low, end, 1 };
	t->nr++;
	return true;
}

static void cut(struct table *t, size_t i)
{
	t->nr--;
	memmove(t->at + i, t->at + i + 1, (t->nr - i) * sizeof(*t->at));
}

int bw_root_add_range(const void *low, size_t bytes)
{
	const char *from = low, *end;
	size_t i;
	int err = 0;

	if ((uintptr_t)low % 8 || !bytes ||
	    __builtin_add_overflow((uintptr_t)low, bytes, (uintptr_t *)&end))
		return -EINVAL;
	bw_lock(&roots.lock);
	i = place_of(&roots.given, from);
	if (is_at(&roots.given, i, from))
		err = -EEXIST;
	else if (!insert(&roots.given, i, from, end))
		err = -ENOMEM;
	bw_unlock(&roots.lock);
	return err;
}

bool bw_root_del_range(const void *low)
{
	bool there;
	size_t i;

	bw_lock(&roots.lock);
	i = place_of(&roots.given, low);
	there = is_at(&roots.given, i, low);
	if (there)
		cut(&roots.given, i);
	bw_unlock(&roots.lock);
	return there;
}

int bw_pin_add(void *p)
{
	int err = 0;
	size_t i;

	bw_lock(&roots.lock);
	i = place_of(&roots.pins, p);
	if (is_at(&roots.pins, i, p))
		roots.pins.at[i].count++;
	else if (!insert(&roots.pins, i, p, p))
		err = -ENOMEM;
	bw_unlock(&roots.lock);
	return err;
}

bool bw_pin_del(void *p)
{
	bool there;
	size_t i;

	bw_lock(&roots.lock);
	i = place_of(&roots.pins, p);
	there = is_at(&roots.pins, i, p);
	if (there && !--roots.pins.at[i].count)
		cut(&roots.pins, i);
	bw_unlock(&roots.lock);
	return there;
}

u32 *bw_root_lock(void)
{
	return &roots.lock.word;
}

void bw_root_set_data(bool on)
{
	WRITE_ONCE(roots.skip_data, !on);
}

/**
 * struct hold - bw_root_hold() under way				[caller]
 */
struct hold {
	void (*fn)(void *arg);
	void *arg;
	unsigned long long adds, subs;
	bool known;
	bool done;
	bool lost;
};

static void add_segment(struct hold *h, const char *low, const char *end)
{
	if (!insert(&roots.data, roots.data.nr, low, end))
		h->lost = true;
}

/*
 * The first time round ranges are collected. The second time, if nothing came or
 * went meanwhile, the first call does the work, and the lock is held (R1).
 */
static int each_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct hold *h = arg;
	u32 i;

	if (h->known) {
		if (h->adds != info->dlpi_adds || h->subs != info->dlpi_subs)
			return 1;
		h->done = true;
		h->fn(h->arg);
		return 1;
	}
	h->adds = info->dlpi_adds;
	h->subs = info->dlpi_subs;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const __typeof__(*info->dlpi_phdr) *ph = info->dlpi_phdr + i;
		const char *low = (const char *)info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && ph->p_flags & PF_W)
			add_segment(h, low, low + ph->p_memsz);
	}
	return 0;
}

bool bw_root_hold(void (*fn)(void *arg), void *arg)
{
	struct hold h = { .fn = fn, .arg = arg };

	while (!h.done && !h.lost) {
		h.known = false;
		roots.data.nr = 0;
		dl_iterate_phdr(each_library, &h);
		h.known = true;
		if (!h.lost)
			dl_iterate_phdr(each_library, &h);
	}
	return h.done;
}

static void each_of(const struct table *t, bw_root_fn *fn, void *arg)
{
	size_t i;

	for (i = 0; i < t->nr; i++) {
		const char *low = t->at[i].low, *end = t->at[i].end;

		low += -(uintptr_t)low % 8;
		end -= (uintptr_t)end % 8;
		if (low < end)
			fn(low, end, arg);
	}
}

void bw_root_each(bw_root_fn *fn, void *arg)
{
	size_t i;

	if (!READ_ONCE(roots.skip_data))
		each_of(&roots.data, fn, arg);
	each_of(&roots.given, fn, arg);
	/* a pin's address is its pointer */
	for (i = 0; i < roots.pins.nr; i++)
		fn((const char *)&roots.pins.at[i].low,
		   (const char *)(&roots.pins.at[i].low + 1), arg);
}
