# SPDX-License-Identifier: MIT
# The library's part of the one Makefile.
#
#@ examples	the demo, dynamic and static
#@ static	what runs in a VM: the demo, the parity script, stress tests
#@ check-lib	the library's tests: plain, debug, sanitizers, clang
#@ check-examples	what the examples print, httpd and kvd with clients of all kinds
#@ check-parity-host	the parity scripts; BURROW_MODE=user|kernel chooses
#@ barriers FILES='a.c'	shows which plain stores into objects should be barriers
#@ check-gc-mutants	leaves out rules of the collector; the tests have to find each
#@ check-lang-mutants	rules of channels, locks, contexts, pools and the servers
#@ check-barriers	the script that does it (coccinelle)
#@ check-report	the report of make bench in a browser (chromium), light, dark, narrow
#@ check-aarch64	tests of the scheduler on the other architecture, emulated
#@ bench-sched	what the scheduler's basic moves cost, on 1 and 2 Ps
#@ bench-sched-peers	the scheduler beside Go, boost.fiber and threads (downloads)
#@ bench-lang	channels, select and locks beside Go's (downloads)
#@ bench-map	maps and slices beside Go's, boost's, absl's (downloads)
#@ bench-time	what timers and stops cost, and how late they are
#@ bench-curves	cost against heap size and number of Gs, memory over time, tails (downloads)
#@ bench-net	echo servers against an epoll loop and Go (downloads)
#@ bench-servers	kvd against redis-server, httpd against net/http and nginx (downloads)
#@ bench-programs	a compiler, sqlite, binary-trees, kvd and httpd beside others (downloads)
#@ bench-pagepolicy	what the shape of page tables costs (root, minutes)
#@ bench-gc	binary-trees, marking and barriers of the collector
#@ bench-gc-peers	the collector beside Go's and bdwgc (downloads)
#@ bench-alloc-pairs	bw_alloc() and bw_free() beside libc's
#@ bench-alloc	bw_alloc() against Go's new, bdwgc and mimalloc (downloads)
#@ install, uninstall	below DESTDIR and PREFIX
#
# Everything is built once for each *flavour*, a compiler with flags of its
# own, in $(O)/<flavour>:
#
#	rel	what is installed
#	dbg	gcc, BW_DEBUG=1
#	asan	gcc, address and undefined behaviour sanitizers, BW_DEBUG=1
#	tsan	gcc, thread sanitizer, BW_DEBUG=1
#	clang	clang, BW_DEBUG=1

O	?= build
CC	?= cc
CLANG	?= clang
CFLAGS	?= -O2 -g
PREFIX	?= /usr/local
RESULTS	?= $(O)/results

BW_VERSION := 0.1.0
BW_SONAME := libburrow.so.0

bw-lib-src := \
	userlib/src/base/cfi.c \
	userlib/src/base/error.c \
	userlib/src/base/hooks.c \
	userlib/src/base/fmt.c \
	userlib/src/base/futex.c \
	userlib/src/base/lock.c \
	userlib/src/base/options.c \
	userlib/src/base/section.c \
	userlib/src/base/say.c \
	userlib/src/base/stats.c \
	userlib/src/base/symbol.c \
	userlib/src/base/sysmem.c \
	userlib/src/base/throw.c \
	userlib/src/base/unwind.c \
	kmod/core/pagemap.c \
	kmod/core/span.c \
	kmod/core/coreheap.c \
	kmod/core/coreheap_check.c \
	userlib/src/backend/fork.c \
	userlib/src/backend/window.c \
	userlib/src/backend/user_fork.c \
	userlib/src/backend/user_filled.c \
	userlib/src/backend/user_frame.c \
	userlib/src/backend/user_park.c \
	userlib/src/backend/user_reclaim.c \
	userlib/src/backend/user_resize.c \
	userlib/src/backend/user_span.c \
	userlib/src/backend/user_stack.c \
	userlib/src/backend/user_sweep.c \
	userlib/src/backend/user.c \
	userlib/src/backend/dev.c \
	userlib/src/backend/dev_resize.c \
	userlib/src/backend/select.c \
	userlib/src/heap/heap.c \
	userlib/src/heap/parker.c \
	userlib/src/sched/alarm.c \
	userlib/src/sched/backtrace.c \
	userlib/src/sched/block.c \
	userlib/src/sched/boot.c \
	userlib/src/sched/cpus.c \
	userlib/src/sched/deadlock.c \
	userlib/src/sched/dump.c \
	userlib/src/sched/desc.c \
	userlib/src/sched/desc_thread.c \
	userlib/src/sched/env.c \
	userlib/src/sched/fork.c \
	userlib/src/sched/g.c \
	userlib/src/sched/go.c \
	userlib/src/sched/idle.c \
	userlib/src/sched/look.c \
	userlib/src/sched/io.c \
	userlib/src/sched/io_calls.c \
	userlib/src/sched/io_socket.c \
	userlib/src/sched/m.c \
	userlib/src/sched/netpoll.c \
	userlib/src/sched/p.c \
	userlib/src/sched/park.c \
	userlib/src/sched/preempt.c \
	userlib/src/sched/quit.c \
	userlib/src/sched/runq.c \
	userlib/src/sched/schedtrace.c \
	userlib/src/sched/schedule.c \
	userlib/src/sched/scan.c \
	userlib/src/sched/segv.c \
	userlib/src/sched/sleep.c \
	userlib/src/sched/sigmask.c \
	userlib/src/sched/slot.c \
	userlib/src/sched/stack.c \
	userlib/src/sched/stop.c \
	userlib/src/sched/stop_tell.c \
	userlib/src/sched/stats.c \
	userlib/src/sched/sysmon.c \
	userlib/src/sched/ticker.c \
	userlib/src/sched/timer.c \
	userlib/src/sched/waiter.c \
	userlib/src/sched/waitlock.c \
	userlib/src/heap/anchor.c \
	userlib/src/heap/copy.c \
	userlib/src/heap/sizeclass.c \
	userlib/src/heap/mspan.c \
	userlib/src/heap/pageheap.c \
	userlib/src/heap/pageheap_desc.c \
	userlib/src/heap/pageheap_open.c \
	userlib/src/heap/pageheap_process.c \
	userlib/src/heap/pageheap_release.c \
	userlib/src/heap/pageheap_resize.c \
	userlib/src/heap/mcentral.c \
	userlib/src/heap/mcache.c \
	userlib/src/heap/mcache_fork.c \
	userlib/src/heap/mcache_free.c \
	userlib/src/heap/mcache_hook.c \
	userlib/src/heap/mcache_thread.c \
	userlib/src/heap/large.c \
	userlib/src/heap/efence.c \
	userlib/src/heap/explain.c \
	userlib/src/heap/shelf.c \
	userlib/src/heap/stash.c \
	userlib/src/heap/tiny.c \
	userlib/src/heap/region.c \
	userlib/src/heap/sweep.c \
	userlib/src/gc/api.c \
	userlib/src/gc/barrier.c \
	userlib/src/gc/check.c \
	userlib/src/gc/cycle.c \
	userlib/src/gc/gang.c \
	userlib/src/gc/hybrid.c \
	userlib/src/gc/jobs.c \
	userlib/src/gc/leak.c \
	userlib/src/gc/mark.c \
	userlib/src/gc/memlimit.c \
	userlib/src/gc/pacer.c \
	userlib/src/gc/root.c \
	userlib/src/gc/scavenge.c \
	userlib/src/gc/special.c \
	userlib/src/gc/start.c \
	userlib/src/gc/trace.c \
	userlib/src/gc/walk.c \
	userlib/src/gc/work.c \
	userlib/src/rt/alloc.c \
	userlib/src/rt/memstats.c \
	userlib/src/rt/region.c \
	userlib/src/rt/type.c \
	userlib/src/lang/caller.c \
	userlib/src/lang/chan.c \
	userlib/src/lang/chan_make.c \
	userlib/src/lang/chan_timer.c \
	userlib/src/lang/cond.c \
	userlib/src/lang/ctx.c \
	userlib/src/lang/group.c \
	userlib/src/lang/hash.c \
	userlib/src/lang/map.c \
	userlib/src/lang/map_grow.c \
	userlib/src/lang/map_iter.c \
	userlib/src/lang/map_make.c \
	userlib/src/lang/map_string.c \
	userlib/src/lang/map_u64.c \
	userlib/src/lang/mutex.c \
	userlib/src/lang/pool.c \
	userlib/src/lang/rwmutex.c \
	userlib/src/lang/select.c \
	userlib/src/lang/sem.c \
	userlib/src/lang/slice.c \
	userlib/src/lang/string.c \
	userlib/src/lang/string_num.c \
	userlib/src/lang/string_utf8.c \
	userlib/src/lang/waitgroup.c

# The machine's own switch of stacks.
bw-arch := $(shell $(CC) -dumpmachine | cut -d- -f1)
bw-lib-asm := userlib/src/sched/switch_$(bw-arch).S
# Of shared libraries alone (heap/anchor.h).
bw-so-obj := $(O)/rel/userlib/src/heap/anchor_so.o

# Linked into tests only.
bw-test-src := userlib/src/backend/failnth.c

# One program each. The second list has threads and runs under tsan as well.
bw-tests-single := options_test mode_test user_test lookup_test frame_test filled_test \
	failnth_test window_test arena_test guard_test fork_user_test \
	unwind_test sched_cpus_test sched_many_test \
	sched_fork_test alloc_fork_test alloc_huge_test alloc_oom_test \
	map_test map_die_test slice_test string_test \
	sizeclass_test pageheap_test bulk_test gc_bench_test mcache_test mcentral_test region_test
bw-tests-single += gc_fork_test gc_fork_cycle_test
bw-tests-threads := lock_test parker_test stress_test sweep_test \
	stack_test fork_test fork_storm_test resize_test explain_test \
	sched_runq_test sched_life_test sched_block_test sched_stress_test \
	sched_stop_test sched_section_test sched_preempt_test \
	sched_death_test sched_deadlock_test sched_exit_test \
	sched_signal_test \
	sched_eyes_test sched_dump_test \
	sched_timer_test sched_sleep_test sched_net_test sched_netpoll_test \
	sched_close_test sched_slot_test \
	memstats_test alloc_test alloc_die_test stash_test shelf_test type_test
bw-tests-threads += mark_test gc_test gc_scavenge_test gc_root_test gc_special_test gc_pace_test gc_library_test \
	gc_oom_test \
	gc_hybrid_test gc_rules_test leak_test
bw-tests-threads += chan_test chan_gc_test chan_die_test select_test chan_history_test sync_test
bw-tests-threads += ctx_test pool_test
bw-tests-threads += map_model_test
bw-tests := $(bw-tests-single) $(bw-tests-threads)

bw-cflags := -std=gnu11 -Wall -Wextra -Werror -Wstrict-prototypes \
	-Wmissing-prototypes -Wno-unused-parameter -fno-common \
	-D_GNU_SOURCE= -pthread -MMD -MP \
	-Iuapi -Iuserlib/include -Iuserlib/src -Ikmod

bw-cc-rel = $(CC)
bw-cc-dbg = $(CC)
bw-cc-asan = gcc
bw-cc-tsan = gcc
bw-cc-clang = $(CLANG)
bw-flags-rel = $(CFLAGS) -fPIC -DBW_DEBUG=0
bw-flags-dbg = $(CFLAGS) -DBW_DEBUG=1
bw-flags-asan = -O1 -g -fsanitize=address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer -DBW_DEBUG=1
bw-flags-tsan = -O1 -g -fsanitize=thread -DBW_DEBUG=1
bw-flags-clang = $(CFLAGS) -DBW_DEBUG=1

# $(1): flavour. Objects, the library of this flavour, its tests.
define bw-flavour
bw-obj-$(1) := $$(bw-lib-src:%.c=$$(O)/$(1)/%.o) \
	$$(bw-lib-asm:%.S=$$(O)/$(1)/%.o)
bw-testobj-$(1) := $$(bw-test-src:%.c=$$(O)/$(1)/%.o)

$$(O)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@echo '  $(1) $$<'
	@$$(bw-cc-$(1)) $$(bw-cflags) $$(bw-flags-$(1)) -c -o $$@ $$<

$$(O)/$(1)/%.o: %.S
	@mkdir -p $$(@D)
	@echo '  $(1) $$<'
	@$$(bw-cc-$(1)) $$(bw-flags-$(1)) -c -o $$@ $$<

$$(O)/$(1)/libburrow.a: $$(bw-obj-$(1))
	@echo '  $(1) $$(@F)'
	@rm -f $$@
	@$(AR) rcs $$@ $$^

$$(O)/$(1)/tests/%: $$(O)/$(1)/userlib/tests/%.o $$(bw-testobj-$(1)) \
		$$(O)/$(1)/libburrow.a
	@mkdir -p $$(@D)
	@echo '  $(1) $$(@F)'
	@$$(bw-cc-$(1)) $$(bw-flags-$(1)) -pthread -o $$@ $$^

.PRECIOUS: $$(O)/$(1)/%.o
-include $$(patsubst %.o,%.d,$$(bw-obj-$(1)) $$(bw-testobj-$(1)))
-include $$(patsubst %,$$(O)/$(1)/userlib/tests/%.d,$$(bw-tests))
endef
$(foreach f,rel dbg asan tsan clang,$(eval $(call bw-flavour,$(f))))

# What gc_library_test loads.
$(O)/gc_library.so: $(O)/rel/userlib/tests/gc_library_so.o
	@echo '  $(CC) $(@F)'
	@$(CC) $(CFLAGS) -shared -o $@ $^

$(foreach f,rel dbg asan tsan clang,$(O)/$(f)/tests/gc_library_test): | \
		$(O)/gc_library.so
-include $(O)/rel/userlib/tests/gc_library_so.d

# The collector looks at what is not its own (gc/nosan.h).
bw-nosan := userlib/src/gc/mark.o userlib/src/gc/walk.o userlib/src/gc/check.o
$(bw-nosan:%=$(O)/asan/%): bw-flags-asan += -fno-sanitize=address,undefined
$(bw-nosan:%=$(O)/tsan/%): bw-flags-tsan += -fno-sanitize=thread

# The library, as installed.
.PHONY: lib
lib: malloc $(O)/libburrow.a $(O)/libburrow.so.$(BW_VERSION) $(O)/burrow.pc

$(O)/libburrow.a: $(O)/rel/libburrow.a
	@cp $< $@

# Never unloaded: threads and fork() know it.
$(O)/libburrow.so.$(BW_VERSION): $(bw-obj-rel) $(bw-so-obj) userlib/libburrow.map
	@echo '  $(CC) $(@F)'
	@$(CC) $(CFLAGS) -shared -pthread -Wl,-soname,$(BW_SONAME) \
		-Wl,--version-script=userlib/libburrow.map -Wl,-z,defs \
		-Wl,-z,relro,-z,now,-z,nodelete -o $@ $(bw-obj-rel) $(bw-so-obj)
	@ln -sf $(@F) $(O)/$(BW_SONAME)
	@ln -sf $(BW_SONAME) $(O)/libburrow.so

# PREFIX may differ from one call to the next.
.PHONY: bw-force
$(O)/burrow.pc: userlib/burrow.pc.in bw-force
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(BW_VERSION)|' \
		$< > $@

# Programs that know only the public headers; static ones run anywhere.
bw-parity-src := \
	selftests/parity/say.c \
	selftests/parity/memory.c \
	selftests/parity/sweep.c \
	selftests/parity/stack.c \
	selftests/parity/fork.c \
	selftests/parity/parity.c
bw-sched-parity-src := \
	selftests/parity/say.c \
	$(addprefix selftests/parity/sched/,life.c time.c io.c end.c script.c)
bw-examples-parity-src := $(addprefix selftests/parity/examples/, \
	script.c client.c programs.c httpd.c kvd.c)
bw-prog-src := userlib/examples/spans.c selftests/parity/both.c \
	$(bw-parity-src) $(bw-sched-parity-src) $(bw-examples-parity-src)
-include $(bw-prog-src:%.c=$(O)/rel/%.d) $(O)/rel/userlib/bench/map_bench.d

bw-spans-obj := $(O)/rel/userlib/examples/spans.o
bw-parity-obj := $(bw-parity-src:%.c=$(O)/rel/%.o)
bw-sched-parity-obj := $(bw-sched-parity-src:%.c=$(O)/rel/%.o)

$(O)/examples/spans $(O)/static/spans: $(bw-spans-obj) $(O)/libburrow.a
$(O)/parity $(O)/static/parity: $(bw-parity-obj) $(O)/libburrow.a
$(O)/sched_parity $(O)/static/sched_parity: $(bw-sched-parity-obj) $(O)/libburrow.a
$(O)/static/both: $(O)/rel/selftests/parity/both.o
$(O)/static/examples_parity: $(bw-examples-parity-src:%.c=$(O)/rel/%.o)

$(O)/examples/spans $(O)/parity $(O)/sched_parity:
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

$(O)/static/spans $(O)/static/parity $(O)/static/sched_parity $(O)/static/both \
$(O)/static/examples_parity:
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -static -pthread -o $@ $^

.PHONY: examples static check-parity-host
examples: $(O)/examples/spans $(O)/static/spans
static: $(O)/static/spans $(O)/static/parity $(O)/static/sched_parity \
	$(O)/static/both $(O)/static/examples_parity
check-parity-host: $(O)/parity $(O)/sched_parity $(O)/static/parity \
	$(O)/static/sched_parity $(O)/static/both

bw-sched-guests := sched_stress_test sched_exit_test sched_slot_test \
	sched_many_test sched_timer_test sched_sleep_test sched_net_test \
	sched_netpoll_test sched_preempt_test sched_stop_test \
	sched_section_test sched_signal_test sched_eyes_test sched_dump_test \
	sched_death_test sched_deadlock_test sched_close_test

# Tests that fit both modes, for a machine with the module:
# BURROW_MODE=kernel stress_test.
bw-both-modes := $(bw-sched-guests) parker_test stress_test fork_test fork_storm_test alloc_test memstats_test \
	sched_life_test sched_block_test explain_test alloc_huge_test alloc_oom_test \
	sched_fork_test gc_test gc_root_test gc_special_test gc_hybrid_test gc_rules_test leak_test \
	bulk_test resize_test gc_fork_test gc_fork_cycle_test gc_oom_test gc_scavenge_test \
	gc_bench_test mark_test map_model_test map_test slice_test string_test \
	chan_test chan_gc_test chan_die_test chan_history_test select_test sync_test ctx_test pool_test

$(bw-both-modes:%=$(O)/static/%): $(O)/static/%: $(O)/rel/userlib/tests/%.o \
		$(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -static -pthread -o $@ $^

# They need a backend that fails.
$(O)/static/alloc_huge_test $(O)/static/alloc_oom_test $(O)/static/resize_test \
$(O)/static/gc_oom_test $(O)/static/map_test: $(bw-test-src:%.c=$(O)/rel/%.o)

static: $(bw-both-modes:%=$(O)/static/%)

# And what make bench-vm ONLY="library wall" runs.
bw-mode-bench := mode_bench mode_rows mode_rows_g
-include $(bw-mode-bench:%=$(O)/rel/userlib/bench/%.d)
$(O)/static/mode_bench: $(bw-mode-bench:%=$(O)/rel/userlib/bench/%.o) \
		$(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -static -pthread -o $@ $^

# Tests: TAP on the terminal and, a file each, in $(RESULTS).
bw-runs := \
	$(bw-tests:%=rel/tests/%) \
	$(bw-tests:%=dbg/tests/%) \
	$(bw-tests:%=asan/tests/%) \
	$(bw-tests-threads:%=tsan/tests/%) \
	$(bw-tests:%=clang/tests/%)

# Knows its own names, for a debugger; does what memcheck is to hear of.
-include $(O)/rel/userlib/tests/memcheck_target.d
-include $(O)/rel/userlib/tests/gdb_target.d
-include $(O)/rel/userlib/tests/gdb_sched_target.d
$(O)/gdb_target $(O)/gdb_sched_target $(O)/memcheck_target: $(O)/%: \
		$(O)/rel/userlib/tests/%.o $(O)/libburrow.a
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

.PHONY: check-lib
check-lib: check-malloc check-examples lib $(bw-runs:%=$(O)/%) $(O)/gdb_target \
		$(O)/malloc_gdb_target $(O)/gdb_sched_target $(O)/memcheck_target
	@sh userlib/tests/run.sh $(O) $(RESULTS) $(bw-runs)
	@sh userlib/tests/exports.sh $(O)/libburrow.so.$(BW_VERSION) \
		userlib/libburrow.map $(RESULTS)/lib-exports.tap
	@sh userlib/tests/leaf.sh $(RESULTS)/lib-leaf.tap \
		$(filter $(O)/rel/userlib/src/rt/%,$(bw-obj-rel))
	@sh userlib/tests/sizeclass.sh $(RESULTS)/lib-sizeclass.tap
	@python3 userlib/tests/bench_test.py $(RESULTS)/lib-bench.tap
	@python3 userlib/tests/report_test.py $(RESULTS)/lib-report.tap
	@python3 userlib/tests/vm_results_test.py $(RESULTS)/lib-vm-results.tap
	@sh userlib/cocci/check.sh $(O)/cocci $(RESULTS)/lib-cocci.tap \
		$(CC) $(filter-out -MMD -MP,$(bw-cflags))
	@sh userlib/tests/gdb.sh $(O)/gdb_target $(O)/malloc_gdb_target \
		$(RESULTS)/lib-gdb.tap
	@sh userlib/tests/gdb_sched.sh $(O)/gdb_sched_target \
		$(RESULTS)/lib-gdb-sched.tap
	@sh userlib/tests/memcheck.sh $(O)/memcheck_target \
		$(abspath $(bw-malloc-so)) $(RESULTS)/lib-memcheck.tap

# Of results that have everything; PAGE=build/bench/report.html looks at that one.
.PHONY: check-report
check-report:
	@mkdir -p $(RESULTS) $(O)/report
	@python3 userlib/tests/report_sample.py $(O)/report/sample
	@python3 userlib/bench/report.py $(O)/report/sample \
		$(O)/report/sample.html > $(O)/report/sample.txt
	@python3 userlib/tests/page_test.py $(or $(PAGE),$(O)/report/sample.html) \
		$(O)/report > $(RESULTS)/report-page.tap; \
		status=$$?; cat $(RESULTS)/report-page.tap; exit $$status

.PHONY: check-gc-mutants check-lang-mutants
check-gc-mutants:
	@sh userlib/tests/gc_mutants.sh $(O)/gc-mutants

check-lang-mutants:
	@sh userlib/tests/lang_mutants.sh $(O)/lang-mutants

.PHONY: check-barriers barriers
check-barriers:
	@mkdir -p $(RESULTS)
	@sh userlib/cocci/check.sh $(O)/cocci $(RESULTS)/lib-cocci.tap \
		$(CC) $(filter-out -MMD -MP,$(bw-cflags))

barriers:
	@spatch --very-quiet --sp-file userlib/cocci/barriers.cocci $(FILES)

.PHONY: check-aarch64
check-aarch64:
	@sh userlib/tests/sched_aarch64.sh $(O)/aarch64 \
		"$(filter-out -MMD -MP,$(bw-cflags))" $(bw-lib-src) \
		userlib/src/sched/switch_aarch64.S

# Programs that know the library's inside or its API.
bw-sched-progs := $(O)/bench/sched_quick $(O)/examples/hello \
	$(O)/examples/ring $(O)/examples/trees $(O)/examples/fanin

$(O)/bench/sched_quick: $(O)/rel/userlib/bench/sched_quick.o
$(O)/examples/hello: $(O)/rel/userlib/examples/hello.o
$(O)/examples/ring: $(O)/rel/userlib/examples/ring.o
$(O)/examples/trees: $(O)/rel/userlib/examples/trees.o
$(O)/examples/fanin: $(O)/rel/userlib/examples/fanin.o

$(bw-sched-progs): $(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $(filter %.o,$^) $(O)/libburrow.a

examples: $(O)/examples/hello $(O)/examples/ring $(O)/examples/trees \
	$(O)/examples/fanin

# Servers, and the small ones that are one file each.
bw-examples := pipeline sieve timeouts workers connpool_demo lru
bw-httpd-src := userlib/examples/httpd.c userlib/examples/serve.c
bw-kvd-src := $(wildcard userlib/examples/kvd/*.c) userlib/examples/serve.c
-include $(bw-httpd-src:%.c=$(O)/rel/%.d) $(bw-kvd-src:%.c=$(O)/rel/%.d)
-include $(bw-examples:%=$(O)/rel/userlib/examples/%.d)

# The servers under sanitizers, for their tests.
bw-servers := $(foreach f,asan tsan,$(O)/$(f)/httpd $(O)/$(f)/kvd)
$(foreach f,asan tsan,$(eval $(O)/$(f)/httpd: $(bw-httpd-src:%.c=$(O)/$(f)/%.o)))
$(foreach f,asan tsan,$(eval $(O)/$(f)/kvd: $(bw-kvd-src:%.c=$(O)/$(f)/%.o)))
$(O)/asan/httpd $(O)/asan/kvd: $(O)/asan/libburrow.a
	@echo '  asan $(@F)'
	@gcc $(bw-flags-asan) -pthread -o $@ $(filter %.o,$^) $(filter %.a,$^)
$(O)/tsan/httpd $(O)/tsan/kvd: $(O)/tsan/libburrow.a
	@echo '  tsan $(@F)'
	@gcc $(bw-flags-tsan) -pthread -o $@ $(filter %.o,$^) $(filter %.a,$^)

.PHONY: check-examples
check-examples: examples $(bw-servers)
	@mkdir -p $(RESULTS)
	@python3 userlib/tests/examples.py $(O) > $(RESULTS)/lib-examples.tap; \
		status=$$?; cat $(RESULTS)/lib-examples.tap; exit $$status

$(O)/examples/httpd: $(bw-httpd-src:%.c=$(O)/rel/%.o)
$(O)/examples/kvd: $(bw-kvd-src:%.c=$(O)/rel/%.o)
$(bw-examples:%=$(O)/examples/%): $(O)/examples/%: \
		$(O)/rel/userlib/examples/%.o
$(O)/examples/connpool_demo: $(O)/rel/userlib/examples/connpool.o

bw-more-examples := $(addprefix $(O)/examples/,$(bw-examples) httpd kvd)
$(bw-more-examples): $(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $(filter %.o,$^) $(O)/libburrow.a

examples: $(bw-more-examples)

# For guests, where the library is in /lib; here it is found beside them.
bw-guest-examples := $(addprefix $(O)/guest/,hello ring trees fanin \
	$(bw-examples) httpd kvd)
$(O)/guest/httpd: $(bw-httpd-src:%.c=$(O)/rel/%.o)
$(O)/guest/kvd: $(bw-kvd-src:%.c=$(O)/rel/%.o)
$(filter-out %/httpd %/kvd,$(bw-guest-examples)): $(O)/guest/%: \
		$(O)/rel/userlib/examples/%.o
$(O)/guest/connpool_demo: $(O)/rel/userlib/examples/connpool.o

$(bw-guest-examples): $(O)/libburrow.so.$(BW_VERSION)
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $(filter %.o,$^) -L$(O) -lburrow \
		'-Wl,-rpath,$$ORIGIN/..'

static: $(bw-guest-examples)
check-parity-host: $(O)/static/examples_parity $(bw-guest-examples)

.PHONY: bench-sched
bench-sched: $(O)/bench/sched_quick $(O)/bench/stop_bench
	@for procs in 1 2; do \
		echo "# $$procs Ps: least, median, most ns"; \
		BURROW_PROCS=$$procs $< || exit; \
		echo "# $$procs Ps, stops: median, 99th percentile, most us"; \
		BURROW_PROCS=$$procs $(O)/bench/stop_bench || exit; \
	done

$(O)/bench/sched_peers: $(O)/rel/userlib/bench/sched_peers.o \
		$(O)/rel/userlib/bench/sched_peers_late.o $(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

# BENCH_SCHED='-r 3 yield:1 ping' chooses. Five minutes; what cannot be had is
# left out, with the reason.
.PHONY: bench-sched-peers
bench-sched-peers: $(O)/bench/sched_peers
	@userlib/bench/sched_peers.sh $(O)/bench $< $(BENCH_SCHED)

$(O)/bench/stop_bench $(O)/bench/time_bench $(O)/bench/net_bench: $(O)/bench/%: \
		$(O)/rel/userlib/bench/%.o $(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

$(O)/bench/lang_bench: $(O)/rel/userlib/bench/lang_bench.o $(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

# BENCH_LANG='-r 3 ping:1 try4' chooses.
.PHONY: bench-lang
bench-lang: $(O)/bench/lang_bench
	@userlib/bench/lang_bench.sh $(O)/bench $< $(BENCH_LANG)

# BENCH_SERVERS='-r 3' is a short run. Peers that are not installed are left out.
.PHONY: bench-servers
bench-servers: $(O)/examples/kvd $(O)/examples/httpd
	@userlib/bench/servers_bench.sh $(O)/bench $(O)/examples $(BENCH_SERVERS)

$(O)/bench/map_bench: $(O)/rel/userlib/bench/map_bench.o $(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

# BENCH_MAP='-r 3 u64:1000000 worst:10000000' chooses.
.PHONY: bench-map
bench-map: $(O)/bench/map_bench
	@userlib/bench/map_bench.sh $(O)/bench $< $(BENCH_MAP)

.PHONY: bench-time bench-net bench-curves
bench-time: $(O)/bench/time_bench $(O)/bench/stop_bench
	@python3 userlib/bench/time_bench.py $^ $(BENCH_TIME)

# BENCH_NET='-r 3 100:1' is a short run
bench-net: $(O)/bench/net_bench
	@userlib/bench/net_bench.sh $(O)/bench/net $< $(BENCH_NET)

# BENCH_CURVES='-r 3 heap:16 heap:64' chooses
bench-curves: $(O)/libburrow.a $(O)/bench/sched_peers
	@userlib/bench/curve_bench.sh $(O)/bench $^ $(BENCH_CURVES)

# Benchmarks that need no library. PAGEPOLICY='-m 256 -r 3' is a short run; one
# that cannot be made here (77) says why and is no error.
bw-pagepolicy := userlib/bench/pagepolicy.c userlib/bench/pagepolicy_shape.c

$(O)/bench/pagepolicy: $(bw-pagepolicy) userlib/bench/pagepolicy_shape.h
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) -O2 -std=gnu11 -Wall -Wextra -Werror -pthread -o $@ \
		$(bw-pagepolicy)

.PHONY: bench-pagepolicy
bench-pagepolicy: $(O)/bench/pagepolicy
	@$< $(PAGEPOLICY) || test $$? = 77

$(O)/bench/alloc_pairs: $(O)/rel/userlib/bench/alloc_pairs.o $(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

.PHONY: bench-alloc-pairs bench-alloc
bench-alloc-pairs: $(O)/bench/alloc_pairs
	@$<

# BENCH_ALLOC='-r 9 pairs:64' chooses. Peers come into the cache; what cannot be
# had is left out, with the reason.
bench-alloc: $(O)/libburrow.a
	@userlib/bench/alloc_bench.sh $(O)/bench $< $(BENCH_ALLOC)

$(O)/bench/gc_bench: $(O)/rel/userlib/bench/gc_bench.o $(O)/libburrow.a
	@mkdir -p $(@D)
	@echo '  $(CC) $@'
	@$(CC) $(CFLAGS) -pthread -o $@ $^

.PHONY: bench-gc
bench-gc: $(O)/bench/gc_bench
	@BURROW_GC=100 $< trees 18
	@$< mark
	@$< store
	@$< alloc 256

# BENCH_GC='-r 3 trees:18' chooses. Peers come into the cache; what cannot be had
# is left out, with the reason. Rows with 1 GiB alive take 3 GiB of memory.
.PHONY: bench-gc-peers
bench-gc-peers: $(O)/libburrow.a
	@userlib/bench/gc_peers.sh $(O)/bench $< $(BENCH_GC)

bw-dest = $(DESTDIR)$(PREFIX)
.PHONY: install uninstall
install: lib
	install -d $(bw-dest)/include/burrow $(bw-dest)/lib/pkgconfig
	install -m 644 userlib/include/burrow.h $(bw-dest)/include/
	install -m 644 userlib/include/burrow/*.h uapi/burrow/*.h \
		$(bw-dest)/include/burrow/
	install -m 644 $(O)/libburrow.a $(bw-dest)/lib/
	install -m 755 $(O)/libburrow.so.$(BW_VERSION) $(bw-dest)/lib/
	ln -sf libburrow.so.$(BW_VERSION) $(bw-dest)/lib/$(BW_SONAME)
	ln -sf $(BW_SONAME) $(bw-dest)/lib/libburrow.so
	install -m 644 $(O)/burrow.pc $(bw-dest)/lib/pkgconfig/

uninstall:
	rm -f $(bw-dest)/include/burrow.h
	rm -f $(patsubst %,$(bw-dest)/include/burrow/%, \
		$(notdir $(wildcard userlib/include/burrow/*.h uapi/burrow/*.h)))
	rm -f $(bw-dest)/lib/libburrow.a $(bw-dest)/lib/libburrow.so \
		$(bw-dest)/lib/$(BW_SONAME) \
		$(bw-dest)/lib/libburrow.so.$(BW_VERSION) \
		$(bw-dest)/lib/pkgconfig/burrow.pc
	-rmdir $(bw-dest)/include/burrow

include userlib/src/malloc/build.mk
