# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # shared with scripts/module
#
# Sourced by scripts/module: for a kernel without CONFIG_RUST, the source of that
# very kernel.  Its rust/ is compiled against the headers, and nothing would notice
# if the two disagreed: so every header of include/linux has to be the same in both.
#
# Sets common (the headers that all flavours of the kernel share, or its source
# tree), source (a directory with rust/, scripts/ and init/Kconfig) and source_name
# (what the user knows it by).

# Where KDIR's Makefile gets the rest from: a build directory and Debian's headers
# include a Makefile elsewhere.  In a package that was unpacked and not installed,
# that is beside it.
find_common() {
	common=$(sed -n 's|^include \(/.*\)/Makefile$|\1|p' "$KDIR/Makefile" | head -1)
	common=${common:-$KDIR}
	[ -e "$common/Makefile" ] || common=$KDIR/../${common##*/}
	[ -e "$common/Makefile" ] || refuse "its Makefile includes one that is not there"
	common=$(cd "$common" && pwd -P)
}

# What of the source is needed, as it is called in a tar file of it.
source_members=('*/Makefile' '*/init/Kconfig' '*/include/linux' '*/rust' '*/scripts/generate_rust_target.rs'
	'*/scripts/rust_is_available_bindgen_libclang.h' '*/scripts/min-tool-version.sh')

# Unpacked once, into the cache: reading all of the tar file takes its time.
unpack_source() { # TAR
	local dir
	dir=$CACHE/rust-source/$(stat -c "%n %s %Y" "$(readlink -f "$1")" | sha256sum | cut -c1-10)
	touch -c "$dir/.complete" # make clean-cache asks when it was used
	if [ ! -e "$dir/.complete" ]; then
		lock rust-source
	fi
	if [ ! -e "$dir/.complete" ]; then
		rm -rf "$dir" "$dir.tmp"
		mkdir -p "$dir.tmp"
		note "unpacking rust/ of $1"
		tar -C "$dir.tmp" --strip-components=1 --wildcards --no-wildcards-match-slash -xf "$1" "${source_members[@]}" ||
			die "$1 is not a kernel's source"
		touch "$dir.tmp/.complete"
		mv "$dir.tmp" "$dir"
	fi
	source=$dir
}

find_source() {
	local where=${KSRC:-} base=/usr/src/linux-source-$LINUX
	find_common
	if [ -z "$where" ]; then
		for where in "$common" "$base.tar.xz" "$base" ''; do
			if [ -f "$where" ] || [ -e "$where/rust/kernel/lib.rs" ]; then
				break
			fi
		done
	fi
	[ -n "$where" ] || refuse "$(no_source)"
	[ -e "$where" ] || die "KSRC=$where: no such file or directory"
	source_name=$where
	if [ -f "$where" ]; then
		unpack_source "$where"
	else
		source=$(cd "$where" && pwd -P)
	fi
	check_source
}

no_source() {
	local package=linux-source-$LINUX
	echo "without CONFIG_RUST it needs the source of the same kernel:" \
		"on Debian, apt install $package$(debian_version '='); elsewhere KSRC=DIR or KSRC=TAR"
}

# The version of the Debian package that the headers are from, if they are.
debian_version() { # PREFIX
	local v
	v=$(sed -n 's/^#define LINUX_PACKAGE_ID " Debian \(.*\)"$/\1/p' \
		"$KDIR/include/generated/package.h" 2>/dev/null || true)
	echo "${v:+$1$v}"
}

source_version() { # TREE
	awk '$1 ~ /^(VERSION|PATCHLEVEL|SUBLEVEL)$/ && $2 == "=" { v = v "." $3 }
		/^NAME/ { print substr(v, 2); exit }' "$1/Makefile"
}

check_source() {
	local want have
	[ "$source" != "$common" ] || return 0
	[ -e "$source/rust/kernel/lib.rs" ] || refuse "$source_name has no rust/ (KSRC)"
	want=$(source_version "$common")
	have=$(source_version "$source")
	[ "$want" = "$have" ] ||
		refuse "it is Linux $want$(debian_version ', Debian '), $source_name is Linux $have"
	want=$(diff -rq "$source/include/linux" "$common/include/linux" 2>&1 | head -1) || true
	[ -z "$want" ] || refuse "$source_name is not its source: $want"
}
