// SPDX-License-Identifier: MIT
/* throw: see throw.h */
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "fmt.h"
#include "throw.h"

#define LINE_MAX_BYTES	512

/* One line, newline included even where the text had to be cut. */
static void say(const char *prefix, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	size_t len, at = 0;

	len = bw_fmt(line, sizeof(line) - 1, "%s", prefix);
	len += bw_vfmt(line + len, sizeof(line) - 1 - len, fmt, ap);
	line[len++] = '\n';
	while (at < len) {
		ssize_t n = write(STDERR_FILENO, line + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

void bw_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("burrow: fatal: ", fmt, ap);
	va_end(ap);
	abort();
}

void bw_throw(const char *msg)
{
	bw_fatal("%s", msg);
}

void bw_note(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	say("burrow: ", fmt, ap);
	va_end(ap);
	errno = saved;
}
