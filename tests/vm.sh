#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does scripts/vm say so when something goes wrong?  A test suite is worth what
# its verdicts are.  TAP.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/zsm-vmtest.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=0 bad=0

result() { # NAME WANTED GOT
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - vm: $1"
	else
		sed 's/^/# /' "$work/out"
		echo "not ok $n - vm: $1 (exit code $3, not $2)"
		bad=1
	fi
}

vm() { # NAME WANTED ARGS…
	local name=$1 want=$2 code=0
	shift 2
	"$top/scripts/vm" --no-module "$@" >"$work/out" 2>&1 || code=$?
	result "$name" "$want" "$code"
}

log() { # WANTED LINE…: a log with these lines in it
	local code=0 want=$1
	shift
	{
		echo '[    0.1] Linux version'
		printf '[    1.0] %s\n' "$@"
		echo '[    2.0] end'
	} >"$work/log"
	"$top/scripts/scan-log" "$work/log" >"$work/out" 2>&1 || code=$?
	result "the log '${1:0:60}'" "$want" "$code"
}

log 1 'Kernel panic - not syncing: Fatal exception'
log 1 'BUG: unable to handle page fault for address: fffe641a0a937458'
log 1 'Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000'
log 0 'Unable to handle swap header version -2'
log 1 'Internal error: synchronous external abort: 0000000096000410 [#1] SMP'
log 1 'kernel BUG at mm/zsmalloc.c:123!'
log 1 'WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:1 f+0x1/0x2'
log 1 'CFI failure at zpool_map_handle+0x1/0x2 (target: f+0x0/0x2; expected type: 0x00000001)'
log 1 'WARNING: possible circular locking dependency detected'
log 1 'WARNING: suspicious RCU usage'
log 1 'BUG: KASAN: slab-use-after-free in f+0x1/0x2'
rule='=================================================================='
log 1 'BUG: KCSAN: data-race in zs_rs_page_free / isolate_movable_page' "$rule"
log 1 'BUG: KCSAN: data-race in isolate_movable_page / __free_pages' \
	'write to 0xffff8880 of 8 bytes by task 1 on cpu 0:' ' zs_rs_page_free+0x1/0x2' "$rule"
log 0 'BUG: KCSAN: data-race in tick_sched_do_timer / tick_sched_do_timer' \
	'write to 0xffff8880 of 8 bytes by task 1 on cpu 0:' ' tick_nohz_handler+0x1/0x2' "$rule"
log 0 'BUG: KCSAN: data-race in hrtimer_wakeup / schedule_hrtimeout_range_clock' \
	'read to 0xffff8880 of 8 bytes by task 1 on cpu 0:' ' usleep_range_state+0x1/0x2' \
	' zt_step_compact+0x1/0x2 [zpool_test]' "$rule"
# whose it is stands in lines that are not there
log 1 'BUG: KCSAN: data-race in __free_pages / cut off'
log 1 'UBSAN: array-index-out-of-bounds in a.c:1:2'
log 1 'rcu: INFO: rcu_preempt self-detected stall on CPU'
log 1 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:'
log 1 'watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [a:1]'
log 1 'INFO: task a:1 blocked for more than 120 seconds.'
log 1 'kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)'
log 1 'BUG: Bad page state in process a  pfn:1'
log 1 'list_del corruption. next->prev should be 1, but was 2'
log 1 'ODEBUG: free active (active state 0) object: 1'
log 1 'rust_kernel: panicked at a.rs:1:2:'
expected='zpool_test: expected in zt_double_free: free of what is not allocated'
warning=('------------[ cut here ]------------' 'zsmalloc_rs: free of what is not allocated (handle 1)'
	'WARNING: CPU: 0 PID: 1 at shim.c:1 zs_rs_warn+0x1/0x2' ' zt_double_free+0x1/0x2 [zpool_test]'
	'---[ end trace 0000000000000000 ]---')
log 0 "$expected"$'\r' "${warning[@]}"
log 1 "${warning[@]}"
log 1 "$expected" "${warning[@]}" "${warning[@]}"
log 1 "$expected" "${warning[@]/zt_double_free/zt_thin}"
log 1 "$expected" "${warning[@]/not allocated/elsewhere}"
log 1 "$expected" 'WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:1 f+0x1/0x2'
log 1 "$expected"
log 1 "$expected" "${warning[@]:0:3}"
log 0 'a: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL)'
log 0 'zram: Added device: zram0'

vm "the command's exit code comes through" 7 'exit 7'
vm "a warning is a failure, whatever the command says" 99 \
	'echo "WARNING: at a test" >/dev/kmsg'
vm "a panic is a failure" 99 'echo c >/proc/sysrq-trigger; sleep 60'
result "and is not booted again" 0 "$(grep -c 'booted once more' "$work/out")"
vm "a kernel without a root file system panics" 99 --append root=/dev/none true
result "before init, and is booted once more" 1 "$(grep -c 'booted once more' "$work/out")"
vm "a machine that just ends gives no verdict" 98 'echo b >/proc/sysrq-trigger; sleep 60'
vm "a command that takes too long gives no verdict" 98 --timeout 30 'sleep 600'

n=$((n + 1))
"$top/scripts/vm" --no-module 'echo to-stdout; echo to-stderr >&2' >"$work/out" 2>/dev/null || true
if [ "$(tr -d '\r' <"$work/out")" = $'to-stdout\nto-stderr' ]; then
	echo "ok $n - vm: output comes through"
else
	sed 's/^/# /' "$work/out"
	echo "not ok $n - vm: output comes through"
	bad=1
fi
echo "1..$n"
exit $bad
