#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Structs of zspages wait for a grace period; their pages do not.  How much
# memory is that at its peak, when all of a pool is freed at once, or zspages come
# and go as fast as they can?
#
# Documentation/rcu-backlog.rst says what bounds it.  bench/rcu-backlog runs this with
# more memory: BACKLOG_MIB.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/zswap-lib.sh
. "$(dirname "$0")/zswap-lib.sh"

mib=$((64 * SCALE)) churn_ms=$((3000 * SCALE)) most_percent=4
# structs are larger there, for lockdep
! is_debug || mib=$((12 * SCALE)) churn_ms=$((1000 * SCALE)) most_percent=8
mib=${BACKLOG_MIB:-$mib}

group=/sys/fs/cgroup/backlog
tear_down() {
	rm -f /tmp/backlog.*
	[ ! -e $group/cgroup.kill ] || echo 1 >$group/cgroup.kill
	memfill_stop
	swap_off
	zswap_off
	zt_unload
	modprobe -r zram 2>/dev/null || true
	rmdir $group 2>/dev/null || true
}

# A module that has counted nothing yet.
fresh() {
	zt_unload
	! has_module zsmalloc_rs || eventually 20 rmmod zsmalloc_rs 2>/dev/null ||
		fail "the module does not unload"
	modprobe zsmalloc_rs
}

# Largest struct of a zspage there is, in bytes: the sizes are in the caches' names.
largest() {
	local name size=0
	for name in /sys/kernel/slab/zs_rs_zspage-*; do
		name=${name##*/zs_rs_zspage-}
		[ "${name%%-*}" -le "$size" ] || size=${name%%-*}
	done
	[ "$size" != 0 ] || fail "no slab cache zs_rs_zspage-*"
	echo "$size"
}

# What is stored, before it is freed.
before() {
	zspages=$(counter zspages)
	pages=$(awk '$1 == "pages_used" { n += $2 } END { print n + 0 }' $debugfs/zsmalloc_rs/*/stats)
	size=$(largest)
	freed=$(counter zspages_freed_rcu)
}

# What waited, at most, and how long it took until nothing did.
after() { # WHAT
	local start=${EPOCHREALTIME/./} gone
	eventually 40 nothing_waits || fail "$(counter zspages_rcu_pending) zspages still wait"
	gone=$(((${EPOCHREALTIME/./} - start) / 1000))
	peak=$(counter zspages_rcu_pending_peak)
	freed=$(($(counter zspages_freed_rcu) - freed))
	awk -v what="$1" -v pages="$pages" -v zspages="$zspages" -v freed="$freed" -v peak="$peak" \
		-v size="$size" -v page="$page_size" -v gone="$gone" 'BEGIN {
			printf "%-24s %9.1f %9d %9d %9d %9.0f %8s %6.1f\n", what, pages * page / 1048576,
				zspages, freed, peak, peak * size / 1024,
				pages < 256 ? "-" : sprintf("%.2f", 100 * peak * size / (pages * page)),
				gone / 1000 }' >>"$figures"
	tail -1 "$figures"
}

nothing_waits() { [ "$(counter zspages_rcu_pending)" = 0 ]; }

# All that was freed at once is bounded by what there was: a struct a zspage, and a
# zspage has a page at least.
within_pool() {
	[ "$freed" -ge $((zspages * 9 / 10)) ] || fail "only $freed of $zspages zspages were freed"
	[ "$peak" -gt 0 ] || fail "none has waited"
	[ "$peak" -le $((zspages + zspages / 8)) ] || fail "$peak waited, there were $zspages"
	[ $((100 * peak * size)) -le $((most_percent * pages * page_size)) ] ||
		fail "$((peak * size)) bytes waited, the pool had $pages pages"
}

begin() {
	fresh
	swap_on 1024
	zswap_on zsmalloc_rs
}

unmap() {
	begin
	memfill_start "$mib"
	memfill_swap_out
	before
	memfill_do unmap unmapped
	after "munmap of everything"
	within_pool
}

# Several processes in a group, all of whose memory is in zswap; then the group has
# no memory any more, and they are killed at once.
oom() {
	local i killed code nr=4 pids=()
	! is_debug || skip "debug kernel: takes minutes there, and measures the debugging"
	begin
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
	mkdir -p $group
	echo 1 >$group/memory.oom.group
	rm -f /tmp/backlog.*
	for ((i = 0; i < nr; i++)); do
		mkfifo /tmp/backlog.$i
		# shellcheck disable=SC2086 # several directories
		(
			trap - EXIT
			echo "$BASHPID" >$group/cgroup.procs
			exec memfill $((mib / nr)) $corpus
		) <>/tmp/backlog.$i >/tmp/backlog.out.$i &
		pids+=($!)
	done
	for ((i = 0; i < nr; i++)); do
		eventually 600 grep -q filled /tmp/backlog.out.$i || fail "memfill $i does not begin"
		echo out >/tmp/backlog.$i
		eventually 600 grep -q out /tmp/backlog.out.$i || fail "memfill $i does not go out"
	done
	before
	echo 0 >$group/memory.max
	for i in "${pids[@]}"; do
		code=0
		wait "$i" 2>/dev/null || code=$?
		[ $code = 137 ] || fail "memfill ended with $code, it was not killed"
	done
	# the first victim is counted once more with its group
	killed=$(awk '/^oom_kill / { print $2 }' $group/memory.events)
	[ "$killed" -ge $nr ] || fail "$killed processes were killed, not $nr"
	after "OOM kill of $nr"
	within_pool
}

# The worst that can be thought of: in the kernel, on all processors, zspages that
# do not hold a page for longer than it takes to free it.
churn() {
	local limit try
	# RCU hurries when a processor has more than 10000 callbacks (rcutree.qhimark)
	limit=$((10 * 10000 * $(nproc)))
	# A processor that the host stops meanwhile runs no callbacks: what is without a bound
	# has none however often.
	for try in 1 2 3; do
		churn_once
		[ "$peak" -gt 0 ] || fail "none has waited"
		[ "$peak" -gt $limit ] || return 0
		note "try $try: $peak structs of $freed waited"
	done
	fail "more than $limit structs waited, each time: no bound is seen"
}

churn_once() {
	local cpu pids=() start
	fresh
	zt fill slot=3 name=zt-anchor count=1 size=4000 dist=one # so that sizes can be read
	before
	start=$SECONDS
	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		(zt churn "name=zt-churn$cpu" "ms=$churn_ms") >/dev/null & pids+=($!)
	done
	for cpu in "${pids[@]}"; do
		wait "$cpu" || fail "churn: $(cat "$tap_reason")"
	done
	after "churn on $(nproc) CPUs"
	note "$((SECONDS - start)) s"
	zt drop slot=3
}

# The same from user space: pages that do not compress are written over, on each
# processor, which leaves a struct for each page.
overwrite() {
	local nr dev cpu pids=() rounds=20
	! is_debug || skip "debug kernel: takes minutes there, and measures the debugging"
	fresh
	modprobe zram num_devices=0 || skip "kernel without zram"
	nr=$(cat /sys/class/zram-control/hot_add)
	dev=/dev/zram$nr
	[ -e "/sys/block/zram$nr/allocator" ] || skip "kernel without our patches of zram"
	echo zsmalloc_rs >"/sys/block/zram$nr/allocator"
	echo 64M >"/sys/block/zram$nr/disksize"
	head -c 8M /dev/urandom >/tmp/backlog.random
	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		write_pages "$dev" "$cpu"
	done
	before
	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		(for ((i = 0; i < rounds; i++)); do write_pages "$dev" "$cpu"; done) & pids+=($!)
	done
	for cpu in "${pids[@]}"; do
		wait "$cpu" || fail "a writer failed"
	done
	after "zram written over"
	[ "$freed" -ge "$(objects $((rounds * 2000)))" ] || fail "only $freed zspages were freed"
	[ "$peak" -le $((10 * 10000 * $(nproc))) ] || fail "$peak structs of $freed waited: no bound is seen"
}

write_pages() { # DEVICE CPU
	dd if=/tmp/backlog.random of="$1" bs=1M seek=$(($2 * 8)) oflag=direct conv=notrunc status=none
}

# Grace periods do not end while somebody keeps a processor in the kernel, as whoever
# has an object mapped does.  How much that adds up to is a matter of time; that all of
# it goes afterwards is what counts.
held() {
	local churner
	[ "$(nproc)" -gt 1 ] || skip "one processor: while it is held nobody frees"
	fresh
	zt fill slot=3 name=zt-anchor count=1 size=4000 dist=one
	before
	taskset -pc 1 "$BASHPID" >/dev/null
	(zt churn "ms=$churn_ms") >/dev/null & churner=$!
	taskset -pc 0 "$BASHPID" >/dev/null
	zt hold slot=3 rounds=$((churn_ms / 500)) ms=500
	wait $churner || fail "churn: $(cat "$tap_reason")"
	after "churn, 1 CPU held 0.5 s"
	zt drop slot=3
}

figures=$(mktemp)
trap 'rm -f "$figures" "$tap_reason"' EXIT
printf '%-24s %9s %9s %9s %9s %9s %8s %6s\n' "$(nproc) CPUs" "pool MiB" zspages freed waiting KiB "% of pool" "s" >"$figures"
tap_begin
tap_case "munmap of everything" unmap
tap_case "a group is killed for lack of memory" oom
tap_case "zspages that come and go" churn
tap_case "zram is written over" overwrite
tap_case "zspages that come and go while no grace period ends" held
sed 's/^/# /' "$figures"
tap_end
