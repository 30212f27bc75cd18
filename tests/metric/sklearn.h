/* Made by scripts/golden-metric.py with scikit-learn 1.9.1. */
{"auc", 0.6543195699144252},
{"average_precision", 0.49502096931059986},
{"precision@5%", 0.5},
{"recall@5%", 0.06613756613756613},
{"logloss", 0.7585635744657074},
{"brier", 0.2594365234375},
{"calibration", 0.17071875},
