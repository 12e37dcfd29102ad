# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # shared with scripts/module
#
# Sourced by scripts/module: what a kernel build directory says about itself, and
# whether a module can be built for it.  Every reason why not is one line, and comes
# before any compiler runs.
#
# Sets KDIR (absolute), karch, way: "kernel" if the kernel brings Rust along,
# "own" if the module has to (scripts/lib/stack.sh).

conf() { sed -n "s/^CONFIG_$1=//p" "$KDIR/include/config/auto.conf" | tr -d '"'; }
is_set() { [ -n "$(conf "$1")" ]; }

refuse() { die "$KDIR cannot take the module: $*"; }

# The release, and which kernels have the interfaces that the module is written for.
check_release() {
	local v
	[ -e "$KDIR/include/config/kernel.release" ] ||
		refuse "it was not built (no include/config/kernel.release)"
	release=$(cat "$KDIR/include/config/kernel.release")
	v=${release%%[!0-9.]*}
	[[ $v.0 =~ ^([0-9]+)\.([0-9]+)\. ]] || refuse "its release is called '$release'"
	v=$(printf '%d%03d' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}")
	if [ "$v" -ge 6018 ]; then
		refuse "$release has no zpool (it was removed in Linux 6.18); this module is for Linux 6.12"
	elif [ "$v" -gt 6012 ]; then
		refuse "$release has another zpool interface; this module is for Linux 6.12"
	elif [ "$v" -lt 6012 ]; then
		refuse "$release is older than Linux 6.12, which this module is for"
	fi
}

check_arch() {
	[ "$(conf 64BIT)" = y ] || refuse "it is not a 64-bit kernel"
	if is_set UML; then
		karch=um
	elif is_set X86_64; then
		karch=x86_64
	elif is_set ARM64; then
		karch=arm64
	else
		refuse "it is neither for x86_64 nor for arm64: addresses may not fit in a handle"
	fi
}

check_kernel() {
	[ -d "$KDIR" ] || die "KDIR=$KDIR: no such directory"
	KDIR=$(cd "$KDIR" && pwd -P)
	[ -e "$KDIR/Makefile" ] || refuse "it is not a kernel build directory (no Makefile)"
	[ -e "$KDIR/include/config/auto.conf" ] ||
		refuse "it is not configured (no include/config/auto.conf)"
	check_release
	check_arch
	[ "$(conf MODULES)" = y ] || refuse "it has no loadable modules (CONFIG_MODULES)"
	[ "$(conf ZPOOL)" = y ] || refuse "it has no zpool (CONFIG_ZPOOL)"
	[ -e "$KDIR/Module.symvers" ] || refuse "no Module.symvers (the kernel was not built to the end)"
	grep -qw zpool_register_driver "$KDIR/Module.symvers" ||
		refuse "it does not export zpool_register_driver (CONFIG_TRIM_UNUSED_KSYMS?)"
	if [ "$(conf RUST)" = y ]; then
		way=kernel
		check_with_rust
	else
		way=own
		check_without_rust
	fi
	check_build_tools
	check_compiler
	report_missing
}

# The kernel's own Rust is used, so that it has to be there.
check_with_rust() {
	local f
	! is_set MODVERSIONS || refuse "CONFIG_MODVERSIONS, which Rust modules do not support there"
	for f in libcore.rmeta libkernel.rmeta libmacros.so; do
		[ -e "$KDIR/rust/$f" ] || refuse "no Rust metadata in the headers (rust/$f)"
	done
	check_same_rust
}

# What `config RUST` asks for, less MODVERSIONS: that does no harm to a module that
# neither imports nor exports a Rust symbol.
check_without_rust() {
	! is_set UML || refuse "User Mode Linux without CONFIG_RUST"
	check_layouts
	check_instrumentation
	find_source
	check_any_rust
	[ "${#missing[@]}" -gt 0 ] || check_rustc_version
}

# libclang has to see the layouts that the kernel's compiler made.
check_layouts() {
	if is_set RANDSTRUCT || is_set GCC_PLUGIN_RANDSTRUCT; then
		refuse "CONFIG_RANDSTRUCT: bindgen cannot know its layouts"
	fi
	[ -e "$KDIR/include/generated/rustc_cfg" ] ||
		refuse "no include/generated/rustc_cfg, by which Rust knows the configuration"
}

# Rust has to be compiled as the kernel's C was.
check_instrumentation() {
	! is_set KASAN_SW_TAGS || refuse "CONFIG_KASAN_SW_TAGS, which Rust does not support"
	! is_set KASAN || is_set CC_IS_CLANG || refuse "CONFIG_KASAN by gcc, which Rust does not support"
	! is_set LTO || ! is_set DEBUG_INFO_BTF ||
		refuse "CONFIG_LTO with CONFIG_DEBUG_INFO_BTF, which Rust does not support"
	! is_set CFI_CLANG || is_set CFI_ICALL_NORMALIZE_INTEGERS ||
		refuse "CONFIG_CFI_CLANG without CONFIG_CFI_ICALL_NORMALIZE_INTEGERS"
}

check_rustc_version() {
	local v
	v=$(rustc --version | cut -d' ' -f2)
	rustc_number=$(awk -F '[.-]' '{ print $1 * 100000 + $2 * 100 + $3 }' <<<"$v")
	! is_set CALL_PADDING || [ "$rustc_number" -ge 108100 ] ||
		refuse "CONFIG_CALL_PADDING needs rustc 1.81, here is $v"
	! is_set SHADOW_CALL_STACK || [ "$rustc_number" -ge 108200 ] ||
		refuse "CONFIG_SHADOW_CALL_STACK needs rustc 1.82, here is $v"
	! is_set MITIGATION_RETHUNK || ! is_set KASAN || [ "$rustc_number" -ge 108300 ] ||
		refuse "CONFIG_KASAN with CONFIG_MITIGATION_RETHUNK needs rustc 1.83, here is $v"
}
