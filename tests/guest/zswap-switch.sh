#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Select zsmalloc_rs in zswap and go back to C zsmalloc, with data in the pools
# of both.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/zswap-lib.sh
. "$(dirname "$0")/zswap-lib.sh"

mib=$((48 * SCALE))
! is_debug || mib=$((2 * SCALE))

tear_down() {
	background_stop
	memfill_stop
	swap_off
	zswap_off
	zt_unload
}

unloads() { eventually 20 rmmod zsmalloc_rs 2>/dev/null || fail "the module does not unload"; }

# The name alone loads the module.
by_name() {
	! has_module zsmalloc_rs || rmmod zsmalloc_rs
	zswap_on zsmalloc # before it is switched on, zswap only notes the name
	zswap_turn zsmalloc_rs
	has_module zsmalloc_rs || fail "zswap did not load the module"
	[ "$(<"$zswap/zpool")" = zsmalloc_rs ] || fail "zswap has $(<"$zswap/zpool")"
	zswap_turn zsmalloc
	unloads
}

# Memory stored by one allocator stays with it when zswap turns to the other.
both() { # FIRST SECOND
	swap_on 512
	zswap_on "$1"
	memfill_start "$mib"
	memfill_swap_out
	[ "$(zswap_objects "$1")" -gt $((memfill_pages * 9 / 10)) ] ||
		fail "$1 has $(zswap_objects "$1") of $memfill_pages pages"
	zswap_turn "$2"
	# reading half fills the other pool when it goes out again
	memfill_verify
	memfill_swap_out
	note "$1 has $(zswap_objects "$1") pages, $2 has $(zswap_objects "$2")"
	[ "$(zswap_objects "$2")" -gt 0 ] || fail "$2 has nothing"
	memfill_verify
}

# Data in both pools at once: two fillers, one before and one after the switch.
at_once() {
	local first_in first_out first_pid first_pages
	swap_on 512
	zswap_on zsmalloc
	memfill_start "$mib"
	memfill_swap_out
	first_in=$memfill_in first_out=$memfill_out first_pid=$memfill_pid first_pages=$memfill_pages
	zswap_turn zsmalloc_rs
	memfill_start "$mib"
	memfill_swap_out
	note "zsmalloc has $(zswap_objects zsmalloc) pages, zsmalloc_rs $(zswap_objects zsmalloc_rs)"
	[ "$(zswap_objects zsmalloc)" -gt $((first_pages * 9 / 10)) ] || fail "C zsmalloc lost its pages"
	[ "$(zswap_objects zsmalloc_rs)" -gt $((memfill_pages * 9 / 10)) ] || fail "zsmalloc_rs has not got its pages"
	background compact_memory
	background shrink_slabs
	memfill_verify
	# the first one's, whose pool zswap only keeps for reading
	memfill_in=$first_in memfill_out=$first_out memfill_pages=$first_pages memfill_verify
	exec {first_in}>&- {first_out}<&-
	kill "$first_pid"
}

# zswap switches back and forth while memory comes and goes.
back_and_forth() {
	local round type rounds=3
	! is_debug || rounds=2
	swap_on 512
	zswap_on zsmalloc
	memfill_start "$mib"
	for ((round = 1; round <= rounds; round++)); do
		for type in zsmalloc_rs zsmalloc; do
			zswap_turn $type
			memfill_swap_out
			memfill_verify
		done
		note "round $round"
	done
	memfill_stop
	swap_off
	zswap_off
	unloads
}

# In use: refused, by the kernel itself; afterwards it goes.
busy() {
	local refused
	swap_on 512
	zswap_on zsmalloc_rs
	memfill_start $((mib < 8 ? mib : 8))
	memfill_swap_out
	! rmmod zsmalloc_rs 2>/dev/null || fail "rmmod unloaded a module in use"
	! refused=$(delmod zsmalloc_rs) || fail "the kernel unloaded a module in use"
	note "delete_module: $refused"
	case $refused in
	EAGAIN | EBUSY) ;;
	*) fail "refused with $refused" ;;
	esac
	# not current any more, but not empty either
	zswap_turn zsmalloc
	! refused=$(delmod zsmalloc_rs) || fail "the kernel unloaded a module with data"
	memfill_verify
	memfill_stop
	unloads
}

tap_begin
tap_case "zswap loads the module by name" by_name
tap_case "from C zsmalloc to zsmalloc_rs, data in the former" both zsmalloc zsmalloc_rs
tap_case "from zsmalloc_rs to C zsmalloc, data in the former" both zsmalloc_rs zsmalloc
tap_case "data in both pools at once" at_once
tap_case "back and forth" back_and_forth
tap_case "unload is refused while zswap has data in it" busy
tap_end
