// SPDX-License-Identifier: MIT
/* What barriers.cocci is tried on; tried.out.c is what comes of it. */
#include <stdlib.h>
#include <string.h>

#include <burrow/burrow.h>
#include <burrow/alloc.h>
#include <burrow/barrier.h>
#include <burrow/type.h>

struct node {
	struct node *next;
	long id;
	struct node *kid[4];
	char *text;
};

BW_TYPE(node, struct node, next, kid, text);

struct table {
	struct node *first;
	size_t nr;
	struct node *slot[];
};

BW_TYPE_TAIL(table, struct table, slot, first);

struct plain {
	struct plain *next;
	struct node *node;
	long id;
};

/* Not an object's: it stays. */
struct local {
	struct node *top;
};

struct node *push(struct node *list, long id)
{
	struct node *n = bw_new(node);

	n->next = list;
	n->id = id;
	return n;
}

void fields(struct node *a, struct node *b, int i)
{
	a->next = b;
	a->next->next = NULL;
	a->kid[i] = b;
	a[1].next = b;
	a->text += 3;
	a->text++;
	a->id = i;
}

void tail(struct table *t, struct node *n, size_t i)
{
	t->slot[i] = n;
	t->first = n;
	t->nr = i;
}

void untyped(struct node *n)
{
	struct plain *p = bw_new_plain(struct plain), *q;

	q = bw_alloc(sizeof(*q));
	p->next = q;
	p->node = n;
	p->id = 3;
	q->next = NULL;
}

void array(struct node *n)
{
	struct node **list = bw_alloc(8 * sizeof(*list));

	list[3] = n;
}

void atomics(struct node *a, struct node *b)
{
	struct node *old = NULL;

	__atomic_store_n(&a->next, b, __ATOMIC_RELEASE);
	old = __atomic_exchange_n(&a->next, b, __ATOMIC_SEQ_CST);
	__atomic_compare_exchange_n(&a->next, &old, b, 0, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
}

void variables(struct node *n)
{
	struct local l;
	struct node *list;
	struct node x;

	l.top = n;
	list = l.top;
	x.next = list;
	push(&x, 1);
}

/* Left as they are. */
void others(struct node *a, struct node *b, struct node *c)
{
	/* is told */
	*a = *b;
	/* is told */
	memcpy(a, b, sizeof(*a));
	/* is told */
	while ((a->next = c))
		a->id = 1;
	/* is told */
	__atomic_store_n(&a->next, b, __ATOMIC_SEQ_CST);
}
