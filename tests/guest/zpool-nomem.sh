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

# A pool is created with GFP_KERNEL, which failslab leaves alone unless told.
# The kernel itself leaks the name of a slab cache when it cannot make the
# cache's directory in sysfs, so what that needs is left alone.
create_faults() { # MAX
	local f=$debugfs/failslab cache
	[ -d "$f" ] || skip "kernel without FAILSLAB"
	for cache in /sys/kernel/slab/*; do
		case ${cache##*/} in
		kernfs_* | kmalloc-*32 | radix_tree_node | maple_node) ;;
		*) echo 1 >"$cache/failslab" ;;
		esac
	done 2>/dev/null
	echo Y >"$f/cache-filter"
	echo N >"$f/ignore-gfp-wait"
	echo 0 >"$f/verbose"
	zt create-faults "type=$TYPE" "max=$1"
}

tear_down() {
	if [ -d "$debugfs/failslab" ]; then
		echo Y >"$debugfs/failslab/ignore-gfp-wait"
		echo N >"$debugfs/failslab/cache-filter"
		echo 1 >"$debugfs/fail_page_alloc/min-order"
	fi
}

no_leak() {
	local found
	is_debug || skip "kernel without KMEMLEAK"
	zt_unload
	found=$(leaks)
	[ -z "$found" ] || { echo "$found" && fail "kmemleak found something"; }
}

tap_begin
tap_case "memory runs out, really" exhaust
tap_case "each allocation of a malloc fails in turn" faults 101
tap_case "each allocation of a pool's creation fails in turn" create_faults 1500
! is_ours || tap_case "nothing leaked" no_leak
zt_unload
tap_end
