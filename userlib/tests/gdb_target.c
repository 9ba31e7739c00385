// SPDX-License-Identifier: MIT
/* gdb_target: addresses of all sorts, for gdb.sh to ask about. */
#include "burrow/alloc.h"

char *live, *hot, *old, *shelved, *large, *gone;
static char *many[100];

void here(void);

__attribute__((noinline)) void here(void)
{
	__asm__ volatile("" : : : "memory");
}

int main(void)
{
	int i;

	for (i = 0; i < 170; i++) {
		char *p = bw_alloc(48);

		if (!i)
			old = p;
	}
	live = (char *)bw_alloc(48) + 5;
	hot = bw_alloc(48);
	bw_free(hot);
	for (i = 0; i < 100; i++)
		many[i] = bw_alloc(200);
	for (i = 0; i < 100; i++)
		bw_free(many[i]);
	shelved = many[3];
	gone = bw_alloc_noscan(100000);
	large = (char *)bw_alloc_noscan(100000) + 9;
	bw_free(gone);
	here();
	return 0;
}
