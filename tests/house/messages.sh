# RUN np=1 quick -- every message id in the code has its row in the room's help table, every row its use
set -u
cd "$DIPPER_SOURCE" || exit 1
kernels=()
[ ! -d kernels ] || kernels=(kernels)
rooms=$(cd src && echo */ | sed 's#/##g; s/ /|/g')
used=$(mktemp) told=$(mktemp)
trap 'rm -f "$used" "$told"' EXIT

# An id is a whole literal "lake-02", or stands in brackets in a text: "… [comm-02]".
grep -rhoE "[\"[]($rooms)-[0-9]{2}[]\"]" src "${kernels[@]}" --include='*.c' --include='*.h' --include='*.cu' --exclude=help.c |
	tr -d '"[]' | sort -u >"$used"
failed=0
for table in src/*/help.c; do
	room=$(basename "$(dirname "$table")")
	grep -oE '^ *\{"[a-z]+-[0-9]{2}"' "$table" | tr -d ' {"' >>"$told"
	if grep -oE '^ *\{"[a-z]+-[0-9]{2}"' "$table" | grep -vq "\"$room-"; then
		echo "$table: explains an id of another room"
		failed=1
	fi
done
if [ "$(sort "$told" | uniq -d)" ]; then
	echo "explained twice: $(sort "$told" | uniq -d | xargs)"
	failed=1
fi
sort -uo "$told" "$told"
[ "$(wc -l <"$used")" -ge 10 ] || { echo "the ids were not found in the code"; failed=1; }
# Examples in comments of headers count as used only where the code has them too: compare with the .c files.
without=$(comm -23 <(grep -rhoE "[\"[]($rooms)-[0-9]{2}[]\"]" src "${kernels[@]}" --include='*.c' --include='*.cu' \
	--exclude=help.c | tr -d '"[]' | sort -u) "$told" | xargs)
unused=$(comm -13 "$used" "$told" | xargs)
[ -z "$without" ] || { echo "without a row in help.c: $without"; failed=1; }
[ -z "$unused" ] || { echo "explained, but used nowhere: $unused"; failed=1; }

# And the program explains each.
if [ -x "$DIPPER" ]; then
	while read -r id; do
		"$DIPPER" help "$id" | grep -q . || { echo "dipper help $id says nothing"; failed=1; }
	done <"$told"
fi
exit $failed
