# What the fault tests share: a world of its own, and `gets`, which holds a command to what bad input gets.
# Source it, then `good_world` for a table with a trained model.

world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT
cd "$world" || exit 1
printf 'kind: site\nroot: %s/data\n' "$world" >site.yaml
export DIPPER_SITE=$world/site.yaml
mpirun=${MPIEXEC:-mpirun}
wrong=0 gone=0

cat >table.yaml <<'YAML'
kind: table
name: goods
from: {format: csv, missing: [""], times: "%Y-%m-%d", time_zone: UTC}
rows: {id: id, time: day, recorded: day}
columns:
  id: {type: text}
  day: {type: time}
  code: {type: code, digits: 6}
  mass: {type: number, unit: kg, range: 0 .. 1e9}
  price: {type: number}
  note: {type: text}
  fault: {type: label}
categories: [firm]
check: {max_bad: 0.1%}
YAML
cat >model.yaml <<'YAML'
kind: model
name: small
data: {table: goods, label: fault, columns: [code, firm, mass, price]}
split: {train: 60%, valid: 20%, test: 20%}
model: {family: trees, trees: 20, depth: 3}
evaluate: {metrics: [auc]}
YAML
cat >batch.yaml <<'YAML'
kind: batch
name: all
data: {table: goods}
models: {use: [small]}
write: {table: scores}
YAML

# rows N SEED: lines of a good file of N rows, without the header
rows() {
	awk -v n="$1" -v seed="$2" 'BEGIN { srand(seed); for (i = 0; i < n; i++) { f = rand() < 0.3; m = int(rand() * 1000)
		printf "%s-%d,2026-%02d-%02d,%06d,F%d,%d,%.2f,\"a note, %d\",%d\n", seed, i, 1 + i % 12, 1 + i % 28,
			int(rand() * 40), int(rand() * 30), m, m * (f ? 2 : 7) + rand() * 500, i, f } }'
}
header='id,day,code,firm,mass,price,note,fault'
file() { # NAME: header and stdin
	{ echo "$header" && cat; } >"$1"
}

# run NP COMMAND…: dipper on NP ranks (started by `as`), words to `err`, results to `out`
as=()
run() {
	local np=$1
	shift
	if [ "$np" -eq 1 ]; then
		timeout -k 5 "${limit:-60}" "${as[@]}" "$DIPPER" "$@" >out 2>err </dev/null
	else
		timeout -k 5 "${limit:-60}" "${as[@]}" "$mpirun" -n "$np" "$DIPPER" "$@" >out 2>err </dev/null
	fi
}

# what is published: every file of tables and models, the audit log included; no half-written ones either
listing() { find data/lake data/models -type f -exec sha256sum {} + 2>/dev/null | sort -k 2; }

fault() {
	echo "$1"
	sed 's/^/    /' err | grep -v '^    *--*$' | head -12
	wrong=$((wrong + 1))
}

# gets CASE CODE WORDS COMMAND…: at 1 and at 3 ranks (or `ranks`) the command ends with CODE, says one message with an id that
# `dipper help` knows and that matches WORDS (an extended pattern), and leaves tables and models as they were.
gets() {
	local case=$1 code=$2 words=$3 np before rc id
	shift 3
	before=$(listing)
	for np in ${ranks:-1 3}; do
		rc=0
		run "$np" "$@" || rc=$?
		id=$(grep -oE '\[[a-z]+-[0-9]{2}\]' err | head -1 | tr -d '[]')
		gone=$((gone + 1))
		[ "$rc" -ne 124 ] && [ "$rc" -ne 137 ] || { fault "$case, $np ranks: hung"; continue; }
		[ "$rc" -eq "$code" ] || { fault "$case, $np ranks: exit code $rc, not $code"; continue; }
		grep -qE "$words" err || { fault "$case, $np ranks: no message like '$words'"; continue; }
		[ -n "$id" ] && "$DIPPER" help "$id" >help.txt 2>&1 || { fault "$case, $np ranks: no id that help explains"; continue; }
		[ "$(grep -cE 'error:' err)" -eq 1 ] || { fault "$case, $np ranks: not one message"; continue; }
		[ "$before" = "$(listing)" ] || {
			diff <(echo "$before") <(listing) >err
			fault "$case, $np ranks: something was left"
		}
	done
}

must() { # COMMAND…: succeeds, alone
	run 1 "$@" || { fault "dipper $*: exit code $?"; exit 1; }
}

good_world() {
	rows 600 1 | file good.csv
	must ingest table.yaml good.csv
	must train model.yaml
}

# verdict LEAST: all was well, and at least so many runs were held to it
verdict() {
	[ "$gone" -ge "$1" ] || { echo "only $gone runs"; wrong=$((wrong + 1)); }
	[ "$wrong" -eq 0 ] || { echo "$wrong of $gone runs went wrong"; exit 1; }
	exit 0
}
