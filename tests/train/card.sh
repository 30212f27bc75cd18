# RUN np=1 time=120 -- a card that fails in the middle of a training says so, and the run goes on to the same model
. "$DIPPER_SOURCE/tests/support/risk.sh"
[ -n "${DIPPER_CARD:-}" ] || {
	echo "skipped: no C++ compiler, so no card that the processor plays"
	exit 77
}
export DIPPER_CUDA_PLUGIN=$DIPPER_CARD DIPPER_NCCL=$DIPPER_CARD_NCCL
make_lake 4000
# With `calls`, the card of the last rank has so many.
cat >"$home/rank" <<'END'
#!/bin/sh
[ -z "${calls:-}" ] || [ "$OMPI_COMM_WORLD_RANK" -eq 0 ] || export DIPPER_CARD_CALLS="$calls"
exec "$DIPPER" "$@"
END
chmod +x "$home/rank"
train() { # DEVICE NAME
	"${run[@]}" train configs/risk.yaml job.device="$1" name="$2" model.trees=12 model.growth=depth train.every=1 \
		train.stop.patience=0 train.checkpoint=0s evaluate.slices=[] evaluate.metrics=[auc] job.threads=1 --quiet
}
run=("$DIPPER")

want=$(payload "$(train cpu plain 2>"$words")")
[ ${#want} -eq 64 ] || wrong "no payload on the processor: '$want'"
got=$(payload "$(train cuda card 2>"$words")")
[ "$got" = "$want" ] || wrong "on the card: $got, not $want"

DIPPER_CARD_CALLS=1800 fails 75 train cuda broken
grep -q 'trees-10' "$words" || wrong "not said that the card failed"
[ ! -s "$home/out" ] || wrong "a failed training printed $(cat "$home/out")"
ls data/runs/*/*-broken/checkpoints/[0-9]* >/dev/null 2>&1 || wrong "no checkpoint to go on from"
got=$(payload "$(train cpu broken 2>"$words")")
[ "$got" = "$want" ] || wrong "going on without the card: $got, not $want"
[ "$("$DIPPER" run ls | grep -c -- '-broken ')" -eq 1 ] || wrong "not one run"

# Two cards that sum between them, of which one fails: nobody waits for it.
run=("$MPIEXEC" -n 2 "$home/rank")
got=$(payload "$(train cuda two 2>"$words")")
[ "$got" = "$want" ] || wrong "on two cards: $got, not $want"
calls=1800 fails 75 train cuda half
grep -q 'trees-10' "$words" || wrong "not said that a card of two failed"
exit $failed
