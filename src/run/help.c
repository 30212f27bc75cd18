#include "run/run.h"

const dp_help_row run_help[] = {
    {"run-01", "A file of a run, or the folder of runs, could not be read, written or removed.",
     "Check the path, its permissions and the disk (`runs` in site.yaml says where runs lie), then run the same "
     "command "
     "again."},
    {"run-02", "The folder of a new run could not be made.",
     "Check `runs` in site.yaml, its permissions and the disk."},
    {"run-03", "The state.json of a run is broken, so nothing can be said about the run.",
     "Its metrics and checkpoints may still be whole; `dipper run rm` removes the run."},
    {"run-04", "No run has this id, nor an id with this part in it.", "Take an id from `dipper run ls`."},
    {"run-05", "The part of an id that was given fits more than one run.", "Give more of the id."},
    {"run-06", "The file system of the runs offers no file locks; without them two processes could work on one run.",
     "Put `runs` on a file system with locks; Lustre needs the mount option -o flock, NFS its lock service."},
    {"run-07", "Another process works on the same inputs right now. Two would do the same work twice.",
     "Wait for it, or stop it with `dipper run stop`; then the same command goes on from its checkpoint."},
    {"run-08", "The name of a run follows the name in the config: a-z, 0-9 and . _ -, 64 characters at most.",
     "Correct `name` in the config."},
    {"run-09", "A checkpoint is not whole: cut short, or changed since it was written. The one before is taken.",
     "Nothing needs to be done; if it comes again, have the disk checked."},
    {"run-10", "The process or the Slurm job of a run could not be signalled.",
     "Stop it as the user that started it, on a machine of the cluster."},
    {"run-11", "The run is not at work here, so it cannot be stopped.", "`dipper run ls` shows which runs are."},
    {"run-12", "A run at work is not removed.", "Stop it first, or wait for its end."},
    {"run-13", "The system does not let this process catch signals.", "Report it with `dipper doctor`."},
    {NULL, NULL, NULL},
};
