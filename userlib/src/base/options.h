/* SPDX-License-Identifier: MIT */
/*
 * options: what a user may ask for, from the environment.
 *
 *	BURROW_MODE=auto|kernel|user
 *	BURROW=key=value,key=value,...
 *
 *	verbose=0|1	say on standard error what was chosen, and counts at the end
 *	verify=0|1	user mode: check the whole page heap after each operation;
 *			check the allocator's structures on its slow paths
 *	clobberfree=0|1	fill freed objects with 0xdf; when one is handed out
 *			again, it must still be so
 *	guard=0|1	objects of more than 32K end at a page that nobody may
 *			touch (user mode)
 *	efence=0|1	a touch of what was freed is SIGSEGV, once the whole span
 *			is: at once for objects of more than 32K
 *	stacksize=SIZE	of a G: 64K, 128K, 256K, 512K or 1M
 *	deadlock=fatal|report|off	what to do when no G can ever run again
 *	schedtrace=N	a line about the scheduler on standard error each N ms,
 *			1 to 86400000; 0: none
 *	scheddetail=0|1	with it a line for each P, thread and G
 *	sigquit=exit|go-on	after SIGQUIT has shown every G
 *	window=SIZE	address space for arenas: a multiple of 64M, at most 1T
 *	gctrace=0|1	a line for each cycle of the collector
 *	gcpacertrace=0|1 another one of why it began when it did
 *	gccheckmark=0|1	mark once more in another way, and compare
 *	gcverify=0|1	check the heap's structures in each cycle
 *	gcstoptheworld=0|1|2 1: marking stops the world; 2: sweeping, too
 *	gcevery=N	a cycle every N refills of a thread's cache
 *	leakcheck=0|1	when a run ends, name the Gs that wait for ever
 *	typecheck=0|1	look for pointers where types say that there are none
 *	device=PATH	in place of /dev/burrow; no comma in it
 *
 * An unknown key or a bad value is an error that names it and says what is
 * allowed; nothing falls back to a default in silence. Where a key comes twice
 * the last one counts.
 */
#ifndef BW_BASE_OPTIONS_H
#define BW_BASE_OPTIONS_H

#include "types.h"

#define BW_DEFAULT_WINDOW	(256ULL << 30)

enum bw_deadlock { BW_DEADLOCK_FATAL, BW_DEADLOCK_REPORT, BW_DEADLOCK_OFF };

/**
 * struct bw_options - as parsed					[owner]
 * @mode:	BW_MODE_*
 * @verbose:	see above
 * @verify:	see above
 * @clobberfree: see above
 * @guard:	see above
 * @efence:	see above
 * @stacksize:	bytes; 0: the scheduler's default
 * @deadlock:	enum bw_deadlock
 * @schedtrace: see above
 * @scheddetail: see above
 * @quit_goes_on: sigquit=go-on
 * @gctrace:	see above
 * @gcpacertrace: see above
 * @gccheckmark: see above
 * @gcverify:	see above
 * @typecheck:	see above
 * @gcstoptheworld: see above
 * @gcevery:	see above; 0: as the pacer says
 * @leakcheck:	see above
 * @window:	bytes; 0: BW_DEFAULT_WINDOW, or less where that does not fit
 * @device:	path of the device
 */
struct bw_options {
	u32 mode;
	bool verbose;
	bool verify;
	bool clobberfree;
	bool guard;
	bool efence;
	u32 stacksize;
	u32 deadlock;
	u32 schedtrace;
	bool scheddetail;
	bool quit_goes_on;
	bool gctrace;
	bool gcpacertrace;
	bool gccheckmark;
	bool gcverify;
	bool typecheck;
	u32 gcstoptheworld;
	u32 gcevery;
	bool leakcheck;
	u64 window;
	char device[128];
};

void bw_options_init(struct bw_options *o);

/* 0, or -EINVAL and a line for bw_error_last(). NULL is as good as "". */
int bw_options_parse(struct bw_options *o, const char *burrow,
		     const char *mode);
int bw_options_set_window(struct bw_options *o, u64 bytes);
int bw_options_set_device(struct bw_options *o, const char *path, size_t len);
int bw_options_from_env(struct bw_options *o);

#endif
