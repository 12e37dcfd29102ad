# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by run: what goes on around the pool while it is under torture.  Each
# function step_NAME is one step of a disturber, which goes on until it is told
# to stop.  A step that finds something wrong calls fail.

# zswap, memfill_group: zswap-lib.sh; the rest: run
# shellcheck disable=SC2154,SC2034

disturbers="compact shrink nomem huge offline reclaim oom hotplug pools switch unload"

# Whether this machine has what it takes.
possible() { # NAME
	case $1 in
	compact) has_compaction ;;
	nomem) [ -d "$debugfs/failslab" ] && [ -e /proc/self/make-it-fail ] ;;
	huge) [ -w /proc/sys/vm/nr_hugepages ] && has_compaction ;;
	offline) compgen -G '/sys/devices/system/memory/memory*/state' >/dev/null ;;
	reclaim | oom) [ -d "$memfill_group" ] ;;
	hotplug) compgen -G '/sys/devices/system/cpu/cpu[1-9]*/online' >/dev/null ;;
	switch) [ -n "$user_memory" ] ;;
	*) true ;;
	esac
}

# From here on this shell draws its numbers from a seed.
draw_from() { RANDOM=$1; }

# start NAME: the disturber runs in the background.  $work/NAME.steps is how many
# steps it has done.
start() {
	(
		n=0
		draw_from $((round_seed + ${#running[@]}))
		while [ ! -e "$work/stop" ]; do
			"step_$1"
			n=$((n + 1))
			echo $n >"$work/$1.steps"
			nap "0.$((RANDOM % 5))"
		done
	) >"$work/$1.log" 2>&1 &
	running[$!]=$1
}

# Ends all of them; fails if one of them did.
declare -A running=()
stop_all() {
	local pid bad=''
	touch "$work/stop"
	for pid in "${!running[@]}"; do
		wait "$pid" || bad+=" ${running[$pid]}"
		note "${running[$pid]}: $(value_or 0 "$work/${running[$pid]}.steps") steps"
	done
	running=()
	rm -f "$work/stop"
	restore
	for pid in $bad; do
		sed 's/^/#   /' "$work/$pid.log"
	done
	[ -z "$bad" ] || fail "disturbers failed:$bad: $(<"$tap_reason")"
}

# As it was: all processors, all memory, and no faults.
restore() {
	local f
	faults_nowhere
	for f in /sys/devices/system/cpu/cpu[1-9]*/online; do
		[ ! -e "$f" ] || echo 1 >"$f" || true
	done
	for f in /sys/devices/system/memory/memory*/state; do
		[ ! -e "$f" ] || [ "$(<"$f")" = online ] || echo online >"$f" || true
	done 2>/dev/null
}

one_more() { echo $(($(value_or 0 "$1") + 1)) >"$1"; } # FILE with a number

step_compact() { compact_memory; }
step_shrink() { shrink_slabs; }
step_nomem() { shrink_without_memory 50; }
step_huge() { huge_pages; }

# A block of memory at random: everything on it that can move has to.  It comes back to
# the zone that it was in, or the other one would be used up.
step_offline() {
	local blocks block how=online_kernel
	blocks=(/sys/devices/system/memory/memory*/state)
	block=${blocks[RANDOM % ${#blocks[@]}]}
	[[ $(<"${block%/*}/valid_zones") != Movable* ]] || how=online_movable
	if echo offline >"$block" 2>/dev/null; then
		one_more "$work/offlined"
		nap 0.2
		echo $how >"$block" || true
	fi
}

# The kernel takes back memory of the group whose pages are verified.
step_reclaim() {
	echo "$((1 + RANDOM % 16))M" >"$memfill_group/memory.reclaim" 2>/dev/null || true
}

# A group fills its memory and its share of swap, and is killed: all of what it
# had stored is freed at once.
step_oom() {
	local group=/sys/fs/cgroup/oom before after
	mkdir -p $group
	echo 6M >$group/memory.max
	echo 10M >$group/memory.swap.max
	before=$(value oom_kill $group/memory.events)
	# shellcheck disable=SC2154 # corpus: zswap-lib.sh
	(
		echo "$BASHPID" >$group/cgroup.procs
		echo 1000 >/proc/self/oom_score_adj
		# shellcheck disable=SC2086 # several directories
		exec memfill 64 $corpus
	) </dev/null >/dev/null 2>&1 || true
	after=$(value oom_kill $group/memory.events)
	[ "$after" -gt "$before" ] || return 0
	one_more "$work/killed"
}

step_hotplug() {
	local cpus cpu
	cpus=(/sys/devices/system/cpu/cpu[1-9]*/online)
	cpu=${cpus[RANDOM % ${#cpus[@]}]}
	echo 0 >"$cpu" || true
	nap 0.2
	echo 1 >"$cpu" || true
}

# Pools that come and go beside the one under torture.
step_pools() { zt pools pools=2 rounds=1 count=200 "seed=$RANDOM" "settle=$settle_shrunk"; }

# zswap turns from one allocator to the other.
step_switch() {
	zswap_turn zsmalloc
	nap 1
	zswap_turn zsmalloc_rs
	nap 1
}

# While there are pools: refused, and nothing comes of it.
step_unload() {
	! rmmod zsmalloc_rs 2>/dev/null || fail "a module with pools was unloaded"
}
