#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The shrinker: sparse zspages become fewer, every object stays.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

count=$(objects $((20000 * SCALE)))
! is_debug || count=$(objects $((3000 * SCALE)))
size=$((160 * page_factor))

tear_down() {
	background_stop
	zt_unload
}

# fill and thin out; sets $pages
sparse() { # DISTRIBUTION PERCENT
	zt fill "type=$TYPE" "dist=$1" "size=$size" "count=$count" "seed=$SEED"
	zt thin "percent=$2" "seed=$SEED"
	pages=$(zt_number pages)
}

compacts() { # DISTRIBUTION
	local pages before after=0
	sparse "$1" 66
	! is_ours || before=$(counter pages_compacted)
	shrink_slabs
	zt verify
	after=$(zt_number pages)
	integrity
	[ "$after" -lt "$pages" ] || fail "$pages pages before, $after after"
	if is_ours; then
		[ "$(counter pages_compacted)" -gt "$before" ] || fail "pages_compacted did not rise"
		[ $((pages - after)) = $(($(counter pages_compacted) - before)) ] ||
			fail "$((pages - after)) pages fewer, pages_compacted rose by $(($(counter pages_compacted) - before))"
	fi
	zt refill "dist=$1" "size=$size" "seed=$((SEED + 1))"
	zt verify
	zt drop "settle=$settle"
}

# Again and again, with changes in between.
repeatedly() {
	local i pages
	sparse compressed 50
	for i in 1 2 3 4; do
		shrink_slabs
		zt verify
		zt refill dist=compressed "seed=$((SEED + i))"
		zt thin "percent=$((i * 20))" "seed=$((SEED + i))"
	done
	integrity
	zt drop "settle=$settle"
}

# Objects that are mapped stay where they are: nobody waits for them.  While
# sparse zspages are compacted, somebody maps an object here and there.
mapped() {
	local pages before seed
	sparse one 90
	! is_ours || before=$(counter compact_skipped_mapped)
	for seed in 1 2 3 4 5 6 7 8 9 10; do
		compact_while_held rounds=20 ms=100 "seed=$seed"
		! is_ours || [ "$(counter compact_skipped_mapped)" = "$before" ] || break
		zt refill dist=one "size=$size"
		zt thin percent=90 "seed=$seed"
	done
	zt verify
	integrity
	zt drop "settle=$settle"
	if is_ours && [ "$(counter compact_skipped_mapped)" = "$before" ]; then
		[ "$(nproc)" -gt 1 ] || skip "one processor: while an object is mapped nobody else runs"
		fail "no zspage was skipped because it was mapped"
	fi
}

# Several compactors at once, while the pool is in use.
parallel() {
	background shrink_slabs
	background shrink_slabs
	background shrink_slabs
	zt stress "type=$TYPE" "ms=$((2000 * SCALE))" "seed=$SEED" "settle=$settle"
	background_stop
}

tap_begin
tap_case "compaction keeps every object, of compressed pages" compacts compressed
tap_case "compaction keeps every object, of all sizes" compacts uniform
tap_case "compaction keeps every object, of one small size" compacts one
tap_case "compaction, filling and thinning out by turns" repeatedly
tap_case "compaction skips what is mapped" mapped
tap_case "compaction by several at once, under load" parallel
tap_end
