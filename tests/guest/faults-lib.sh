# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced after lib.sh by what lets allocations fail: fault injection, for some slab caches
# only.  Not a test (it is not executable).

# debugfs is lib.sh's
# shellcheck disable=SC2154

# faults_in CACHE…: from here on allocations in these slab caches (of /sys/kernel/slab) can
# fail, and in no others; those that may wait too, which failslab otherwise leaves alone.
# A cache may be gone by the time that its file is opened: with a pool, go its caches.
faults_in() {
	local f=$debugfs/failslab cache
	for cache in /sys/kernel/slab/*; do
		echo 0 >"$cache/failslab" || true
	done 2>/dev/null
	for cache; do
		echo 1 >"$cache/failslab" || true
	done 2>/dev/null
	echo Y >"$f/cache-filter"
	echo N >"$f/ignore-gfp-wait"
	echo 0 >"$f/verbose"
}

needs_failslab() { [ -d "$debugfs/failslab" ] || skip "kernel without FAILSLAB"; }

# From here on /proc/self/fail-nth counts all allocations.  The kernel itself leaks the
# name of a slab cache when it cannot make the cache's directory in sysfs, so what that
# needs is left alone.
faults_everywhere() {
	local cache caches=()
	needs_failslab
	for cache in /sys/kernel/slab/*; do
		case ${cache##*/} in
		kernfs_* | kmalloc-*32 | radix_tree_node | maple_node) ;;
		*) caches+=("$cache") ;;
		esac
	done
	faults_in "${caches[@]}"
}

# From here on it counts only what kmalloc() gives: what compaction remembers of the
# objects that it moves.  (The smallest are left out: a write to /proc takes one.)
faults_in_kmalloc() {
	local cache caches=()
	needs_failslab
	for cache in /sys/kernel/slab/kmalloc-*; do
		[[ $cache =~ -(8|16|32)$ ]] || caches+=("$cache")
	done
	faults_in "${caches[@]}"
}

# shrink_without_memory PERCENT: the shrinkers run, and so many of their allocations fail.
shrink_without_memory() {
	faults_in_kmalloc
	# the probability last: until the filter is set it would be everybody's
	echo -1 >"$debugfs/failslab/times"
	echo Y >"$debugfs/failslab/task-filter"
	echo "$1" >"$debugfs/failslab/probability"
	# whether the shrinkers ran is seen by what is counted
	(echo 1 >/proc/self/make-it-fail && shrink_slabs) || true
	faults_nowhere
}

faults_nowhere() {
	[ -d "$debugfs/failslab" ] || return 0
	echo 0 >"$debugfs/failslab/probability"
	echo N >"$debugfs/failslab/task-filter"
	echo Y >"$debugfs/failslab/ignore-gfp-wait"
	echo N >"$debugfs/failslab/cache-filter"
	echo Y >"$debugfs/fail_page_alloc/ignore-gfp-wait"
	echo 1 >"$debugfs/fail_page_alloc/min-order"
}
