# support/risk.sh -- sourced: a lake of invented declarations under a temporary folder, and words to use it.
#   make_lake [ROWS]     $home: site, lake, runs, models; the current folder, with configs/ beside
#   on N COMMAND…        the program on N ranks (1: without a launcher)
#   payload MODEL        digest of a model's payload
#   strike SIGNAL PID    sends a signal to what `on … &` started
#   fails CODE COMMAND…  the command must end with that code; its words are in $words
# shellcheck shell=bash
set -u
home=$(mktemp -d)
words=$home/words
# shellcheck disable=SC2154  # DIPPER… come from ctest
export DIPPER_SITE=$home/site.yaml
trap 'rm -rf "$home"' EXIT
cd "$home" || exit 1
ln -s "$DIPPER_SOURCE/configs" configs
printf 'kind: site\nroot: %s/data\n' "$home" >site.yaml

failed=0
wrong() {
	echo "$*"
	[ ! -s "$words" ] || sed 's/^/    /' "$words"
	# shellcheck disable=SC2034  # the tests end with it
	failed=1
}
on() {
	local ranks=$1
	shift
	if [ "$ranks" -eq 1 ]; then
		"$DIPPER" "$@"
	else
		"$MPIEXEC" -n "$ranks" "$DIPPER" "$@"
	fi
}
fails() {
	local code=$1
	shift
	"$@" >"$home/out" 2>"$words" </dev/null
	local got=$?
	[ "$got" -eq "$code" ] || wrong "exit $got, not $code: $*"
}
payload() {
	"$DIPPER" model show "$1" --json | sed -n 's/.*"payload": "\(.*\)".*/\1/p'
}
# Signals the program (or mpirun) below the subshell of `on … &`, and waits; its exit code in $ended.
strike() { # SIGNAL PID
	local target
	target=$(pgrep -P "$2" | head -1)
	kill -"$1" "${target:-$2}" || wrong "$1: it had ended before it was struck"
	wait "$2"
	# shellcheck disable=SC2034  # the tests look at it
	ended=$?
}
make_lake() {
	[ -x "$DIPPER_BUILD/make-declarations" ] || {
		echo "skipped: no make-declarations in the build"
		exit 77
	}
	"$DIPPER_BUILD/make-declarations" --out "$home/inbox" --rows "${1:-20000}" --months 36 --seed 7 --from 2023-09 --gzip >/dev/null &&
		"$DIPPER" ingest configs/lake/declarations.yaml "$home"/inbox/*.csv.gz --quiet >/dev/null || {
		echo "the lake could not be made"
		exit 1
	}
}
