#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Handles hold the address of an anchor on kernels with the widest and with
# ordinary addresses: each is booted on a processor that has them, and must prove
# that it uses them.  For ARCH, PAGE_SIZE and FLAVOR; TAP.
#
# x86_64: 57 bits with five-level page tables (la57), 48 with four.
# arm64: 53 bits, of which the first is the sign, with FEAT_LVA (pages of 64K) or
# FEAT_LPA2 (4K and 16K); on processors without, the same kernel uses 49 (48 with
# pages of 16K, since the tables of the fourth level would have two entries).
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/../scripts/env.sh"
unset KDIR

n=0 bad=0
out=$(mktemp "${TMPDIR:-/tmp}/zsm-addresses.XXXXXX")
trap 'rm -f "$out"' EXIT

boots() { # BITS CPU
	local code=0 name
	name="$(target_name), $1 bits (-cpu $2)"
	n=$((n + 1))
	# KVM has the processor of the host, whichever that is
	"$TOP/scripts/vm" --accel tcg --cpu "$2" --smp 2 --mem 1G --timeout 600 -- \
		"ADDRESS_BITS=$1 tests/guest/run --quick address zpool-sizes" >"$out" 2>&1 || code=$?
	sed 's/^/# /' "$out"
	if [ "$code" = 0 ]; then
		echo "ok $n - addresses: $name"
	else
		echo "not ok $n - addresses: $name (exit code $code)"
		bad=1
	fi
}

case $ARCH in
x86_64)
	boots 57 max,la57=on
	boots 48 max,la57=off ;;
arm64)
	boots 53 max,pauth-impdef=on
	case $PAGE_SIZE in
	16K) boots 48 cortex-a76 ;;
	*) boots 49 cortex-a76 ;;
	esac ;;
esac
echo "1..$n"
exit "$bad"
