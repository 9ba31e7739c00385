/* SPDX-License-Identifier: MIT */
/*
 * resp: what goes over a connection: requests in, replies out (RESP2).
 *
 * A request is an array of strings, or a line of words; it may come in any pieces,
 * and many at a time. What was understood of one that is not whole is kept, so that
 * nothing is looked at twice.
 */
#ifndef BW_KVD_RESP_H
#define BW_KVD_RESP_H

#include <stdbool.h>

#include "db.h"

/**
 * struct conn - a connection						[its G]
 * @fd:		its socket
 * @over:	it ends after the next write
 * @in:		what was read
 * @in_size:	room for so much
 * @head:	what was done with
 * @pos:	what was understood
 * @tail:	what there is
 * @want:	strings that are still to come; -1: a request begins
 * @size:	of the string that is to come; -1: its length is
 * @argc:	strings that there are
 * @argv:	where: offsets from @head, then pointers
 * @argv_size:	room for so many
 * @out:	replies
 * @out_size:	room for so much
 * @nr_out:	that are to be written
 */
struct conn {
	int fd;
	bool over;
	char *in;
	size_t in_size;
	size_t head;
	size_t pos;
	size_t tail;
	long want;
	long size;
	int argc;
	struct text *argv;
	int argv_size;
	char *out;
	size_t out_size;
	size_t nr_out;
};

struct conn *conn_make(int fd);
void conn_free(struct conn *c);

/* 1: a request is in @argv; 0: more must be read; -1: it is none, and was told. */
int conn_request(struct conn *c);
/* Done with that one. */
void conn_next(struct conn *c);
/* False: the other end is gone. */
bool conn_read(struct conn *c);
bool conn_flush(struct conn *c);

void reply_raw(struct conn *c, const char *bytes, size_t n);
void reply_text(struct conn *c, const char *line);
void reply_number(struct conn *c, char kind, long long n);
void reply_bulk(struct conn *c, const char *bytes, size_t n);
void reply_nil(struct conn *c);
__attribute__((format(printf, 2, 3)))
void reply_error(struct conn *c, const char *fmt, ...);

#endif
