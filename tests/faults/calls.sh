# RUN np=1 time=300 -- the n-th write, sync, close or naming fails: nothing half is seen, and the same command goes on
#   A few n of each kind; DIPPER_FULL=1 (calls-whole.sh): every n until the run passes untouched.
# shellcheck source=tests/support/faults.bash
. "$DIPPER_SOURCE/tests/support/faults.bash" || exit 1
[ -f "${DIPPER_FAILING:-}" ] || { echo "skipped: no libfailing.so"; exit 77; }
cp "$DIPPER_FAILING" failing.so # LD_PRELOAD takes a path apart at its blanks
good_world
rows 300 2 | file more.csv
cp -r data base

# What a reader sees of each work's result, and that all of it verifies; nothing where there is none.
outcome() { # WORK
	local thing=model name=again
	case $1 in
	ingest) thing=lake name=goods ;;
	score) thing=lake name=scores ;;
	esac
	run 1 "$thing" show "$name" --json && grep -oE '"(rows|content|payload)": *"?[0-9a-f]+' out | head -3
	run 1 "$thing" verify "$name" && echo whole
}
work() { # WORK: its command
	case $1 in
	ingest) echo ingest table.yaml more.csv ;;
	train) echo train model.yaml name=again ;;
	score) echo score batch.yaml ;;
	esac
}

for work in ingest train score; do
	read -ra command <<<"$(work $work)"
	rm -rf data && cp -r base data
	must "${command[@]}"
	wanted=$(outcome $work)
	rm -rf data && cp -r base data
	before=$(outcome $work)
	[ "$wanted" != "$before" ] && [[ $wanted == *whole ]] || fault "$work: no outcome to compare with"
	for call in write sync close name make; do
		n=0
		while :; do
			n=$((n + 1))
			# a few of the first, then ever sparser; each where all are asked for
			[ -n "${DIPPER_FULL:-}" ] || [ $n -le 2 ] || n=$((n + n / 2))
			rm -rf data mark && cp -r base data
			rc=0
			LD_PRELOAD=$world/failing.so FAIL_UNDER=$world/data FAIL_CALL=$call FAIL_AT=$n FAIL_MARK=$world/mark \
				timeout 60 "$DIPPER" "${command[@]}" >out 2>err </dev/null || rc=$?
			[ -f mark ] || break
			gone=$((gone + 1))
			if [ $rc -eq 0 ]; then
				# a failure that the work can do without (a sweep, a log line): then the result is the whole one
				[ "$(outcome $work)" = "$wanted" ] || fault "$work, $call $n fails unsaid, and the result differs"
				continue
			fi
			case $rc in
			70 | 73 | 74 | 75) ;;
			*) fault "$work, $call $n fails: exit code $rc" ;;
			esac
			grep -qE '\[[a-z]+-[0-9]{2}\]' err || fault "$work, $call $n fails: no message with an id"
			# a failure after the naming (the folder's sync) may leave the whole result, never a part of it
			cp err said
			after=$(outcome $work)
			cp said err
			[ "$after" = "$before" ] || [ "$after" = "$wanted" ] || fault "$work, $call $n fails: a reader sees $after"
			run 1 "${command[@]}" || fault "$work after $call $n failed: exit code $?"
			[ "$(outcome $work)" = "$wanted" ] || fault "$work after $call $n failed: another result"
			[ -z "$(find data/lake data/models -name '.tmp.*')" ] || fault "$work after $call $n failed: .tmp. files"
		done
	done
done
verdict 40
