#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lang_mutants: leaves out one rule of what programs are written in at a time: of
# channels, locks, contexts, pools and the servers among the examples (mutants.sh says
# how; the files themselves have the rules).
#
#	usage: lang_mutants.sh DIR [PATTERN]	only those whose name matches
set -u

. userlib/tests/mutants.sh
mutants_begin "$1" "${2:-.}" ${BASE:-chan_test chan_history_test select_test \
	sync_test ctx_test pool_test kvd httpd}

# Channels and select
mutant 'who waits to receive when it is closed gets no zeros' chan_test \
	lang/chan.c '/^static struct bw_waiter \*\*dismiss_locked/,/^}/s/bw_chan_zero(c, w->value);/;/'
mutant 'a word goes into the buffer beside who waits for one' chan_test \
	lang/chan.c '/^static inline bool put_at_once/,/^}/{s/READ_ONCE(c->recvq.first) ||//;s/ && !c->recvq.first//}'
mutant 'a word is taken and who waits to send goes on waiting' chan_test \
	lang/chan.c '/^static inline bool get_at_once/,/^}/{s/READ_ONCE(c->sendq.first) ||//;s/ && !c->sendq.first//}'
mutant 'a word goes into a channel that is closed' chan_die_test \
	lang/chan.c '/^static inline bool put_at_once/,/^}/s/!c->closed/1/'
mutant 'a pointer goes at once though somebody marks' chan_gc_test \
	lang/chan.c '/^static inline bool is_plain_locked/,/^}/s/return .*/return true;/'
mutant 'a pointer that was taken stays in the buffer' chan_gc_test \
	lang/chan.c '/^static inline bool get_at_once/,/^}/s/if (c->pointers)/if (0)/'
mutant 'the first case that is ready is chosen' select_test \
	lang/select.c 's/return nr_ready == 1 ||/return nr_ready == 1;/'
mutant 'what was not ready at a quick look is not ready' chan_history_test \
	lang/select.c '/^static int select_until/,/^}/s/if (i >= 0)/if (i >= 0 || !deadline)/'

# Locks
mutant 'who waited too long for a mutex is as others' sync_test \
	lang/mutex.c 's/bool starving = woken .*/bool starving = false;/'
mutant 'readers pass a writer who waits' sync_test \
	lang/rwmutex.c '/^static bool enter/,/^}/s/!(old & WAITERS) && may_enter/may_enter/'
mutant 'a mutex is free before who waits for a cond is in the list' sync_test \
	lang/cond.c '/^int bw_cond_wait_until/,/^}/{/bw_mutex_unlock(m);/d;s/^\tlock(c);/\tbw_mutex_unlock(m); bw_yield(); lock(c);/}'
mutant 'who asks a semaphore for less passes' sync_test \
	lang/sem.c '/^static bool take(/,/^}/s/!(old & WAITED) && //'
mutant 'who gives up on a semaphore lets nobody else in' sync_test \
	lang/sem.c '/^int bw_sem_acquire_until/,/^}/s/serve(s);/(void)s;/'

# Contexts and groups
mutant 'the child of a context that is over is not' ctx_test \
	lang/ctx.c 's/end_all(c, err, READ_ONCE(p->cause));/;/'
mutant 'a child lives longer than its parent' ctx_test \
	lang/ctx.c 's/c->until = min(c->until, when);/c->until = when;/'
mutant 'who waits for a child is lost though somebody has an ancestor' ctx_test \
	lang/ctx.c 's/bw_set(&c->done.buf, .*/;/'
mutant 'children that nobody has stay for ever' ctx_test \
	lang/ctx.c 's/if (!bw_weak_get(k->weak))/if (0)/'
mutant 'the last error of a group counts' ctx_test \
	lang/group.c 's/if (try_cmpxchg(&g->bw_err, &none, err) && g->bw_ctx)/g->bw_err = err; if (g->bw_ctx)/'
mutant 'a group has more at work than its limit' ctx_test \
	lang/group.c 's/bw_sem_acquire(&g->bw_room, 1);/;/'

# Pools
mutant 'the stack of a pool has no lock' pool_test \
	lang/pool.c '/^static void \*pop/,/^}/s/bw_waiters_\(un\)\{0,1\}lock(&s->lock);/;/;/^static u32 push/,/^}/s/bw_waiters_\(un\)\{0,1\}lock(&s->lock);/;/'
mutant 'what is in the place of a P is got twice' pool_test \
	lang/pool.c 's/bw_xchg(&s->own, NULL) : NULL/s->own : NULL/'
mutant 'a pool never forgets' pool_test \
	lang/pool.c '/^static void age/,/^}/s/p->old = p->now;/return;/'
mutant 'a pool that nobody has is in the list for ever' pool_test \
	lang/pool.c '/^static void age/,/^}/s/\*at = p->next;/at = \&p->next; continue;/'

# Servers
mutant 'what comes behind the last request is not read' httpd \
	../examples/serve.c 's/if (!shutdown(fd, SHUT_WR))/if (0)/'
mutant 'a shard has no lock' kvd \
	../examples/kvd/db.c 's/bw_mutex_\(un\)\{0,1\}lock(&shard_of(which)->mutex);/;/'
mutant 'a key is the bytes of its request' kvd \
	../examples/kvd/db.c 's/= bw_string_copy(key.at, key.len)/= string_of(key)/'

mutants_end
