#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The packages of make deb on a fresh Debian, which is a directory: installed with
# Debian's kernel headers, with a new kernel after that, with a kernel that the module
# is not for, and purged.  TAP.
#
#   tests/stock/packages.sh [DIR]
#
# DIR stays, with the initial file systems that its kernels would boot with, made by
# initramfs-tools and dracut: tests/stock/run boots them.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/../../scripts/env.sh"
[ "$(id -u)" = 0 ] || die "needs root, for chroot"
is_native || die "needs to run programs of $ARCH"

flavor=$(deb_arch)
work=$(mktemp -d "${TMPDIR:-/tmp}/zsm-packages.XXXXXX")
keep=${1:-}
root=${keep:-$work}/debian
n=0 bad=0

leave() {
	umount -l "$root/dev" "$root/proc" 2>/dev/null || true
	rm -rf --one-file-system "$work"
}
trap leave EXIT

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
	DEBIAN_FRONTEND=noninteractive "$@"; }

# Recommended packages too where it matters, as on a machine of somebody's.
install() { inside apt-get install -y -qq --no-install-recommends "$@"; }

check() { # NAME CMD…
	local name=$1 code=0 start=$SECONDS
	shift
	n=$((n + 1))
	"$@" >"$work/log" 2>&1 || code=$?
	if [ "$code" = 0 ]; then
		echo "ok $n - packages: $name"
	else
		tail -60 "$work/log" | sed 's/^/# /'
		echo "not ok $n - packages: $name"
		bad=1
	fi
	echo "# $name: $((SECONDS - start)) s"
}

fresh_debian() {
	mkdir -p "$root"
	debian "$root" --variant=minbase --include=ca-certificates,kmod
	mount -t proc proc "$root/proc"
	mount --bind /dev "$root/dev"
	inside apt-get update -qq
	# a small initial file system, of what the guest's disk needs
	mkdir -p "$root/etc/initramfs-tools/conf.d"
	printf '%s\n' virtio_blk virtio_pci ext4 >"$root/etc/initramfs-tools/modules"
	echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/small"
}

# Debian's kernels of 6.12 whose source is still to be had: "VERSION RELEASE", oldest first.
kernels() {
	local v r
	inside apt-cache madison "linux-source-$LINUX" | awk '{ print $3 }' | sort -Vu |
		while read -r v; do
			r=$(inside apt-cache search --names-only "^linux-headers-$LINUX\..*+deb[0-9]*-$flavor\$" |
				sed -n 's/^linux-headers-\([^ ]*\) .*/\1/p' | while read -r r; do
					inside apt-cache show "linux-headers-$r" | grep -xF "Version: $v" >/dev/null && echo "$r"
				done || true)
			[ -z "$r" ] || echo "$v $r"
		done
}

module_of() { # RELEASE: dkms has built and installed it, and modprobe finds it
	inside dkms status
	inside modprobe -S "$1" --show-depends zpool-zsmalloc_rs | grep /updates/dkms/zsmalloc_rs.ko
}

no_module_of() { ! module_of "$1"; }

install_with_headers() { # VERSION RELEASE
	install "linux-headers-$2=$1" "linux-source-$LINUX=$1" &&
		inside sh -c "apt-get install -y -qq --no-install-recommends /debs/*.deb"
}

new_kernel() { install "linux-headers-$2=$1" "linux-source-$LINUX=$1"; }

# 6.1, which Debian 12 came with.
other_kernel() { install linux-headers-"$flavor"; }

in_initramfs() { # FILE
	inside lsinitramfs "$1" >"$work/list" 2>/dev/null || inside lsinitrd "$1" >"$work/list"
	grep /zsmalloc_rs.ko "$work/list"
}

with_dracut() { # RELEASE
	install dracut-core && inside dracut --quiet --no-hostonly --no-early-microcode \
		--modules 'base kernel-modules rootfs-block zsmalloc-rs udev-rules' \
		--drivers 'virtio_blk virtio_pci ext4 zsmalloc_rs lz4 zstd' --force "/boot/dracut-$1" "$1"
}

# Nothing of ours, anywhere.
left_behind() {
	find "$root" -xdev -name '*zsmalloc*rs*' -not -path "$root/debs/*" -print | grep . && return 1
	find "$root/var/lib/dkms" -mindepth 1 -name 'zsmalloc*' -print 2>/dev/null | grep . && return 1
	return 0
}

"$TOP/scripts/deb" >"$work/debs"
check "a fresh Debian" fresh_debian
mapfile -t all < <(kernels)
[ "${#all[@]}" -ge 2 ] || die "fewer than two kernels of Debian's whose source can be had"
read -r old_version old <<<"${all[-2]}"
read -r new_version new <<<"${all[-1]}"
mkdir -p "$root/debs"
xargs cp -t "$root/debs" <"$work/debs"
echo "# $old, then $new"
check "installed with the headers of a kernel" install_with_headers "$old_version" "$old"
check "the module was built for it" module_of "$old"
check "a new kernel comes" new_kernel "$new_version" "$new"
check "the module was built for that one" module_of "$new"
check "initramfs-tools takes the module along" in_initramfs "/boot/initrd.img-$new"
check "so does dracut" with_dracut "$new"
check "in dracut's file too" in_initramfs "/boot/dracut-$new"
[ -z "$keep" ] || cp "$root/boot/initrd.img-$new" "$root/boot/dracut-$new" "$root/boot/vmlinuz-$new" "$keep/"
[ -z "$keep" ] || echo "$new" >"$keep/release"
check "a kernel that the module is not for can be installed" other_kernel
check "purged" inside apt-get purge -y -qq zsmalloc-rs-dkms zsmalloc-rs zsmalloc-rs-bindgen
check "no module of ours is left to load" no_module_of "$new"
check "nothing is left behind" left_behind
echo "1..$n"
exit "$bad"
