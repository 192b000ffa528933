# SPDX-License-Identifier: MIT
# make demo    what it is about, in some minutes, from nothing; KERNEL=stable for the other kernel
# make test    every test in its short form
# make soak SCENARIO=NAME, make soak-list: the long forms
# make vm, make vgpu, make kmod: only the test machine, the virtual GPU, the kernel module
# make debug-kernel: a kernel with KASAN and lockdep for the test machine, and the module for it

.DEFAULT_GOAL := vgpu

vgpu:
	$(MAKE) -C vgpu

vm: vgpu
	vm/build

kmod: vm
	$(MAKE) -C kmod stable backports

guest-programs: vm kmod
	$(MAKE) -s -C kmod controls
	vm/root make -s -C lib
	vm/root make -s -C tools
	vm/root make -s -C criu
	vm/root make -s -C selftests/vgpu
	vm/root make -s -C selftests/gmmap
	vm/root make -s -C selftests/lib
	vm/root make -s -C selftests/criu
	vm/root make -s -C examples

KERNEL ?= backports

demo: guest-programs run-demo

run-demo:
	@vm/run -k $(KERNEL) --scratch ext4:1G --timeout 600 -- examples/demo.sh

debug-kernel: vm
	vm/build debug
	$(MAKE) -C kmod debug

test:
	selftests/run

soak:
	selftests/soak $(SCENARIO)

soak-list:
	@selftests/soak --list

bench: vgpu
	bench/vgpu/run
	bench/shader/run
	bench/fault/run

lint:
	selftests/lint

clean:
	rm -rf build/vgpu build/selftests build/examples build/bench build/tests build/kmod build/vgpu-tests build/lib \
		build/tools build/host build/store-tests build/criu

.PHONY: vgpu vm kmod guest-programs demo run-demo debug-kernel test soak soak-list bench lint clean
