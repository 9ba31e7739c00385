// SPDX-License-Identifier: MIT
/*
 * kvd: keys and values over the network, in the words of Redis.
 *
 *	kvd [-p PORT] [-b ADDRESS]		redis-cli -p PORT
 *
 *	main()		<- here
 *	  serve()	../serve.c	a G for each connection
 *	    talk()	<- here		requests, replies
 *	      conn_*()	resp.c		the protocol
 *	      cmd_run()	cmd.c		what may be asked
 *	        db_*()	db.c		keys and values, in the collected heap
 */
#include <stdio.h>

#include <burrow.h>

#include "../serve.h"
#include "cmd.h"

/* As many requests as there are get one write. */
static void talk(int fd)
{
	struct conn *c = conn_make(fd);
	int r;

	if (!c)
		return;
	while (!c->over && conn_read(c)) {
		while (!c->over && (r = conn_request(c)) > 0) {
			if (c->argc)
				cmd_run(c);
			conn_next(c);
		}
		if (!conn_flush(c))
			break;
	}
	conn_free(c);
}

static int start(void *arg)
{
	int err = db_init();

	if (!err)
		err = bw_go_named("expire", db_expire, NULL);
	if (!err)
		return serve(arg);
	fprintf(stderr, "kvd: %s\n", "cannot begin: no memory");
	return 1;
}

int main(int argc, char **argv)
{
	static struct serve s = {
		.name = "kvd", .address = "127.0.0.1", .port = 6379,
		.max = 10000, .talk = talk,
		.full = "-ERR max number of clients reached\r\n",
	};

	if (!serve_options(&s, argc, argv))
		return 2;
	bw_barriers_used();
	return bw_run(start, &s);
}
