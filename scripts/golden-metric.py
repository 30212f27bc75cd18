#!/usr/bin/env python3
"""Makes tests/metric/sklearn.h: what scikit-learn and numpy say of rows that the test makes by the same rule.

    scripts/golden-metric.py > tests/metric/sklearn.h       (needs numpy and scikit-learn)

Values are scikit-learn's. Intervals of AUC are DeLong's, from the matrix of all pairs; the others are percentiles of an
ordinary bootstrap of numpy's (rows drawn with replacement), those of calibration mirrored. Differences are other - mine.
"""
import numpy as np
import sklearn
from sklearn import metrics

N, REPLICATES = 1000, 2000
x, score, other, label, revenue = 12345, [], [], [], []
for _ in range(N):
    x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
    s = 1 + (x >> 40) % 31
    score.append(s / 32)                                 # few values: the cut and the bins part ties
    other.append((1 + (2 * s + (x >> 46) % 31) // 3) / 32)
    label.append(int((x >> 20) % 64 < 8 + s))            # overconfident below, underconfident above
    revenue.append(label[-1] * ((x >> 25) % 1000))
score, other, label, revenue = (np.array(a) for a in (score, other, label, revenue))
row = np.arange(N)


def order_of(p, rows):
    """Riskiest first, ties by the row's number: as the test's row identities."""
    return np.lexsort((rows, -p))


def at_cut(p, y, r, rows, share):
    top = order_of(p, rows)[:round(share * len(p))]
    return y[top].mean(), y[top].sum() / y.sum(), r[top].sum() / r.sum()


def calibration(p, y, rows, bins=15):
    order = order_of(p, rows)
    edges = [b * N // bins for b in range(bins + 1)]
    return sum(abs(p[order[a:b]].sum() - y[order[a:b]].sum()) for a, b in zip(edges, edges[1:])) / N


measures = {
    "auc": lambda p, y, r, rows: metrics.roc_auc_score(y, p),
    "average_precision": lambda p, y, r, rows: metrics.average_precision_score(y, p),
    "precision@5%": lambda p, y, r, rows: at_cut(p, y, r, rows, 0.05)[0],
    "recall@5%": lambda p, y, r, rows: at_cut(p, y, r, rows, 0.05)[1],
    "revenue@5%": lambda p, y, r, rows: at_cut(p, y, r, rows, 0.05)[2],
    "logloss": lambda p, y, r, rows: metrics.log_loss(y, p),
    "brier": lambda p, y, r, rows: metrics.brier_score_loss(y, p),
    "calibration": lambda p, y, r, rows: calibration(p, y, rows),
}


def delong(*scores):
    """Covariance of the AUCs by DeLong's structural components."""
    v10, v01 = [], []
    for p in scores:
        pairs = np.sign(p[label == 1][:, None] - p[label == 0][None, :]) / 2 + 0.5
        v10.append(pairs.mean(axis=1))
        v01.append(pairs.mean(axis=0))
    return np.atleast_2d(np.cov(v10)) / len(v10[0]) + np.atleast_2d(np.cov(v01)) / len(v01[0])


def interval(value, replicates, mirrored):
    low, high = np.percentile(replicates, [2.5, 97.5])
    return (2 * value - high, 2 * value - low) if mirrored else (low, high)


rng = np.random.default_rng(7)
drawn = [np.sort(rng.integers(0, N, N)) for _ in range(REPLICATES)]
print(f"/* Made by scripts/golden-metric.py with scikit-learn {sklearn.__version__} and numpy {np.__version__}. */")
for name, measure in measures.items():
    mine, theirs = (float(measure(p, label, revenue, row)) for p in (score, other))
    if name == "auc":
        (a, c), (_, b) = delong(score, other)
        half, half_difference = 1.959963984540054 * a**0.5, 1.959963984540054 * (a + b - 2 * c)**0.5
        low, high = mine - half, mine + half
        between = (theirs - mine - half_difference, theirs - mine + half_difference)
    else:
        both = np.array([[measure(p[d], label[d], revenue[d], d) for p in (score, other)] for d in drawn])
        low, high = interval(mine, both[:, 0], name == "calibration")
        between = interval(theirs - mine, both[:, 1] - both[:, 0], False)
    print(f'{{"{name}", {mine!r}, {float(low)!r}, {float(high)!r}, {theirs - mine!r}, {float(between[0])!r}, '
          f'{float(between[1])!r}}},')
