/* SPDX-License-Identifier: MIT */
/*
 * uring: io_uring by its three system calls, as far as a test needs it: buffers
 * that the kernel keeps pinned, and one read at a time into them.
 */
#ifndef BURROW_SELFTEST_URING_H
#define BURROW_SELFTEST_URING_H

#include <linux/io_uring.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct uring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqe;
};

static inline void *uring_map(const struct uring *u, size_t bytes, off_t what)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, u->fd, what);
}

/* 0 or -errno: ENOSYS and EPERM mean that this kernel has none for us. */
static inline int uring_make(struct uring *u)
{
	memset(u, 0, sizeof(*u));
	u->fd = syscall(SYS_io_uring_setup, 1, &u->p);
	if (u->fd < 0)
		return -errno;
	u->sq = uring_map(u, u->p.sq_off.array + u->p.sq_entries * 4,
			  IORING_OFF_SQ_RING);
	u->cq = uring_map(u, u->p.cq_off.cqes + u->p.cq_entries *
			  sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	u->sqe = uring_map(u, u->p.sq_entries * sizeof(*u->sqe),
			   IORING_OFF_SQES);
	return u->sq == MAP_FAILED || u->cq == MAP_FAILED ||
	       u->sqe == MAP_FAILED ? -ENOMEM : 0;
}

/* Pins [p, p + bytes) for as long as it is registered. */
static inline int uring_register(const struct uring *u, void *p, size_t bytes)
{
	struct iovec iov = { p, bytes };

	return syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_BUFFERS,
		       &iov, 1) ? -errno : 0;
}

static inline int uring_unregister(const struct uring *u)
{
	return syscall(SYS_io_uring_register, u->fd,
		       IORING_UNREGISTER_BUFFERS, NULL, 0) ? -errno : 0;
}

/* Reads from the start of @fd into part of what is registered. */
static inline int uring_read_fixed(const struct uring *u, int fd, void *p,
				   unsigned int bytes)
{
	uint32_t *sq_tail = (uint32_t *)(u->sq + u->p.sq_off.tail);
	uint32_t *sq_array = (uint32_t *)(u->sq + u->p.sq_off.array);
	uint32_t *cq_head = (uint32_t *)(u->cq + u->p.cq_off.head);
	uint32_t *cq_tail = (uint32_t *)(u->cq + u->p.cq_off.tail);
	struct io_uring_cqe *cqe = (void *)(u->cq + u->p.cq_off.cqes);
	uint32_t head = *cq_head;

	*u->sqe = (struct io_uring_sqe) {
		.opcode = IORING_OP_READ_FIXED,
		.fd = fd,
		.addr = (unsigned long)p,
		.len = bytes,
	};
	sq_array[0] = 0;
	/* pairs with the kernel's acquire load of the tail */
	__atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -errno;
	/* pairs with the kernel's release store of the tail */
	if (__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == head)
		return -EIO;
	cqe += head & (u->p.cq_entries - 1);
	__atomic_store_n(cq_head, head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

#endif
