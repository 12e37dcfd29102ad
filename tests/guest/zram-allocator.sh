#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# /sys/block/zramN/allocator: what it shows, takes and refuses, that a device is
# either whole or not there, and that nobody waits for modprobe but who asked.
# The default of new devices is in zram-default.
# shellcheck source=tests/guest/zram-lib.sh
. "$(dirname "$0")/zram-lib.sh"
# shellcheck source=tests/guest/faults-lib.sh
. "$here/faults-lib.sh"

shows_default() {
	new_device
	[ "$(selected "$sys")" = zsmalloc ] || fail "default: $(cat "$sys/allocator")"
	! grep -qwE 'zbud|z3fold' "$sys/allocator" || fail "listed: $(cat "$sys/allocator")"
	[ "$(wc -l <"$sys/allocator")" = 1 ] || fail "not one line"
	[ "$(grep -o '\[' "$sys/allocator" | wc -l)" = 1 ] || fail "not one selection"
}

loads_module() {
	modprobe -r zsmalloc_rs
	new_device
	! grep -qw zsmalloc_rs "$sys/allocator" || fail "listed before it is loaded"
	echo zsmalloc_rs >"$sys/allocator"
	has_module zsmalloc_rs || fail "not loaded"
	[ "$(selected "$sys")" = zsmalloc_rs ]
	grep -qw zsmalloc "$sys/allocator"
	# and back, without a newline this time
	printf zsmalloc >"$sys/allocator"
	[ "$(selected "$sys")" = zsmalloc ]
	grep -qw zsmalloc_rs "$sys/allocator"
}

refuses() {
	local long page
	long=$(string 300 x) page=$(string "$page_size" x)
	new_device zsmalloc_rs
	refused "$sys/allocator" EINVAL '\n' ' ' ' \t\n' nosuch 'no such' zsmalloc_ ZSMALLOC_RS -1 0 \
		'%s%n' 'zsmalloc_rs\nzsmalloc' 'nosuch\0zsmalloc' "$(string 63 x)" zbud z3fold
	refused "$sys/allocator" E2BIG "$(string 64 x)" "$(string 63 x)\n" "$long" "$page" "$page$long"
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "selection lost"
	# blanks around a name are no part of it
	[ "$(put "$sys/allocator" ' \t zsmalloc \n')" = ok ]
	[ "$(selected "$sys")" = zsmalloc ] || fail "$(cat "$sys/allocator") is selected"
	[ "$(put "$sys/allocator" 'zsmalloc_rs')" = ok ]
	# a string ends with its NUL, for the kernel
	[ "$(put "$sys/allocator" 'zsmalloc\0_rs')" = ok ]
	[ "$(selected "$sys")" = zsmalloc ] || fail "$(cat "$sys/allocator") is selected"
	[ "$(put "$sys/allocator" 'zsmalloc_rs')" = ok ]
	# and the device is none the worse
	echo 8M >"$sys/disksize"
	[ "$(cat "$sys/initstate")" = 1 ]
	store "$work/one" "$dev" 1
	refused "$sys/allocator" EBUSY nosuch zbud zsmalloc
	refused "$sys/allocator" EINVAL '\n' ' '
	refused "$sys/allocator" E2BIG "$long" "$page" "$page$long"
	same "$work/one" "$dev" 1
}

busy() { # ALLOCATOR
	new_device "$1" 8M
	for name in zsmalloc zsmalloc_rs zbud nosuch; do
		write_fails "$sys/allocator" "$name" EBUSY
	done
	[ "$(selected "$sys")" = "$1" ]
	echo 1 >"$sys/reset"
	[ "$(selected "$sys")" = "$1" ] || fail "a reset lost the selection"
	echo zsmalloc >"$sys/allocator"
	[ "$(selected "$sys")" = zsmalloc ]
}

# Others select all the time: a device that is set up is on what it says, and stays
# there until it is reset.
selected_meanwhile() {
	local i first c=0 rs=0
	new_device
	for i in 1 2; do
		(while :; do
			echo zsmalloc_rs >"$sys/allocator" || true
			sleep "0.0$((RANDOM % 10))"
			echo zsmalloc >"$sys/allocator" || true
			sleep "0.0$((RANDOM % 10))"
		done) 2>/dev/null & jobs+=($!)
	done
	for i in {1..60}; do
		echo 4M >"$sys/disksize"
		first=$(selected "$sys")
		case $first in
		zsmalloc_rs)
			rs=$((rs + 1))
			[ -e "/sys/kernel/debug/zsmalloc_rs/zram$nr" ] || fail "says it is on $first" ;;
		*)
			c=$((c + 1))
			[ -e "/sys/kernel/debug/zsmalloc/zram$nr" ] || fail "says it is on $first" ;;
		esac
		store "$work/one" "$dev" 1
		same "$work/one" "$dev" 1
		[ "$(selected "$sys")" = "$first" ] || fail "was on $first, is on $(selected "$sys")"
		eventually 5 reset_device || fail "cannot be reset"
		[ "$c" -lt 5 ] || [ "$rs" -lt 5 ] || break
	done
	echo "$c times on zsmalloc, $rs times on zsmalloc_rs"
	[ $((c * rs)) -gt 0 ] || fail "the selection never changed"
}

# udev or a process that is just ending may still hold it open
reset_device() { echo 1 >"$sys/reset"; } 2>/dev/null

# The module goes away after it was selected, and cannot be loaded again: no
# pool, so no device, and no module that is counted as used.
no_half_made_device() {
	new_device zsmalloc_rs
	modprobe -r zsmalloc_rs
	use_modprobe /bin/false
	write_fails "$sys/disksize" 8M ENOENT
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "selection not shown"
	not_set_up
	# now it can be loaded: the same device works
	use_modprobe "$real_modprobe"
	echo 8M >"$sys/disksize"
	[ "$(cat "$sys/initstate")" = 1 ]
	make_random "$work/r" 2
	store "$work/r" "$dev" 1
	same "$work/r" "$dev" 1
}

not_set_up() {
	[ "$(cat "$sys/initstate")" = 0 ] || fail "initialised"
	[ "$(cat "$sys/disksize")" = 0 ]
	[ "$(cat "$sys/size")" = 0 ]
	write_fails "$sys/compact" 1 EINVAL
}

# What is loaded when the pool is made is not what was there when it was selected:
# a driver of the same name that does not claim to store whole pages.
other_build() {
	new_device zsmalloc_rs
	rmmod zsmalloc_rs
	modprobe zpool_plain type=zsmalloc_rs whole_page=0
	write_fails "$sys/disksize" 8M EINVAL
	not_set_up
	write_fails "$sys/allocator" zsmalloc_rs EINVAL
	[ "$(cat "$sys/allocator")" = "zsmalloc [zsmalloc_rs]" ] || fail "lists $(cat "$sys/allocator")"
	rmmod zpool_plain || fail "still in use after all that was refused"
	echo 8M >"$sys/disksize"
	store "$work/one" "$dev" 0
	same "$work/one" "$dev" 0
}

# A modprobe that takes as long as we want, ten seconds at most: it says so if that
# was not enough, which means that what should not have waited for it has.
slow_modprobe() {
	rm -f "$work"/{asked,go,waited}
	cat >"$work/modprobe" <<-SH
		#!/bin/bash
		touch $work/asked
		for i in {1..100}; do
			[ ! -e $work/go ] || break
			sleep 0.1
		done
		[ -e $work/go ] || touch $work/waited
		exec $(cat /proc/sys/kernel/modprobe) "\$@"
	SH
	chmod +x "$work/modprobe"
	use_modprobe "$work/modprobe"
}

# nobody_waits FILE VALUE: while writing to a device's FILE loads the driver, its other
# files can be read, and other devices come and go.  It can itself be reset, but neither
# be removed nor lose the zram module.
nobody_waits() {
	local f other=$nr
	new_device zsmalloc_rs
	rmmod zsmalloc_rs
	[ "$1" != allocator ] || echo zsmalloc >"$sys/allocator"
	slow_modprobe
	echo "$2" >"$sys/$1" & jobs+=($!)
	eventually 10 test -e "$work/asked" || fail "modprobe was not run"
	for f in "$sys"/*; do
		[ ! -f "$f" ] || [ ! -r "$f" ] || cat "$f" >/dev/null 2>&1 || true
	done
	[ "$(cat "$sys/initstate")" = 0 ]
	echo 1 >"$sys/reset"
	write_fails /sys/class/zram-control/hot_remove "$nr" EBUSY
	echo "$other" >/sys/class/zram-control/hot_remove
	(new_device zsmalloc 4M; remove_device "$nr")
	! rmmod zram 2>/dev/null || fail "zram was unloaded meanwhile"
	[ ! -e "$work/waited" ] || fail "waited for modprobe"
	touch "$work/go"
	wait "${jobs[0]}" || fail "$2 into $1 failed"
	jobs=()
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "$(cat "$sys/allocator") is selected"
	[ "$1" = disksize ] || echo 8M >"$sys/disksize"
	[ "$(cat "$sys/disksize")" = $((8 * MB)) ]
	store "$work/one" "$dev" 0
	same "$work/one" "$dev" 0
}

slow_selection() {
	new_device zsmalloc 4M
	nobody_waits allocator zsmalloc_rs
}

slow_disksize() {
	new_device zsmalloc 4M
	nobody_waits disksize 8M
}

# Five seconds, and all the time somebody reads what can be read.
five_seconds() {
	local n=0 start end ms
	new_device zsmalloc_rs
	rmmod zsmalloc_rs
	printf '#!/bin/bash\nsleep 5\nexec %s "$@"\n' "$(cat /proc/sys/kernel/modprobe)" >"$work/modprobe"
	chmod +x "$work/modprobe"
	use_modprobe "$work/modprobe"
	start=$EPOCHREALTIME
	echo 8M >"$sys/disksize" & jobs+=($!)
	while [ "$n" -lt 300 ] && [ "$(cat "$sys/initstate")" = 0 ]; do
		cat "$sys/mm_stat" "$sys/comp_algorithm" "$sys/allocator" >/dev/null
		n=$((n + 1))
		sleep 0.1
	done
	end=$EPOCHREALTIME
	wait "${jobs[0]}"
	jobs=()
	ms=$(((${end/./} - ${start/./}) / 1000))
	echo "read $n times in $ms ms"
	[ "$ms" -ge 5000 ] || fail "modprobe did not take five seconds"
	[ "$n" -ge 5 ] || fail "only $n reads while modprobe ran"
}

# Devices are removed while somebody selects on them, which runs modprobe each time:
# refused while that runs, possible in between, and in the end nobody holds zram.
removed_meanwhile() {
	local i end refused=0
	cat >"$work/modprobe" <<-'SH'
		#!/bin/bash
		touch "${0%/*}/runs"
		sleep 0.$((1 + RANDOM % 2))
	SH
	chmod +x "$work/modprobe"
	use_modprobe "$work/modprobe"
	for i in {1..15}; do
		new_device
		rm -f "$work/runs"
		(while [ -e "$sys" ]; do
			echo nosuch >"$sys/allocator" || true
		done) 2>/dev/null & jobs=($!)
		end=$((SECONDS + 20))
		until [ -e "$work/runs" ] || [ "$SECONDS" -ge "$end" ]; do
			sleep 0.01
		done
		until echo "$nr" >/sys/class/zram-control/hot_remove; do
			refused=$((refused + 1))
			[ "$SECONDS" -lt "$end" ] || break
		done 2>/dev/null
		[ ! -e "$sys" ] || fail "round $i: cannot be removed"
		wait "${jobs[0]}"
	done
	jobs=()
	echo "removed $i devices, refused $refused times"
	[ "$refused" -gt 0 ] || fail "never refused"
	[ "$(cat /sys/module/zram/refcnt)" = 0 ] || fail "somebody holds the zram module"
}

# zram_init() gets no memory for one of many devices, and takes those back that it has.
# Somebody selects on the first of them: it has to wait, since its code goes next.
failing_init() {
	local n start ms said file waited=0
	needs_failslab
	file=$(modinfo -n zram)
	rmmod zram
	printf '#!/bin/bash\ntouch %s\nsleep 2\n' "$work/asked" >"$work/modprobe"
	chmod +x "$work/modprobe"
	use_modprobe "$work/modprobe"
	faults_in /sys/kernel/slab/kmalloc-*{512,1k,2k}
	for n in {50..600..50}; do
		rm -f "$work/asked"
		(until [ -e "$work/asked" ]; do
			echo nosuch >/sys/block/zram0/allocator || true
		done) 2>/dev/null & jobs=($!)
		start=$EPOCHREALTIME
		if said=$(loadmod "$file" "$n" num_devices=40); then
			wait "${jobs[0]}"
			break
		fi
		ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
		echo "allocation $n: $said after $ms ms"
		! grep -q '^zram ' /proc/modules || fail "half loaded"
		[ ! -e /sys/block/zram0 ] || fail "zram0 is still there"
		if [ -e "$work/asked" ]; then
			[ "$ms" -ge 1900 ] || fail "did not wait for who was selecting"
			waited=$((waited + 1))
			[ "$waited" -lt 3 ] || break
		fi
		touch "$work/asked"
		wait "${jobs[0]}"
	done
	jobs=()
	faults_nowhere
	[ "$waited" -gt 0 ] || fail "nobody was selecting when it failed"
	eventually 5 modprobe -r zram
	modprobe zram num_devices=0
}

pins_module() {
	new_device zsmalloc_rs 8M
	if rmmod zsmalloc_rs 2>/dev/null; then
		fail "unloaded while a device uses it"
	fi
	echo 1 >"$sys/reset"
	rmmod zsmalloc_rs || fail "still in use after a reset"
}

# zramctl resets a device before it sets it up, as mem_limit shows.
set_up_by_zramctl() {
	new_device zsmalloc_rs
	echo 10M >"$sys/mem_limit"
	zramctl --algorithm zstd --size 8M "$dev"
	[ "$(awk '{ print $4 }' "$sys/mm_stat")" = 0 ] || fail "zramctl does not reset any more"
	[ "$(cat "$sys/disksize")" = $((8 * MB)) ]
	[ "$(selected "$sys")" = zsmalloc_rs ] || fail "zramctl lost the selection"
	# which also removes the device
	zramctl --reset "$dev"
	rmmod zsmalloc_rs || fail "zramctl --reset left a pool"
}

hot_add_remove() {
	local i a
	for i in {1..5}; do
		for a in $ALLOCATORS; do
			new_device "$a" 4M
			store "$work/one" "$dev" 0
			echo "$nr" >/sys/class/zram-control/hot_remove
			[ ! -e "$sys" ] || fail "round $i: $sys is still there"
		done
	done
	rmmod zsmalloc_rs || fail "a removed device left its pool"
}

zram_begin
make_random "$work/one" 1
tap_case "the default is zsmalloc, what can be selected is listed" shows_default
tap_case "selecting loads the driver's module" loads_module
tap_case "unknown names and zbud are refused with EINVAL" refuses
for a in $ALLOCATORS; do
	tap_case "EBUSY once initialised, selection kept over a reset ($a)" busy "$a"
done
tap_case "selecting while the device is set up, used and reset" selected_meanwhile
tap_case "no half-made device when the driver is gone" no_half_made_device
tap_case "no pool of a driver that does not store whole pages" other_build
tap_case "nobody waits for the module of a selection" slow_selection
tap_case "nobody waits for the module of a pool" slow_disksize
tap_case "reads while modprobe takes five seconds" five_seconds
tap_case "devices are removed while others select" removed_meanwhile
tap_case "a device pins the driver's module" pins_module
tap_case "zramctl sets up a device and keeps the selection" set_up_by_zramctl
tap_case "hot_add and hot_remove, again and again" hot_add_remove
tap_case "loading zram fails while others select" failing_init
zram_end
