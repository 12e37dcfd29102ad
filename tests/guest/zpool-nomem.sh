#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No memory: -ENOMEM, all that is stored stays as it is, nothing leaks.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

exhaust() {
	local before
	before=$(nr_zspages)
	zt exhaust "type=$TYPE" "seed=$SEED" "settle=$settle"
	[ "$(nr_zspages)" = "$before" ] ||
		fail "nr_zspages was $before, is $(nr_zspages)"
}

# fail_page_alloc leaves single pages alone unless it is told otherwise.
faults() { # STEP
	local before
	[ -d "$debugfs/fail_page_alloc" ] || skip "kernel without FAIL_PAGE_ALLOC"
	echo 0 >"$debugfs/fail_page_alloc/min-order"
	before=$(nr_zspages)
	zt faults "type=$TYPE" "settle=$settle" "step=$1"
	[ "$(nr_zspages)" = "$before" ] ||
		fail "nr_zspages was $before, is $(nr_zspages)"
}

create_faults() { # MAX
	faults_everywhere
	zt create-faults "type=$TYPE" "max=$1"
}

tear_down() {
	faults_nowhere
}

nothing_leaked() {
	zt_unload
	no_leak
}

tap_begin
tap_case "memory runs out, really" exhaust
tap_case "each allocation of a malloc fails in turn" faults $((101 * page_factor))
tap_case "each allocation of a pool's creation fails in turn" create_faults 1500
! is_ours || tap_case "nothing leaked" nothing_leaked
zt_unload
tap_end
