#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module parameter zram.allocator: what new devices start with, however they
# come about.
# shellcheck source=tests/guest/zram-lib.sh
. "$(dirname "$0")/zram-lib.sh"

loaded() { has_module zsmalloc_rs; }

# Take over a device that something else has made: nr, dev and sys
adopt() { # DEVICE
	dev=$1
	nr=${dev#/dev/zram}
	sys=/sys/block/zram$nr
	[ -e "$sys" ] || fail "$dev is no device"
	devices+=("$nr")
}

new_devices_take_it() {
	[ "$(cat "$default")" = zsmalloc ] || fail "the default is $(cat "$default")"
	new_device
	local old=$sys
	modprobe -r zsmalloc_rs
	use_default zsmalloc_rs
	new_device
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "a new device is on $(selected "$sys")"
	[ "$(selected "$old")" = zsmalloc ] || fail "an old device has changed to $(selected "$old")"
	! loaded || fail "loaded before a device is set up"
	echo 8M >"$sys/disksize"
	loaded || fail "set up without the module"
	[ -e "/sys/kernel/debug/zsmalloc_rs/zram$nr" ] || fail "not on zsmalloc_rs"
	store "$work/one" "$dev" 0
	same "$work/one" "$dev" 0
}

# reset, hot_remove and hot_add
device_overrides() {
	use_default zsmalloc_rs
	new_device zsmalloc 4M
	[ -e "/sys/kernel/debug/zsmalloc/zram$nr" ] || fail "not on C zsmalloc"
	echo 1 >"$sys/reset"
	[ "$(selected "$sys")" = zsmalloc ] || fail "a reset took it to the default"
	remove_device "$nr"
	new_device
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "a new device is on $(selected "$sys")"
	echo 4M >"$sys/disksize"
	use_default zsmalloc
	echo 1 >"$sys/reset"
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "a reset took it to the new default"
}

values() {
	use_default zsmalloc
	refused "$default" EINVAL '\n' ' ' ' \t\n'
	refused "$default" E2BIG "$(string 64 x)" "$(string 300 x)" "$(string "$page_size" x)"
	taken "$default" ' \tzsmalloc_rs \n' zsmalloc_rs
	taken "$default" zsmalloc zsmalloc
	taken "$default" "$(string 63 x)" "$(string 63 x)"
}

# A name is checked when a device uses it.
no_such_allocator() {
	local name error
	for name in nosuch:ENOENT zbud:EINVAL; do
		error=${name#*:} name=${name%:*}
		use_default "$name"
		new_device
		[ "$(selected "$sys")" = "$name" ] || fail "shows $(cat "$sys/allocator")"
		write_fails "$sys/disksize" 8M "$error"
		[ "$(cat "$sys/initstate")" = 0 ] || fail "set up on $name"
		[ "$(cat "$sys/disksize")" = 0 ]
	done
	echo zsmalloc_rs >"$sys/allocator"
	echo 8M >"$sys/disksize"
	store "$work/one" "$dev" 0
	same "$work/one" "$dev" 0
}

# What Documentation/zram.rst tells administrators to do, and no command a device.
by_modprobe_d() {
	local i
	modprobe -r zram
	modprobe -r zsmalloc_rs
	mkdir -p /run/modprobe.d
	echo "options zram allocator=zsmalloc_rs" >/run/modprobe.d/zsmalloc_rs.conf
	modprobe zram num_devices=2
	rm /run/modprobe.d/zsmalloc_rs.conf
	for i in 0 1; do
		adopt "/dev/zram$i"
		[ "$(selected "$sys")" = zsmalloc_rs ] || fail "zram$i is on $(selected "$sys")"
	done
	set_up_by_zramctl
	echo zsmalloc >"$default"
}

by_zramctl() {
	use_default zsmalloc_rs
	set_up_by_zramctl
}

set_up_by_zramctl() {
	adopt "$(zramctl --find --algorithm lz4 --size 8M)"
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "--find made one on $(selected "$sys")"
	[ -e "/sys/kernel/debug/zsmalloc_rs/zram$nr" ] || fail "not on zsmalloc_rs"
	zramctl --reset "$dev"
	# which has removed the device, so that a new one is found
	adopt "$(zramctl --find --algorithm lz4 --size 8M)"
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "on $(selected "$sys") after --reset"
}

zram_begin
make_random "$work/one" 1
tap_case "new devices take the default, old ones keep what they have" new_devices_take_it
tap_case "the device's own choice overrides it and outlives a reset" device_overrides
tap_case "what the parameter takes and refuses" values
tap_case "a default that does not exist is found out by disksize" no_such_allocator
tap_case "options zram allocator= in modprobe.d" by_modprobe_d
tap_case "zramctl --find and --reset stay on the default" by_zramctl
zram_end
