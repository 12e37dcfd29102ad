# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # shared with scripts/module
#
# Sourced by scripts/module: the programs that a module needs, looked for and never
# installed.  Each that is missing is a line, with the names of the packages that
# have it.
# refuse() and conf() are scripts/module's.

# The program $1 whose --version is $2: a user's kernel may have been built with another
# toolchain than the distribution's.
find_tool() {
	local p
	while read -r p; do
		if [ "$("$p" --version 2>/dev/null | head -1)" = "$2" ]; then
			echo "$p"
			return
		fi
	done < <(type -ap "$1")
	return 1
}

# at_least VERSION LEAST
at_least() { printf '%s\n%s\n' "$2" "$1" | sort -VC; }

# A program $1 that is at least $2; the first word of what it says that looks like a
# version counts.
find_tool_since() {
	local p v
	while read -r p; do
		v=$("$p" --version 2>/dev/null | grep -oE -m1 '[0-9]+(\.[0-9]+)+' | head -1)
		if [ -n "$v" ] && at_least "$v" "$2"; then
			echo "$p"
			return
		fi
	done < <(type -ap "$1")
	return 1
}

# What was found is what everything calls from here on, by its plain name: a link to it
# and to nothing else goes in front, since its directory may have another of the rest.
use_tool() { # NAME PROGRAM
	mkdir -p "$work/bin"
	ln -sf "$2" "$work/bin/$1"
	[[ $PATH == "$work/bin:"* ]] || export PATH=$work/bin:$PATH
	hash -r
}

missing=()
lacks() { # WHAT DEBIAN FEDORA ARCH UBUNTU
	missing+=("$1 (Debian: $2; Fedora: $3; Arch: $4; Ubuntu: $5)")
}

# wants PROGRAM DEBIAN FEDORA ARCH UBUNTU
wants() { command -v "$1" >/dev/null || lacks "$@"; }

# What every kernel's build system calls.
check_build_tools() {
	wants make make make make make
	wants gcc gcc gcc gcc gcc # programs of the host: Rust's macros
	wants awk mawk gawk gawk mawk
	wants ld binutils binutils binutils binutils
}

# What Debian's headers for another architecture than this machine's set, or the user.
cross_prefix() {
	local prefix
	prefix=$(sed -n 's/^override CROSS_COMPILE = //p' "$KDIR/.kernelvariables" 2>/dev/null || true)
	echo "${prefix:-${CROSS_COMPILE:-}}"
}

# The first of these programs that is here, or the last.
first_of() {
	local p
	for p; do
		! command -v "$p" >/dev/null || break
	done
	echo "$p"
}

# strip(1) for a module: of one architecture it may be unable to read the others.
strip_program() {
	local major
	if [ "$(conf CC_IS_CLANG)" = y ]; then
		major=$(($(conf CLANG_VERSION) / 10000))
		first_of "llvm-strip-$major" llvm-strip
	else
		first_of "$(cross_prefix)strip" strip
	fi
}

# The kernel's own compiler, as its headers name it.
check_compiler() {
	local cc
	compiler=()
	if [ "$(conf CC_IS_CLANG)" = y ]; then
		check_clang $(($(conf CLANG_VERSION) / 10000))
		return
	fi
	# Debian's headers name theirs; elsewhere it is what gcc is
	cc=$(sed -n 's/^CC = .*)\(gcc-[0-9]*\)$/\1/p' "$KDIR/.kernelvariables" 2>/dev/null || true)
	cc=$(cross_prefix)${cc:-gcc}
	wants "$cc" "$cc" gcc gcc "$cc"
}

check_clang() { # MAJOR
	if command -v "clang-$1" >/dev/null; then
		compiler=(LLVM="-$1")
	elif [ "$(clang -dumpversion 2>/dev/null | cut -d. -f1)" = "$1" ]; then
		compiler=(LLVM=1)
	else
		refuse "it was built by clang $1, which is not here"
	fi
	export LIBCLANG_PATH=${LIBCLANG_PATH:-/usr/lib/llvm-$1/lib}
	# its asm/io.h is full of them
	[ "$karch" != um ] || compiler+=(KCFLAGS=-Wno-null-pointer-arithmetic)
}

# With CONFIG_RUST: the very rustc and bindgen that the kernel was built with, since
# Rust's metadata are of one version only.
check_same_rust() {
	local want program
	want=$(conf RUSTC_VERSION_TEXT)
	program=$(find_tool rustc "$want") ||
		refuse "it was built by '$want', here is '$(rustc --version 2>&1 | head -1)'"
	use_tool rustc "$program"
	want=$(conf BINDGEN_VERSION_TEXT)
	program=$(find_tool bindgen "$want") ||
		refuse "it was built with '$want', here is '$(bindgen --version 2>&1 | head -1)'"
	use_tool bindgen "$program"
}

# Without: any that the kernel's source says it can be built with.
check_any_rust() {
	local program least
	least=$(least_version rustc)
	if program=$(find_tool_since rustc "$least"); then
		use_tool rustc "$program"
		[ -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs" ] ||
			lacks "the source of Rust's library for $(rustc --version)" \
				"rust-src, with rustc-web rust-web-src" rust-src rust-src \
				"rust-src, with rustc-1.80 rust-1.80-src"
	else
		lacks "rustc $least or newer" "rustc-web or rustc" rust rust rustc
	fi
	least=$(least_version bindgen)
	if program=$(find_tool_since bindgen "$least"); then
		use_tool bindgen "$program"
		check_libclang
	else
		lacks "bindgen $least or newer" "bindgen, before 13: cargo install bindgen-cli" \
			bindgen-cli rust-bindgen bindgen
	fi
}

# bindgen finds libclang by itself, or where LIBCLANG_PATH says.  The newest there is
# knows most of gcc's options.
check_libclang() {
	local header=$work/empty.h dir clang_flags=(-w)
	# 14, which Debian 12 has as libclang-dev, does not know it
	[ "$(conf INIT_STACK_ALL_ZERO)" != y ] || clang_flags+=(-ftrivial-auto-var-init=zero)
	: >"$header"
	if [ -z "${LIBCLANG_PATH:-}" ]; then
		dir=$(find /usr/lib/llvm-*/lib -maxdepth 1 -name 'libclang*.so*' -printf '%h\n' 2>/dev/null |
			sort -V | tail -1)
		[ -z "$dir" ] || export LIBCLANG_PATH=$dir
	fi
	bindgen "$header" -- "${clang_flags[@]}" >/dev/null 2>&1 ||
		lacks "libclang 16 or newer" "libclang-16-dev or newer" clang-libs clang \
			"libclang-16-dev or newer"
}

# What the kernel's source asks for.
least_version() { ARCH=$karch sh "$source/scripts/min-tool-version.sh" "$1"; }

# All that was missing, at once.
report_missing() {
	[ "${#missing[@]}" -gt 0 ] || return 0
	note "a module for $KDIR needs programs that are not here; nothing is installed by itself:"
	printf '  %s\n' "${missing[@]}" >&2
	exit 1
}
