// SPDX-License-Identifier: GPL-2.0-only
/* user: the table of uids and their totals. See user.h. */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "user.h"

static unsigned long user_limit_pages;
module_param(user_limit_pages, ulong, 0644);
MODULE_PARM_DESC(user_limit_pages,
		 "4 KiB frames one uid may hold, 0 for a quarter of RAM");

static unsigned int user_max_opens = 4096;
module_param(user_max_opens, uint, 0644);
MODULE_PARM_DESC(user_max_opens, "files one uid may have open");

static DEFINE_SPINLOCK(users_lock);
static DEFINE_HASHTABLE(users, 6);		/* [users_lock] */

static struct bw_user *user_find_locked(kuid_t uid)
{
	struct bw_user *user;

	lockdep_assert_held(&users_lock);
	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

struct bw_user *bw_user_get(bool limited)
{
	struct bw_user *user, *fresh;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return ERR_PTR(-ENOMEM);
	fresh->uid = current_uid();

	spin_lock(&users_lock);
	user = user_find_locked(fresh->uid);
	if (!user) {
		user = fresh;
		fresh = NULL;
		hash_add(users, &user->node, __kuid_val(user->uid));
	}
	if (limited && user->nr_opens >= READ_ONCE(user_max_opens)) {
		/* the bound may be 0: do not keep a user nobody holds */
		if (!user->nr_opens) {
			hash_del(&user->node);
			fresh = user;
		}
		user = ERR_PTR(-EMFILE);
	} else {
		user->nr_opens++;
	}
	spin_unlock(&users_lock);
	kfree(fresh);
	return user;
}

void bw_user_put(struct bw_user *user)
{
	spin_lock(&users_lock);
	if (--user->nr_opens) {
		spin_unlock(&users_lock);
		return;
	}
	hash_del(&user->node);
	spin_unlock(&users_lock);
	WARN_ON_ONCE(atomic_long_read(&user->frames));
	kfree(user);
}

unsigned long bw_user_limit(void)
{
	unsigned long limit = READ_ONCE(user_limit_pages);

	return limit ? limit : totalram_pages() / 4;
}

int bw_user_charge(struct bw_user *user, unsigned long frames, bool limited)
{
	unsigned long now = atomic_long_add_return(frames, &user->frames);

	if (limited && now > bw_user_limit()) {
		atomic_long_sub(frames, &user->frames);
		return -ENOMEM;
	}
	return 0;
}

void bw_user_uncharge(struct bw_user *user, unsigned long frames)
{
	atomic_long_sub(frames, &user->frames);
}
