/* Made by scripts/golden-metric.py with scikit-learn 1.9.1. */
{"auc", 0.6176861702127661},
{"average_precision", 0.3276864366103296},
{"precision@5%", 0.34},
{"recall@5%", 0.06854838709677419},
{"logloss", 0.8947477977057383},
{"brier", 0.29659449768066404},
{"calibration", 0.28101953125},
