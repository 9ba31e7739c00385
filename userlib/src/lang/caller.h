/* SPDX-License-Identifier: MIT */
/*
 * caller: the G that calls, at the door of every call of this room.
 *
 * A call may take no more than a lock that is free, and a program may make nothing
 * but such calls. So each of them looks, before it locks anything, whether its G is
 * to let others run, or its run is over.
 */
#ifndef BW_LANG_CALLER_H
#define BW_LANG_CALLER_H

#include "burrow/time.h"
#include "sched/sched.h"

#define BW_CALLER_TEXT	128U

/* Somebody wants something of the G, or it has no P: an attached thread. */
void bw_caller_slow(const char *who);

/* The calling G may be in another thread afterwards. */
static inline void bw_caller(const char *who)
{
	struct bw_m *m = bw_m_self();
	struct bw_p *p = m ? m->p : NULL;

	if (unlikely(!p || READ_ONCE(m->asked) || READ_ONCE(p->drop)))
		bw_caller_slow(who);
}

/* There is time left until @deadline. */
static inline bool bw_now_before(u64 deadline)
{
	return deadline == BW_NEVER || (deadline && bw_now() < deadline);
}

/* "G 7 'reader' (work+0x0 (prog))", for messages. */
const char *bw_caller_text(char *buf, u64 id, const char *name, u64 fn);
const char *bw_caller_self(char *buf);

/* The same number for nobody else for a while; for choices, not for secrets. */
u32 bw_caller_random(void);

#endif
