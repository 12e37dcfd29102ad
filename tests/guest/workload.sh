#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What make run does in the guest: real memory, well past its RAM, is stored by
# zsmalloc_rs, read back while memory is compacted, and every page is compared.
#
#   tests/guest/workload.sh [MIB]
#
# Exit code 0 only if all that left RAM was stored by zsmalloc_rs, and is right.
# COMPRESSOR chooses zswap's compressor, TYPE another zpool type to compare with.
# RESULTS is a file for lines "name value", of which compare.sh makes columns.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/zswap-lib.sh
. "$(dirname "$0")/zswap-lib.sh"

ram=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
mib=${1:-$((ram * 3 / 2))}
trap leave EXIT

# However it ends: leave no memory in swap, no swap, and zswap as it was.
leave() {
	local code=$?
	trap - EXIT
	set +e
	background_stop
	memfill_stop
	swap_off
	zswap_off
	[ $code = 0 ] || echo "FAILED: $(cat "$tap_reason")"
	rm -f "$tap_reason"
	exit $code
}

record() { [ -z "${RESULTS:-}" ] || echo "$1 $2" >>"$RESULTS"; }
# Milliseconds since some time or other.
now() { echo $((${EPOCHREALTIME/./} / 1000)); }
seconds() { ratio "$1" 1000 1; }
migrations() { value pgmigrate_success /proc/vmstat || echo 0; }

# Merged with others of their size, C zsmalloc's slab caches do not show.
slab_is_known() { [[ " $(</proc/cmdline) " == *' slab_nomerge '* ]]; }

# Bytes of slab memory behind the pools of TYPE: zspages, and what leads to the objects.
# What ours remembers of objects that have moved is in caches that others share; the pools
# count it.
slab_bytes() {
	local names='^zs_rs_'
	is_ours || names='^(zs_handle|zspage)'
	{
		cat /proc/slabinfo
		! is_ours || cat "$debugfs"/zsmalloc_rs/*/stats 2>/dev/null || true
	} | awk -v names="$names" -v page="$page_size" '
		$1 ~ names { n += $15 * $6 * page }
		/^(tables|origins)_bytes / { n += $2 }
		END { print n + 0 }'
}

row() { printf '  %-34s %s\n' "$1" "$2"; }
mib_of() { echo "$(ratio "$1" 1048576 1) MiB"; }
# ratio A B [DIGITS]: A / B, rounded
ratio() {
	local digits=${3:-2} n
	[ "$2" -gt 0 ] || { echo - && return; }
	n=$((($1 * 10 ** digits + $2 / 2) / $2))
	printf '%d.%0*d' $((n / 10 ** digits)) "$digits" $((n % 10 ** digits))
}

start() {
	local version
	version=$(uname -r)
	echo "$TYPE on Linux $version, $(nproc) CPUs, $ram MiB of RAM"
	! is_ours || modprobe zsmalloc_rs || fail "the module zsmalloc_rs does not load"
	swap_on $((mib * 2))
	zswap_on "$TYPE"
	disk=$(swapped_to_disk)
	rejected=$(zswap_rejected)
	back=$(zswap_count written_back_pages)
	zeros=$(swapped_zeros)
	migrated=0
	! is_ours || migrated=$(counter pages_migrated)
	row "zswap" "$(<"$zswap/zpool"), $(<"$zswap/compressor")"
}

# What is swapped out, where, and what it takes.  Another process may be swapped
# while this reads, so it reads until the figures fit each other.
measure() {
	local tries=50
	while :; do
		stored=$(zswap_count stored_pages)
		cached=$(value SwapCached /proc/meminfo)
		cached=$((${cached% kB} / (page_size / 1024)))
		pool=$(zswap_count pool_total_size)
		compressed=$(memfill_compressed)
		swapped=$(memfill_swapped)
		objects=$(zswap_objects "$TYPE")
		! slab_is_known || slab=$(slab_bytes)
		if [ "$objects" = "$stored" ] || [ $((tries--)) = 0 ]; then
			break
		fi
		nap 0.1
	done
}

report_stored() {
	local original=$((stored * page_size))
	row "memory filled" "$memfill_pages pages, $mib MiB (left out: $memfill_left_out pages that do not compress)"
	row "swapped out" "$swapped pages"
	row "stored in zswap" "$stored pages, $objects of them by $TYPE"
	row "  original" "$original bytes ($(mib_of $original))"
	row "  compressed" "$compressed bytes ($(mib_of "$compressed"))"
	row "  pool" "$pool bytes ($(mib_of "$pool"))"
	! slab_is_known || row "  slab" "$slab bytes ($(mib_of "$slab"))"
	row "  density" "$(ratio "$compressed" "$pool") of the pool is data; $(ratio $original "$pool") bytes stored in a byte"
}

report_life() {
	is_ours || return 0
	row "pages migrated" "$(($(counter pages_migrated) - migrated))"
	row "compactions" "$(counter compactions), which freed $(counter pages_compacted) pages; $(counter objects_moved_again) objects moved again, no memory $(counter compact_no_memory) times"
	row "migrations refused" "page freed $(counter migrate_refused_freed), zspage unlisted $(counter migrate_refused_unlisted), in use $(counter migrate_busy)"
	row "isolations refused" "page freed $(counter isolate_refused_freed)"
	row "zspages freed through RCU" "$(counter zspages_freed_rcu), at most $(counter zspages_rcu_pending_peak) waiting"
}

# Why zswap did not store something, since boot.
rejects() { grep -v ' 0$' <(cd "$zswap_debug" && grep -H . reject_* | tr : ' ') || true; }

check_stored() { # while all is swapped out and nothing moves
	[ "$swapped" -gt $((memfill_pages * 9 / 10)) ] ||
		fail "only $swapped of $memfill_pages pages left RAM"
	zeros=$(($(swapped_zeros) - zeros))
	# Readahead may have brought pages back that nobody has touched yet: they are
	# in RAM again, in the swap cache, and zswap has given up its copy.
	[ $((stored + zeros + cached)) -ge "$swapped" ] || rejects
	[ $((stored + zeros + cached)) -ge "$swapped" ] ||
		fail "$swapped pages left RAM, zswap stores $stored, $zeros held nothing but zeros, $cached are in the swap cache"
	[ "$objects" = "$stored" ] ||
		fail "zswap stores $stored pages, $TYPE has $objects"
}

check_disk() {
	local to_disk=$(($(swapped_to_disk) - disk))
	local n=$(($(zswap_rejected) - rejected)) b=$(($(zswap_count written_back_pages) - back))
	row "not stored" "rejected by zswap $n, written back $b, gone to disk $to_disk"
	[ "$n" = 0 ] || rejects
	[ $((n + b + to_disk)) = 0 ] || fail "not all was stored by $TYPE"
}

record_all() {
	record filled "$memfill_pages"
	record stored "$stored"
	record original $((stored * page_size))
	record compressed "$compressed"
	record pool "$pool"
	! slab_is_known || record slab "$slab"
	record storing $storing
	record loading $loading
	record freeing $freeing
	record moved $(($(migrations) - moved))
	record verified "$memfill_pages"
	is_ours || return 0
	record migrated $(($(counter pages_migrated) - migrated))
	record busy "$(counter migrate_busy)"
	record refused $(($(counter migrate_refused_freed) + $(counter migrate_refused_unlisted) +
		$(counter isolate_refused_freed)))
}

finish() {
	memfill_stop
	swap_off
	zswap_off
	is_ours || return 0
	eventually 20 rmmod zsmalloc_rs 2>/dev/null || fail "the module does not unload afterwards"
	row "afterwards" "zswap on C zsmalloc, module unloaded"
}

start
moved=$(migrations)
# More than RAM is being stored while it is filled.
began=$(now)
memfill_start "$mib"
memfill_swap_out
storing=$(($(now) - began))
measure
report_stored
check_stored
[ "$stored" -gt 0 ] || fail "zswap stored nothing"

# One from end to end, however soon the reading is over.
compact_memory
# Reading brings pages back, which drives others out again: both ways are busy.
began=$(now)
background compact_memory
memfill_verify
background_stop
loading=$(($(now) - began))
integrity

report_life
check_disk
if is_ours && has_compaction; then
	[ "$(counter pages_migrated)" -gt "$migrated" ] || fail "no page was migrated"
fi
row "verified" "$memfill_pages of $memfill_pages pages, while memory was compacted"
began=$(now)
memfill_do unmap unmapped
freeing=$(($(now) - began))
row "time" "$(seconds $storing) s to fill and store, $(seconds $loading) s to read back, $(seconds $freeing) s to free"
record_all
finish
echo "ok: all of it was stored by $TYPE and came back right"
