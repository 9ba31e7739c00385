# SPDX-License-Identifier: MIT
#
# core: the page heap of kmod/core on the host, with each compiler and the
# sanitizers, and under a fuzzer. TAP goes to $(O)/results.

O	?= build
SECONDS	?= 60
CORE_CC	?= gcc clang
CORE_CLANG ?= clang

CORE_WERROR ?= -Werror
core_flags := -std=gnu11 -O1 -g -Wall -Wextra $(CORE_WERROR) -Iuapi -Ikmod \
	      -Iselftests/core -fno-omit-frame-pointer
core_san := -fsanitize=address,undefined -fno-sanitize-recover=all

core_src := $(wildcard kmod/core/*.c)
core_hdr := $(wildcard kmod/core/*.h kmod/tests/*.h uapi/burrow/*.h \
	      selftests/core/*.h)
pair_src := $(addprefix selftests/core/,model.c pair.c pair_check.c)

core_tests := rows exhaustive kinds window pieces differential reader
core_differential := $(pair_src)

# $(1): compiler, $(2): test
define core_test
$(O)/core/$(1)/$(2): selftests/core/$(2)_test.c $(core_$(2)) $(core_src) $(core_hdr)
	@mkdir -p $$(@D)
	@echo '  $(1) $(2)_test'
	@$(1) $(core_flags) $(core_san) -o $$@ $$(filter %.c,$$^) -pthread

.PHONY: check-core-$(1)-$(2)
check-core-$(1)-$(2): $(O)/core/$(1)/$(2)
	@mkdir -p $(O)/results
	@sh selftests/core/run.sh $$< $(O)/results/core-$(1)-$(2).tap
check-core: check-core-$(1)-$(2)
endef
$(foreach cc,$(CORE_CC),$(foreach t,$(core_tests),$(eval $(call core_test,$(cc),$(t)))))

#@ check-core	the page heap on the host: rows, exhaustive, random, readers
.PHONY: check-core
check-core: check-core-replay

# The fuzzer's first inputs, without the fuzzer.
$(O)/fuzz/replay: selftests/fuzz/replay.c selftests/fuzz/coreheap_fuzz.c \
		  $(pair_src) $(core_src) $(core_hdr)
	@mkdir -p $(@D)
	@echo '  $(firstword $(CORE_CC)) replay'
	@$(firstword $(CORE_CC)) $(core_flags) $(core_san) -o $@ $(filter %.c,$^)

.PHONY: check-core-replay
check-core-replay: $(O)/fuzz/replay
	@selftests/fuzz/seeds.sh $(O)/fuzz/seeds
	@$< $(O)/fuzz/seeds/* 2>$(O)/fuzz/replay.log || \
		{ cat $(O)/fuzz/replay.log; exit 1; }

# Only the core is instrumented: the model is no path worth finding.
fuzz_flags := $(filter-out -O1,$(core_flags)) -O2
fuzz_objs := $(patsubst %.c,$(O)/fuzz/%.o,$(notdir $(pair_src)))

$(fuzz_objs): $(O)/fuzz/%.o: selftests/core/%.c $(core_hdr)
	@mkdir -p $(@D)
	@$(CORE_CLANG) $(fuzz_flags) -c -o $@ $<

$(O)/fuzz/coreheap: selftests/fuzz/coreheap_fuzz.c $(core_src) $(core_hdr) \
		    $(fuzz_objs)
	@echo '  $(CORE_CLANG) coreheap_fuzz'
	@$(CORE_CLANG) $(fuzz_flags) $(core_san) -fsanitize=fuzzer -o $@ \
		$(filter %.c %.o,$^)

#@ fuzz SECONDS=60	random moves of the page heap, against a model
.PHONY: fuzz
fuzz: $(O)/fuzz/coreheap
	@selftests/fuzz/seeds.sh $(O)/fuzz/seeds
	@mkdir -p $(O)/fuzz/corpus
	$< -max_total_time=$(SECONDS) -max_len=4096 -timeout=30 \
		-print_final_stats=1 -artifact_prefix=$(O)/fuzz/ \
		$(O)/fuzz/corpus $(O)/fuzz/seeds

#@ check-mutants	plants bugs in the page heap; the tests have to find each
.PHONY: check-mutants
check-mutants:
	@sh selftests/core/mutants.sh $(O)/mutants
