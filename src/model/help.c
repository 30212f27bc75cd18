#include "model/model.h"

const dp_help_row model_help[] = {
    {"model-01", "The file does not begin as a model file of Dipper does, or a newer Dipper wrote it.",
     "Name a file that `dipper model ls` shows, or use the Dipper that wrote it."},
    {"model-02",
     "A model file carries the SHA-256 of its bytes and of its learned arrays. What is in the file now gives another "
     "one: bits flipped on a disk or a cable, or somebody edited it.",
     "Take another copy of the file, or train again; check the disk."},
    {"model-03",
     "The file has the right digest and yet is not laid out as Dipper lays models out (plain arrays in two groups). "
     "Somebody else made it; it is not trusted.",
     "Do not use the file. Ask where it comes from."},
    {"model-04", "A named array has a name that cannot stand in a file, or stands there twice.",
     "If a file was named, take another copy of it; otherwise please report this."},
    {"model-05",
     "A model lacks an array, or has one of another type or length, or one that this release does not know.",
     "Use the Dipper that wrote the file, or a newer one."},
    {"model-06", "A checkpoint's bytes are not the saved state of a model.",
     "The checkpoint before it is tried next; if none is good, the training begins again."},
    {"model-07", "The input contract in a model (names, types, category tables) does not hold together.",
     "Take another copy of the file. If it is a fresh one, please report this."},
    {"model-08", "The HDF5 library could not build or take a file in memory; most often memory ran out.",
     "Give the job more memory (job.memory, Slurm's --mem) and run the same command again."},
    {"model-09", "This family of models does not offer what was asked for (reasons of a score, ONNX).",
     "Use a model of family `trees` where reasons or ONNX are needed."},
    {"model-10", "A model that is still learning was asked to be saved or exported. This is a fault of the program.",
     "Please report it with the log of the run."},
    {"model-11", "The text that is stored beside a model is not a JSON object. This is a fault of the program.",
     "Please report it with the log of the run."},
    {"model-12", "The model belongs to a family that this release does not have.",
     "Use the Dipper that wrote the file, or a newer one."},
    {NULL, NULL, NULL},
};
