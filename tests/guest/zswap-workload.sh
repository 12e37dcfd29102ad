#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The workload of make run at several sizes, and with several compressors: each
# makes objects of other sizes.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

# make run is the case of more memory than there is RAM.
small=40 large=160
! is_debug || small=6 large=16

workload() { # MIB COMPRESSOR
	if ! COMPRESSOR=$2 "$here/workload.sh" "$1"; then
		fail "the workload failed"
	fi
}

tap_begin
tap_case "$small MiB, zstd" workload $small zstd
# Not lzo-rle: it fails on a page of the corpus, whichever zpool is in use.
tap_case "$large MiB, lz4" workload $large lz4
tap_end
