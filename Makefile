# SPDX-License-Identifier: GPL-2.0-only
#
# hlk: see `make help`. Kbuild, beside this file, says what the module is made of.

KDIR	?= /lib/modules/$(shell uname -r)/build
KERNELS	?= 6.1 6.12 7.3
DEMO_KERNEL ?= 6.1
PREFIX	?= /usr/local
unit-dirs := udev/rules.d sysusers.d modules-load.d
export KERNELS

vm	:= selftests/vm

.PHONY: help setup modules user bindings demo demo-linux check check-all check-native check-debug check-long check-vmx \
	check-machines check-genid check-registry check-saved check-vmm check-pt check-gdb check-bindings check-watch coverage coverage-user bench bench-snapshots lint docs deb sbom check-deb install \
	update-kernels clean distclean

help:
	@echo 'make demo          run two guests in a throw-away VM (HOST=1: on this host)'
	@echo 'make demo-linux    run Python in a guest of Debian, 100 times as new, in such a VM'
	@echo 'make check         all tests on FIRST=6.12, the core on the others of'
	@echo '                   KERNELS="$(KERNELS)"; JOBS= at a time, one a processor'
	@echo 'make check-all     all tests on each of KERNELS'
	@echo 'make check-native  the tests that need no VM'
	@echo 'make check-debug   all of them, fault injection and a fuzzer on a debug kernel'
	@echo 'make check-long    the fuzzer for FUZZ_SECONDS=7200; how long calls hold locks (GONE=1);'
	@echo '                   RESTORES=1000000 of random guests, a sample audited;'
	@echo '                   MODEL_OPS=100000000 on the model of windows; 0 leaves one out'
	@echo 'make check-vmx     all tests on kvm-intel, in Bochs; takes hours'
	@echo '                   of what check* did a note is left in build/results'
	@echo 'make check-machines    kernels of Debian and others under hlk-run boot, ROUNDS=1000'
	@echo '                   times each, on each of KERNELS; MACHINES= names some of them'
	@echo 'make check-registry    saved snapshots through a registry and back'
	@echo 'make check-saved       saved on one kernel and run on another'
	@echo 'make check-genid       do kernels of Debian draw other random numbers after each restore?'
	@echo 'make bindings      declarations for Rust and Python, of the headers as they are now'
	@echo 'make check-bindings    libhlk for Rust and for Python, in a VM too'
	@echo 'make check-watch   the scripts for bpftrace beside guests, in VMs of KERNELS; metrics'
	@echo 'make check-vmm     a kernel of Debian under a QEMU that is patched to use hlk; builds it'
	@echo 'make check-pt      hlk-run pt of a 64-bit Linux under QEMU, against info tlb of its monitor'
	@echo 'make check-gdb     gdb of a 64-bit Linux with symbols and two processors; builds one'
	@echo 'make coverage      which lines of kmod/ the tests reach'
	@echo 'make coverage-user which lines of libhlk and hlk-run'
	@echo 'make bench         what a restore costs, on each of KERNELS; and compaction'
	@echo 'make bench-snapshots  what it costs to go to a sibling, to make a snapshot, and a'
	@echo '                   thousand sandboxes of one'
	@echo 'make lint          W=1, sparse, checkpatch and their like'
	@echo 'make modules       hlk.ko for the kernel in KDIR=$(KDIR);'
	@echo '                   HLK_DEBUG=1: with assertions'
	@echo 'make user          libhlk, hlk-run, guests and test programs'
	@echo 'make docs          the manual, into build/docs'
	@echo 'make deb           packages for Debian 12, into build/deb'
	@echo 'make check-deb     these in a bare Debian 12: built, installed, used in a VM, purged'
	@echo 'make sbom          what is licensed how, as SPDX, into build/hlk.spdx'
	@echo 'make install       into DESTDIR and PREFIX; the module if it was built'
	@echo 'make setup         install what is missing, with apt'
	@echo 'make update-kernels  ask Debian for newer kernels than those in the cache'
	@echo 'make clean         remove build/; distclean: the cache too'

setup:
	@$(vm)/setup.sh

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

user:
	$(MAKE) -C user
	$(MAKE) -C selftests

ifeq ($(HOST),1)
demo:
	@$(vm)/demo-host.sh
else
demo:
	@$(vm)/demo-says.sh $(DEMO_KERNEL)
	@$(vm)/setup.sh
	@$(MAKE) -s user > /dev/null
	@$(vm)/demo-vm.sh $(DEMO_KERNEL)
endif

demo-linux: setup
	@$(vm)/demo-linux.sh $(DEMO_KERNEL)

check: setup
	@$(vm)/check.sh

check-all: setup
	@$(vm)/check.sh --all

check-native: setup
	@KERNELS= $(vm)/check.sh

check-debug: setup
	@$(vm)/check-debug.sh

check-long: setup
	@$(vm)/check-long.sh

# TESTS= names some of them, such as TESTS="restore windows"
check-vmx: setup
	@$(vm)/check-vmx.sh $(TESTS)

check-machines: setup
	@$(vm)/check-machines.sh

check-genid: setup
	@$(vm)/check-genid.sh

# BENCHES= some of tree, pause, clones and load
bench-snapshots: setup
	@$(vm)/snapshots.sh $(BENCHES)

check-registry: setup
	@$(vm)/check-registry.sh

check-saved: setup
	@$(vm)/check-saved.sh

check-vmm: setup
	@$(vm)/check-vmm.sh

# What is made of the headers, and in the tree
bindings: setup
	@mkdir -p build
	python3 bindings/generate.py rust > build/bindings.rs
	python3 bindings/generate.py python > build/_cdef.py
	mv build/bindings.rs bindings/rust/hlk-sys/src/
	mv build/_cdef.py bindings/python/hlk/

check-bindings: setup
	@$(vm)/check-bindings.sh

check-watch: setup
	@$(vm)/check-watch.sh $(KERNELS)

check-pt: setup
	@$(vm)/check-pt.sh

check-gdb: setup
	@$(vm)/check-gdb.sh

coverage: setup
	@$(vm)/coverage.sh

coverage-user: setup
	@$(vm)/coverage.sh --user

# BENCH= passes options on, such as BENCH=--full
bench: setup
	@$(vm)/bench.sh $(BENCH)

lint: setup
	@$(vm)/lint.sh

docs:
	@command -v sphinx-build > /dev/null || $(vm)/setup.sh docs
	sphinx-build -q -W --keep-going -b html -d build/docs/doctrees Documentation build/docs/html

# As any user, in a copy: what is not in git is not in it, and this tree stays as it is.
deb:
	@$(vm)/deb.sh

check-deb: setup
	@$(vm)/check-deb.sh

sbom:
	@mkdir -p build
	reuse spdx | sed 's/^DocumentName: .*/DocumentName: hlk-$(shell cat VERSION)/' > build/hlk.spdx

# Kbuild leaves depmod out where headers come without System.map, as Debian's do. The
# release is the one that the module was built for.
#
# udev, systemd-sysusers and systemd-modules-load read PREFIX/lib where that is /usr or /usr/local.
install:
	$(MAKE) -C user install
	install -d $(foreach dir,$(unit-dirs),$(DESTDIR)$(PREFIX)/lib/$(dir))
	install -m 644 dist/60-hlk.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/
	install -m 644 dist/hlk.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/hlk.conf
	install -m 644 dist/hlk.modules-load $(DESTDIR)$(PREFIX)/lib/modules-load.d/hlk.conf
	$(if $(DESTDIR),,PATH="$$PATH:/sbin"; ! command -v systemd-sysusers > /dev/null || \
		systemd-sysusers $(PREFIX)/lib/sysusers.d/hlk.conf; \
		! [ -e /run/udev/control ] || udevadm control --reload)
	$(if $(wildcard hlk.ko),$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) modules_install)
	$(if $(wildcard hlk.ko),$(if $(DESTDIR),,PATH="$$PATH:/sbin"; depmod "$$(modinfo -F vermagic hlk.ko | cut -d ' ' -f 1)"))

update-kernels:
	rm -rf $${HLK_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/hlk}/kernels
	@for series in $(KERNELS); do $(vm)/kernel.sh $$series || exit 1; done

clean:
	rm -rf build
	rm -rf hlk.ko hlk.o hlk.mod hlk.mod.c hlk.mod.o modules.order Module.symvers
	rm -rf kmod/*.o kmod/.*.cmd .*.cmd .tmp_versions

distclean: clean
	rm -rf $${HLK_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/hlk}
