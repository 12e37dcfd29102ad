#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is stored on zram comes back, and everything that zram offers works,
# with every allocator: statistics, memory limit, compaction, recompression,
# writeback, reset, file system.
# shellcheck source=tests/guest/zram-lib.sh
. "$(dirname "$0")/zram-lib.sh"

corpus_mb=4
! is_debug || corpus_mb=2

pages() { echo $(($1 * MB / page)); }

statistics() { # ALLOCATOR
	new_device "$1" 32M
	stat_is "$sys" mem_used_total -eq 0

	head -c "$MB" /dev/zero >"$work/zero"
	store "$work/zero" "$dev" 0
	stat_is "$sys" same_pages -eq "$(pages 1)"
	stat_is "$sys" orig_data_size -eq "$MB"
	stat_is "$sys" mem_used_total -eq 0

	store "$work/random" "$dev" 1
	stat_is "$sys" huge_pages -eq "$(pages 2)"
	stat_is "$sys" compr_data_size -eq $((2 * MB))
	stat_is "$sys" mem_used_total -eq $((2 * MB))

	store "$work/corpus" "$dev" 3
	stat_is "$sys" orig_data_size -eq $(((3 + corpus_mb) * MB))
	stat_is "$sys" huge_pages_since -eq "$(mm_stat "$sys" huge_pages)"
	stat_is "$sys" compr_data_size -lt $(((2 + corpus_mb) * MB))
	stat_is "$sys" mem_used_total -ge "$(mm_stat "$sys" compr_data_size)"
	stat_is "$sys" mem_used_max -eq "$(mm_stat "$sys" mem_used_total)"
	cat "$sys/mm_stat"
	same "$work/zero" "$dev" 0
	same "$work/random" "$dev" 1
	same "$work/corpus" "$dev" 3

	max=$(mm_stat "$sys" mem_used_max)
	blkdiscard "$dev"
	for f in orig_data_size compr_data_size same_pages huge_pages; do
		stat_is "$sys" "$f" -eq 0
	done
	stat_is "$sys" huge_pages_since -ge "$(pages 2)"
	sleep 0.2 # C zsmalloc frees some pages from a worker
	stat_is "$sys" mem_used_total -eq 0
	stat_is "$sys" mem_used_max -eq "$max"
	echo 0 >"$sys/mem_used_max"
	stat_is "$sys" mem_used_max -eq 0
}

# objects_take ALLOCATOR SYS: bytes of memory that its objects take, each the part of its zspage that
# it has of a full one.  Nothing was freed, so that a class has at most one zspage that is not full:
# how full that one is, is chance, and weighs much with so few objects.
objects_take() {
	awk -v page="$page" -v total="$(mm_stat "$2" mem_used_total)" '
		$1 ~ /^[0-9]+$/ && $15 > 0 {
			size = $2; used = $15; pages = $16; chain = $17
			objects = int(chain * page / size)
			least = chain * int((used + objects - 1) / objects)
			if (pages != least) {
				print "class " $1 ": " used " objects in " pages " pages, not " least
				bad = 1
				exit
			}
			bytes += used * chain * page / objects
			sum += pages * page
		}
		END {
			if (bad) exit 1
			if (sum == 0 || sum != total) {
				print "pages of all classes are " sum " bytes, mem_used_total is " total
				exit 1
			}
			printf "%d\n", bytes
		}' "$debugfs/$1/${2##*/}/classes"
}

# The same data on both: all that zram counts is equal, or less, and so is what objects take.
density() {
	local f c rs c_takes rs_takes
	new_device zsmalloc 32M; c=$sys
	store "$work/corpus" "$dev" 0
	new_device zsmalloc_rs 32M; rs=$sys
	store "$work/corpus" "$dev" 0
	for f in orig_data_size same_pages; do
		stat_is "$rs" "$f" -eq "$(mm_stat "$c" "$f")"
	done
	# without a header, 8 bytes more go into the last class that is not huge
	for f in compr_data_size huge_pages huge_pages_since; do
		stat_is "$rs" "$f" -le "$(mm_stat "$c" "$f")"
	done
	c_takes=$(objects_take zsmalloc "$c") || fail "zsmalloc: $c_takes"
	rs_takes=$(objects_take zsmalloc_rs "$rs") || fail "zsmalloc_rs: $rs_takes"
	[ "$rs_takes" -le "$c_takes" ] ||
		fail "objects take $rs_takes bytes, with zsmalloc $c_takes"
	echo "objects take $rs_takes bytes, with zsmalloc $c_takes;" \
		"pages $(($(mm_stat "$rs" mem_used_total) / page)) and $(($(mm_stat "$c" mem_used_total) / page))"
}

# A full pool refuses new data and keeps the old, page for page.
memory_limit() { # ALLOCATOR
	local n failed
	new_device "$1" 32M
	store "$work/corpus" "$dev" 0
	# little room, so that what does not compress meets the limit whatever the old data gives back
	echo $(($(mm_stat "$sys" mem_used_total) + 8 * page)) >"$sys/mem_limit"
	failed=$(awk '{ print $2 }' "$sys/io_stat")

	# over the old data, one page a request, until the first that fails
	if dd if="$work/random" of="$dev" bs="$page" oflag=direct conv=notrunc 2>"$work/dd"; then
		fail "the limit was not enforced"
	fi
	[ "$(awk '{ print $2 }' "$sys/io_stat")" -gt "$failed" ] || fail "failed_writes not counted"
	n=$(sed -n 's/+.* records out//p' "$work/dd")
	[ "$n" -gt 0 ] || fail "nothing fitted: $(cat "$work/dd")"
	echo "$n pages overwritten before the limit was hit"
	same "$work/random" "$dev" 0 $((n * page))
	{
		head -c $((n * page)) "$work/random"
		tail -c +$((n * page + 1)) "$work/corpus"
	} >"$work/expected"
	same "$work/expected" "$dev" 0
	# a page that needs no memory still goes in, and room helps
	dd if=/dev/zero of="$dev" bs="$page" count=1 seek=$((31 * MB / page)) oflag=direct status=none
	echo 0 >"$sys/mem_limit"
	store "$work/random" "$dev" 0
	same "$work/random" "$dev" 0
}

# One process, since a blkdiscard for each would take long: 0x1277 is BLKDISCARD.
discard_three_of_four() { # COUNT
	perl -e '
		my ($dev, $page, $n) = @ARGV;
		open(my $f, "+<", $dev) or die;
		for my $i (0 .. $n - 1) {
			ioctl($f, 0x1277, pack("QQ", $i * 4 * $page, 3 * $page)) or die "discard: $!\n";
		}' "$dev" "$page" "$1"
}

# As much data as the corpus.  Of larger pages there are so few that hardly two of them
# share a class: then it is five pages, over and over.
dense_corpus() { # FILE
	local i
	if [ "$page_factor" = 1 ]; then
		cp "$work/corpus" "$1"
		return
	fi
	for ((i = 0; i < corpus_mb * MB; i += 5 * page)); do
		head -c $((5 * page)) "$work/corpus"
	done >"$1"
	truncate -s $((corpus_mb * MB)) "$1"
}

# Three of four pages are discarded, then compaction has something to do.
compaction() { # ALLOCATOR
	local before n=$((corpus_mb * MB / page / 4)) stats
	new_device "$1" 32M
	dense_corpus "$work/dense"
	store "$work/dense" "$dev" 0
	discard_three_of_four "$n"
	before=$(mm_stat "$sys" mem_used_total)
	stat_is "$sys" pages_compacted -eq 0
	echo 1 >"$sys/compact"
	stat_is "$sys" pages_compacted -gt 0
	freed=$(mm_stat "$sys" pages_compacted)
	echo "$((before / page)) pages, $freed freed by compaction"
	sleep 0.2
	stat_is "$sys" mem_used_total -le $((before - freed * page))
	stats=/sys/kernel/debug/zsmalloc_rs/zram$nr/stats
	if [ "$1" = zsmalloc_rs ]; then
		[ "$(awk '$1 == "pages_compacted" { print $2 }' "$stats")" = "$freed" ] ||
			fail "the allocator counts differently"
	fi
	# every fourth page is there, the others read as zeros
	dd if=/dev/zero bs="$page" count=$((n * 4)) status=none >"$work/image"
	perl -e '
		my ($page, $n, $src, $dst) = @ARGV;
		open(my $s, "<:raw", $src) or die; open(my $d, "+<:raw", $dst) or die;
		for my $i (map { $_ * 4 + 3 } 0 .. $n - 1) {
			seek($s, $i * $page, 0); read($s, my $buf, $page) == $page or die;
			seek($d, $i * $page, 0); print $d $buf;
		}' "$page" "$n" "$work/dense" "$work/image"
	same "$work/image" "$dev" 0
}

# lzo-rle first, then zstd for what is idle, then for what did not compress.
recompression() { # ALLOCATOR
	local before after huge
	new_device "$1"
	[ -e "$sys/recompress" ] || skip "CONFIG_ZRAM_MULTI_COMP is not set"
	grep -qw zstd "$sys/comp_algorithm" || skip "no zstd in this kernel"
	echo lzo-rle >"$sys/comp_algorithm"
	echo "algo=zstd priority=1" >"$sys/recomp_algorithm"
	echo 32M >"$sys/disksize"
	store "$work/corpus" "$dev" 0
	store "$work/random" "$dev" 8
	before=$(mm_stat "$sys" compr_data_size) huge=$(mm_stat "$sys" huge_pages)

	echo all >"$sys/idle"
	echo "type=idle" >"$sys/recompress"
	after=$(mm_stat "$sys" compr_data_size)
	echo "compressed size $before, recompressed $after"
	[ "$after" -lt "$before" ] || fail "nothing gained"
	stat_is "$sys" orig_data_size -eq $(((2 + corpus_mb) * MB))
	stat_is "$sys" mem_used_total -ge "$after"
	stat_is "$sys" huge_pages -le "$huge"
	same "$work/corpus" "$dev" 0
	same "$work/random" "$dev" 8

	# random data stays as it is, and is marked so that it is not tried again
	echo "type=huge" >"$sys/recompress"
	stat_is "$sys" huge_pages -ge "$(pages 2)"
	block_state=/sys/kernel/debug/zram/zram$nr/block_state
	if [ -e "$block_state" ]; then
		grep -q 'r[n.]$' "$block_state" || fail "no page is marked as recompressed"
		grep -q 'n$' "$block_state" || fail "no page is marked as incompressible"
	fi

	# overwrite recompressed pages and start over
	store "$work/random" "$dev" 0
	same "$work/random" "$dev" 0
	store "$work/corpus" "$dev" 0
	[ "$(mm_stat "$sys" compr_data_size)" -gt "$after" ] || fail "still recompressed"
	echo all >"$sys/idle"
	echo "type=idle algo=zstd threshold=1000" >"$sys/recompress"
	same "$work/corpus" "$dev" 0
	same "$work/random" "$dev" 8
	write_fails "$sys/recompress" "threshold=$page" EINVAL
	blkdiscard "$dev"
	sleep 0.2
	stat_is "$sys" compr_data_size -eq 0
	stat_is "$sys" mem_used_total -eq 0
}

writeback() { # ALLOCATOR
	local back used what
	new_device "$1"
	[ -e "$sys/backing_dev" ] || skip "CONFIG_ZRAM_WRITEBACK is not set"
	truncate -s 16M "$work/back"
	back=$(losetup --find --show "$work/back")
	loops+=("$back")
	echo "$back" >"$sys/backing_dev"
	echo 32M >"$sys/disksize"
	store "$work/corpus" "$dev" 0
	store "$work/random" "$dev" 8
	used=$(mm_stat "$sys" mem_used_total)

	# one page by its number; what is no page, or no kind of writeback, is refused
	echo page_index=3 >"$sys/writeback"
	[ "$(awk '{ print $1 }' "$sys/bd_stat")" = $((page / 4096)) ] || fail "bd_stat: $(cat "$sys/bd_stat")"
	for what in page_index=x page_index= page_index=$((32 * MB / page)) nosuch $'\n'; do
		write_fails "$sys/writeback" "$what" EINVAL
	done
	same "$work/corpus" "$dev" 0

	echo huge >"$sys/writeback"
	stat_is "$sys" huge_pages -eq 0
	stat_is "$sys" mem_used_total -le $((used - 2 * MB))
	# the first of bd_stat's fields is in units of 4 KB
	[ "$(awk '{ print $1 }' "$sys/bd_stat")" -ge 512 ] || fail "bd_stat: $(cat "$sys/bd_stat")"
	same "$work/random" "$dev" 8
	same "$work/corpus" "$dev" 0

	echo all >"$sys/idle"
	echo idle >"$sys/writeback"
	sleep 0.2
	stat_is "$sys" compr_data_size -eq 0
	stat_is "$sys" mem_used_total -eq 0
	stat_is "$sys" orig_data_size -eq $(((2 + corpus_mb) * MB))
	same "$work/corpus" "$dev" 0
	same "$work/random" "$dev" 8
	store "$work/random" "$dev" 0
	same "$work/random" "$dev" 0
	echo 1 >"$sys/reset"
	rm "$work/back"
}

file_system() { # ALLOCATOR FILE_SYSTEM
	local fs=$2 m=$work/mnt opt=() tree=/usr/bin
	command -v "mkfs.$fs" >/dev/null || skip "no mkfs.$fs in the guest"
	grep -qw "$fs" /proc/filesystems || modprobe "$fs" 2>/dev/null || skip "no $fs in this kernel"
	[ "$fs" != ext4 ] || opt=(-F)
	[ ! -d /corpus/mm ] || tree=/corpus/mm
	! is_debug || tree=/corpus/kernel/locking
	new_device "$1" 192M
	"mkfs.$fs" -q "${opt[@]}" "$dev"
	mkdir -p "$m"
	mount "$dev" "$m"
	mounts+=("$m")
	cp -a "$tree" "$m/a"
	(cd "$m/a" && find . -type f -exec sha256sum {} +) >"$work/sums"
	[ "$(wc -l <"$work/sums")" -gt 20 ]
	# holes in the file system and in the pool: copy, remove, trim, copy
	cp -a "$m/a" "$m/b"
	rm -r "$m/a"
	fstrim "$m"
	echo 1 >"$sys/compact"
	cp -a "$m/b" "$m/c"
	write_fails "$sys/reset" 1 EBUSY
	write_fails /sys/class/zram-control/hot_remove "$nr" EBUSY
	umount "$m"
	echo 3 >/proc/sys/vm/drop_caches
	case $fs in
	ext4) e2fsck -fn "$dev" ;;
	# it ends with 0 for options that it does not know
	btrfs) btrfs check "$dev" 2>&1 | grep 'no error found' ;;
	esac
	mount "$dev" "$m"
	(cd "$m/b" && sha256sum --quiet -c "$work/sums")
	(cd "$m/c" && sha256sum --quiet -c "$work/sums")
	umount "$m"
	[ "$(awk '{ print $1 + $2 }' "$sys/io_stat")" = 0 ] || fail "I/O errors: $(cat "$sys/io_stat")"
}

writer() { # opens, writes and closes, until it is told to stop
	while :; do
		dd if="$work/corpus" of="$dev" bs=256K count=8 oflag=direct conv=notrunc status=none || true
		dd if="$dev" of=/dev/null bs=256K count=8 iflag=direct status=none || true
	done 2>/dev/null
}

# A reset is refused while the device is open and works in between; either
# way nothing is lost but the data.
reset_during_io() { # ALLOCATOR
	local i done=0 busy=0 enough=10
	! is_debug || enough=4
	new_device "$1" 16M
	writer & jobs+=($!)
	writer & jobs+=($!)
	for i in {1..150}; do
		if echo 1 >"$sys/reset"; then
			done=$((done + 1))
			[ "$(cat "$sys/initstate")" = 0 ]
			stat_is "$sys" mem_used_total -eq 0
			echo "$1" >"$sys/allocator"
			echo 16M >"$sys/disksize"
		else
			busy=$((busy + 1))
		fi 2>/dev/null
		# refused at the start and done at the end is what counts
		[ "$done" -lt $enough ] || [ "$busy" -lt $enough ] || break
	done
	for i in "${jobs[@]}"; do
		kill "$i" || fail "a writer has ended by itself"
		wait "$i" 2>/dev/null || true
	done
	jobs=()
	echo "$done resets done, $busy refused"
	[ "$busy" -gt 0 ] || fail "no reset met the I/O"
	for i in {1..50}; do
		if echo 1 >"$sys/reset"; then break; fi 2>/dev/null
		sleep 0.1
	done
	[ "$(cat "$sys/initstate")" = 0 ] || fail "cannot be reset after the I/O"
	echo 16M >"$sys/disksize"
	store "$work/corpus" "$dev" 0
	same "$work/corpus" "$dev" 0
}

# Devices on different allocators at the same time, with the kernel moving
# their pages and both pools compacting.
side_by_side() {
	local devs=() a i
	for a in $ALLOCATORS $ALLOCATORS; do
		new_device "$a" 16M
		devs+=("$nr")
	done
	(while :; do
		compact_memory
		for i in "${devs[@]}"; do echo 1 >"/sys/block/zram$i/compact"; done
	done) 2>/dev/null & jobs+=($!)
	local writers=()
	for i in "${devs[@]}"; do
		(for _ in 1 2; do
			store "$work/corpus" "/dev/zram$i" 0
			blkdiscard -o 0 -l $((3 * MB)) "/dev/zram$i"
			store "$work/random" "/dev/zram$i" 8
			store "$work/corpus" "/dev/zram$i" 0
			same "$work/corpus" "/dev/zram$i" 0
			same "$work/random" "/dev/zram$i" 8
		done) & writers+=($!)
	done
	for i in "${writers[@]}"; do wait "$i" || fail "a device lost data"; done
}

# zpool_plain has whole pages and nothing else: what zpool answers for it does.
without_options() {
	modprobe zpool_plain || fail "no module zpool_plain"
	new_device zpool_plain
	echo "algo=zstd priority=1" >"$sys/recomp_algorithm"
	echo 32M >"$sys/disksize"
	store "$work/random" "$dev" 0
	# only what does not compress below a page is stored as it is
	stat_is "$sys" huge_pages -eq "$(pages 2)"
	stat_is "$sys" mem_used_total -eq $((2 * MB))
	store "$work/corpus" "$dev" 2
	before=$(mm_stat "$sys" compr_data_size)
	echo 1 >"$sys/compact"
	stat_is "$sys" pages_compacted -eq 0
	echo all >"$sys/idle"
	echo "type=idle" >"$sys/recompress"
	stat_is "$sys" compr_data_size -lt "$before"
	same "$work/random" "$dev" 0
	same "$work/corpus" "$dev" 2
	blkdiscard "$dev"
	stat_is "$sys" mem_used_total -eq 0
	echo 1 >"$sys/reset"
	echo zsmalloc >"$sys/allocator"
	rmmod zpool_plain || fail "still in use"
}

zram_begin
make_corpus "$work/corpus" "$corpus_mb"
make_random "$work/random" 2
for a in $ALLOCATORS; do
	tap_case "data comes back and mm_stat is right ($a)" statistics "$a"
	tap_case "a full device refuses new data and keeps the old ($a)" memory_limit "$a"
	tap_case "compact frees pages and keeps data ($a)" compaction "$a"
	tap_case "recompression, the full cycle ($a)" recompression "$a"
	tap_case "writeback of huge and of idle pages ($a)" writeback "$a"
	tap_case "ext4: files, trim, fsck, checksums ($a)" file_system "$a" ext4
	tap_case "btrfs: files, trim, check, checksums ($a)" file_system "$a" btrfs
	tap_case "reset during I/O ($a)" reset_during_io "$a"
done
case $ALLOCATORS in
*zsmalloc_rs*) tap_case "objects of the same data take no more than with C zsmalloc" density ;;
esac
tap_case "an allocator without the optional operations" without_options
tap_case "several devices at once, with compaction" side_by_side
zram_end
