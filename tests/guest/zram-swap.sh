#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# zram as swap under memory pressure: a control group is given less memory than
# the data it works on, first in a tmpfs, then as anonymous memory, and all of
# it is read back and compared.
# shellcheck source=tests/guest/zram-lib.sh
. "$(dirname "$0")/zram-lib.sh"

cgroup=/sys/fs/cgroup
data_mb=48 limit_mb=16 # data comes in files of 8
! is_debug || data_mb=24 limit_mb=12
# Each processor has up to 64 pages charged to the group in advance.
if [ "$page_factor" -gt 1 ]; then
	data_mb=$((data_mb + 4 * page_factor)) limit_mb=$((limit_mb + 4 * page_factor))
fi

zswap=/sys/module/zswap/parameters/enabled

# what zswap keeps does not reach zram
without_zswap() {
	[ -e "$zswap" ] || return 0
	# shellcheck disable=SC2064
	trap "echo $(cat "$zswap") >$zswap; rm -rf '$work' '$tap_reason'" EXIT
	echo N >"$zswap"
}

limited_group() { # sets group
	mountpoint -q "$cgroup" || mount -t cgroup2 cgroup2 "$cgroup"
	echo +memory >"$cgroup/cgroup.subtree_control"
	group=$cgroup/zram-swap
	mkdir "$group"
	groups+=("$group")
	echo "${limit_mb}M" >"$group/memory.max"
}

swap_on() { # ALLOCATOR
	new_device "$1" 256M
	mkswap "$dev" >/dev/null
	swapon -p 32767 "$dev"
	swaps+=("$dev")
}

stored_enough() {
	local mb=$(($(mm_stat "$sys" orig_data_size) / MB))
	echo "$mb MB in $dev on $(selected "$sys"): $(cat "$sys/mm_stat")"
	# pages of one value are not counted, and a few of them there are
	[ "$mb" -ge $(((data_mb - limit_mb) * 3 / 4)) ] || fail "only $mb MB were swapped out"
}

in_tmpfs() { # ALLOCATOR
	bearable
	local m=$work/tmpfs i
	swap_on "$1"
	limited_group
	mkdir -p "$m"
	mount -t tmpfs -o size=$((data_mb + 16))M tmpfs "$m"
	mounts+=("$m")
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		for ((i = 0; i < data_mb / 8; i++)); do
			{ echo "$i"; cat "$work/corpus"; } | head -c $((8 * MB)) >"$m/$i"
		done
	)
	stored_enough
	write_fails "$sys/reset" 1 EBUSY
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		echo 1 >"$sys/compact"
		for ((i = 0; i < data_mb / 8; i++)); do
			{ echo "$i"; cat "$work/corpus"; } | head -c $((8 * MB)) |
				cmp - "$m/$i" || exit 1
			compact_memory
		done
	) || fail "data was lost"
	# and everything comes in again
	umount "$m"
	swapoff "$dev"
	[ "$(awk '{ print $1 + $2 }' "$sys/io_stat")" = 0 ] || fail "I/O errors: $(cat "$sys/io_stat")"
}

# Anonymous memory of a process: 1 MB strings, each with a number of its own.
# Every third is changed when all have been written, so pages are swapped out
# that were swapped in before.
anonymous() { # ALLOCATOR
	bearable
	swap_on "$1"
	limited_group
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		exec perl -e '
			use strict; use warnings;
			my ($file, $n) = @ARGV;
			open(my $f, "<:raw", $file) or die;
			read($f, my $corpus, 8 << 20) == 8 << 20 or die;
			sub block { my ($i, $v) = @_;
				return pack("NN", $i, $v) . substr($corpus, ($i % 7) << 20, (1 << 20) - 8); }
			my (@mem, @version);
			for my $i (0 .. $n - 1) { $mem[$i] = block($i, 0); $version[$i] = 0; }
			open(my $s, "<", "/proc/self/status") or die;
			print grep { /VmSwap/ } <$s>;
			for my $round (1, 2) {
				for my $i (grep { $_ % 3 == $round % 3 } 0 .. $n - 1) {
					$mem[$i] = block($i, $round); $version[$i] = $round;
				}
				for my $i (0 .. $n - 1) {
					die "block $i is damaged\n" if $mem[$i] ne block($i, $version[$i]);
				}
			}
			print "$n MB compared twice\n";
		' "$work/corpus" "$data_mb"
	) & jobs+=($!)
	wait "$!" || fail "the process failed: killed or data lost"
	jobs=()
	stat_is "$sys" mem_used_max -gt $((data_mb * MB / 8))
	[ "$(awk '{ print $1 + $2 }' "$sys/io_stat")" = 0 ] || fail "I/O errors: $(cat "$sys/io_stat")"
	swapoff "$dev"
}

# Not a failure of the kernel's: an emulated one with KASAN takes longer than a
# suite may.
bearable() {
	! is_debug || [ -n "${ZSM_ALL:-}" ] ||
		skip "takes too long on an emulated debug kernel; ZSM_ALL=1 runs it"
}

zram_begin
without_zswap
make_corpus "$work/corpus" 8
for a in $ALLOCATORS; do
	tap_case "swap under memory pressure: tmpfs ($a)" in_tmpfs "$a"
	tap_case "swap under memory pressure: anonymous memory ($a)" anonymous "$a"
done
zram_end
