#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# arm64, with pages of PAGE_SIZE.  TAP.
#
#   tests/arm64.sh           kernel, module, and in one guest a small workload and the
#                            guest tests that find most: minutes
#   tests/arm64.sh --full    the same with all guest tests, and on a processor
#                            without 52-bit addresses
#   tests/arm64.sh --build   only kernel, module and the guest's file system
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/../scripts/env.sh"
unset KDIR
export ARCH=arm64 FLAVOR=release

logs=$TOP/build/logs
name=$(target_name)
mkdir -p "$logs"
n=0 bad=0

full='' guests=1 what="--quick address classes module-load zpool-sizes zpool-migration zpool-refusals"
case ${1:-} in
'') ;;
--full) full=1 what='' ;;
--build) guests='' ;;
*) die "usage: $0 [--full | --build]" ;;
esac

result() { # NAME EXIT_CODE
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $name: $1"
	else
		echo "not ok $n - $name: $1 (exit code $2)"
		bad=1
	fi
}

# step NAME CMD…: what CMD says as comments, its exit code as a result
step() {
	local title=$1 code=0 start=$SECONDS
	shift
	"$@" 2>&1 | sed -u 's/^/# /' || code=$?
	echo "# $title: $((SECONDS - start)) s"
	result "$title" "$code"
	return "$code"
}

# points CMD…: TAP of its own, with our numbers
points() {
	local line code=0 fd seen=0 failed=0
	exec {fd}< <("$@" 2>&1; echo "exit $?")
	while IFS= read -r line <&"$fd"; do
		line=${line%$'\r'}
		case $line in
		'ok '* | 'not ok '*)
			[[ $line =~ ^(ok|not\ ok)\ [0-9]*\ ?-?\ ?(.*)$ ]]
			n=$((n + 1)) seen=1
			[ "${BASH_REMATCH[1]}" = ok ] || failed=1
			echo "${BASH_REMATCH[1]} $n - $name: ${BASH_REMATCH[2]}" ;;
		'exit '*) code=${line#exit } ;;
		'TAP version'* | '1..'*) ;;
		'#'*) echo "$line" ;;
		*) echo "# $line" ;;
		esac
	done
	exec {fd}<&-
	if [ "$failed" != 0 ]; then
		bad=1
	elif [ "$code" != 0 ] || [ "$seen" = 0 ]; then
		result "guest tests" "${code/#0/1}"
	fi
}

# With pages of 64K the kernel compacts in blocks of 512 MiB (pageblock_order), and
# needs several of them in a node to move anything.
memory=(--mem 1G --numa)
[ "$PAGE_SIZE" != 64K ] || memory=(--mem 3G)

guest() { # CMD…
	"$TOP/scripts/vm" --smp 2 "${memory[@]}" --disk 2G --timeout 3600 \
		--log "$logs/$name.console" -- "$@"
}

build() {
	step "set up" "$TOP/scripts/setup" && step "kernel" "$TOP/scripts/kernel" &&
		step "module" "$TOP/scripts/module" && step "file system" "$TOP/scripts/image"
}

if [ -z "$guests" ]; then
	build || true
elif build; then
	step "workload" guest tests/guest/workload.sh 128 || true
	# shellcheck disable=SC2086 # words
	points guest env ADDRESS_BITS=53 tests/guest/run $what
	[ -z "$full" ] || points "$TOP/tests/addresses.sh"
fi
echo "1..$n"
exit "$bad"
