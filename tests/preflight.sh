#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make module KDIR=…` on kernels that cannot take the module: each must be
# refused in one line that names the reason, before any compiler runs.  The
# kernels are copies of what the check reads of a real one, each with one thing
# changed.  TAP; the last case is the unchanged copy, which must be taken.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
real=$("$top/scripts/kernel" --print-kdir)
work=$(mktemp -d "${TMPDIR:-/tmp}/zsm-preflight.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=0 bad=0
k=$work/kernel

fresh() { # a copy that would be taken
	rm -rf "$k"
	mkdir -p "$k/include/config" "$k/rust"
	cp "$real/include/config/auto.conf" "$k/include/config/"
	touch "$k/Makefile"
	cp "$real/Module.symvers" "$k/"
	touch "$k/rust/"{libcore.rmeta,libkernel.rmeta,libmacros.so}
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
fresh; set_conf RUST
refused "no CONFIG_RUST" "CONFIG_RUST"
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
echo "1..$n"
exit $bad
