#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A pool that is destroyed with objects in it: one warning with their number, the
# objects stay where they are, the module stays, and all else works as before.
#
# The module cannot be unloaded afterwards, so tests/guest/run has this last.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/zswap-lib.sh
. "$(dirname "$0")/zswap-lib.sh"

tear_down() {
	background_stop
	memfill_stop
	swap_off
	zswap_off
	zt_unload
}

warnings() { dmesg | grep -c 'pool destroyed with' || true; }

references() { awk '$1 == "zsmalloc_rs" { print $3 }' /proc/modules; }

leak() {
	local before pages pools objects count
	count=$(objects 6000)
	zt_unload
	! has_module zsmalloc_rs || rmmod zsmalloc_rs
	modprobe zsmalloc_rs
	# one pool beside it, that is none the worse
	zt fill slot=1 type=zsmalloc_rs name=zt-beside "count=$(objects 2000)" dist=uniform
	zt fill slot=0 type=zsmalloc_rs name=zt-leaked "count=$count" dist=uniform
	zt thin slot=0 percent=50 burst=16
	objects=$((count - $(zt_number freed)))
	before=$(nr_zspages) pools=$(counter pools)
	zt abandon slot=0
	pages=$(zt_number pages)
	[ "$(zt_number objects)" = "$objects" ] || fail "$(zt_number objects) objects, not $objects"

	[ "$(warnings)" = 1 ] || fail "$(warnings) warnings"
	dmesg | grep "zsmalloc_rs: pool destroyed with $objects objects in it: leaked, and the module stays" >/dev/null ||
		fail "the warning: $(dmesg | grep 'pool destroyed with')"
	# its pages are still there, and are counted when they are migrated
	[ "$(counter pools)" = "$pools" ] || fail "$(counter pools) pools, not $pools"
	[ ! -e $debugfs/zsmalloc_rs/zt-leaked ] || fail "the pool is still in debugfs"
	# nothing of it was freed: somebody may still use it
	[ "$(nr_zspages)" = "$before" ] || fail "nr_zspages was $before, is $(nr_zspages), of them $pages leaked"
	zt verify slot=1
	integrity
	zt drop slot=1
	[ "$(nr_zspages)" = "$pages" ] || fail "$pages pages leaked, nr_zspages is $(nr_zspages)"
}

stays() {
	local said
	zt_unload
	[ "$(references)" = 1 ] || fail "the module has $(references) references"
	! said=$(rmmod zsmalloc_rs 2>&1) || fail "the module was unloaded"
	[[ $said == *'in use'* ]] || fail "rmmod: $said"
	! said=$(delmod zsmalloc_rs) || fail "the kernel unloaded the module"
	note "delete_module: $said"
	[ -e "$stats" ] || fail "no $stats any more"
}

# New pools, of other names and sizes, as if nothing had been.
goes_on() {
	zt pools type=zsmalloc_rs pools=4 rounds=2 "count=$(objects 300)"
	zt sizes type=zsmalloc_rs order=random copies=2 "step=$((size_step + 12))"
	swap_on 256
	zswap_on zsmalloc_rs
	memfill_start 8
	memfill_swap_out
	[ "$(zswap_objects zsmalloc_rs)" -gt 0 ] || fail "zswap has stored nothing"
	background compact_memory
	memfill_verify
	integrity
}

# Each pool that is left with objects is counted, and pins the module once more.  The
# slab caches of the first are still there, and must not be in the way of its name:
# zram calls each pool of a device after that.
again() {
	zt fill type=zsmalloc_rs name=zt-leaked count=1 size=4000 dist=one
	[ -e $debugfs/zsmalloc_rs/zt-leaked/stats ] || fail "no zsmalloc_rs/zt-leaked in debugfs"
	zt abandon
	zt_unload
	dmesg | grep 'pool destroyed with 1 objects in it' >/dev/null || fail "no warning"
	[ "$(warnings)" = 2 ] || fail "$(warnings) warnings"
	[ "$(references)" = 2 ] || fail "the module has $(references) references"
}

# Its pages are movable still, and whoever has an object mapped would find it.
migrates() {
	local before
	has_compaction || skip "kernel without CONFIG_COMPACTION"
	zt_core
	zt fill type=zsmalloc_rs "count=$(objects 2000)" dist=uniform
	before=$(counter pages_migrated)
	zt abandon migrate=1
	note "pages_migrated rose by $(($(counter pages_migrated) - before))"
	[ "$(zt_number migrated)" -gt 0 ] || fail "no page was isolated"
	[ "$(counter pages_migrated)" -ge $((before + $(zt_number migrated))) ] ||
		fail "$(zt_number migrated) pages were migrated, $(($(counter pages_migrated) - before)) counted"
	compact_memory
	huge_pages
	shrink_slabs
}

tap_begin
tap_case "destroyed with objects in it: one warning, nothing is freed" leak
tap_case "the module stays" stays
tap_case "everything else goes on" goes_on
tap_case "a second one, of the same name" again
tap_case "its pages can be migrated" migrates
tap_end
