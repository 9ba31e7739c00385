// SPDX-License-Identifier: MIT
/*
 * slice: arrays that grow.
 *
 *	bw_append()		burrow/slice.h	there is room: a store
 *	  bw_slice_grow()	<- here		a new object, by Go's curve
 *
 * Growth is by two up to CURVE elements; from there on by a quarter and three quarters
 * of CURVE, so that the curve has no step; what the object's slot has beyond that is
 * capacity, too. The old object is not freed: other slices may be parts of it.
 */
#include "base/atomic.h"
#include "base/throw.h"
#include "burrow/alloc.h"
#include "burrow/slice.h"
#include "heap/sizeclass.h"

#define CURVE		256U
#define PAGE		((size_t)BURROW_PAGE_SIZE)

static bool has_pointers(const struct bw_type *t)
{
	return t == BW_SLICE_PTR || (t && t->flags & BW_TYPE_HAS_POINTERS);
}

void bw_slice_die(size_t i, size_t len)
{
	bw_fatal("index %zu of a slice of length %zu", i, len);
}

void bw_slice_die_part(size_t from, size_t to, size_t max, size_t cap)
{
	bw_fatal("part [%zu:%zu:%zu] of a slice of capacity %zu", from, to,
		 max, cap);
}

/* Elements of which @need are needed, where there were @cap; SIZE_MAX: too many. */
static size_t next_cap(size_t cap, size_t need)
{
	size_t next = cap;

	if (need > cap * 2 || cap > SIZE_MAX / 4)
		return need;
	if (cap < CURVE)
		return cap * 2;
	while (next < need)
		next += (next + 3 * CURVE) / 4;
	return next;
}

/* What the slot of an object of @bytes has. */
static size_t whole_slot(size_t bytes)
{
	if (bytes <= BW_OBJECT_MAX)
		return bw_sizeclass[bw_class_of(bytes)].size;
	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

/* Zeros; without pointers, but for the first @used, which come from elsewhere. */
static void *object(const struct bw_type *t, size_t size, size_t n, size_t used)
{
	char *p;

	if (t == BW_SLICE_PTR)
		return bw_alloc_array(n, size);
	if (has_pointers(t))
		return bw_alloc_type_array(t, n);
	if (!used)
		return bw_alloc_noscan(n * size);
	p = bw_alloc_raw(n * size);
	if (p)
		memset(p + used * size, 0, (n - used) * size);
	return p;
}

static void check_type(size_t size, const struct bw_type *t)
{
	if (t == BW_SLICE_PTR ? size != sizeof(void *) : t && t->size != size)
		bw_fatal("a slice of elements of %zu bytes, and a type of others",
			 size);
}

/* @n elements or more: how many, of which @used are copied. NULL: no memory */
static void *room(const struct bw_type *t, size_t size, size_t *n, size_t used)
{
	size_t bytes;

	check_type(size, t);
	if (__builtin_mul_overflow(*n, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	if (size)
		*n = whole_slot(bytes) / size;
	return object(t, size, *n, used);
}

static void move(void *to, const void *from, size_t bytes,
		 const struct bw_type *t)
{
	if (!bytes)
		return;
	if (has_pointers(t))
		bw_copy_slots(to, from, bytes / sizeof(void *));
	else
		memmove(to, from, bytes);
}

int bw_slice_grow(void *slice, size_t size, const struct bw_type *t, size_t more)
{
	struct bw_slice_any *s = slice;
	size_t need, cap;
	void *p;

	if (__builtin_add_overflow(s->len, more, &need))
		return -ENOMEM;
	if (need <= s->cap)
		return 0;
	cap = next_cap(s->cap, need);
	p = room(t, size, &cap, s->len);
	if (!p)
		return -ENOMEM;
	move(p, s->ptr, s->len * size, t);
	/* the slice may be in an object: its pointer is stored like any */
	bw_set(&s->ptr, p);
	s->cap = cap;
	return 0;
}

int bw_slice_init(void *slice, size_t size, const struct bw_type *t, size_t len,
		  size_t cap)
{
	struct bw_slice_any *s = slice;
	void *p = NULL;

	if (cap < len)
		cap = len;
	if (cap) {
		p = room(t, size, &cap, 0);
		if (!p)
			return -ENOMEM;
	}
	bw_set(&s->ptr, p);
	s->len = len;
	s->cap = cap;
	return 0;
}

int bw_slice_add(void *slice, size_t size, const struct bw_type *t,
		 const void *from, size_t n)
{
	struct bw_slice_any *s = slice;

	if (n > s->cap - s->len) {
		int err = bw_slice_grow(slice, size, t, n);

		if (err)
			return err;
	}
	move((char *)s->ptr + s->len * size, from, n * size, t);
	s->len += n;
	return 0;
}

size_t bw_slice_move(void *to, size_t nr_to, const void *from, size_t nr_from,
		     size_t size, const struct bw_type *t)
{
	size_t n = min(nr_to, nr_from);

	move(to, from, n * size, t);
	return n;
}

void bw_slice_zero(void *p, size_t bytes, const struct bw_type *t)
{
	size_t i;

	if (!bytes)
		return;
	if (!has_pointers(t)) {
		memset(p, 0, bytes);
		return;
	}
	for (i = 0; i < bytes / sizeof(void *); i++)
		bw_set_slot((void **)p + i, NULL);
}
