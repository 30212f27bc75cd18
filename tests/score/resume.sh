# RUN np=1 time=240 -- scores are the same on any rank count, killed and gone on or not; a second time adds nothing
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 12000
"$DIPPER" train configs/risk.yaml model.trees=120 model.growth=depth model.depth=7 train.stop.patience=0 job.threads=1 evaluate.slices=[] --quiet \
	>/dev/null 2>"$words" || wrong "no model"
score() { # RANKS TABLE more…
	local ranks=$1 table=$2
	shift 2
	on "$ranks" score configs/score-night.yaml data.day= write.table="$table" job.threads=1 "$@"
}
rows() { "$DIPPER" lake export "$1" | sha256sum; }

made=$(score 1 scores-1 2>"$words") || wrong "score failed"
[ "$made" = scores-1@1 ] || wrong "it made '$made'"
want=$(rows scores-1)
[ "$("$DIPPER" lake export scores-1 | wc -l)" -gt 11500 ] || wrong "few rows: $(rows scores-1)"
grep -E '^ +rank +declaration_id +score +why' "$words" >/dev/null || wrong "no riskiest rows"
[ "$(grep -cE '^ +[0-9]+  +D[0-9]+ +0\.[0-9]{3}  [a-z_0-9]+ .* \([+-][0-9.]+\)' "$words")" -eq 10 ] || wrong "not ten of them"
sed -n '/^  rank/,/^    10/p' "$words" >top

score 3 scores-3 >/dev/null 2>"$words" || wrong "3 ranks failed"
[ "$(rows scores-3)" = "$want" ] || wrong "3 ranks: other scores"
sed -n '/^  rank/,/^    10/p' "$words" | cmp -s - top || wrong "3 ranks: other riskiest rows"

again=$(score 2 scores-1 2>"$words")
[ "$again" = scores-1@1 ] || wrong "a second time made '$again'"
grep -q "nothing was added" "$words" || wrong "not said that nothing was added"
[ "$(rows scores-1)" = "$want" ] || wrong "a second time changed the scores"

# From here on each file takes its time to reach the disk, so that a job can be caught at work on the fastest machine.
cp "$DIPPER_FAILING" failing.so # LD_PRELOAD takes a path apart at its blanks
slowly() {
	LD_PRELOAD=$home/failing.so FAIL_UNDER=$home/data SLOW_SYNC=40 "$@"
}

# Disturbed after the first blocks: by kill -9, by USR2 (alone and under mpirun), then gone on with.
disturb() { # SIGNAL RANKS TABLE
	slowly score "$2" "$3" >out 2>"$words" &
	local pid=$!
	for _ in $(seq 500); do
		[ "$(find "data/lake/$3" -name '*.h5' 2>/dev/null | wc -l)" -lt 2 ] || break
		sleep 0.01
	done
	strike "$1" "$pid"
	[ ! -s out ] || wrong "$3: a disturbed start printed $(cat out)"
	! "$DIPPER" lake show "$3" >/dev/null 2>&1 || wrong "$3: half a delivery can be seen"
}
go_on() { # RANKS TABLE
	[ "$(score "$1" "$2" 2>"$words")" = "$2@1" ] || wrong "$2: going on failed"
	grep -qE 'blocks?, [1-9][0-9]* of them done before' "$words" || wrong "$2: nothing was taken over from the first start"
	[ "$(rows "$2")" = "$want" ] || wrong "$2: other scores after going on"
	sed -n '/^  rank/,/^    10/p' "$words" | cmp -s - top || wrong "$2: other riskiest rows after going on"
}
disturb KILL 1 scores-kill
go_on 1 scores-kill
disturb USR2 1 scores-usr2
[ "$ended" -eq 85 ] || wrong "USR2: exit $ended, not 85"
go_on 2 scores-usr2
disturb USR2 2 scores-mpi
[ "$ended" -eq 85 ] || wrong "USR2 to mpirun: exit $ended, not 85"
go_on 1 scores-mpi
disturb INT 1 scores-int
[ "$ended" -eq 130 ] || wrong "Ctrl-C: exit $ended, not 130"
go_on 1 scores-int
disturb TERM 3 scores-term
[ "$ended" -ne 0 ] || wrong "TERM to mpirun: exit 0"
go_on 3 scores-term

# From another process of this host, to the first of three ranks; USR1 asks for nothing that is not done anyway.
for signal in stop usr1; do
	slowly score 3 scores-$signal name="$signal" >out 2>"$words" &
	pid=$!
	for _ in $(seq 500); do
		[ "$(find "data/lake/scores-$signal" -name '*.h5' 2>/dev/null | wc -l)" -lt 2 ] || break
		sleep 0.01
	done
	if [ $signal = usr1 ]; then
		strike USR1 $pid
	else
		"$DIPPER" run stop -- -stop >/dev/null 2>stopped || wrong "run stop: $(cat stopped)"
		wait $pid
		ended=$?
	fi
	[ $ended -eq "$([ $signal = stop ] && echo 85 || echo 0)" ] || wrong "$signal: exit $ended"
done
[ "$(rows scores-usr1)" = "$want" ] || wrong "USR1: other scores"
[ "$(score 1 scores-stop name=stop 2>"$words")" = scores-stop@1 ] || wrong "run stop: going on failed"
[ "$(rows scores-stop)" = "$want" ] || wrong "run stop: other scores after going on"
exit $failed
