/* SPDX-License-Identifier: MIT */
/* serve: a G for each connection to a port; what httpd and kvd have in common. */
#ifndef BW_EXAMPLES_SERVE_H
#define BW_EXAMPLES_SERVE_H

/**
 * struct serve - a server						[const]
 * @name:	of the program
 * @address:	where it listens; 127.0.0.1 unless -b says otherwise
 * @port:	0: any that is free
 * @max:	connections at a time
 * @full:	what one more is told, or NULL
 * @talk:	one connection, until it ends
 */
struct serve {
	const char *name;
	const char *address;
	int port;
	int max;
	const char *full;
	void (*talk)(int fd);
};

/* -p PORT, -b ADDRESS. False: something else, and it was said. */
int serve_options(struct serve *s, int argc, char **argv);

/* Says where it listens, on standard output, and goes on for ever. 1: it cannot. */
int serve(const struct serve *s);

/* Connections there are. */
int serve_count(void);

#endif
