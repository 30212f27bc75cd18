# RUN np=1 long time=3600 -- clang-tidy with the MPI checks over every source file
set -u
command -v clang-tidy >/dev/null || { echo "skipped: no clang-tidy"; exit 77; }
cd "$DIPPER_SOURCE" || exit 1
look() {
	local rc=0 said
	said=$(clang-tidy -p "$DIPPER_BUILD" --quiet "$1" 2>/dev/null) || rc=$?
	# the analyzer of some releases crashes on a file; then the other checks look at it
	if [ "$rc" -ge 128 ]; then
		echo "$1: clang-tidy's analyzer ended by signal $((rc - 128))"
		rc=0
		said=$(clang-tidy -p "$DIPPER_BUILD" --quiet --checks='-clang-analyzer-*' "$1" 2>/dev/null) || rc=$?
	fi
	[ -z "$said" ] || echo "$said"
	[ "$rc" -eq 0 ] || echo "$1: clang-tidy ended with $rc"
}
export -f look
# files of an instruction set of their own are compiled with flags that clang-tidy takes from the same database
find src kernels datasets -name '*.c' | sort | xargs -P "$(nproc)" -I FILE bash -c 'look FILE' >"$DIPPER_BUILD/tidy.log"
grep -E 'warning:|error:|clang-tidy' "$DIPPER_BUILD/tidy.log" | sort -u | head -60
! grep -qE 'warning:|error:|clang-tidy ended' "$DIPPER_BUILD/tidy.log"
