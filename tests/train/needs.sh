# RUN np=1 -- the memory that train foretells is what it takes, within a quarter; what passes job.memory is said at once
. "$DIPPER_SOURCE/tests/support/risk.sh"
awk 'BEGIN { srand(5); print "y,a,b,c,d,e,f,g,h,i,j"
	for (n = 0; n < 300000; n++) { a = rand(); b = rand()
		printf "%d,%.5f,%.5f", rand() < a * b, a, b
		for (k = 0; k < 8; k++) printf ",%.4f", rand()
		print "" } }' >table.csv
cat >table.yaml <<'END'
kind: table
name: plain
from: {format: csv}
columns: {y: label, a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number}
END
cat >model.yaml <<'END'
kind: model
name: plain
data: {table: plain, label: y, columns: [a, b, c, d, e, f, g, h, i, j]}
split: {train: 80%, valid: 10%, test: 10%}
model: {family: trees, trees: 30, depth: 6}
train: {stop: {metric: logloss, patience: 0}}
evaluate: {metrics: [auc, logloss]}
job: {threads: 1}
END
"$DIPPER" ingest table.yaml table.csv --quiet >/dev/null 2>"$words" || wrong "no table"
bytes() { sed -n "s/.*$1 \([0-9.]*\) \([KMG]\)iB a rank.*/\1\2/p" "$2" | numfmt --from=iec; }
for ranks in 1 2; do
	for growth in symmetric leaf; do
		on $ranks train model.yaml name=plain-$growth-$ranks model.growth=$growth >/dev/null 2>"$words" || wrong "train failed"
		needs=$(bytes needs "$words") peak=$(bytes peak "$words")
		awk -v n="${needs:-0}" -v p="${peak:-0}" 'BEGIN { exit !(p > 0 && n > p / 1.25 && n < p * 1.25) }' ||
			wrong "$growth, $ranks ranks: needs $needs, took $peak"
		grep -qE '^ +10 trees took [0-9:]+: at most [0-9:]+ more for all 30$' "$words" || wrong "not said how long it takes"
	done
done
"$DIPPER" train model.yaml --dry-run job.memory=36MiB 2>"$words" >/dev/null || wrong "a dry run failed"
grep -q '^memory *needs .* more than job.memory 36 MiB: rows beyond it lie in .*scratch' "$words" || wrong "not said that it is too much"
"$DIPPER" train model.yaml --dry-run 2>"$words" >/dev/null || wrong "a dry run failed"
grep -q '^memory' "$words" && wrong "4 GiB are said to be too little"
exit $failed
