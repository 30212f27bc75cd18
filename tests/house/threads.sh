# RUN np=1 long time=3600 -- what threads do together, under the thread sanitizer (clang's OpenMP tells it of its barriers)
set -eu
command -v clang >/dev/null || { echo "skipped: no clang"; exit 77; }
archer=$(find /usr/lib/llvm-* -name libarcher.so 2>/dev/null | sort | tail -1)
[ -n "$archer" ] || { echo "skipped: no libarcher.so"; exit 77; }
build=$DIPPER_BUILD/threads
cmake -S "$DIPPER_SOURCE" --preset clang -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DDIPPER_CUDA=OFF \
	-DDIPPER_SANITIZE=thread >/dev/null
cmake --build "$build" >"$build/build.log" 2>&1 || { tail -n 40 "$build/build.log"; exit 1; }
printf '%s\n' mutex:mca_ deadlock:mca_ deadlock:libopen- race:mca_ race:libopen- race:libmpi race:libpmix >"$build/suppressions"
export TSAN_OPTIONS="ignore_noninstrumented_modules=1:suppressions=$build/suppressions:halt_on_error=1:exitcode=66"
export OMP_TOOL_LIBRARIES=$archer
cd "$build"
# one rank: MPI is not started. Not the child with little address space (lake.guard): the sanitizer wants terabytes.
ctest --output-on-failure -j "$(nproc)" \
	-R '^(agreement|trees|data|lake|ingest|score|metric|model|comm)\.[a-z_]+\.1$' \
	-E 'lake.guard|lake.damage|model.file|model.memory|peers|judge|oracle|score.(evaluate|resume|several)|stops' >ctest.log 2>&1 || {
	grep -v -E ' Passed | Start ' ctest.log | tail -n 200
	exit 1
}
tail -n 3 ctest.log
