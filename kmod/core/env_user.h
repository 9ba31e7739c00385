/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* env_user: the core's host is a process: the library, a fuzzer or a test. */
#ifndef BW_CORE_ENV_USER_H
#define BW_CORE_ENV_USER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#ifndef READ_ONCE
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#endif
#ifndef smp_load_acquire
/* as in the kernel; each use names its partner */
#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
/* likewise */
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#endif
#ifndef likely
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#endif
#ifndef min
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#endif

static inline unsigned int env_ctz(u64 x)
{
	return (unsigned int)__builtin_ctzll(x);
}

static inline unsigned int env_clz(u64 x)
{
	return x ? (unsigned int)__builtin_clzll(x) : 64;
}

static inline unsigned int env_popcount(u64 x)
{
	return (unsigned int)__builtin_popcountll(x);
}

#endif
