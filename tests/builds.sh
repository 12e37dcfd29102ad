#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module builds for kernels without our patches, without SMP, without page
# migration, without C zsmalloc.  Only what a module needs of such a kernel is
# made (its headers, its Rust crates), and kept in the cache.  TAP.
#
#   tests/builds.sh [VARIANT…]
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/../scripts/env.sh"

base=$(FLAVOR=release "$TOP/scripts/kernel" --print-kdir)
tree=$(FLAVOR=release "$TOP/scripts/kernel" --print-source)
pristine=$("$TOP/scripts/kernel" --print-pristine)
work=$(mktemp -d "${TMPDIR:-/tmp}/zsm-builds.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=0 bad=0

# What differs from the release kernel: words for scripts/config, and the lines
# that have to be in .config afterwards.
options() { # VARIANT
	case $1 in
	unpatched) ;;
	nosmp) echo -d SMP ;;
	nocompaction) echo -d TRANSPARENT_HUGEPAGE -d CMA -d MEMORY_HOTREMOVE -d KSM \
		-d BALLOON_COMPACTION -d COMPACTION -d MIGRATION ;;
	nozsmalloc) echo -d ZRAM -d ZSMALLOC -d ZSWAP_ZPOOL_DEFAULT_ZSMALLOC -e ZSWAP_ZPOOL_DEFAULT_ZBUD ;;
	*) die "no such variant: $1" ;;
	esac
}

expected() { # VARIANT
	case $1 in
	unpatched) echo '^CONFIG_COMPACTION=y' ;;
	nosmp) echo '^# CONFIG_SMP is not set' ;;
	nocompaction) echo '^# CONFIG_COMPACTION is not set' ;;
	nozsmalloc) echo '^# CONFIG_ZSMALLOC is not set' ;;
	esac
}

# prepare VARIANT DIR: a build directory that modules can be compiled against
prepare() {
	local source=$tree
	[ "$1" != unpatched ] || source=$pristine
	[ ! -e "$2/.complete" ] || return 0
	rm -rf "$2"
	mkdir -p "$2"
	cp "$base/.config" "$2/.config"
	# shellcheck disable=SC2046 # words
	"$source/scripts/config" --file "$2/.config" $(options "$1")
	kmake -s -C "$source" O="$2" olddefconfig
	grep -q "$(expected "$1")" "$2/.config" ||
		{ echo "the configuration is not $1"; return 1; }
	kmake -s -C "$source" O="$2" -j"$JOBS" modules_prepare
	[ -s "$2/rust/libkernel.rmeta" ] || { echo "no rust/libkernel.rmeta"; return 1; }
	touch "$2/.complete"
}

# There is no vmlinux, so modpost can only warn about symbols; what is looked at
# is whether both halves compile, without a warning of the compilers'.
compile() { # VARIANT DIR
	mkdir -p "$work/$1"
	cp -r "$TOP/Kbuild" "$TOP/src" "$work/$1/"
	kmake -C "$2" M="$work/$1" KBUILD_MODPOST_WARN=1 -j"$JOBS" modules
}

# clang, sparse and kernel headers of such configurations have warnings of their
# own; those of our files count, and all of rustc's.
warned() {
	grep -E '^warning:|src/.*: warning:' "$work/out"
}

variant() {
	local dir
	dir=$CACHE/builds/$1-$(basename "$tree")-$(basename "$base")
	n=$((n + 1))
	if { prepare "$1" "$dir" && compile "$1" "$dir"; } >"$work/out" 2>&1 &&
		[ -s "$work/$1/zsmalloc_rs.o" ] && ! warned; then
		echo "ok $n - the module builds: $1"
	else
		tail -40 "$work/out" | sed 's/^/# /'
		echo "not ok $n - the module builds: $1"
		bad=1
	fi
}

lock builds
[ $# -gt 0 ] || set -- unpatched nosmp nocompaction nozsmalloc
for v; do
	variant "$v"
done
echo "1..$n"
exit "$bad"
