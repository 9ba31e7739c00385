/* SPDX-License-Identifier: MIT */
/* types: the kernel's short names, for every room of the library. */
#ifndef BW_BASE_TYPES_H
#define BW_BASE_TYPES_H

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

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif
#ifndef min
#define min(a, b)	((a) < (b) ? (a) : (b))
#define max(a, b)	((a) > (b) ? (a) : (b))
#endif

#ifndef __printf
#define __printf(at, args)	__attribute__((format(printf, at, args)))
#endif
#ifndef __cold
#define __cold			__attribute__((cold))
#endif
#ifndef __noreturn
#define __noreturn		__attribute__((noreturn))
#endif
#ifndef __aligned
#define __aligned(n)		__attribute__((aligned(n)))
#endif

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* Debug builds say -DBW_DEBUG=1; code asks with if (BW_DEBUG). */
#ifndef BW_DEBUG
#define BW_DEBUG	0
#endif

#endif
