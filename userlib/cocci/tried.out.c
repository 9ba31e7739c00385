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

	bw_set(&n->next, list);
	n->id = id;
	return n;
}

void fields(struct node *a, struct node *b, int i)
{
	bw_set(&a->next, b);
	bw_set(&a->next->next, NULL);
	bw_set(&a->kid[i], b);
	bw_set(&a[1].next, b);
	bw_set(&a->text, a->text + (3));
	bw_set(&a->text, a->text + 1);
	a->id = i;
}

void tail(struct table *t, struct node *n, size_t i)
{
	bw_set(&t->slot[i], n);
	bw_set(&t->first, n);
	t->nr = i;
}

void untyped(struct node *n)
{
	struct plain *p = bw_new_plain(struct plain), *q;

	q = bw_alloc(sizeof(*q));
	bw_set(&p->next, q);
	bw_set(&p->node, n);
	p->id = 3;
	bw_set(&q->next, NULL);
}

void array(struct node *n)
{
	struct node **list = bw_alloc(8 * sizeof(*list));

	bw_set(&list[3], n);
}

void atomics(struct node *a, struct node *b)
{
	struct node *old = NULL;

	bw_set(&a->next, b);
	old = bw_xchg(&a->next, b);
	bw_cas(&a->next, &old, b);
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
