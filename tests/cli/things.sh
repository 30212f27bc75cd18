# RUN np=1 time=180 -- tables, runs and models are looked after: what each verb of lake, run and model prints and does
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 12000
json() { sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p"; }
train() { "$DIPPER" train configs/risk.yaml model.trees=30 job.threads=1 evaluate.slices=[] "$@"; }

# ---- lake: chosen rows and columns, as CSV and as JSON lines, to stdout and to a file
export_() { "$DIPPER" lake export declarations --columns declaration_id,value --where 'value > 1e6 and mode = 1' "$@"; }
export_ --limit 7 >some.csv 2>"$words" || wrong "export"
[ "$(head -1 some.csv)" = declaration_id,value ] && [ "$(wc -l <some.csv)" -eq 8 ] || wrong "export: $(cat some.csv)"
awk -F, 'NR > 1 && $2 <= 1e6 { exit 1 }' some.csv || wrong "export: a row that does not fit"
export_ --limit 7 --format jsonl --out some.jsonl 2>"$words" || wrong "export to a file"
sed 's/.*"declaration_id":"\([^"]*\)","value":\([0-9.]*\)}/\1,\2/' some.jsonl >from.jsonl
tail -n +2 some.csv | cmp -s - from.jsonl || wrong "CSV and JSON lines differ: $(head -2 some.jsonl)"
"$DIPPER" lake verify declarations | grep -q 'declarations@1: good' || wrong "verify"

# ---- the rows put aside, with file, row, column, reason and what stood there
day=$(ls inbox | tail -1)
{ gzip -dc "inbox/$day" | head -40 && gzip -dc "inbox/$day" | sed -n 2p | sed 's/2026-[0-9-]* [0-9:]*/soon/'; } >odd.csv
"$DIPPER" ingest configs/lake/declarations.yaml name=odd odd.csv check.max_bad=50% --quiet >/dev/null 2>"$words" || wrong "ingest"
"$DIPPER" lake show odd --quarantine >aside 2>"$words" || wrong "show --quarantine"
for word in odd.csv 41 accepted_at soon; do
	grep -q "$word" aside || wrong "the quarantine does not name $word: $(cat aside)"
done

# ---- runs: the resolved config with the origin of each value; stop, and remove what does not run
[ "$(train model.depth=4 --quiet)" = risk:1 ] || wrong "no model"
run=$("$DIPPER" run ls --json | json run | head -1)
config=data/runs/$run/config.yaml
grep -q '^  depth: 4 .*# command line' "$config" || wrong "no origin of an override"
grep -q '^  trees: 30 .*# command line' "$config" || wrong "no origin of an override"
grep -q '^  learning_rate: .*# .*risk.yaml:[0-9]' "$config" || wrong "no origin of a line"
grep -q '^  l2: 1 .*# default' "$config" || wrong "no origin of a default"
"$DIPPER" check "$config" --quiet >/dev/null 2>"$words" || wrong "the resolved config is none"

train name=slow model.trees=100000 train.stop.patience=0 >out 2>"$words" &
pid=$!
for _ in $(seq 400); do
	[ ! -s "$(echo data/runs/*/*-slow/metrics.jsonl)" ] || break
	sleep 0.02
done
slow=$("$DIPPER" run ls --json | json run | grep slow)
fails 75 "$DIPPER" run rm "$slow"
[ -d "data/runs/$slow" ] || wrong "a running run was removed"
"$DIPPER" run stop "$slow" >out 2>"$words" || wrong "run stop"
wait "$pid"
got=$?
[ "$got" -eq 85 ] || wrong "a stopped run ended with $got, not 85"
"$DIPPER" run show "$slow" | grep -q stopped || wrong "run show does not say that it was stopped"
echo '{"tree":7,"valid_logloss":null,"valid_auc":0.5}' >>"data/runs/$slow/metrics.jsonl"
"$DIPPER" run show "$slow" | grep -q 'tree 7, valid logloss -, valid auc 0.5' || wrong "run show does not say what could not be measured"
"$DIPPER" run rm "$slow" --dry-run >out 2>"$words" || wrong "run rm --dry-run"
[ -d "data/runs/$slow" ] || wrong "--dry-run removed it"
"$DIPPER" run rm "$slow" >out 2>"$words" || wrong "run rm"
[ ! -d "data/runs/$slow" ] || wrong "run rm left it"

# ---- early stopping, and a payload that does not know how many trees might have come
train name=early model.trees=4000 train.stop.patience=20 --quiet >/dev/null 2>"$words" || wrong "train"
steps=$(wc -l <"$(echo data/runs/*/*-early/metrics.jsonl)")
[ "$steps" -lt 300 ] || wrong "it did not stop early: $steps lines of metrics"
train name=early-too model.trees=5000 train.stop.patience=20 --quiet >/dev/null 2>"$words" || wrong "train"
[ "$(payload early)" = "$(payload early-too)" ] || wrong "two early stops differ"

# ---- models
[ "$("$DIPPER" model ls risk | wc -l)" -eq 1 ] && [ "$("$DIPPER" model ls | wc -l)" -eq 3 ] || wrong "model ls"
"$DIPPER" model verify | grep -q '^risk: good, 1 version, 1 act$' || wrong "model verify"
"$DIPPER" model export risk --out risk.onnx >out 2>"$words" || wrong "model export"
grep -q '"act": *"export"' data/models/risk/audit* 2>/dev/null || grep -q export data/models/risk/* || wrong "the export is not in the audit log"
exit $failed
