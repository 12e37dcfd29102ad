# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the tests: TAP output in the conventions of the kernel's selftests
# (ktap_helpers.sh), and what several of them need.  Not a test (it is not
# executable).
#
# A test case is a function.  It runs in a subshell under `set -e`; the function
# tear_down of the test runs at its end, whatever happened.  `fail REASON` and
# `skip REASON` end it.
#
# TYPE   the zpool type to test
# SCALE  multiplies sizes and times: 1 is what a guest without KVM does in
#        about four minutes, with everything that a debug kernel checks eight
#
# Some of what is set here is for those who source this file:
# shellcheck disable=SC2034
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=${GUEST_BIN:+$GUEST_BIN:}$PATH:$here

TYPE=${TYPE:-zsmalloc_rs}
SCALE=${SCALE:-1}
SEED=${SEED:-1}
KSFT_FAIL=1
KSFT_SKIP=4

debugfs=/sys/kernel/debug
stats=$debugfs/zsmalloc_rs/stats
parameters=/sys/module/zsmalloc_rs/parameters
page_size=$(getconf PAGESIZE)
# How large pages are in units of 4K: objects grow with them.
page_factor=$((page_size / 4096))
# From one size to the next where a test takes all of them: with larger pages
# some, which make as many bytes in all, and still hit every class.
size_step=$((page_factor * page_factor - (page_factor > 1)))
# How long C zsmalloc may take to free what it deferred; ours defers nothing.
settle=0
# Beside shrinkers: what one has just emptied is its to free, of ours as well.
settle_shrunk=1000
[ "$TYPE" = zsmalloc_rs ] || settle=5000 settle_shrunk=5000

tap_nr=0
tap_failed=0
tap_reason=$(mktemp)
trap 'rm -f "$tap_reason"' EXIT

# QEMU without KVM translates code by virtual address and keeps that with the
# physical page.  Where each process is at an address of its own, the pages of
# libc and bash collect translations without end, and once such a page is used
# for data, each store into it takes a second.
echo 0 >/proc/sys/kernel/randomize_va_space

# shellcheck source=tests/guest/read-lib.sh
. "$here/read-lib.sh"

# The functions of the test may replace it.
tear_down() { :; }

note() { echo "# $*"; }

fail() {
	echo "$*" >"$tap_reason"
	exit $KSFT_FAIL
}

skip() {
	echo "$*" >"$tap_reason"
	exit $KSFT_SKIP
}

# objects N: how many take the bytes that N take with pages of 4K
objects() { echo $(($1 / page_factor)); }

# tap_begin: before the first case
tap_begin() {
	echo "TAP version 13"
	[ -d $debugfs/zswap ] || mount -t debugfs debugfs $debugfs 2>/dev/null || true
}

# tap_case DESCRIPTION FUNCTION [ARGUMENT...]
tap_case() {
	local what=$1 code start=$SECONDS
	shift
	: >"$tap_reason"
	set +e
	(
		set -e
		trap tear_down EXIT
		trap 'note "line $LINENO: $BASH_COMMAND"' ERR
		"$@"
	) 2>&1 | sed '/^#/!s/^/# /'
	code=${PIPESTATUS[0]}
	set -e
	tap_nr=$((tap_nr + 1))
	case $code in
	0) echo "ok $tap_nr $what" ;;
	4) echo "ok $tap_nr $what # SKIP $(<"$tap_reason")" ;;
	*)
		note "$(<"$tap_reason") (exit code $code)"
		echo "not ok $tap_nr $what"
		tap_failed=$((tap_failed + 1))
		;;
	esac
	[ $((SECONDS - start)) -lt 10 ] || note "$what: $((SECONDS - start)) s"
}

# tap_end: after the last one
tap_end() {
	zt_unload
	echo "1..$tap_nr"
	[ $tap_failed = 0 ] || exit $KSFT_FAIL
}

# --- the test module

# zt CASE [KEY=VALUE...]: run a case of zpool_test; fails or skips as it does.
# What it prints, a verdict and notes, is kept in $zt_lines; the notes are printed.
zt() {
	local verdict line
	has_module zpool_test || modprobe zpool_test || fail "the module zpool_test does not load"
	exec {zt_fd}<>$debugfs/zpool_test/run
	if ! echo "$*" >&"$zt_fd"; then
		exec {zt_fd}>&-
		fail "zpool_test does not take: $*"
	fi
	mapfile -t zt_lines <&"$zt_fd"
	exec {zt_fd}>&-
	verdict=${zt_lines[0]-}
	for line in "${zt_lines[@]}"; do
		[[ $line != '#'* ]] || echo "#  ${line#'#'}"
	done
	case $verdict in
	ok) ;;
	skip*) skip "${verdict#skip }" ;;
	*) fail "$*: ${verdict#fail }" ;;
	esac
}

# The number in the note "NAME N" of the last case.
zt_number() {
	local line number=''
	for line in "${zt_lines[@]}"; do
		[[ $line != "# $1 "* ]] || number=${line#"# $1 "}
	done
	echo "$number"
}

# Give the test module the functions of the migration core.  Where they are is looked up
# once a boot.
zt_core() {
	local found=/tmp/migration-core
	[ -s $found ] ||
		awk '$3 ~ /^(isolate_movable_page|putback_movable_pages|migrate_pages)$/ {
			printf "%s=%s ", $3, $1 }' /proc/kallsyms >$found
	# shellcheck disable=SC2046 # three arguments
	zt core $(<$found)
}

# Let go of every pool of the test module, and of pages: what a case leaves when it fails.
zt_let_go() { ! has_module zpool_test || zt let-go >/dev/null; }

# The same, and the module goes.
zt_unload() { ! has_module zpool_test || rmmod zpool_test; }

# Whether the test module has an object mapped at the moment.
held() {
	local n
	read -r n <"$debugfs/zpool_test/held"
	[ "$n" != 0 ]
}

# compact_while_held KEY=VALUE…: compact the pools while `zt hold` keeps objects mapped.
# On a busy host the holder may be done before we look.
compact_while_held() {
	local holder
	(zt hold "$@") &
	holder=$!
	! eventually 10 held || shrink_slabs
	wait $holder || fail "an object changed while it was mapped"
}

# --- the module under test

is_ours() { [ "$TYPE" = zsmalloc_rs ]; }

# counter NAME: a counter of the whole module
counter() { value "$1" $stats || fail "no counter $1 in $stats"; }

# pool_counter POOL NAME: a counter of one pool
pool_counter() { value "$2" "$debugfs/zsmalloc_rs/$1/stats"; }

# Pools without objects have no zspage either, and remember of no object that it moved.
remembers_nothing() {
	local f lines
	for f in "$debugfs"/zsmalloc_rs/*/stats; do
		# a pool may go while we look
		{ mapfile -t lines <"$f"; } 2>/dev/null || { [ ! -e "$f" ] && continue; }
		has_rest "${lines[@]}" || continue
		fail "${f%/stats}: no objects, but ${rest[*]}"
	done
}

# Whether of these lines of a pool's stats one says that there is something without objects;
# sets $rest.
has_rest() {
	local line objects=''
	rest=()
	for line; do
		case $line in
		'objects 0') objects=0 ;;
		*' 0') ;;
		'zspages '* | 'anchors '* | 'names_moved '* | 'tables_bytes '* | 'origins_bytes '*) rest+=("$line") ;;
		esac
	done
	[ "$objects" = 0 ] && [ ${#rest[@]} != 0 ]
}

# set_delay POINT US: from here on up to so many microseconds are lost there; 1 on kernels
# without delays
set_delay() {
	local f=$parameters/delay_$1_us
	modprobe zsmalloc_rs || fail "the module does not load"
	[ -e "$f" ] || return 1
	echo "$2" >"$f" || fail "${f##*/} does not take $2"
}

# No delay at any point, where the kernel has them and the module is loaded.
no_delays() {
	local f
	for f in "$parameters"/delay_*_us; do
		[ ! -e "$f" ] || echo 0 >"$f"
	done
}

# Each processor keeps a part of the sums to itself, if there are several.
sum_up() { [ ! -e /proc/sys/vm/stat_refresh ] || echo 1 >/proc/sys/vm/stat_refresh; }

# What the kernel thinks zsmalloc's pages are, ours and C's.
nr_zspages() {
	sum_up
	value nr_zspages /proc/vmstat
}

zspages_are() { [ "$(nr_zspages)" = "$1" ]; }

# none_left N: it is N again, if not at once then soon.
none_left() { eventually 5 zspages_are "$1" || fail "nr_zspages was $1, is $(nr_zspages)"; }

# Bookkeeping of every pool of ours, where the kernel offers the check.
integrity() {
	local f verdict
	for f in "$debugfs"/zsmalloc_rs/*/check; do
		# a pool may go while we look ($(<FILE) would end the shell then)
		{ read -r verdict <"$f"; } 2>/dev/null || { [ ! -e "$f" ] && continue; }
		[ "$verdict" = ok ] || fail "${f%/check}: $verdict"
	done
}

# --- input

# put FILE VALUE: write VALUE, in which the escapes of printf %b stand for bytes,
# with one write(2).  Prints "ok" or the name of the error.
put() {
	printf %b "$2" | writeonce "$1"
}

# refused FILE ERROR VALUE...: each is refused with this error, and changes nothing
refused() {
	local file=$1 error=$2 before value got
	before=$(<"$file")
	shift 2
	for value; do
		got=$(put "$file" "$value")
		[ "$got" = "$error" ] ||
			fail "${file##*/}: '${value:0:40}' (${#value}): $got, should be $error"
		[ "$(<"$file")" = "$before" ] ||
			fail "${file##*/}: '${value:0:40}' left $(<"$file"), before it was $before"
	done
}

# taken FILE VALUE CONTENT: it is taken, and the file then reads so
taken() {
	local got
	got=$(put "$1" "$2")
	[ "$got" = ok ] || fail "${1##*/}: '${2:0:40}': $got, should be taken"
	[ "$(<"$1")" = "$3" ] || fail "${1##*/}: '${2:0:40}' reads back as $(<"$1"), not $3"
}

# A string of N characters C.
string() { # N C
	head -c "$1" /dev/zero | tr '\0' "$2"
}

# --- the kernel

is_debug() { [ -e $debugfs/kmemleak ]; }

# Retry a command for some seconds.
eventually() {
	local tries=$(($1 * 10))
	shift
	until "$@"; do
		[ $((tries--)) -gt 0 ] || return 1
		nap 0.1
	done
}

# background CMD...: run it again and again until background_stop
background() {
	while :; do
		"$@" || true
		nap 0.2
	done >/dev/null 2>&1 &
	background_pids+=($!)
}

background_pids=()
background_stop() {
	local pid
	for pid in "${background_pids[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	background_pids=()
}

# Freed pages stay on lists of their processor, thousands of them, where compaction does not
# look for room.  Of what is freed from here on only some do.
short_page_lists() { echo 1000000 >/proc/sys/vm/percpu_pagelist_high_fraction; }
usual_page_lists() { echo 0 >/proc/sys/vm/percpu_pagelist_high_fraction; }

has_compaction() { [ -e /proc/sys/vm/compact_memory ]; }
compact_memory() { ! has_compaction || echo 1 >/proc/sys/vm/compact_memory; }
# 4 is that the kernel does not log it from now on, 2 is slabs; it takes no sum.
shrink_slabs() { echo 4 >/proc/sys/vm/drop_caches && echo 2 >/proc/sys/vm/drop_caches; }

# Make the kernel find huge pages, more than it will: it has to migrate whatever
# is in the way.  A number beyond all bounds would be the same, but takes minutes.
huge_pages() {
	local before
	[ -e /proc/sys/vm/nr_hugepages ] || return 0
	before=$(</proc/sys/vm/nr_hugepages)
	awk '/^MemTotal/ { m = $2 } /^Hugepagesize/ { h = $2 } END { print int(m / h * 0.7) }' \
		/proc/meminfo >/proc/sys/vm/nr_hugepages
	note "$(</proc/sys/vm/nr_hugepages) huge pages"
	echo "$before" >/proc/sys/vm/nr_hugepages
}

# For a test case: no object that nothing refers to any more.  The first scan may see
# what was only just freed, so what counts is what is still there after a grace period.
# Skips where kmemleak does not look; that it has given up by itself is a failure.
no_leak() {
	local found
	is_debug || skip "kernel without KMEMLEAK"
	! grep -qw kmemleak=off /proc/cmdline || skip "kmemleak is off by the kernel's command line"
	sleep 6 # younger objects are never reported
	echo scan >$debugfs/kmemleak || fail "kmemleak gave up: the kernel's log says why"
	echo scan >$debugfs/kmemleak
	found=$(cat $debugfs/kmemleak)
	[ -z "$found" ] || { echo "$found" && fail "kmemleak found something"; }
}
