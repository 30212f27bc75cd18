# RUN np=1 time=300 -- the disk fills up under ingest, train and score: 74, nothing half, and with room it goes on
# shellcheck source=tests/support/faults.bash
if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
	echo "skipped: a small tmpfs needs root"
	exit 77
fi
# a mount name space of its own: the mounts end with the test
[ -n "${IN_OWN_SPACE:-}" ] || IN_OWN_SPACE=1 exec unshare -m bash "$0"
. "$DIPPER_SOURCE/tests/support/faults.bash" || exit 1
trap 'cd / && umount "$world/data" 2>/dev/null; rm -rf "$world"' EXIT
rows 60000 1 | file large.csv
rows 3000 2 | file small.csv

# room KIB: a fresh file system of this size for all data
room() {
	! mountpoint -q data || umount data
	mkdir -p data
	mount -t tmpfs -o "size=${1}k" tmpfs data
}
room 64
gets "no room for a table" 74 'space' ingest table.yaml large.csv
room 400
gets "room for a part of a table" 74 'space' ingest table.yaml large.csv
mount -o remount,size=100m data
run 3 ingest table.yaml large.csv || fault "ingest with room again"
must lake verify goods
must ingest table.yaml small.csv
must train model.yaml

# Now the disk is full but for a few pages.
fill() { # KIB left
	rm -f data/ballast
	mount -o remount,size=100m data
	dd if=/dev/zero of=data/ballast bs=1k count=1 status=none
	mount -o remount,size="$(($(df --output=used -k data | tail -1) + $1))k" data
}
fill 16
gets "no room for a model" 74 'space' train model.yaml name=other
fill 64
gets "no room for scores" 74 'space' score batch.yaml
gets "no room for an export" 74 'space' lake export goods --out data/goods.csv
fill 4
gets "no room for an ONNX file" 74 'space' model export small --out data/small.onnx
left=$(find data -maxdepth 1 -type f ! -name ballast)
[ -z "$left" ] || fault "an export left $left"
mount -o remount,size=100m data
for np in 1 3; do
	run $np score batch.yaml || fault "score with room again, $np ranks"
done
run 3 train model.yaml name=other || fault "train with room again"
must lake verify scores
verdict 12
