/* SPDX-License-Identifier: MIT */
/* cmd: what may be asked of kvd. */
#ifndef BW_KVD_CMD_H
#define BW_KVD_CMD_H

#include "resp.h"

/* The request in @argv, of one string at least: one reply. */
void cmd_run(struct conn *c);

#endif
