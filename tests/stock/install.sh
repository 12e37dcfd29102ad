#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make install and make uninstall with DESTDIR, for a kernel of Debian's: the module is
# found by modprobe, and afterwards nothing is there that was not there before.  TAP.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/../../scripts/env.sh"
stock=$("$TOP/scripts/stock")
release=$(cat "$stock/release")
root=$(mktemp -d "${TMPDIR:-/tmp}/zsm-install.XXXXXX")
trap 'rm -rf "$root"' EXIT
n=0 bad=0

result() { # NAME CODE
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - install: $1"
	else
		sed 's/^/# /' "$root.log"
		echo "not ok $n - install: $1"
		bad=1
	fi
}

run() { # TARGET
	env KDIR="$stock/headers" KSRC="$stock/source.tar.xz" DESTDIR="$root" \
		make -s --no-print-directory -C "$TOP" "$1"
}

found() { # does modprobe find the module, by the name by which zswap asks for it?
	modprobe -d "$root" -S "$release" --show-depends zpool-zsmalloc_rs |
		grep "updates/zsmalloc_rs.ko"
}

listing() { (cd "$root" && find . -type f -exec sha256sum {} + | sort -k 2 && find . -type d | sort); }

check() { # NAME CMD…
	local name=$1 code=0
	shift
	"$@" >"$root.log" 2>&1 || code=$?
	result "$name" "$code"
}

cp -a "$stock/modules/." "$root/"
depmod -b "$root" "$release"
before=$(listing)
check "make install" run install
check "modprobe finds the module by zpool's alias" found
check "a second install takes the place of the first" run install
check "make uninstall" run uninstall
check "nothing is left behind" diff <(echo "$before") <(listing)
check "there is nothing to uninstall then" eval '! run uninstall'
rm -f "$root.log"
echo "1..$n"
exit "$bad"
