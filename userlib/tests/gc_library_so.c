// SPDX-License-Identifier: MIT
/* A library that gc_library_test loads: its data, and a variable of each thread. */
extern void *volatile library_data, *volatile library_bss;
void *volatile *library_tls(void);

void *volatile library_data = (void *)1;
void *volatile library_bss;
static __thread void *volatile tls;

void *volatile *library_tls(void)
{
	return &tls;
}
