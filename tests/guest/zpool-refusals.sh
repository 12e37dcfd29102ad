#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Freeing against migration: pages that somebody has isolated, or just holds,
# while their zspage is freed.  The test module makes the races certain.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

tear_down() {
	no_delays
	zt_let_go
}

# delay POINT: from here on up to a millisecond is lost there
delay() { set_delay "$1" 1000 || skip "kernel without RUST_DEBUG_ASSERTIONS: no delays"; }

# raced OP COUNTER...: each counter has to rise.  Pages that page migration had in hand
# and gave up are nobody's any more: neither the old ones nor the new ones that should
# have taken their place.
raced() {
	local op=$1 c pages
	local -A before
	shift
	zt_core
	modprobe zsmalloc_rs
	pages=$(nr_zspages)
	for c; do
		before[$c]=$(counter "$c")
	done
	zt raced "type=$TYPE" "op=$op" rounds=40 "settle=$settle"
	none_left "$pages"
	is_ours || return 0
	for c; do
		note "$c rose by $(($(counter "$c") - before[$c]))"
		[ "$(counter "$c")" -gt "${before[$c]}" ] || fail "$c did not rise"
	done
}

# Both at the same instant, thousands of times.  A zspage that is off its list
# already while its page is not yet freed is met within some of them.
race() {
	local before seed pages delayed=1
	zt_core
	# not preempted there, it is too soon over for a guest whose CPUs take turns
	set_delay unlisted 100 || delayed=''
	pages=$(nr_zspages)
	before=$(counter migrate_refused_unlisted)
	for seed in 1 2 3 4 5 6 7 8; do
		zt race "type=$TYPE" "rounds=$((500 * SCALE))" "seed=$((SEED + seed))" "settle=$settle"
		none_left "$pages"
		is_ours || return 0
		if [ "$(counter migrate_refused_unlisted)" -gt "$before" ]; then
			note "migrate_refused_unlisted rose by $(($(counter migrate_refused_unlisted) - before))"
			return 0
		fi
	done
	[ -n "$delayed" ] || skip "kernel without delays: no migration met a zspage that was off its list"
	fail "no migration met a zspage that was off its list"
}

# The same, while who migrates loses up to a millisecond between finding the zspage
# and locking its class: what was found has to be there still.
race_late() {
	zt_core
	delay migrate
	zt race "rounds=$((300 * SCALE))" "seed=$SEED"
}

# The other end of a zspage's life: its pages can be isolated before it is listed.
# What is found then has to be complete, and is left alone.
birth() {
	local before pages
	zt_core
	delay publish
	pages=$(nr_zspages)
	before=$(counter migrate_refused_unlisted)
	zt birth "rounds=$((1000 * SCALE))" "seed=$SEED"
	none_left "$pages"
	note "migrate_refused_unlisted rose by $(($(counter migrate_refused_unlisted) - before))"
	[ "$(counter migrate_refused_unlisted)" -gt "$before" ] ||
		fail "no migration met a zspage that was being made"
}

# The one who frees is preempted, for long: whoever wants the page must not wait for that.
preempted() {
	zt_core
	delay unlisted
	zt preempt "rounds=$((100 * SCALE))" "seed=$SEED"
}

# The module goes while somebody holds pages that it had; they let go later.
unload() {
	zt_core
	zt raced "type=$TYPE" hold=1 rounds=40
	[ "$(counter raced_frees)" -ge 40 ] || fail "raced_frees is $(counter raced_frees)"
	rmmod zsmalloc_rs
	compact_memory
	zt raced-release
	modprobe zsmalloc_rs
	zt raced "type=$TYPE" op=migrate rounds=4
}

# The same, with the kernel compacting all the time.
unload_busy() {
	local round
	zt_core
	background compact_memory
	for round in 1 2 3 4 5; do
		note "round $round"
		zt raced "type=$TYPE" hold=1 rounds=8
		rmmod zsmalloc_rs
		zt raced-release
	done
	background_stop
}

tap_begin
tap_case "isolated, freed, put back" raced putback raced_frees
tap_case "held, freed: cannot be isolated any more" raced isolate raced_frees isolate_refused_freed
tap_case "isolated, freed: cannot be migrated any more" raced migrate raced_frees migrate_refused_freed
tap_case "freed and migrated at the same instant" race
if is_ours; then
	tap_case "freed while migration has found the zspage and not locked it" race_late
	tap_case "migrated while the zspage is being made" birth
	tap_case "migrated while who frees it is preempted" preempted
	tap_case "unload with pages in other hands" unload
	tap_case "unload with pages in other hands, while memory is compacted" unload_busy
fi
tap_end
