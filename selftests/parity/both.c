// SPDX-License-Identifier: MIT
/*
 * both: runs a program in user-only and in kernel mode and compares what they
 * print, line by line.
 *	both PROGRAM [ARG...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct output {
	char *text;
	size_t len;
	int status;
};

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct output output_of(const char *mode, char **argv)
{
	struct output o = { NULL, 0, 0 };
	FILE *to = open_memstream(&o.text, &o.len);
	char buf[4096];
	ssize_t n;
	pid_t pid;
	int fd[2];

	if (!to || pipe(fd))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		setenv("BURROW_MODE", mode, 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(fd[1]);
	while ((n = read(fd[0], buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, to);
	close(fd[0]);
	fclose(to);
	if (waitpid(pid, &o.status, 0) != pid)
		die("waitpid");
	return o;
}

/* Prints the first line in which they differ. */
static void tell_difference(const char *a, const char *b)
{
	unsigned int line = 1;
	const char *a_line = a, *b_line = b;

	for (; *a && *a == *b; a++, b++) {
		if (*a == '\n') {
			line++;
			a_line = a + 1;
			b_line = b + 1;
		}
	}
	printf("# line %u\n# user:   %.*s\n# kernel: %.*s\n", line,
	       (int)strcspn(a_line, "\n"), a_line,
	       (int)strcspn(b_line, "\n"), b_line);
}

static int tell(int nr, int ok, const char *what)
{
	printf("%s %d - %s\n", ok ? "ok" : "not ok", nr, what);
	return !ok;
}

int main(int argc, char **argv)
{
	struct output user, kernel;
	int bad = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: both PROGRAM [ARG...]\n");
		return 2;
	}
	printf("1..3\n");
	fflush(stdout);
	user = output_of("user", argv + 1);
	kernel = output_of("kernel", argv + 1);
	bad |= tell(1, !user.status && user.len, "user-only mode runs to its end");
	bad |= tell(2, !kernel.status && kernel.len, "kernel mode runs to its end");
	bad |= tell(3, !strcmp(user.text, kernel.text), "both modes print the same");
	if (strcmp(user.text, kernel.text))
		tell_difference(user.text, kernel.text);
	return bad;
}
