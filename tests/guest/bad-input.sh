#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every file and parameter that takes something, given what it should not take: a
# clear error, and all that was stored before is there afterwards.  What zpool's
# calls get is in zpool-sizes, what zram's allocator file gets in zram-allocator.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/zswap-lib.sh
. "$(dirname "$0")/zswap-lib.sh"

page_of_x=$(string "$page_size" x)
more_than_a_page=$(string $((page_size + 904)) x)
page_of_digits=$(string "$page_size" 1)

tear_down() {
	memfill_stop
	swap_off
	zswap_off
	zt_unload
}

# All of the values, or as many of the first as a debug kernel without KVM has the
# time for: each is a module that loads, or does not.
some() { # N VALUE...
	local n=$1
	shift
	is_debug || n=$#
	values=("${@:1:n}")
}

# Something to lose, and that it is not lost.
objects_stored() { zt fill type=zsmalloc_rs name=zt-kept "count=$(objects 2000)" dist=uniform "seed=$SEED"; }

objects_kept() {
	zt verify
	integrity
	zt drop
}

# --- the module's parameter, on loading

gone() { ! has_module zsmalloc_rs || rmmod zsmalloc_rs; }

not_loaded() { # ERROR VALUE
	local said
	if said=$(modprobe zsmalloc_rs "chain_size=$2" 2>&1); then
		fail "chain_size='${2:0:40}' was taken, as $(cat $parameters/chain_size)"
	fi
	[[ $said == *"$1"* ]] || fail "chain_size='${2:0:40}': not '$1', but ${said:0:200}"
	! has_module zsmalloc_rs || fail "chain_size='${2:0:40}': half loaded"
	[ ! -e $debugfs/zsmalloc_rs ] || fail "chain_size='${2:0:40}': debugfs keeps zsmalloc_rs"
	# the kernel's log says which parameter it was, if the value leaves room for it
	[ ${#2} -gt 500 ] || dmesg | tail -5 | grep "invalid for parameter .chain_size'" >/dev/null ||
		fail "chain_size='$2': the log does not say why"
}

chain_size_refused() {
	local value
	gone
	some 6 '' 17 -1 abc "$more_than_a_page" $'"8\n8"' "$page_of_x" 0 1 3 1000 -8 +-8 8x x8 0x 8.0 \
		'"8 8"'
	for value in "${values[@]}"; do
		not_loaded 'Invalid argument' "$value"
	done
	some 1 4294967304 4294967296 18446744073709551624 "$page_of_digits"
	for value in "${values[@]}"; do
		not_loaded 'Numerical result out of range' "$value"
	done
	# without a value, and one that is not there
	! modprobe zsmalloc_rs chain_size 2>/dev/null || fail "chain_size without a value was taken"
	modprobe zsmalloc_rs nosuch=1 || fail "a parameter that there is not should be passed over"
	dmesg | tail -5 | grep "unknown parameter 'nosuch' ignored" >/dev/null || fail "the log does not name it"
	[ "$(cat $parameters/chain_size)" = 8 ] || fail "chain_size is $(cat $parameters/chain_size)"
	# and after all that it works
	objects_stored
	objects_kept
}

# Other spellings of a number that is in range.
chain_size_taken() {
	local value
	some 1 0x8 010 +8 8
	for value in "${values[@]}"; do
		gone
		modprobe zsmalloc_rs "chain_size=$value" || fail "chain_size=$value is not taken"
		[ "$(cat $parameters/chain_size)" = 8 ] ||
			fail "chain_size=$value reads back as $(cat $parameters/chain_size)"
	done
}

chain_size_loaded() {
	local said
	gone
	modprobe zsmalloc_rs chain_size=5
	objects_stored
	refused $parameters/chain_size EACCES '' '\n' 4 5 abc -1 "$page_of_x" "$more_than_a_page"
	! said=$(insmod "$(modinfo -n zsmalloc_rs)" chain_size=4 2>&1) || fail "loaded twice"
	[[ $said == *'File exists'* ]] || fail "$said"
	[ "$(cat $parameters/chain_size)" = 5 ] || fail "chain_size is $(cat $parameters/chain_size)"
	objects_kept
	zt_unload
	gone
}

# --- zswap's parameter, while it has data in our pool

zswap_zpool() {
	local before
	swap_on 256
	zswap_on zsmalloc_rs
	memfill_start 8
	memfill_swap_out
	before=$(zswap_objects zsmalloc_rs)
	[ "$before" -gt 0 ] || fail "nothing is stored"
	some 6 '\n' nosuch zsmalloc_rs2 'zsmalloc_rs\nzsmalloc' 'nosuch\0zsmalloc' "$more_than_a_page" \
		"$page_of_x" ' ' zsmalloc_ zsmalloc_r ZSMALLOC_RS zsmalloc-rs -1 0 '%s%n' \
		'../zsmalloc_rs' 'zsmalloc_rs zsmalloc'
	refused "$zswap/zpool" ENOENT "${values[@]}"
	[ "$(zswap_objects zsmalloc_rs)" = "$before" ] ||
		fail "$before pages were stored, now $(zswap_objects zsmalloc_rs)"
	# nothing written is nothing changed; a string ends with its NUL, for the kernel
	taken "$zswap/zpool" '' zsmalloc_rs
	taken "$zswap/zpool" ' zsmalloc_rs \n' zsmalloc_rs
	taken "$zswap/zpool" 'zsmalloc\0_rs' zsmalloc
	taken "$zswap/zpool" 'zsmalloc_rs\0nosuch' zsmalloc_rs
	memfill_verify
	memfill_swap_out
	integrity
	memfill_verify
}

# --- debug builds: the delays

# They are of one kind: one of them gets all values, the others one.
delays() {
	local f first=$parameters/delay_map_us
	modprobe zsmalloc_rs
	[ -e $first ] || skip "kernel without RUST_DEBUG_ASSERTIONS: no delays"
	objects_stored
	taken $first '7\n' 7
	refused $first EINVAL '\n' abc -1 1001 '5\n6' "$more_than_a_page"
	refused $first ERANGE 99999999999999999999
	taken $first '' 7
	taken $first '0x10\0zzz' 16
	for f in "$parameters"/delay_*_us; do
		refused "$f" EINVAL 1001
		taken "$f" 1000 1000
		taken "$f" 0 0
	done
	objects_kept
}

# --- debugfs: nothing there can be written

debugfs_files() {
	local f n=0
	modprobe zsmalloc_rs
	objects_stored
	for f in "$stats" "$debugfs"/zsmalloc_rs/zt-kept/*; do
		refused "$f" EINVAL '' '\n' 0 -1 abc 'x\0y' "$page_of_x" "$more_than_a_page"
		: >"$f" # a file that has nothing to truncate
		[ -n "$(cat "$f")" ] || fail "$f is empty now"
		n=$((n + 1))
	done
	note "$n files"
	[ $n -ge 3 ] || fail "only $n files"
	objects_kept
}

# --- pools: their names end up in debugfs, in sysfs and in names of slab caches.
# (None with a slash: slab itself would make a link in /sys/kernel/slab with it in its
# name, as it would for C zsmalloc, after which that directory cannot be read.)

pool_names() {
	local name
	zt fill slot=1 type=zsmalloc_rs name=zt-kept count=500
	some 3 '' '%s%s%n' "$(string 900 n)" . .. $'\x01\xff' "$(string 300 n)"
	for name in "${values[@]}"; do
		if (zt fill slot=0 type=zsmalloc_rs "name=$name" count=50) >/dev/null; then
			zt verify slot=0
			zt drop slot=0
		else
			grep -q 'cannot create a pool' "$tap_reason" || fail "name '${name:0:20}': $(cat "$tap_reason")"
			note "no pool is called '${name:0:20}' (${#name})"
		fi
	done
	zt verify slot=1
	integrity
	zt drop slot=1
}

tap_begin
tap_case "chain_size: bad values are refused, and the log says so" chain_size_refused
tap_case "chain_size: a number in any spelling" chain_size_taken
tap_case "chain_size: cannot be written, nor set again, once loaded" chain_size_loaded
tap_case "zswap's parameter zpool: bad names, with data in the pool" zswap_zpool
tap_case "delays: bad values" delays
tap_case "debugfs: nothing can be written" debugfs_files
tap_case "pools with odd names" pool_names
tap_end
