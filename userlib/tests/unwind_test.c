// SPDX-License-Identifier: MIT
/* Names of code and walks over stacks, beside what glibc says of them. */
#include <dlfcn.h>
#include <execinfo.h>
#include <ucontext.h>

#include "base/cfi.h"
#include "base/symbol.h"
#include "base/unwind.h"
#include "rig.h"

#define MAX	64U

static void here(struct bw_unwind *u)
{
	pthread_attr_t attr;
	ucontext_t uc;
	void *low;
	size_t bytes;

	memset(u, 0, sizeof(*u));
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &low, &bytes);
	pthread_attr_destroy(&attr);
	u->lo = (u64)(uintptr_t)low;
	u->hi = u->lo + bytes;
	getcontext(&uc);
#if defined(__x86_64__)
	u->pc = (u64)uc.uc_mcontext.gregs[REG_RIP];
	bw_unwind_set(u, 3, (u64)uc.uc_mcontext.gregs[REG_RBX]);
	bw_unwind_set(u, 6, (u64)uc.uc_mcontext.gregs[REG_RBP]);
	bw_unwind_set(u, 7, (u64)uc.uc_mcontext.gregs[REG_RSP]);
	bw_unwind_set(u, 12, (u64)uc.uc_mcontext.gregs[REG_R12]);
	bw_unwind_set(u, 13, (u64)uc.uc_mcontext.gregs[REG_R13]);
	bw_unwind_set(u, 14, (u64)uc.uc_mcontext.gregs[REG_R14]);
	bw_unwind_set(u, 15, (u64)uc.uc_mcontext.gregs[REG_R15]);
#elif defined(__aarch64__)
	for (u32 i = 19; i < 31; i++)
		bw_unwind_set(u, i, uc.uc_mcontext.regs[i]);
	u->pc = uc.uc_mcontext.pc;
	bw_unwind_set(u, BW_UNWIND_SP, uc.uc_mcontext.sp);
#endif
}

/* Both walks, from the same function; in its callers they must agree. */
__attribute__((noinline)) static void walk(void)
{
	u64 pc[MAX];
	void *theirs[MAX];
	struct bw_unwind u;
	u32 nr, i;
	int n, more = 0;

	here(&u);
	bw_symbols_begin();
	nr = bw_unwind(&u, pc, MAX);
	bw_symbols_end();
	n = backtrace(theirs, MAX);
	/* pc[0] and [1] are here() and this; theirs ends with _start */
	while (more < n && pc[2] != (u64)(uintptr_t)theirs[more])
		more++;
	EXPECT(nr > 4 && n > more + 3 && nr - 2 >= (u32)(n - more - 1));
	for (i = 2; i < nr && more < n; i++, more++)
		if (!EXPECT(pc[i] == (u64)(uintptr_t)theirs[more]))
			printf("# frame %u: %llx, %p\n", i,
			       (unsigned long long)pc[i], theirs[more]);
	__asm__ volatile("" : : : "memory");
}

__attribute__((noinline)) static int compare(const void *a, const void *b)
{
	static bool once;

	if (!once) {
		once = true;
		walk();
	}
	return *(const int *)a - *(const int *)b;
}

static void a_walk_agrees_with_glibc(void)
{
	int n[8] = { 3, 1, 2, 9, 8, 7, 5, 4 };
	volatile size_t bytes = 8;

	/* through a variable frame, and through libc */
	int *room = __builtin_alloca(bytes * sizeof(*room));

	memcpy(room, n, sizeof(n));
	qsort(room, 8, sizeof(*room), compare);
	EXPECT(room[0] == 1);
}

static void nothing_outside_the_bounds_is_read(void)
{
	struct bw_unwind u;
	u64 pc[MAX];

	here(&u);
	bw_symbols_begin();
	/* only this frame is in: the way ends at the first return address */
	u.hi = u.reg[BW_UNWIND_SP] + 8;
	u.lo = u.hi - 8;
	EXPECT(bw_unwind(&u, pc, MAX) <= 2);
	here(&u);
	u.reg[BW_UNWIND_SP] = 0x1000;
	u.reg[BW_UNWIND_FP] = 0x2000;
	EXPECT(bw_unwind(&u, pc, MAX) <= 1);
	here(&u);
	u.pc = 0x1234;
	EXPECT(bw_unwind(&u, pc, MAX) == 1 && pc[0] == 0x1234);
	bw_symbols_end();
}

/* Every third byte of code, whether an instruction begins there or not. */
static void rules_are_found_all_over_libc(void)
{
	u64 at = (u64)(uintptr_t)dlsym(RTLD_DEFAULT, "lfind"), pc;
	const struct bw_module *m;
	struct bw_cfi_row row;
	u32 yes = 0, no = 0;

	bw_symbols_begin();
	m = bw_module_of(at);
	EXPECT(m && strstr(m->name, "libc"));
	for (pc = at - 100000; m && pc < at + 100000; pc += 3)
		if (bw_cfi_row_at(m, pc, &row))
			yes++;
		else
			no++;
	bw_symbols_end();
	/* gaps between functions have none */
	EXPECT(yes > 9 * no);
}

static void named(u64 pc, const char *what)
{
	char text[256];

	bw_symbol(pc, text, sizeof(text));
	if (!EXPECT(!strncmp(text, what, strlen(what))))
		printf("# %s, not %s\n", text, what);
}

static void static_functions_have_names(void)
{
	bw_symbols_begin();
	named((u64)(uintptr_t)walk, "walk (unwind_test)");
	named((u64)(uintptr_t)walk + 3, "walk+0x3 (unwind_test)");
	named((u64)(uintptr_t)bw_symbol, "bw_symbol (unwind_test)");
	named(0x1234, "0x1234");
	/* of a file that has only what it exports */
	named((u64)(uintptr_t)dlsym(RTLD_DEFAULT, "lfind"), "lfind");
	bw_symbols_end();
}

int main(void)
{
	TEST(a_walk_agrees_with_glibc);
	TEST(nothing_outside_the_bounds_is_read);
	TEST(rules_are_found_all_over_libc);
	TEST(static_functions_have_names);
	return tap_end();
}
