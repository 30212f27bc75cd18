# RUN np=1 time=180 -- the figures are the same text on any rank count, and those that train printed
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 30000
"$DIPPER" train configs/risk.yaml model.trees=40 --json >trained 2>"$words" || wrong "no model"
evaluate() { on "$1" evaluate configs/risk.yaml risk:1 --json --against risk:1 "${@:2}" 2>"$words"; }
evaluate 1 >want || wrong "evaluate failed"
for ranks in 2 4; do
	evaluate $ranks >got || wrong "evaluate failed on $ranks ranks"
	cmp -s want got || wrong "$ranks ranks: $(diff want got | head -5)"
done
values() { sed -n '/"metric"/,/}/s/.*"\(value\|low\|high\)": \(.*\),/\2/p' "$1"; }
[ "$(values want | head -15)" = "$(values trained | head -15)" ] || wrong "train printed other figures than evaluate"
[ "$(values want | wc -l)" -gt 15 ] || wrong "no slices"
sed -n '/differences/,$p' want | grep '"value"' | grep -qv ' 0.0,' && wrong "a model differs from itself"
for part in train valid; do
	evaluate 1 evaluate.part=$part | grep -q "\"part\": \"$part\"" || wrong "part $part"
done
# What cannot be judged is said before anything is learned, with the nearest name, once on any rank count.
for wrong_one in 'evaluate.slices=[ofice]' 'evaluate.revenue=recoverd_duty' 'evaluate.slices=[value]' 'evaluate.revenue=office'; do
	fails 78 "$MPIEXEC" -n 3 "$DIPPER" train configs/risk.yaml "$wrong_one" model.trees=3
	[ "$(grep -c 'error:.*evaluate\.' "$words")" -eq 1 ] || wrong "$wrong_one: not said once"
	! grep -q '^ *tree' "$words" || wrong "$wrong_one: trees were grown first"
done
fails 78 "$DIPPER" evaluate configs/risk.yaml risk:1 'evaluate.slices=[ofice]'
grep -q "did you mean 'office'" "$words" || wrong "no nearest name"
# Slices too small for figures are counted, not dropped in silence.
"$DIPPER" evaluate configs/risk.yaml risk:1 'evaluate.slices=[hs6]' >/dev/null 2>"$words" || wrong "small slices failed"
grep -qE '^slices *[0-9]+ of [0-9]+ values of hs6 are judged' "$words" || wrong "small slices are not told"
exit $failed
