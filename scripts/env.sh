# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# Sourced by every script here: where things live, which versions are pinned,
# which toolchain is used, and the few helper functions they share.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/zsmalloc_rs

LINUX=6.12
BINDGEN_VERSION=0.73.2
DRGN_VERSION=0.3.0

ARCH=${ARCH:-x86_64}
# 4K, 16K or 64K, of which x86_64 has the first
PAGE_SIZE=${PAGE_SIZE:-4K}
FLAVOR=${FLAVOR:-release}
# kernel/$FLAVOR.config
FLAVORS_ALL="release debug cfi race rt nocompaction nosmp trace"
JOBS=${JOBS:-$(nproc)}

BINDGEN_ROOT=$CACHE/bindgen-$BINDGEN_VERSION
DRGN_ROOT=$CACHE/drgn-$DRGN_VERSION

# The kernel's Rust is built with the distribution's toolchain, whatever rustup
# or pyenv has put in front of it.  ZSM_PATH is for a test on a machine with less.
export PATH="${ZSM_PATH:-$BINDGEN_ROOT/bin:/usr/bin:/usr/sbin:/bin:/sbin:$PATH}"
# rustup and make's own variables must not reach the kernel's build, nor what kernel
# developers export for their own: another tree, other flags, errors as warnings.
unset RUSTUP_TOOLCHAIN RUSTC CARGO MAKEFLAGS MFLAGS MAKELEVEL
unset KBUILD_OUTPUT KBUILD_EXTMOD KBUILD_EXTRA_SYMBOLS KBUILD_MODPOST_WARN KCFLAGS KRUSTFLAGS LLVM
export LC_ALL=C.UTF-8

# Messages go to stderr: some scripts' output is a path.
note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { note "$*"; exit 1; }

# progress KEY SECONDS:LINES LOG WHAT CMD…: run CMD, which takes long, and show how far
# it is.  What it prints goes to LOG; if that is empty it is passed on, and progress is
# shown while nothing comes.  SECONDS and LINES are those of two cores, until it has been
# done once: 0 is not known.
progress() {
	local key=$1 expect=$2 log=$3 what=$4
	shift 4
	mkdir -p "$CACHE/times"
	local args=(--what "${0##*/}: $what" --times "$CACHE/times/$key" --expect "$expect")
	if [ -z "$log" ] && [ -n "${ZSM_PROGRESS:-}" ]; then
		"$@" | cat # somebody above shows it already
		return
	elif [ -z "$log" ]; then
		ZSM_PROGRESS=1 "$@" | "$TOP/scripts/progress" "${args[@]}" || return
	elif [ ! -x /usr/bin/python3 ]; then
		"$@" >"$log" 2>&1
		return
	else
		: >"$log"
		"$@" 2>&1 | "$TOP/scripts/progress" "${args[@]}" --log "$log" || return
	fi
	mv "$CACHE/times/$key.new" "$CACHE/times/$key"
}

# clang of the same LLVM as rustc's, so that both agree on the target.
llvm_version() { /usr/bin/rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p'; }

# The module's, which Kbuild has.
module_version() { sed -n 's/^zs-version := //p' "$TOP/Kbuild"; }

kernel_arch() { # the kernel's name for $ARCH
	case $ARCH in
	x86_64) echo x86_64 ;;
	arm64) echo arm64 ;;
	um) echo um ;;
	*) die "ARCH=$ARCH: not one of x86_64, arm64, um" ;;
	esac
}

# Ends the script if there is no kernel for $ARCH with pages of $PAGE_SIZE.
check_target() {
	[ "$ARCH" != um ] || [ "$FLAVOR" = release ] || die "FLAVOR=$FLAVOR: um has release only"
	case $ARCH-$PAGE_SIZE in
	um-4K | x86_64-4K | arm64-4K | arm64-16K | arm64-64K) ;;
	x86_64-* | um-*) die "PAGE_SIZE=$PAGE_SIZE: $ARCH has pages of 4K only" ;;
	arm64-*) die "PAGE_SIZE=$PAGE_SIZE: not one of 4K, 16K, 64K" ;;
	*) die "ARCH=$ARCH: not one of x86_64, arm64, um" ;;
	esac
}

# What build directories are called after: 4K is not mentioned.
target_name() {
	if [ "$PAGE_SIZE" = 4K ]; then
		echo "$ARCH-$FLAVOR"
	else
		echo "$ARCH-$PAGE_SIZE-$FLAVOR"
	fi
}

# Is the host of $ARCH itself?
is_native() { [ "$ARCH" = "$(uname -m | sed s/aarch64/arm64/)" ]; }

deb_arch() { # Debian's name for $ARCH
	case $ARCH in
	x86_64) echo amd64 ;;
	arm64) echo arm64 ;;
	esac
}

# debian_sources RELEASE DIR: where this machine gets Debian from, for another release;
# a file in DIR, whose name is printed.
debian_sources() {
	local f host
	# shellcheck source=/dev/null
	host=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	for f in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
		[ -s "$f" ] && break
	done
	sed "s/\b$host\b/$1/g" "$f" >"$2/${f##*/}"
	echo "$2/${f##*/}"
}

# debian DIR OPTION…: mmdebstrap for $ARCH, of this machine's release or of $RELEASE, and
# from the mirrors that it names
debian() {
	local dir=$1 release=${RELEASE:-} sources tmp code=0
	shift
	# shellcheck source=/dev/null
	release=${release:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/zsm-sources.XXXXXX")
	sources=$(debian_sources "$release" "$tmp")
	mmdebstrap --quiet --architectures="$(deb_arch)" "$@" "$release" "$dir" "$sources" || code=$?
	rm -rf "$tmp"
	return "$code"
}

# The C compiler for programs that run in the guest.
guest_cc() {
	if is_native; then
		echo gcc
	else
		case $ARCH in
		x86_64) echo x86_64-linux-gnu-gcc ;;
		arm64) echo aarch64-linux-gnu-gcc ;;
		esac
	fi
}

kernel_image() { # the bootable image below a build directory
	case $ARCH in
	x86_64) echo arch/x86/boot/bzImage ;;
	arm64) echo arch/arm64/boot/Image ;;
	um) echo linux ;;
	esac
}

# make for the kernel, with the toolchain named once.
kmake() {
	local more=()
	# um (bench/) is for the host's own processor; rust/Makefile does not know that
	[ "$ARCH" != um ] || more=(BINDGEN_TARGET=x86_64-linux-gnu)
	LIBCLANG_PATH=/usr/lib/llvm-$(llvm_version)/lib \
		make ARCH="$(kernel_arch)" LLVM="-$(llvm_version)" "${more[@]}" "$@"
}

# lock NAME: one at a time; the lock goes with the process.
lock() {
	local start=$SECONDS
	mkdir -p "$CACHE/lock"
	exec 9>"$CACHE/lock/$1"
	if ! flock -n 9; then
		note "waiting for another $1"
		until flock -w 60 9; do
			note "waiting for another $1, for $(((SECONDS - start) / 60)) min"
		done
	fi
}
