# RUN np=1 time=300 -- folders that may be read but not written, files that may not be read: 77, and nothing changed
# shellcheck source=tests/support/faults.bash
. "$DIPPER_SOURCE/tests/support/faults.bash" || exit 1
good_world
must score batch.yaml
rows 40 2 | file more.csv
limit=120

# Root may do everything, so another user tries; what he starts he must be able to find.
if [ "$(id -u)" -eq 0 ]; then
	command -v setpriv >/dev/null || { echo "skipped: no setpriv"; exit 77; }
	chmod 755 "$world" && touch out err && chmod 666 out err && chmod -R a+rX,go-w data
	mkdir home && chmod 777 home
	# shellcheck disable=SC2034  # read by run
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$world/home")
	setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$DIPPER" || {
		echo "skipped: another user cannot reach the program"
		exit 77
	}
else
	chmod -R a-w data
	trap 'chmod -R u+rwX "$world"; rm -rf "$world"' EXIT
fi

gets "ingest into a table of others" 77 'lake/goods' ingest table.yaml more.csv
gets "train where no run may be made" 77 'runs' train model.yaml name=other
gets "score where no run may be made" 77 'runs' score batch.yaml write.table=other
gets "an export into a folder of others" 77 'x\.csv|data' lake export goods --out data/x.csv
gets "a model into a folder of others" 77 'x\.onnx|data' model export small --out data/x.onnx
ranks=1 gets "a run of others removed" 77 'runs' run rm "$(cd data/runs && echo */*-small)"
[ -z "$(find data -name 'x.*' -o -name '.tmp.*')" ] || fault "something was left"
# what may be read can be read
run 1 lake show goods || fault "a table that may be read"
run 1 model verify small || fault "a model that may be read"

chmod -R u+w data
if [ "$(id -u)" -eq 0 ]; then
	chmod -R a+rwX data/runs && chmod 777 data/lake data/models
fi
partition=$(find data/lake/goods -name '*.h5' | sort | head -1)
model=$(find data/models -name '*.h5' | sort | head -1)
chmod 0 "$partition"
[ "$(id -u)" -ne 0 ] || chmod 600 "$partition"
gets "a partition that may not be read: train" 77 "$(basename "$partition")" train model.yaml name=other
gets "a partition that may not be read: export" 77 "$(basename "$partition")" lake export goods
chmod 644 "$partition"
chmod 0 "$model"
[ "$(id -u)" -ne 0 ] || chmod 600 "$model"
gets "a model that may not be read" 77 'small|models' score batch.yaml write.table=other
chmod 644 "$model"
verdict 17
