# RUN np=1 time=300 -- stopped by Ctrl-C, TERM, USR2, run stop or kill -9, saved by USR1, on any rank count: a run ends
# with the same model
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 12000
# Each case has a run of its own; the payload must not know how it came about. 500 trees with a checkpoint each: a fast
# machine must not be through before the signal comes.
train() { # RANKS NAME more…
	local ranks=$1 name=$2
	shift 2
	on "$ranks" train configs/risk.yaml name="$name" model.trees=500 train.every=5 train.stop.patience=0 \
		evaluate.slices=[] evaluate.metrics=[auc] job.threads=1 --quiet "$@"
}

want=$(payload "$(train 1 plain 2>"$words")")
[ ${#want} -eq 64 ] || wrong "no payload of an undisturbed run: '$want'"
for ranks in 2 4; do
	got=$(payload "$(train $ranks ranks-$ranks 2>"$words")")
	[ "$got" = "$want" ] || wrong "$ranks ranks: $got, not $want"
done

# Waits until the run of this name has a checkpoint.
has_checkpoint() {
	for _ in $(seq 400); do
		ls data/runs/*/*-"$1"/checkpoints/[0-9]* >/dev/null 2>&1 && return 0
		sleep 0.02
	done
	return 1
}
# Sends a signal after the first checkpoint.
disturb() { # SIGNAL RANKS NAME
	train "$2" "$3" train.checkpoint=0s >out 2>"$words" &
	local pid=$!
	has_checkpoint "$3" || wrong "$3: no checkpoint was made"
	strike "$1" "$pid"
}
finish() { # RANKS NAME
	local model
	model=$(train "$1" "$2" train.checkpoint=0s 2>"$words") || wrong "$2: going on failed"
	[ "$(payload "$model")" = "$want" ] || wrong "$2: another model after going on"
	[ "$("$DIPPER" run ls | grep -c -- "-$2 ")" -eq 1 ] || wrong "$2: not one run"
}

disturb INT 1 int
[ "$ended" -eq 130 ] || wrong "Ctrl-C: exit $ended, not 130"
grep -q "goes on from there" "$words" || wrong "Ctrl-C: not said that it can go on"
[ ! -s out ] || wrong "Ctrl-C: a model on stdout"
finish 1 int
disturb USR2 1 usr2
[ "$ended" -eq 85 ] || wrong "USR2: exit $ended, not 85"
finish 2 usr2 # on another number of ranks
disturb KILL 1 kill
finish 1 kill
disturb USR2 2 usr2-mpi
[ "$ended" -eq 85 ] || wrong "USR2 to mpirun: exit $ended, not 85"
finish 1 usr2-mpi
disturb INT 2 int-mpi
[ "$ended" -ne 0 ] || wrong "Ctrl-C to mpirun: exit 0"
finish 2 int-mpi
disturb TERM 1 term
[ "$ended" -eq 85 ] || wrong "TERM: exit $ended, not 85"
[ -e "$(echo data/runs/*/*-term)/requeue" ] || wrong "TERM: no marker that the run is to be taken up again"
finish 3 term
[ ! -e "$(echo data/runs/*/*-term)/requeue" ] || wrong "TERM: the marker stands after the end"
disturb TERM 3 term-mpi
[ "$ended" -ne 0 ] || wrong "TERM to mpirun: exit 0"
finish 1 term-mpi

# USR1: saves at once, though no checkpoint is due, and goes on to the end.
has_begun() {
	for _ in $(seq 400); do
		[ ! -s "$(echo data/runs/*/*-"$1"/metrics.jsonl)" ] || return 0
		sleep 0.02
	done
	wrong "$1: it did not begin"
}
for ranks in 1 3; do
	train $ranks usr1-$ranks >out 2>"$words" &
	pid=$!
	has_begun usr1-$ranks
	! ls data/runs/*/*-usr1-$ranks/checkpoints/[0-9]* >/dev/null 2>&1 || wrong "USR1: a checkpoint before it was asked for"
	strike USR1 $pid
	[ "$ended" -eq 0 ] || wrong "USR1: exit $ended"
	ls data/runs/*/*-usr1-$ranks/checkpoints/[0-9]* >/dev/null 2>&1 || wrong "USR1: nothing was saved on $ranks ranks"
	[ "$(payload "$(cat out)")" = "$want" ] || wrong "USR1: another model on $ranks ranks"
done

# dipper run stop, from another process of this host: to a lone rank, to the first of three.
for ranks in 1 3; do
	train $ranks stop-$ranks train.checkpoint=0s >out 2>"$words" &
	pid=$!
	has_checkpoint stop-$ranks
	"$DIPPER" run stop -- -stop-$ranks >/dev/null 2>stopped || wrong "run stop: $(cat stopped)"
	wait $pid
	ended=$?
	[ $ended -eq 85 ] || wrong "run stop on $ranks ranks: exit $ended, not 85"
	finish 2 stop-$ranks
done
fails 2 "$DIPPER" run stop -- -stop-3 # it is not running any more
exit $failed
