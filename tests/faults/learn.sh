# RUN np=1 time=300 -- tables that cannot be learned from, and models that do not fit a table
# shellcheck source=tests/support/faults.bash
. "$DIPPER_SOURCE/tests/support/faults.bash" || exit 1
good_world
must score batch.yaml

sed 's/^name: goods/name: one-class/' table.yaml >one.yaml
rows 300 2 | sed 's/[01]$/0/' | file one.csv
must ingest one.yaml one.csv
gets "a label with one class" 65 'fault' train model.yaml name=one data.table=one-class

gets "no such table" 66 "did you mean 'goods'" train model.yaml name=none data.table=good
gets "no such column" 78 "masss.*did you mean 'mass'" train model.yaml name=none "data.columns=[code, masss]"
gets "the label among the inputs" 78 'fault' train model.yaml name=none "data.columns=[code, fault]"
gets "an empty part" 65 'valid|test' train model.yaml name=none "split.train=2020-01-01 .. 2020-12-31" \
	"split.valid=2026-01-01 .. 2026-06-30" "split.test=2026-07-01 .. 2026-12-31"

# A constant column and one without any value are no failure: the others are learned from.
sed 's/^name: goods/name: dull/' table.yaml >dull.yaml
rows 400 3 | awk -F, -v OFS=, '{ $3 = "000007"; $5 = ""; print }' | file dull.csv
must ingest dull.yaml dull.csv
for np in 1 3; do
	run $np train model.yaml name=dull data.table=dull train.seed=$np || fault "a constant column, $np ranks"
	grep -qE '^dull:[12]$' out || fault "a constant column, $np ranks: no model's address"
done
must model verify dull

# Categories that training never saw are scored, each row, by what the model keeps for the unseen.
sed 's/^name: goods/name: foreign/' table.yaml >foreign.yaml
rows 30 4 | sed 's/,F\([0-9]*\),/,NEW\1,/' | file foreign.csv
must ingest foreign.yaml foreign.csv
for np in 1 3; do
	run $np score batch.yaml data.table=foreign write.table=foreign-scores-$np || fault "unseen categories, $np ranks"
	must lake export foreign-scores-$np --columns score
	[ "$(grep -cE '^0\.[0-9]+' out)" -eq 30 ] || fault "unseen categories, $np ranks: not 30 scores"
done

# A table that lacks columns of the model, or has them with another type.
sed -e 's/^name: goods/name: narrow/' -e '/^  mass:/d' -e 's/{type: number}/{type: text}/' table.yaml >narrow.yaml
rows 30 5 | file narrow.csv
must ingest narrow.yaml narrow.csv
gets "a model of another schema" 65 'mass.*price|price.*mass' score batch.yaml data.table=narrow
gets "no such model" 66 "did you mean 'small'|small" score batch.yaml "models.use=[smal]"
gets "no such version" 66 'small:9' score batch.yaml "models.use=[small:9]"

must score batch.yaml write.table=after
verdict 16
