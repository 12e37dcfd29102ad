# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # shared with scripts/module
#
# Sourced by scripts/module: for a kernel without CONFIG_RUST, the Rust crates that
# a kernel with it has beside its headers.  They are built by the kernel's own
# rust/Makefile, from the source of the same kernel, in an overlay of links:
#
#   $stack/src      the headers all flavours share, with rust/ of the source
#   $stack/obj      the headers of this one, with a rust/ of its own: stands for KDIR
#   $stack/crates   the external module whose Kbuild builds rust/ (kernel/stock)
#
# Nothing is written below KDIR.  CONFIG_RUST and the like are given to make, where
# they override auto.conf; the kernel's autoconf.h, and with it every layout that C
# sees, stays what it was.  The C half of the module sees no CONFIG_RUST.

# The directory's name says what it was made from.
stack_dir() {
	local key
	key=$({
		echo "$KDIR $common $source"
		cat "$KDIR/include/config/auto.conf" "$source/Makefile"
		stat -c %Y "$KDIR/Module.symvers"
		rustc -vV
		bindgen --version
		echo "${LIBCLANG_PATH:-}"
		cat "$TOP/scripts/lib/stack.sh" "$TOP/kernel/stock/stack.kbuild"
	} | sha256sum | cut -c1-10)
	echo "$CACHE/rust/$release-$key"
}

# links FROM TO: what is in FROM, as links in TO
links() {
	mkdir -p "$2"
	find "$1" -mindepth 1 -maxdepth 1 -exec ln -s -t "$2" {} +
}

# own DIR NAME: the link becomes a directory of links, to which others can be added
own() {
	local target
	target=$(readlink -f "$1/$2")
	rm "$1/$2"
	links "$target" "$1/$2"
}

overlay() { # DIR
	local f
	links "$common" "$1/src"
	own "$1/src" scripts
	rm -f "$1/src/rust"
	ln -s "$source/rust" "$1/src/rust"
	for f in generate_rust_target.rs rust_is_available_bindgen_libclang.h; do
		ln -sf "$source/scripts/$f" "$1/src/scripts/$f"
	done
	links "$KDIR" "$1/obj"
	own "$1/obj" scripts
	rm -f "$1/obj/Makefile" "$1/obj/source" "$1/obj/rust"
	echo "include $1/src/Makefile" >"$1/obj/Makefile"
	mkdir -p "$1/obj/rust/bindings" "$1/obj/rust/uapi" "$1/obj/rust/helpers" "$1/crates"
	ln -s "$TOP/kernel/stock/stack.kbuild" "$1/crates/Kbuild"
}

# x86's target is a file: the kernel's generator is told which rustc there is.
target_spec() { # DIR
	is_set X86_64 || return 0
	rustc --edition=2021 -o "$1/generate_rust_target" "$source/scripts/generate_rust_target.rs" &&
		{
			grep -v '^CONFIG_RUSTC_VERSION=' "$KDIR/include/config/auto.conf"
			echo "CONFIG_RUSTC_VERSION=$rustc_number"
		} | "$1/generate_rust_target" >"$1/target.json" &&
		rm -f "$1/obj/scripts/target.json" && mv "$1/target.json" "$1/obj/scripts/"
}

# Options that say what rustc can do: Kconfig would have set those of init/Kconfig
# that this rustc is new enough for.
rustc_options() {
	awk -v have="$rustc_number" '
		$1 == "config" { name = $2 }
		name ~ /^RUSTC_HAS_/ && $1 == "def_bool" && $2 == "RUSTC_VERSION" && $3 == ">=" && have >= $4 {
			print name
		}' "$source/init/Kconfig"
}

# Sets kargs: what make needs to know for such a kernel.
stack_args() {
	local o cfg='--cfg CONFIG_RUST'
	kargs=(ZS_STOCK=y CONFIG_RUST=y "CONFIG_RUSTC_VERSION=$rustc_number")
	for o in $(rustc_options); do
		kargs+=("CONFIG_$o=y")
		cfg+=" --cfg CONFIG_$o"
	done
	# one run of objtool, over the finished module: the crates' unused functions
	# can be dropped only before it
	kargs+=(delay-objtool=y)
	if is_set DEBUG_INFO_BTF_MODULES && ! command -v pahole >/dev/null; then
		note "no pahole here (package pahole or dwarves): the module will have no BTF"
		kargs+=(CONFIG_DEBUG_INFO_BTF_MODULES=)
	fi
	rust_cfg=$cfg
}

build_stack() { # sets kbuild_dir, kargs, rust_cfg
	local log
	stack_args
	stack=$(stack_dir)
	kbuild_dir=$stack/obj
	touch -c "$stack/.complete" # make clean-cache asks when it was used
	[ ! -e "$stack/.complete" ] || return 0
	lock rust
	[ ! -e "$stack/.complete" ] || return 0
	note "building the Rust crates core and kernel of $source_name"
	log=$stack/build.log
	rm -rf "$stack"
	overlay "$stack"
	if ! { target_spec "$stack" &&
		make -C "$stack/obj" ARCH="$karch" "${compiler[@]}" M="$stack/crates" -j"$JOBS" \
			"${kargs[@]}" KRUSTFLAGS="-Zfunction-sections=y -Cdebuginfo=0 $rust_cfg" \
			modules; } >"$log" 2>&1; then
		cat "$log" >&2
		die "the Rust crates did not build for $KDIR"
	fi
	touch "$stack/.complete"
}
