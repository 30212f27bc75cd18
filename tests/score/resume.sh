# RUN np=1 time=180 -- scores are the same on any rank count, killed and gone on or not; a second time adds nothing
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 20000
"$DIPPER" train configs/risk.yaml model.trees=30 --quiet >/dev/null 2>"$words" || wrong "no model"
score() { # RANKS TABLE more…
	local ranks=$1 table=$2
	shift 2
	on "$ranks" score configs/score-night.yaml data.day= write.table="$table" "$@"
}
rows() { "$DIPPER" lake export "$1" | sha256sum; }

made=$(score 1 scores-1 2>"$words") || wrong "score failed"
[ "$made" = scores-1@1 ] || wrong "it made '$made'"
want=$(rows scores-1)
[ "$("$DIPPER" lake export scores-1 | wc -l)" -gt 19000 ] || wrong "few rows: $(rows scores-1)"
grep -E '^ +rank +declaration_id +score +why' "$words" >/dev/null || wrong "no riskiest rows"
[ "$(grep -cE '^ +[0-9]+  +D[0-9]+ +0\.[0-9]{3}  [a-z_0-9]+ .* \([+-][0-9.]+\)' "$words")" -eq 10 ] || wrong "not ten of them"
sed -n '/^  rank/,/^    10/p' "$words" >top

for ranks in 2 3; do
	score $ranks scores-$ranks >/dev/null 2>"$words" || wrong "$ranks ranks failed"
	[ "$(rows scores-$ranks)" = "$want" ] || wrong "$ranks ranks: other scores"
	sed -n '/^  rank/,/^    10/p' "$words" | cmp -s - top || wrong "$ranks ranks: other riskiest rows"
done

again=$(score 2 scores-1 2>"$words")
[ "$again" = scores-1@1 ] || wrong "a second time made '$again'"
grep -q "nothing was added" "$words" || wrong "not said that nothing was added"
[ "$(rows scores-1)" = "$want" ] || wrong "a second time changed the scores"
exit $failed
