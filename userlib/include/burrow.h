/* SPDX-License-Identifier: MIT */
/* burrow: everything the library offers. */
#ifndef BURROW_H
#define BURROW_H

#include "burrow/alloc.h"
#include "burrow/atomic.h"
#include "burrow/barrier.h"
#include "burrow/chan.h"
#include "burrow/ctx.h"
#include "burrow/gc.h"
#include "burrow/go.h"
#include "burrow/group.h"
#include "burrow/heap.h"
#include "burrow/io.h"
#include "burrow/map.h"
#include "burrow/pool.h"
#include "burrow/slice.h"
#include "burrow/string.h"
#include "burrow/sync.h"
#include "burrow/time.h"
#include "burrow/trace.h"
#include "burrow/type.h"

#endif
