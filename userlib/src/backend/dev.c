// SPDX-License-Identifier: MIT
/*
 * dev: the page heap is the module's, and each operation is one ioctl.
 *
 *	backend ops		<- here
 *	  /dev/burrow		kmod/ioctl.c
 *
 * fork() is the module's work, too: the child's heap is there before the child
 * is. Only an arena that is being added is not for it to know (the gate), and of
 * a heap without mappings it makes no clone: there the child sets up its own.
 *
 * Nothing is tried twice. Two things take more than a call: an arena (ARENA_ADD,
 * then three mappings over the reservation, the data last, for that is what
 * makes its pages usable), and a span that is to be longer elsewhere
 * (dev_resize.c).
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sysmem.h"
#include "burrow/heap.h"
#include "dev.h"
#include "fork.h"

#define FEATURES_NEEDED \
	(BURROW_FEAT_POPULATE | BURROW_FEAT_RECLAIM | BURROW_FEAT_PARK | \
	 BURROW_FEAT_FORK | BURROW_FEAT_SHRINK | BURROW_FEAT_SWEEP | \
	 BURROW_FEAT_STACK | BURROW_FEAT_UWORDS | BURROW_FEAT_ROOM)

/* Also where the heap is not, or not yet, this process's. */
static int call_anyway(struct bw_backend *be, unsigned long nr, void *arg)
{
	int saved = errno, err = 0;

	if (ioctl(bw_to_dev(be)->fd, nr, arg) < 0)
		err = -errno;
	errno = saved;
	return err;
}

/* In a child that no handler of ours has seen, the module's clone is unused. */
int bw_dev_call(struct bw_backend *be, unsigned long nr, void *arg)
{
	return bw_window_is_ours(&be->window) ? call_anyway(be, nr, arg) :
						-EXDEV;
}

/* How a vector call ended, in the shape the seam has. */
static int vector_end(int err, u32 out_nr, u32 out_errno, u32 *done)
{
	*done = err ? 0 : out_nr;
	return err ? err : -(int)out_errno;
}

static const struct view {
	enum burrow_mmap_kind kind;
	int prot;
	size_t size;
} views[] = {
	{ BURROW_MMAP_KMETA, PROT_READ, BURROW_KMETA_SIZE },
	{ BURROW_MMAP_UMETA, PROT_READ | PROT_WRITE, BURROW_UMETA_SIZE },
	{ BURROW_MMAP_DATA, PROT_READ | PROT_WRITE, BURROW_ARENA_SIZE },
};

static char *view_addr(const struct bw_window *w, const struct view *v,
		       u32 index)
{
	switch (v->kind) {
	case BURROW_MMAP_KMETA:
		return bw_window_kmeta(w, index);
	case BURROW_MMAP_UMETA:
		return bw_window_umeta(w, index);
	default:
		return bw_window_data(w, index);
	}
}

static int view_map(struct bw_dev *dev, const struct view *v, u32 index)
{
	u64 off = BURROW_MMAP_OFFSET(v->kind, (u64)index * BURROW_ARENA_SIZE);
	char *at = view_addr(&dev->be.window, v, index);

	if (mmap(at, v->size, v->prot, MAP_SHARED | MAP_FIXED, dev->fd,
		 (off_t)off) == MAP_FAILED)
		return -errno;
	return 0;
}

/* A failed MAP_FIXED may have left a hole: the reservation is mended, too. */
static int arena_map(struct bw_dev *dev, u32 kind, u32 index)
{
	const struct bw_window *w = &dev->be.window;
	u32 i, mapped;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(views) && !err; i++)
		err = view_map(dev, &views[i], index);
	if (!err)
		return 0;
	mapped = i - 1;
	for (; i; i--)
		bw_window_mend(view_addr(w, &views[i - 1], index),
			       views[i - 1].size);
	if (!mapped)
		dev->stranded[kind][index / 64] |= 1ULL << (index % 64);
	return err;
}

/* What the kernel takes for three mappings, it takes in its own way. */
static int arena_map_in_room(struct bw_dev *dev, u32 kind, u32 index)
{
	struct burrow_heap_room room = {
		.size = sizeof(room), .bytes = 4 * BW_SYS_PAGE,
	};

	if (!bw_dev_call(&dev->be, BURROW_IOC_HEAP_ROOM, &room))
		return arena_map(dev, kind, index);
	dev->stranded[kind][index / 64] |= 1ULL << (index % 64);
	return -ENOMEM;
}

/* The stranded arena that will do for @index, or BURROW_ARENA_ANY. */
static u32 stranded_get(struct bw_dev *dev, u32 kind, u32 index)
{
	u64 *stranded;
	u32 i;

	if (kind >= BURROW_NR_ARENA_KINDS)
		return BURROW_ARENA_ANY;
	stranded = dev->stranded[kind];
	for (i = 0; i < dev->be.window.nr_arenas; i++) {
		u64 bit = 1ULL << (i % 64);

		if (!(stranded[i / 64] & bit) ||
		    (index != BURROW_ARENA_ANY && index != i))
			continue;
		stranded[i / 64] &= ~bit;
		return i;
	}
	return BURROW_ARENA_ANY;
}

static int dev_arena_add(struct bw_backend *be, u32 kind, u32 index,
			 u32 *out_index)
{
	struct burrow_arena_add arg = {
		.size = sizeof(arg), .kind = kind, .index = index,
	};
	struct bw_dev *dev = bw_to_dev(be);
	int err = 0;
	u32 got;

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	bw_gate_enter(&be->gate);
	bw_lock(&dev->arenas);
	got = stranded_get(dev, kind, index);
	if (got == BURROW_ARENA_ANY) {
		err = bw_dev_call(be, BURROW_IOC_ARENA_ADD, &arg);
		got = arg.out_index;
	}
	if (!err)
		err = arena_map_in_room(dev, kind, got);
	if (!err) {
		bw_window_set_arena(&be->window, got);
		*out_index = got;
	}
	bw_unlock(&dev->arenas);
	bw_gate_leave(&be->gate);
	return err;
}

static int dev_span_alloc(struct bw_backend *be,
			  const struct burrow_span_alloc *req,
			  struct burrow_span_ref *spans, u32 nr, u32 *done)
{
	struct burrow_span_alloc arg = *req;
	int err;

	arg.size = sizeof(arg);
	arg.spans = (uintptr_t)spans;
	arg.nr = nr;
	err = bw_dev_call(be, BURROW_IOC_SPAN_ALLOC, &arg);
	return vector_end(err, arg.out_nr, arg.out_errno, done);
}

static int dev_span_free(struct bw_backend *be, u32 flags,
			 const struct burrow_span_ref *spans, u32 nr,
			 u32 *done)
{
	struct burrow_span_free arg = {
		.size = sizeof(arg), .flags = flags,
		.spans = (uintptr_t)spans, .nr = nr,
	};
	int err = bw_dev_call(be, BURROW_IOC_SPAN_FREE, &arg);

	return vector_end(err, arg.out_nr, arg.out_errno, done);
}

static int dev_span_reclaim(struct bw_backend *be,
			    const struct burrow_range *ranges, u32 nr,
			    u32 *done, u64 *frames)
{
	struct burrow_span_reclaim arg = {
		.size = sizeof(arg), .ranges = (uintptr_t)ranges, .nr = nr,
	};
	int err = bw_dev_call(be, BURROW_IOC_SPAN_RECLAIM, &arg);

	*frames = err ? 0 : arg.out_frames;
	return vector_end(err, arg.out_nr, arg.out_errno, done);
}

static int dev_span_sweep(struct bw_backend *be, u32 flags,
			  const struct burrow_span_ref *spans, u32 nr,
			  u64 *freed, u32 *done, u32 *nr_freed, u64 *pages)
{
	struct burrow_span_sweep arg = {
		.size = sizeof(arg), .flags = flags,
		.spans = (uintptr_t)spans, .nr = nr,
		.freed = (uintptr_t)freed,
	};
	int err = bw_dev_call(be, BURROW_IOC_SPAN_SWEEP, &arg);

	*nr_freed = err ? 0 : arg.out_nr_freed;
	*pages = err ? 0 : arg.out_pages_freed;
	return vector_end(err, arg.out_nr, arg.out_errno, done);
}

static int dev_lazy_reclaim(struct bw_backend *be, u64 bytes, u64 *got)
{
	struct burrow_heap_reclaim arg = {
		.size = sizeof(arg), .bytes = bytes,
	};
	int err = bw_dev_call(be, BURROW_IOC_HEAP_RECLAIM, &arg);

	*got = err ? 0 : arg.out_bytes;
	return err;
}

static int dev_room(struct bw_backend *be, u64 bytes)
{
	struct burrow_heap_room arg = { .size = sizeof(arg), .bytes = bytes };

	return bw_dev_call(be, BURROW_IOC_HEAP_ROOM, &arg);
}

static int dev_stats(struct bw_backend *be, struct burrow_heap_stats *out)
{
	*out = (struct burrow_heap_stats){ .size = sizeof(*out) };
	return bw_dev_call(be, BURROW_IOC_HEAP_STATS, out);
}

static int dev_thread_add(struct bw_backend *be, u32 *slot)
{
	struct burrow_thread_add arg = { .size = sizeof(arg) };
	int err = bw_dev_call(be, BURROW_IOC_THREAD_ADD, &arg);

	if (!err)
		*slot = arg.out_slot;
	return err;
}

static int dev_thread_del(struct bw_backend *be, u32 slot)
{
	struct burrow_thread_del arg = { .size = sizeof(arg), .slot = slot };

	return bw_dev_call(be, BURROW_IOC_THREAD_DEL, &arg);
}

static int dev_park(struct bw_backend *be, u32 slot, u64 deadline, u32 swap)
{
	struct burrow_thread_park arg = {
		.size = sizeof(arg), .slot = slot, .deadline = deadline,
	};

	if (swap != BW_NO_SLOT) {
		arg.flags = BURROW_PARK_SWAP;
		arg.wake_slot = swap;
	}
	return bw_dev_call(be, BURROW_IOC_THREAD_PARK, &arg);
}

static int dev_unpark(struct bw_backend *be, u32 slot)
{
	struct burrow_thread_unpark arg = { .size = sizeof(arg), .slot = slot };

	return bw_dev_call(be, BURROW_IOC_THREAD_UNPARK, &arg);
}

/* The kernel's own checks are not for us; its counts must make sense. */
static int dev_check(struct bw_backend *be)
{
	struct burrow_heap_stats s;
	int err = dev_stats(be, &s);

	if (err)
		return err;
	if (s.out_arenas_mapped > s.out_arenas ||
	    s.out_arenas > be->window.nr_arenas)
		return 1;
	if (s.out_pages_live + s.out_pages_free >
	    (u64)s.out_arenas_mapped * BURROW_ARENA_PAGES)
		return 2;
	if (s.out_pages_lazy > s.out_pages_free ||
	    s.out_spans > s.out_pages_live)
		return 3;
	return s.out_nr_alloc - s.out_nr_free < s.out_spans ? 4 : 0;
}

static void dev_close(struct bw_backend *be)
{
	struct bw_dev *dev = bw_to_dev(be);

	bw_fork_del(be);
	bw_window_release(&be->window);
	close(dev->fd);
	bw_sys_free(dev, sizeof(*dev));
}

static const char *open_hint(int err)
{
	switch (err) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		return "; is the module loaded?";
	case -EACCES:
	case -EPERM:
		return "; no permission";
	case -EMFILE:
		return "; too many are open";
	default:
		return "";
	}
}

static int dev_open(struct bw_dev *dev, const char *path)
{
	int err;

	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dev->fd >= 0)
		return 0;
	err = -errno;
	return bw_error(err, "cannot open %s: %s%s", path, bw_errno_name(err),
			open_hint(err));
}

/* Does the other side speak the language this library was built for? */
static int dev_query(struct bw_dev *dev, const char *path)
{
	struct burrow_query q = { .size = sizeof(q) };
	int err = call_anyway(&dev->be, BURROW_IOC_QUERY, &q);

	if (err)
		return bw_error(err, "%s does not answer as burrow's device: "
				"%s to the first question", path,
				bw_errno_name(err));
	if (q.out_page_shift != BURROW_PAGE_SHIFT ||
	    q.out_arena_shift != BURROW_ARENA_SHIFT)
		return bw_error(-EOPNOTSUPP, "%s has pages of 2^%u and arenas "
				"of 2^%u bytes, this library 2^%u and 2^%u",
				path, q.out_page_shift, q.out_arena_shift,
				BURROW_PAGE_SHIFT, BURROW_ARENA_SHIFT);
	if (FEATURES_NEEDED & ~q.out_features)
		return bw_error(-EOPNOTSUPP, "%s lacks features 0x%llx that "
				"this library needs", path,
				(unsigned long long)(FEATURES_NEEDED &
						     ~q.out_features));
	if (q.out_max_batch < BW_MIN_BATCH)
		return bw_error(-EOPNOTSUPP, "%s takes vectors of %u elements, "
				"this library needs %u", path, q.out_max_batch,
				BW_MIN_BATCH);
	dev->features = q.out_features;
	dev->be.max_batch = q.out_max_batch;
	dev->be.max_threads = q.out_max_threads;
	dev->be.bulk_sweep = true;
	return 0;
}

static int dev_setup(struct bw_dev *dev, const char *path)
{
	const struct bw_window *w = &dev->be.window;
	struct burrow_heap_setup arg = {
		.size = sizeof(arg),
		.window = (uintptr_t)w->data,
		.window_size = (u64)w->nr_arenas << BURROW_ARENA_SHIFT,
		.kmeta = (uintptr_t)w->kmeta,
		.umeta = (uintptr_t)w->umeta,
	};
	int err = call_anyway(&dev->be, BURROW_IOC_HEAP_SETUP, &arg);

	if (err)
		return bw_error(err, "%s does not set up a heap: %s", path,
				bw_errno_name(err));
	return 0;
}

/* The parent had no mapping of the module's: nothing is lost with its file. */
static int heap_anew(struct bw_dev *dev)
{
	struct bw_dev fresh = { .be = dev->be };
	int err = dev_open(&fresh, dev->path);

	if (err)
		return err;
	err = dev_setup(&fresh, dev->path);
	if (err) {
		close(fresh.fd);
		return err;
	}
	close(dev->fd);
	dev->fd = fresh.fd;
	memset(dev->stranded, 0, sizeof(dev->stranded));
	return 0;
}

/* A clone that could not be made is known by its calls (kmod/fork.c). */
static const char *fork_child(struct bw_backend *be)
{
	struct bw_dev *dev = bw_to_dev(be);
	struct burrow_heap_stats s = { .size = sizeof(s) };
	int err = call_anyway(be, BURROW_IOC_HEAP_STATS, &s);

	bw_lock_init(&dev->arenas, BW_RANK_ARENAS);
	if (err == -EXDEV && !bw_window_had_arenas(&be->window))
		err = heap_anew(dev);
	return err ? "the kernel had no memory for a copy of the heap: the "
		     "child of fork() has none" : NULL;
}

static const char *dev_fork(struct bw_backend *be, enum bw_fork_step step)
{
	return step == BW_FORK_CHILD ? fork_child(be) : NULL;
}

static const struct bw_backend_ops dev_ops = {
	.close		= dev_close,
	.arena_add	= dev_arena_add,
	.span_alloc	= dev_span_alloc,
	.span_free	= dev_span_free,
	.span_reclaim	= dev_span_reclaim,
	.span_sweep	= dev_span_sweep,
	.span_resize	= bw_dev_span_resize,
	.lazy_reclaim	= dev_lazy_reclaim,
	.room		= dev_room,
	.stats		= dev_stats,
	.thread_add	= dev_thread_add,
	.thread_del	= dev_thread_del,
	.park		= dev_park,
	.unpark		= dev_unpark,
	.check		= dev_check,
	.fork		= dev_fork,
};

int bw_backend_open_dev(const struct bw_options *o, struct bw_backend **out)
{
	struct bw_dev *dev = bw_sys_alloc(sizeof(*dev));
	int err;

	if (!dev)
		return bw_error(-ENOMEM, "no memory for a heap");
	dev->be.ops = &dev_ops;
	dev->be.mode = "kernel";
	memcpy(dev->path, o->device, sizeof(dev->path));
	bw_lock_init(&dev->arenas, BW_RANK_ARENAS);
	err = dev_open(dev, o->device);
	if (err)
		goto err_free;
	err = dev_query(dev, o->device);
	if (err)
		goto err_close;
	err = bw_window_reserve(&dev->be.window, o->window);
	if (err)
		goto err_close;
	err = dev_setup(dev, o->device);
	if (!err)
		err = bw_fork_add(&dev->be);
	if (err)
		goto err_release;
	*out = &dev->be;
	return 0;

err_release:
	bw_window_release(&dev->be.window);
err_close:
	close(dev->fd);
err_free:
	bw_sys_free(dev, sizeof(*dev));
	return err;
}
