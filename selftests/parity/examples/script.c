// SPDX-License-Identifier: MIT
/*
 * examples_parity: the examples, and what their servers answer, line by line.
 *	examples_parity FOLDER
 *
 *	main()			<- here
 *	  programs_script()	programs.c	those that run to their end
 *	  httpd_script()	httpd.c		requests in a table, one behind the other
 *	  kvd_script()		kvd.c		the same, and random ones beside a model
 *	    client_*()		client.c
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "script.h"

static const char *folder;

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(1);
}

struct program program_begin(char *const *argv)
{
	struct program p;
	char path[4096];
	int fd[2];

	fflush(stdout);
	snprintf(path, sizeof(path), "%s/%s", folder, argv[0]);
	if (pipe(fd))
		die("no pipe");
	p.out = fd[0];
	p.pid = fork();
	if (p.pid < 0)
		die("no fork");
	if (!p.pid) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		execv(path, argv);
		_exit(127);
	}
	close(fd[1]);
	return p;
}

const char *program_end(struct program p)
{
	static char end[32];
	int status;

	close(p.out);
	if (waitpid(p.pid, &status, 0) != p.pid)
		die("no such child");
	if (WIFSIGNALED(status))
		snprintf(end, sizeof(end), "signal %d", WTERMSIG(status));
	else
		snprintf(end, sizeof(end), "status %d", WEXITSTATUS(status));
	return end;
}

void show(const char *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (bytes[i] == '\r')
			printf("\\r");
		else if (bytes[i] == '\n')
			printf("\\n");
		else if (bytes[i] < ' ' || bytes[i] == 127)
			printf("\\x%02x", (unsigned char)bytes[i]);
		else
			putchar(bytes[i]);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: examples_parity FOLDER\n");
		return 2;
	}
	folder = argv[1];
	signal(SIGPIPE, SIG_IGN);
	programs_script();
	httpd_script();
	kvd_script();
	printf("end\n");
	return 0;
}
