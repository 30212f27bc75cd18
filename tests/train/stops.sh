# RUN np=1 time=180 -- training stops by any metric of evaluate: it keeps the best tree, whose figure evaluate finds again
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 12000
train() { # RANKS METRIC NAME
	on "$1" train configs/risk.yaml name="$3" train.stop.metric="$2" model.trees=40 train.every=2 train.stop.patience=12 \
		job.threads=1 evaluate.slices=[] evaluate.metrics=[auc] --json
}
number() { sed -n "s/.*\"$1\": *\([-0-9.e]*\).*/\1/p"; }
count=0
# metric, and whether more is better
while read -r metric up; do
	count=$((count + 1))
	train 1 "$metric" stop-$count >trained 2>"$words" || wrong "$metric: no model"
	log=$(echo data/runs/*/*-stop-$count/metrics.jsonl)
	# The best value of the log, and the first tree that has it.
	best=$(sed -n "s/.*\"tree\":\([0-9]*\),.*\"valid_$metric\":\([-0-9.e]*\),\"rows_per_s.*/\2 \1/p" "$log" |
		sort -s -g ${up:+-r} -k1,1 | head -1)
	kept=$("$DIPPER" model show stop-$count --json | number kept | head -1)
	[ -n "$best" ] && [ "${best#* }" = "$kept" ] || wrong "$metric: $kept trees kept, best '$best'"
	"$DIPPER" evaluate configs/risk.yaml stop-$count evaluate.part=valid "evaluate.metrics=[$metric]" evaluate.slices=[] \
		--json 2>"$words" | number value | head -1 >again
	awk -v a="${best% *}" -v b="$(cat again)" 'BEGIN { exit !(a == b) }' || wrong "$metric: best $best, evaluated $(cat again)"
done <<'END'
auc up
average_precision up
precision@5% up
recall@10% up
revenue@5% up
logloss
brier
calibration
END
[ $count -eq 8 ] || wrong "$count metrics"
want=$(payload stop-5)
got=$(payload "$(train 3 revenue@5% stop-5b 2>"$words" | sed -n 's/.*"model": "\(.*\)".*/\1/p')")
[ -n "$want" ] && [ "$want" = "$got" ] || wrong "revenue@5%: another model on 3 ranks"
fails 78 "$DIPPER" check configs/risk.yaml train.stop.metric=revenue@5% evaluate.revenue= evaluate.metrics=[auc]
grep -q "train-01" "$words" || wrong "stopping by revenue without a column"
fails 78 "$DIPPER" check configs/risk.yaml train.stop.metric=precision@
grep -q "train.stop.metric\|metric-0" "$words" || wrong "a metric without its cut"
fails 78 "$MPIEXEC" -n 3 "$DIPPER" train configs/risk.yaml train.stop.metric=revenue@5% evaluate.revenue=no_such_column
[ "$(grep -c "error:" "$words")" -eq 1 ] || wrong "a revenue column that is none: not said once"
exit $failed
