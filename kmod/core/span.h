/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * span: the span table, one K-word per page (burrow/layout.h).
 *
 * The process reads these words while the kernel changes them. Two rules make
 * that safe:
 *
 * S1. bw_span_write() stores the bodies, then the head with release: who sees
 *     a head sees the bodies behind it.
 * S2. Body and head carry the span's generation: who still sees the body of a
 *     span that is gone finds no head, or one of another generation. So the
 *     order in which bw_span_erase() clears the words does not matter.
 * S3. A span that grows has its new bodies before its head says so (S1). One
 *     that shrinks leaves bodies for a moment which its head does not reach.
 */
#ifndef BW_CORE_SPAN_H
#define BW_CORE_SPAN_H

#include "env.h"
#include "burrow/layout.h"

struct bw_core;

u64 *bw_span_word(const struct bw_core *core, u32 page);

void bw_span_write(struct bw_core *core, u32 page, u64 head);
void bw_span_erase(struct bw_core *core, u32 page);
/* The span at @page gets longer, and @flags in its head; or shorter. */
void bw_span_extend(struct bw_core *core, u32 page, u32 npages, u64 flags);
void bw_span_trim(struct bw_core *core, u32 page, u32 npages);
void bw_span_set_state(struct bw_core *core, u32 page, u32 state);

/* The head page of the span or run that covers @page, or BW_NO_PAGE. */
u32 bw_span_head_of(const struct bw_core *core, u32 page);

#endif
