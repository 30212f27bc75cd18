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
exit $failed
