# RUN np=1 time=300 -- broken files given to ingest: the right exit code, a message with its mend, nothing left behind
# shellcheck source=tests/support/faults.bash
. "$DIPPER_SOURCE/tests/support/faults.bash" || exit 1
rows 600 1 | file good.csv
must ingest table.yaml good.csv

gets "missing file" 66 'nowhere\.csv' ingest table.yaml nowhere.csv
mkdir folder
gets "directory instead of file" 66 'folder' ingest table.yaml folder
: >empty.csv
gets "empty file" 65 'empty\.csv is empty' ingest table.yaml empty.csv
file header.csv </dev/null
gets "header only" 65 'header\.csv' ingest table.yaml header.csv
{ echo 'id,day,code,company,mass,price,note,fault' && rows 5 2; } >other.csv
gets "wrong header" 65 "other\.csv.*firm|firm.*other\.csv" ingest table.yaml other.csv
{ rows 50 3 && echo 'x,2026-01-01,000001,F1,1,1,"never closed,0' && rows 50 4; } | file quote.csv
gets "a quote never closed" 65 'quote\.csv.*5[12]' ingest table.yaml quote.csv
{ rows 50 5 && printf 'x,2026-01-01,000001,F\0001,1,1,n,0\n'; } | file nul.csv
gets "a NUL byte" 65 'nul\.csv.*5[12]' ingest table.yaml nul.csv
{ rows 5 6 && head -c 1000000000 /dev/zero | tr '\0' a; } | file line.csv
# A gigabyte of addresses for all of a process: the line cannot have been read whole.
if command -v prlimit >/dev/null && ! grep -q '^DIPPER_SANITIZE:STRING=.' "$DIPPER_BUILD/CMakeCache.txt"; then
	# shellcheck disable=SC2034  # read by run
	as=(prlimit --as=1000000000)
fi
gets "a line of 1 GB" 65 'line\.csv' ingest table.yaml line.csv
as=()
rm line.csv
{ rows 50 7 && printf 'x,2026-01-01,000001,F\3771,1,1,n,0\n'; } | file utf8.csv
gets "bad UTF-8" 65 'utf8\.csv.*5[12]' ingest table.yaml utf8.csv
{ rows 50 8 && echo 'x,2026-01-01,000001,F1,1,1e999,n,0'; } | file overflow.csv
gets "number overflow" 65 'overflow\.csv.*5[12].*price|price.*overflow\.csv' ingest table.yaml overflow.csv
{ rows 50 9 && echo 'x,2026-02-30,000001,F1,1,1,n,0'; } | file date.csv
gets "impossible date" 65 'date\.csv.*5[12].*day|day.*date\.csv' ingest table.yaml date.csv
yes 'x,soon,000001,F1,heavy,dear,n,0' | head -400 | file bad.csv
gets "all rows bad" 65 'bad\.csv' ingest table.yaml bad.csv
head -c 3000 good.csv | gzip | head -c 900 >cut.csv.gz
gets "a gzip file cut short" 65 'cut\.csv\.gz' ingest table.yaml cut.csv.gz
must train model.yaml
cp "$(find data/lake/goods -name '*.h5' | head -1)" partition.h5
gets "an HDF5 file" 65 'partition\.h5' ingest table.yaml partition.h5
gets "a table's config in place of a file" 65 'table\.yaml' ingest table.yaml table.yaml
sed 's/format: csv/fromat: csv/' table.yaml >faulty.yaml
gets "a faulty config" 78 "faulty\.yaml:3:8: .*'fromat'.*'format'" ingest faulty.yaml good.csv

# Root reads everything, so another user tries.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	rows 5 10 | file secret.csv
	chmod -R a+rX "$world" && chmod 777 "$world" && chmod -R a+rwX data && touch out err && chmod 666 out err
	chmod 600 secret.csv
	# shellcheck disable=SC2034  # read by run
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$world")
	gets "unreadable file" 77 'secret\.csv' ingest table.yaml secret.csv
	as=()
elif [ "$(id -u)" -ne 0 ]; then
	rows 5 10 | file secret.csv
	chmod 0 secret.csv
	gets "unreadable file" 77 'secret\.csv' ingest table.yaml secret.csv
fi

# A later good file still lands whole, once, on any number of ranks.
rows 40 11 | file later.csv
run 3 ingest table.yaml later.csv || fault "a good file after all that"
must ingest table.yaml later.csv
must lake export goods --columns id
[ "$(grep -c -- '^11-' out)" -eq 40 ] || fault "the good file is not there once: $(grep -c -- '^11-' out) rows"
verdict 34
