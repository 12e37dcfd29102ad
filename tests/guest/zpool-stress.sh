#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Threads that store, verify and free, and pools that come and go.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

tear_down() {
	background_stop
	no_delays
	zt_let_go
}

stress() { # DISTRIBUTION THREADS
	zt stress "type=$TYPE" "dist=$1" "threads=$2" "count=$(objects 4096)" "ms=$((3000 * SCALE))" \
		"seed=$SEED" "settle=$settle"
}

pools() { # POOLS ROUNDS COUNT
	local before
	before=$(nr_zspages)
	background compact_memory
	background shrink_slabs
	zt pools "type=$TYPE" "pools=$1" "rounds=$2" "count=$(objects "$3")" "seed=$SEED" \
		"settle=$settle_shrunk"
	background_stop
	none_left "$before"
}

# The callbacks of what one processor has freed are still to come when another has
# seen a grace period: there are many, or each takes its time.
handover() {
	local count=3000
	[ "$(nproc)" -gt 1 ] || skip "needs two CPUs"
	! is_ours || ! set_delay callback 1000 || count=500
	zt handover "type=$TYPE" rounds=8 "count=$(objects $count)"
}

# Pools of both allocators side by side.
side_by_side() {
	local slot=0 type
	for type in zsmalloc_rs zsmalloc zsmalloc_rs zsmalloc; do
		zt fill "slot=$slot" "type=$type" "name=zt-side$slot" "count=$(objects 4000)" "seed=$slot"
		slot=$((slot + 1))
	done
	zt thin slot=0
	zt thin slot=1
	shrink_slabs
	compact_memory
	for slot in 0 1 2 3; do
		zt verify "slot=$slot"
	done
	integrity
	zt drop slot=2 "settle=5000"
	for slot in 0 1 3; do
		zt verify "slot=$slot"
		zt drop "slot=$slot" settle=5000
	done
}

# Slab caches go with their pool, whatever others there are of the same size: the next
# pool of the name has caches of that name again.
same_name() {
	local left
	zt fill slot=0 name=zt-again "count=$(objects 100)"
	zt fill slot=1 type=zsmalloc name=zt-beside "count=$(objects 100)"
	zt drop slot=0
	left=$(find /sys/kernel/slab -name 'zs_rs_*-zt-again')
	[ -z "$left" ] || fail "left behind: $left"
	zt fill slot=0 name=zt-again "count=$(objects 100)"
	zt drop slot=0
	zt verify slot=1
	zt drop slot=1 settle=5000
}

rounds=10
! is_debug || rounds=3
tap_begin
tap_case "one thread" stress uniform 1
tap_case "two threads, small objects" stress small 2
tap_case "eight threads, compressed pages" stress compressed 8
tap_case "pools in a loop, several at once, while memory is compacted" pools 5 $((rounds * SCALE)) 600
tap_case "small pools in a loop, while memory is compacted" pools 2 $((rounds * 2 * SCALE)) $((5 * page_factor))
tap_case "pools emptied by one processor, destroyed by another" handover
tap_case "pools of both allocators side by side" side_by_side
! is_ours || tap_case "a pool, and another one of the same name" same_name
tap_end
