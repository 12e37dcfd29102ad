#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Handles hold the addresses of this kernel, as wide as they are.
#
# ADDRESS_BITS=N has the test fail where addresses have another width than N bits,
# the sign included (tests/addresses.sh): it must not pass on a kernel that does
# not use what its processor offers.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

tear_down() {
	zt_unload
}

handles() {
	zt address "count=$(objects 4000)" "seed=$SEED"
	[ "$(zt_number compared)" -gt 50 ] || fail "only $(zt_number compared) handles were compared"
}

width() {
	local bits
	zt address "count=$(objects 1000)" "seed=$SEED"
	bits=$(zt_number width)
	if [ -z "${ADDRESS_BITS:-}" ]; then
		note "addresses have $bits bits"
	elif [ "$bits" != "$ADDRESS_BITS" ]; then
		fail "addresses have $bits bits, not $ADDRESS_BITS"
	fi
	case $(uname -m) in
	x86_64)
		# the kernel shows the flag only if it uses five levels
		if grep -qw la57 /proc/cpuinfo; then
			[ "$bits" = 57 ] || fail "five-level page tables, but $bits bits"
		else
			[ "$bits" = 48 ] || fail "four-level page tables, but $bits bits"
		fi ;;
	esac
}

tap_begin
tap_case "the anchor that a handle names is of the zspage that the page names" handles
tap_case "addresses are as wide as the machine has them" width
tap_end
