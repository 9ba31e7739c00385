/* SPDX-License-Identifier: MIT */
/*
 * burrow/string.h: bytes with a length that nobody changes.
 */
#ifndef BURROW_STRING_H
#define BURROW_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "type.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct bw_string - passed by value
 * @ptr:	the bytes, which need no 0 behind them; anything when @len is 0
 * @len:	how many
 */
struct bw_string {
	const char *ptr;
	size_t len;
};

BW_TYPE(string, struct bw_string, ptr);

/* Of a literal or an array of chars, without the 0 at its end. */
#define BW_STR(text)	((struct bw_string){ (text), sizeof(text) - 1 })

static inline bool bw_string_equal(struct bw_string a, struct bw_string b)
{
	return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}

#ifdef __cplusplus
}
#endif

#endif
