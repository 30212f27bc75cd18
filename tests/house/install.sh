# RUN np=1 -- installed under a prefix it runs from there; a build that lacks things names all of them
. "$DIPPER_SOURCE/tests/support/risk.sh"
prefix=$home/pre\ fix
cmake --install "$DIPPER_BUILD" --prefix "$prefix" >"$words" 2>&1 || wrong "cmake --install"
export DIPPER_SITE=$home/site.yaml PATH=$prefix/bin:$PATH
share=$prefix/share/dipper
for config in "$share"/configs/*.yaml "$share"/configs/*/*.yaml; do
	dipper check "$config" --quiet >/dev/null 2>"$words" || wrong "dipper check $config"
done
[ "$(find "$share/configs" -name '*.yaml' | wc -l)" -ge 4 ] || wrong "few configs were installed"
[ "$(readlink -f "$(command -v dipper)")" = "$(readlink -f "$prefix/bin/dipper")" ] || wrong "another dipper"
! ldd "$prefix/bin/dipper" | grep "not found" || wrong "libraries are not found after the installation"

# The wrapper of the jobs takes the program it was installed with.
"$DIPPER_BUILD/make-declarations" --out data/inbox --rows 5000 --months 36 --seed 7 --from 2023-09
unset DIPPER
made=$(DIPPER_LAUNCHER=mpirun SLURM_CPUS_PER_TASK=1 "$share/jobs/run" ingest "$share/configs/lake/declarations.yaml" 2>"$words") ||
	wrong "jobs/run ingest"
[ "$made" = declarations@1 ] || wrong "jobs/run ingest printed '$made'"

# All that is missing is named at once, with the package that brings it.
! PKG_CONFIG_LIBDIR=$home PKG_CONFIG_PATH='' cmake -G Ninja -S "$DIPPER_SOURCE" -B "$home/bare" -DDIPPER_TESTS=OFF -DDIPPER_CUDA=OFF \
	-DONNX_PROTO_DIR=ONNX_PROTO_DIR-NOTFOUND -DCMAKE_FIND_ROOT_PATH="$home" -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY \
	>"$words" 2>&1 || wrong "a build that lacks things was configured"
for package in libyaml-dev libjansson-dev libzstd-dev libxxhash-dev libprotobuf-c-dev libonnx-dev; do
	grep -q "Debian: $package" "$words" || wrong "not named: $package"
done
exit $failed
