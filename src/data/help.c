#include "data/data.h"

const dp_help_row data_help[] = {
    {"data-01", "The section `split` does not say the three parts in one way that fits the table.",
     "Say all parts as months or days (counted back from the latest labelled row), or all as dates, or all as shares, "
     "or "
     "name one column that holds train, valid, test."},
    {"data-02", "The config names a column that the table does not have.",
     "Look at the columns with `dipper lake show TABLE`."},
    {"data-03",
     "A column cannot be used for what the config wants of it: the label as an input, a value that becomes known only "
     "after the row, a text as an input, a number as a slice.",
     "Take the column out, or give it another type in the table's config and ingest again."},
    {"data-04", "The label column of a yes-or-no model holds a value other than 0, 1 and missing.",
     "Choose the right label column, or map its values in the table's config."},
    {"data-05", "A part of the split has no row, so there is nothing to learn from or to measure on.",
     "Compare the dates in the message: the part may lie outside the table, or its rows may have no label yet."},
    {"data-06", "All rows of train have the same label.",
     "Widen the split, or look whether the label was ingested as it should be."},
    {"data-10", "A table lacks columns that the model needs, or has them with another type or unit.",
     "Score a table of the model's own schema, or train a model on this one."},
    {"data-13", "One rank would hold more rows or categories than it can number.", "Run with more ranks."},
    {"data-14",
     "A step was called out of order, or a table gave other rows than before. This is a fault of the program.",
     "Please report it with the log of the run."},
    {"data-15", "A label or a weight of a row to learn from is infinite, or a weight is missing or negative.",
     "Look at the row in the table; give the column a `range` in the table's config, so that ingest puts such rows "
     "aside. A row of weight 0 teaches nothing."},
    {"data-16", "Hit rates that follow what changes would look at too short a time.",
     "Give model.categories.half_life a share of train's time from 5% on, or 0 for none."},
    {"data-17", "Learning is to go on from a model, and data.columns is not what that model learned from.",
     "Name the same columns in data.columns, in any order, or train without train.from."},
    {"data-18",
     "The label of a model of classes (a column of type category or code) has more values in train than the 256 that a "
     "model learns; or a model file's list of classes is broken.",
     "Choose a coarser column: of a code the first digits (hs2 of hs6), or a category that groups the values."},
    {NULL, NULL, NULL},
};
