# RUN np=1 time=180 -- a search has the same trials and winner on any ranks and after any stop; its winner can be trained
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 6000
space='tune.space={model.depth: 3 .. 7, model.learning_rate: 0.02 .. 0.3 log, model.growth: [symmetric, depth]}'
tune() { # RANKS NAME more…
	local ranks=$1 name=$2
	shift 2
	on "$ranks" tune configs/risk.yaml name="$name" "$space" model.trees=60 train.every=5 train.stop.patience=20 \
		train.stop.metric=auc job.threads=1 "$@"
}
# What was found, without the seconds.
found() {
	sed 's/"seconds":[^,]*,//' "$(dirname "$1")/trials.jsonl"
}

# ---- one rank, two groups, three ranks in one group: the same trials ----
one=$(tune 1 one tune.trials=6 2>"$words") || wrong "one rank: failed"
[ "$(found "$one" | wc -l)" -eq 6 ] || wrong "not six trials"
grep -q "as the config stands" "$words" || wrong "the config as it stands is no trial"
two=$(tune 2 two tune.trials=6 2>"$words") || wrong "two groups: failed"
grep -q "2 at a time on 1 rank each" "$words" || wrong "not two groups"
three=$(tune 3 three tune.trials=6 tune.ranks=3 2>"$words") || wrong "one group of three: failed"
for other in "$two" "$three"; do
	[ "$(found "$one")" = "$(found "$other")" ] || wrong "other trials: $other"
done

# ---- the winner's config is one to train from, and what is learned is what the trial was ----
model=$(on 1 train "$one" --quiet 2>"$words") || wrong "best.yaml cannot be trained"
value=$(found "$one" | sed -n '1s/.*"value":\([^,]*\),.*/\1/p')
"$DIPPER" model show "$model" --json | grep -qF "\"valid\": $value" || wrong "the model is not worth what its trial was: $value"

# ---- halving: fewer trials with more steps each round, the figures of trials that go on are not learned anew ----
half() { # RANKS NAME more…
	tune "$@" tune.search=halving tune.trials=9 tune.cut=3 tune.least=10%
}
one=$(half 1 half-one 2>"$words") || wrong "halving: failed"
grep -q "in 3 rounds" "$words" || wrong "halving: not three rounds"
for round in 1:6 2:2 3:1; do
	[ "$(found "$one" | grep -c "\"round\":${round%:*}")" -eq "${round#*:}" ] || wrong "halving: not ${round#*:} trials end in round ${round%:*}"
done
two=$(half 2 half-two 2>"$words") || wrong "halving, two groups: failed"
[ "$(found "$one")" = "$(found "$two")" ] || wrong "halving: other trials with two groups"
plain=$(tune 1 plain tune.trials=9 2>"$words")
best=$(found "$one" | sed -n '1s/.*"trial":\([0-9]*\),.*/\1/p')
strip() { sed 's/"round":[0-9]*,//'; }
[ "$(found "$one" | sed -n 1p | strip)" = "$(found "$plain" | grep "\"trial\":$best," | strip)" ] ||
	wrong "halving: a trial that was paused twice ends elsewhere than one that was not"

# ---- stopped half-way: goes on, finished trials are kept ----
long=(tune.trials=4 train.checkpoint=0s model.trees=400 train.stop.patience=0)
stop() { # SIGNAL RANKS NAME
	tune "$2" "$3" "${long[@]}" >out 2>"$words" &
	local pid=$!
	for _ in $(seq 1000); do
		ls data/runs/*/*-"$3"/parts/*/result-0.json >/dev/null 2>&1 && break
		sleep 0.02
	done
	kill -"$1" "$(pgrep -P "$pid" | head -1)"
	wait "$pid"
	ended=$?
	before=$(cat data/runs/*/*-"$3"/parts/*/result-0.json)
}
want=$(found "$(tune 1 whole "${long[@]}" 2>"$words")")
go_on() { # RANKS NAME
	local path
	path=$(tune "$1" "$2" "${long[@]}" 2>"$words") || wrong "$2: going on failed"
	[ "$(found "$path")" = "$want" ] || wrong "$2: other trials after going on"
	[ "$("$DIPPER" run ls | grep -c -- "-$2 ")" -eq 1 ] || wrong "$2: not one run"
	while read -r line; do
		cat data/runs/*/*-"$2"/parts/*/result-0.json | grep -qxF "$line" || wrong "$2: a finished trial was repeated"
	done <<<"$before"
}
stop INT 1 int
[ "$ended" -eq 130 ] || wrong "Ctrl-C: exit $ended, not 130"
[ ! -s out ] || wrong "Ctrl-C: a winner on stdout"
go_on 1 int
stop USR2 2 usr2
[ "$ended" -eq 85 ] || wrong "USR2: exit $ended, not 85"
go_on 3 usr2

# ---- what makes no sense ----
fails 78 "$DIPPER" check configs/risk.yaml 'tune.space={model.dept: 3, model.depth: 4 .. 99, data.label: [a]}'
grep -q "did you mean 'depth'" "$words" && grep -q "99, outside 1" "$words" && grep -q "tune-01" "$words" ||
	wrong "faults of the space were not named"
fails 78 "$DIPPER" check configs/risk.yaml 'tune.space={model.depth: 7 .. 4}'
grep -q "upside down" "$words" || wrong "an empty range was taken"
fails 78 "$DIPPER" check configs/risk.yaml 'tune.space={model.growth: a .. b}'
fails 78 on 2 tune configs/risk.yaml "$space" split.valid="0 days" --quiet
exit $failed
