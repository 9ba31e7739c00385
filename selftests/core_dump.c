// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * core_dump: what is left of a process that had a heap. The core has what was
 * in use, and a debugger finds its way through it; it has nothing where nothing
 * was, and the dump makes no more of it.
 *
 *	child_aborts()		makes the heap, says what is in it, aborts on a
 *				stack of the heap's
 *	core_open() core_read()	the file, read as ELF
 *	gdb_ask()		the same, asked of a debugger
 */
#include <elf.h>
#include <limits.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <ucontext.h>

#include "child.h"
#include "proc.h"

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define MANY_ARENAS	1024U		/* a window of 64 GiB */
#define HEAP_ARENA	0U
#define STACK_ARENA	1U
#define SPAN_PAGES	8U
#define SPAN_BYTES	(SPAN_PAGES * BURROW_PAGE_SIZE)
#define GUARD_BYTES	(BURROW_GUARD_PAGES * BURROW_PAGE_SIZE)
#define ARENA_FRAMES	(BURROW_ARENA_SIZE / FRAME_SIZE)

#define BEACON_TEXT	"a beacon in the burrow"
#define NEXT_TEXT	"the next beacon"
#define BEACON_NUMBER	0x6275727277ULL
#define UWORD		0x75776f7264ULL

struct beacon {
	char text[32];
	unsigned long long number;
	struct beacon *next;
};

/* In the program's own data: a debugger starts here. */
struct beacon *beacon;

/**
 * struct wreck - what the one that aborts says of itself, in shared memory
 * @h:		the heap
 * @beacon:	the object that @beacon of the program points to
 * @uword:	of the page it is in
 * @stack:	the span that the one that aborts runs on
 * @mark:	a variable there
 * @frames:	of data, as HEAP_STATS counts them
 * @present:	same, by arena and place, as the page tables show them
 */
struct wreck {
	struct heap h;
	struct beacon *beacon;
	__u64 *uword;
	char *stack;
	unsigned int *mark;
	__u64 frames;
	bool present[2][ARENA_FRAMES];
};

enum { FIRST, LAZY, RECLAIMED, UNTOUCHED, DISCARDED, NR_SPANS };

/* One span of each kind of life. */
static int spans_make(struct wreck *w)
{
	struct burrow_span_ref ref[NR_SPANS];
	int i, r = 0;

	for (i = 0; i < NR_SPANS && !r; i++) {
		r = span_alloc(&w->h, SPAN_PAGES, i == UNTOUCHED ?
			       BURROW_ALLOC_LAZY : 0, &ref[i]);
		if (!r && i != UNTOUCHED)
			memset(page_addr(&w->h, ref[i].page), 'a' + i,
			       SPAN_BYTES);
	}
	if (r)
		return r;
	w->beacon = (void *)(page_addr(&w->h, ref[FIRST].page) + 64);
	w->uword = (__u64 *)(w->h.umeta + BURROW_U_OWNER) + ref[FIRST].page;
	*w->uword = UWORD;
	/* of the untouched one, one frame is touched */
	w->beacon->next = (void *)(page_addr(&w->h, ref[UNTOUCHED].page) +
				   5 * FRAME_SIZE);
	*w->beacon = (struct beacon){
		BEACON_TEXT, BEACON_NUMBER, w->beacon->next,
	};
	*w->beacon->next = (struct beacon){ NEXT_TEXT, 0, NULL };
	r = span_free(&w->h, 0, ref[LAZY]);
	if (!r)
		r = span_free(&w->h, BURROW_FREE_RECLAIM, ref[RECLAIMED]);
	if (!r && range_reclaim(&w->h, ref[DISCARDED].page, SPAN_PAGES) < 0)
		r = -EIO;
	return r;
}

static int stack_make(struct wreck *w)
{
	struct burrow_arena_add add = {
		.size = sizeof(add), .kind = BURROW_ARENA_STACK,
		.index = STACK_ARENA,
	};
	struct burrow_span_ref ref;
	struct burrow_span_alloc arg = {
		.spans = U64(&ref), .nr = 1, .npages = SPAN_PAGES,
		.kind = BURROW_KIND_STACK,
	};
	int r = call(w->h.fd, BURROW_IOC_ARENA_ADD, &add);

	if (!r)
		r = arena_map(&w->h, STACK_ARENA);
	if (!r)
		r = spans_alloc(&w->h, &arg);
	if (!r)
		w->stack = page_addr(&w->h, ref.page);
	return r;
}

/* What the page tables show: every frame was mapped when it came. */
static int present_note(struct wreck *w, __u32 arena)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uintptr_t first = (uintptr_t)part(&w->h, BURROW_MMAP_DATA, arena);
	static __u64 e[ARENA_FRAMES];
	ssize_t n;
	size_t i;

	n = pread(fd, e, sizeof(e), first / FRAME_SIZE * sizeof(*e));
	close(fd);
	for (i = 0; i < ARENA_FRAMES; i++)
		w->present[arena][i] = e[i] >> 63;
	return n == sizeof(e) ? 0 : -EIO;
}

/* On a stack of the heap's. */
static __attribute__((noinline)) void run_aground(struct wreck *w)
{
	struct burrow_heap_stats stats;
	unsigned int mark = 4242;

	w->mark = &mark;
	CHILD_CHECK(!present_note(w, HEAP_ARENA));
	CHILD_CHECK(!present_note(w, STACK_ARENA));
	CHILD_CHECK(!heap_stats(w->h.fd, &stats));
	w->frames = stats.out_frames;
	abort();
}

static struct wreck *wreck;

static void coroutine_aborts(void)
{
	run_aground(wreck);
}

static int child_aborts(void *arg)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	static ucontext_t here, there;
	struct wreck *w = arg;

	CHILD_CHECK(!setrlimit(RLIMIT_CORE, &all));
	CHILD_CHECK(!heap_make(&w->h, MANY_ARENAS));
	CHILD_CHECK(!arenas_make(&w->h, 1));
	CHILD_CHECK(!spans_make(w));
	CHILD_CHECK(!stack_make(w));
	beacon = w->beacon;
	wreck = w;
	CHILD_CHECK(!getcontext(&there));
	there.uc_stack.ss_sp = w->stack + GUARD_BYTES;
	there.uc_stack.ss_size = SPAN_BYTES - GUARD_BYTES;
	makecontext(&there, coroutine_aborts, 0);
	swapcontext(&here, &there);
	return CHILD_BAD;
}

/**
 * struct core - the file
 * @ph:		its program headers
 */
struct core {
	char path[64];
	int fd;
	Elf64_Ehdr eh;
	Elf64_Phdr ph[512];
};

static int core_open(struct core *c, pid_t pid)
{
	size_t bytes;

	snprintf(c->path, sizeof(c->path), "/tmp/core.%d", pid);
	c->fd = open(c->path, O_RDONLY | O_CLOEXEC);
	if (c->fd < 0)
		return -errno;
	if (pread(c->fd, &c->eh, sizeof(c->eh), 0) != sizeof(c->eh) ||
	    memcmp(c->eh.e_ident, ELFMAG, SELFMAG) ||
	    c->eh.e_type != ET_CORE || c->eh.e_phnum > NR(c->ph))
		return -ENOEXEC;
	bytes = c->eh.e_phnum * sizeof(*c->ph);
	return pread(c->fd, c->ph, bytes, c->eh.e_phoff) == (ssize_t)bytes ?
	       0 : -EIO;
}

/* The segment that has this address; NULL. */
static const Elf64_Phdr *core_segment(const struct core *c, const void *p)
{
	Elf64_Addr addr = (uintptr_t)p;
	int i;

	for (i = 0; i < c->eh.e_phnum; i++)
		if (c->ph[i].p_type == PT_LOAD && addr >= c->ph[i].p_vaddr &&
		    addr - c->ph[i].p_vaddr < c->ph[i].p_memsz)
			return &c->ph[i];
	return NULL;
}

/* What was at @p. */
static int core_read(const struct core *c, const void *p, void *buf, size_t n)
{
	const Elf64_Phdr *ph = core_segment(c, p);
	off_t off = ph ? (off_t)((uintptr_t)p - ph->p_vaddr) : 0;

	if (!ph || off + n > ph->p_filesz)
		return -EFAULT;
	return pread(c->fd, buf, n, ph->p_offset + off) == (ssize_t)n ? 0 :
								       -EIO;
}

/* Is there anything in the file for the frame at @p, be it zeroes? */
static bool core_has_frame(const struct core *c, const void *p)
{
	const Elf64_Phdr *ph = core_segment(c, p);
	off_t at = ph->p_offset + ((uintptr_t)p - ph->p_vaddr);

	return lseek(c->fd, at, SEEK_DATA) == at;
}

/* The descriptor of the first note of that type, and its size; NULL. */
static const void *core_note(const struct core *c, __u32 type, size_t *size)
{
	static char notes[1 << 20];
	const char *at = notes, *end;
	int i;

	for (i = 0; i < c->eh.e_phnum && c->ph[i].p_type != PT_NOTE; i++)
		;
	if (i == c->eh.e_phnum || c->ph[i].p_filesz > sizeof(notes) ||
	    pread(c->fd, notes, c->ph[i].p_filesz, c->ph[i].p_offset) !=
	    (ssize_t)c->ph[i].p_filesz)
		return NULL;
	for (end = notes + c->ph[i].p_filesz; at < end;) {
		const Elf64_Nhdr *nh = (const void *)at;

		at += sizeof(*nh) + (nh->n_namesz + 3) / 4 * 4;
		*size = nh->n_descsz;
		if (nh->n_type == type)
			return at;
		at += (nh->n_descsz + 3) / 4 * 4;
	}
	return NULL;
}

FIXTURE(core) {
	char pattern[128];
	struct wreck *w;
	struct core c;
	int held;			/* keeps the user and its total */
	__u64 before;
};

FIXTURE_SETUP(core)
{
	int status = 0;
	pid_t pid;

	ASSERT_EQ(0, file_read(CORE_PATTERN, self->pattern,
			       sizeof(self->pattern)));
	ASSERT_EQ(0, file_write(CORE_PATTERN, "/tmp/core.%p"));
	self->held = device_open();
	ASSERT_LE(0, self->held);
	self->before = user_frames();
	self->w = mmap(NULL, sizeof(*self->w), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->w);
	pid = child_start(child_aborts, self->w);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ASSERT_TRUE(WCOREDUMP(status));
	ASSERT_EQ(0, core_open(&self->c, pid));
}

FIXTURE_TEARDOWN(core)
{
	EXPECT_EQ(self->before, user_frames());
	EXPECT_EQ(0, unlink(self->c.path));
	EXPECT_EQ(0, file_write(CORE_PATTERN, self->pattern));
}

TEST_F(core, has_what_was_in_the_heap_and_in_its_u_words_and_stacks)
{
	const struct wreck *w = self->w;
	struct beacon b, next;
	unsigned int mark;
	size_t page;
	__u64 word;

	ASSERT_EQ(0, core_read(&self->c, w->beacon, &b, sizeof(b)));
	EXPECT_STREQ(BEACON_TEXT, b.text);
	EXPECT_EQ(BEACON_NUMBER, b.number);
	ASSERT_EQ(0, core_read(&self->c, b.next, &next, sizeof(next)));
	EXPECT_STREQ(NEXT_TEXT, next.text);
	ASSERT_EQ(0, core_read(&self->c, w->uword, &word, sizeof(word)));
	EXPECT_EQ(UWORD, word);
	ASSERT_EQ(0, core_read(&self->c, w->mark, &mark, sizeof(mark)));
	EXPECT_EQ(4242, mark);
	/* K-words too: the span that the beacon is in */
	page = ((char *)w->beacon - w->h.window) / BURROW_PAGE_SIZE;
	ASSERT_EQ(0, core_read(&self->c, (void *)(w->h.kmeta + page), &word,
			       sizeof(word)));
	EXPECT_EQ(BURROW_TAG_HEAD, burrow_word_tag(word));
	EXPECT_EQ(SPAN_PAGES, burrow_word_low(word));
}

TEST_F(core, has_a_frame_where_there_was_one_and_none_elsewhere)
{
	__u64 there = 0, i;
	__u32 arena;

	for (arena = HEAP_ARENA; arena <= STACK_ARENA; arena++) {
		char *p = part(&self->w->h, BURROW_MMAP_DATA, arena);

		ASSERT_NE(NULL, core_segment(&self->c, p));
		for (i = 0; i < ARENA_FRAMES; i++, p += FRAME_SIZE) {
			bool has = core_has_frame(&self->c, p);

			there += has;
			ASSERT_EQ(self->w->present[arena][i], has)
				TH_LOG("arena %u, frame %llu", arena, i);
		}
	}
	EXPECT_EQ(self->w->frames, there);
	/* first, lazy, one of the untouched, the stack's */
	EXPECT_LE(2 * SPAN_BYTES / FRAME_SIZE + 1, there);
	EXPECT_GE(2 * SPAN_BYTES / FRAME_SIZE + 8, there);
}

/* Arenas are in it as large as they are mapped, the window is not. */
TEST_F(core, is_as_large_as_what_was_in_use)
{
	const struct wreck *w = self->w;
	const char *end = w->h.window + MANY_ARENAS * BURROW_ARENA_SIZE;
	__u64 bytes = 0, blocks;
	struct stat st;
	int i;

	for (i = 0; i < self->c.eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &self->c.ph[i];

		if (ph->p_type == PT_LOAD && ph->p_vaddr >= U64(w->h.window) &&
		    ph->p_vaddr < U64(end))
			bytes += ph->p_filesz;
	}
	EXPECT_EQ(2 * BURROW_ARENA_SIZE, bytes);
	ASSERT_EQ(0, fstat(self->c.fd, &st));
	blocks = st.st_blocks * 512ULL;
	/* besides the frames: two arenas' K-words, and the program's own */
	EXPECT_LE(w->frames * FRAME_SIZE, blocks);
	EXPECT_GE(w->frames * FRAME_SIZE + (4 << 20), blocks);
	TH_LOG("%llu KiB on disk for %llu KiB of heap", blocks >> 10,
	       w->frames * FRAME_SIZE >> 10);
}

TEST_F(core, names_the_signal_and_the_device)
{
	const prstatus_t *status;
	const char *files;
	size_t size;

	status = core_note(&self->c, NT_PRSTATUS, &size);
	ASSERT_NE(NULL, status);
	ASSERT_LE(sizeof(*status), size);
	EXPECT_EQ(SIGABRT, status->pr_cursig);
	files = core_note(&self->c, NT_FILE, &size);
	ASSERT_NE(NULL, files);
	EXPECT_NE(NULL, memmem(files, size, BURROW_DEVICE,
			       strlen(BURROW_DEVICE)));
}

static const char *gdb_find(void)
{
	return !access("/bin/gdb", X_OK) ? "/bin/gdb" :
	       !access("/usr/bin/gdb", X_OK) ? "/usr/bin/gdb" : NULL;
}

/* What gdb says to all of the questions, in one go. */
static int gdb_ask(const char *gdb, const struct core *c, char *answer,
		   size_t size)
{
	char program[PATH_MAX] = "";
	int out[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0 ||
	    pipe(out))
		return -errno;
	pid = fork();
	if (!pid) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		close(out[0]);
		execl(gdb, gdb, "-nx", "-batch", "-ex", "print *beacon",
		      "-ex", "print beacon->next->text",
		      "-ex", "backtrace", program, c->path, NULL);
		_exit(127);
	}
	close(out[1]);
	while (used < size - 1 &&
	       (n = read(out[0], answer + used, size - 1 - used)) > 0)
		used += n;
	answer[used] = '\0';
	close(out[0]);
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

TEST_F_TIMEOUT(core, a_debugger_reads_objects_from_it_and_walks_its_stack, 600)
{
	static const char * const says[] = {
		BEACON_TEXT, "number = 422877229687", NEXT_TEXT,
		"run_aground", "coroutine_aborts",
	};
	const char *gdb = gdb_find();
	static char answer[65536];
	size_t i;

	if (!gdb)
		SKIP(return, "no debugger on this machine");
	EXPECT_EQ(0, gdb_ask(gdb, &self->c, answer, sizeof(answer)));
	for (i = 0; i < NR(says); i++)
		EXPECT_NE(NULL, strstr(answer, says[i]))
			TH_LOG("answer %zu is not in: %s", i, answer);
}

TEST_HARNESS_MAIN
