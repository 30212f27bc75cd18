# RUN np=1 long time=1800 -- clang-tidy with the MPI checks over the whole compile database
set -u
command -v clang-tidy >/dev/null || { echo "skipped: no clang-tidy"; exit 77; }
cd "$DIPPER_SOURCE" || exit 1
# files of an instruction set of their own are compiled with flags that clang-tidy takes from the same database
find src kernels -name "*.c" -print0 | xargs -0 -P "$(nproc)" -n 4 clang-tidy -p "$DIPPER_BUILD" --quiet >"$DIPPER_BUILD/tidy.log" 2>/dev/null
code=$?
grep -E 'warning:|error:' "$DIPPER_BUILD/tidy.log" | sort -u | head -60
[ "$code" -eq 0 ]
