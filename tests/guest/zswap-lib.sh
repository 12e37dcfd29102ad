# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced after lib.sh by what needs zswap: switching it on with a given zpool,
# a place to swap to, and its counters.  Not a test (it is not executable).

# debugfs and page_size are lib.sh's
# shellcheck disable=SC2154
zswap=/sys/module/zswap/parameters
zswap_debug=$debugfs/zswap

# zswap_count NAME: stored_pages, written_back_pages, reject_*, ...
zswap_count() { echo "$(<"$zswap_debug/$1")"; }

# Pages that really went to the swap device, since boot.
swapped_to_disk() { value pswpout /proc/vmstat; }

# Pages of zeros, which are noted but stored nowhere, since boot.
swapped_zeros() { value swpout_zero /proc/vmstat || echo 0; }

# Pages zswap sent on instead of storing them, for whatever reason.
zswap_rejected() {
	local f n=0
	for f in "$zswap_debug"/reject_*; do n=$((n + $(<"$f"))); done
	echo "$n"
}

# What zswap can use, ordered by what is usual.
zswap_compressor() {
	local c
	for c in ${COMPRESSOR:-lz4 zstd lzo-rle lzo}; do
		if echo "$c" >"$zswap/compressor" 2>/dev/null; then
			return 0
		fi
	done
	fail "zswap takes none of the compressors lz4, zstd, lzo"
}

# zswap_turn TYPE: from here on zswap stores with pools of it.  C zsmalloc's slab caches
# are in sysfs by their size, and what a pool that goes has there may not be gone when
# the next pool comes: the kernel refuses that (-EEXIST), and takes it a moment later.
zswap_turn() {
	case $1 in
	zsmalloc) eventually 5 zswap_takes "$1" ;;
	*) zswap_takes "$1" ;;
	esac || fail "zswap does not take zpool $1"
}
zswap_takes() { echo "$1" >"$zswap/zpool"; }

# All stays in zswap: no limit in sight, nothing written back to the disk.
zswap_on() { # TYPE
	[ -d "$zswap" ] || fail "kernel without zswap"
	zswap_compressor
	echo 90 >"$zswap/max_pool_percent"
	echo N >"$zswap/shrinker_enabled"
	zswap_turn "$1"
	[ "$(<"$zswap/zpool")" = "$1" ] ||
		fail "zswap was given zpool $1, has $(<"$zswap/zpool")"
	echo Y >"$zswap/enabled"
}

zswap_off() {
	echo N >"$zswap/enabled"
	zswap_turn zsmalloc
}

# Swap space: the empty disk that the machine has for this, or else a sparse
# file.  zswap needs it as an address space; nothing should be written to it.
swap_device=''
swap_loop=''
swap_on() { # MIB
	if [ -n "${ZSM_DISK:-}" ] && [ -b "$ZSM_DISK" ]; then
		swap_device=$ZSM_DISK
	else
		swap_loop=$(mktemp /tmp/swap.XXXXXX)
		truncate -s "$1M" "$swap_loop"
		swap_device=$(losetup -f --show "$swap_loop")
	fi
	# the disk may be swap space already, of another case
	swapon "$swap_device" 2>/dev/null || { mkswap "$swap_device" >/dev/null && swapon "$swap_device"; }
}

swap_off() {
	[ -n "$swap_device" ] || return 0
	! in_file "${swap_device}[[:blank:]]*" /proc/swaps || swapoff "$swap_device"
	if [ -n "$swap_loop" ]; then
		losetup -d "$swap_device"
		rm -f "$swap_loop"
	fi
	swap_device='' swap_loop=''
}

# Pages that the pools of a type hold for zswap.
zswap_objects() { # TYPE
	case $1 in
	zsmalloc_rs) zswap_objects_of_ours ;;
	zsmalloc) zswap_objects_of_c ;;
	esac
}

zswap_objects_of_ours() {
	local f objects n=0
	for f in "$debugfs"/zsmalloc_rs/zswap*/stats; do
		# a pool may go while we look
		objects=$(value objects "$f" 2>/dev/null) || continue
		n=$((n + objects))
	done
	echo "$n"
}

# The last line of C's file sums up its columns; the third from the end is objects in use.
# Debian's kernels have no such file (CONFIG_ZSMALLOC_STAT): what ours has not is C's.
zswap_objects_of_c() {
	local f lines total n=0
	if [ ! -d "$debugfs/zsmalloc" ]; then
		echo $(($(zswap_count stored_pages) - $(zswap_objects zsmalloc_rs)))
		return
	fi
	for f in "$debugfs"/zsmalloc/zswap*/classes; do
		# a pool may go while we look
		{ mapfile -t lines <"$f"; } 2>/dev/null || continue
		read -ra total <<<"${lines[*]: -1}"
		if [ "${total[0]:-}" = Total ]; then
			n=$((n + total[-3]))
		elif [ -e "$f" ]; then
			fail "$f ends with: ${total[*]}"
		fi
	done
	echo "$n"
}

# --- memory to swap out, by memfill: it answers each command with a line

memfill_pid='' memfill_in='' memfill_out='' memfill_pages='' memfill_left_out=''
corpus=${ZSM_CORPUS:-/usr/share /usr/bin /usr/lib}

# A control group counts the bytes that its pages compressed to.
memfill_group=/sys/fs/cgroup/memfill
memfill_start() { # MIB
	local fill
	[ -e /sys/fs/cgroup/cgroup.procs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup || true
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
	[ -d "$memfill_group" ] || mkdir "$memfill_group" || true
	fill=$(mktemp -d)
	mkfifo "$fill/in" "$fill/out"
	# shellcheck disable=SC2086 # several directories
	(
		echo "$BASHPID" >"$memfill_group/cgroup.procs" || true
		echo 1000 >/proc/self/oom_score_adj
		exec memfill "$1" $corpus
	) <"$fill/in" >"$fill/out" &
	memfill_pid=$!
	exec {memfill_in}>"$fill/in" {memfill_out}<"$fill/out"
	rm -r "$fill"
	memfill_answer filled
	# shellcheck disable=SC2034 # workload.sh prints what is left out
	read -r _ memfill_pages _ _ _ memfill_left_out _ <<<"$answer"
}

# Wait for the line that begins with a word; sets $answer.
memfill_answer() { # WORD
	if ! IFS= read -r answer <&"$memfill_out"; then
		fail "memfill died instead of saying '$1': $(memfill_death)"
	fi
	[[ $answer == "$1"* ]] || fail "memfill says '$answer', not '$1'"
}

memfill_death() {
	local code=0
	wait "$memfill_pid" || code=$?
	memfill_pid=''
	echo "exit code $code; $(dmesg | grep -i 'out of memory' | tail -1)"
}

memfill_do() { # COMMAND ANSWER
	echo "$1" >&"$memfill_in"
	memfill_answer "$2"
}

# All of it out to swap: the first pass leaves what is busy.
memfill_swap_out() {
	local pass
	for pass in 1 2 3 4 5; do
		memfill_do out out
		[ "$(memfill_swapped)" -lt "$memfill_pages" ] || return 0
		note "pass $pass: $(memfill_swapped) of $memfill_pages pages are swapped out"
	done
}

memfill_swapped() { # pages
	local kib
	kib=$(value VmSwap "/proc/$memfill_pid/status")
	echo $((${kib% kB} / (page_size / 1024)))
}

memfill_compressed() { # bytes, if the kernel counts them
	value_or 0 "$memfill_group/memory.zswap.current"
}

memfill_verify() {
	memfill_do verify verified
	[ "$answer" = "verified $memfill_pages 0" ] ||
		fail "memory differs: $answer (pages, of which bad)"
}

memfill_stop() {
	[ -n "$memfill_pid" ] || return 0
	exec {memfill_in}>&- {memfill_out}<&-
	kill "$memfill_pid" 2>/dev/null || true
	wait "$memfill_pid" 2>/dev/null || true
	memfill_pid=''
	rmdir "$memfill_group" 2>/dev/null || true
}
