// SPDX-License-Identifier: MIT
/*
 * stop_tell: who does not answer, and what the kernel knows of it. The world is
 * half stopped: system calls alone, no lock of anybody.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/fmt.h"
#include "sched.h"

/* What is in /proc/self/task/@tid/@file; "?" where nothing can be read. */
static void slurp(s32 tid, const char *file, char *buf, size_t size)
{
	char path[64];
	ssize_t n = 0;
	int fd;

	bw_fmt(path, sizeof(path), "/proc/self/task/%d/%s", tid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, buf, size - 1);
		close(fd);
	}
	if (n <= 0)
		buf[0] = '?';
	buf[n <= 0 ? 1 : n] = '\0';
}

/* The word behind @key of "key:\tword\n" lines, made a string. */
static const char *field(char *text, const char *key)
{
	char *at = strstr(text, key), *end;

	if (!at)
		return "?";
	at += strlen(key);
	at += strspn(at, ":\t ");
	end = strchr(at, '\n');
	if (end)
		*end = '\0';
	return at;
}

void bw_stop_tell(const struct bw_m *m, const char *why, u64 seconds)
{
	char status[4096], wchan[128], blocked[32];

	slurp(m->rest.tid, "status", status, sizeof(status));
	slurp(m->rest.tid, "wchan", wchan, sizeof(wchan));
	bw_fmt(blocked, sizeof(blocked), "%s", field(status, "SigBlk"));
	bw_note("stopping the world (%s): thread %d%s has not answered for %llu "
		"s; state %s, in %s, blocked signals %s%s", why, m->rest.tid,
		m->attached ? ", attached," : "", (unsigned long long)seconds,
		field(status, "State"), wchan, blocked,
		READ_ONCE(m->inside) ? ", inside the scheduler" : "");
}
