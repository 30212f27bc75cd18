#include "config/config.h"

const dp_help_row config_help[] = {
    {"config-01", "The file is not YAML from this place on. What stands before it was still checked.",
     "Look at the named line and the one above it: a quote or bracket left open, a missing colon or space, lines of "
     "one "
     "block that do not begin in the same column."},
    {"config-02",
     "A config says with its first key, `kind`, what it describes; this one says nothing or something else.",
     "Begin the file with one of the kinds in `dipper help configs`, like kind: model."},
    {"config-03",
     "The key is not known at this place. Unknown keys are refused, so that a typing error never passes for "
     "a default.",
     "Take the name that is suggested, or look it up: `dipper help` with the command lists all keys."},
    {"config-04", "The same key stands twice in one map; only one of the two could count.", "Remove one of them."},
    {"config-05", "A key that has no default is not there.", "Add it; the message says what it is for."},
    {"config-06",
     "The value cannot be read as what this key holds. Values are typed by their key, and a decimal comma is "
     "not read.",
     "Write it as the example in the message."},
    {"config-07", "The value, or the number of items, lies outside of what this key can be.",
     "Choose one within the bounds that are named."},
    {"config-08", "The value is none of the words that this key can be.", "Take one of the words that are named."},
    {"config-09",
     "Names are made of a-z, 0-9 and . _ - , begin with a letter or digit and have at most 64 characters: "
     "they become names of files and folders.",
     "Choose such a name; what is shown to people belongs into `about`."},
    {"config-10", "YAML does not allow tabs in the indentation.", "Replace the tab by spaces."},
    {"config-11",
     "Anchors, aliases, tags, %TAG lines and second documents are refused: no config needs them, and files "
     "from elsewhere misuse them.",
     "Write the value out; put a second document into a file of its own."},
    {"config-12", "The file passes a limit: 1 MiB, 32 levels, 10,000 keys and values, 64 KiB a value, 200 faults.",
     "Check that it is the file you meant."},
    {"config-13", "The file holds bytes that are no text in UTF-8, or characters that do not belong into a config.",
     "Save the file as UTF-8 without control characters."},
    {"config-14", "A map, a list and a single value are different things; here stands another than the key holds.",
     "Write it as the message says; `dipper help` with the command shows each key."},
    {"config-15", "The key belongs to another family than the one this file names.",
     "Remove the key, or change the key that the message names."},
    {"config-16", "An override on the command line is key=value, like model.depth=7.",
     "Write the path of the key with dots, then = and the value; quote it for the shell where it has spaces."},
    {"config-17", "The key stands there without a value.", "Write one behind the colon, or remove the key."},
    {"config-18", "The folder this was started in has no name any more (removed, or not readable).",
     "Change to another folder and run the same command again."},
    {"config-19", "The rows that describe the keys are at fault, not your file. This is a fault of the program.",
     "Please report it with the message."},
    {"config-20", "DIPPER_SITE names a file that is not there.",
     "Correct DIPPER_SITE, or unset it: then everything lies in ./dipper-data."},
    {"config-21", "The site's time_zone is not known on this machine.",
     "Write a name of the IANA time-zone list, like Asia/Taipei or UTC; Debian's package tzdata brings all of them."},
    {"config-22", "A number was wanted of a key that has none here.", "Give the key a number, or name another key."},
    {NULL, NULL, NULL},
};
