#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Page migration: every object stays, and it really happens.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

count=$(objects $((20000 * SCALE)))
! is_debug || count=$(objects $((4000 * SCALE)))

tear_down() {
	background_stop
	usual_page_lists
	zt_let_go
}

# By our own hand: pages of every class, through the kernel's migrate_pages().
by_hand() {
	local before
	zt_core
	! is_ours || before=$(counter pages_migrated)
	zt migrate "type=$TYPE" "step=$((size_step + 6))" "seed=$SEED" "settle=$settle"
	! is_ours || [ "$(counter pages_migrated)" -gt "$before" ] ||
		fail "pages_migrated did not rise"
}

# Somebody has an object mapped: no harm, and the page moves later.
busy() {
	local before
	zt_core
	! is_ours || before=$(counter migrate_busy)
	zt migrate-busy "type=$TYPE" rounds=10 "settle=$settle"
	! is_ours || [ "$(counter migrate_busy)" -gt "$before" ] ||
		fail "migrate_busy did not rise"
}

# By the kernel: memory is fragmented by a pool that lost two zspages of three,
# so compaction has pages to move.
by_compaction() {
	local before i
	has_compaction || skip "kernel without CONFIG_COMPACTION"
	! is_ours || before=$(counter pages_migrated)
	short_page_lists
	for i in 1 2 3 4; do
		[ "$i" != 1 ] || zt fill "type=$TYPE" "count=$count" "seed=$SEED"
		zt thin percent=66 burst=16 "seed=$i"
		compact_memory
		zt verify
		integrity
		zt refill "seed=$i"
	done
	zt drop "settle=$settle"
	! is_ours || [ "$(counter pages_migrated)" -gt "$before" ] ||
		fail "pages_migrated did not rise"
}

# Somebody wants most of memory as huge pages.
into_huge_pages() {
	[ -e /proc/sys/vm/nr_hugepages ] || skip "kernel without CONFIG_HUGETLBFS"
	zt fill "type=$TYPE" "count=$count" "seed=$SEED"
	zt thin percent=50 burst=8 "seed=$SEED"
	huge_pages
	zt verify
	integrity
	zt drop "settle=$settle"
}

# Threads that free whole zspages while compaction runs: the case for which
# there was no test anywhere.
against_freeing() {
	background compact_memory
	background shrink_slabs
	zt stress "type=$TYPE" threads=4 "count=$((count / 4))" \
		"ms=$((5000 * SCALE))" "seed=$SEED" "settle=$settle_shrunk"
	background_stop
}

tap_begin
! is_ours || modprobe zsmalloc_rs
tap_case "pages of every class migrate" by_hand
tap_case "a page whose object is mapped" busy
tap_case "compact_memory migrates, and every object stays" by_compaction
tap_case "huge pages, as many as there is memory for" into_huge_pages
tap_case "migration and compaction against freeing" against_freeing
tap_end
