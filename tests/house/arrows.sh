# RUN np=1 quick -- includes follow the arrows of src/README.md; MPI, HDF5, printing and state stay in their rooms
set -u
cd "$DIPPER_SOURCE" || exit 1
bad=$(mktemp)
trap 'rm -f "$bad"' EXIT
kernels=()
[ ! -d kernels ] || kernels=(kernels)
say() { echo "$*" >>"$bad"; }

# floor NAME: from the table "| floor | room | … |"
declare -A floor
while IFS='|' read -r _ number room _; do
	room=${room// /}
	[[ $number =~ ^\ *([0-9]+)\ *$ ]] && floor[$room]=${BASH_REMATCH[1]}
done <src/README.md
[ ${#floor[@]} -ge 16 ] || say "src/README.md: the table of rooms was not found (${#floor[@]} rows)"

for folder in src/*/; do
	room=$(basename "$folder")
	[ -n "${floor[$room]:-}" ] || say "src/$room: not in the table of src/README.md"
done
for room in "${!floor[@]}"; do
	[ -d "src/$room" ] || say "src/README.md: the table names $room, which is not there"
done

while IFS=: read -r file line text; do
	room=$(cut -d/ -f2 <<<"$file")
	wanted=$(sed 's/.*"\(.*\)".*/\1/' <<<"$text")
	other=${wanted%%/*}
	case $file in
	kernels/*)
		if [ "$other" = "$wanted" ]; then continue; fi
		case $wanted in
		base/* | device/backend.h | device/tree_math.h | kernels/*) ;;
		*) say "$file:$line: kernels include base, device/backend.h, device/tree_math.h and kernels only, not $wanted" ;;
		esac
		continue
		;;
	esac
	if [ "$other" = "$wanted" ] || [ "$other" = "$room" ]; then
		# a generated header (onnx.pb-c.h) or the room's own
		continue
	elif [ "$other" = kernels ]; then
		[ "$room" = device ] || say "$file:$line: only device knows kernels, here $wanted"
	elif [ -z "${floor[$other]:-}" ]; then
		say "$file:$line: $wanted is in no room"
	elif [ "${floor[$other]}" -ge "${floor[$room]:-0}" ]; then
		say "$file:$line: $room (floor ${floor[$room]:-?}) includes $wanted (floor ${floor[$other]}): against the arrows"
	elif [[ $wanted == *_priv.h ]]; then
		say "$file:$line: $wanted is private to $other"
	elif [ "$room" = device ] && [ "$other" != base ]; then
		say "$file:$line: device knows base only, not $wanted"
	fi
done < <(grep -rnE '^ *# *include *"' src "${kernels[@]}" --include='*.[ch]' --include='*.cu' --include='*.cuh')

# only WHAT PATTERN ALLOWED…: no line of the library but in the allowed files matches
only() {
	local what=$1 pattern=$2 hits
	shift 2
	hits=$(grep -rnE "$pattern" src "${kernels[@]}" --include='*.[ch]' --include='*.cu' |
		grep -vE '^[^:]*:[0-9]+: *(/\*|\*)' | grep -vE "^($(IFS='|' && echo "$*")):")
	[ -z "$hits" ] || say "$what:
$hits"
}
only "MPI outside comm" '\bMPIX?_[A-Z]|mpi\.h' 'src/comm/[^:]*'
only "HDF5 outside lake and model" '\bH5[A-Z]+[a-z]*_?[a-z_]+ *\(|<hdf5' 'src/(lake|model)/[^:]*'
# comm.c: the line before MPI_Abort ends the process, and the end of a program that was never under MPI;
# signals.c: someone who presses Ctrl-C again and again gets out; guard.c: the end of the child that looks at a file
only "printing or ending in the library" \
	'\b(stdout|stderr)\b|\b(printf|vprintf|puts|putchar|perror|exit|_exit|_Exit|abort|quick_exit) *\(' \
	'src/app/[^:]*' 'src/comm/comm\.c' 'src/run/signals\.c' 'src/lake/guard\.c'
only "starting a thread's or process's locale, or a random state" '\b(setlocale|srand|rand|random|drand48|strtok) *\(' none

# Mutable variables of file scope, seen where they lie in the objects. Allowed, each for its reason:
#   src/base/status.c        the error text of a thread
#   src/run/signals.c        what a signal handler may touch
#   src/base/publish.c       numbers the temporary names of this process
allowed='(status\.c\.o: .* \.tbss|signals\.c\.o: asked_[a-z]+ \.bss|publish\.c\.o: number\.[0-9]+ \.bss)'
if [ -f "$DIPPER_BUILD/libdipper.a" ] && ! grep -q '^DIPPER_SANITIZE:STRING=.' "$DIPPER_BUILD/CMakeCache.txt"; then
	hits=$(objdump -t "$DIPPER_BUILD/libdipper.a" | awk '
		/file format/ { object = $1 }
		$0 ~ / O \.(data|bss|tdata|tbss|ldata|lbss)(\.[a-z]+[^.]*)?\t/ && $0 !~ /\.data\.rel\.ro/ {
			section = $0; sub(/\t.*/, "", section); sub(/.* /, "", section); print object, $NF, section }' |
		grep -vE "$allowed")
	[ -z "$hits" ] || say "mutable variables of file scope (object, variable, section):
$hits"
else
	echo "no plain libdipper.a here: variables were not looked at"
fi

cat "$bad"
[ ! -s "$bad" ]
