# SPDX-License-Identifier: GPL-2.0
#
# make run, make test: the rest is in Documentation/building.rst.

ARCH ?= x86_64
PAGE_SIZE ?= 4K
FLAVOR ?= release
JOBS ?= $(shell nproc)
KDIR ?=
KSRC ?=
DESTDIR ?=

export ARCH PAGE_SIZE FLAVOR JOBS KDIR KSRC DESTDIR

.PHONY: help setup kernel print-kdir module install uninstall deb kernel-deb run test test-all \
	check test-stock shell torture test-mutants bench bench-quick html man clean clean-cache

help:
	@echo 'make run         keep real memory in C zsmalloc and in ours, in a virtual machine, verify'
	@echo '                 it and compare; TYPE=zsmalloc_rs or another: that one only; MIB to fill'
	@echo 'make test        the whole test suite; ends with "N passed, N failed, N skipped";'
	@echo '                 REPORT=FILE.xml writes the results as JUnit, too; PARTS=regular expression'
	@echo '                 for some parts of it, or of make test-all'
	@echo
	@echo 'make check       only the part of make test that needs no virtual machine'
	@echo 'make test-stock  the module in the kernel that Debian ships, of which none is built; FULL=1: more'
	@echo 'make torture     MINUTES of everything at once on FLAVOR and CPUS; SEED and ROUNDS repeat some'
	@echo 'make test-mutants   put faults into the module, one at a time: the tests have to find them;'
	@echo '                 NAMES=part of a name for some'
	@echo 'make bench       speed and memory beside C zsmalloc; ROWS=regular expression for some rows,'
	@echo '                 AGAINST=COMMIT to measure ours of that commit, too'
	@echo 'make bench-quick the part of it that takes less than five minutes'
	@echo 'make test-all    make test; the guest tests and the torture on every flavour, more of arm64 and of'
	@echo '                 the stock kernels, test-mutants, bench-quick: half a day'
	@echo
	@echo 'make kernel      build the kernel of ARCH, PAGE_SIZE and FLAVOR in the cache'
	@echo 'make print-kdir  print its build directory (make -s print-kdir)'
	@echo 'make module      build zsmalloc_rs.ko for that kernel, or for KDIR'
	@echo 'make install     put that of KDIR where modprobe looks, below DESTDIR; make uninstall'
	@echo 'make deb         Debian packages: the module for DKMS, the tool'
	@echo 'make kernel-deb  packages of Debian'"'"'s kernel with Rust and zram on zsmalloc_rs: hours'
	@echo 'make shell       boot a virtual machine with the module, and give a shell'
	@echo 'make html man    the documents in build/html, the manual pages in build/man'
	@echo 'make setup       only install what kernels, tests and documents need'
	@echo 'make clean       remove what was built in this tree'
	@echo 'make clean-cache remove kernels and crates from the cache that this tree no longer uses'
	@echo
	@echo 'ARCH=x86_64|arm64   now $(ARCH)'
	@echo 'PAGE_SIZE=4K|16K|64K   now $(PAGE_SIZE); x86_64 has 4K only'
	@echo 'FLAVOR=release|debug   now $(FLAVOR); also cfi, race, rt, nosmp, nocompaction, trace'
	@echo 'KDIR=DIR   a kernel build directory of your own, or installed headers, for make module'
	@echo 'KSRC=DIR   the source of that kernel, if it has no CONFIG_RUST and is not Debian'"'"'s'
	@echo 'JOBS=N   now $(JOBS)'

setup:
	@scripts/setup

kernel: setup
	@scripts/kernel

print-kdir:
	@scripts/kernel --print-kdir

# For a kernel of one's own nothing is installed: what is missing is named.
ifeq ($(KDIR),)
module: kernel
endif
module:
	@scripts/module

install:
	@scripts/install

uninstall:
	@scripts/install --remove

deb:
	@scripts/deb

# Debian's kernel with Rust and the patches for zram: hours
kernel-deb:
	@scripts/kernel-deb

run:
	@scripts/run

test:
	@scripts/test

test-all:
	@scripts/test --all

# Debian's own kernel, without CONFIG_RUST; FULL=1 is what make test-all runs of it
test-stock: setup
	@tests/stock/run $(if $(FULL),--full)

check:
	@scripts/test --host

# MINUTES=60, or ROUNDS=1 SEED=n to see the round of that seed again; CPUS=2
torture:
	@scripts/torture $(if $(ROUNDS),--rounds $(ROUNDS),--minutes $(or $(MINUTES),10)) \
		$(if $(SEED),--seed $(SEED)) $(if $(CPUS),--smp $(CPUS))

test-mutants:
	@scripts/test-mutants $(NAMES)

bench:
	@scripts/setup --bench
	@bench/run $(if $(ROWS),--rows '$(ROWS)') $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(AGAINST),--against $(AGAINST))

bench-quick:
	@scripts/setup --bench
	@bench/run --quick

shell:
	@scripts/vm

html man:
	@scripts/docs $@

# and what a build in the tree itself, with M=, leaves behind
clean:
	rm -rf build
	find Kbuild src tests/module bench/module \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o \
		-name '*.mod.c' -o -name '.*.cmd' -o -name '.*.d' -o -name '*_generated.*' \) -delete
	rm -f *.o *.ko *.mod *.mod.c .*.cmd modules.order Module.symvers

clean-cache:
	@scripts/kernel --prune
	@scripts/stock --prune
