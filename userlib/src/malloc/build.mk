# SPDX-License-Identifier: MIT
# libburrow-malloc.so: the malloc family over the heap room; its tests and its
# benchmark. Part of userlib/build.mk, whose flavours compile all of it.
#
#@ bench-malloc	malloc and free against glibc, mimalloc, jemalloc, tcmalloc

bw-malloc-src := \
	userlib/src/malloc/block.c \
	userlib/src/malloc/boot.c \
	userlib/src/malloc/class.c \
	userlib/src/malloc/depot.c \
	userlib/src/malloc/depot_span.c \
	userlib/src/malloc/entry.c \
	userlib/src/malloc/front.c \
	userlib/src/malloc/info.c \
	userlib/src/malloc/mag.c
bw-malloc-rooms := userlib/src/base/% kmod/core/% userlib/src/backend/% \
	userlib/src/heap/%
bw-malloc-below := $(filter $(bw-malloc-rooms),$(bw-lib-src))

BW_MALLOC_SONAME := libburrow-malloc.so.0
bw-malloc-so := $(O)/libburrow-malloc.so.$(BW_VERSION)

# What malloc has no use for of the rooms below, objects of the collector's above
# all, is not in the library: a third of its code, and tables with addresses in them
# which each process would have a copy of. preload.sh looks that they stay away.
bw-malloc-so-flags := -fno-builtin-malloc -DBW_MALLOC_INTERPOSE \
	-ffunction-sections -fdata-sections
bw-malloc-so-drop := -Wl,--gc-sections -Wl,-z,start-stop-gc

# $(1): flavour. The names of the C library are in entry.o and info.o alone; the
# compiler must not take them for the C library's.
define bw-malloc-flavour
bw-malloc-obj-$(1) := $$(bw-malloc-src:%.c=$$(O)/$(1)/%.o)
bw-malloc-so-obj-$(1) := $$(bw-malloc-below:%.c=$$(O)/$(1)/so/%.o) \
	$$(bw-malloc-src:%.c=$$(O)/$(1)/so/%.o)

$$(bw-malloc-obj-$(1)): bw-flags-$(1) += -fno-builtin-malloc

$$(O)/$(1)/so/%.o: %.c
	@mkdir -p $$(@D)
	@echo '  $(1) so $$<'
	@$$(bw-cc-$(1)) $$(bw-cflags) $$(bw-flags-$(1)) -fPIC \
		$$(bw-malloc-so-flags) -c -o $$@ $$<

-include $$(patsubst %.c,$$(O)/$(1)/%.d,$$(bw-malloc-src))
-include $$(patsubst %.c,$$(O)/$(1)/so/%.d,$$(bw-malloc-src) \
	$$(bw-malloc-below))
endef
$(foreach f,rel dbg asan tsan clang,$(eval $(call bw-malloc-flavour,$(f))))

# Never unloaded: threads and fork() know it.
$(bw-malloc-so): $(bw-malloc-so-obj-rel) $(bw-so-obj) \
		userlib/libburrow-malloc.map
	@echo '  $(CC) $(@F)'
	@$(CC) $(CFLAGS) -shared -pthread -Wl,-soname,$(BW_MALLOC_SONAME) \
		-Wl,--version-script=userlib/libburrow-malloc.map \
		-Wl,-z,defs -Wl,-z,relro,-z,now,-z,nodelete \
		$(bw-malloc-so-drop) -o $@ $(bw-malloc-so-obj-rel) $(bw-so-obj)
	@ln -sf $(@F) $(O)/$(BW_MALLOC_SONAME)
	@ln -sf $(BW_MALLOC_SONAME) $(O)/libburrow-malloc.so

.PHONY: malloc
malloc: $(bw-malloc-so)

# Tests, linked to the rooms (no others) under names of our own, in every flavour ...
bw-malloc-tests-single := malloc_class_test malloc_api_test malloc_bad_test \
	malloc_oom_test
bw-malloc-tests-threads := malloc_trace_test malloc_mag_test
# ... (not under TSan, which follows no fork() of a process with threads) ...
bw-malloc-tests-single += malloc_fork_test
bw-malloc-tests := $(bw-malloc-tests-single) $(bw-malloc-tests-threads)
# ... and as programs that have libburrow-malloc.so preloaded.
bw-malloc-tests-preload := malloc_api_test malloc_bad_test malloc_trace_test \
	malloc_fork_test

define bw-malloc-tests-of
$$(O)/$(1)/tests/malloc_%: $$(O)/$(1)/userlib/tests/malloc_%.o \
		$$(bw-malloc-obj-$(1)) $$(bw-malloc-below:%.c=$$(O)/$(1)/%.o)
	@mkdir -p $$(@D)
	@echo '  $(1) $$(@F)'
	@$$(bw-cc-$(1)) $$(bw-flags-$(1)) -pthread -o $$@ $$^

# It needs a backend that fails.
$$(O)/$(1)/tests/malloc_oom_test: $$(bw-testobj-$(1))

-include $$(patsubst %,$$(O)/$(1)/userlib/tests/%.d,\
	$$(bw-malloc-tests))
endef
$(foreach f,rel dbg asan tsan clang,$(eval $(call bw-malloc-tests-of,$(f))))

$(O)/preload/%: userlib/tests/%.c userlib/tests/malloc_rig.h
	@mkdir -p $(@D)
	@echo '  preload $(@F)'
	@$(CC) $(bw-cflags) $(CFLAGS) -fno-builtin -DBW_MALLOC_INTERPOSE \
		-o $@ $<

$(O)/preload/malloc_early: userlib/tests/malloc_early.c
	@mkdir -p $(@D)
	@$(CC) -O1 -std=gnu11 -D_GNU_SOURCE= -fno-builtin -pthread -o $@ $< -ldl

$(O)/preload/early.so: userlib/tests/malloc_early_so.c
	@mkdir -p $(@D)
	@$(CC) -O1 -std=gnu11 -D_GNU_SOURCE= -fPIC -shared -pthread -o $@ $<

# For gdb.sh.
-include $(O)/rel/userlib/tests/malloc_gdb_target.d
$(O)/malloc_gdb_target: $(O)/rel/userlib/tests/malloc_gdb_target.o \
		$(bw-malloc-obj-rel) $(bw-malloc-below:%.c=$(O)/rel/%.o)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

bw-malloc-runs := \
	$(foreach f,rel dbg asan clang,$(bw-malloc-tests:%=$(f)/tests/%)) \
	$(bw-malloc-tests-threads:%=tsan/tests/%)

# ... and with the options that check more.
bw-malloc-runs-with := \
	$(foreach t,malloc_api_test malloc_trace_test,\
		dbg/tests/$(t)@guard=1 dbg/tests/$(t)@clobberfree=1 \
		dbg/tests/$(t)@clobberfree=1+verify=1)

.PHONY: check-malloc
check-malloc: $(bw-malloc-so) $(bw-malloc-runs:%=$(O)/%) \
		$(bw-malloc-tests-preload:%=$(O)/preload/%) \
		$(O)/preload/malloc_early $(O)/preload/early.so
	@sh userlib/tests/run.sh $(O) $(RESULTS) $(bw-malloc-runs) \
		$(bw-malloc-runs-with)
	@bash userlib/tests/preload.sh $(O) $(RESULTS) $(bw-malloc-tests-preload)

# For a machine with the module, and a VM: BURROW_MODE=kernel malloc_api_test.
bw-malloc-static := $(bw-malloc-tests-preload:%=$(O)/static/%) \
	$(O)/static/malloc_oom_test

# And what make bench-vm ONLY=malloc runs.
-include $(O)/rel/userlib/bench/malloc_fault.d
$(O)/static/malloc_fault: $(O)/rel/userlib/bench/malloc_fault.o \
		$(bw-malloc-obj-rel) $(bw-malloc-below:%.c=$(O)/rel/%.o)

$(O)/static/malloc_%: $(O)/rel/userlib/tests/malloc_%.o $(bw-malloc-obj-rel) \
		$(bw-malloc-below:%.c=$(O)/rel/%.o)
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -static -pthread -o $@ $^

# It needs a backend that fails.
$(O)/static/malloc_oom_test: $(bw-testobj-rel)

$(O)/static/malloc_fault:
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -static -pthread -o $@ $^

static: $(bw-malloc-static)

# BENCH_MALLOC='-r 9 pairs:64 larson:500' chooses; ALLOCATORS adds others to those
# that are installed and to the newest mimalloc.
bw-malloc-bench := userlib/bench/malloc_bench.c userlib/bench/malloc_threads.c

$(O)/bench/malloc_bench: $(bw-malloc-bench) userlib/bench/malloc_bench.h
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) -O2 -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror -pthread \
		-o $@ $(bw-malloc-bench)

.PHONY: bench-malloc
bench-malloc: $(O)/bench/malloc_bench $(bw-malloc-so)
	@newest=$$(selftests/scripts/peer.sh mimalloc) && \
		newest=mimalloc3=$$(find $$newest/usr/lib -name libmimalloc.so); \
	ALLOCATORS="$$newest $(ALLOCATORS)" python3 \
		userlib/bench/malloc_bench.py $< $(abspath $(bw-malloc-so)) \
		$(BENCH_MALLOC)

# BENCH_PROGRAMS='-r 3 compile trees:18' chooses.
.PHONY: bench-programs
bench-programs: $(bw-malloc-so) $(O)/libburrow.a $(O)/examples/kvd \
		$(O)/examples/httpd
	@userlib/bench/programs_bench.sh $(O)/bench $(O)/libburrow.a \
		$(bw-malloc-so) $(O)/examples $(BENCH_PROGRAMS)

.PHONY: install-malloc uninstall-malloc
install: install-malloc
install-malloc: $(bw-malloc-so)
	install -d $(bw-dest)/lib
	install -m 755 $(bw-malloc-so) $(bw-dest)/lib/
	ln -sf $(notdir $(bw-malloc-so)) $(bw-dest)/lib/$(BW_MALLOC_SONAME)
	ln -sf $(BW_MALLOC_SONAME) $(bw-dest)/lib/libburrow-malloc.so

uninstall: uninstall-malloc
uninstall-malloc:
	rm -f $(bw-dest)/lib/libburrow-malloc.so \
		$(bw-dest)/lib/$(BW_MALLOC_SONAME) \
		$(bw-dest)/lib/$(notdir $(bw-malloc-so))

# One heap in a process, however the two came into it.
bw-oneheap := $(addprefix $(O)/oneheap/,plain so a nopie so-malloc malloc-so stop \
	libburrow-malloc-other.so)
bw-oneheap-cc = $(CC) -O1 -g -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror \
	-fno-builtin -pthread -Iuserlib/include -Iuapi -o $@ \
	userlib/tests/oneheap.c
bw-oneheap-so := -DHAS_BURROW=1 -L$(O) -Wl,--no-as-needed

$(bw-oneheap): userlib/tests/oneheap.c $(O)/libburrow.so.$(BW_VERSION) \
		$(O)/libburrow.a $(bw-malloc-so) | $(O)/oneheap

$(O)/oneheap:
	@mkdir -p $@

$(O)/oneheap/plain:
	@$(bw-oneheap-cc) -ldl

$(O)/oneheap/so:
	@$(bw-oneheap-cc) $(bw-oneheap-so) -lburrow -ldl

$(O)/oneheap/so-malloc:
	@$(bw-oneheap-cc) $(bw-oneheap-so) -lburrow -lburrow-malloc -ldl

$(O)/oneheap/malloc-so:
	@$(bw-oneheap-cc) $(bw-oneheap-so) -lburrow-malloc -lburrow -ldl

$(O)/oneheap/a:
	@$(bw-oneheap-cc) -DHAS_BURROW=1 $(O)/libburrow.a -ldl

$(O)/oneheap/nopie:
	@$(bw-oneheap-cc) -DHAS_BURROW=1 -fno-pie -no-pie $(O)/libburrow.a -ldl

$(O)/oneheap/stop: userlib/tests/oneheap_stop.c
	@$(CC) $(bw-cflags) $(bw-flags-rel) -fno-builtin -MF $@.d -o $@ $< \
		$(O)/libburrow.a

# One that thinks otherwise of what a heap looks like.
$(O)/oneheap/libburrow-malloc-other.so: userlib/src/heap/pageheap_process.c
	@$(CC) $(bw-cflags) $(bw-flags-rel) -DBW_HEAP_LAYOUT_NR=99 -c \
		-o $(O)/oneheap/other.o userlib/src/heap/pageheap_process.c
	@$(CC) $(CFLAGS) -shared -pthread -Wl,-z,defs,-z,now,-z,nodelete \
		$(bw-malloc-so-drop) \
		-Wl,--version-script=userlib/libburrow-malloc.map -o $@ \
		$(O)/oneheap/other.o $(bw-so-obj) \
		$(filter-out %/pageheap_process.o,$(bw-malloc-so-obj-rel))

# For a machine with the module, and a VM: one open device.
static: $(addprefix $(O)/oneheap/,plain so a so-malloc malloc-so)

.PHONY: check-oneheap
check-malloc: check-oneheap
check-oneheap: $(bw-oneheap)
	@bash userlib/tests/oneheap.sh $(O) $(RESULTS)
