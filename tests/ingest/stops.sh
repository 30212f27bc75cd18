# RUN np=1 -- an ingest that is asked to leave adds nothing, keeps what it wrote, and ends as the same table
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 200000
content() { "$DIPPER" lake show declarations --json | sed -n 's/.*"content": "\(.*\)".*/\1/p'; }
want=$(content)
[ ${#want} -eq 64 ] || wrong "no content of an undisturbed ingest: '$want'"
ingest() { on "$1" ingest configs/lake/declarations.yaml inbox/*.csv.gz job.threads=1; }
parts() { find data/lake -name 'part-*.h5' -printf '%i\n' 2>/dev/null | sort; }

disturb() { # CODE SIGNAL RANKS
	rm -rf data
	ingest "$3" >out 2>"$words" &
	local pid=$!
	for _ in $(seq 1000); do
		[ "$(parts | wc -l)" -lt 2 ] || break
		sleep 0.01
	done
	strike "$2" "$pid"
	[ "$ended" -eq "$1" ] || wrong "$2, $3 ranks: exit $ended, not $1"
	grep -q "the same command goes on" "$words" || wrong "$2, $3 ranks: not said that it can go on"
	[ ! -s out ] || wrong "$2, $3 ranks: a table's address on stdout"
	! "$DIPPER" lake show declarations >/dev/null 2>&1 || wrong "$2, $3 ranks: half a delivery can be seen"
	parts >kept
	[ -s kept ] || wrong "$2, $3 ranks: nothing was kept"
}
go_on() { # RANKS
	[ "$(ingest "$1" 2>"$words")" = declarations@1 ] || wrong "going on with $1 ranks failed"
	[ "$(content)" = "$want" ] || wrong "going on with $1 ranks: another table"
	[ -z "$(parts | comm -23 kept -)" ] || wrong "going on with $1 ranks: written anew"
}
disturb 130 INT 1
go_on 3
disturb 85 USR2 1
go_on 1
disturb 85 TERM 1
go_on 1
disturb 85 USR2 3
go_on 2
# Killed: nothing can be said any more, and as little is lost.
rm -rf data
"$DIPPER" ingest configs/lake/declarations.yaml inbox/*.csv.gz job.threads=1 >out 2>"$words" &
pid=$!
for _ in $(seq 1000); do
	[ "$(parts | wc -l)" -lt 2 ] || break
	sleep 0.01
done
kill -KILL $pid
wait $pid 2>/dev/null
! "$DIPPER" lake show declarations >/dev/null 2>&1 || wrong "killed: half a delivery can be seen"
parts >kept
[ -s kept ] || wrong "killed: nothing was kept"
go_on 2
[ "$(ingest 2 2>"$words")" = declarations@1 ] || wrong "once more after all that"
[ "$(content)" = "$want" ] || wrong "the delivery came twice"
exit $failed
