# RUN np=1 time=300 -- partitions and model files that were cut, flipped, exchanged or made to reach elsewhere
# shellcheck source=tests/support/faults.bash
. "$DIPPER_SOURCE/tests/support/faults.bash" || exit 1
good_world
must score batch.yaml
kinds='cut flipped text foreign external-link external-storage virtual soft-link filter huge'

# flip FILE AT: one bit of a byte
flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((byte ^ 1 << $2 % 8)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# worsen KIND FILE
worsen() {
	local size
	size=$(stat -c %s "$2")
	case $1 in
	cut) truncate -s $((size / 2)) "$2" ;;
	flipped) # a bit in every 512 bytes, so that each column has one
		for ((at = 300; at < size; at += 512)); do flip "$2" $at; done
		;;
	text) echo 'no HDF5 at all' >"$2" ;;
	*) "$DIPPER_EVIL" "$1" "$2" 2>/dev/null ;;
	esac
}

partition=$(find data/lake/goods -name '*.h5' | sort | head -1)
model=$(find data/models -name '*.h5' | sort | head -1)
[ -n "$partition" ] && [ -n "$model" ] || fault "no files to worsen"
for kind in $kinds; do
	for file in "$partition" "$model"; do
		cp -p "$file" kept
		chmod u+w "$file"
		worsen "$kind" "$file" || fault "$kind: the file could not be worsened"
		if [ "$file" = "$model" ]; then
			gets "a model, $kind" 65 'small' score batch.yaml write.table=other
			gets "a model, $kind: verify" 65 'small' model verify small
			ranks=3 gets "a model, $kind: export" 65 'small' model export small --out small.onnx
		else
			gets "a partition, $kind: train" 65 "$(basename "$partition")" train model.yaml name=other
			gets "a partition, $kind: verify" 65 "$(basename "$partition")" lake verify goods
		fi
		cp -p kept "$file"
	done
done

# Any one bit: verify finds it, wherever it is; and training never learns something else from it.
payload() { must model show "$1" --json && grep -oE '"payload": *"[0-9a-f]+' out; }
wanted=$(payload small)
size=$(stat -c %s "$partition")
for at in 9 1000 2500 $((size / 3)) $((size / 2)) $((size * 2 / 3)) $((size - 9)); do
	cp -p "$partition" kept
	chmod u+w "$partition"
	flip "$partition" "$at"
	ranks=1 gets "a bit at $at of $size: verify" 65 "$(basename "$partition")" lake verify goods
	if run 1 train model.yaml name=flipped-$at; then
		[ "$(payload flipped-$at)" = "$wanted" ] || fault "a bit at $at of $size: another model was learned"
	fi
	cp -p kept "$partition"
done
# Commands that start no MPI answer once, however many copies a launcher started.
for command in 'lake verify goods' 'lake export goods --columns id,price' 'model verify small' 'model show small'; do
	# shellcheck disable=SC2086
	must $command && mv out alone
	# shellcheck disable=SC2086
	run 3 $command && cmp -s out alone || fault "$command: three copies do not answer as one"
done
must score batch.yaml write.table=after
verdict 97
