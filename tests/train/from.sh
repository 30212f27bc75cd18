# RUN np=1 time=120 -- learning that goes on from a model: on the same numbers the model that would have been learned at
# once, whatever the ranks and stops; on newer rows with the frozen hit rates; never worse than what it goes on from
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 12000
# RANKS NAME more…: numbers alone, with all that is drawn
learn() {
	local ranks=$1 name=$2
	shift 2
	on "$ranks" train configs/risk.yaml name="$name" 'data.columns=[tax_rate, net_mass, value]' model.depth=4 \
		'model.sample={rows: 50%, columns: 70%, by: gradient}' train.every=1 train.stop.patience=0 \
		evaluate.slices=[] evaluate.metrics=[auc] job.threads=1 --quiet "$@"
}
parent=$(learn 1 early model.trees=12 2>"$words")
digest=$(payload "$parent")

# 12 trees and 6 more are 18 at once.
for growth in symmetric leaf; do
	[ $growth = symmetric ] || learn 1 early-leaf model.trees=12 model.growth=leaf >out 2>"$words"
	[ $growth = symmetric ] && from=$parent || from=early-leaf
	want=$(payload "$(learn 2 once-$growth model.trees=18 model.growth=$growth 2>"$words")")
	[ ${#want} -eq 64 ] || wrong "$growth: nothing was learned at once"
	for ranks in 1 2 4; do
		got=$(learn $ranks more-$growth-$ranks model.trees=6 model.growth=$growth train.from="$from" 2>"$words")
		[ "$(payload "$got")" = "$want" ] || wrong "$growth, $ranks ranks: 12 trees and 6 more are not 18"
	done
done
"$DIPPER" model show more-symmetric-2 >show 2>"$words"
grep -q "^from  *early:1, its first 12 steps .*payload $digest" show || wrong "model show does not say where it comes from: $(cat show)"
"$DIPPER" model show more-symmetric-2 --importance >gain 2>"$words"
"$DIPPER" model show once-symmetric --importance >gain-once 2>"$words"
[ "$(sed 1d gain)" = "$(sed 1d gain-once)" ] || wrong "gains of what went on are not those of both parts"

# Stopped in the middle, it goes on to the same model.
want=$(payload "$(learn 1 long model.trees=300 train.from=early 2>"$words")")
learn 2 long-2 model.trees=300 train.from=early train.checkpoint=0s >out 2>"$words" &
pid=$!
for _ in $(seq 400); do
	! ls data/runs/*/*-long-2/checkpoints/[0-9]* >/dev/null 2>&1 || break
	sleep 0.02
done
strike USR2 $pid
[ "$ended" -eq 85 ] || wrong "USR2: exit $ended, not 85"
[ "$(payload "$(learn 1 long-2 model.trees=300 train.from=early train.checkpoint=0s 2>"$words")")" = "$want" ] ||
	wrong "stopped and taken up again: another model"

# Categories: newer rows, hit rates of then; the tables of the parent stay, and it tells of rows that it knows already.
categories() {
	local ranks=$1 name=$2
	shift 2
	on "$ranks" train configs/risk.yaml name="$name" model.depth=4 model.trees=20 job.threads=1 \
		split.valid="2026-05-01 .. 2026-06-30" split.test="2026-07-01 .. 2026-08-31" evaluate.slices=[] \
		evaluate.metrics=[auc] "$@"
}
old="2023-09-01 .. 2025-08-31" new="2025-09-01 .. 2026-04-30"
categories 1 was split.train="$old" >out 2>"$words"
categories 1 is-1 split.train="$new" train.from=was >out 2>"$words"
! grep -q "sees its own label" "$words" || wrong "a warning about rows that it does not know"
categories 3 is-3 split.train="$new" train.from=was >out 2>"$words"
[ "$(payload is-1)" = "$(payload is-3)" ] || wrong "categories: 3 ranks give another model"
"$DIPPER" model show is-1 | grep -q "learned up to 2025-08-" || wrong "not said up to when the parent learned"
categories 1 again split.train="$old" train.from=was >out 2>"$words"
grep -q "sees its own label" "$words" || wrong "no warning about rows that it knows"

# Where nothing that is added is better on the valid rows, the model stays what it was.
learn 1 good model.trees=60 model.learning_rate=0.2 >out 2>"$words"
learn 2 same model.trees=5 model.learning_rate=1 model.depth=9 train.stop.patience=5 train.stop.metric=logloss \
	train.from=good >out 2>"$words"
[ "$(payload same)" = "$(payload good)" ] || wrong "trees that make it worse were kept"

# What does not fit is refused, on any ranks.
for ranks in 1 3; do
	fails 78 learn $ranks bad train.from=early model.growth=leaf
	grep -q "trees-11" "$words" || wrong "another growth"
	fails 78 learn $ranks bad train.from=early 'data.columns=[tax_rate, value, origin, office]'
	grep -q "lacks net_mass; the model does not know origin office.*data-17" "$words" || wrong "other columns are not named"
	fails 78 learn $ranks bad train.from=early data.label=recovered_duty train.loss=squared train.stop.metric=rmse evaluate.metrics=[rmse]
	grep -q "model-15" "$words" || wrong "another label"
	fails 66 learn $ranks bad train.from=earyl
	grep -q "did you mean 'early'.*registry-02" "$words" || wrong "a model that is not there"
done
fails 78 "$DIPPER" tune configs/risk.yaml train.from=early 'tune.space={model.depth: 4 .. 8}'
grep -q "app-20" "$words" || wrong "tune from a model"
fails 78 "$DIPPER" evaluate configs/risk.yaml train.from=early split.folds=2
grep -q "app-20" "$words" || wrong "folds from a model"
exit $failed
