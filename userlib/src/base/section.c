// SPDX-License-Identifier: MIT
/* section: the end that somebody waits for (section.h). */
#include "section.h"

__thread struct bw_section bw_section
	__attribute__((tls_model("initial-exec")));

bw_section_fn *bw_section_hook;

void bw_section_end_slow(void)
{
	bw_section_fn *hook = READ_ONCE(bw_section_hook);

	if (bw_section.count)
		return;
	WRITE_ONCE(bw_section.asked, 0);
	if (hook)
		hook();
}
