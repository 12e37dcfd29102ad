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
	zt_let_go
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
		# C zsmalloc does not say whether it met one
		is_ours || break
		[ "$(counter compact_skipped_mapped)" = "$before" ] || break
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

# What is remembered of objects that have moved goes with them.
forgets() {
	local percent
	sparse one 66
	for percent in 50 60 70; do
		shrink_slabs
		zt verify
		integrity
		remembers "$percent"
		zt thin "percent=$percent" "seed=$percent"
	done
	integrity
	zt thin percent=100
	integrity
	remembers_nothing
	zt drop
}

remembers() { # PERCENT
	local name
	for name in names_moved tables_bytes origins_bytes; do
		[ "$(pool_counter zt-session $name)" != 0 ] || fail "compacted, and $name is 0, before $1 % are freed"
	done
	[ "$(pool_counter zt-session anchors)" -gt "$(pool_counter zt-session zspages)" ] ||
		fail "objects have left their zspages, and took no anchor with them"
}

# Where the names would take more than an eighth of the pages that are freed nothing is
# moved: those of 64 of 128 objects in a page would.  Those of fewer do not.
worthwhile() {
	local pages before
	# full pages only
	zt fill dist=one "size=$((32 * page_factor))" "count=$((count - count % 128))" "seed=$SEED"
	zt thin percent=50 "seed=$SEED"
	pages=$(zt_number pages) before=$(counter objects_compacted)
	shrink_slabs
	zt verify
	[ "$(zt_number pages)" = "$pages" ] || fail "$pages pages before, $(zt_number pages) after"
	[ "$(counter objects_compacted)" = "$before" ] || fail "objects were moved"
	zt thin percent=90 "seed=$((SEED + 1))"
	pages=$(zt_number pages)
	shrink_slabs
	zt verify
	[ "$(zt_number pages)" -lt "$pages" ] || fail "$pages pages before, $(zt_number pages) after"
	zt drop
}

# Somebody maps objects while they move, and while they move again.
moving() {
	local again freed repacked
	if is_ours; then
		again=$(counter objects_moved_again) freed=$(counter objects_moved_freed)
		repacked=$(counter tables_repacked)
	fi
	zt moved "type=$TYPE" "size=$size" rounds=5 "seed=$SEED" "settle=$settle"
	is_ours || return 0
	[ "$(counter objects_moved_again)" -gt "$again" ] || fail "no object was moved again"
	[ "$(counter objects_moved_freed)" -gt "$freed" ] || fail "no object was freed after it was moved"
	[ "$(counter tables_repacked)" -gt "$repacked" ] || fail "no table was made smaller"
	note "maps that began anew: $(counter map_retries) in place, $(counter map_retries_moved) moved"
}

# Several compactors at once, while the pool is in use.
parallel() {
	background shrink_slabs
	background shrink_slabs
	background shrink_slabs
	zt stress "type=$TYPE" "ms=$((2000 * SCALE))" "seed=$SEED" "settle=$settle_shrunk"
	background_stop
}

tap_begin
tap_case "compaction keeps every object, of compressed pages" compacts compressed
tap_case "compaction keeps every object, of all sizes" compacts uniform
tap_case "compaction keeps every object, of one small size" compacts one
tap_case "compaction, filling and thinning out by turns" repeatedly
tap_case "compaction skips what is mapped" mapped
tap_case "objects are mapped while they move, and move again" moving
! is_ours || tap_case "what is remembered of objects goes with them" forgets
! is_ours || tap_case "compaction moves only what is worth its names" worthwhile
tap_case "compaction by several at once, under load" parallel
tap_end
