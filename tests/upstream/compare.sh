# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced in the guest by what runs other people's programs with zsmalloc_rs, then with C
# zsmalloc.  $results/ALLOCATOR has a line "test<TAB>verdict" for each test: PASS, FAIL or
# SKIP; the name of a test is that of its program, or begins with it and a colon.

results=/tmp/upstream
rm -rf "$results"
mkdir -p "$results"

# What passes on ours passes, whatever C's says.  So C's is asked only where ours leaves a
# doubt: the program did not end well, or said nothing, or not all of it passed.  With
# --both it is asked anyway.
both=''
doubts=()

doubt() { # PROGRAM EXIT_CODE
	[ -z "$both" ] && [ "$2" = 0 ] && awk -F '\t' -v name="$1" '
		$1 == name || index($1, name ":") == 1 { n++; bad += $2 != "PASS" }
		END { exit !n || bad }' "$results/zsmalloc_rs" || doubts+=("$1")
}

# asked ALLOCATOR PROGRAM: whether it is run with that allocator
asked() {
	local name
	[ "$1" = zsmalloc ] || return 0
	for name in "${doubts[@]}"; do
		[ "$name" != "$2" ] || return 0
	done
	return 1
}

verdict_of() { # ALLOCATOR TEST
	awk -F '\t' -v t="$2" '$1 == t { print $2; exit }' "$results/$1"
}

# Tests that store nothing in zswap, and so say nothing of either allocator: a failure
# is a skip.  test_swapin_nozswap (memory.zswap.max = 0) is killed for lack of memory
# when the swap disk of a busy guest is slow.
stores_nothing() { # TEST
	[ "$1" = 'cgroup/test_zswap: test_swapin_nozswap' ]
}

# Both results side by side, C's as - where it was not asked; then TAP.  An item passes when
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
		elif [ "$c" != PASS ] || stores_nothing "$t"; then
			echo "ok $n - upstream $t # SKIP C zsmalloc: ${c:-none}, zsmalloc_rs: ${ours:-none}"
		else
			echo "not ok $n - upstream $t (C zsmalloc: PASS, zsmalloc_rs: ${ours:-none})"
			bad=1
		fi
	done < <(cut -f1 "$results/zsmalloc" "$results/zsmalloc_rs" | sort -u)
	echo "1..$n"
	# no result at all is no success
	[ "$n" -gt 0 ] && [ "$bad" = 0 ]
}
