// SPDX-License-Identifier: MIT
//
// barriers: plain stores of pointers into objects become stores that the
// collector sees (burrow/barrier.h).
//
//	make barriers FILES='a.c b.c'			shows what would change
//	spatch --sp-file barriers.cocci --in-place a.c	changes it
//
// An object's struct is one that BW_TYPE() or BW_TYPE_TAIL() names, or that the
// file makes with bw_new_plain() or bw_alloc(). Of the first the named fields are
// pointers; of the others every field that is given one. The definition of the
// struct has to be seen: --include-headers, or in the file itself.
//
// A store through a pointer is rewritten even if what it points to may be on a
// stack, or new: that costs a test, and is right. One to a variable stays.
//
// What cannot be rewritten without knowing more is told on standard error: a
// struct that is copied as a whole, memcpy() and its kin over objects, qsort(),
// an assignment within an expression, and a store with sequential consistency.

// "disable ptr_to_array": else p->f stands for p[i].f, too, and i would be lost.

// Which structs, and which of their fields.

@named@
identifier n, f;
type T;
expression list before, after;
declarer name BW_TYPE;
@@
BW_TYPE(n, T, before, f, after);

@tailed@
identifier n, f;
type T;
expression list before, after;
declarer name BW_TYPE_TAIL;
@@
BW_TYPE_TAIL(n, T, before, f, after);

@plain@
type T;
T *p;
@@
(
p = bw_alloc(...)
|
p = bw_alloc_array(...)
|
p = bw_new_plain(...)
)

@plain_init@
type T;
identifier p;
@@
(
T *p = bw_alloc(...);
|
T *p = bw_alloc_array(...);
|
T *p = bw_new_plain(...);
)

// A named field, or an element of one that is an array.

@disable ptr_to_array@
type named.T;
identifier named.f;
T *p;
expression e, i;
@@
(
- p->f = e;
+ bw_set(&p->f, e);
|
- p->f[i] = e;
+ bw_set(&p->f[i], e);
|
- p[i].f = e;
+ bw_set(&p[i].f, e);
|
- p->f += e;
+ bw_set(&p->f, p->f + (e));
|
- p->f -= e;
+ bw_set(&p->f, p->f - (e));
|
- p->f++;
+ bw_set(&p->f, p->f + 1);
)

@disable ptr_to_array@
type tailed.T;
identifier tailed.f;
T *p;
expression e, i;
@@
(
- p->f = e;
+ bw_set(&p->f, e);
|
- p->f[i] = e;
+ bw_set(&p->f[i], e);
)

// Any field that is given a pointer.

@disable ptr_to_array@
type plain.T;
T *p;
identifier f;
expression *e;
expression i;
@@
(
- p->f = e;
+ bw_set(&p->f, e);
|
- p->f = NULL;
+ bw_set(&p->f, NULL);
|
- p->f[i] = e;
+ bw_set(&p->f[i], e);
|
- p->f[i] = NULL;
+ bw_set(&p->f[i], NULL);
)

@disable ptr_to_array@
type plain_init.T;
T *p;
identifier f;
expression *e;
expression i;
@@
(
- p->f = e;
+ bw_set(&p->f, e);
|
- p->f = NULL;
+ bw_set(&p->f, NULL);
|
- p->f[i] = e;
+ bw_set(&p->f[i], e);
|
- p->f[i] = NULL;
+ bw_set(&p->f[i], NULL);
)

// An array of pointers that this function made.

@@
type T;
T **p;
expression e, i;
@@
(
p = bw_alloc(...)
|
p = bw_alloc_array(...)
)
<...
- p[i] = e;
+ bw_set(&p[i], e);
...>

@@
type T;
identifier p;
expression e, i;
@@
(
T **p = bw_alloc(...);
|
T **p = bw_alloc_array(...);
)
<...
- p[i] = e;
+ bw_set(&p[i], e);
...>

// Atomics.

@disable ptr_to_array@
type named.T;
identifier named.f;
T *p;
expression e, old, weak, good, bad;
@@
(
- __atomic_store_n(&p->f, e, __ATOMIC_RELAXED);
+ bw_set(&p->f, e);
|
- __atomic_store_n(&p->f, e, __ATOMIC_RELEASE);
+ bw_set(&p->f, e);
|
- __atomic_exchange_n(&p->f, e, good)
+ bw_xchg(&p->f, e)
|
- __atomic_compare_exchange_n(&p->f, old, e, weak, good, bad)
+ bw_cas(&p->f, old, e)
)

// What is left is told.

@left disable ptr_to_array@
type named.T;
identifier named.f;
T *p;
T x;
expression e, q;
position at;
@@
(
p->f@at = e
|
 *p@at = e
|
p[q]@at = x
|
memcpy@at(p, ...)
|
memmove@at(p, ...)
|
memset@at(p, ...)
|
qsort@at(p, ...)
|
__atomic_store_n@at(&p->f, e, __ATOMIC_SEQ_CST)
)

@script:python@
at << left.at;
@@
import sys
sys.stderr.write("%s:%s: pointers are stored here in a way that the collector "
		 "does not see\n" % (at[0].file, at[0].line))
