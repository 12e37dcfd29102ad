#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A user of the allocator frees an object twice: one warning, and nothing else comes of it.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

tear_down() { zt_unload; }

warnings() { dmesg | grep -c 'WARNING: .*zs_rs_' || true; }

double_free() {
	local before pages
	# it warns once a load of the module
	zt_unload
	! has_module zsmalloc_rs || rmmod zsmalloc_rs
	modprobe zsmalloc_rs
	pages=$(nr_zspages)
	before=$(warnings)
	zt fill "count=$(objects 2000)" dist=one size=100 "seed=$SEED"
	zt double-free
	[ "$(warnings)" = $((before + 1)) ] || fail "no warning"
	integrity
	zt verify
	# the free slot is there once, for one object
	zt refill dist=one size=100
	integrity
	zt verify
	zt drop
	none_left "$pages"
}

tap_begin
tap_case "an object freed twice is left alone" double_free
tap_end
