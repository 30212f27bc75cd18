# RUN np=1 quick -- sizes, headers, doc comments, formatting, no machine paths, the top level
set -u
cd "$DIPPER_SOURCE" || exit 1
failed=0
wrong() { echo "$1:"; echo "$2" | sed 's/^/    /'; failed=1; }
files() { # FOLDER… -- PATTERN…: tracked or not, but not what git ignores
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard
	else
		find . -path ./build -prune -o -type f -print | sed 's#^\./##'
	fi | while read -r f; do [ -f "$f" ] && echo "$f"; done
}
all=$(files)
code=$(grep -E '\.(c|h|cu|cuh|sh|bash|py)$|^scripts/|^jobs/|^\.ci/|^tests/support/' <<<"$all" | grep -v '\.ipynb$')
c=$(grep -E '\.[ch]$' <<<"$all")

long=$(xargs wc -l <<<"$code" | awk '$1 > 700 && $2 != "total"')
[ -z "$long" ] || wrong "longer than 700 lines" "$long"

marks=$(xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' <<<"$code" | grep -v '^tests/house/style.sh:')
[ -z "$marks" ] || wrong "unfinished" "$marks"

paths=$(xargs grep -nE '(^|[^A-Za-z0-9_.])/(work|root|home|Users)/[A-Za-z]' <<<"$(grep -vE '\.(h5|png|jpg|gz)$' <<<"$all")" |
	grep -v '^tests/house/style.sh:')
[ -z "$paths" ] || wrong "paths of one machine" "$paths"

known='.ci .clang-format .clang-tidy .gitignore CHANGELOG.md CMakeLists.txt CMakePresets.json LICENSE README.md
configs datasets jobs kernels scripts src tests'
for entry in $(cut -d/ -f1 <<<"$all" | sort -u); do
	grep -qwF -- "$entry" <<<"$known" || wrong "not an entry of the top level" "$entry"
done

# Headers stand alone.
flags=$(pkg-config --cflags hdf5-openmpi hdf5 2>/dev/null || :)
for h in $(grep -E '^src/[a-z]+/[a-z_0-9]+\.h$' <<<"$all"); do
	# shellcheck disable=SC2086,SC2046
	out=$(${CC:-cc} -std=c17 -D_GNU_SOURCE -Wall -Wextra -fsyntax-only -Isrc -I. -I"$DIPPER_BUILD/generated" \
		$(mpicc --showme:compile 2>/dev/null) $flags -x c - <<<"#include \"${h#src/}\"" 2>&1) ||
		wrong "$h does not compile alone" "$out"
done

# A public function that takes a Comm says whether all ranks must call it.
for h in $(grep -E '^src/[a-z]+/[a-z_0-9]+\.h$' <<<"$all" | grep -v '_priv\.h$'); do
	silent=$(awk -v file="$h" '
		/^$/ { said = 0 }
		/Collective|Local/ { said = 1 }
		/^[a-zA-Z].*[ *][a-z_0-9]+\(/ { whole = ""; from = NR; open = 1; quiet = !said }
		open { whole = whole $0; if (/;/) { open = 0
			if (quiet && whole ~ /dp_status/ && whole ~ /Comm \*/) print file ":" from ": " whole } }' "$h")
	[ -z "$silent" ] || wrong "no comment says Collective or Local" "$silent"
done

if command -v clang-format >/dev/null; then
	# golden values are laid out by the script that made them
	c=$(xargs grep -LE '^/\* Made by scripts/' <<<"$c")
	out=$(xargs clang-format --dry-run -Werror --ferror-limit=3 <<<"$c" 2>&1 | grep -E 'error:' | head -20)
	[ -z "$out" ] || wrong "not as clang-format writes it (clang-format -i FILE)" "$out"
else
	echo "no clang-format here: the layout was not looked at"
fi
if command -v shellcheck >/dev/null; then
	out=$(grep -E '^(scripts/(setup|test|demo)|jobs/|\.ci/|tests/.*\.(sh|bash)$|tests/support/(script|slurm-up))' <<<"$all" |
		grep -v '\.sbatch$' | while read -r f; do
		head -1 "$f" | grep -q '^#!' && shell='' || shell='-s bash'
		# shellcheck disable=SC2086
		shellcheck -x $shell -S warning -f gcc "$f"
	done)
	[ -z "$out" ] || wrong "shellcheck" "$out"
else
	echo "no shellcheck here: the scripts were not looked at"
fi
exit $failed
