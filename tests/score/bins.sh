# RUN np=1 time=240 -- scores from stored bins are those from the columns, bit for bit; bins that are not what they
# should be are as if they were not there
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 6000
"$DIPPER" train configs/risk.yaml model.trees=10 job.threads=1 evaluate.slices=[] --quiet >/dev/null 2>"$words" || wrong "no model"

count=0
# Scores of the batch as text with all digits; $binned: rows that came from bins.
scores() { # RANKS OVERRIDE…
	local ranks=$1
	shift
	count=$((count + 1))
	on "$ranks" score configs/score-night.yaml write.table="s$count" write.reasons=0 models.use=[risk:1] "$@" --json >out 2>"$words" || wrong "score failed: $*"
	binned=$(sed -n 's/.*"binned": \([0-9]*\).*/\1/p' out)
	"$DIPPER" lake export "s$count" --columns row,score >"$home/scores"
}
# The same scores with the bins as they lie there; so many rows from them.
same() { # ROWS WHAT OVERRIDE…
	local rows=$1 what=$2
	shift 2
	cp scores before
	scores 1 "$@"
	cmp -s before scores || wrong "$what: other scores"
	case $rows in
	some) [ "$binned" -gt 0 ] || wrong "$what: no row from bins" ;;
	any) ;;
	less) { [ "$binned" -gt 0 ] && [ "$binned" -lt "$all" ]; } || wrong "$what: $binned of $all rows from bins" ;;
	*) [ "$binned" = "$rows" ] || wrong "$what: $binned rows from bins, not $rows" ;;
	esac
}

scores 1 data.day=
[ "$binned" = 0 ] || wrong "bins before there were any"
all=$(($(wc -l <scores) - 1))
"$DIPPER" lake bins declarations risk >out 2>"$words" || wrong "lake bins failed"
grep -q "bins of risk:1" out || wrong "lake bins says: $(cat out)"
same "$all" "all rows" data.day=
folder=$(echo "$home"/data/lake/declarations/bins-*)
cp scores whole
scores 3 data.day=
cmp -s whole scores && [ "$binned" = "$all" ] || wrong "on three ranks: $binned rows from bins, or other scores"
"$DIPPER" lake bins declarations risk:1 >out 2>"$words" || wrong "lake bins again failed"
grep -q ", 0 of them new" out || wrong "made twice: $(cat out)"
"$DIPPER" lake verify declarations >out 2>"$words" || wrong "the table is not good any more"

# On a card, played by the processor, from columns and from bins.
if [ -n "${DIPPER_CARD:-}" ]; then
	export DIPPER_CUDA_PLUGIN=$DIPPER_CARD
	same "$all" "bins on a card" data.day= job.device=cuda
	mv "$folder" "$home/away"
	same 0 "columns on a card" data.day= job.device=cuda
	mv "$home/away" "$folder"
fi

# With reasons the values are read.
"$DIPPER" score configs/score-night.yaml write.table=reasons data.day= models.use=[risk:1] --json >out 2>"$words"
grep -q '"binned": 0' out || wrong "reasons without values"
"$DIPPER" lake export reasons --columns row,score >scores
cmp -s whole scores || wrong "other scores with reasons"

# Rows that are chosen: a month, a condition, an as-of.
for chosen in data.month=2025-12 "data.where=mode = 1 and value > 10000" data.as_of=2025-06-01; do
	mv "$folder" "$home/away"
	scores 1 data.day= "$chosen"
	[ "$binned" = 0 ] || wrong "bins that are not there"
	mv "$home/away" "$folder"
	same some "$chosen" data.day= "$chosen"
done

# Damage of all kinds: truncated, flipped, foreign, a link, no file, of another partition.
scores 1 data.day=
file=$(find "$folder" -name '*.h5' | sort | head -1)
cp "$file" good
size=$(stat -c %s good)
spoil() { # WHAT [ROWS]
	same "${2:-less}" "$1" data.day=
	rm -rf "$file"
	cp good "$file"
}
head -c $((size / 2)) good >"$file"
spoil truncated
: >"$file"
spoil empty
# What only HDF5 reads comes first, the bins themselves last.
for at in 3000 $((size / 2)) $((size - 40)) $((size - 100)); do
	python3 - "$file" "$at" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = int(sys.argv[2])
data[at : at + 64] = bytes(255 - b for b in data[at : at + 64])
open(sys.argv[1], "wb").write(data)
END
	spoil "flipped at $at" "$([ "$at" -le $((size / 2)) ] && echo any || echo less)"
done
cp "$DIPPER_SOURCE/README.md" "$file"
spoil foreign
rm "$file" && ln -s "$home/good" "$file"
spoil "a link"
rm "$file" && mkdir "$file"
spoil "a folder"
# Bins of another model, and of another table, under this name: they say themselves what they are of.
"$DIPPER" train configs/risk.yaml model.trees=11 job.threads=1 evaluate.slices=[] --quiet >/dev/null 2>"$words" || wrong "no second model"
"$DIPPER" lake bins declarations risk:2 >out 2>"$words" || wrong "lake bins failed for risk:2"
other=$(find "$home"/data/lake/declarations/bins-* -name "$(basename "$file")" | grep -v "$folder/")
cp "$other" "$file"
spoil "bins of another model"
same "$all" "whole again" data.day=

# A later delivery has no bins yet: its rows come from the columns, until they are made.
"$DIPPER_BUILD/make-declarations" --out "$home/more" --rows 500 --months 2 --seed 9 --from 2026-09 --gzip >/dev/null
"$DIPPER" ingest configs/lake/declarations.yaml "$home"/more/*.csv.gz --quiet >/dev/null 2>"$words" || wrong "no second delivery"
scores 1 data.day=
{ [ "$binned" -gt 0 ] && [ "$binned" -lt $(($(wc -l <scores) - 1)) ]; } || wrong "$binned rows from bins after a later delivery"
rows=$(($(wc -l <scores) - 1))
"$DIPPER" lake bins declarations risk:1 >out 2>"$words" || wrong "lake bins failed after a later delivery"
same "$rows" "both deliveries" data.day=

# Columns of floats are scored as they lie, unless reasons are asked for: the same scores as by rows.
cat >floats.yaml <<'END'
kind: table
name: floats
from: {format: csv}
columns:
  label: label
  a: {type: number, bits: 32}
  b: {type: number, bits: 32}
END
cat >model.yaml <<'END'
kind: model
name: floats
data: {table: floats, label: label, columns: [a, b]}
split: {train: 80%, test: 20%}
model: {family: trees, trees: 20, depth: 4}
evaluate: {metrics: [auc]}
END
awk 'BEGIN { srand(5); print "label,a,b"; for (i = 0; i < 3000; i++) { a = rand(); b = rand()
	print (a * b > 0.4 * rand()) "," (i % 11 ? a : "") "," b } }' >floats.csv
"$DIPPER" ingest floats.yaml floats.csv --quiet >/dev/null 2>"$words" || wrong "floats.csv was not taken"
"$DIPPER" train model.yaml --quiet >/dev/null 2>"$words" || wrong "no model of floats"
for reasons in 0 2; do
	"$DIPPER" score configs/score-night.yaml data.table=floats data.day= models.use=[floats] write.table="f$reasons" write.reasons=$reasons >out 2>"$words" || wrong "floats are not scored"
	"$DIPPER" lake export "f$reasons" --columns row,score >"f$reasons"
done
{ cmp -s f0 f2 && [ "$(wc -l <f0)" = 3001 ]; } || wrong "columns and rows of floats have other scores"

# Rows without an id are known by number; as text where the scores table has ids, or numbers as text, already.
row() { tail -n +2 "$1" | cut -d, -f1; }
[ "$(row f0)" = "$(seq 0 2999)" ] || wrong "rows are not known by their numbers: $(head -3 f0)"
"$DIPPER" lake show f0 | grep -E "^ *row +number" >/dev/null || wrong "rows are no numbers: $("$DIPPER" lake show f0)"
"$DIPPER" score configs/score-night.yaml data.table=floats data.day= models.use=[floats] write.table=s1 write.reasons=0 >out 2>"$words" || wrong "floats are not scored beside rows with ids"
"$DIPPER" lake export s1 --columns row,score | tail -3000 | cmp -s - <(tail -3000 f0) || wrong "other scores beside rows with ids"

fails 2 "$DIPPER" lake show declarations risk
[ $failed = 0 ]
