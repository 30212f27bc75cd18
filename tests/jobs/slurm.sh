# RUN np=1 time=300 -- train and score under a real Slurm of two nodes, with srun and mpirun; USR2 saves and leaves
set -u
if [ "$(id -u)" -ne 0 ] || ! command -v slurmctld >/dev/null || [ ! -x /usr/sbin/munged ]; then
	echo "skipped: a throwaway Slurm needs root, slurm-wlm and munge"
	exit 77
fi
if ! grep -q ' /sys/fs/cgroup' /proc/mounts; then
	echo "skipped: slurmd does not start without a mounted /sys/fs/cgroup"
	exit 77
fi
work=$(mktemp -d)
here=$DIPPER_SOURCE/tests/support
trap 'cd / && "$here/slurm-up" down "$work/slurm" >/dev/null 2>&1; rm -rf "$work"' EXIT
cd "$work" || exit 1
LIFE=600 MEM=100000 "$here/slurm-up" up "$work/slurm" 2 || { echo "no Slurm could be started"; exit 1; }
. "$work/slurm/env"
printf 'kind: site\nroot: %s/data\n' "$work" >site.yaml
export DIPPER_SITE=$work/site.yaml DIPPER_JOBS=$DIPPER_SOURCE/jobs
wrong=0
fault() { echo "$*"; wrong=1; }

"$DIPPER_BUILD/make-declarations" --out inbox --rows 20000 --months 12 --seed 3 --from 2025-09 >/dev/null 2>&1 ||
	fault "make-declarations"
"$DIPPER" ingest "$DIPPER_SOURCE/configs/lake/declarations.yaml" inbox/*.csv >/dev/null 2>err || { cat err; exit 1; }
train=(train "$DIPPER_SOURCE/configs/risk.yaml" model.trees=1500 model.depth=4 train.stop.patience=0
	"split.train=8 months" train.checkpoint=1s)

# job LAUNCHER NAME WORD…: submits on 2 nodes x 2 ranks, gives the id
job() {
	local launcher=$1 name=$2
	shift 2
	DIPPER_LAUNCHER=$launcher sbatch --parsable --nodes=2 --ntasks-per-node=2 --mem-per-cpu=1G --time=5 \
		-o "$work/$name.log" "$DIPPER_JOBS/$1.sbatch" "${@:2}"
}
# ended ID: waits, and gives its exit code
ended() {
	local end=$((SECONDS + 120)) said
	while said=$(scontrol show job "$1") && grep -qE 'JobState=(PENDING|RUNNING|COMPLETING|CONFIGURING)' <<<"$said"; do
		[ $SECONDS -lt $end ] || { echo hung; return; }
		sleep 0.2
	done
	sed -n 's/.* ExitCode=\([0-9]*\):.*/\1/p' <<<"$said"
}
steps() { cat data/runs/*/*-"$1"/metrics.jsonl 2>/dev/null | wc -l; }
payload() { "$DIPPER" model show "$1" --json | grep -oE '"payload": *"[0-9a-f]+"'; }

# Undisturbed, alone: what the others must equal.
"$DIPPER" "${train[@]}" name=alone >/dev/null 2>err || { cat err; exit 1; }
wanted=$(payload alone)
[ -n "$wanted" ] || fault "no payload of the model trained alone"

for launcher in srun mpirun; do
	id=$(job $launcher "$launcher-stopped" "${train[@]}" name=$launcher)
	end=$((SECONDS + 60))
	until [ "$(steps $launcher)" -ge 2 ] || [ $SECONDS -ge $end ]; do sleep 0.05; done
	scancel -b --signal=USR2 "$id"
	code=$(ended "$id")
	[ "$code" = 85 ] || { cat "$launcher-stopped.log"; fault "$launcher: stopped by USR2, exit code $code, not 85"; }
	[ -z "$(find data/models -name '*.h5' -path "*/$launcher/*")" ] || fault "$launcher: a stopped run offered a model"
	code=$(ended "$(job $launcher "$launcher-resumed" "${train[@]}" name=$launcher)")
	[ "$code" = 0 ] || { cat "$launcher-resumed.log"; fault "$launcher: resumed, exit code $code"; }
	grep -qE '4 ranks' "$launcher-resumed.log" || fault "$launcher: not 4 ranks"
	grep -qiE 'restart|resum|goes on|went on' "$launcher-resumed.log" || fault "$launcher: did not go on where it was"
	[ "$(payload $launcher)" = "$wanted" ] || fault "$launcher: the resumed run made another payload"
	[ "$(ls -d data/runs/*/*-$launcher | wc -l)" -eq 1 ] || fault "$launcher: more than one run folder"

	code=$(ended "$(job $launcher "$launcher-score" score "$DIPPER_SOURCE/configs/score-month.yaml" \
		"models.use=[$launcher]" "write.table=scores-$launcher")")
	[ "$code" = 0 ] || { cat "$launcher-score.log"; fault "$launcher: score, exit code $code"; }
	"$DIPPER" lake export "scores-$launcher" --columns row,score >"$launcher.csv" 2>err || { cat err; fault "$launcher: export"; }
done
[ "$(wc -l <srun.csv)" -gt 100 ] || fault "only $(wc -l <srun.csv) scores"
cmp -s srun.csv mpirun.csv || fault "srun and mpirun scored differently"

# A launcher whose ranks do not see each other: one message, no work done four times.
code=$(ended "$(DIPPER_LAUNCHER=srun SLURM_MPI_TYPE=none job srun copies train "$DIPPER_SOURCE/configs/risk.yaml" name=copies)")
[ "$code" = 2 ] || { cat copies.log; fault "4 copies, not 4 ranks: exit code $code, not 2"; }
grep -q '4 copies, not 4 ranks.*\[comm-01\]' copies.log || { cat copies.log; fault "4 copies, not 4 ranks: not said"; }
[ "$(grep -c '4 copies' copies.log)" -eq 1 ] || fault "4 copies: said more than once"
[ -z "$(ls -d data/runs/*/*-copies 2>/dev/null)" ] || fault "4 copies: a run was begun"
exit $wrong
