# RUN np=1 long time=3600 -- the C tests under the address and undefined-behaviour sanitizers
set -eu
build=$DIPPER_BUILD/sanitize
cmake -S "$DIPPER_SOURCE" --preset debug -B "$build" -DDIPPER_CUDA=OFF >/dev/null
cmake --build "$build" >"$build/build.log" 2>&1 || { tail -n 40 "$build/build.log"; exit 1; }
# the Python tests have their peers here too
[ -n "${DIPPER_PYTHON:-}" ] || export DIPPER_PYTHON=$DIPPER_BUILD/peers/bin/python
cd "$build"
# not what holds a process to so many bytes: the sanitizer wants as many of its own
ctest --output-on-failure -LE 'house|jobs|faults|long' -E 'train.(limits|needs)' -j "$(nproc)" >ctest.log 2>&1 || {
	grep -v -E ' Passed | Start ' ctest.log | tail -n 200
	exit 1
}
tail -n 3 ctest.log
