// SPDX-License-Identifier: MIT
/* caller: see caller.h */
#include "base/fmt.h"
#include "base/symbol.h"
#include "caller.h"

void bw_caller_slow(const char *who)
{
	struct bw_m *m = bw_m_self();

	/* a thread that has objects has a M, and is no G all the same */
	if (m && (m->implied || m->helper))
		bw_fatal("%s() from a thread that is not attached", who);
	bw_check(bw_m_enter(who));
	bw_m_exit_here();
}

const char *bw_caller_text(char *buf, u64 id, const char *name, u64 fn)
{
	char entry[64] = "a thread of its own";

	if (fn) {
		bw_symbols_begin();
		bw_symbol(fn, entry, sizeof(entry));
		bw_symbols_end();
	}
	bw_fmt(buf, BW_CALLER_TEXT, "G %llu%s%s%s (%s)",
	       (unsigned long long)id, name ? " '" : "", name ? name : "",
	       name ? "'" : "", entry);
	return buf;
}

const char *bw_caller_self(char *buf)
{
	const struct bw_g *g = bw_self();

	if (!g)
		return "a thread that is no G";
	return bw_caller_text(buf, g->id, g->name,
			      g->stack ? (u64)(uintptr_t)g->fn : 0);
}

static __thread u32 seed __attribute__((tls_model("initial-exec")));

/* xorshift. Not inlined: the thread may be another between two calls. */
__attribute__((noinline)) u32 bw_caller_random(void)
{
	u32 x = seed;

	if (unlikely(!x))
		x = (u32)(uintptr_t)&seed * 2654435761U | 1;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	seed = x;
	return x;
}
