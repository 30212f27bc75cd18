# RUN np=1 time=120 -- under job.memory the rows of a training lie in the scratch folder, and the model is the same
. "$DIPPER_SOURCE/tests/support/risk.sh"
make_lake 40000
train() { # RANKS NAME more…
	local ranks=$1 name=$2
	shift 2
	on "$ranks" train configs/risk.yaml name="$name" model.trees=20 model.bins=64 train.every=5 evaluate.slices=[] \
		evaluate.metrics=[auc] job.threads=1 --quiet "$@"
}
want=$(payload "$(train 1 free 2>"$words")")
[ ${#want} -eq 64 ] || wrong "no payload without a limit: '$want'"
[ ! -e data/scratch ] || wrong "a scratch folder that nobody needs"
# Far less than the process has by itself: learning keeps to its least part of it.
for ranks in 1 2; do
	got=$(payload "$(train $ranks held-$ranks job.memory=6MiB 2>"$words")")
	[ "$got" = "$want" ] || wrong "$ranks ranks under a limit: $got, not $want: $(cat "$words")"
done
[ -d data/scratch ] || wrong "the rows did not lie in the scratch folder"
[ -z "$(ls -A data/scratch)" ] || wrong "something is left in the scratch folder: $(ls -A data/scratch)"
# A scratch folder that cannot be made is said before anything is learned.
rmdir data/scratch && touch data/scratch
train 1 nowhere job.memory=6MiB >out 2>"$words" && wrong "learned without a scratch folder"
grep -q "base-20" "$words" || wrong "not said why: $(cat "$words")"
# Nor can anything be learned where one node's histograms do not fit.
rm data/scratch
train 1 small job.memory=256KiB >out 2>"$words" && wrong "learned in no memory"
grep -q "trees-03" "$words" || wrong "not said why: $(cat "$words")"
exit $failed
