// SPDX-License-Identifier: MIT
/*
 * program: run one line of the list, within its time.
 *
 *	[timeout=SECONDS] [NAME=value ...] PROGRAM [ARGUMENT ...]
 *
 * Words are separated by blanks; there is no quoting. A program has its own
 * session, no stdin, and one pipe for stdout and stderr. When it ends, or
 * when its time is up, everything that is not PID 1 or a kernel thread is
 * killed: kill(-1) from PID 1 reaches all descendants, whatever sessions and
 * groups they made.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define DEFAULT_TIMEOUT	120	/* seconds */
#define DEATH_TIMEOUT	20	/* from SIGKILL to a reaped process */
#define MAX_WORDS	64
#define MAX_THREADS	64	/* shown of a program that hangs */
#define PF_KTHREAD	0x00200000u

static int kmsg_fd, child_fd;	/* child_fd: a signalfd for SIGCHLD */
static unsigned int slowness;	/* factor on every timeout */

struct job {
	char *env[MAX_WORDS + 1];
	char *argv[MAX_WORDS + 1];
	unsigned int nr_env, nr_argv, timeout;
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void program_setup(int fd, unsigned int factor)
{
	sigset_t mask;

	kmsg_fd = fd;
	slowness = factor ? factor : 1;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	child_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool parse(struct job *job, char *line)
{
	char *word;

	memset(job, 0, sizeof(*job));
	job->timeout = DEFAULT_TIMEOUT;
	for (word = strtok(line, " \t\n"); word; word = strtok(NULL, " \t\n")) {
		if (job->nr_argv == MAX_WORDS || job->nr_env == MAX_WORDS)
			return false;
		if (job->nr_argv || !strchr(word, '='))
			job->argv[job->nr_argv++] = word;
		else if (!strncmp(word, "timeout=", 8))
			job->timeout = strtoul(word + 8, NULL, 10);
		else
			job->env[job->nr_env++] = word;
	}
	return job->nr_argv && job->timeout;
}

static void start(const struct job *job, int out)
{
	sigset_t none;
	unsigned int i;
	int in = open("/dev/null", O_RDONLY);

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (in > 2)
		close(in);
	for (i = 0; i < job->nr_env; i++)
		putenv(job->env[i]);
	execv(job->argv[0], job->argv);
	dprintf(2, "cannot run %s: %s\n", job->argv[0], strerror(errno));
	_exit(127);
}

/* Pass on complete lines of what the pipe holds; the rest waits in buf. */
static void pump(int fd, char *buf, size_t size, size_t *used)
{
	ssize_t len;
	char *nl;

	while ((len = read(fd, buf + *used, size - *used)) > 0) {
		*used += len;
		while ((nl = memchr(buf, '\n', *used)) || *used == size) {
			size_t line = nl ? (size_t)(nl - buf) : *used;
			size_t eaten = nl ? line + 1 : line;

			report_text("@out", buf, line);
			*used -= eaten;
			memmove(buf, buf + eaten, *used);
		}
	}
}

/* Reap all that died; true when @pid was among them. */
static bool reap(pid_t pid, int *status)
{
	bool found = false;
	int st;
	pid_t p;

	while ((p = waitpid(-1, &st, WNOHANG)) > 0) {
		if (p != pid)
			continue;
		*status = st;
		found = true;
	}
	return found;
}

static void wait_child(int ms)
{
	struct pollfd pfd = { .fd = child_fd, .events = POLLIN };
	struct signalfd_siginfo info;

	poll(&pfd, 1, ms);
	while (read(child_fd, &info, sizeof(info)) > 0)
		;
}

static bool is_kthread(const char *pid)
{
	char path[64], text[1024];
	unsigned int flags = 0;
	const char *p;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	if (!read_text(path, text, sizeof(text)))
		return true;
	p = strrchr(text, ')');
	if (p)
		sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %u", &flags);
	return flags & PF_KTHREAD;
}

static void show_thread(const char *pid, const char *tid)
{
	static const char *const files[] = { "wchan", "syscall", "stack" };
	char path[128], text[2048], *state;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%.16s/task/%.16s/status", pid, tid);
	if (!read_text(path, text, sizeof(text)))
		return;
	state = strstr(text, "State:");
	text[strcspn(text, "\n")] = '\0';
	if (state)
		state[strcspn(state, "\n")] = '\0';
	report("@diag process %.16s thread %.16s %s %s", pid, tid, text,
	       state ? state : "");
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "/proc/%.16s/task/%.16s/%s", pid,
			 tid, files[i]);
		if (read_text(path, text, sizeof(text)))
			report_text("@diag", text, strlen(text));
	}
}

static void show_threads(void)
{
	unsigned int left = MAX_THREADS;
	struct dirent *p, *t;
	DIR *procs, *tasks;
	char path[64];

	procs = opendir("/proc");
	while (procs && left && (p = readdir(procs))) {
		int pid = atoi(p->d_name);

		if (pid <= 1 || is_kthread(p->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task", pid);
		tasks = opendir(path);
		while (tasks && left && (t = readdir(tasks))) {
			if (t->d_name[0] == '.')
				continue;
			show_thread(p->d_name, t->d_name);
			left--;
		}
		if (tasks)
			closedir(tasks);
	}
	if (procs)
		closedir(procs);
}

/* Kill and reap everything but this process; false if something stays. */
bool program_kill_all(void)
{
	long long end = now_ms() + DEATH_TIMEOUT * slowness * 1000LL;
	int status;

	for (;;) {
		kill(-1, SIGKILL);
		reap(-1, &status);
		if (waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD)
			return true;
		if (now_ms() > end)
			break;
		wait_child(100);
	}
	report("@diag a process does not die of SIGKILL:");
	show_threads();
	return false;
}

/* @begin NR PROGRAM ARGUMENTS: the line without its environment. */
static void report_begin(unsigned int nr, const struct job *job)
{
	char text[512];
	size_t used = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < job->nr_argv && used < sizeof(text); i++)
		used += snprintf(text + used, sizeof(text) - used, " %s", job->argv[i]);
	report("@begin %u%s", nr, text);
}

static const char *outcome(int status, bool late, bool immortal, char *buf, size_t size)
{
	if (immortal)
		return "unkillable";
	if (late)
		return "timeout";
	if (WIFEXITED(status))
		snprintf(buf, size, "exit %d", WEXITSTATUS(status));
	else
		snprintf(buf, size, "signal %d", WTERMSIG(status));
	return buf;
}

void program_run(unsigned int nr, char *line)
{
	char buf[4096], how[32];
	size_t used = 0;
	long long begun, end;
	bool ended = false, late = false, immortal;
	int fds[2], status = 0;
	struct job job;
	pid_t pid;

	if (!parse(&job, line) || pipe2(fds, O_CLOEXEC)) {
		report("@fail line %u of the list makes no sense", nr);
		return;
	}
	report_begin(nr, &job);
	begun = now_ms();
	pid = fork();
	if (!pid)
		start(&job, fds[1]);
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	end = begun + 1000LL * job.timeout * slowness;
	while (!ended && !late) {
		struct pollfd pfd[] = {
			{ .fd = fds[0], .events = POLLIN },
			{ .fd = child_fd, .events = POLLIN },
			{ .fd = kmsg_fd, .events = POLLIN },
		};
		long long left = end - now_ms();

		poll(pfd, 3, left > 0 ? (int)left : 0);
		if (pfd[0].revents)
			pump(fds[0], buf, sizeof(buf), &used);
		if ((pfd[0].revents & POLLHUP) && fds[0] >= 0) {
			close(fds[0]);	/* or poll() would spin on it */
			fds[0] = -1;
		}
		kmsg_read();
		wait_child(0);
		ended = reap(pid, &status);
		late = !ended && now_ms() >= end;
	}
	if (late) {
		report("@diag %s: not done after %u s", job.argv[0],
		       job.timeout * slowness);
		show_threads();
		kmsg_read();
		kmsg_report_last();
	}
	immortal = !program_kill_all();
	if (fds[0] >= 0) {
		pump(fds[0], buf, sizeof(buf), &used);
		close(fds[0]);
	}
	if (used)
		report_text("@out", buf, used);
	late = late && !ended;
	report("@end %u %s ms=%lld kmsg=%s", nr,
	       outcome(status, late, immortal, how, sizeof(how)), now_ms() - begun,
	       kmsg_take_dirty() ? "dirty" : "clean");
}
