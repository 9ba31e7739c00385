// SPDX-License-Identifier: MIT
/* say: see say.h */
#include <unistd.h>

#include "fmt.h"
#include "say.h"

void bw_say_flush(struct bw_say *s)
{
	size_t at = 0;
	ssize_t n;

	while (at < s->len) {
		n = write(s->fd, s->buf + at, s->len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	s->len = 0;
}

void bw_say(struct bw_say *s, const char *fmt, ...)
{
	va_list ap;

	if (s->size - s->len < s->size / 2)
		bw_say_flush(s);
	va_start(ap, fmt);
	s->len += bw_vfmt(s->buf + s->len, s->size - s->len, fmt, ap);
	va_end(ap);
}
