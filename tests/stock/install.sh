#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make install and make uninstall with DESTDIR, for a kernel of Debian's: the module is
# found by modprobe, and afterwards nothing is there that was not there before.  What
# was not built is not installed.  TAP.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/../../scripts/env.sh"
stock=$("$TOP/scripts/stock")
release=$(cat "$stock/release")
work=$(mktemp -d "${TMPDIR:-/tmp}/zsm-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
export KDIR=$stock/headers KSRC=$stock/source.tar.xz
n=0 bad=0

check() { # NAME CMD…
	local name=$1 code=0
	shift
	n=$((n + 1))
	"$@" >"$work/log" 2>&1 || code=$?
	if [ "$code" = 0 ]; then
		echo "ok $n - install: $name"
	else
		sed 's/^/# /' "$work/log"
		echo "not ok $n - install: $name"
		bad=1
	fi
}

# With another home, as sudo may have it, and so without the cache.
run() { # TARGET [TREE]
	env HOME="$work/home" XDG_CACHE_HOME="$work/home/.cache" DESTDIR="$root" \
		make -s --no-print-directory -C "${2:-$TOP}" "$1"
}

refused() { # TREE PATTERN
	local out
	! out=$(run install "$1" 2>&1) && grep "$2" <<<"$out" && [ ! -e "$root/lib/modules/$release/updates" ]
}

built() { stat -c '%n %y %s' "$module" && find "$work/home" -name rust; }

found() { # does modprobe find the module, by the name by which zswap asks for it?
	modprobe -d "$root" -S "$release" --show-depends zpool-zsmalloc_rs |
		grep "updates/zsmalloc_rs.ko"
}

# Debugging information is left out, and still it is a module of that kernel.
stripped() {
	local file=$root/lib/modules/$release/updates/zsmalloc_rs.ko
	[ "$(stat -c %s "$file")" -lt "$(stat -c %s "$module")" ] &&
		[ "$(modinfo -F vermagic "$file")" = "$(modinfo -F vermagic "$module")" ]
}

listing() { (cd "$root" && find . -type f -exec sha256sum {} + | sort -k 2 && find . -type d | sort); }

# These sources elsewhere: nothing is built there, and then something too old.
mkdir -p "$work/tree" "$work/home" "$root"
cp -a "$TOP"/{Makefile,Kbuild,src,kernel,scripts} "$work/tree/"
cp -a "$stock/modules/." "$root/"
depmod -b "$root" "$release"
before=$(listing)

check "make module" "$TOP/scripts/module"
module=$("$TOP/scripts/module" --print-dir)/zsmalloc_rs.ko
was=$(built)
check "nothing was built: make install refuses" refused "$work/tree" "nothing was built"
old=$("$work/tree/scripts/module" --print-dir)
mkdir -p "$old"
cp "$module" "$old/"
touch -d '10 years ago' "$old/zsmalloc_rs.ko"
check "what was built is older than the sources: it refuses" refused "$work/tree" "is newer than"
check "make install" run install
check "modprobe finds the module by zpool's alias" found
check "it is stripped" stripped
check "a second install takes the place of the first" run install
check "nothing was built by that" [ "$was" = "$(built)" ]
check "make uninstall" run uninstall
check "nothing is left behind" diff <(echo "$before") <(listing)
check "there is nothing to uninstall then" eval '! run uninstall'
echo "1..$n"
exit "$bad"
