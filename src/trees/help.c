#include "trees/trees.h"

const dp_help_row trees_help[] = {
    {"trees-01", "The table is too large, or too wide, for the training matrix of one rank.",
     "Use more ranks (job.ranks), so that each holds fewer rows, or fewer columns."},
    {"trees-02",
     "A row to learn from has a label that its loss cannot learn: the log-loss wants 0 and 1, numbers must be "
     "finite, classes one of those of train.",
     "Look at the label column of the table and at train.loss; a missing label leaves its row out of training."},
    {"trees-03",
     "The histograms of a single node would not fit in half of the job's memory: a few of bins of all features x 16 "
     "bytes are needed at once.",
     "Give the job more memory (job.memory), or use fewer features or bins (model.bins)."},
    {"trees-04",
     "Training was begun before every feature of the matrix was set, or with other rows. This is a fault of "
     "the program.",
     "Please report it with the log of the run."},
    {"trees-05",
     "Every row to learn from has the same label, so there is nothing to tell apart; or one of several classes has no "
     "row, or only rows of no weight.",
     "Look at the label column and at the dates of the split: `dipper lake show` counts the labels."},
    {"trees-06",
     "A checkpoint was found whose trees do not fit the data or the options of this run: bin borders, start value or "
     "growth differ.",
     "The table or the config changed since: start a new run."},
    {"trees-07",
     "Trees that grow leaf by leaf are stored and scored like depth-wise ones, with 2^depth places each, most of them "
     "empty when they are deep and have few leaves.",
     "Set model.depth to 10 or less, and let model.leaves limit the size of a tree."},
    {"trees-08", "All rows to learn from have the same number as label, or weigh nothing.",
     "Look at the label and weight columns and at the dates of the split."},
    {"trees-09", "A row to learn from has a weight that is missing, negative, infinite or absurdly large.",
     "Look at the column that data.weight names; a row of weight 0 teaches nothing."},
    {"trees-10", "The GPU failed in the middle of a tree; what it held of the training is lost.",
     "Run the same command again: it goes on from the last checkpoint. With job.device=cpu it does so without the GPU, "
     "to "
     "the same model."},
    {"trees-11", "Learning is to go on from a model whose trees grew in another way.",
     "Give model.growth the way of that model, or train without train.from."},
    {"trees-12", "Learning is to go on from a model that lowers another loss.",
     "Give train.loss that of the model, or train without train.from."},
    {"trees-13", "Rows were to be ranked without a group or a gain. This is a fault of the program.",
     "Please report it with the log of the run."},
    {"trees-14",
     "Several classes (train.loss: softmax) are learned with a tree a class and step. There may be 2 to 256 of them; "
     "model.monotone and model.positive_weight speak of one score, so they do not go with them.",
     "Take model.monotone and model.positive_weight out of the config; weigh rows with data.weight."},
    {"trees-60",
     "The sizes in a model of trees do not fit together, or are absurd: it comes from a broken or foreign file.",
     "Take another copy of the model file, or train again."},
    {"trees-61", "The borders between the bins of a feature do not ascend or are not finite.",
     "Take another copy of the model file, or train again."},
    {"trees-62", "A node splits by a feature or a border that the model does not have.",
     "Take another copy of the model file, or train again."},
    {"trees-63", "A leaf says that it covers less than no rows, or absurdly many.",
     "Take another copy of the model file, or train again."},
    {NULL, NULL, NULL},
};
