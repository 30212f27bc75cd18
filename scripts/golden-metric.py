#!/usr/bin/env python3
"""Makes tests/metric/sklearn.h: what scikit-learn says of rows that the test makes by the same rule.

    scripts/golden-metric.py > tests/metric/sklearn.h       (needs numpy and scikit-learn)
"""
import numpy as np
import sklearn
from sklearn import metrics

N = 1000
x, score, label = 12345, [], []
for _ in range(N):
    x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
    s = 1 + (x >> 40) % 31
    score.append(s / 32)                                 # few values: the cut and the bins part ties
    label.append(int((x >> 20) % 64 < 8 + s))            # overconfident below, underconfident above
score, label = np.array(score), np.array(label)

def calibration(p, y, bins=15):
    """Over equal-count bins; ties are parted by row number, as the test's row identities are."""
    order = np.lexsort((np.arange(N), -p))
    edges = [b * N // bins for b in range(bins + 1)]
    return sum(abs(p[order[a:b]].sum() - y[order[a:b]].sum()) for a, b in zip(edges, edges[1:])) / N

top = np.lexsort((np.arange(N), -score))[:N // 20]
print(f"/* Made by scripts/golden-metric.py with scikit-learn {sklearn.__version__}. */")
for name, value in [("auc", metrics.roc_auc_score(label, score)),
                    ("average_precision", metrics.average_precision_score(label, score)),
                    ("precision@5%", label[top].mean()),
                    ("recall@5%", label[top].sum() / label.sum()),
                    ("logloss", metrics.log_loss(label, score)),
                    ("brier", metrics.brier_score_loss(label, score)),
                    ("calibration", calibration(score, label))]:
    print(f'{{"{name}", {value!r}}},'.replace("np.float64(", "").replace(")}", "}"))
