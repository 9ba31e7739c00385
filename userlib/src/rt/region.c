// SPDX-License-Identifier: MIT
/* region: the public calls, on the heap of the process (heap/region.c). */
#include "alloc.h"
#include "heap/region.h"

static void *or_enomem(void *p)
{
	if (unlikely(!p))
		errno = ENOMEM;
	return p;
}

struct bw_region *bw_region_make(void)
{
	struct bw_mcache *c;
	void *r;

	bw_section_begin();
	c = bw_mcache_attach();
	r = or_enomem(c ? bw_region_make_on(c->heap) : NULL);
	bw_section_end();
	return r;
}

void *bw_region_alloc(struct bw_region *r, size_t n)
{
	void *p;

	bw_section_begin();
	p = or_enomem(bw_region_take(r, n));
	bw_section_end();
	return p;
}

void bw_region_reset(struct bw_region *r)
{
	bw_section_begin();
	bw_region_empty(r);
	bw_section_end();
}

void bw_region_free(struct bw_region *r)
{
	if (!r)
		return;
	bw_section_begin();
	bw_region_end(r);
	bw_section_end();
}
