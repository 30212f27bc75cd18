# RUN np=1 time=400 -- the whole road on real input: ingest, train on 1, 2 and 4 ranks, evaluate, score; the leak is told
. "$DIPPER_SOURCE/tests/support/risk.sh"
pack=${DIPPER_DATA:-}/customs
[ -d "$pack" ] || {
	echo "skipped: no data (DIPPER_DATA)"
	exit 77
}
recipe=$DIPPER_SOURCE/datasets/customs
parts=$("$recipe/get" --from "$pack" "$home/raw") || wrong "the recipe refuses the pack"
# shellcheck disable=SC2086  # the recipe prints a path a line
on 2 ingest "$recipe/customs.yaml" $parts >made 2>"$words" || wrong "ingest failed"
grep -q '^rows *54,000 taken   0 put aside' "$words" || wrong "not 54,000 rows"

# AUC of a train's JSON on stdin.
auc() { tr -d '\n ' | sed -n 's/.*"metric":"auc"[^}]*"value":\([0-9.]*\).*/\1/p'; }
for ranks in 1 2 4; do
	on $ranks train "$recipe/risk.yaml" name=apart-$ranks --json >apart-$ranks.json 2>"$words" || wrong "train failed on $ranks ranks"
	grep -q '^leaks *none' "$words" || wrong "the split that is apart is called a leak"
done
first=$(payload apart-1)
[ -n "$first" ] || wrong "no payload digest"
for ranks in 2 4; do
	[ "$(payload apart-$ranks)" = "$first" ] || wrong "another model on $ranks ranks"
done
on 2 train "$recipe/risk-official.yaml" model.trees=200 --json >official.json 2>"$words" || wrong "train failed on the published split"
grep '^leaks' "$words" | grep -qv none || wrong "the published split is not called a leak"

# What the inspection wrote, taken for an input: nothing else can be that good, and it is said on any rank count.
sed 's/^name: customs$/name: careless/; s/critical: {type: label/critical: {type: number/' "$recipe/customs.yaml" >careless.yaml
# shellcheck disable=SC2086
"$DIPPER" ingest careless.yaml $parts --quiet >made 2>"$words" || wrong "ingest of careless failed"
for ranks in 1 3; do
	on $ranks train "$recipe/risk.yaml" data.table=careless data.columns='[office, hs6, critical, value]' --dry-run 2>"$words" ||
		wrong "a dry run failed"
	grep -q '^leaks *SUSPICIOUS: column critical alone has AUC 1.000' "$words" || wrong "critical was not found on $ranks ranks"
done

for ranks in 1 4; do
	on $ranks evaluate "$recipe/risk.yaml" apart-1 --json >evaluated-$ranks.json 2>"$words" || wrong "evaluate failed"
done
cmp -s evaluated-1.json evaluated-4.json || wrong "other figures on 4 ranks"

printf 'kind: batch\nname: customs-scores\ndata:\n  table: customs\n  month: latest\nmodels:\n  use: [apart-1]\n' >batch.yaml
on 2 score batch.yaml >scored 2>"$words" || wrong "score failed"
rows=$("$DIPPER" lake export "$(cat scored)" 2>"$words" | wc -l)
june=$("$DIPPER" lake export customs --where 'date >= 2021-06-01' --columns declaration 2>"$words" | wc -l)
[ "$rows" -gt 1000 ] && [ "$rows" -eq "$june" ] || wrong "$rows lines of scores for $june lines of declarations"

apart=$(auc <apart-1.json)
echo "test_new AUC $apart   (official split, LEAKY, 200 trees: $(auc <official.json))"
awk -v a="$apart" 'BEGIN { exit !(a >= 0.58 && a < 0.75) }' || wrong "test_new AUC $apart is not within 0.58 .. 0.75"
exit $failed
