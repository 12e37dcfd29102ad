#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What on-a-real-machine.rst tells people to do, on a fresh Debian, which is a directory
# made by mmdebstrap: make deb there; the packages, with a kernel of Debian's; a new
# kernel, first without its source; kernels that the module is not for; a kernel that
# goes; purge.  TAP.
#
#   [RELEASE=code name] tests/stock/packages.sh [DIR]
#
# The release of Debian is this machine's if none is given.  DIR gets what is to be booted
# afterwards (tests/stock/run): the module that DKMS built for the kernel of scripts/stock,
# and what initramfs-tools and dracut made.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/../../scripts/env.sh"
[ "$(id -u)" = 0 ] || die "needs root, for chroot"
is_native || die "needs to run programs of $ARCH"

flavor=$(deb_arch)
# shellcheck source=/dev/null
RELEASE=${RELEASE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}
work=$(mktemp -d "${TMPDIR:-/tmp}/zsm-packages.XXXXXX")
keep=${1:-$work}
root=$work/debian
log=$TOP/build/logs/packages.log
n=0 bad=0

# Unmounted before it is removed: the host's /dev is in there.
leave() {
	local d
	for d in "$root/var/cache/apt/archives" "$root/dev" "$root/proc"; do
		! mountpoint -q "$d" || umount "$d" || die "$root is left: $d cannot be unmounted"
	done
	rm -rf --one-file-system "$work"
}
trap leave EXIT

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
	DEBIAN_FRONTEND=noninteractive JOBS="$JOBS" "$@"; }

install() { inside apt-get install -y -q --no-install-recommends "$@"; }

check() { # NAME CMD…
	local name=$1 code=0 start=$SECONDS
	shift
	n=$((n + 1))
	"$@" >"$work/log" 2>&1 || code=$?
	{
		echo "===== $name: $code"
		cat "$work/log"
	} >>"$log"
	if [ "$code" = 0 ]; then
		echo "ok $n - packages: $name"
	else
		tail -60 "$work/log" | sed 's/^/# /'
		echo "not ok $n - packages: $name"
		bad=1
	fi
	echo "# $name: $((SECONDS - start)) s"
}

# Said by the last step that ran.
said() { grep -E "$1" "$work/log.before"; }

# check, whose output the next step may ask for.
step() {
	check "$@"
	cp "$work/log" "$work/log.before"
}

fresh_debian() {
	mkdir -p "$root" "$CACHE/stock/archives-$RELEASE/partial"
	debian "$root" --variant=minbase --include=ca-certificates || return
	mount -t proc proc "$root/proc" &&
		mount --bind /dev "$root/dev" &&
		mount --bind "$CACHE/stock/archives-$RELEASE" "$root/var/cache/apt/archives" || return
	# it is thrown away: nothing need reach the disk
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
	# cargo trusts whom this machine trusts
	cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	# a small initramfs: the driver of the guest's disk, not of every disk
	mkdir -p "$root/etc/initramfs-tools/conf.d" "$root/usr/share/initramfs-tools/modules.d"
	echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/guest"
	printf '%s\n' virtio_blk virtio_pci ext4 >"$root/usr/share/initramfs-tools/modules.d/guest"
	inside apt-get update -q
}

make_deb() {
	mkdir -p "$root/root/source"
	git -C "$TOP" ls-files --cached --others --exclude-standard |
		while read -r f; do [ ! -f "$TOP/$f" ] || echo "$f"; done |
		tar -C "$TOP" -cf - -T - | tar -C "$root/root/source" -xf - || return
	install make && inside make -C /root/source deb
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

# The kernel that scripts/stock has, and the one before it.
choose_kernels() {
	local have list
	have=$("$TOP/scripts/stock" --print-dir "$RELEASE")
	have=${have##*/"$RELEASE-$flavor-"}
	list=$(kernels)
	read -r new_version new < <(grep "^$have " <<<"$list") || die "no kernel of version $have can be had"
	read -r old_version old < <(grep -B1 "^$have " <<<"$list") || true
	[ "$old" != "$new" ] || die "no kernel older than $have can be had"
	echo "# $old, then $new"
}

kernel() { # VERSION RELEASE: the kernel and its headers
	install "linux-image-$2=$1" "linux-headers-$2=$1"
}

source_of() { install --allow-change-held-packages "linux-source-$LINUX=$1"; }

# apt would bring the newest source with whatever asks for it: held, it does not.
kernel_and_source() { kernel "$@" && source_of "$1" && inside apt-mark hold "linux-source-$LINUX"; }

packages() { inside sh -c "apt-get install -y -q --no-install-recommends /root/source/build/deb/*.deb"; }

module_of() { # RELEASE: dkms has built and installed it, and modprobe finds it
	inside dkms status
	inside modprobe -S "$1" --show-depends zpool-zsmalloc_rs | grep /updates/dkms/zsmalloc_rs.ko
}

no_module_of() { ! module_of "$1"; }

# That of the release, if it is not 6.12: Debian 12 came with 6.1.
other_kernel() {
	inside apt-cache depends "linux-headers-$flavor" |
		sed -n 's/.*Depends: linux-headers-\([0-9].*\)/\1/p' | grep -v "^$LINUX\."
}

# All that was to be installed is, and is configured.
whole() {
	inside dpkg --audit | tee "$work/audit"
	[ ! -s "$work/audit" ]
}

listing() { # INITRAMFS
	case $1 in
	*/dracut-*) inside lsinitrd "$1" ;;
	*) inside lsinitramfs "$1" ;;
	esac >"$work/list"
}

in_initramfs() { # FILE
	listing "$1" && grep '/zsmalloc_rs.ko' "$work/list"
}

not_in_initramfs() { # FILE
	listing "$1" && ! grep zsmalloc_rs "$work/list"
}

# What a user does for another chain size.
chain_size() {
	echo "options zsmalloc_rs chain_size=16" >"$root/etc/modprobe.d/zsmalloc-rs.conf" &&
		inside update-initramfs -u -k "$1" && listing "/boot/initrd.img-$1" &&
		grep etc/modprobe.d/zsmalloc-rs.conf "$work/list"
}

with_dracut() { # RELEASE
	install dracut-core && inside dracut --quiet --no-hostonly --no-early-microcode \
		--modules 'base kernel-modules rootfs-block zsmalloc-rs udev-rules' \
		--drivers 'virtio_blk virtio_pci ext4' --force "/boot/dracut-$1" "$1"
}

keep_files() { # RELEASE
	cp "$root/boot/initrd.img-$1" "$keep/initramfs-tools" &&
		cp "$root/boot/dracut-$1" "$keep/dracut" &&
		cp "$root/lib/modules/$1/updates/dkms/"zsmalloc_rs.ko* "$keep/" &&
		modinfo "$keep/"zsmalloc_rs.ko*
}

old_kernel_goes() {
	inside apt-get purge -y -q "linux-image-$old" "linux-headers-$old" &&
		! inside dkms status | grep -F "$old" &&
		[ ! -e "$root/lib/modules/$old" ]
}

purge() { inside apt-get purge -y -q zsmalloc-rs-dkms zsmalloc-rs zsmalloc-rs-bindgen; }

# Nothing of ours, anywhere but where the packages were made.
left_behind() {
	find "$root" -xdev -name '*zsmalloc[-_]rs*' -not -path "$root/root/*" -print | grep . && return 1
	[ ! -e "$root/lib/modules/$new/updates" ]
}

mkdir -p "${log%/*}"
: >"$log"
check "a fresh Debian" fresh_debian
choose_kernels
check "make deb there" make_deb
check "a kernel and its source" kernel_and_source "$old_version" "$old"
check "the packages" packages
check "the module is built for that kernel" module_of "$old"
check "its initramfs has it" in_initramfs "/boot/initrd.img-$old"
step "a new kernel, before its source" kernel "$new_version" "$new"
check "it says why it has no module" said "no module for ${new//+/.}: .*linux-source-$LINUX.* is Linux"
check "and has none" no_module_of "$new"
check "its source comes" source_of "$new_version"
check "the module is built for it" module_of "$new"
check "its initramfs has it too" in_initramfs "/boot/initrd.img-$new"
if other=$(other_kernel); then
	step "headers of a kernel that the module is not for" install "linux-headers-$other"
	check "they say so" said "no module for $other: .* is older than Linux $LINUX"
fi
check "every package is configured" whole
check "chain_size in modprobe.d goes into the initramfs" chain_size "$new"
check "dracut" with_dracut "$new"
check "has the module in its file too" in_initramfs "/boot/dracut-$new"
check "what is to be booted" keep_files "$new"
rm -f "$root/etc/modprobe.d/zsmalloc-rs.conf" "$root/boot/dracut-$new"
check "the old kernel goes" old_kernel_goes
check "purged" purge
check "no module is left to load" no_module_of "$new"
check "nor in the initramfs" not_in_initramfs "/boot/initrd.img-$new"
check "nothing is left behind" left_behind
check "every package is configured then, too" whole
echo "1..$n"
exit "$bad"
