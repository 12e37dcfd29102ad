#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Trace events, as trace-cmd records them: each says what the counters say.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

count=$(objects $((3000 * SCALE)))
size=$((160 * page_factor))
tracefs=/sys/kernel/tracing
work=$(mktemp -d)
trap 'rm -rf "$work" "$tap_reason"' EXIT

tear_down() { zt_unload; }

# traced COMMAND…: run it, and keep the events of that time, a line each
traced() {
	trace-cmd clear
	"$@"
	trace-cmd show >"$work/report"
	keep "$work/report"
	note "$(wc -l <"$work/events") events, the first of each kind:"
	awk '!seen[$1]++' "$work/events"
}

keep() { # REPORT
	! grep -E 'LOST|EVENTS DROPPED' "$1" || fail "events were lost"
	sed -n 's/.*: *zs_rs_\([a-z_]*\): */\1 /p' "$1" >"$work/events"
}

# fields EVENT FIELD…: of each such event, in that order
fields() {
	local event=$1
	shift
	awk -v event="$event" -v names="$*" '
		$1 == event {
			split("", has)
			for (i = 2; i <= NF; i++) {
				at = index($i, "=")
				has[substr($i, 1, at - 1)] = substr($i, at + 1)
			}
			n = split(names, want, " ")
			line = ""
			for (i = 1; i <= n; i++)
				line = line (i > 1 ? " " : "") has[want[i]]
			print line
		}' "$work/events"
}

sum() { awk '{ n += $1 } END { print n + 0 }'; }

# rose COUNTER N: by as much, and not by nothing
rose() {
	local now
	now=$(counter "$1")
	[ "$2" -gt 0 ] || fail "no event for $1, which rose by $((now - before[$1]))"
	[ $((now - before[$1])) = "$2" ] || fail "$1 rose by $((now - before[$1])), events say $2"
}

declare -A before
remember() { # COUNTER…
	local c
	for c; do
		before[$c]=$(counter "$c")
	done
}

fill_and_drop() {
	zt fill dist=uniform "count=$count" "seed=$SEED"
	zt drop
}

# A pool's life, and in it the lives of its zspages.
lives() {
	local pool
	remember zspages_freed_rcu
	traced fill_and_drop
	[ "$(fields pool_create chain_size)" = "$(cat $parameters/chain_size)" ] ||
		fail "not one pool made with the chain size of the module"
	[ -n "$(fields pool_create name)" ] || fail "a pool without a name"
	pool=$(fields pool_create pool)
	[ "$(fields pool_destroy pool leaked)" = "$pool 0" ] || fail "not destroyed, or leaked"

	[ "$(fields zspage_birth pool | sort -u)" = "$pool" ] || fail "born in another pool"
	fields zspage_birth size pages objects | awk -v page="$page_size" '
		$2 < 1 || $2 > 16 || $3 < 1 || $1 * $3 > $2 * page || $1 * ($3 + 1) <= $2 * page - page {
			print
			bad = 1
		}
		END { exit bad }' || fail "zspages that cannot be"
	fields zspage_birth pool zspage size pages | sort >"$work/births"
	fields zspage_death pool zspage size pages | sort >"$work/deaths"
	diff "$work/births" "$work/deaths" || fail "births and deaths differ"
	eventually 5 freed "$(wc -l <"$work/deaths")" || rose zspages_freed_rcu "$(wc -l <"$work/deaths")"
}

freed() { [ $(($(counter zspages_freed_rcu) - before[zspages_freed_rcu])) = "$1" ]; }

compaction() {
	zt fill dist=compressed "size=$size" "count=$count" "seed=$SEED"
	zt thin percent=66 "seed=$SEED"
	remember objects_compacted pages_compacted
	traced shrink_slabs
	rose objects_compacted "$(fields compact moved | sum)"
	rose pages_compacted "$(fields compact freed | sum)"
	[ "$(fields compact size | sort | uniq -d)" = "" ] || note "a class was compacted twice"
	zt drop
}

# migrations RESULT COUNTER COMMAND…
migrations() {
	local result=$1 counter=$2
	shift 2
	zt_core
	remember "$counter"
	traced zt "$@"
	rose "$counter" "$(fields migrate result | grep -cx "$result")"
	fields migrate from to | awk '$1 == $2 { exit 1 }' || fail "a page that migrated to itself"
}

# What trace-cmd makes of the recorded bytes is what the kernel says of them.
recorded() {
	zt_core
	traced zt raced op=migrate rounds=4
	# the kernel hashes addresses
	sed 's/\(pool\|zspage\)=[^ ]*//g' "$work/events" >"$work/shown"
	trace-cmd stop
	trace-cmd extract -o "$work/dat" >/dev/null
	trace-cmd report -i "$work/dat" >"$work/report"
	keep "$work/report"
	sed 's/\(pool\|zspage\)=[^ ]*//g' "$work/events" | diff "$work/shown" -
}

refused_isolation() {
	zt_core
	remember isolate_refused_freed
	traced zt raced op=isolate rounds=20
	rose isolate_refused_freed "$(fields isolate_refused pfn | wc -l)"
}

tap_begin
modprobe zsmalloc_rs
mountpoint -q $tracefs || mount -t tracefs tracefs $tracefs 2>/dev/null || true
if [ ! -d $tracefs/events/zsmalloc_rs ]; then
	tap_case "trace events" skip "kernel without CONFIG_EVENT_TRACING"
	tap_end
	exit
fi
trace-cmd start -b 8192 -e zsmalloc_rs >/dev/null
tap_case "pools and zspages, from birth to death" lives
tap_case "compaction: objects moved, pages freed" compaction
tap_case "migration: done" migrations migrated pages_migrated migrate "step=$((size_step + 6))" "seed=$SEED"
tap_case "migration: an object was mapped" migrations busy migrate_busy migrate-busy rounds=4
tap_case "migration: the page had been freed" migrations freed migrate_refused_freed raced op=migrate rounds=20
tap_case "isolation, refused" refused_isolation
tap_case "events as they are recorded" recorded
trace-cmd reset
tap_end
