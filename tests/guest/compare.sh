#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What make run shows first: the workload on C zsmalloc and then on ours, in one boot,
# a column each, and what the two differ in.
#
#   tests/guest/compare.sh [MIB]
#
# Without MIB it is a quarter more than there is RAM: enough to drive all of it out.
# Exit code 0 only if both stored everything and gave all of it back.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
types=(zsmalloc zsmalloc_rs)
work=$(mktemp -d /tmp/compare.XXXXXX)
trap 'rm -rf "$work"' EXIT

# Neither finds files in the page cache that the other has read.
run() { # TYPE MIB [FILE]
	echo 3 >/proc/sys/vm/drop_caches
	if ! TYPE=$1 RESULTS=${3:-} "$here/workload.sh" "$2" >"$work/out" 2>&1; then
		cat "$work/out"
		exit 1
	fi
}

value() { awk -v name="$2" '$1 == name { print $2 }' "$work/$1"; } # TYPE NAME

# row LABEL NAME [DIVISOR [DIGITS]]: a line with both; what a type has not is "-"
row() {
	local type v
	printf '  %-44s' "$1"
	for type in "${types[@]}"; do
		v=$(value "$type" "$2")
		printf ' %14s' "$(awk -v v="$v" -v by="${3:-1}" -v digits="${4:-0}" \
			'BEGIN { if (v == "") print "-"; else printf "%.*f", digits, v / by }')"
	done
	echo
}

# The sum of two values, under a new name.
add() { # NAME NAME NAME
	local type
	for type in "${types[@]}"; do
		echo "$1 $(($(value "$type" "$2") + $(value "$type" "$3")))" >>"$work/$type"
	done
}

# How ours differs from C's, in words, if it differs by PERCENT or more.
differs() { # WHAT NAME PERCENT LESS MORE
	awk -v c="$(value zsmalloc "$2")" -v ours="$(value zsmalloc_rs "$2")" -v what="$1" \
		-v least="$3" -v less="$4" -v more="$5" 'BEGIN {
			if (c == 0) exit
			by = 100 * (ours - c) / c
			if (by <= -least) printf "  %s: %.1f %% %s\n", what, -by, less
			else if (by >= least) printf "  %s: %.1f %% %s\n", what, by, more
		}'
}

emulated() { grep -q 'TCG' /proc/cpuinfo; }

mib=${1:-$(awk '/^MemTotal/ { print int($2 * 5 / 4096) }' /proc/meminfo)}
# The first run of anything is slower: an emulator has yet to translate it.
for type in "${types[@]}"; do
	run "$type" 16
done
for type in "${types[@]}"; do
	echo "$mib MiB of memory in zswap on $type ..."
	run "$type" "$mib" "$work/$type"
done
add memory pool slab
echo
printf '  %-44s %14s %14s\n' "Linux $(uname -r)" "${types[@]}"
row "pages stored" stored
row "  their bytes, MiB" original 1048576 1
row "  compressed, MiB" compressed 1048576 1
row "pool, MiB" pool 1048576 2
row "pool and slab, MiB" memory 1048576 2
printf '  %-44s' "bytes stored in a byte of memory"
for type in "${types[@]}"; do
	printf ' %14s' "$(awk -v a="$(value "$type" original)" -v b="$(value "$type" memory)" \
		'BEGIN { printf "%.3f", a / b }')"
done
echo
row "seconds to fill and store" storing 1000 1
row "seconds to load and compare" loading 1000 1
row "seconds to free" freeing 1000 2
row "pages migrated, of all kinds" moved
row "  of these, pages of the pool" migrated
row "migrations put off, object in use" busy
row "migrations refused, page being freed" refused
row "pages that came back right" verified
echo
echo "zsmalloc_rs against zsmalloc:"
differs "memory for the same pages" memory 0.05 less more
if emulated; then
	echo "  times are those of an emulated processor, on a host that may be busy: not compared"
else
	differs "time to fill and store" storing 5 less more
	differs "time to load and compare" loading 5 less more
	differs "time to free" freeing 5 less more
fi
echo "  pages of the pool that moved: $(value zsmalloc_rs migrated)," \
	"refused, as they were being freed: $(value zsmalloc_rs refused)"
echo "ok: both kept every page and gave it back right"
