# SPDX-License-Identifier: MIT
#
# burrow: two commands are enough for most people.
#
#	make run	build all, show the demo in user-only and in kernel mode
#	make check	every test there is
#
# `make help` lists the rest. Objects go to $(O), downloads and built kernels
# to $(BURROW_CACHE), both outside the sources.

O	?= build
# one spelling of each place: what was built by another would not be rebuilt
override O := $(patsubst $(CURDIR)/%,%,$(abspath $(O)))
CC	?= gcc
KERNEL	?= 6.1

# The kernel to build the module for: the running one's build tree, else the
# newest headers that are installed.
KDIR	?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	     $(shell ls -dv /usr/src/linux-headers-*-amd64 2>/dev/null | tail -n 1))

all: lib module

include userlib/build.mk
include selftests/core.mk
include selftests/build.mk

help:
	@sed -n 's/^#@ //p' $(filter %Makefile %.mk,$(MAKEFILE_LIST))

#@ run		build all; the demo in user-only mode, then in a VM in kernel mode
run: deps
	@selftests/scripts/run.sh

#@ check		every test: host, three stock kernels, a debug kernel
check: deps
	@selftests/scripts/check.sh

#@ lib		libburrow.{a,so}, its header and pkg-config files
#@ module	burrow.ko for KDIR
module: $(O)/burrow.ko

module_src := Kbuild $(shell find kmod uapi -name '*.[ch]')

$(O)/burrow.ko: $(module_src)
	@selftests/scripts/module.sh '$(KDIR)' '$(O)'

#@ load, unload	insert the module into the running kernel, or take it out
load: module
	@selftests/scripts/load.sh '$(O)/burrow.ko'

unload:
	@selftests/scripts/load.sh --unload

#@ kselftest	the kernel tests on this machine (needs the module loaded)
#@ kunit		the KUnit suites, in the debug kernel
kunit:
	@selftests/scripts/check.sh kunit

#@ vm KERNEL=6.12	a shell in a VM with the module loaded
vm:
	@selftests/vm/run.sh --kernel '$(KERNEL)' --shell

#@ bench-vm	instructions per page and per call, both modes beside each other, in VMs
bench-vm: deps
	@selftests/scripts/bench-vm.sh $(BENCH_VM)

#@ bench		burrow beside its peers, and a report (ONLY=alloc,map QUICK=1 FRESH=1
#@		ROW='pairs:64'; goes on where it was interrupted)
#@ bench-report	the report again, of what was measured
bench: deps
	@python3 userlib/bench/run.py '$(O)'

bench-report:
	@python3 userlib/bench/report.py "$$(ls -td '$(O)'/bench/results/*/ | \
		grep -v '/rows/$$' | head -n 1)" '$(O)/bench/report.html'

#@ bench-compare BASE=revision	this build beside that one (ONLY= ROW= ROUNDS=)
bench-compare:
	@python3 userlib/bench/compare.py '$(O)' '$(BASE)'

#@ model		the scheduler's protocols, and that broken ones are found (spin)
model:
	@selftests/model/run.sh '$(abspath $(O))/model'

#@ layers		no include goes upwards
layers:
	@selftests/scripts/layers.sh

#@ style		checkpatch and sparse
style:
	@selftests/scripts/style.sh '$(KDIR)' '$(O)'

#@ deps		install what is missing (as root), or print the line that does
deps:
	@selftests/scripts/deps.sh

#@ clean		remove $(O); the cache of kernels stays
clean:
	rm -rf '$(O)'

.DEFAULT_GOAL := all
.PHONY: all help run check model module load unload kunit vm bench bench-report bench-compare \
	bench-vm layers style deps clean
