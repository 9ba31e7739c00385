// SPDX-License-Identifier: MIT
/*
 * kvd: requests and what is answered; then several clients at a time, with random
 * pipelines, each beside a model of the keys that are its own (script.h).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

#define CLIENTS		4
#define KEYS		40
#define PIPELINES	60
#define DEEP		30		/* requests in one, at most */
#define INCREMENTS	200

static const char *const requests[] = {
	"FLUSHALL", "PING", "PING hi", "ECHO \"a b\\x00\"", "GET k", "SET k v",
	"GET k", "SET k w NX", "SET new w XX", "SET new x EX 20000 NX",
	"SET new y KEEPTTL", "SET new y XX", "TTL new", "TTL none",
	"EXPIRE none 5", "EXPIRE new -1", "EXISTS new k k", "INCR n",
	"INCRBY n -12", "DECR n", "GET n", "INCR k", "MSET a 1 b 2 a 3",
	"MGET a none b", "DBSIZE", "DEL a b none a", "DBSIZE", "GET",
	"Nope a", "SELECT 0", "SELECT 1", "COMMAND DOCS", "CONFIG GET save",
	"SET gone x PX 1", "FLUSHALL", "DBSIZE",
};

/* One reply, into @to. */
static size_t reply(struct client *c, char *to, size_t size)
{
	size_t n, more;
	long len;

	if (!client_line(c, to, size))
		die("it was cut off");
	n = strlen(to);
	len = atol(to + 1);
	if (*to == '$' && len >= 0) {
		if ((size_t)len + 3 > size - n)
			die("too long a value");
		to[n++] = ' ';
		n += client_bytes(c, to + n, (size_t)len);
		client_byte(c);
		client_byte(c);
	} else if (*to == '*') {
		for (; len > 0; len--) {
			to[n++] = ' ';
			more = reply(c, to + n, size - n);
			n += more;
		}
	}
	return n;
}

static void table(int port)
{
	struct client c;
	char got[1024];
	unsigned int i;
	size_t n;

	client_open(&c, port);
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		client_send(&c, requests[i], strlen(requests[i]));
		client_send(&c, "\r\n", 2);
		n = reply(&c, got, sizeof(got));
		printf("%s: ", requests[i]);
		show(got, n);
		printf("\n");
	}
	client_close(&c);
}

/* Met by nobody, it goes, too. */
static void expiry(int port)
{
	struct client c;
	char got[64];
	int i;

	client_open(&c, port);
	for (i = 0; i < 100; i++) {
		snprintf(got, sizeof(got), "SET soon%d x PX 20\r\n", i);
		client_send(&c, got, strlen(got));
		reply(&c, got, sizeof(got));
	}
	do {
		client_send(&c, "DBSIZE\r\n", 8);
		reply(&c, got, sizeof(got));
	} while (strcmp(got, ":0"));
	printf("keys go when their time has come\n");
	client_close(&c);
}

/**
 * struct user - a client, a thread of its own
 * @port:	of the server							[const]
 * @me:		its keys have that in their names				[const]
 * @seed:	of its requests
 * @value:	of each key; 0: there is none
 * @good:	replies that were as they should be
 * @bad:	others
 */
struct user {
	int port;
	int me;
	uint64_t seed;
	unsigned int value[KEYS];
	long good;
	long bad;
};

static unsigned int pick(struct user *u, unsigned int n)
{
	u->seed ^= u->seed << 13;
	u->seed ^= u->seed >> 7;
	u->seed ^= u->seed << 17;
	return (unsigned int)(u->seed >> 33) % n;
}

/* A value is a number, many times: some are long. */
static size_t value_text(unsigned int v, char *to)
{
	size_t n = 0;
	unsigned int i;

	for (i = 0; i < 1 + v % 50; i++)
		n += (size_t)sprintf(to + n, "%u.", v);
	return n;
}

static void bulk_of(unsigned int v, char *to)
{
	char text[1024];
	size_t n = value_text(v, text);

	if (v)
		sprintf(to, "$%zu %s", n, text);
	else
		sprintf(to, "$-1");
}

/* A request at the end of @ask, and its reply. */
static void one_more(struct user *u, char *ask, char *want)
{
	unsigned int k = pick(u, KEYS), v;
	char text[1024], key[32];

	snprintf(key, sizeof(key), "%d:%u", u->me, k);
	ask += strlen(ask);
	switch (pick(u, 4)) {
	case 0:
		v = 1 + pick(u, 1000000);
		sprintf(ask, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n",
			strlen(key), key, value_text(v, text));
		strcat(ask, text);
		strcat(ask, "\r\n");
		sprintf(want, "+OK");
		u->value[k] = v;
		break;
	case 1:
		sprintf(ask, "DEL %s\r\n", key);
		sprintf(want, ":%d", u->value[k] != 0);
		u->value[k] = 0;
		break;
	case 2:
		sprintf(ask, "MGET %s none%s\r\n", key, key);
		bulk_of(u->value[k], text);
		sprintf(want, "*2 %s $-1", text);
		break;
	default:
		sprintf(ask, "GET %s\r\n", key);
		bulk_of(u->value[k], want);
	}
}

static void pipeline(struct user *u, struct client *c)
{
	static __thread char ask[DEEP * 1200], want[DEEP][1200], got[1200];
	unsigned int n = 1 + pick(u, DEEP), i;
	size_t cut;

	ask[0] = '\0';
	for (i = 0; i < n; i++)
		one_more(u, ask, want[i]);
	/* in two pieces, anywhere */
	cut = pick(u, (unsigned int)strlen(ask));
	client_send(c, ask, cut);
	client_send(c, ask + cut, strlen(ask) - cut);
	for (i = 0; i < n; i++) {
		reply(c, got, sizeof(got));
		if (strcmp(got, want[i]))
			u->bad++;
		else
			u->good++;
	}
}

static void *user_main(void *arg)
{
	struct user *u = arg;
	struct client c;
	char got[64];
	int i;

	client_open(&c, u->port);
	for (i = 0; i < PIPELINES; i++)
		pipeline(u, &c);
	for (i = 0; i < INCREMENTS; i++)
		client_send(&c, "INCR all\r\n", 10);
	for (i = 0; i < INCREMENTS; i++)
		reply(&c, got, sizeof(got));
	client_close(&c);
	return NULL;
}

static void users(int port)
{
	static struct user user[CLIENTS];
	pthread_t thread[CLIENTS];
	struct client c;
	char got[64];
	int i;

	for (i = 0; i < CLIENTS; i++) {
		user[i].port = port;
		user[i].me = i;
		user[i].seed = 88172645463325252ULL + (uint64_t)i;
		if (pthread_create(&thread[i], NULL, user_main, &user[i]))
			die("no thread");
	}
	for (i = 0; i < CLIENTS; i++) {
		pthread_join(thread[i], NULL);
		printf("client %d: %ld replies, %ld bad ones\n", i,
		       user[i].good, user[i].bad);
		if (user[i].bad)
			exit(1);
	}
	client_open(&c, port);
	client_send(&c, "GET all\r\n", 9);
	reply(&c, got, sizeof(got));
	printf("all of them together: %s\n", got);
	client_close(&c);
}

void kvd_script(void)
{
	struct program p;
	int port;

	printf("--- kvd\n");
	p = server_begin("kvd", &port);
	table(port);
	expiry(port);
	users(port);
	server_end("kvd", p);
}
