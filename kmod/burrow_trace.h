/* SPDX-License-Identifier: GPL-2.0-only */
/* burrow_trace: trace/events/burrow/. A heap is named by its serial number. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM burrow

#if !defined(BW_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define BW_TRACE_H

#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(burrow_arena,
	TP_PROTO(u32 heap, u32 index),
	TP_ARGS(heap, index),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u32, index)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->index = index;
	),
	TP_printk("heap=%u arena=%u", __entry->heap, __entry->index)
);

DEFINE_EVENT(burrow_arena, burrow_arena_add,
	TP_PROTO(u32 heap, u32 index),
	TP_ARGS(heap, index)
);

DEFINE_EVENT(burrow_arena, burrow_arena_del,
	TP_PROTO(u32 heap, u32 index),
	TP_ARGS(heap, index)
);

DECLARE_EVENT_CLASS(burrow_pages,
	TP_PROTO(u32 heap, u32 page, u32 npages),
	TP_ARGS(heap, page, npages),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u32, page)
		__field(u32, npages)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->page = page;
		__entry->npages = npages;
	),
	TP_printk("heap=%u page=%u npages=%u", __entry->heap, __entry->page,
		  __entry->npages)
);

DEFINE_EVENT(burrow_pages, burrow_span_alloc,
	TP_PROTO(u32 heap, u32 page, u32 npages),
	TP_ARGS(heap, page, npages)
);

DEFINE_EVENT(burrow_pages, burrow_span_free,
	TP_PROTO(u32 heap, u32 page, u32 npages),
	TP_ARGS(heap, page, npages)
);

/* Pages whose frames were given back: free ones, or part of a live span. */
DEFINE_EVENT(burrow_pages, burrow_reclaim,
	TP_PROTO(u32 heap, u32 page, u32 npages),
	TP_ARGS(heap, page, npages)
);

DEFINE_EVENT(burrow_pages, burrow_discard,
	TP_PROTO(u32 heap, u32 page, u32 npages),
	TP_ARGS(heap, page, npages)
);

TRACE_EVENT(burrow_span_move,
	TP_PROTO(u32 heap, u32 from, u32 to, u32 npages),
	TP_ARGS(heap, from, to, npages),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u32, from)
		__field(u32, to)
		__field(u32, npages)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->from = from;
		__entry->to = to;
		__entry->npages = npages;
	),
	TP_printk("heap=%u from=%u to=%u npages=%u", __entry->heap,
		  __entry->from, __entry->to, __entry->npages)
);

TRACE_EVENT(burrow_shrink,
	TP_PROTO(u32 heap, u32 page, u64 frames),
	TP_ARGS(heap, page, frames),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u32, page)
		__field(u64, frames)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->page = page;
		__entry->frames = frames;
	),
	TP_printk("heap=%u page=%u frames=%llu", __entry->heap, __entry->page,
		  __entry->frames)
);

/* kind as in enum burrow_mmap_kind; err as the fault was answered. */
TRACE_EVENT(burrow_fault,
	TP_PROTO(u32 heap, unsigned long addr, u32 kind, bool write, int err),
	TP_ARGS(heap, addr, kind, write, err),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(unsigned long, addr)
		__field(u32, kind)
		__field(bool, write)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->addr = addr;
		__entry->kind = kind;
		__entry->write = write;
		__entry->err = err;
	),
	TP_printk("heap=%u addr=0x%lx kind=%u write=%d err=%d", __entry->heap,
		  __entry->addr, __entry->kind, __entry->write, __entry->err)
);

DECLARE_EVENT_CLASS(burrow_slot,
	TP_PROTO(u32 heap, u32 slot),
	TP_ARGS(heap, slot),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u32, slot)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->slot = slot;
	),
	TP_printk("heap=%u slot=%u", __entry->heap, __entry->slot)
);

DEFINE_EVENT(burrow_slot, burrow_park,
	TP_PROTO(u32 heap, u32 slot),
	TP_ARGS(heap, slot)
);

DEFINE_EVENT(burrow_slot, burrow_unpark,
	TP_PROTO(u32 heap, u32 slot),
	TP_ARGS(heap, slot)
);

DECLARE_EVENT_CLASS(burrow_heap,
	TP_PROTO(u32 heap, u32 other),
	TP_ARGS(heap, other),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u32, other)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->other = other;
	),
	TP_printk("heap=%u parent=%u", __entry->heap, __entry->other)
);

/* A heap appears, by set-up (parent 0) or by fork. */
DEFINE_EVENT(burrow_heap, burrow_heap_make,
	TP_PROTO(u32 heap, u32 other),
	TP_ARGS(heap, other)
);

#endif /* BW_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE burrow_trace
#include <trace/define_trace.h>
