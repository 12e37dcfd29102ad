#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Density: never more pages than C zsmalloc has for the same sizes, in the same
# order, in the same boot.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

count=$(objects $((10000 * SCALE)))
! is_debug || count=$(objects $((3000 * SCALE)))

pages() { # DISTRIBUTION PERCENT
	zt pages "type=$TYPE" ref=zsmalloc "dist=$1" "size=$size_step" "count=$count" "percent=$2" \
		rounds=3 "seed=$SEED" "settle=$settle"
}

tap_begin
tap_case "every size once, half freed and stored again" pages all 50
tap_case "uniform sizes, half freed and stored again" pages uniform 50
tap_case "uniform sizes, nine of ten freed and stored again" pages uniform 90
tap_case "small sizes" pages small 50
tap_case "sizes as a compressor makes them" pages compressed 30
tap_case "only huge objects" pages huge 50
zt_unload
tap_end
