#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No memory: -ENOMEM, all that is stored stays as it is, nothing leaks.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/faults-lib.sh
. "$here/faults-lib.sh"

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

# Objects of which compaction has moved some.
moved_objects() { # SIZE PERCENT_FREED OBJECTS
	zt fill dist=one "size=$1" "count=$3" "seed=$SEED"
	zt thin "percent=$2" "seed=$SEED"
	zt compact
	[ "$(zt_number freed)" != 0 ] || fail "nothing can be compacted"
}

# Each of compaction's allocations fails in turn, of the same pool: nothing is lost, and
# the next compaction does what is left.  (Where kmalloc() allocates for itself, and does
# without if it must, compaction does not notice.)
compaction_faults() { # SIZE PERCENT OBJECTS
	local size=$(($1 * page_factor)) nth=0 left=0 least before hits=0
	faults_in_kmalloc
	moved_objects "$size" "$2" "$3"
	least=$(zt_number pages)
	while [ "$left" = 0 ]; do
		nth=$((nth + 1))
		zt thin percent=100
		zt refill dist=one "size=$size"
		zt thin "percent=$2" "seed=$SEED"
		before=$(counter compact_no_memory)
		zt compact "fault=$nth"
		left=$(zt_number left)
		integrity
		if [ "$(counter compact_no_memory)" != "$before" ]; then
			hits=$((hits + 1))
			[ "$(zt_number pages)" -gt "$least" ] || fail "without memory as much was freed as with"
			zt compact
		fi
		zt verify
		[ "$(zt_number pages)" = "$least" ] || fail "$(zt_number pages) pages, without faults $least"
	done
	[ "$hits" -gt 1 ] || fail "only $hits compactions found no memory"
	integrity
	note "size $size: $nth times, $hits without memory"
	zt drop
}

# The same in reclaim, which asks without waiting.
shrinker_faults() {
	local pages before
	[ -e /proc/self/make-it-fail ] || skip "kernel without FAULT_INJECTION"
	zt fill dist=one "size=$((160 * page_factor))" count=2000 "seed=$SEED"
	before=$(counter compact_no_memory)
	zt thin percent=66 "seed=$SEED"
	pages=$(zt_number pages)
	shrink_without_memory 100
	zt verify
	[ "$(zt_number pages)" = "$pages" ] || fail "$pages pages before, $(zt_number pages) after, and no memory"
	[ "$(counter compact_no_memory)" -gt "$before" ] || fail "the shrinker found memory"
	integrity
	shrink_without_memory 50
	shrink_slabs
	zt verify
	[ "$(zt_number pages)" -lt "$pages" ] || fail "$pages pages before, $(zt_number pages) after"
	integrity
	zt thin percent=100
	remembers_nothing
	zt drop
}

tear_down() {
	faults_nowhere
	zt_let_go
}

# In a pool of moved objects, too, to which names alone lead: kmemleak cannot read them.
nothing_leaked() {
	moved_objects $((160 * page_factor)) 66 1000
	no_leak
	zt drop
	zt_unload
	no_leak
}

tap_begin
tap_case "memory runs out, really" exhaust
tap_case "each allocation of a malloc fails in turn" faults $((101 * page_factor))
tap_case "each allocation of a pool's creation fails in turn" create_faults 1500
if is_ours; then
	tap_case "each allocation of a compaction fails in turn, small objects" compaction_faults 160 66 160
	tap_case "each allocation of a compaction fails in turn, large objects" compaction_faults 1000 50 40
	tap_case "the shrinker finds no memory" shrinker_faults
	tap_case "nothing leaked" nothing_leaked
fi
tap_end
