// SPDX-License-Identifier: MIT
/*
 * cmd: see cmd.h. What clients may compare, words of errors included, is what Redis
 * answers.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <burrow.h>

#include "../serve.h"
#include "cmd.h"

#define SECOND		1000000000ULL
#define MS		1000000ULL
#define NOT_INTEGER	"ERR value is not an integer or out of range"
#define NO_MEMORY	"OOM command not allowed: there is no memory"

static bool is(struct text t, const char *word)
{
	return strlen(word) == t.len && !strncasecmp(t.at, word, t.len);
}

/* As Redis has it: no blanks, no plus, no zeros in front. */
static bool integer(const char *at, size_t len, long long *out)
{
	const char *end = at + len;
	bool minus = len && *at == '-';
	unsigned long long n = 0, most = LLONG_MAX;

	at += minus;
	most += minus;
	if (at == end || (*at == '0' && (minus || end - at > 1)))
		return false;
	for (; at < end; at++) {
		unsigned int digit = (unsigned int)(*at - '0');

		if (digit > 9 || n > (most - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = minus ? (long long)-n : (long long)n;
	return true;
}

static void out_of_memory(struct conn *c)
{
	reply_error(c, NO_MEMORY);
}

static void cmd_ping(struct conn *c)
{
	if (c->argc > 2)
		reply_error(c, "ERR wrong number of arguments for 'ping' command");
	else if (c->argc == 2)
		reply_bulk(c, c->argv[1].at, c->argv[1].len);
	else
		reply_raw(c, "+PONG\r\n", 7);
}

static void cmd_echo(struct conn *c)
{
	reply_bulk(c, c->argv[1].at, c->argv[1].len);
}

/* It stays as it is when the lock is dropped: values are replaced. */
static struct blob *value_of(struct text key)
{
	uint64_t shard = db_shard(key);
	struct blob *value;
	struct entry *e;

	db_lock(shard);
	e = db_find(shard, key);
	value = e ? e->value : NULL;
	db_unlock(shard);
	return value;
}

static void reply_value(struct conn *c, const struct blob *value)
{
	if (value)
		reply_bulk(c, value->bytes, value->len);
	else
		reply_nil(c);
}

static void cmd_get(struct conn *c)
{
	reply_value(c, value_of(c->argv[1]));
}

/* All of them at one moment. */
static uint64_t shards_of(struct conn *c, int step)
{
	uint64_t shards = 0;
	int i;

	for (i = 1; i < c->argc; i += step)
		shards |= db_shard(c->argv[i]);
	return shards;
}

static void cmd_mget(struct conn *c)
{
	uint64_t shards = shards_of(c, 1);
	struct entry *e;
	int i;

	reply_number(c, '*', c->argc - 1);
	db_lock(shards);
	for (i = 1; i < c->argc; i++) {
		e = db_find(db_shard(c->argv[i]), c->argv[i]);
		reply_value(c, e ? e->value : NULL);
	}
	db_unlock(shards);
}

static void cmd_mset(struct conn *c)
{
	uint64_t shards = shards_of(c, 2);
	int i, err = 0;

	if (c->argc % 2 == 0) {
		reply_error(c, "ERR wrong number of arguments for 'mset' command");
		return;
	}
	db_lock(shards);
	for (i = 1; i < c->argc && !err; i += 2) {
		struct text key = c->argv[i], value = c->argv[i + 1];
		struct blob *b = db_blob(value.at, value.len);

		err = b ? db_put(db_shard(key), key, b, DB_FOREVER) : -1;
	}
	db_unlock(shards);
	if (err)
		out_of_memory(c);
	else
		reply_text(c, "+OK");
}

/* A moment that many units from now. False: not in this world. */
static bool moment(long long n, uint64_t unit, uint64_t *out)
{
	uint64_t ns;

	if (n <= 0 || __builtin_mul_overflow((uint64_t)n, unit, &ns) ||
	    __builtin_add_overflow(ns, bw_now(), out))
		return false;
	return *out != DB_FOREVER;
}

/**
 * struct set - what SET is told
 * @expires:	a moment
 * @absent:	NX
 * @present:	XX
 * @keep:	KEEPTTL
 */
struct set {
	uint64_t expires;
	bool absent;
	bool present;
	bool keep;
};

/* False: something is wrong with them, and was told. */
static bool set_options(struct conn *c, struct set *s)
{
	long long n;
	int i;

	for (i = 3; i < c->argc; i++) {
		bool seconds = is(c->argv[i], "ex");

		if (is(c->argv[i], "nx") && !s->present) {
			s->absent = true;
		} else if (is(c->argv[i], "xx") && !s->absent) {
			s->present = true;
		} else if (is(c->argv[i], "keepttl") &&
			   s->expires == DB_FOREVER) {
			s->keep = true;
		} else if ((seconds || is(c->argv[i], "px")) && !s->keep &&
			   s->expires == DB_FOREVER && i + 1 < c->argc) {
			i++;
			if (!integer(c->argv[i].at, c->argv[i].len, &n)) {
				reply_error(c, NOT_INTEGER);
				return false;
			}
			if (!moment(n, seconds ? SECOND : MS, &s->expires)) {
				reply_error(c, "ERR invalid expire time in 'set' command");
				return false;
			}
		} else {
			reply_error(c, "ERR syntax error");
			return false;
		}
	}
	return true;
}

static void cmd_set(struct conn *c)
{
	struct text key = c->argv[1], value = c->argv[2];
	struct set s = { .expires = DB_FOREVER };
	uint64_t shard = db_shard(key);
	struct entry *e = NULL;
	struct blob *b;
	int err = 0;

	if (c->argc > 3 && !set_options(c, &s))
		return;
	b = db_blob(value.at, value.len);
	if (!b) {
		out_of_memory(c);
		return;
	}
	db_lock(shard);
	if (s.absent || s.present || s.keep)
		e = db_find(shard, key);
	if (e && s.keep)
		s.expires = e->expires;
	if ((s.absent && e) || (s.present && !e))
		err = 1;
	else
		err = db_put(shard, key, b, s.expires);
	db_unlock(shard);
	if (err > 0)
		reply_nil(c);
	else if (err)
		out_of_memory(c);
	else
		reply_raw(c, "+OK\r\n", 5);
}

static void cmd_del(struct conn *c)
{
	uint64_t shards = shards_of(c, 1);
	int i, n = 0;

	db_lock(shards);
	for (i = 1; i < c->argc; i++)
		n += db_del(db_shard(c->argv[i]), c->argv[i]);
	db_unlock(shards);
	reply_number(c, ':', n);
}

static void cmd_exists(struct conn *c)
{
	uint64_t shards = shards_of(c, 1);
	int i, n = 0;

	db_lock(shards);
	for (i = 1; i < c->argc; i++)
		n += !!db_find(db_shard(c->argv[i]), c->argv[i]);
	db_unlock(shards);
	reply_number(c, ':', n);
}

/* Locked. NULL: the new value in *@n; or what is wrong. */
static const char *add(uint64_t shard, struct text key, long long by,
		       long long *n)
{
	struct entry *e = db_find(shard, key);
	char text[24];
	struct blob *b;

	*n = 0;
	if (e && !integer(e->value->bytes, e->value->len, n))
		return NOT_INTEGER;
	if (__builtin_add_overflow(*n, by, n))
		return "ERR increment or decrement would overflow";
	b = db_blob(text, (size_t)snprintf(text, sizeof(text), "%lld", *n));
	if (!b)
		return NO_MEMORY;
	if (e)
		db_set_value(e, b);
	else if (db_put(shard, key, b, DB_FOREVER))
		return NO_MEMORY;
	return NULL;
}

static void increase(struct conn *c, long long by)
{
	uint64_t shard = db_shard(c->argv[1]);
	const char *wrong;
	long long n;

	db_lock(shard);
	wrong = add(shard, c->argv[1], by, &n);
	db_unlock(shard);
	if (wrong)
		reply_error(c, "%s", wrong);
	else
		reply_number(c, ':', n);
}

static void cmd_incr(struct conn *c)
{
	increase(c, 1);
}

static void cmd_decr(struct conn *c)
{
	increase(c, -1);
}

static void cmd_incrby(struct conn *c)
{
	long long by;

	if (integer(c->argv[2].at, c->argv[2].len, &by))
		increase(c, by);
	else
		reply_error(c, NOT_INTEGER);
}

static void cmd_expire(struct conn *c)
{
	uint64_t shard = db_shard(c->argv[1]), when = 0;
	struct entry *e;
	long long n;

	if (!integer(c->argv[2].at, c->argv[2].len, &n)) {
		reply_error(c, NOT_INTEGER);
		return;
	}
	if (n > 0 && !moment(n, SECOND, &when)) {
		reply_error(c, "ERR invalid expire time in 'expire' command");
		return;
	}
	db_lock(shard);
	e = db_find(shard, c->argv[1]);
	if (e && n > 0)
		db_set_expires(shard, e, when);
	else if (e)
		db_del(shard, c->argv[1]);
	db_unlock(shard);
	reply_number(c, ':', !!e);
}

/* How long it has, in @unit; -1: for ever; -2: there is none. */
static void time_left(struct conn *c, uint64_t unit)
{
	uint64_t shard = db_shard(c->argv[1]), now;
	struct entry *e;
	long long n = -2;

	db_lock(shard);
	e = db_find(shard, c->argv[1]);
	now = bw_now();
	if (e && e->expires == DB_FOREVER)
		n = -1;
	else if (e)
		n = e->expires > now ?
		    (long long)((e->expires - now + unit / 2) / unit) : 0;
	db_unlock(shard);
	reply_number(c, ':', n);
}

static void cmd_ttl(struct conn *c)
{
	time_left(c, SECOND);
}

static void cmd_pttl(struct conn *c)
{
	time_left(c, MS);
}

static void cmd_info(struct conn *c)
{
	struct bw_gc_stats gc;
	struct bw_memstats mem;
	char text[512];
	int n;

	bw_gc_stats(&gc);
	if (bw_memstats(&mem))
		memset(&mem, 0, sizeof(mem));
	n = snprintf(text, sizeof(text),
		     "# Server\r\nredis_version:7.0.0\r\nserver_name:kvd\r\n"
		     "# Clients\r\nconnected_clients:%d\r\n"
		     "# Memory\r\nused_memory:%llu\r\ngc_cycles:%llu\r\n"
		     "# Keyspace\r\ndb0:keys=%zu\r\n", serve_count(),
		     (unsigned long long)mem.in_use,
		     (unsigned long long)gc.cycles, db_size());
	reply_bulk(c, text, (size_t)n);
}

static void cmd_dbsize(struct conn *c)
{
	reply_number(c, ':', (long long)db_size());
}

static void cmd_flushall(struct conn *c)
{
	db_clear();
	reply_text(c, "+OK");
}

/* Asked by clients as they start: there is nothing to tell. */
static void cmd_command(struct conn *c)
{
	reply_number(c, '*', 0);
}

static void cmd_config(struct conn *c)
{
	if (!is(c->argv[1], "get") || c->argc != 3) {
		reply_error(c, "ERR only CONFIG GET with one name is known");
		return;
	}
	reply_number(c, '*', 2);
	reply_bulk(c, c->argv[2].at, c->argv[2].len);
	reply_bulk(c, "", 0);
}

static void cmd_select(struct conn *c)
{
	if (is(c->argv[1], "0"))
		reply_text(c, "+OK");
	else
		reply_error(c, "ERR DB index is out of range");
}

static void cmd_quit(struct conn *c)
{
	reply_text(c, "+OK");
	c->over = true;
}

/**
 * struct cmd - a command						[const]
 * @argc:	strings it has; negative: so many or more
 */
static const struct cmd {
	const char *name;
	int argc;
	void (*fn)(struct conn *c);
} commands[] = {
	{ "get", 2, cmd_get },
	{ "set", -3, cmd_set },
	{ "incr", 2, cmd_incr },
	{ "mget", -2, cmd_mget },
	{ "mset", -3, cmd_mset },
	{ "del", -2, cmd_del },
	{ "ping", -1, cmd_ping },
	{ "echo", 2, cmd_echo },
	{ "expire", 3, cmd_expire },
	{ "ttl", 2, cmd_ttl },
	{ "pttl", 2, cmd_pttl },
	{ "exists", -2, cmd_exists },
	{ "decr", 2, cmd_decr },
	{ "incrby", 3, cmd_incrby },
	{ "info", -1, cmd_info },
	{ "dbsize", 1, cmd_dbsize },
	{ "flushall", -1, cmd_flushall },
	{ "command", -1, cmd_command },
	{ "config", -2, cmd_config },
	{ "select", 2, cmd_select },
	{ "quit", -1, cmd_quit },
};

static const struct cmd *find(struct text name)
{
	unsigned int i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (is(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static void unknown(struct conn *c)
{
	char args[160] = "";
	int i, n = 0;

	for (i = 1; i < c->argc && n < 100; i++) {
		int len = c->argv[i].len < 40 ? (int)c->argv[i].len : 40;

		n += snprintf(args + n, sizeof(args) - (size_t)n, "'%.*s' ",
			      len, c->argv[i].at);
	}
	i = c->argv[0].len < 128 ? (int)c->argv[0].len : 128;
	reply_error(c, "ERR unknown command '%.*s', with args beginning with: %s",
		    i, c->argv[0].at, args);
}

void cmd_run(struct conn *c)
{
	const struct cmd *cmd = find(c->argv[0]);

	if (!cmd)
		unknown(c);
	else if (cmd->argc > 0 ? c->argc != cmd->argc : c->argc < -cmd->argc)
		reply_error(c, "ERR wrong number of arguments for '%s' command",
			    cmd->name);
	else
		cmd->fn(c);
}
