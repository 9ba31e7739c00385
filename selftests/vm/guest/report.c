// SPDX-License-Identifier: MIT
/*
 * report: the line stream on the second serial port, and reading small files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"

static int report_fd = -1;

void report_open(void)
{
	int fd = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	struct termios tio;

	if (fd < 0 || tcgetattr(fd, &tio))
		return;
	cfmakeraw(&tio);
	tcsetattr(fd, TCSANOW, &tio);
	report_fd = fd;
}

/* Return when the port has sent everything. */
void report_drain(void)
{
	tcdrain(report_fd);
}

static void write_all(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(report_fd, buf, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			buf += n;
			len -= n;
		}
	}
}

void report(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	write_all(line, len);
}

/* One line with @keyword for each line of @text, unprintable bytes as '?'. */
void report_text(const char *keyword, const char *text, size_t len)
{
	char line[4200];
	size_t used, i;

	do {
		used = snprintf(line, sizeof(line), "%s ", keyword);
		for (i = 0; i < len && text[i] != '\n' && used < sizeof(line) - 1; i++) {
			unsigned char c = text[i];

			if (c != '\r')
				line[used++] = c >= ' ' || c == '\t' ? c : '?';
		}
		line[used++] = '\n';
		write_all(line, used);
		if (i < len && text[i] == '\n')
			i++;
		text += i;
		len -= i;
	} while (len);
}

void report_file(const char *keyword, const char *path)
{
	char line[1024];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		report_text(keyword, line, strcspn(line, "\n"));
	if (f)
		fclose(f);
}

/* The file's text, cut at size - 1; 0 when there is none. */
size_t read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while (used < size - 1 && (n = read(fd, buf + used, size - 1 - used)) > 0)
		used += n;
	close(fd);
	buf[used] = '\0';
	return used;
}
