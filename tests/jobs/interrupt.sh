# RUN np=1 time=180 -- jobs/run without Slurm: Ctrl-C on the terminal saves on all ranks and ends with 130; the same
# command goes on to the same model
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 6000
config=(train configs/risk.yaml name=risk model.trees=300 train.every=5 train.stop.patience=0 evaluate.slices=[]
	evaluate.metrics=[auc] job.threads=1 --quiet)
want=$(payload "$("$DIPPER" "${config[@]}" name=plain 2>"$words")")
[ ${#want} -eq 64 ] || wrong "no payload of an undisturbed run: '$want'"

export DIPPER_LAUNCHER=mpirun DIPPER_RANKS=2
set -m # the job is a group of processes, and a terminal's Ctrl-C is a signal to all of them
"$DIPPER_SOURCE/jobs/run" "${config[@]}" train.checkpoint=0s >out 2>"$words" &
job=$!
for _ in $(seq 400); do
	! ls data/runs/*/*-risk/checkpoints/[0-9]* >/dev/null 2>&1 || break
	sleep 0.02
done
kill -INT -- -$job || wrong "it had ended before it was struck"
wait $job
ended=$?
[ $ended -eq 130 ] || wrong "Ctrl-C: exit $ended, not 130"
grep -q "goes on from there" "$words" || wrong "not said that it can go on"
[ ! -s out ] || wrong "a model on stdout"

model=$("$DIPPER_SOURCE/jobs/run" "${config[@]}" train.checkpoint=0s 2>"$words") || wrong "going on failed"
[ "$(payload "$model")" = "$want" ] || wrong "another model after going on"
[ "$("$DIPPER" run ls | grep -c -- "-risk ")" -eq 1 ] || wrong "not one run"
exit $failed
