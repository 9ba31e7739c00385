#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mutants: plants one bug at a time in a copy of kmod/core and sees which test
# finds it. A bug that no test finds is a hole in the tests; one whose sed no
# longer changes anything is a hole in this list. Both fail.
#
#	usage: mutants.sh DIR [PATTERN]		only those whose name matches
set -u

dir=$1
only=${2:-.}
cc=${CORE_CC:-gcc}
found=0
missed=0

rm -rf "$dir"
mkdir -p "$dir"

# The first test that fails, or nothing.
hunt()
{
	for t in rows exhaustive kinds window pieces differential reader; do
		if ! timeout 300 make -s -C "$dir/tree" -f selftests/core.mk \
		     O=out CORE_CC="$cc" CORE_WERROR=-w "out/core/$cc/$t" \
		     > "$dir/make.log" 2>&1; then
			cat "$dir/make.log" >&2
			echo 'THE COMPILER'
			return
		fi
		if ! timeout 200 "$dir/tree/out/core/$cc/$t" \
		     > "$dir/$t.log" 2>&1; then
			echo "$t"
			return
		fi
	done
}

plant()
{
	rm -rf "$dir/tree"
	mkdir -p "$dir/tree/kmod" "$dir/tree/selftests"
	cp -R uapi "$dir/tree/"
	cp -R kmod/core kmod/tests "$dir/tree/kmod/"
	cp -R selftests/core selftests/fuzz selftests/core.mk \
		"$dir/tree/selftests/"
}

# mutant NAME FILE SED
mutant()
{
	echo "$1" | grep -q "$only" || return 0
	plant
	sed -i "$3" "$dir/tree/kmod/core/$2"
	if cmp -s "kmod/core/$2" "$dir/tree/kmod/core/$2"; then
		echo "  STALE  $1"
		missed=$((missed + 1))
		return
	fi
	by=$(hunt)
	case $by in
	'' | 'THE COMPILER')
		echo "  MISSED $1${by:+ (by $by)}"
		missed=$((missed + 1))
		;;
	*)
		echo "  found  $1 (by $by)"
		found=$((found + 1))
		;;
	esac
}

plant
by=$(hunt)
if [ -n "$by" ]; then
	echo "  the heap as it is fails already (by $by)"
	exit 1
fi

m=pagemap.c
mutant 'a run that fits exactly is not taken' $m \
	's/return s->run >= s->need + /return s->run > s->need + /'
mutant 'a run one page short is taken' $m \
	's/return s->run >= s->need + /return s->run + 1 >= s->need + /'
mutant 'a run ends in a word and goes on in the next' $m \
	'/^static bool search_bits/,/^}/s/\ts->run = 0;//'
mutant 'the search loses the run before a node' $m \
	's/s->run = sum->end;/s->run = 0;/'
mutant 'a run begins where its node does' $m \
	's/s->page = first + size - sum->end;/s->page = first;/'
mutant 'a node with just enough is skipped' $m \
	's/if (sum->max >= s->need)/if (sum->max > s->need)/'
mutant 'alignment is counted from the wrong side' $m \
	's/(u64)(-s->page & s->mask)/(u64)(s->page \& s->mask)/'
mutant 'an aligned run begins where the free one does' $m \
	's/return (s->page + s->mask) & ~s->mask;/return s->page;/'
mutant 'the longest run inside a word is not looked for' $m \
	's/if (s.max < env_popcount(x))/if (s.max + 1 < env_popcount(x))/'
mutant 'the end of a chunk is the longest run' $m \
	'/^static struct bw_sum sum_of_bits/,/^}/s/s.end = run;/s.end = s.max;/'
mutant 'a summary forgets the run before a child' $m \
	's/s.max = max(s.max, max(run, kid\[c\].max));/s.max = max(s.max, kid[c].max);/'
mutant 'a summary takes the longest run for the last' $m \
	's/run = kid\[c\].end;/run = kid[c].max;/'
mutant 'the last chunk of a range is not summed' $m \
	's/for (i = lo; i <= hi; i++) {/for (i = lo; i < hi; i++) {/'
mutant 'the root is not summed' $m \
	's/changed \&\& level < pm->nr_levels/changed \&\& level + 1 < pm->nr_levels/'
mutant 'pages move and no summary knows' $m \
	'/^static void flip/,/^}/s/\tstale(pm, page, npages);//'
mutant 'of two stale ranges the second is forgotten' $m \
	's/pm->stale_hi = max(pm->stale_hi, hi);/;/'
mutant 'an arena goes and no summary knows' $m \
	'/^void bw_pagemap_arena_del/,/^}/s/\tstale(.*;/(void)pm;/'
mutant 'the hint skips a page when one is taken' $m \
	's/pm->hint = page + npages;/pm->hint = page + npages + 1;/'
mutant 'the hint stays when a page below is given back' $m \
	'/^void bw_pagemap_give/,/^}/s/pm->hint = min(pm->hint, page);//'
mutant 'the hint stays when an arena appears below' $m \
	'/^void bw_pagemap_arena_clone/,/^}/s/pm->hint = min(pm->hint, page);//'
mutant 'the hint follows large requests' $m \
	's/if (npages == 1 && align == 1 /if (align == 1 /'
mutant 'the hint follows aligned requests' $m \
	's/if (npages == 1 && align == 1 /if (npages == 1 /'
mutant 'a search trusts stale summaries' $m \
	'/^u32 bw_pagemap_find/,/find_from/s/\tsettle(pm);//'
mutant 'a piece forgets the run before its end' $m \
	'/^static bool search_cut/,/^}/s/if (!s->run)/if (s)/'
mutant 'the next piece begins at the hint again' $m \
	'/^u32 bw_pagemap_find_some/,/^}/s/if (\*from <= pm->hint)/if (*from)/'
mutant 'a search that was cut is over' $m \
	'/^static u32 find_from/,/^}/s/\*from = s.page/*from = BW_NO_PAGE/'
mutant 'a piece has no end' $m \
	'/^static u32 find_from/,/^}/s/\.steps = steps/.steps = ~0U/'
mutant 'a short run at the hint is good enough' $m \
	'/^static u32 find_at_hint/,/^}/s/.need = npages/.need = min(npages, 9U)/'
mutant 'the free pages behind a span are counted short' $m \
	'/^u32 bw_pagemap_run/,/^}/s/if (ones < 64 - off % 64)/if (ones < 64)/'

mutant 'an arena appears and no summary knows' $m \
	'/^void bw_pagemap_arena_clone/,/^}/s/\tstale(.*;//'
mutant 'the summaries above a cloned arena are not mended' $m \
	'/^void bw_pagemap_arena_clone/,/^}/s/\tmemset(leaf->chunk.*;//'
mutant 'an arena that appears is not all free' $m \
	's/memset(leaf->free, 0xff, sizeof(leaf->free))/memset(leaf->free, 0xff, sizeof(leaf->free) - 1)/'
mutant 'the map behind another begins at an odd place' $m \
	's/return (bytes + 7) & ~(size_t)7;/return bytes;/'

m=coreheap.c
mutant 'there is memory for the map of one kind only' $m \
	's/BURROW_NR_ARENA_KINDS \* bw_pagemap_bytes(nr_arenas)/bw_pagemap_bytes(nr_arenas)/'
mutant 'a wide run is one page too short' $m \
	'/^static u32 find_place/,/^}/s/npages + align - 1, 1/npages + align - 2, 1/'
mutant 'a wide run is not aligned' $m \
	'/^static u32 find_place/,/^}/s/page = (page + align - 1).*/;/'
mutant 'each span of a call searches from the left' $m \
	'/^static u32 find_place/,/^}/s/first ? 0 : page/0/'
mutant 'the maps of all kinds share their memory' $m \
	's/tables + kind \* bw_pagemap_bytes(nr_arenas)/tables/'
mutant 'an arena enters the map of another kind' $m \
	's/bw_pagemap_arena_add(&core->map\[arena->kind\]/bw_pagemap_arena_add(\&core->map[0]/'
mutant 'an arena leaves the map of another kind' $m \
	's/bw_pagemap_arena_del(&core->map\[a->kind\]/bw_pagemap_arena_del(\&core->map[0]/'
mutant 'pages move in the map of another kind' $m \
	's/return &core->map\[bw_core_arena_of(core, page)->kind\];/return \&core->map[0 * page];/'
mutant 'a span is looked for in arenas of another kind' $m \
	's/map = &core->map\[req->arena_kind\];/map = \&core->map[0];/'
mutant 'a reclaim crosses a border of kinds' $m \
	's/if (!a || a->kind != kind)/if (!a || kind > 99)/'
mutant 'a reclaim stops at each border of arenas' $m \
	's/if (!a || a->kind != kind)/if (!a || (n \&\& !off))/'
mutant 'a range of another kind is never unused' $m \
	'/^bool bw_core_range_is_unused/,/^}/s/if (head == BW_NO_PAGE) {/if (head == BW_NO_PAGE \&\& bw_core_arena_of(core, page)->kind)\n\t\t\treturn false;\n\t\t&/'
mutant 'a huge arena loses pages that are no unit' $m \
	's/& ~(unit - 1);/;/'
mutant 'a reclaim begins inside a unit' $m \
	'/^static u32 find_lazy/,/^}/s/if (at % unit)/if (!unit)/'
mutant 'a reclaim of a few pages takes none of a huge arena' $m \
	's/min(max(most, unit), end - at)/min(most, end - at)/'
mutant 'a unit that may not go hides those behind it' $m \
	's/page = at + unit - at % unit;/page = end;/'
mutant 'a guard is filled' $m \
	's/!(word & BURROW_W_GUARD \&\& .*);/true;/'
mutant 'a guard is one page too short' $m \
	's/page - head < BURROW_GUARD_PAGES/page - head + 1 < BURROW_GUARD_PAGES/'
mutant 'a guard is one page too long' $m \
	's/page - head < BURROW_GUARD_PAGES/page - head <= BURROW_GUARD_PAGES/'
mutant 'all spans have a guard' $m \
	's/!(word & BURROW_W_GUARD \&\& /!(/'
mutant 'a guard may be touched' $m \
	'/^bool bw_core_page_is_usable/,/^}/s/if (bw_core_page_is_fillable(core, page))/if (bw_span_head_of(core, page) != BW_NO_PAGE \&\& (bw_core_page_is_fillable(core, page) || bw_core_page_is_fillable(core, page + BURROW_GUARD_PAGES)))/'
mutant 'the flags of a request are forgotten' $m \
	's/req->flags | flags));/flags));/'
mutant 'needzero drives out the flags of a request' $m \
	's/req->flags | flags));/flags ? flags : req->flags));/'
mutant 'a span that is discarded is found as a good one' $m \
	'/^int bw_core_span_find/,/^}/s/return -EBUSY;/return 0;/'
mutant 'a name that is stale is busy' $m \
	'/^int bw_core_span_find/,/^}/s/return -ESTALE;/return -EBUSY;/'
mutant 'a run under reclaim is found as a span' $m \
	'/^int bw_core_span_find/,/^}/s/default:/case BURROW_SPAN_RECLAIMING:\n\t\treturn 0;\n\t&/'
mutant 'a range is resident only if its last page is' $m \
	'/^bool bw_core_is_resident/,/^}/s/a->resident\[w\] & mask/a->resident[w] \& mask \& ~(mask >> 1)/'
mutant 'a range is resident where it is not' $m \
	'/^bool bw_core_is_resident/,/^}/s/a->resident\[w\] & mask/a->resident[w]/'
mutant 'a clone has words of its own for half an arena' $m \
	's/memcpy(kwords, from->kwords, BURROW_KMETA_SIZE);/memcpy(kwords, from->kwords, BURROW_KMETA_SIZE \/ 2);/'
mutant 'a clone writes the words of the original' $m \
	'/^void bw_core_arena_clone/,/^}/s/\tarena->kwords = kwords;//'
mutant 'a clone forgets what was resident' $m \
	'/^void bw_core_arena_clone/,/^}/s/arena->kwords = kwords;/&\n\tmemset(arena->resident, 0, sizeof(arena->resident));/'
mutant 'a cloned arena enters the map of another kind' $m \
	's/bw_pagemap_arena_clone(&core->map\[arena->kind\]/bw_pagemap_arena_clone(\&core->map[0]/'
mutant 'a cloned arena is all free' $m \
	'/^void bw_core_arena_clone/,/^}/s/bw_pagemap_arena_clone(/bw_pagemap_arena_add(/'
mutant 'a clone gives out generations from the start' $m \
	's/core->gen = from->gen;//'
mutant 'a clone counts no spans' $m \
	's/core->nr_spans = from->nr_spans;//'
mutant 'a clone counts no live pages' $m \
	's/core->nr_live = from->nr_live;//'
mutant 'a clone counts no free pages' $m \
	's/core->nr_free = from->nr_free;//'
mutant 'a clone counts no lazy pages' $m \
	's/core->nr_lazy = from->nr_lazy;//'
mutant 'a generation is given out twice' $m \
	's/core->gen = (core->gen + 1)/core->gen = (core->gen | 1)/'
mutant 'generations do not wrap' $m \
	's/(core->gen + 1) & BURROW_GEN_MASK/core->gen + 1/'
mutant 'a span of seen pages is born without needzero' $m \
	's/BURROW_W_NEEDZERO : 0;/0 : 0;/'
mutant 'one seen page in a batch makes all of it needzero' $m \
	's/lazy && bw_core_is_resident(core, page, n)/lazy/'
mutant 'a span may be too large for its head word' $m \
	's/if (n >> BURROW_W_NPAGES_BITS)/if (!n)/'
mutant 'a batch is one span too long' $m \
	's/bw_pagemap_run(map, page, nr \* n) \/ n/bw_pagemap_run(map, page, nr * n + n) \/ n/'
mutant 'a span is freed while it is discarded' $m \
	'/^int bw_core_span_free/,/^}/s/if (err)/if (err \&\& err != -EBUSY)/'
mutant 'a run under reclaim is freed' $m \
	'/^int bw_core_span_free/,/^}/s/if (err)/if (err \&\& !find_run(core, page, gen, \&word))/'
mutant 'a name of another generation is good' $m \
	's/burrow_word_gen(\*word) == gen;/(gen | 1);/'
mutant 'a discard reaches beyond its span' $m \
	's/npages > burrow_word_low(word) - (page - head))/npages > burrow_word_low(word) - (page - head) + 1)/'
mutant 'a span is discarded twice at once' $m \
	'/^int bw_core_discard_begin/,/^}/s/return -EBUSY/(void)0/'
mutant 'a claim ends what has its name by chance' $m \
	's/burrow_word_state(word) == state &&/state \&\&/'
mutant 'reclaimed pages stay resident' $m \
	'/^static void run_end/,/^}/s/\tbw_core_clear_resident(.*;//'
mutant 'the lazy count forgets what is freed' $m \
	's/core->nr_lazy += lazy;//'
mutant 'an arena counts lazy pages that are taken' $m \
	's/a->nr_lazy += free ? res : -res;/a->nr_lazy += free ? res : 0;/'
mutant 'a reclaim takes pages behind the end' $m \
	's/min(max(most, unit), end - at)/max(most, unit)/'
mutant 'a reclaim takes live pages' $m \
	'/^static u32 next_lazy/,/^}/s/a->leaf.free\[off \/ 64\] & //'
mutant 'a reclaim looks for lazy pages in the next word too soon' $m \
	'/^static u32 next_lazy/,/^}/s/page += 64 - off % 64;/page += 64;/'
mutant 'an arena that goes leaves a run behind as a span' $m \
	'/^void bw_core_arena_del/,/^}/s/== BURROW_SPAN_RECLAIMING/== 99/'
mutant 'an arena that goes skips what follows a crossing span' $m \
	'/^void bw_core_arena_del/,/^}/s/page = head + npages;/page += npages;/'
mutant 'an arena that goes keeps its lazy pages counted' $m \
	'/^void bw_core_arena_del/,/^}/s/core->nr_lazy -= a->nr_lazy;//'
mutant 'a page under reclaim is usable' $m \
	'/^bool bw_core_page_is_usable/,/^}/s/== BURROW_TAG_NONE/!= 99/'
mutant 'a run under reclaim is a span to a fault' $m \
	'/^bool bw_core_page_is_fillable/,/^}/s/!= BURROW_SPAN_RECLAIMING/!= 99/'
mutant 'a range is lazy only if its first page is' $m \
	'/^bool bw_core_is_lazy/,/^}/s/< page + npages;/== page;/'
mutant 'a claim stands though its arena went' $m \
	'/^bool bw_core_run_is_there/,/^}/s/return find_run/return !find_run/'
mutant 'a span grows over what is not free' $m \
	's/page + had, more) < more)/page + had, more) < 1)/'
mutant 'a span grows one page short of what is free only' $m \
	's/page + had, more) < more)/page + had, more + 1) <= more)/'
mutant 'a span grows over seen pages and says nothing' $m \
	's/lazy ? BURROW_W_NEEDZERO : 0);/0);/'
mutant 'a span that grows is live as before' $m \
	's/core->nr_live += more;//'
mutant 'a span that shrinks is live as before' $m \
	's/core->nr_live -= tail->npages;//'
mutant 'a span grows to a length it has' $m \
	's/if (npages <= had)/if (npages < had)/'
mutant 'a span shrinks to nothing' $m \
	's/if (!npages || npages >= burrow_word_low(word))/if (npages >= burrow_word_low(word))/'
mutant 'a span grows while it is discarded' $m \
	'/^int bw_core_span_extend/,/^}/s/if (err)/if (err \&\& err != -EBUSY)/'
mutant 'a span grows longer than its head word can say' $m \
	's/if (npages >> BURROW_W_NPAGES_BITS ||/if (!npages ||/'

m=coreheap_check.c
mutant 'check looks at the map of one kind only' $m \
	'/^int bw_core_check/,/^}/s/kind < BURROW_NR_ARENA_KINDS/kind < 1/'
mutant 'check does not see a span in arenas of two kinds' $m \
	's/if (bw_core_arena_of(core, start)->kind != a->kind)/if (!core)/'
mutant 'check looks for free pages in the map of another kind' $m \
	's/bw_pagemap_is_free(&core->map\[a->kind\], page)/bw_pagemap_is_free(\&core->map[0], page)/'
mutant 'check does not see a head that is too long' $m \
	's/if (all.covered != all.claimed)/if (!core)/'

m=span.c
mutant 'a span is longer before its bodies are there' $m \
	'/^void bw_span_extend/,/^}/s/^\tfill(core, page + had, npages - had,$/\tsmp_store_release(bw_span_word(core, page), with_length(head, npages) | flags);\n&/'
mutant 'a span that shrinks leaves bodies behind' $m \
	's/fill(core, page + npages, had - npages, 0);//'
mutant 'a span is seen before its bodies are there' $m \
	's/^\tfill(core, page + 1, npages - 1,$/\tsmp_store_release(bw_span_word(core, page), head);\n&/'
mutant 'a body has no generation' $m \
	's/burrow_word_body(page, burrow_word_gen(head))/burrow_word_body(page, 0)/'
mutant 'a span that goes leaves bodies behind' $m \
	's/fill(core, page + 1, npages - 1, 0);/fill(core, page + 1, npages \/ 2, 0);/'
mutant 'a state leaves bits of the one before' $m \
	's/(\*word & ~(mask << BURROW_W_STATE_SHIFT))/*word/'
mutant 'a body is taken for its own head' $m \
	'/^u32 bw_span_head_of/,/^}/s/return burrow_word_low(word);/return page;/'

echo "mutants: $found found, $missed missed"
[ "$missed" -eq 0 ] && [ "$found" -gt 0 ]
