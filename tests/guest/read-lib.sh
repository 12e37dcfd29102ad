# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by lib.sh: reading what the kernel shows, and waiting, without a process.  To start
# one takes half a second where the kernel is emulated and checks everything, more than
# most of what is tested; $(<FILE) does not fork, but ends the shell if there is no FILE.  Not a
# test (it is not executable).

# value NAME FILE: what stands behind NAME in its line, and 1 if there is no such line
value() {
	local line lines
	mapfile -t lines <"$2" || return 1
	for line in "${lines[@]}"; do
		if [[ $line == "$1"[$' \t:']* ]]; then
			line=${line#"$1"}
			echo "${line#"${line%%[^$' \t:']*}"}"
			return 0
		fi
	done
	return 1
}

# value_or DEFAULT FILE: what the file has, if it is there
value_or() { if [ -e "$2" ]; then echo "$(<"$2")"; else echo "$1"; fi; }

# in_file PATTERN FILE: whether a line of it is of this pattern of the shell's
in_file() {
	local line lines
	mapfile -t lines <"$2" || return 1
	for line in "${lines[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $line != $1 ]] || return 0
	done
	return 1
}

has_module() { in_file "$1 *" /proc/modules; } # MODULE

# nap SECONDS
exec {nap_fd}<> <(:)
nap() { read -r -t "$1" -u "$nap_fd" || true; }
