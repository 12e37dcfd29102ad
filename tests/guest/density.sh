#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Density: not more pages than C zsmalloc has for the same sizes, in the same order,
# in the same boot.
#
# C adds 8 bytes to each object.  With sizes that are 8 bytes less there each object is
# in the same class in both, and no step may leave ours with more pages.  With the same
# sizes ours has fewer, by those bytes; a class that has few objects says nothing about
# that, and so there are more of them, and full pools are compared.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

count=$(objects $((10000 * SCALE)))
! is_debug || count=$(objects $((3000 * SCALE)))

duel() { # DISTRIBUTION PERCENT ARGUMENT...
	zt pages "type=$TYPE" ref=zsmalloc "dist=$1" "size=$size_step" "percent=$2" rounds=3 \
		"seed=$SEED" "settle=$settle" "${@:3}"
}

same_classes() { duel "$1" "$2" "count=$count" less=8; } # DISTRIBUTION PERCENT
same_sizes() { duel "$1" "$2" "count=$((count * 3))"; } # DISTRIBUTION PERCENT

tap_begin
tap_case "the same classes: every size once, half freed and stored again" same_classes all 50
tap_case "the same classes: uniform sizes, half freed and stored again" same_classes uniform 50
tap_case "the same classes: uniform sizes, nine of ten freed and stored again" same_classes uniform 90
tap_case "the same classes: small sizes" same_classes small 50
tap_case "the same classes: sizes as a compressor makes them" same_classes compressed 30
tap_case "the same classes: only huge objects" same_classes huge 50
tap_case "the same sizes: uniform" same_sizes uniform 50
tap_case "the same sizes: small" same_sizes small 50
tap_case "the same sizes: as a compressor makes them" same_sizes compressed 30
tap_end
