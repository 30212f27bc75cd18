#include "registry/registry.h"

const dp_help_row registry_help[] = {
    {"registry-01",
     "The name or address of a model does not follow the grammar: a-z, 0-9, '.', '_', '-', at most 64 characters, then "
     "perhaps ':' and a version number.",
     "Write it as `risk` or `risk:15`."},
    {"registry-02", "No model or version of that name lies in the folder of models.",
     "`dipper model ls` shows all; `models` in site.yaml says which folder is looked at."},
    {"registry-03",
     "Each line of an audit log carries the hash of the line before. The named line does not fit: it was changed, or "
     "lines around it were added, removed or swapped.",
     "Compare the log with a backup. What stands before the named line is as it was written."},
    {"registry-04", "A version's file differs from the one that was offered, is gone, or nobody offered it.",
     "Do not use that version. Restore the file from a backup, or train again."},
    {"registry-05", "Another process holds the audit log of this model.", "Run the same command again a little later."},
    {"registry-06", "A folder or file of the registry cannot be opened, read or written.",
     "Check the path, the permissions and the disk; then run the same command again."},
    {"registry-07", "An act could not be put into words for the audit log. This is a fault of the program.",
     "Please report it with the log of the run."},
    {NULL, NULL, NULL},
};
