# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by scripts/test: runs the parts of the suite, keeps their results and the
# time each took.
#
# A part is a command that prints TAP.  Its budget is in seconds, on two cores with
# everything cached; a part that takes longer is named at the end, and has not
# failed.  Guests need all cores and run one after the other (part).  What needs no
# guest can run beside them (beside): on processors that the guests leave idle.
#
# LIMIT is in seconds, too, and of all parts together: after it none is begun any more.
# What was left out so is skipped, by name.
#
# PARTS is a regular expression: parts of other names are none, and no skips either.

logs=$TOP/build/logs
state=$(mktemp -d "${TMPDIR:-/tmp}/zsm-parts.XXXXXX")
tap=$state/tap
: >"$tap"
: >"$state/times"
trap 'parts_leave' EXIT
mkdir -p "$logs"

# Parts that have ended, in that order.
parts_run=()

# The order of the parts that run beside the guests, and the process that runs them.
beside_names=()
beside_pid=''

parts_leave() {
	beside_stop
	rm -rf "$state"
}

chosen() { [ -z "${PARTS:-}" ] || [[ $1 =~ $PARTS ]]; } # NAME

in_time() { [ -z "${LIMIT:-}" ] || [ "$SECONDS" -lt "$LIMIT" ]; }

left_out() { verdict "ok - $1 # SKIP $2: $LIMIT s were over"; }

# verdict LINE: a TAP line of our own
verdict() {
	echo "$1"
	echo "$1" >>"$tap"
}

# run_part NAME CMD…: the command's output in $logs/NAME.tap, exit code and seconds
# beside it.
run_part() {
	local name=$1 code=0 start=$SECONDS
	shift
	"$@" >"$logs/$name.tap" 2>&1 || code=$?
	echo "$code $((SECONDS - start))" >"$state/$name.result"
}

# Count the TAP lines of a part that has ended.  Only the top level counts: nested
# TAP is indented.  A part that fails without a "not ok" of its own is itself one.
count_part() { # NAME BUDGET
	local code seconds out=$logs/$1.tap
	read -r code seconds <"$state/$1.result"
	grep -aE '^(not )?ok( |$)' "$out" | tr -d '\r' >>"$tap" || true
	if ! grep -qaE '^(not )?ok( |$)' "$out"; then
		verdict "not ok - $1: gave no result (exit code $code)"
	elif [ "$code" != 0 ] && ! grep -qaE '^not ok' "$out"; then
		verdict "not ok - $1: exit code $code"
	fi
	echo "$seconds $2 $1" >>"$state/times"
	parts_run+=("$1")
	echo "# --- $1: $seconds s"
}

# part NAME BUDGET CMD…: run it now, and show its output as it comes, or for how long it
# has been running
part() {
	local name=$1 budget=$2 pid
	shift 2
	chosen "$name" || return 0
	if ! in_time; then
		left_out "$name" "not begun"
		return
	fi
	echo "# --- $name"
	: >"$logs/$name.tap"
	ZSM_PROGRESS=1 run_part "$name" "$@" &
	pid=$!
	progress "part-$name" "$budget:0" "" "$name" \
		tail -n +1 -s 0.2 -f --pid="$pid" "$logs/$name.tap" || true
	wait "$pid" || true
	count_part "$name" "$budget"
}

# beside NAME BUDGET CMD…: put it in the queue of what runs beside the guests
beside() {
	chosen "$1" || return 0
	beside_names+=("$1 $2")
	shift 1
	: >"$logs/${beside_names[-1]% *}.tap"
	printf 'run_part %q' "${beside_names[-1]% *}" >>"$state/queue"
	shift 1
	printf ' %q' "$@" >>"$state/queue"
	echo >>"$state/queue"
}

# SCHED_IDLE: it gets what is left over, and a guest that wakes up does not wait for it.
# In a process group of its own, so that all of it can be stopped.
beside_start() {
	[ ${#beside_names[@]} != 0 ] || return 0
	set -m
	(
		chrt --idle --pid 0 "$BASHPID" 2>/dev/null || renice -n 19 "$BASHPID" >/dev/null
		# shellcheck source=/dev/null
		. "$state/queue"
	) </dev/null &
	beside_pid=$!
	set +m
}

beside_has() { [ -e "$state/$1.result" ]; }

beside_runs() { [ -n "$beside_pid" ] && kill -0 "$beside_pid" 2>/dev/null; }

beside_stop() {
	[ -z "$beside_pid" ] || kill -- "-$beside_pid" 2>/dev/null || true
	beside_pid=''
}

# beside_wait NAME: if that is in the queue, wait until it is done; no longer than LIMIT.
# Without a guest it gets all there is.
beside_wait() {
	local since=$SECONDS
	[[ " ${beside_names[*]} " == *" $1 "* ]] || return 0
	while beside_runs && in_time && ! beside_has "$1"; do
		sleep 1
		[ $(((SECONDS - since) % 60)) != 59 ] ||
			echo "test: $((SECONDS - since + 1)) s waiting for $1" >&2
	done
}

# Show what the queue gave.
beside_collect() {
	local name budget cut=''
	[ ${#beside_names[@]} != 0 ] || return 0
	beside_wait "${beside_names[-1]% *}"
	if ! beside_has "${beside_names[-1]% *}" && beside_runs; then
		beside_stop
		cut=1
	fi
	while read -r name budget; do
		echo "# --- $name (beside the guests)"
		cat "$logs/$name.tap"
		if beside_has "$name"; then
			count_part "$name" "$budget"
		elif [ -n "$cut" ]; then
			# what had failed by then has failed
			grep -a '^not ok' "$logs/$name.tap" | tr -d '\r' >>"$tap" || true
			left_out "$name" "not at its end"
		else
			verdict "not ok - $name: did not run"
		fi
	done < <(printf '%s\n' "${beside_names[@]}")
}

# The seconds of each part, the longest first; what is over its own budget; the sum.
times_table() { # BUDGET_OF_ALL
	local seconds budget name late=()
	echo "# seconds  budget  part"
	while read -r seconds budget name; do
		printf '# %7d %7d  %s\n' "$seconds" "$budget" "$name"
		[ "$seconds" -le "$budget" ] || late+=("$name")
	done < <(sort -rn "$state/times")
	printf '# %7d %7d  all, as the clock has it\n' "$SECONDS" "$1"
	[ ${#late[@]} = 0 ] || echo "# over budget: ${late[*]}"
}

# Of each part that failed: its failed cases, with the lines before them, or, without any, its
# end.  Then all that failed.
failures() {
	local name code out
	for name in "${parts_run[@]}"; do
		read -r code _ <"$state/$name.result"
		out=$logs/$name.tap
		if grep -aq '^not ok' "$out"; then
			echo "# in $out:"
			grep -a -B 12 '^not ok' "$out" | tail -n 60 | sed 's/^/#   /'
		elif [ "$code" != 0 ] || ! grep -aqE '^ok( |$)' "$out"; then
			echo "# the end of $out:"
			tail -n 12 "$out" | sed 's/^/#   /'
		fi
	done
	echo "# failed:"
	grep '^not ok' "$tap" | sed 's/^/#   /'
}

# "N passed, N failed, N skipped"; fails if a case did, or none passed.  What failed comes
# last: whoever keeps only the end of the output has it.
sum_up() {
	local skipped passed failed
	skipped=$(grep -ciE '^ok.*# *skip' "$tap" || true)
	passed=$(($(grep -c '^ok' "$tap" || true) - skipped))
	failed=$(grep -c '^not ok' "$tap" || true)
	if [ "$skipped" != 0 ]; then
		echo "# skipped:"
		grep -iE '^ok.*# *skip' "$tap" | sed 's/^/#   /'
	fi
	[ "$failed" = 0 ] || failures
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}
