#include "base/status.h"

const dp_help_row base_help[] = {
    {"base-01", "The process asked the system for memory and did not get it, or a size in a file is absurd.",
     "Give the job more memory (job.memory, Slurm's --mem), use more ranks, or a smaller batch."},
    {"base-02",
     "A buffer with a fixed limit would have grown past it. The limit guards against hostile or broken input.",
     "Look at the named input: a single value or line of that size is hardly meant."},
    {"base-03", "A message could not be put together. This is a fault of the program.",
     "Please report it with the log of the run."},
    {"base-04", "The cryptography library does not offer SHA-256, so nothing can be verified.",
     "Look at OpenSSL's configuration (OPENSSL_CONF, FIPS mode); `dipper doctor` shows what it finds."},
    {"base-05", "A file could not be opened or read.", "Check the path, the permissions and the disk."},
    {"base-06", "A file could not be written or named. Nothing was published; what was there before still stands.",
     "Check the folder and its permissions, then run the same command again."},
    {"base-07", "The disk or the quota is full. Nothing was published; what was there before still stands.",
     "Free some space and run the same command again; it goes on where it stopped."},
    {"base-08", "What was written and what the disk gives back differ. Nothing was published.",
     "Suspect the disk, its cable or its driver; check the machine before anything else is written there."},
    {"base-09", "A folder could not be made.", "Check the parent folder and its permissions."},
    {"base-10", "A file was expected, and the path names a directory, a pipe or a device.", "Name a regular file."},
    {"base-11", "The file is larger than this kind of file can be.", "Check that it is the file you meant."},
    {NULL, NULL, NULL},
};
