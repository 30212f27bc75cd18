# RUN np=1 quick -- wrong words get a message with an id, a suggestion, the right exit code, on one rank only
. "$DIPPER_SOURCE/tests/support/risk.sh"
says() { grep -qF -- "$1" "$words" || wrong "not said: $1"; }

fails 2 "$DIPPER" trian
says "did you mean 'train'?"
says "[app-01]"
says "More: dipper help app-01"
fails 2 "$DIPPER" train configs/risk.yaml --jsn
says "did you mean --json?"
fails 2 "$DIPPER" train configs/risk.yaml --limit 3
says "no flag --limit"
fails 2 "$DIPPER" score --limit
says "[app-03]"
fails 2 "$DIPPER" model ls --limit=many
says "whole number"
fails 2 "$DIPPER" lake shw x
says "did you mean 'show'?"
fails 2 "$DIPPER" train
says "a config of kind model"
fails 2 "$DIPPER" help lake-9999
# Words that nothing reads would be a value that nobody sees.
fails 2 "$DIPPER" train configs/risk.yaml model.depth 7
says "did you mean model.depth=7?"
fails 2 "$DIPPER" lake show declarations 5
says "[app-11]"
fails 2 "$DIPPER" doctor ranks 2
fails 66 "$DIPPER" check nowhere.yaml
says "nowhere.yaml"
fails 66 "$DIPPER" check "$home" # a folder is no config
fails 78 "$DIPPER" train configs/score-night.yaml
says "describes a batch"
fails 78 "$DIPPER" check configs/risk.yaml model.dept=7 train.stop.metric=aux
says "did you mean 'depth'?"
fails 78 "$DIPPER" check configs/risk.yaml 'evaluate.metrics=[auc, aucc]' train.stop.metric=revenue@5% evaluate.revenue=
says "'aucc'"
says "[train-01]"
fails 78 "$DIPPER" check configs/score-night.yaml data.day=2026-02-30
says "[score-04]"
fails 78 "$DIPPER" check configs/risk.yaml train.stop.metric=aucc model.depht=7 evaluate.metrics='[auk]'
for fault in "unknown key 'model.depht'" "'aucc'" "'auk'" '3 errors'; do says "$fault"; done
fails 66 "$DIPPER" lake show nothing
fails 66 "$DIPPER" run show nothing
fails 66 "$DIPPER" model show nothing
fails 66 "$DIPPER" train configs/risk.yaml
says "declarations"

# Three ranks find the same fault: one of them says it.
fails 78 "$MPIEXEC" -n 3 "$DIPPER" score configs/score-night.yaml data.day=2026-02-30
[ "$(grep -c 'score-04' "$words")" -eq 2 ] || wrong "not said once (a fault and where to read on)"
fails 2 "$MPIEXEC" -n 3 "$DIPPER" train
[ "$(grep -c 'error:' "$words")" -eq 1 ] || wrong "not said once"

# Nothing of it left a trace, stdout stayed empty, and a full stdout is a failure.
[ ! -e data ] || wrong "a folder was made: $(find data)"
[ ! -s out ] || wrong "stdout had words"
fails 74 sh -c '"$DIPPER" check configs/risk.yaml >/dev/full'
says "[app-08]"

# No terminal, no colours; quiet says nothing.
! grep -q "$(printf '\033')" "$words" || wrong "colours without a terminal"
"$DIPPER" check configs/risk.yaml --quiet >"$home/out" 2>"$words" || wrong "check failed"
[ ! -s "$words" ] || wrong "--quiet has words"

# A reader of the pipe that has enough ends the command without a word; "nothing yet" is said, not shown as nothing.
{ sleep 0.1 && "$DIPPER" help train 2>"$words"; echo $? >code; } | true
[ "$(cat code)" = 141 ] || wrong "a reader that left: exit $(cat code), not 141"
[ ! -s "$words" ] || wrong "words to a reader that left"
for thing in lake run model; do
	"$DIPPER" $thing ls >out 2>"$words" || wrong "$thing ls of nothing"
	says " yet"
	[ ! -s out ] || wrong "$thing ls of nothing: $(cat out)"
done

# The doctor tells what is wrong with a site and goes on; under a launcher it looks at the ranks that were started.
DIPPER_SITE=nowhere.yaml "$DIPPER" doctor >out 2>"$words" || wrong "doctor without its site"
grep -q '^site .*! .*nowhere.yaml' out && grep -q '^clock' out || wrong "doctor without its site: $(cat out)"
"$MPIEXEC" -n 3 "$DIPPER" doctor >out 2>"$words" || wrong "doctor on 3 ranks"
[ "$(grep -c '^launcher .*these 3 ranks see each other' out)" -eq 1 ] || wrong "doctor on 3 ranks: $(cat out)"

# Four tasks that cannot find each other (srun without PMIx) stop at once; one of them says it.
copies() { SLURM_JOB_ID=1 SLURM_STEP_NUM_TASKS=4 SLURM_NTASKS=4 SLURM_PROCID=$1 "$DIPPER" train configs/risk.yaml; }
fails 2 copies 0
says "4 copies, not 4 ranks"
says "[comm-01]"
fails 2 copies 3
[ ! -s "$words" ] || wrong "each of the copies said it"

# Only work under a launcher starts MPI: a start without one, and looking after things under one, load none of its plugins.
plugins() { LD_DEBUG=files "$@" 2>&1 >out | grep -cE 'file=.*(mca_|pmix)[^/]*\.so'; }
[ "$(plugins "$DIPPER" train configs/risk.yaml)" -eq 0 ] || wrong "a start without a launcher starts MPI"
[ "$(plugins "$MPIEXEC" -n 1 env LD_DEBUG=files "$DIPPER" lake ls)" -lt "$(plugins "$MPIEXEC" -n 1 env LD_DEBUG=files "$DIPPER" train configs/risk.yaml)" ] ||
	wrong "lake ls starts MPI"
exit $failed
