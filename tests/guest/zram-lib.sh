# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the zram-* tests: making, filling and comparing zram devices.  Not a
# test (it is not executable).
#
# What a case makes (devices, mounts, swap, loop devices, control groups,
# background jobs) it puts on the lists below, what it sets (modprobe, the default
# allocator) it sets with the functions below; tear_down takes it all away.
#
# Much of what is set here is for those who source this file:
# shellcheck disable=SC2034
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# C zsmalloc is the yardstick on kernels that are quick: tests/guest/run.
ALLOCATORS="zsmalloc zsmalloc_rs"
! is_debug || ALLOCATORS=zsmalloc_rs
ALLOCATORS=${ZRAM_ALLOCATORS:-$ALLOCATORS}
page=$page_size
MB=1048576

zram_begin() {
	tap_begin
	work=$(mktemp -d /tmp/zram.XXXXXX)
	trap 'rm -rf "$work" "$tap_reason"' EXIT
	modprobe -r zram 2>/dev/null || true
	tap_case "the zram module loads" modprobe zram num_devices=0
	[ "$tap_failed" = 0 ] || tap_end
}

zram_end() {
	tap_case "and is unloaded without a rest" modprobe -r zram
	tap_end
}

# --- what a case makes, and its end

devices=() mounts=() swaps=() loops=() groups=() jobs=()
real_modprobe='' real_default=''
default=/sys/module/zram/parameters/allocator

# use_modprobe PROGRAM: what the kernel runs to load a module, until the case ends
use_modprobe() {
	real_modprobe=${real_modprobe:-$(cat /proc/sys/kernel/modprobe)}
	echo "$1" >/proc/sys/kernel/modprobe
}

# use_default NAME: the allocator of new devices, until the case ends
use_default() {
	real_default=${real_default:-$(cat "$default")}
	echo "$1" >"$default"
}

tear_down() {
	local code=$? x
	set +e
	trap - EXIT ERR
	[ -z "$real_modprobe" ] || echo "$real_modprobe" >/proc/sys/kernel/modprobe
	[ -z "$real_default" ] || [ ! -e "$default" ] || echo "$real_default" >"$default"
	{
		for x in "${jobs[@]}"; do kill "$x"; wait "$x"; done
		for x in "${swaps[@]}"; do swapoff "$x"; done
		for x in "${mounts[@]}"; do umount "$x"; done
	} 2>/dev/null
	for x in "${devices[@]}"; do
		[ -e "/sys/block/zram$x" ] || continue
		remove_device "$x" || { echo "zram$x cannot be removed"; code=1; }
	done
	for x in "${loops[@]}"; do losetup -d "$x"; done
	for x in "${groups[@]}"; do rmdir "$x"; done
	exit "$code"
}

remove_device() { # a process that is just ending may still hold it open
	local i
	for i in {1..50}; do
		# a bare return in a trap takes the status from before the trap
		echo "$1" >/sys/class/zram-control/hot_remove && return 0
		nap 0.1
	done 2>/dev/null
	return 1
}

# new_device [ALLOCATOR [DISKSIZE]]: sets nr, dev and sys
new_device() {
	read -r nr </sys/class/zram-control/hot_add || fail "no device can be added"
	dev=/dev/zram$nr
	sys=/sys/block/zram$nr
	devices+=("$nr")
	[ -z "${1:-}" ] || echo "$1" >"$sys/allocator"
	[ -z "${2:-}" ] || echo "$2" >"$sys/disksize"
}

# --- sysfs

# read_mm_stat SYS: its fields, as variables of their names
read_mm_stat() {
	read -r orig_data_size compr_data_size mem_used_total mem_limit mem_used_max \
		same_pages pages_compacted huge_pages huge_pages_since <"$1/mm_stat"
}

mm_stat() { # SYS FIELD
	read_mm_stat "$1" || return
	echo "${!2}"
}

# stat_is SYS FIELD OPERATOR VALUE, with the operators of test(1)
stat_is() {
	read_mm_stat "$1" || fail "${1##*/}: no mm_stat"
	test "${!2}" "$3" "$4" || fail "${1##*/}: $2 is ${!2}, expected $3 $4"
}

selected() { # SYS: the allocator in brackets
	local names
	names=$(<"$1/allocator")
	[[ $names == *[[]*[]]* ]] || return 1
	names=${names#*[}
	echo "${names%%]*}"
}

# write_fails FILE VALUE ERRNO: writing must fail, and with this error
write_fails() {
	local msg want
	case $3 in
	EBUSY) want="Device or resource busy" ;;
	EINVAL) want="Invalid argument" ;;
	ENOENT) want="No such file or directory" ;;
	*) fail "write_fails: $3?" ;;
	esac
	if msg=$({ printf '%s' "$2" >"$1"; } 2>&1); then
		fail "'$2' was accepted by $1"
	fi
	[[ $msg == *"$want"* ]] || fail "'$2' into $1: not $3 but: $msg"
}

# --- data

# Bytes of the files made here, so that nobody has to count them.
declare -A bytes

# make_corpus FILE MEGABYTES: half text, half binaries, no page like another
make_corpus() {
	local text=(usr/share) half=$(($2 * MB / 2))
	bytes[$1]=$((half * 2))
	[ ! -d /corpus ] || text=(corpus)
	# tar is told to stop by a closed pipe
	{
		{ tar -C / -cf - "${text[@]}" 2>/dev/null || true; } | head -c "$half"
		{ tar -C / -cf - usr/bin usr/sbin usr/lib 2>/dev/null || true; } | head -c "$half"
	} >"$1"
	[ "$(wc -c <"$1")" = "${bytes[$1]}" ] || fail "not enough data for $2 MB"
}

make_random() { # FILE MEGABYTES
	bytes[$1]=$(($2 * MB))
	head -c "${bytes[$1]}" /dev/urandom >"$1"
}

# store FILE DEVICE OFFSET_MB, past the page cache
store() {
	dd if="$1" of="$2" bs=1M seek="$3" oflag=direct conv=notrunc status=none
}

# same FILE DEVICE OFFSET_MB [BYTES]
same() {
	local size=${4:-${bytes[$1]:-$(wc -c <"$1")}}
	dd if="$2" bs=1M skip="$3" count="$size" iflag=direct,count_bytes status=none |
		cmp -n "$size" - "$1" || fail "$2 at $3 MB is not what was stored"
}
