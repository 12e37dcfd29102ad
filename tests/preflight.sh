#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make module KDIR=…` on kernels that cannot take the module: each must be
# refused in one line that names the reason, before any compiler runs.  The
# kernels are copies of what the check reads of a real one, each with one thing
# changed.  TAP; at the end of either half is the unchanged copy, which must be taken.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
real=$("$top/scripts/kernel" --print-kdir)
pristine=$("$top/scripts/kernel" --print-pristine)
work=$(mktemp -d "${TMPDIR:-/tmp}/zsm-preflight.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=0 bad=0
k=$work/kernel

fresh() { # a copy that would be taken
	rm -rf "$k"
	mkdir -p "$k/include/config" "$k/rust"
	cp "$real/include/config/"{auto.conf,kernel.release} "$k/include/config/"
	touch "$k/Makefile"
	cp "$real/Module.symvers" "$k/"
	touch "$k/rust/"{libcore.rmeta,libkernel.rmeta,libmacros.so}
}

# One without CONFIG_RUST, whose source is at hand, as gcc would have built it.
fresh_stock() {
	fresh
	rm -r "$k/rust"
	mkdir -p "$k/include/generated"
	touch "$k/include/generated/rustc_cfg"
	echo "include $pristine/Makefile" >"$k/Makefile"
	set_conf RUST
	set_conf MODVERSIONS y
	set_conf CC_IS_CLANG
	set_conf CC_IS_GCC y
	unset KSRC
}

# A source that is nearly that of the kernel.
fake_source() {
	rm -rf "$work/source"
	mkdir -p "$work/source/rust/kernel" "$work/source/include/linux"
	touch "$work/source/rust/kernel/lib.rs"
	cp "$pristine/Makefile" "$work/source/"
	export KSRC=$work/source
}

set_conf() { # NAME VALUE, or NAME alone to take it out
	sed -i "/^CONFIG_$1=/d" "$k/include/config/auto.conf"
	[ $# = 1 ] || echo "CONFIG_$1=$2" >>"$k/include/config/auto.conf"
}

result() { # NAME GOOD
	n=$((n + 1))
	if [ "$2" = 1 ]; then
		echo "ok $n - preflight: $1"
	else
		sed 's/^/# /' "$work/out"
		echo "not ok $n - preflight: $1"
		bad=1
	fi
}

refused() { # NAME PATTERN: the whole output is one line with PATTERN in it
	local good=1
	KDIR=$k "$top/scripts/module" --check >"$work/out" 2>&1 && good=0
	[ "$(wc -l <"$work/out")" = 1 ] || good=0
	grep -qF -- "$2" "$work/out" || good=0
	result "$1" $good
}

fresh; rm -rf "$k"
refused "no such directory" "no such directory"
fresh; rm "$k/Makefile"
refused "not a build directory" "not a kernel build directory"
fresh; rm "$k/include/config/auto.conf"
refused "not configured" "not configured"
for v in 6.1.140 6.13.1 6.17.0-rc1 6.18.3-arch1-1 7.3.0; do
	fresh; echo "$v" >"$k/include/config/kernel.release"
	refused "Linux $v" "$v "
done
fresh; rm "$k/include/config/kernel.release"
refused "not built" "include/config/kernel.release"
fresh; set_conf X86_64; set_conf ARM64
refused "another architecture" "neither for x86_64 nor for arm64"
fresh; set_conf MODVERSIONS y
refused "MODVERSIONS" "CONFIG_MODVERSIONS"
fresh; set_conf ZPOOL
refused "no zpool" "CONFIG_ZPOOL"
fresh; set_conf 64BIT
refused "not 64-bit" "64-bit"
fresh; set_conf X86_64; set_conf ARM64; set_conf LOONGARCH y
refused "LoongArch" "addresses may not fit in a handle"
fresh; set_conf MODULES
refused "no modules" "CONFIG_MODULES"
fresh; set_conf RUSTC_VERSION_TEXT '"rustc 1.78.0 (another one)"'
refused "other rustc" "rustc 1.78.0 (another one)"
fresh; set_conf BINDGEN_VERSION_TEXT '"bindgen 0.65.1"'
refused "other bindgen" "bindgen 0.65.1"
fresh; set_conf CLANG_VERSION 150000
refused "other clang" "clang 15"
fresh; rm "$k/rust/libkernel.rmeta"
refused "no rust metadata" "rust/libkernel.rmeta"
fresh; rm "$k/rust/libmacros.so"
refused "no macros" "rust/libmacros.so"
fresh; rm "$k/Module.symvers"
refused "kernel not built" "Module.symvers"
fresh; sed -i '/zpool_register_driver/d' "$k/Module.symvers"
refused "zpool not exported" "zpool_register_driver"

fresh
good=0
KDIR=$k "$top/scripts/module" --check >"$work/out" 2>&1 && good=1
result "a kernel that can take it is taken" $good

# and whoever does not ask the check is told by the compiler
good=0
gcc -E -DCONFIG_64BIT -DCONFIG_LOONGARCH "$top/src/sys/shim.h" >/dev/null 2>"$work/out" ||
	! grep -q '#error "zsmalloc_rs: addresses of LoongArch do not fit' "$work/out" || good=1
result "the compiler refuses LoongArch" $good

# --- without CONFIG_RUST

fresh_stock; set_conf RANDSTRUCT y
refused "RANDSTRUCT" "CONFIG_RANDSTRUCT"
fresh_stock; set_conf KASAN y
refused "KASAN by gcc" "CONFIG_KASAN by gcc"
fresh_stock; set_conf KASAN_SW_TAGS y
refused "KASAN_SW_TAGS" "CONFIG_KASAN_SW_TAGS"
fresh_stock; set_conf LTO y; set_conf DEBUG_INFO_BTF y
refused "LTO and BTF" "CONFIG_LTO with CONFIG_DEBUG_INFO_BTF"
fresh_stock; set_conf CFI_CLANG y; set_conf CFI_ICALL_NORMALIZE_INTEGERS
refused "CFI, integers not normalized" "CONFIG_CFI_ICALL_NORMALIZE_INTEGERS"
fresh_stock; rm "$k/include/generated/rustc_cfg"
refused "no configuration for Rust" "include/generated/rustc_cfg"
fresh_stock; echo "include /nowhere/Makefile" >"$k/Makefile"
refused "half of the headers are missing" "Makefile includes one that is not there"

fresh_stock; export KSRC=$work/nowhere
refused "KSRC is not there" "KSRC=$work/nowhere: no such file"
fresh_stock; fake_source; rm -r "$KSRC/rust"
refused "KSRC without rust/" "has no rust/"
fresh_stock; fake_source; sed -i 's/^SUBLEVEL = .*/SUBLEVEL = 1/' "$KSRC/Makefile"
refused "source of another version" "$KSRC is Linux 6.12.1"
fresh_stock; fake_source
refused "source with other headers" "$KSRC is not its source"

# A machine with next to no programs: each that is missing is named, with packages.
no_tools() {
	local good=1 w
	mkdir -p "$work/bin"
	for w in bash sh env dirname sed cat grep tr realpath sha256sum cut mktemp rm sort head tail \
		diff awk find uname stat nproc; do
		ln -sf "$(type -P "$w")" "$work/bin/"
	done
	env -i PATH="$work/bin" ZSM_PATH="$work/bin" HOME="$work" KDIR="$k" \
		bash "$top/scripts/module" --check >"$work/out" 2>&1 && good=0
	for w in rustc bindgen make gcc 'Debian: ' 'Fedora: ' 'Arch: ' 'Ubuntu: '; do
		grep -q -- "$w" "$work/out" || good=0
	done
	result "programs that are missing are named" $good
}
fresh_stock
no_tools

# One directory has the bindgen, and a rustc that is too old; another the rustc.
tools_apart() {
	local good=0
	mkdir -p "$work/first" "$work/second"
	printf '#!/bin/sh\necho "rustc 1.60.0 (an old one)"\n' >"$work/first/rustc"
	chmod +x "$work/first/rustc"
	ln -sf "$(bash -c '. "$1" && type -P bindgen' bash "$top/scripts/env.sh")" "$work/first/"
	ln -sf /usr/bin/rustc "$work/second/"
	set_conf CALL_PADDING y # asks for a rustc that is newer
	ZSM_PATH=$work/first:$work/second:$PATH KDIR=$k "$top/scripts/module" --check >"$work/out" 2>&1 && good=1
	result "rustc and bindgen of two directories" $good
}
fresh_stock
tools_apart

fresh_stock
good=0
KDIR=$k "$top/scripts/module" --check >"$work/out" 2>&1 && grep -q 'since the kernel has none' "$work/out" && good=1
result "a kernel without Rust that can take it is taken" $good
echo "1..$n"
exit $bad
