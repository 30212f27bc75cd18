# RUN np=1 time=300 -- ranks that die and writers that meet: no hang, nothing half, and the same command goes on
# shellcheck source=tests/support/faults.bash
. "$DIPPER_SOURCE/tests/support/faults.bash" || exit 1
limit=120
rows 20000 1 | file good.csv
must ingest table.yaml good.csv

# digest MODEL: of its payload
digest() { must model show "$1" --json && grep -oE '"payload": *"[^"]*"' out; }
# within SECONDS COMMAND…: until it succeeds
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
# ranks_of JOB: timeout's child is mpirun, whose children are the ranks
ranks_of() {
	local launcher
	launcher=$(pgrep -P "$1" | head -1)
	[ -z "$launcher" ] || pgrep -P "$launcher" -f "$DIPPER"
}
started() { ranks_of "$1" >/dev/null; }
under_way() { [ "$(cat data/runs/*/*-"$1"/metrics.jsonl 2>/dev/null | wc -l)" -ge "$2" ]; }

must train model.yaml name=whole model.trees=400 train.checkpoint=1s
whole=$(digest whole)

# A rank is killed in the middle of training, alone and of three: the job ends, and the same command goes on.
before=$(listing)
for np in 1 3; do
	name=hurt-$np
	if [ $np -eq 1 ]; then
		timeout -k 5 "$limit" "$DIPPER" train model.yaml name=$name model.trees=400 train.checkpoint=1s >out 2>err </dev/null &
	else
		timeout -k 5 "$limit" "$mpirun" -n 3 "$DIPPER" train model.yaml name=$name model.trees=400 train.checkpoint=1s \
			>out 2>err </dev/null &
	fi
	job=$!
	within 60 under_way $name 3 || fault "training on $np ranks did not begin"
	if [ $np -eq 1 ]; then victim=$(pgrep -P "$job"); else victim=$(ranks_of "$job" | tail -1); fi
	kill -9 "$victim"
	started=$SECONDS
	wait "$job" 2>/dev/null
	rc=$?
	gone=$((gone + 1))
	if [ "$rc" -eq 0 ] || [ "$rc" -eq 124 ] || [ $((SECONDS - started)) -gt 30 ]; then
		fault "a rank that dies, $np ranks: exit code $rc after $((SECONDS - started)) s"
	fi
	[ "$before" = "$(listing)" ] || fault "a rank that dies, $np ranks: tables or models changed"
	run 3 train model.yaml name=$name model.trees=400 train.checkpoint=1s || fault "the same command after it"
	[ "$(digest $name)" = "$whole" ] || fault "resumed after a death, $np ranks: another payload"
	before=$(listing)
done

# A lone process is killed while it ingests a large file: no trace in the table, and again it lands whole.
rows 400000 2 | file large.csv
before=$(listing)
for np in 1 3; do
	if [ $np -eq 1 ]; then
		"$DIPPER" ingest table.yaml large.csv >out 2>err </dev/null &
		job=$! victim=$!
	else
		timeout "$limit" "$mpirun" -n 3 "$DIPPER" ingest table.yaml large.csv >out 2>err </dev/null &
		job=$!
		within 20 started "$job"
		victim=$(ranks_of "$job" | tail -1)
	fi
	sleep 0.3
	kill -9 "$victim" 2>/dev/null
	wait "$job" 2>/dev/null
	rc=$?
	gone=$((gone + 1))
	[ "$rc" -ne 124 ] || fault "ingest killed, $np ranks: hung"
	# what was staged may wait for the next start; what a reader sees is as before
	must lake verify goods
	must lake show goods --json
	grep -qE '"rows": *(2|42)0000\b' out || fault "ingest killed, $np ranks: neither all rows came in nor none"
done
run 3 ingest table.yaml large.csv || fault "ingest after two deaths"
must lake show goods --json
grep -qE '"rows": *420000\b' out || fault "ingest after two deaths: $(grep -oE '"rows": *[0-9]+' out | head -1)"
left=$(find data/lake -name '.tmp.*')
[ -z "$left" ] || fault "left behind: $left"

# Two ingests of one table at once, of different files and of the same: both land or one says 75; nothing twice.
for name in a b c d e f; do
	rows 30000 $name | file $name.csv
done
for pair in '1 a.csv b.csv' '1 c.csv c.csv' '3 d.csv e.csv' '3 f.csv f.csv'; do
	read -r np first second <<<"$pair"
	pids=()
	for one in "$first" "$second"; do
		launch=()
		[ "$np" -eq 1 ] || launch=("$mpirun" -n "$np")
		timeout "$limit" "${launch[@]}" "$DIPPER" ingest table.yaml "$one" >/dev/null 2>"err.${#pids[@]}" </dev/null &
		pids+=($!)
	done
	for i in 0 1; do
		wait "${pids[$i]}"
		rc=$?
		gone=$((gone + 1))
		cp "err.$i" err
		[ $rc -eq 0 ] || [ $rc -eq 75 ] || fault "two ingests at once ($pair): exit code $rc"
	done
	must ingest table.yaml "$first"
	must ingest table.yaml "$second"
done
must lake show goods --json
grep -qE '"rows": *600000\b' out || fault "two at once: $(grep -oE '"rows": *[0-9]+' out | head -1), not 600000"
must lake verify goods

# A rank is killed while it scores; the same command goes on behind the blocks that are written.
must score batch.yaml models.use=[whole] write.table=undisturbed
must lake export undisturbed --columns row,score
sha256sum <out >wanted
for np in 1 3; do
	table=scored-$np
	if [ $np -eq 1 ]; then
		timeout -k 5 "$limit" "$DIPPER" score batch.yaml models.use=[whole] write.table=$table >out 2>err </dev/null &
	else
		timeout -k 5 "$limit" "$mpirun" -n 3 "$DIPPER" score batch.yaml models.use=[whole] write.table=$table >out 2>err </dev/null &
	fi
	job=$!
	blocks() { [ "$(find data/lake/$table -name '*.h5' 2>/dev/null | wc -l)" -ge 2 ]; }
	within 60 blocks || fault "scoring on $np ranks did not begin"
	if [ $np -eq 1 ]; then victim=$(pgrep -P "$job"); else victim=$(ranks_of "$job" | tail -1); fi
	kill -9 "$victim"
	wait "$job" 2>/dev/null
	rc=$?
	gone=$((gone + 1))
	[ "$rc" -ne 0 ] && [ "$rc" -ne 124 ] || fault "a rank that dies in score, $np ranks: exit code $rc"
	! run 1 lake show $table || fault "a rank that dies in score, $np ranks: a part can be seen"
	run 3 score batch.yaml models.use=[whole] write.table=$table || fault "score again after a death, $np ranks"
	must lake export $table --columns row,score
	sha256sum <out | cmp -s wanted - || fault "score again after a death, $np ranks: other scores"
done
verdict 14
