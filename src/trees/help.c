#include "trees/trees.h"

const dp_help_row trees_help[] = {
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
