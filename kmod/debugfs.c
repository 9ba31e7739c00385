// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: /sys/kernel/debug/burrow/<serial number>, a page about each heap,
 * and the place where the tracepoints live.
 */
#include <linux/debugfs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "heap.h"

#define CREATE_TRACE_POINTS
#include "burrow_trace.h"

static struct dentry *burrow_dir;
static atomic_t last_id;

/* Live spans by kind and class, as the K-words say. */
struct census {
	u32 spans[BURROW_NR_KINDS][BURROW_NR_CLASSES];
	u64 pages[BURROW_NR_KINDS][BURROW_NR_CLASSES];
	u32 discarding;
	u32 reclaiming;
};

static void count_arena_locked(const struct bw_arena *arena, struct census *c)
{
	u32 i;

	for (i = 0; i < BURROW_ARENA_PAGES; i++) {
		u64 word = arena->kwords[i];
		u32 kind = burrow_word_kind(word), cls = burrow_word_class(word);

		if (burrow_word_tag(word) != BURROW_TAG_HEAD)
			continue;
		if (burrow_word_state(word) == BURROW_SPAN_RECLAIMING) {
			c->reclaiming++;
			continue;
		}
		c->discarding +=
			burrow_word_state(word) == BURROW_SPAN_DISCARDING;
		c->spans[kind][cls]++;
		c->pages[kind][cls] += burrow_word_low(word);
	}
}

static void show_arenas(struct seq_file *m, struct bw_heap *heap,
			struct census *c)
{
	static const char * const name[BURROW_NR_ARENA_KINDS] = {
		[BURROW_ARENA_HEAP]	= "heap",
		[BURROW_ARENA_STACK]	= "stack",
		[BURROW_ARENA_HUGE]	= "huge",
	};
	u32 index;

	seq_puts(m, "\narena kind      free     lazy   mapped\n");
	for (index = 0; index < heap->nr_arenas; index++) {
		struct bw_arena *arena;
		u32 kind = 0, free = 0, lazy = 0;
		bool mapped = false;

		spin_lock(&heap->lock);
		arena = bw_arena_find_locked(heap, index);
		if (arena) {
			kind = arena->kind;
			free = arena->core.nr_free;
			lazy = arena->core.nr_lazy;
			mapped = arena->view[BURROW_MMAP_DATA].nr_vmas;
			count_arena_locked(arena, c);
		}
		spin_unlock(&heap->lock);
		if (arena)
			seq_printf(m, "%5u %-5s %8u %8u   %s\n", index,
				   name[kind], free, lazy,
				   mapped ? "yes" : "no");
		cond_resched();
	}
}

static void show_spans(struct seq_file *m, const struct census *c)
{
	static const char * const kind_name[BURROW_NR_KINDS] = {
		[BURROW_KIND_NOSCAN]		= "noscan",
		[BURROW_KIND_SCAN]		= "scan",
		[BURROW_KIND_CONSERVATIVE]	= "conservative",
		[BURROW_KIND_MANUAL]		= "manual",
		[BURROW_KIND_STACK]		= "stack",
	};
	u32 kind, cls;

	seq_puts(m, "\nkind         class    spans    pages\n");
	for (kind = 0; kind < BURROW_NR_KINDS; kind++)
		for (cls = 0; cls < BURROW_NR_CLASSES; cls++)
			if (c->spans[kind][cls])
				seq_printf(m, "%-12s %5u %8u %8llu\n",
					   kind_name[kind], cls,
					   c->spans[kind][cls],
					   c->pages[kind][cls]);
	seq_printf(m, "discarding %u\nreclaiming %u\n", c->discarding,
		   c->reclaiming);
}

static int heap_show(struct seq_file *m, void *unused)
{
	struct bw_heap *heap = m->private;
	struct burrow_heap_stats s = { 0 };
	struct census *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return -ENOMEM;
	bw_heap_stats(heap, &s);
	seq_printf(m, "uid            %u\n",
		   from_kuid_munged(current_user_ns(), heap->file->user->uid));
	seq_printf(m, "window         0x%lx + %u arenas\n",
		   heap->base[BURROW_MMAP_DATA], heap->nr_arenas);
	seq_printf(m, "arenas         %u added, %u mapped\n", s.out_arenas,
		   s.out_arenas_mapped);
	seq_printf(m, "pages          %llu live in %llu spans, %llu free, %llu lazy\n",
		   s.out_pages_live, s.out_spans, s.out_pages_free,
		   s.out_pages_lazy);
	seq_printf(m, "frames         %llu data, %llu U-words, %llu bytes of tables\n",
		   s.out_frames, s.out_umeta_frames, s.out_kmeta_bytes);
	seq_printf(m, "2 MiB blocks   %llu\n", s.out_units);
	seq_printf(m, "soft limit     %llu bytes, 0 is none\n", s.out_limit);
	seq_printf(m, "since set-up   %llu spans allocated, %llu freed, %llu faults\n",
		   s.out_nr_alloc, s.out_nr_free, s.out_nr_faults);
	seq_printf(m, "given back     %llu frames, %llu of them under pressure\n",
		   s.out_nr_reclaimed, s.out_nr_shrunk);
	seq_printf(m, "fork           %s\n",
		   READ_ONCE(heap->cow) ? "frames may be shared" : "no frame is shared");
	seq_printf(m, "threads        %u slots\n", s.out_threads);
	show_arenas(m, heap, c);
	show_spans(m, c);
	kfree(c);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(heap);

/* A heap gets its number, and its file. No file is no reason to fail. */
void bw_debugfs_add(struct bw_heap *heap, const struct bw_heap *parent)
{
	char name[16];

	heap->id = atomic_inc_return(&last_id);
	snprintf(name, sizeof(name), "%u", heap->id);
	heap->debugfs = debugfs_create_file(name, 0400, burrow_dir, heap,
					    &heap_fops);
	trace_burrow_heap_make(heap->id, parent ? parent->id : 0);
}

/* Waits for readers. */
void bw_debugfs_del(struct bw_heap *heap)
{
	debugfs_remove(heap->debugfs);
}

void bw_debugfs_init(const char *name)
{
	burrow_dir = debugfs_create_dir(name, NULL);
}

void bw_debugfs_exit(void)
{
	debugfs_remove(burrow_dir);
}
