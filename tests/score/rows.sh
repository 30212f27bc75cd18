# RUN np=1 -- a batch scores the rows it names, as they were known at its as-of, in days of its time zone; a table that
# does not fit is refused
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 6000
"$DIPPER" train configs/risk.yaml model.trees=10 job.threads=1 evaluate.slices=[] --quiet >/dev/null 2>"$words" || wrong "no model"

count=0
# The batch scores what `lake export` finds with this condition.
same_rows() { # CONDITION OVERRIDE…
	local condition=$1
	shift
	count=$((count + 1))
	"$DIPPER" score configs/score-night.yaml write.table="s$count" "$@" >out 2>"$words" || wrong "score failed: $*"
	"$DIPPER" lake export "s$count" --columns row | tail -n +2 | sort >got
	"$DIPPER" lake export declarations --columns declaration_id ${condition:+--where "$condition"} "${at[@]}" |
		tail -n +2 | sort >want
	[ -s want ] || wrong "no rows fit '$condition'"
	cmp -s got want || wrong "$*: $(wc -l <got) rows, not $(wc -l <want)"
}
at=()
same_rows "" data.day=
same_rows "accepted_at >= 2026-08-01 and accepted_at < 2026-09-01" data.month=latest
same_rows "accepted_at >= 2024-02-01 and accepted_at < 2024-03-01" data.month=2024-02
same_rows "accepted_at >= 2025-12-24 and accepted_at < 2025-12-25" data.day=2025-12-24
same_rows "accepted_at >= 2025-12-01 and accepted_at < 2026-01-01 and mode = 1 and value > 10000" data.month=2025-12 'data.where=mode = 1 and value > 10000'
last=$("$DIPPER" lake show declarations --json | sed -n 's/.*"last": "\(.*\)".*/\1/p')
same_rows "accepted_at >= $last" data.day=latest
at=(--at 2025-06-01)
same_rows "accepted_at >= 2025-05-01 and accepted_at < 2025-06-01" data.month=2025-05 data.as_of=2025-06-01
at=()

# Days and months of a place: of the batch's, else of the site's; over the night in which clocks change.
same_rows "accepted_at >= 2026-03-08T05:00:00Z and accepted_at < 2026-03-09T04:00:00Z" data.day=2026-03-08 data.time_zone=America/New_York
settled() { cat "$(find data/runs -name config.yaml -newer "$1")"; }
for zone in Asia/Taipei Europe/Berlin; do
	printf 'kind: site\nroot: %s/data\ntime_zone: %s\n' "$home" $zone >site.yaml
	touch before
	case $zone in
	Asia/Taipei) same_rows "accepted_at >= 2025-09-30T16:00:00Z and accepted_at < 2025-10-31T16:00:00Z" data.month=2025-10 ;;
	Europe/Berlin) same_rows "accepted_at >= 2025-09-30T22:00:00Z and accepted_at < 2025-10-31T23:00:00Z" data.month=2025-10 ;;
	esac
	settled before | grep -q "time_zone: $zone *# settled at the start" || wrong "the run does not say the time zone $zone"
	settled before | grep -q 'use: \["risk:1"\] .*, as \[risk\]' || wrong "the run does not say the model: $(settled before)"
	settled before | grep -q "month: 2025-10 *# command line" || wrong "the run does not say the month"
	! settled before | grep -q "^  day:" || wrong "the run says the file's day, which was not used"
done
# Late in the evening of the latest row's day it is the next day in Asia: "latest" is that one.
touch before
"$DIPPER" score configs/score-night.yaml write.table=kiritimati data.day=latest data.time_zone=Pacific/Kiritimati >out 2>"$words" ||
	wrong "latest in Kiritimati failed"
next=$(date -u -d "$("$DIPPER" lake show declarations --json | sed -n 's/.*"last": "\(.*\)".*/\1/p') + 14 hours" +%F)
settled before | grep -q "day: $next .*, as latest" || wrong "latest is not $next: $(settled before | grep day:)"
fails 78 "$DIPPER" score configs/score-night.yaml data.day=latest data.time_zone=Mars/Phobos
grep -q "score-08" "$words" || wrong "a time zone that is none"
printf 'kind: site\nroot: %s/data\ntime_zone: Mars/Phobos\n' "$home" >site.yaml
fails 78 "$DIPPER" score configs/score-night.yaml data.day=latest
grep -q "config-21" "$words" || wrong "a time zone of the site that is none"
printf 'kind: site\nroot: %s/data\n' "$home" >site.yaml

# Yesterday has no rows: nothing is wrong, nothing is added but an empty delivery.
"$DIPPER" score configs/score-night.yaml write.table=empty >out 2>"$words" || wrong "a day without rows failed"
grep -q "0 rows" "$words" || wrong "not said that there were no rows"
grep -q "no row of declarations (2023-09-01 .. 2026-08-31) fits" "$words" || wrong "not said which days there are"

# Another table: columns are missing, and one has another type. All are named.
cat >other.yaml <<'END'
kind: table
name: other
from: {format: csv}
columns:
  office: {type: text}
  process: {type: text}
  value: {type: number, unit: TWD}
END
printf 'office,process,value\n01,B1,5\n02,B2,7\n' >other.csv
"$DIPPER" ingest other.yaml other.csv --quiet >/dev/null 2>"$words" || wrong "other.csv was not taken"
fails 65 "$DIPPER" score configs/score-night.yaml data.table=other data.day=
for column in office importer hs6 net_mass; do
	grep -q "$column" "$words" || wrong "the message does not name $column"
done
fails 2 "$DIPPER" score configs/score-night.yaml data.table=other data.day=latest
grep -q "score-05" "$words" || wrong "not said that there are no times"
fails 65 "$MPIEXEC" -n 3 "$DIPPER" score configs/score-night.yaml data.table=other data.day=
[ "$(grep -c "error:" "$words")" -eq 1 ] || wrong "not said once"
[ ! -e data/lake/s99 ] || wrong "a table was made"
exit $failed
