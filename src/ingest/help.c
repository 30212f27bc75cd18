#include "ingest/ingest.h"

const dp_help_row ingest_help[] = {
    {"ingest-01",
     "The config of a table names a column that is not there, of another type, or with a name that cannot be.",
     "Correct `columns`, `categories` or `rows`. Names are small letters, digits, point, dash and underscore; the name "
     "that "
     "a file uses goes into `from`."},
    {"ingest-02", "The time zone is not known on this machine, or its file is broken.",
     "Write a name of the IANA time-zone list, like Asia/Taipei or UTC; Debian's package tzdata brings all of them."},
    {"ingest-03", "The encoding is not known to iconv on this machine.", "`iconv -l` lists the names that are known."},
    {"ingest-04", "A time column has no format, or one that cannot be read.",
     "Say from.times for all, or `format` in the column: %Y-%m-%d %H:%M:%S. A format must say the day."},
    {"ingest-05", "A mark of delimited text is not one that can be used.",
     "The delimiter is one ASCII character, the decimal mark a point or a comma, the grouping mark another character."},
    {"ingest-06", "The delete mark cannot be understood.",
     "Write COLUMN = VALUE, like op = D, beside rows.id and rows.recorded."},
    {"ingest-07", "A column stands twice in the config.", "Leave it in `columns` or in `categories`, not in both."},
    {"ingest-10", "An input file is not there, is no regular file, or cannot be read.",
     "Look at the path and its permissions. Folders are given as patterns of files; pipes as -, the standard input."},
    {"ingest-11", "The header line of a delimited file does not have the columns that the config names.",
     "Compare the names in the message: `from: NAME` in a column maps another name, from.delimiter another separator, "
     "from.encoding another encoding."},
    {"ingest-12", "A gzip file ends too early or holds wrong bytes.",
     "Fetch it again; `gzip -t FILE` tells when it is good."},
    {"ingest-13", "A row is longer than from.max_row. Usually the file is not what it is said to be.",
     "Look at the line in the message. Where rows are so long indeed, set from.max_row."},
    {"ingest-14",
     "A quote is opened and not closed, so that all that follows would be one field. The line in the message is where "
     "that row starts; the cause can be a single quote mark in an earlier one.",
     "Quote marks inside of a field are doubled (\"\") and the field is quoted (RFC 4180). For files that do not quote "
     "at "
     "all set from.quotes=none."},
    {"ingest-15", "A file is empty, or none has a row behind its header.",
     "Look whether it was delivered whole. Nothing was added to the table."},
    {"ingest-16", "No input file was named.",
     "Give files on the command line, or patterns in from.files; - is the standard input."},
    {"ingest-17",
     "More rows than check.max_bad allows could not be taken. Reasons: fields (too few or too many), number, overflow, "
     "range, time, digits (of a code), label, id (missing), encoding, nul, quote, json.",
     "Mend the file or the config. To see all bad rows run it once with check.max_bad=100% into a lake of its own and "
     "look "
     "at `dipper lake show TABLE --quarantine`."},
    {"ingest-18", "More bad rows than a rank can put aside: the config does not fit the file.",
     "Look at the first bad row in the message, and at the header."},
    {"ingest-20", "A fault of the program itself while it was reading.",
     "Please report it with the message and the file."},
    {0}};
