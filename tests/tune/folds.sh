# RUN np=1 -- folds roll back in time or share the rows out, give the same figures on any ranks, and leave train as it is
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 6000
folds() { # RANKS NAME more…
	local ranks=$1 name=$2
	shift 2
	on "$ranks" evaluate configs/risk.yaml name="$name" split.folds=3 split.apart=[] model.trees=20 train.every=5 \
		'evaluate.metrics=[auc, logloss]' job.threads=1 "$@"
}
# numbers KEY: all of them in the JSON on stdin, a line
numbers() { sed -n "s/.*\"$1\": \"*\([^\",]*\)\"*,*/\1/p" | tr '\n' ' '; }

# ---- by time ----
folds 1 time --json >one.json 2>"$words" || wrong "by time: failed"
folds 2 time2 --json >two.json 2>"$words" || wrong "by time, two ranks: failed"
cmp -s <(grep -v '"run"' one.json) <(grep -v '"run"' two.json) || wrong "by time: other figures on two ranks"
read -r -a from <<<"$(numbers from <one.json)"
read -r -a to <<<"$(numbers to <one.json)"
[ ${#from[@]} -eq 3 ] || wrong "not three folds"
[[ ${to[1]} < ${from[0]} && ${to[2]} < ${from[1]} ]] || wrong "tests of folds do not follow each other: ${from[*]}, ${to[*]}"
read -r -a train <<<"$(numbers train <one.json)"
((train[0] > train[1] && train[1] > train[2])) || wrong "train does not grow: ${train[*]}"
# the first fold is the split itself: what train says of its test
"$DIPPER" train configs/risk.yaml name=plain split.apart=[] model.trees=20 train.every=5 'evaluate.metrics=[auc, logloss]' \
	evaluate.slices=[] job.threads=1 --json >train.json 2>"$words" || wrong "train failed"
auc=$(numbers value <train.json | cut -d' ' -f1)
grep -qF -- "$auc" one.json || wrong "the first fold is not the split: no $auc"
[ "$("$DIPPER" model ls | grep -c risk)" -eq 0 ] && [ "$("$DIPPER" model ls --json | grep -c '"name": "time')" -eq 0 ] ||
	wrong "folds made a version of a model"
# mean and standard error
python3 - one.json <<'PY' 2>"$words" || wrong "mean and error are not those of the folds"
import json, math, sys
for m in json.load(open(sys.argv[1]))["metrics"]:
    x = m["folds"]
    mean = sum(x) / len(x)
    error = math.sqrt(sum((v - mean) ** 2 for v in x) / (len(x) - 1) / len(x))
    assert abs(mean - m["mean"]) < 1e-12 and abs(error - m["error"]) < 1e-12, (m, mean, error)
PY
folds 1 table >table 2>"$words" && grep -q '^AUC  *0\.[0-9]*  *0\.[0-9]*  *0\.[0-9]*  *0' table || wrong "no table"

# ---- what inputs gained in training is told, and adds up to all of it ----
"$DIPPER" model show plain --importance >table 2>"$words" && grep -q '^departure .*%' table || wrong "no gains of a model"
fails 2 "$DIPPER" model show plain --dependence hs6

# ---- by shares: each row is test once ----
share=(split.train=60% split.valid=20% split.test=20%)
folds 1 share "${share[@]}" --json >one.json 2>"$words" || wrong "by shares: failed"
folds 3 share3 "${share[@]}" --json >two.json 2>"$words" || wrong "by shares, three ranks: failed"
cmp -s <(grep -v '"run"' one.json) <(grep -v '"run"' two.json) || wrong "by shares: other figures on three ranks"
read -r -a train <<<"$(numbers train <one.json)"
read -r -a valid <<<"$(numbers valid <one.json)"
read -r -a tested <<<"$(numbers test <one.json)"
((tested[0] + tested[1] + tested[2] == train[0] + valid[0] + tested[0])) || wrong "tests are not all rows: ${tested[*]}"

# ---- a search over folds ----
best=$(on 2 tune configs/risk.yaml split.folds=3 "${share[@]}" 'tune.space={model.depth: [3, 5]}' tune.trials=3 \
	model.trees=20 train.every=5 train.stop.metric=auc job.threads=1 2>"$words") || wrong "a search over folds failed"
[ "$(find data/runs -path '*fold-3/result-0.json' | wc -l)" -eq 3 ] || wrong "not each trial learned each fold"
head -1 "$(dirname "$best")/trials.jsonl" | grep -q '"error":[0-9.e-]*,"folds":3' || wrong "no error of the mean"

# ---- what cannot be ----
fails 78 folds 1 column split.column=office split.train=70%
fails 2 on 1 evaluate configs/risk.yaml
grep -q "split.folds" "$words" || wrong "not said that folds can be judged"
fails 65 folds 2 deep split.folds=90
grep -q "split.train" "$words" || wrong "not said which part is empty"
exit $failed
