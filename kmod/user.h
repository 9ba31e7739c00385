/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * user: what one uid holds over all its heaps, and how much it may.
 *
 * The memory is unswappable and lives outside any rlimit, so each uid has a
 * total (module parameter user_limit_pages, 0 for a quarter of RAM) and a
 * bound on open files (user_max_opens). Whoever opened the file with
 * CAP_IPC_LOCK is counted but not limited.
 */
#ifndef BW_USER_H
#define BW_USER_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/uidgid.h>

/**
 * struct bw_user - one uid with a file open
 * @node:	in the table of users				[users_lock]
 * @uid:	whose							[const]
 * @nr_opens:	files, the references to this struct		[users_lock]
 * @frames:	4 KiB frames charged				[atomic]
 */
struct bw_user {
	struct hlist_node node;
	kuid_t uid;
	unsigned int nr_opens;
	atomic_long_t frames;
};

/* Counts an open by the current uid. ERR_PTR(-EMFILE) over the bound. */
struct bw_user *bw_user_get(bool limited);
void bw_user_put(struct bw_user *user);

/* -ENOMEM over the total. */
int bw_user_charge(struct bw_user *user, unsigned long frames, bool limited);
void bw_user_uncharge(struct bw_user *user, unsigned long frames);

unsigned long bw_user_limit(void);

#endif
