// SPDX-License-Identifier: MIT
/*
 * dump: every G in text, for whoever has to find out why nothing moves.
 *
 *	burrow: G 7 'reader' parked (read) for 12 ms, started with work (prog)
 *		#0 bw_park+0x4c (prog)
 *		...
 *
 * One dump at a time (the lock of base/symbol.c). A G's name belongs to the
 * program and may be gone when we look: the kernel copies it for us.
 */
#include <sys/uio.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/say.h"
#include "base/symbol.h"
#include "eyes.h"

#define MAX_FRAMES	32U
#define BUF_BYTES	16384U

/* The same where it is not to be had (seccomp, an emulator of user mode). */
static ssize_t copy_by_pipe(char *to, const char *from, size_t size)
{
	ssize_t n;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return -1;
	n = write(fd[1], from, size);
	if (n > 0)
		n = read(fd[0], to, (size_t)n);
	close(fd[0]);
	close(fd[1]);
	return n;
}

/* Text that may be no more: what is there of it, and fit to be shown. */
static void name_copy(char *to, const char *from)
{
	struct iovec local = { to, BW_SHOWN - 1 };
	struct iovec remote = { (void *)from, BW_SHOWN - 1 };
	ssize_t n = 0, i;

	if (from)
		n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (n < 0 && errno != EFAULT)
		n = copy_by_pipe(to, from, BW_SHOWN - 1);
	if (n <= 0 && from) {
		to[0] = '?';
		n = 1;
	}
	to[n] = '\0';
	for (i = 0; to[i]; i++)
		if (to[i] < ' ' || to[i] > '~')
			to[i] = '?';
}

__attribute__((no_sanitize_thread, noinline))
void bw_g_look(const struct bw_g *g, struct bw_g_view *v)
{
	const volatile struct bw_g *now = g;
	const struct bw_m *m = now->m;

	v->g = g;
	v->id = now->id;
	v->state = now->state % BW_NR_G_STATES;
	v->sp = (u64)(uintptr_t)now->sp;
	v->m = m;
	v->on_m = m ? ((const volatile struct bw_m *)m)->id : 0;
	v->locked = now->locks;
	v->stack = now->stack;
	v->bare = now->bare;
	v->reason = v->state == BW_G_PARKED ? now->reason : NULL;
	v->since = v->state == BW_G_PARKED || v->state == BW_G_BLOCKED ?
		   now->since : 0;
	v->fn = (u64)(uintptr_t)now->fn;
	name_copy(v->name, now->name);
}

/* " for 12 ms", or nothing. */
static void duration(struct bw_say *s, u64 since)
{
	u64 now = READ_ONCE(bw_sched.clock), ms;

	if (!since)
		return;
	ms = now > since ? (now - since) / 1000000 : 0;
	if (ms < 10000)
		bw_say(s, " for %llu ms", (unsigned long long)ms);
	else if (ms < 6000000)
		bw_say(s, " for %llu s", (unsigned long long)ms / 1000);
	else
		bw_say(s, " for %llu min", (unsigned long long)ms / 60000);
}

static void headline(struct bw_say *s, const struct bw_g_view *v)
{
	bool on_m = v->state == BW_G_RUNNING || v->state == BW_G_BLOCKED;
	char entry[160];

	bw_say(s, "burrow: G %llu", (unsigned long long)v->id);
	if (v->name[0])
		bw_say(s, " '%s'", v->name);
	bw_say(s, " %s", bw_g_state_name[v->state]);
	if (v->reason)
		bw_say(s, " (%s)", v->reason);
	duration(s, v->since);
	if (on_m)
		bw_say(s, " on thread %u", v->on_m);
	if (v->locked)
		bw_say(s, ", has its thread");
	if (!v->bare)
		bw_symbol(v->fn, entry, sizeof(entry));
	bw_say(s, ", started with %s\n", v->bare ?
	       "a thread of its own" : entry);
}

static void frames(struct bw_say *s, const struct bw_g_view *v)
{
	char where[160];
	u64 pc[MAX_FRAMES];
	u32 i, nr = bw_backtrace(v, pc, MAX_FRAMES);

	for (i = 0; i < nr; i++) {
		/* behind a call: the call is what we want */
		bw_symbol(pc[i], where, sizeof(where));
		bw_say(s, "\t#%u %s\n", i, where);
	}
	if (nr == MAX_FRAMES)
		bw_say(s, "\t...\n");
}

/**
 * struct dump - a dump under way					[caller]
 */
struct dump {
	struct bw_say say;
	u64 nr;
};

static void dump_one(struct bw_g *g, void *arg)
{
	struct dump *d = arg;
	struct bw_g_view v;

	bw_g_look(g, &v);
	if (v.state == BW_G_FREE)
		return;
	d->nr++;
	headline(&d->say, &v);
	frames(&d->say, &v);
}

/* All, or @nr of them. */
static void dump(struct bw_g *const *g, u32 nr)
{
	static char buf[BUF_BYTES];		/* [SYMBOLS] */
	struct dump d = { { STDERR_FILENO, buf, sizeof(buf), 0 }, 0 };
	int saved = errno;
	u32 i;

	bw_clock_tick();
	bw_symbols_begin();
	bw_looks_begin();
	for (i = 0; i < nr; i++)
		dump_one(g[i], &d);
	if (!g) {
		bw_g_each(dump_one, &d);
		bw_say(&d.say, "burrow: %llu Gs\n", (unsigned long long)d.nr);
	}
	bw_say_flush(&d.say);
	bw_symbols_end();
	errno = saved;
}

void bw_dump(void)
{
	dump(NULL, 0);
}

void bw_dump_these(struct bw_g *const *g, u32 nr)
{
	dump(g, nr);
}
