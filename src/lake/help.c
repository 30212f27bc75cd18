#include "lake/lake.h"

const dp_help_row lake_help[] = {
    {"lake-01", "The lake has no table of that name, or the lake's folder cannot be read.",
     "`dipper lake ls` lists the tables; `dipper ingest CONFIG FILE` makes one. The lake's place is `lake:` in the "
     "site "
     "file (DIPPER_SITE)."},
    {"lake-02", "The table has no snapshot of that number.",
     "Use the newest (the name without @number), or one that `dipper lake show` lists."},
    {"lake-03",
     "A manifest, the list of what a snapshot holds, does not read as it was written: its text and its digest differ, "
     "or "
     "its parts contradict each other.",
     "Open the snapshot before it (table@number), and bring the file back from a copy; look at the disk."},
    {"lake-04",
     "Bytes of a partition are not those that were written: a checksum, a digest or a count does not fit. Nothing of "
     "the "
     "damaged part was used.",
     "Run `dipper lake verify TABLE` to see all that is damaged, then bring the file back from a copy or ingest its "
     "delivery again. Look at the disk."},
    {"lake-05", "A partition that the manifest names is missing, cannot be read, or has another size.",
     "Bring the file back from a copy, or ingest its delivery again."},
    {"lake-06",
     "The columns of a delivery do not fit the table it is meant for, or a table is described in a way that cannot be "
     "(a column twice, an id that is no column).",
     "Give the columns as `dipper lake show TABLE` has them. New columns may be added; older rows then have them "
     "missing. "
     "A column that means something else needs a new name, or a new table."},
    {"lake-07", "Another process is writing the same delivery to the same table.",
     "Wait for it. If it was killed, its lock is gone with it: run the same command again."},
    {"lake-08", "A name of a table, snapshot or column does not follow the rules for names.",
     "Use small letters, digits, '_', '-' and '.', beginning with a letter or digit, at most 64; a snapshot is "
     "table@number."},
    {"lake-09", "A column that was asked for is not in the table.", "`dipper lake show TABLE` lists the columns."},
    {"lake-10", "A condition could not be read.",
     "Write column op value, joined by and: \"hs6 = 090111 and value > 1e6\". Values with spaces go into quotes; \"\" "
     "is "
     "the missing value."},
    {"lake-11", "The HDF5 library failed where it should not.",
     "`dipper doctor` shows which HDF5 was found. Otherwise please report it with the log of the run."},
    {"lake-12", "Rows that were to be written contradict themselves. This is a fault of the program that wrote them.",
     "Please report it with the log of the run."},
    {"lake-13", "One place of a delivery was written twice. This is a fault of the program that wrote it.",
     "Please report it with the log of the run."},
    {"lake-14", "Very many writers add to the table at once, and this one never was the next.",
     "Run the same command again: its partitions are there, only the last step is repeated."},
    {"lake-15",
     "A file was looked at in a process of its own before being used, and that process crashed or did not end in time. "
     "Files that do this are damaged, or made to do harm.",
     "Do not use the file. Ask where it came from, and bring it back from a copy."},
    {"lake-16",
     "A file is no whole HDF5 file, or holds what Dipper does not read: links or storage in other files, virtual "
     "datasets, foreign filters, absurd counts.",
     "Bring the file back from a copy. Data of others comes in through `dipper ingest`, as text."},
    {"lake-17", "A bad row was put aside after its partition was written. This is a fault of the program.",
     "Please report it with the log of the run."},
    {"lake-18", "A category is longer than 1,024 bytes or holds a zero byte.",
     "Make the column a text column in the table's config: {type: text}."},
    {"lake-19", "The system gave no more threads.", "Ask for fewer: job.threads=1, or raise the limit (ulimit -u)."},
    {"lake-20", "The table was written by a newer Dipper.", "Use that version or a newer one to read it."},
    {"lake-21", "The process asked the system for memory and did not get it.",
     "Give the job more memory (job.memory, Slurm's --mem), or use more ranks."},
    {NULL, NULL, NULL},
};
