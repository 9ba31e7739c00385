// SPDX-License-Identifier: MIT
/* hash: see hash.h */
#include <sys/auxv.h>
#include <sys/random.h>

#include "base/atomic.h"
#include "hash.h"

/* Four lanes that do not wait for each other. */
static u64 lanes(const struct bw_hash_key *k, const char **p, size_t *n)
{
	u64 h[4] = { k->a, ~k->a, k->a ^ k->b, k->a + k->b };
	u32 i;

	for (; *n > 64; *p += 64, *n -= 64)
		for (i = 0; i < 4; i++)
			h[i] = bw_hash_mix(bw_hash_load8(*p + 16 * i) ^ h[i],
					   bw_hash_load8(*p + 16 * i + 8) ^
					   k->b);
	return bw_hash_mix(h[0] ^ h[1], k->b) ^
	       bw_hash_mix(h[2] + h[3], k->b ^ k->a);
}

u64 bw_hash_long(const struct bw_hash_key *k, const char *p, size_t n)
{
	size_t all = n;
	u64 h = k->a;

	if (n > 64)
		h = lanes(k, &p, &n);
	for (; n > 16; p += 16, n -= 16)
		h = bw_hash_mix(bw_hash_load8(p) ^ h,
				bw_hash_load8(p + 8) ^ k->b);
	/* the last 16, some of which were in the step before */
	h = bw_hash_mix(bw_hash_load8(p + n - 16) ^ h,
			bw_hash_load8(p + n - 8) ^ k->b);
	return bw_hash_mix(h ^ all, k->b);
}

/* The process's secret [written once by each who comes first, the same] */
static u64 secret[2], nr_keys;

/* 16 bytes that the kernel chose for this process are always there. */
static u64 secret_make(u32 i)
{
	u64 word;

	if (getrandom(&word, sizeof(word), GRND_NONBLOCK) != sizeof(word)) {
		const void *from = (const void *)getauxval(AT_RANDOM);

		memcpy(&word, (const char *)from + i * 8, sizeof(word));
		word = bw_hash_mix(word ^ 0x9e3779b97f4a7c15ULL,
				   0xd6e8feb86659fd93ULL);
	}
	return word | 1;
}

/* Whoever comes first: all others take his. */
static u64 secret_get(u32 i)
{
	u64 word = READ_ONCE(secret[i]), none = 0;

	if (likely(word))
		return word;
	word = secret_make(i);
	if (!__atomic_compare_exchange_n(&secret[i], &none, word, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		word = none;
	return word;
}

struct bw_hash_key bw_hash_key_make(void)
{
	u64 x = secret_get(0), y = secret_get(1);
	u64 n = __atomic_add_fetch(&nr_keys, 1, __ATOMIC_RELAXED);
	struct bw_hash_key k;

	k.a = bw_hash_mix(n * 0x9e3779b97f4a7c15ULL ^ x, y);
	k.b = bw_hash_mix(k.a + x, y ^ n) | 1;
	/* a multiplier of few bits would spread badly */
	while (__builtin_popcountll(k.b) < 24)
		k.b = bw_hash_mix(k.b + x, y) | 1;
	return k;
}
