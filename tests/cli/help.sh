# RUN np=1 -- every command has a page with two examples, and all examples run; every kind of id is explained
. "$DIPPER_SOURCE/tests/support/risk.sh"
mkdir bin
ln -s "$DIPPER" bin/dipper
export PATH=$home/bin:$PATH
make_lake 8000
cp inbox/*.csv.gz .
small="model.trees=20"

mapfile -t commands < <(dipper help | sed -n 's/^    \([a-z]*\) .*/\1/p')
[ ${#commands[@]} -ge 10 ] || wrong "only ${#commands[@]} commands in dipper help"
model=$(dipper train configs/risk.yaml $small --quiet) && [ "$model" = risk:1 ] || wrong "train printed '$model'"
dipper score configs/score-month.yaml --quiet >/dev/null || wrong "score failed"
for command in "${commands[@]}"; do
	dipper "$command" --help >page 2>"$words" || wrong "dipper $command --help"
	dipper help "$command" | cmp -s - page || wrong "dipper help $command differs from --help"
	mapfile -t examples < <(sed -n 's/^    \(\(mpirun -n [0-9]* \)\?dipper .*\)/\1/p' page)
	[ ${#examples[@]} -ge 2 ] || wrong "dipper help $command: ${#examples[@]} examples"
	for example in "${examples[@]}"; do
		case $example in
		*train* | *tune*) example="$example $small" ;;
		esac
		bash -c "$example" >out 2>"$words" </dev/null || wrong "exit $?: $example"
		[ -s out ] || wrong "no result: $example"
	done
done
dipper help formats | grep -q HDF5 || wrong "dipper help formats"
for id in base-01 comm-01 config-03 lake-01 run-01 train-01 score-01 app-01; do
	dipper help "$id" | grep -q "What to do" || wrong "dipper help $id"
done
exit $failed
