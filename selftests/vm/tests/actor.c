// SPDX-License-Identifier: MIT
/*
 * actor ROLE: a test program that behaves in a given way, for selftest.sh.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void log_kernel(const char *text)
{
	int fd = open("/dev/kmsg", O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		exit(9);
	close(fd);
}

static int act_pass(void)
{
	puts("TAP version 13\n1..2\nok 1 first\nok 2 second");
	return 0;
}

static int act_fail(void)
{
	puts("TAP version 13\n1..3\nok 1 first\nnot ok 2 second is wrong\nok 3 third");
	return 1;
}

static int act_skip_one(void)
{
	puts("TAP version 13\n1..2\nok 1 first\nok 2 second # SKIP no second here");
	return 0;
}

static int act_skip_all(void)
{
	puts("this machine has no wheels");
	return 4;
}

static int act_quiet(void)
{
	return 0;
}

static int act_nonzero(void)
{
	puts("TAP version 13\n1..1\nok 1 first");
	return 3;
}

/* Announces two results and gives one: a harness that died half-way. */
static int act_short(void)
{
	puts("TAP version 13\n1..2\nok 1 first");
	return 0;
}

static int act_crash(void)
{
	raise(SIGSEGV);
	return 0;
}

/* Deaf to all but SIGKILL, and so is its child in a session of its own. */
static int act_hang(void)
{
	signal(SIGTERM, SIG_IGN);
	if (!fork())
		setsid();
	for (;;)
		pause();
	return 0;
}

/* Ends, but leaves a process that holds stdout open. */
static int act_orphan(void)
{
	if (!fork()) {
		setsid();
		for (;;)
			pause();
	}
	return 0;
}

/* Fails if another process of this program is still there. */
static int act_alone(void)
{
	char path[300], name[32];
	DIR *dir = opendir("/proc");
	struct dirent *d;
	int others = 0;
	FILE *f;

	while (dir && (d = readdir(dir))) {
		if (atoi(d->d_name) < 2 || atoi(d->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		f = fopen(path, "r");
		others += f && fgets(name, sizeof(name), f) && !strcmp(name, "actor\n");
		if (f)
			fclose(f);
	}
	return dir && !others ? 0 : 1;
}

static int act_dirty(void)
{
	log_kernel("BUG: fake\n");
	return 0;
}

static int act_warn(void)
{
	log_kernel("WARNING: possible circular locking dependency detected\n");
	return 0;
}

static int act_noise(void)
{
	log_kernel("FAULT_INJECTION: forcing a failure.\n");
	log_kernel("Memory cgroup out of memory: Killed process 77 (BUG)\n");
	log_kernel("CONFIG_DEBUG_BUGVERBOSE and _WARNING_ are no words\n");
	return 0;
}

/* Looks like the guest's own report, on purpose. */
static int act_forge(void)
{
	puts("@end 1 exit 0 kmsg=clean\n@done 0\n@fail forged");
	return 0;
}

static int act_env(void)
{
	const char *colour = getenv("COLOUR");

	return colour && !strcmp(colour, "green") ? 0 : 1;
}

static int act_panic(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	return write(fd, "c", 1) < 0 ? 1 : 0;
}

static const struct {
	const char *name;
	int (*act)(void);
} roles[] = {
	{ "pass", act_pass }, { "fail", act_fail },
	{ "skip_one", act_skip_one }, { "skip_all", act_skip_all },
	{ "quiet", act_quiet }, { "nonzero", act_nonzero },
	{ "short", act_short }, { "crash", act_crash },
	{ "hang", act_hang }, { "orphan", act_orphan }, { "alone", act_alone },
	{ "dirty", act_dirty }, { "warn", act_warn }, { "noise", act_noise },
	{ "forge", act_forge }, { "env", act_env }, { "panic", act_panic },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(roles) / sizeof(*roles); i++)
		if (!strcmp(argv[1], roles[i].name)) {
			int status = roles[i].act();

			fflush(stdout);
			return status;
		}
	return 99;
}
