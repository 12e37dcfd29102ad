#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools/zsmalloc-rs on a real kernel: what it shows is what the kernel says, what it
# switches is switched.  Trees of all kinds are tests/tool/test_tool.py's.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/zswap-lib.sh
. "$(dirname "$0")/zswap-lib.sh"

tool=$here/../../tools/zsmalloc-rs

unload() {
	! has_module zsmalloc_rs || eventually 20 rmmod zsmalloc_rs 2>/dev/null ||
		fail "the module does not unload"
}

tear_down() {
	memfill_stop
	swap_off
	modprobe -r zram 2>/dev/null || true
	zswap_off 2>/dev/null || true
	unload
}

# exits CODE ARGUMENT...: run the tool; its output is in $said
exits() {
	local want=$1 code=0
	shift
	said=$("$tool" "$@" 2>&1) || code=$?
	[ "$code" = "$want" ] || fail "$*: exit code $code, not $want: $said"
}

says() { [[ $said == *"$1"* ]] || fail "no '$1' in: $said"; }

# json EXPRESSION: of `now`, what status --json gives
json() {
	"$tool" status --json |
		python3 -c 'import json, sys; now = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

is() { # WHAT VALUE EXPECTED
	[ "$2" = "$3" ] || fail "$1 is $2, not $3"
}

unused() {
	# what ran before may have left it loaded
	zt_unload
	unload
	exits 0 status
	says "zsmalloc_rs is not loaded"
	exits 1 check
	says "installed for this kernel"
	says "zswap is disabled"
}

zswap_case() {
	local mib=24
	! is_debug || mib=6
	swap_on 256
	exits 0 enable zswap
	is zpool "$(cat "$zswap/zpool")" zsmalloc_rs
	exits 0 check
	memfill_start $mib
	memfill_swap_out
	eventually 5 agree || fail "objects are $(json "now['pools'][0]['objects']"), stored $(zswap_count stored_pages)"
	is "stored" "$(json "now['pools'][0]['stored_bytes']")" $(($(zswap_count stored_pages) * page_size))
	is "pool" "$(json "now['pools'][0]['pool_bytes']")" "$(zswap_count pool_total_size)"
	is "names moved" "$(json "now['pools'][0]['names_moved'] == now['pools'][0]['counters']['names_moved']")" True
	is "dense and full" "$(json "now['pools'][0]['density'] > 1 and 0.5 < now['pools'][0]['fullness'] <= 1")" True
	is "version" "$(json "now['module']['version']")" "$(cat /sys/module/zsmalloc_rs/version)"
	exits 0 status
	note "$said"
	exits 0 disable
	says "still in use: zswap"
	memfill_verify
	memfill_stop
	swap_off
	eventually 20 free_again || fail "still in use: $said"
	exits 1 check
}

agree() { [ "$(json "now['pools'][0]['objects']")" = "$(zswap_count stored_pages)" ]; }

free_again() {
	exits 0 disable
	[[ $said == *"modprobe -r zsmalloc_rs"* ]]
}

zram_case() {
	local dir=/sys/block/zram0
	modprobe zram num_devices=2 || skip "kernel without zram"
	if [ ! -e $dir/allocator ]; then
		exits 1 enable zram
		says "lacks the patches"
		return
	fi
	exits 0 enable zram zram0
	echo 64M >$dir/disksize
	echo 64M >/sys/block/zram1/disksize
	exits 0 check
	says "ok: zram0 is on zsmalloc_rs"
	says "zram1 is on zsmalloc"
	exits 1 enable zram
	says "not changed: zram1"
	dd if=/usr/bin/bash of=/dev/zram0 bs=64k count=8 oflag=direct status=none
	is "pool" "$(json "now['pools'][0]['pool_bytes']")" "$(awk '{ print $3 }' $dir/mm_stat)"
	exits 0 disable
	says "still in use: zram0"
	echo 1 >$dir/reset
	exits 0 disable
	says "zram0: zsmalloc"
}

# Somebody who is not root still sees what sysfs has, and is told about the rest.
nobody() {
	modprobe zsmalloc_rs
	said=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$tool" status 2>&1) ||
		fail "status as nobody: $said"
	says "only root may read debugfs"
	says "zsmalloc_rs $(cat /sys/module/zsmalloc_rs/version) on Linux $(uname -r)"
	! said=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$tool" enable zswap 2>&1) ||
		fail "nobody could enable it"
	says "Permission denied"
}

tap_begin
tap_case "not loaded, not in use" unused
tap_case "zswap: enabled, shown, disabled" zswap_case
tap_case "zram: devices that are free, and not others" zram_case
tap_case "without root" nobody
tap_end
