#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dracut module: zsmalloc_rs and the compressors, for zswap.enabled=1
# zswap.zpool=zsmalloc_rs on the kernel's command line.  zswap asks for them before
# the root file system is there.

# Only for kernels that have it.  dracut sets kernel.
check() {
	# shellcheck disable=SC2154
	modinfo -k "$kernel" zsmalloc_rs >/dev/null 2>&1
}

installkernel() {
	hostonly='' instmods zsmalloc_rs lz4 zstd lzo lzo-rle
	# chain_size
	inst_multiple -o /etc/modprobe.d/zsmalloc-rs.conf
}

# Modules may be compressed.  Before /sys is mounted kmod cannot know that the kernel
# takes them so, and that of Debian 13 looks for these libraries only then.
install() {
	inst_libdir_file 'liblzma.so.*' 'libzstd.so.*'
}
