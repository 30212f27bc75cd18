# RUN np=1 time=120 -- four times job.memory of data trains within it, on 1 and 2 ranks, and the model is the same
. "$DIPPER_SOURCE/tests/support/risk.sh"
# 1,302,000 rows of 19 numbers and a category: 195 MiB decoded. The rows of a part stand in the table 31 times, each time
# with another first number.
awk 'BEGIN { srand(5); for (n = 0; n < 42000; n++) {
	printf "%05d,%d,k%d", rand() * 100000, rand() < 0.3, rand() * rand() * 300
	for (k = 1; k < 19; k++) printf ",%.4f", rand()
	print "" } }' >part
{
	printf 'c0,y,kind'
	printf ',c%d' {1..18}
	echo
	for k in {10..40}; do sed "s/^/0.$k/" part; done
} >table.csv
cat >table.yaml <<END
kind: table
name: large
from: {format: csv}
columns: {y: label, kind: category$(printf ', c%d: number' {0..18})}
END
cat >model.yaml <<END
kind: model
name: large
data: {table: large, label: y, columns: [kind$(printf ', c%d' {0..18})]}
split: {train: 80%, valid: 10%, test: 10%}
model: {family: trees, trees: 2, depth: 4, bins: 64}
train: {stop: {metric: auc, patience: 0}}
evaluate: {metrics: [auc]}
job: {threads: 1}
END
"$DIPPER" ingest table.yaml table.csv --quiet >/dev/null 2>"$words" || wrong "no table"
rm table.csv
train() { # RANKS NAME more…
	local ranks=$1 name=$2
	shift 2
	on "$ranks" train model.yaml name="$name" "$@" 2>"$words"
}
want=$(payload "$(train 1 free)")
[ ${#want} -eq 64 ] || wrong "no payload without a limit: '$want'"
[ ! -e data/scratch ] || wrong "a scratch folder that nobody needs"
limit=48
for ranks in 1 2; do
	got=$(payload "$(train $ranks held-$ranks job.memory=${limit}MiB)")
	[ "$got" = "$want" ] || wrong "$ranks ranks under a limit: $got, not $want"
	peak=$(sed -n 's/.*peak \([0-9]*\) MiB a rank.*/\1/p' "$words")
	[ "${peak:-999}" -le $limit ] || wrong "$ranks ranks took $peak MiB of $limit"
done
[ -d data/scratch ] || wrong "the rows did not lie in the scratch folder"
[ -z "$(ls -A data/scratch)" ] || wrong "something is left in the scratch folder: $(ls -A data/scratch)"
# A scratch folder that cannot be made is said before anything is learned.
rmdir data/scratch && touch data/scratch
for ranks in 1 3; do
	train $ranks nowhere job.memory=64MiB >out && wrong "learned without a scratch folder"
	grep -q "base-20" "$words" || wrong "not said why: $(cat "$words")"
	# What cannot be kept to is not promised.
	fails 78 on $ranks train model.yaml job.memory=8MiB
	grep -q "app-21" "$words" || wrong "not said why: $(cat "$words")"
done
exit $failed
