#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loading and unloading, refusing to unload, the module's version and its parameter.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/faults-lib.sh
. "$here/faults-lib.sh"

tear_down() {
	faults_nowhere
	zt_unload
	! has_module zsmalloc_rs || rmmod zsmalloc_rs
}

# What a loaded module may leave behind, as text that can be compared.
traces() {
	sum_up
	awk '{ print $1 }' /proc/slabinfo | grep -E 'zs|zt-' | sort || true
	find "$debugfs" -maxdepth 1 -name '*zsmalloc*' | sort
	find "$debugfs/shrinker" -maxdepth 1 -name '*zt-*' 2>/dev/null | sort
	grep -E 'zsmalloc_rs|zpool_test' /proc/modules || true
	grep '^nr_zspages ' /proc/vmstat
}

traces_are() { [ "$(traces)" = "$1" ]; }

nothing_left() { # TRACES before the module was loaded
	eventually 5 traces_are "$1" || {
		diff <(echo "$1") <(traces) || true
		fail "something is left"
	}
}

loaded() {
	modprobe zsmalloc_rs "$@" || fail "the module does not load"
	[ -e "$stats" ] || fail "no $stats"
}

unloaded() {
	rmmod zsmalloc_rs || fail "the module does not unload"
	[ ! -e $debugfs/zsmalloc_rs ] || fail "debugfs keeps zsmalloc_rs"
}

times() { # N [CASE...]: load, do something, unload
	local n=$1 i before
	shift
	tear_down
	before=$(traces)
	for ((i = 1; i <= n; i++)); do
		loaded
		[ $# = 0 ] || zt "$@" >/dev/null
		zt_unload
		unloaded
	done
	nothing_left "$before"
}

in_use() {
	local refused
	loaded
	zt fill type=zsmalloc_rs count=100
	! rmmod zsmalloc_rs 2>/dev/null || fail "rmmod unloaded a module in use"
	refused=$(delmod zsmalloc_rs) && fail "the kernel unloaded a module in use"
	note "delete_module: $refused"
	[ "$refused" = EAGAIN ] || [ "$refused" = EBUSY ] || fail "refused with $refused"
	zt verify
	zt drop
	unloaded
}

# The parameter, as it is read back, and that the allocator works with it.
chain_size() { # N
	local got
	loaded "chain_size=$1"
	got=$(cat /sys/module/zsmalloc_rs/parameters/chain_size)
	[ "$got" = "$1" ] || fail "chain_size=$1 reads back as $got"
	[ "$(stat -c %a /sys/module/zsmalloc_rs/parameters/chain_size)" = 444 ] ||
		fail "chain_size can be written"
	zt sizes type=zsmalloc_rs order=random copies=2 "step=$((size_step + 6))"
	# a bug of C zsmalloc's once: migration after the chain size had changed
	zt fill type=zsmalloc_rs "count=$(objects 1500)" dist=uniform
	zt thin percent=50
	shrink_slabs
	huge_pages
	zt verify
	integrity
	zt drop
	zt_unload
	unloaded
}

version() {
	local file in_log dir=/sys/module/zsmalloc_rs
	file=$(modinfo -F version zsmalloc_rs)
	[ -n "$file" ] || fail "modinfo shows no version"
	loaded
	[ "$(cat $dir/version)" = "$file" ] || fail "loaded is version $(cat $dir/version), not $file"
	[ "$(cat $dir/srcversion)" = "$(modinfo -F srcversion zsmalloc_rs)" ] ||
		fail "srcversion is not that of the file"
	in_log=$(dmesg | grep 'zsmalloc_rs: version' | tail -1)
	[[ $in_log == *"version $file on Linux $(uname -r)" ]] || fail "the log has '$in_log'"
	unloaded
}

default_chain_size() {
	loaded
	[ "$(cat /sys/module/zsmalloc_rs/parameters/chain_size)" = 8 ] ||
		fail "chain_size is $(cat /sys/module/zsmalloc_rs/parameters/chain_size) without being set"
	unloaded
}

# Loading takes memory, of the kernel's and of ours, and may not get it.
load_faults() {
	local n said left='' failed=0 file before
	needs_failslab
	[ -n "${ZSM_ALL:-}" ] || skip "loads the module some hundred times; ZSM_ALL=1 runs it"
	tear_down
	before=$(traces)
	faults_everywhere
	echo N >$debugfs/fail_page_alloc/ignore-gfp-wait
	echo 0 >$debugfs/fail_page_alloc/min-order
	echo 0 >$debugfs/fail_page_alloc/verbose
	file=$(modinfo -n zsmalloc_rs)
	for ((n = 1; n < 3000; n++)); do
		if said=$(loadmod "$file" $n); then
			# some of it works without, like a file in debugfs
			zt pools type=zsmalloc_rs pools=1 rounds=1 count=20 >/dev/null
			zt_unload
			rmmod zsmalloc_rs || fail "allocation $n failed, the module does not unload"
		else
			failed=$((failed + 1))
			[[ $said == ENOMEM* ]] || fail "allocation $n failed: $said"
			! has_module zsmalloc_rs || fail "allocation $n failed: half loaded"
			[ ! -e $debugfs/zsmalloc_rs ] || fail "allocation $n failed: debugfs keeps zsmalloc_rs"
		fi
		# what is left of the count: the last one was not reached
		left=${said##* }
		[ "$left" = 0 ] || break
	done
	faults_nowhere
	[ "$left" != 0 ] || fail "no end of allocations"
	note "$n allocations, without $failed of them the module did not load"
	[ "$failed" -gt 5 ] || fail "only $failed loads failed"
	nothing_left "$before"
	loaded
	unloaded
}

tap_begin
loads=20 uses=5
! is_debug || loads=5 uses=2
tap_case "load and unload, $loads times" times $loads
tap_case "load, use and unload, $uses times" times $uses pools type=zsmalloc_rs rounds=1 count=200
tap_case "unload is refused while a pool exists" in_use
tap_case "version, in the file, in sysfs and in the log" version
tap_case "chain_size is 8 if not set" default_chain_size
sizes=$(seq 4 16)
! is_debug || sizes="4 16"
[ -z "${QUICK:-}" ] || sizes="4 16"
for size in $sizes; do
	tap_case "chain_size=$size" chain_size "$size"
done
tap_case "each allocation of loading fails in turn" load_faults
tap_case "nothing leaked" no_leak
tap_end
