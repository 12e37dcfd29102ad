# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced in the guest by what runs other people's tests with C zsmalloc, then
# again with zsmalloc_rs.  $results/ALLOCATOR has a line "test<TAB>verdict" for
# each test: PASS, FAIL or SKIP.

results=/tmp/upstream
rm -rf "$results"
mkdir -p "$results"

verdict_of() { # ALLOCATOR TEST
	awk -F '\t' -v t="$2" '$1 == t { print $2; exit }' "$results/$1"
}

# Tests that say nothing of either allocator: a failure is a skip.  test_swapin_nozswap
# (memory.zswap.max = 0) stores nothing, and is killed for lack of memory when the swap disk of
# a busy guest is slow.  test_no_kmem_bypass asks that reclaim takes three quarters of what it
# takes from one control group: it fails by chance, with C zsmalloc as well.
tells_nothing() { # TEST
	case ${1#cgroup/test_zswap: } in
	test_swapin_nozswap | test_no_kmem_bypass) return 0 ;;
	esac
	return 1
}

# Both results side by side, C's as - where there is none; then TAP.  An item passes when
# ours does at least what C's does: "ok" where C says "ok".  One that C itself fails or skips
# in this guest is a skip: it tells nothing of us.
compare() {
	local t c ours n=0 bad=0
	touch "$results/zsmalloc"
	printf '# %-64s %-6s %s\n' test C zsmalloc_rs
	while read -r t; do
		c=$(verdict_of zsmalloc "$t")
		ours=$(verdict_of zsmalloc_rs "$t")
		printf '# %-64s %-6s %s\n' "$t" "${c:--}" "${ours:-none}"
	done < <(cut -f1 "$results/zsmalloc" "$results/zsmalloc_rs" | sort -u)
	while read -r t; do
		n=$((n + 1))
		c=$(verdict_of zsmalloc "$t")
		ours=$(verdict_of zsmalloc_rs "$t")
		if [ "$ours" = PASS ]; then
			echo "ok $n - upstream $t"
		elif [ "$c" = FAIL ] || [ "$c" = SKIP ] || tells_nothing "$t"; then
			echo "ok $n - upstream $t # SKIP C zsmalloc: ${c:-none}, zsmalloc_rs: ${ours:-none}"
		else
			echo "not ok $n - upstream $t (C zsmalloc: ${c:-none}, zsmalloc_rs: ${ours:-none})"
			bad=1
		fi
	done < <(cut -f1 "$results/zsmalloc" "$results/zsmalloc_rs" | sort -u)
	echo "1..$n"
	# no result at all is no success
	[ "$n" -gt 0 ] && [ "$bad" = 0 ]
}
