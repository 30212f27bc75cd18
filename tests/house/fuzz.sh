# RUN np=1 long time=14400 -- libFuzzer over tests/fuzz/, with the address and undefined-behaviour sanitizers
#   DIPPER_FUZZ_SECONDS   for each target (600); corpora are kept in the build folder and grow
set -eu
command -v clang >/dev/null || { echo "skipped: no clang"; exit 77; }
seconds=${DIPPER_FUZZ_SECONDS:-600}
build=$DIPPER_BUILD/fuzz
cmake -S "$DIPPER_SOURCE" --preset clang -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DDIPPER_CUDA=OFF \
	-DDIPPER_SANITIZE=fuzzer-no-link,address,undefined >/dev/null
targets=$(cd "$DIPPER_SOURCE/tests/fuzz" && for f in *.c; do echo "fuzz_${f%.c}"; done)
# shellcheck disable=SC2086
cmake --build "$build" --target $targets >"$build/build.log" 2>&1 || { tail -n 40 "$build/build.log"; exit 1; }
export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
failed=0
for target in $targets; do
	name=${target#fuzz_}
	mkdir -p "$build/corpus/$name"
	seeds=$DIPPER_SOURCE/tests/fuzz/seeds/$name
	[ -d "$seeds" ] || seeds=
	"$build/tests/$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$build/$name-" "$build/corpus/$name" ${seeds:+"$seeds"} >"$build/$name.log" 2>&1 || {
		tail -n 60 "$build/$name.log"
		failed=1
	}
	grep -E 'number_of_executed_units|new_units_added' "$build/$name.log" | sed "s/^/$name /"
done
exit $failed
