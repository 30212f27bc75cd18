# RUN np=1 time=180 -- several models in one pass give what each gives alone, on any rank count, stopped and gone on or not
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 6000
train() {
	"$DIPPER" train configs/risk.yaml model.trees=120 train.stop.patience=0 job.threads=1 evaluate.slices=[] --quiet "$@" \
		>/dev/null 2>"$words" || wrong "no model: $*"
}
# Of other columns and another kind of tree: what the two read overlaps.
train
train name=small data.columns=[office,hs6,value,net_mass] split.apart=[] model.growth=depth model.depth=8
score() { # RANKS TABLE MODELS more…
	on "$1" score configs/score-night.yaml data.day= write.table="$2" "models.use=[$3]" job.threads=1 "${@:4}"
}
rows() { "$DIPPER" lake export "$1" ${2:+--where "model = $2"} | sort | sha256sum; }
for model in risk small; do
	score 1 "alone-$model" $model >/dev/null 2>"$words" || wrong "$model failed"
done
for ranks in 1 3; do
	made=$(score $ranks both-$ranks risk,small 2>"$words")
	[ "$made" = "both-$ranks@2" ] || wrong "$ranks ranks made '$made'"
	[ "$(grep -c '^  rank' "$words")" -eq 2 ] || wrong "$ranks ranks: not the riskiest rows of both"
	for model in risk small; do
		[ "$(rows both-$ranks $model:1)" = "$(rows "alone-$model")" ] || wrong "$ranks ranks: $model scores otherwise beside another"
	done
done
[ "$(score 2 both-1 risk,small 2>"$words")" = both-1@2 ] || wrong "a second time added something"
grep -q "nothing was added" "$words" || wrong "not said that nothing was added"
# One of two is there already.
score 1 later small >/dev/null 2>"$words" || wrong "small failed"
[ "$(score 1 later risk,small --json 2>"$words" | grep -c '"known": true')" -eq 1 ] || wrong "not one of two was known"
[ "$(rows later)" = "$(rows both-1)" ] || wrong "one after the other: other scores"

# Left after the first blocks, then gone on with.
score 1 left risk,small >out 2>"$words" &
pid=$!
for _ in $(seq 1000); do
	[ "$(find data/lake/left -name '*.h5' 2>/dev/null | wc -l)" -lt 3 ] || break
	sleep 0.01
done
strike TERM $pid
[ "$ended" -eq 85 ] || wrong "TERM: exit $ended, not 85"
! "$DIPPER" lake show left >/dev/null 2>&1 || wrong "half a delivery can be seen"
[ "$(score 3 left risk,small 2>"$words")" = left@2 ] || wrong "going on failed"
grep -qE 'blocks?, [1-9][0-9]* of them done before' "$words" || wrong "nothing was taken over"
[ "$(rows left)" = "$(rows both-1)" ] || wrong "other scores after going on"

fails 78 "$DIPPER" score configs/score-night.yaml data.day= models.use=[risk,risk:1]
grep -q "app-17" "$words" || wrong "the same model twice"
fails 66 "$MPIEXEC" -n 3 "$DIPPER" score configs/score-night.yaml data.day= models.use=[risk,riks]
[ "$(grep -c "error:" "$words")" -eq 1 ] || wrong "not said once"
exit $failed
