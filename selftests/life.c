// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * life: who may use a heap, and when its memory goes back.
 *
 * The heap belongs to one address space; a forked child has a clone of it, which
 * is a heap like any other (fork*.c). The descriptor may be inherited, passed
 * on, doubled and closed in any order: none of it opens a heap to somebody else,
 * and none of it keeps its memory alive.
 */
#include <sys/socket.h>
#include <sys/syscall.h>

#include "call.h"
#include "child.h"
#include "proc.h"
#include "touch.h"

#define FRAMES_OF(npages)	((npages) * FRAMES_PER_PAGE)

FIXTURE(heap) {
	struct heap h;
	struct burrow_span_ref span;
	char *p;
};

#define SPAN_PAGES	64U
#define SPAN_BYTES	(SPAN_PAGES * BURROW_PAGE_SIZE)

FIXTURE_SETUP(heap)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 1));
	ASSERT_EQ(0, span_alloc(&self->h, SPAN_PAGES, 0, &self->span));
	self->p = page_addr(&self->h, self->span.page);
	memset(self->p, 'p', SPAN_BYTES);
}

FIXTURE_TEARDOWN(heap)
{
}

/* Every call but QUERY says EXDEV here; @h is another process's. */
static int all_calls_are_exdev(const struct heap *h)
{
	struct bed bed = { .h = *h };
	union call_arg arg;
	size_t i;

	for (i = 0; i < NR(call_all); i++) {
		unsigned int cmd = call_all[i].cmd;
		int want = cmd == BURROW_IOC_QUERY ? 0 : -EXDEV;

		call_fill(&call_all[i], &bed, &arg);
		CHILD_CHECK(call(h->fd, cmd, &arg) == want);
	}
	return CHILD_OK;
}

static int child_is_a_stranger(void *arg)
{
	struct heap *h = arg;
	int kind;

	CHILD_CHECK(!touch_init());
	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++) {
		CHILD_CHECK(touch(part(h, kind, 0)) == SIGSEGV);
		CHILD_CHECK(touch_write(part(h, kind, 0), 1) == SIGSEGV);
		CHILD_CHECK(part_map(h, kind, 0) == -EXDEV);
	}
	return all_calls_are_exdev(h);
}

/* Until its parent says so, or ends. */
static int child_waits(void *arg)
{
	int *pipes = arg;
	char byte;

	close(pipes[1]);
	return read(pipes[0], &byte, 1) == 0 ? CHILD_OK : CHILD_BAD;
}

/* What is shared with a child stays the child's; for the parent it is gone. */
TEST_F(heap, a_child_holds_nothing_of_its_parents_up)
{
	struct burrow_heap_stats stats;
	int pipes[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(pipes));
	pid = child_start(child_waits, pipes);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, arena_unmap(&self->h, 0));
	EXPECT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(0, stats.out_arenas);
	EXPECT_EQ(0, stats.out_frames);
	EXPECT_EQ(0, stats.out_pages_free);
	EXPECT_EQ(0, arena_add(&self->h, 0));
	close(pipes[1]);
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

static int child_is_born_again(void *arg)
{
	char fd[16];
	struct heap h;

	CHILD_CHECK(!heap_ready(&h, 1));
	CHILD_CHECK(!fcntl(h.fd, F_SETFD, 0));
	snprintf(fd, sizeof(fd), "%d", h.fd);
	execl("/proc/self/exe", "life", "--exec", fd, NULL);
	(void)arg;
	return CHILD_BAD;
}

TEST(after_exec_the_descriptor_answers_QUERY_only)
{
	EXPECT_EQ(CHILD_OK, child_run(child_is_born_again, NULL));
}

static int fd_send(int sock, int fd)
{
	char byte = 0, buf[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

static int fd_receive(int sock)
{
	char byte, buf[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	int fd = -1;

	if (recvmsg(sock, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* Makes a heap of 64 pages, sends its descriptor, waits to be told to end. */
static int child_sends(void *arg)
{
	int sock = *(int *)arg;
	struct burrow_span_ref s;
	struct heap h;
	char byte;

	CHILD_CHECK(!heap_ready(&h, 1));
	CHILD_CHECK(!span_alloc(&h, SPAN_PAGES, 0, &s));
	h.umeta[0] = 1;
	CHILD_CHECK(!fd_send(sock, h.fd));
	CHILD_CHECK(read(sock, &byte, 1) == 1);
	return CHILD_OK;
}

TEST(a_receiver_of_the_descriptor_is_a_stranger_and_holds_no_memory)
{
	__u64 before = user_frames(), empty, during, after;
	struct heap h;
	int socks[2];
	pid_t pid;

	/* what a heap without an arena costs, its file open */
	ASSERT_EQ(0, heap_make(&h, TEST_ARENAS));
	empty = user_frames();
	close(h.fd);
	ASSERT_EQ(before, user_frames());

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	pid = child_start(child_sends, &socks[1]);
	ASSERT_LT(0, pid);
	h.fd = fd_receive(socks[0]);
	ASSERT_LE(0, h.fd);
	during = user_frames();
	EXPECT_LE(empty + FRAMES_OF(SPAN_PAGES) + 1, during);
	EXPECT_EQ(CHILD_OK, child_run(child_is_a_stranger, &h));
	EXPECT_EQ(CHILD_OK, all_calls_are_exdev(&h));

	ASSERT_EQ(1, write(socks[0], "", 1));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	/* the heap ended with its address space, whoever has the file open */
	after = user_frames();
	EXPECT_EQ(before, after);
	close(h.fd);
	EXPECT_EQ(before, user_frames());
}

TEST_F(heap, a_doubled_descriptor_is_the_same_heap)
{
	struct heap twin = self->h;

	twin.fd = dup(self->h.fd);
	ASSERT_LE(0, twin.fd);
	close(self->h.fd);
	EXPECT_EQ(0, span_free(&twin, 0, self->span));
	EXPECT_EQ(0, span_alloc(&twin, 1, 0, &self->span));
	EXPECT_EQ(1, arena_add(&twin, BURROW_ARENA_ANY));
	EXPECT_EQ(0, arena_map(&twin, 1));
}

/* The descriptor and the three mappings, closed in some order. */
enum piece { PIECE_FD = BURROW_NR_MMAP_KINDS, NR_PIECES };

/* Takes one piece, then looks at what the others can still do. */
static int piece_take(struct heap *h, int piece, bool *open, bool *mapped,
		      struct burrow_span_ref *span)
{
	char *p = page_addr(h, span->page);

	if (piece == PIECE_FD) {
		CHILD_CHECK(!close(h->fd));
		*open = false;
	} else {
		CHILD_CHECK(!part_unmap(h, piece, 0));
		mapped[piece] = false;
	}
	CHILD_CHECK(touch(p) == (mapped[BURROW_MMAP_DATA] ? 0 : SIGSEGV));
	CHILD_CHECK(touch((char *)h->kmeta) ==
		    (mapped[BURROW_MMAP_KMETA] ? 0 : SIGSEGV));
	CHILD_CHECK(touch_write(h->umeta, 1) ==
		    (mapped[BURROW_MMAP_UMETA] ? 0 : SIGSEGV));
	if (mapped[BURROW_MMAP_DATA])
		CHILD_CHECK(bytes_are(p, 'p', BURROW_PAGE_SIZE));
	if (!*open) {
		struct burrow_heap_stats stats;

		CHILD_CHECK(heap_stats(h->fd, &stats) == -EBADF);
		return CHILD_OK;
	}
	/* a live span is replaced by another; there is none without data */
	if (mapped[BURROW_MMAP_DATA]) {
		CHILD_CHECK(!span_free(h, 0, *span));
		CHILD_CHECK(!span_alloc(h, 1, 0, span));
		memset(page_addr(h, span->page), 'p', BURROW_PAGE_SIZE);
	} else {
		CHILD_CHECK(span_alloc(h, 1, 0, span) == -ENOSPC);
	}
	return CHILD_OK;
}

static int child_takes_apart(void *arg)
{
	bool open = true, mapped[] = { true, true, true };
	int *order = arg, i;
	struct burrow_span_ref s;
	struct heap h;

	CHILD_CHECK(!touch_init());
	CHILD_CHECK(!heap_ready(&h, 1));
	CHILD_CHECK(!span_alloc(&h, 1, 0, &s));
	memset(page_addr(&h, s.page), 'p', BURROW_PAGE_SIZE);
	for (i = 0; i < NR_PIECES; i++)
		CHILD_CHECK(!piece_take(&h, order[i], &open, mapped, &s));
	return CHILD_OK;
}

TEST(descriptor_and_mappings_may_go_in_every_order)
{
	__u64 before = user_frames();
	int order[NR_PIECES], n = 0, i;

	for (i = 0; i < 256; i++) {
		int a = i & 3, b = i >> 2 & 3, c = i >> 4 & 3, d = i >> 6;

		if ((1 << a | 1 << b | 1 << c | 1 << d) != 15)
			continue;
		order[0] = a;
		order[1] = b;
		order[2] = c;
		order[3] = d;
		EXPECT_EQ(CHILD_OK, child_run(child_takes_apart, order))
			TH_LOG("order %d %d %d %d", a, b, c, d);
		EXPECT_EQ(before, user_frames());
		n++;
	}
	EXPECT_EQ(24, n);
}

/*
 * A child that works without end. After each operation it writes a byte; the
 * parent reads a random number of them and kills: the place is random, no
 * clock is asked.
 */
static int child_works(void *arg)
{
	int out = *(int *)arg;
	struct burrow_span_ref refs[16];
	struct heap h;
	__u32 n;

	CHILD_CHECK(!heap_ready(&h, 1));
	for (n = 0;; n++) {
		struct burrow_span_alloc alloc = {
			.flags = n & 1 ? BURROW_ALLOC_LAZY : 0,
			.spans = U64(refs), .nr = NR(refs),
			.npages = n % 7 + 1,
		};
		struct burrow_span_free done;

		CHILD_CHECK(!spans_alloc(&h, &alloc));
		CHILD_CHECK(write(out, "", 1) == 1);
		*page_addr(&h, refs[n % NR(refs)].page) = 1;
		h.umeta[n % BURROW_UMETA_SIZE] = 1;
		CHILD_CHECK(range_reclaim(&h, refs[0].page, 1) >= 0);
		CHILD_CHECK(write(out, "", 1) == 1);
		CHILD_CHECK(!spans_free(&h, n & 2 ? BURROW_FREE_RECLAIM : 0,
					refs, NR(refs), &done));
		if (n % 16 == 15) {
			CHILD_CHECK(!arena_unmap(&h, 0));
			CHILD_CHECK(arena_add(&h, 0) == 0);
			CHILD_CHECK(write(out, "", 1) == 1);
			CHILD_CHECK(!arena_map(&h, 0));
		}
	}
	return CHILD_BAD;
}

#define KILLS	200

TEST(a_kill_at_any_point_gives_all_memory_back)
{
	__u64 before = user_frames();
	unsigned int seed = 1, i;

	for (i = 0; i < KILLS; i++) {
		int left = rand_r(&seed) % 60, pipes[2];
		char byte;
		pid_t pid;

		ASSERT_EQ(0, pipe(pipes));
		pid = child_start(child_works, &pipes[1]);
		ASSERT_LT(0, pid);
		close(pipes[1]);
		while (left-- && read(pipes[0], &byte, 1) == 1)
			;
		EXPECT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(CHILD_KILLED + SIGKILL, child_wait(pid));
		close(pipes[0]);
		if (i % 20 == 19)
			ASSERT_EQ(before, user_frames());
	}
}

static int module_remove(void)
{
	return syscall(SYS_delete_module, "burrow", O_NONBLOCK) ? -errno : 0;
}

static int module_insert(void)
{
	int fd = open(MODULE_FILE, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return r;
}

TEST_F(heap, the_module_stays_while_a_mapping_is_all_that_is_left)
{
	EXPECT_EQ(-EAGAIN, module_remove());
	EXPECT_EQ(0, range_reclaim(&self->h, BURROW_ARENA_PAGES / 2, 1));
	close(self->h.fd);
	EXPECT_EQ(-EAGAIN, module_remove());
	EXPECT_TRUE(bytes_are(self->p, 'p', SPAN_BYTES));
	memset(self->p, 'q', SPAN_BYTES);
	EXPECT_TRUE(bytes_are(self->p, 'q', SPAN_BYTES));
}

TEST_F(heap, the_module_stays_while_only_a_child_has_a_mapping)
{
	int pipes[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(pipes));
	pid = child_start(child_waits, pipes);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, arena_unmap(&self->h, 0));
	ASSERT_EQ(0, close(self->h.fd));
	EXPECT_EQ(-EAGAIN, module_remove());
	close(pipes[1]);
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

/* Parameters are back at their defaults afterwards. */
TEST(the_module_goes_and_comes_back_when_nobody_uses_it)
{
	struct heap h;
	int i;

	if (access(MODULE_FILE, R_OK))
		SKIP(return, "no %s to insert again", MODULE_FILE);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, module_remove());
		EXPECT_EQ(-ENOENT, device_open());
		ASSERT_EQ(0, module_insert());
		ASSERT_EQ(0, heap_ready(&h, 1));
		ASSERT_EQ(0, arena_unmap(&h, 0));
		ASSERT_EQ(0, close(h.fd));
	}
}

/* What the program does after exec: look at the descriptor it was left. */
static int reborn(int fd)
{
	struct heap h;

	CHILD_CHECK(!places_reserve(&h, TEST_ARENAS));
	h.fd = fd;
	return all_calls_are_exdev(&h);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--exec"))
		return reborn(atoi(argv[2]));
	return test_harness_run(argc, argv);
}
