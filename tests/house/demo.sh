# RUN np=1 long time=3600 -- scripts/demo from another folder, on a path with a blank; a second run repeats nothing
set -u
command -v apt-get >/dev/null || { echo "skipped: scripts/setup installs on Debian only"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
wrong() { echo "$*"; failed=1; }
tree="$work/a clone/dipper"
mkdir -p "$tree"
(cd "$DIPPER_SOURCE" && git ls-files -z --cached --others --exclude-standard | xargs -0 tar c --ignore-failed-read 2>/dev/null) |
	tar x -C "$tree"
listing() { (cd "$tree" && find . -path ./build -prune -o -print | sort); }
before=$(listing)
unset DIPPER_SITE DIPPER
cd / || exit 1
"$tree/scripts/demo" >"$work/first" 2>&1 </dev/null || { tail -n 40 "$work/first"; exit 1; }
[ "$(grep -cE '^ +[0-9]+  D[0-9]+ +0\.[0-9]{3}  ([a-z_0-9]+ .* \([+-][0-9.]+\) *)+$' "$work/first")" -eq 10 ] || wrong "not ten riskiest declarations"
for made in '^made *declarations@1' '^made *risk:1' '^made *scores@1' 'rows *306,713 taken'; do
	grep -qE "$made" "$work/first" || wrong "the first run lacks '$made'"
done
[ "$before" = "$(listing)" ] || wrong "something was written outside build/"
"$tree/scripts/demo" >"$work/second" 2>&1 </dev/null || { tail -n 40 "$work/second"; exit 1; }
! grep -q 'setup: installing' "$work/second" || wrong "the second run installs"
grep -q 'nothing was added' "$work/second" && grep -q 'risk:1 is there already' "$work/second" || wrong "the second run repeats work"
diff <(grep -E '^ +[0-9]+  D' "$work/first") <(grep -E '^ +[0-9]+  D' "$work/second") || wrong "other riskiest declarations"
exit $failed
