#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# debugfs: the file `classes` is C zsmalloc's to the letter, and so are its figures, if
# C gets objects that are as much smaller as it adds to each; the counters agree with
# each other and with the kernel.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

count=$(objects 5000)

tear_down() {
	zt_unload
}

# The same objects in a pool of each allocator, in the same classes: C adds 8 bytes.
twins() { # COUNT DISTRIBUTION
	zt fill slot=0 type=zsmalloc_rs name=zt-ours "count=$1" "dist=$2" "size=$size_step" "seed=$SEED"
	zt fill slot=1 type=zsmalloc name=zt-ref "count=$1" "dist=$2" "size=$size_step" less=8 "seed=$SEED"
}

ours=$debugfs/zsmalloc_rs/zt-ours
ref=$debugfs/zsmalloc/zt-ref

same() { # DISTRIBUTION COUNT
	twins "$2" "$1"
	if ! diff "$ref/classes" "$ours/classes"; then
		fail "classes differs from C's"
	fi
	[ "$(wc -l <"$ours/classes")" -gt 50 ] || fail "classes has $(wc -l <"$ours/classes") lines"
	zt drop slot=0
	[ ! -e "$ours" ] || fail "$ours is there after the pool is gone"
	zt drop slot=1 settle=5000
}

pool() { pool_counter zt-ours "$1"; } # NAME

counters() {
	local before pages objects
	before=$(nr_zspages)
	zt fill slot=0 type=zsmalloc_rs name=zt-ours "count=$count" "seed=$SEED"
	zt thin slot=0 percent=50 "seed=$SEED"
	pages=$(zt_number pages)
	objects=$((count - $(zt_number freed)))
	[ "$(pool pages_used)" = "$pages" ] || fail "pages_used $(pool pages_used), zpool says $pages"
	[ "$(pool objects)" = "$objects" ] || fail "objects $(pool objects), stored $objects"
	# nothing was compacted: an anchor is a zspage's
	[ "$(pool anchors)" = "$(pool zspages)" ] || fail "$(pool anchors) anchors, $(pool zspages) zspages"
	[ "$(pool names_moved)" = 0 ] || fail "$(pool names_moved) names moved, without compaction"
	[ $(($(nr_zspages) - before)) = "$pages" ] ||
		fail "nr_zspages rose by $(($(nr_zspages) - before)), the pool has $pages pages"
	awk -v pages="$pages" -v objects="$objects" '
		$1 == "Total" { seen = ($14 == objects && $15 == pages) }
		END { exit !seen }' "$ours/classes" || fail "$(tail -1 "$ours/classes")"
	integrity
	zt drop slot=0
	[ "$(nr_zspages)" = "$before" ] || fail "nr_zspages was $before, is $(nr_zspages)"
}

# In each zone: what leaves one must not be counted in another.
zones() {
	local before after
	sum_up
	before=$(grep nr_zspages /proc/zoneinfo)
	zt fill slot=0 type=zsmalloc_rs name=zt-ours "count=$count" "seed=$SEED"
	zt thin slot=0 percent=50 burst=20
	compact_memory
	shrink_slabs
	zt drop slot=0
	sum_up
	after=$(grep nr_zspages /proc/zoneinfo)
	[ "$before" = "$after" ] || fail "nr_zspages by zone: before ${before//$'\n'} after ${after//$'\n'}"
}

tap_begin
tap_case "classes is C's, every size once" same all $((page_size / size_step))
tap_case "classes is C's, uniform sizes" same uniform "$(objects 3000)"
tap_case "classes is C's, few objects" same compressed 5
tap_case "counters agree" counters
tap_case "pages are counted in their zone" zones
tap_end
