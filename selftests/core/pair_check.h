/* SPDX-License-Identifier: MIT */
/* pair_check: how a pair says that its halves differ. */
#ifndef BW_SELFTESTS_PAIR_CHECK_H
#define BW_SELFTESTS_PAIR_CHECK_H

#include "pair.h"

/* Notes the difference; always false. */
__attribute__((format(printf, 2, 3)))
bool pair_differs(struct pair *p, const char *fmt, ...);

/* What comes of a span's name: 0, -ESTALE or -EBUSY. */
int pair_name_is_good(const struct pair *p, u32 page, u32 gen);

/* After a move named @what: the counters; and the words of its pages. */
bool pair_counts(struct pair *p, const char *what);
bool pair_words(struct pair *p, const char *what, u32 page, u32 npages);

#endif
