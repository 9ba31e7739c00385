# SPDX-License-Identifier: MIT
# selftests: the kselftest programs, static, for a machine with the module. Each
# .c here is one; the other programs have folders of their own.
#
#	make kselftest-build	$(O)/kselftest/<noun>
#	make kselftest		builds and runs them all, as root
#
# The harness comes from the kernel's source and is not kept here: source.sh
# prints where it has unpacked that. KSELFTEST_DIR names another directory with
# kselftest_harness.h in it.

O	?= build

KSELFTEST_NAMES := $(patsubst selftests/%.c,%,$(wildcard selftests/*.c))
KSELFTEST_HEADERS := $(wildcard selftests/*.h) $(wildcard uapi/burrow/*.h)
KSELFTEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE= -O2 -g -Wall -Wextra -Werror
KSELFTEST_BINS := $(KSELFTEST_NAMES:%=$(O)/kselftest/%)

# Asked for when a recipe first needs it: other targets do without.
KSELFTEST_DIR ?= $(eval KSELFTEST_DIR := \
	$$(shell selftests/vm/source.sh)/tools/testing/selftests)$(KSELFTEST_DIR)

.PHONY: kselftest-build kselftest
#@ kselftest-build	the kernel tests, static, in $(O)/kselftest
kselftest-build: $(KSELFTEST_BINS)

$(KSELFTEST_BINS): $(O)/kselftest/%: selftests/%.c $(KSELFTEST_HEADERS)
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(KSELFTEST_CFLAGS) -Iuapi -isystem $(KSELFTEST_DIR) \
		-static -pthread -o $@ $<

kselftest: kselftest-build
	@failed=; for name in $(KSELFTEST_NAMES); do \
		echo "# kselftest: $$name"; \
		$(O)/kselftest/$$name || failed="$$failed $$name"; \
	done; \
	test -z "$$failed" || { echo "# failed:$$failed"; exit 1; }
