#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# /sys/block/zramN/allocator: what it shows, takes and refuses, and that a
# device is either whole or not there.
# shellcheck source=tests/guest/zram-lib.sh
. "$(dirname "$0")/zram-lib.sh"

shows_default() {
	new_device
	[ "$(selected "$sys")" = zsmalloc ] || fail "default: $(cat "$sys/allocator")"
	grep -qw zbud "$sys/allocator" || fail "zbud is not listed: $(cat "$sys/allocator")"
	[ "$(wc -l <"$sys/allocator")" = 1 ] || fail "not one line"
	[ "$(grep -o '\[' "$sys/allocator" | wc -l)" = 1 ] || fail "not one selection"
}

loads_module() {
	modprobe -r zsmalloc_rs
	new_device
	! grep -qw zsmalloc_rs "$sys/allocator" || fail "listed before it is loaded"
	echo zsmalloc_rs >"$sys/allocator"
	grep -q '^zsmalloc_rs ' /proc/modules || fail "not loaded"
	[ "$(selected "$sys")" = zsmalloc_rs ]
	grep -qw zsmalloc "$sys/allocator"
	# and back, without a newline this time
	printf zsmalloc >"$sys/allocator"
	[ "$(selected "$sys")" = zsmalloc ]
	grep -qw zsmalloc_rs "$sys/allocator"
}

refuses() {
	local long page
	long=$(string 300 x) page=$(string "$page_size" x)
	new_device zsmalloc_rs
	refused "$sys/allocator" EINVAL '\n' ' ' nosuch 'no such' zsmalloc_ ZSMALLOC_RS -1 0 '%s%n' \
		'zsmalloc_rs\nzsmalloc' 'nosuch\0zsmalloc' ' zsmalloc' "$(string 63 x)" "$(string 64 x)" \
		"$long" "$page" "$page$long" zbud z3fold
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "selection lost"
	# a string ends with its NUL, for the kernel
	[ "$(put "$sys/allocator" 'zsmalloc\0_rs')" = ok ]
	[ "$(selected "$sys")" = zsmalloc ] || fail "$(cat "$sys/allocator") is selected"
	[ "$(put "$sys/allocator" 'zsmalloc_rs')" = ok ]
	# and the device is none the worse
	echo 8M >"$sys/disksize"
	[ "$(cat "$sys/initstate")" = 1 ]
	store "$work/one" "$dev" 1
	refused "$sys/allocator" EBUSY '\n' nosuch zbud zsmalloc
	refused "$sys/allocator" EINVAL "$long" "$page" "$page$long"
	same "$work/one" "$dev" 1
}

busy() { # ALLOCATOR
	new_device "$1" 8M
	for name in zsmalloc zsmalloc_rs zbud nosuch; do
		write_fails "$sys/allocator" "$name" EBUSY
	done
	[ "$(selected "$sys")" = "$1" ]
	echo 1 >"$sys/reset"
	[ "$(selected "$sys")" = "$1" ] || fail "a reset lost the selection"
	echo zsmalloc >"$sys/allocator"
	[ "$(selected "$sys")" = zsmalloc ]
}

# Others select all the time: a device that is set up is on what it says, and stays
# there until it is reset.
selected_meanwhile() {
	local i first c=0 rs=0
	new_device
	for i in 1 2; do
		(while :; do
			echo zsmalloc_rs >"$sys/allocator" || true
			sleep "0.0$((RANDOM % 10))"
			echo zsmalloc >"$sys/allocator" || true
			sleep "0.0$((RANDOM % 10))"
		done) 2>/dev/null & jobs+=($!)
	done
	for i in {1..60}; do
		echo 4M >"$sys/disksize"
		first=$(selected "$sys")
		case $first in
		zsmalloc_rs)
			rs=$((rs + 1))
			[ -e "/sys/kernel/debug/zsmalloc_rs/zram$nr" ] || fail "says it is on $first" ;;
		*)
			c=$((c + 1))
			[ -e "/sys/kernel/debug/zsmalloc/zram$nr" ] || fail "says it is on $first" ;;
		esac
		store "$work/one" "$dev" 1
		same "$work/one" "$dev" 1
		[ "$(selected "$sys")" = "$first" ] || fail "was on $first, is on $(selected "$sys")"
		eventually 5 reset_device || fail "cannot be reset"
		[ "$c" -lt 5 ] || [ "$rs" -lt 5 ] || break
	done
	echo "$c times on zsmalloc, $rs times on zsmalloc_rs"
	[ $((c * rs)) -gt 0 ] || fail "the selection never changed"
}

# udev or a process that is just ending may still hold it open
reset_device() { echo 1 >"$sys/reset"; } 2>/dev/null

# The module goes away after it was selected, and cannot be loaded again: no
# pool, so no device, and no module that is counted as used.
no_half_made_device() {
	local modprobe
	modprobe=$(cat /proc/sys/kernel/modprobe)
	new_device zsmalloc_rs
	modprobe -r zsmalloc_rs
	echo /bin/false >/proc/sys/kernel/modprobe
	if ! (write_fails "$sys/disksize" 8M ENOMEM); then
		echo "$modprobe" >/proc/sys/kernel/modprobe
		fail "disksize"
	fi
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "selection not shown"
	echo "$modprobe" >/proc/sys/kernel/modprobe
	[ "$(cat "$sys/initstate")" = 0 ]
	[ "$(cat "$sys/disksize")" = 0 ]
	[ "$(cat "$sys/size")" = 0 ]
	write_fails "$sys/compact" 1 EINVAL
	# now it can be loaded: the same device works
	echo 8M >"$sys/disksize"
	[ "$(cat "$sys/initstate")" = 1 ]
	make_random "$work/r" 2
	store "$work/r" "$dev" 1
	same "$work/r" "$dev" 1
}

pins_module() {
	new_device zsmalloc_rs 8M
	if rmmod zsmalloc_rs 2>/dev/null; then
		fail "unloaded while a device uses it"
	fi
	echo 1 >"$sys/reset"
	rmmod zsmalloc_rs || fail "still in use after a reset"
}

# zramctl resets a device before it sets it up, as mem_limit shows.
set_up_by_zramctl() {
	new_device zsmalloc_rs
	echo 10M >"$sys/mem_limit"
	zramctl --algorithm zstd --size 8M "$dev"
	[ "$(awk '{ print $4 }' "$sys/mm_stat")" = 0 ] || fail "zramctl does not reset any more"
	[ "$(cat "$sys/disksize")" = $((8 * MB)) ]
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "zramctl lost the selection"
	# which also removes the device
	zramctl --reset "$dev"
	rmmod zsmalloc_rs || fail "zramctl --reset left a pool"
}

hot_add_remove() {
	local i a
	for i in {1..5}; do
		for a in $ALLOCATORS; do
			new_device "$a" 4M
			store "$work/one" "$dev" 0
			echo "$nr" >/sys/class/zram-control/hot_remove
			[ ! -e "$sys" ] || fail "round $i: $sys is still there"
		done
	done
	rmmod zsmalloc_rs || fail "a removed device left its pool"
}

zram_begin
make_random "$work/one" 1
tap_case "the default is zsmalloc, all drivers are listed" shows_default
tap_case "selecting loads the driver's module" loads_module
tap_case "unknown names and zbud are refused with EINVAL" refuses
for a in $ALLOCATORS; do
	tap_case "EBUSY once initialised, selection kept over a reset ($a)" busy "$a"
done
tap_case "selecting while the device is set up, used and reset" selected_meanwhile
tap_case "no half-made device when the pool cannot be created" no_half_made_device
tap_case "a device pins the driver's module" pins_module
tap_case "zramctl sets up a device and keeps the selection" set_up_by_zramctl
tap_case "hot_add and hot_remove, again and again" hot_add_remove
zram_end
