// SPDX-License-Identifier: MIT
/*
 * init: PID 1 of the test machine.
 *
 *	main()
 *	  set_up()		mounts, /dev links, core pattern, loopback
 *	  load()		/burrow.ko, with burrow.params= from the command line
 *	  run_kunit()		/burrow_kunit.ko: its results, as the kernel wrote them
 *	  run_list()		each line of /tests.list: program.c
 *	  check_at_rest()	leaks, lockdep, unload, taint, the last of the log
 *	  @done NONCE, reboot	QEMU runs with -no-reboot, so this ends it
 *
 * Kernel command line: burrow.nonce=TEXT (repeated in @done, so that the host
 * knows this run got to its end), burrow.params="...", burrow.slow=FACTOR,
 * burrow.shell=1 (a shell on the console instead of the list).
 *
 * It ends by reboot(2) and kills by kill(-1), so it does nothing at all
 * unless it is PID 1.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define KUNIT		"/sys/kernel/debug/kunit"
#define UNLOAD_TRIES	50	/* 100 ms apart */
#define KMEMLEAK_MIN_AGE 5	/* seconds, mm/kmemleak.c */
/* TAINT_ bits: machine check/bad page, died, warned, soft lockup */
#define BAD_TAINT	(1ul << 5 | 1ul << 7 | 1ul << 9 | 1ul << 14)

static unsigned long boot_taint;

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

static void mount_at(const char *type, const char *dir, const char *options, bool must)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, 0, options) && errno != EBUSY && must)
		report("@fail cannot mount %s: %s", type, strerror(errno));
}

/* The value of burrow.NAME= on the command line, quotes removed; or "". */
static const char *option(const char *name, char *buf, size_t size)
{
	char cmdline[4096], key[64], *p = cmdline;
	size_t used = 0;
	bool quoted = false;

	buf[0] = '\0';
	snprintf(key, sizeof(key), "burrow.%s=", name);
	if (!read_text("/proc/cmdline", cmdline, sizeof(cmdline)))
		return buf;
	while ((p = strstr(p, key)) && p != cmdline && p[-1] != ' ' && p[-1] != '"')
		p++;
	if (!p)
		return buf;
	/* The kernel's own form is "NAME=VALUE" or NAME="VALUE" */
	quoted = p > cmdline && p[-1] == '"';
	for (p += strlen(key); *p && *p != '\n' && used < size - 1; p++) {
		if (*p == ' ' && !quoted)
			break;
		if (*p == '"')
			quoted = !quoted;
		else
			buf[used++] = *p;
	}
	buf[used] = '\0';
	return buf;
}

static void set_up_cgroups(void)
{
	mount_at("cgroup2", "/sys/fs/cgroup", NULL, true);
	if (write_text("/sys/fs/cgroup/cgroup.subtree_control", "+memory"))
		report("@note no memory controller in cgroup2");
	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+cpu");
	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+pids");
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		report("@note no loopback interface");
	if (fd >= 0)
		close(fd);
}

static unsigned long read_taint(void)
{
	char text[64];

	if (!read_text("/proc/sys/kernel/tainted", text, sizeof(text)))
		return 0;
	return strtoul(text, NULL, 10);
}

static void set_up(void)
{
	struct utsname uts;

	mount_at("proc", "/proc", NULL, true);
	mount_at("sysfs", "/sys", NULL, true);
	mount_at("devtmpfs", "/dev", NULL, true);
	report_open();
	mount_at("devpts", "/dev/pts", NULL, false);
	mount_at("tmpfs", "/dev/shm", "mode=1777", true);
	mount_at("tmpfs", "/tmp", "mode=1777", true);
	mount_at("debugfs", "/sys/kernel/debug", NULL, true);
	mount_at("tracefs", "/sys/kernel/tracing", NULL, false);
	set_up_cgroups();
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	write_text("/proc/sys/kernel/core_pattern", "/tmp/core.%p");
	/* The scanner's own thread would charge a leak to whoever runs. */
	if (!write_text(KMEMLEAK, "scan=off")) {
		write_text(KMEMLEAK, "scan");
		write_text(KMEMLEAK, "clear");
	}
	loopback_up();
	boot_taint = read_taint();
	uname(&uts);
	report("@boot %s, %ld CPUs", uts.release, sysconf(_SC_NPROCESSORS_ONLN));
}

/* Load @path when it is there; true when it was loaded. */
static bool load(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = !syscall(SYS_finit_module, fd, params, 0);
	if (!ok)
		report("@fail cannot load %s: %s", path, strerror(errno));
	close(fd);
	if (kmsg_take_dirty())
		report("@fail the kernel log got dirty while %s was loaded", path);
	return ok;
}

/*
 * The last file of a killed process may be put by a kernel worker (a socket's
 * garbage collector, say), which tells nobody: so ask again for a while.
 */
static void unload(const char *name)
{
	char path[96], users[32] = "?";
	unsigned int tries = UNLOAD_TRIES;
	int err;

	do {
		err = syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
	} while (err == EAGAIN && --tries && !usleep(100000));
	if (err) {
		snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
		read_text(path, users, sizeof(users));
		users[strcspn(users, "\n")] = '\0';
		report("@fail cannot unload %s: %s (%s users)", name,
		       strerror(err), users);
	}
	if (kmsg_take_dirty())
		report("@fail the kernel log got dirty while %s was unloaded", name);
}

static void run_kunit(void)
{
	unsigned int nr = 0;
	struct dirent *d;
	char path[512];
	DIR *dir;

	if (!load("/burrow_kunit.ko", ""))
		return;
	dir = opendir(KUNIT);
	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, "burrow", strlen("burrow")))
			continue;
		nr++;
		report("@suite %s", d->d_name);
		snprintf(path, sizeof(path), KUNIT "/%s/results", d->d_name);
		report_file("@kunit", path);
	}
	if (dir)
		closedir(dir);
	if (!nr)
		report("@fail burrow_kunit.ko left no results of a suite burrow*");
	unload("burrow_kunit");
}

static void drop_cores(void)
{
	DIR *dir = opendir("/tmp");
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (!strncmp(d->d_name, "core.", strlen("core.")))
			unlinkat(dirfd(dir), d->d_name, 0);
	if (dir)
		closedir(dir);
}

static void run_list(void)
{
	FILE *f = fopen("/tests.list", "re");
	unsigned int nr = 0;
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		if (line[strspn(line, " \t\n")]) {
			program_run(++nr, line);
			drop_cores();
		}
	}
	if (f)
		fclose(f);
}

/*
 * A block must reach a certain age before the scanner calls it a leak, and be
 * the same in two scans. What is older than the first call needs one only.
 */
static void check_leaks(const char *when, unsigned int scans)
{
	char text[16];
	bool leaks;

	if (access(KMEMLEAK, W_OK))
		return;
	sleep(KMEMLEAK_MIN_AGE + 1);
	while (scans--)
		write_text(KMEMLEAK, "scan");
	leaks = read_text(KMEMLEAK, text, sizeof(text));
	if (leaks) {
		report("@fail kmemleak found leaks %s", when);
		report_file("@kmsg", KMEMLEAK);
	}
	write_text(KMEMLEAK, "clear");
	/* Its own summary line is in the log too, that is said already. */
	if (kmsg_take_dirty() && !leaks)
		report("@fail the kernel log got dirty while leaks were looked for");
}

static void check_at_rest(bool loaded)
{
	char stats[8192], *p;
	unsigned long taint;

	if (!program_kill_all())
		report("@fail a process is left that cannot be killed");
	if (kmsg_take_dirty())
		report("@fail the kernel log got dirty after the last program");
	check_leaks("with the module loaded", 2);
	if (loaded) {
		unload("burrow");
		check_leaks("after the module was unloaded", 1);
	}
	if (read_text("/proc/lockdep_stats", stats, sizeof(stats))) {
		p = strstr(stats, "debug_locks:");
		if (!p || atoi(p + strlen("debug_locks:")) != 1)
			report("@fail lockdep turned itself off during the run");
	}
	taint = read_taint() & ~boot_taint & BAD_TAINT;
	if (taint)
		report("@fail the kernel got tainted: %#lx", taint);
	if (kmsg_take_dirty())
		report("@fail the kernel log got dirty at the end");
}

static void run_shell(void)
{
	int fd, status;
	pid_t pid = fork();

	if (!pid) {
		setsid();
		fd = open("/dev/ttyS0", O_RDWR);
		ioctl(fd, TIOCSCTTY, 1);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		putenv("PATH=/bin:/t");
		putenv("TERM=linux");
		if (!fork()) {
			execl("/bin/busybox", "busybox", "--install", "-s", "/bin", NULL);
			_exit(127);
		}
		wait(&status);
		execl("/bin/busybox", "sh", NULL);
		_exit(127);
	}
	while (waitpid(-1, &status, 0) != pid)
		;
}

int main(void)
{
	char nonce[64], params[1024], text[16];
	bool loaded;

	if (getpid() != 1) {
		fprintf(stderr, "init: this is PID 1 of a test machine, not a program to run\n");
		return 1;
	}
	set_up();
	program_setup(kmsg_open(), atoi(option("slow", text, sizeof(text))));
	loaded = load("/burrow.ko", option("params", params, sizeof(params)));
	if (atoi(option("shell", text, sizeof(text)))) {
		run_shell();
	} else {
		run_kunit();
		run_list();
		check_at_rest(loaded);
	}
	report("@done %s", option("nonce", nonce, sizeof(nonce)));
	report_drain();
	sync();
	reboot(RB_AUTOBOOT);
	return 0;
}
