/* SPDX-License-Identifier: MIT */
/*
 * script: what the parts of examples_parity share.
 *
 * Nothing is printed that two runs could tell differently: times, ports, who was
 * first. A server that answers none for two minutes ends the script with an error.
 */
#ifndef BW_PARITY_EXAMPLES_SCRIPT_H
#define BW_PARITY_EXAMPLES_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong with the machine, or the script: the end. */
__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);

/**
 * struct program - one that was begun
 * @pid:	its process
 * @out:	what it prints
 */
struct program {
	int pid;
	int out;
};

/* @argv[0] is its name in the folder of examples. */
struct program program_begin(char *const *argv);
/* "status 0", "signal 15" */
const char *program_end(struct program p);

/**
 * struct client - a connection to a server
 * @fd:		its socket
 * @nr:		bytes that were read ahead
 * @at:		of which so many were used
 */
struct client {
	int fd;
	size_t nr;
	size_t at;
	char ahead[4096];
};

/* A server by name: begun, and its port. */
struct program server_begin(const char *name, int *port);
/* It is told to end. */
void server_end(const char *name, struct program p);

void client_open(struct client *c, int port);
void client_close(struct client *c);
void client_send(struct client *c, const char *bytes, size_t n);
/* -1: it was the end. */
int client_byte(struct client *c);
/* @n bytes, and a 0; less at the end. */
size_t client_bytes(struct client *c, char *to, size_t n);
/* Without its end; false: there is none. Fatal if it does not fit. */
bool client_line(struct client *c, char *to, size_t size);

/* Bytes in one line. */
void show(const char *bytes, size_t n);

/* Each in the file of its name. */
void programs_script(void);
void httpd_script(void);
void kvd_script(void);

#endif
