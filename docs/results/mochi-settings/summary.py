"""Differences to the first variant with an error that all variants share, and training metrics at the end: `python summary.py STUDY`.

pooled.csv: with v variants and s seeds, x_ij = mean + variant_i + seed_j + e_ij. The residuals e_ij have (v - 1)(s - 1) degrees of freedom; a difference of two
variants has the standard error sd(e) sqrt(2 / s). Intervals are those of t without correction. With three seeds a paired t-test has two degrees of freedom.
final.csv: the mean of the records of the last epoch (metrics.jsonl), by variant and seed.

Needs scipy.
"""

import csv
import json
import sys
from pathlib import Path

from scipy.stats import t

EPOCH = 97
METRICS = ["loss", "accuracy_real", "accuracy_with_synthetic", "alignment", "uniformity"]


def write(path, header, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def pooled(study):
    scores = {}
    with open(study / "table.csv", newline="") as file:
        for row in csv.DictReader(file):
            name = next(iter(row.values()))
            seeds = dict(one.split(":") for one in row["by_seed"].split())
            scores.setdefault(row["protocol"], {})[name] = {int(seed): float(top1) for seed, top1 in seeds.items()}
    for protocol, variants in scores.items():
        seeds = sorted(set.intersection(*(set(of) for of in variants.values())))
        means = {name: sum(of[seed] for seed in seeds) / len(seeds) for name, of in variants.items()}
        of_seed = {seed: sum(of[seed] for of in variants.values()) / len(variants) for seed in seeds}
        all_mean = sum(means.values()) / len(means)
        squares = sum(
            (of[seed] - means[name] - of_seed[seed] + all_mean) ** 2 for name, of in variants.items() for seed in seeds
        )
        free = (len(variants) - 1) * (len(seeds) - 1)
        error = (squares / free * 2 / len(seeds)) ** 0.5
        half = t.ppf(0.975, free) * error
        first = next(iter(means))
        for name in list(means)[1:]:
            difference = means[name] - means[first]
            p = 2 * t.sf(abs(difference) / error, free)
            yield [name, protocol, f"{difference:.3f}", f"{difference - half:.3f}", f"{difference + half:.3f}", f"{p:.4f}"]


def final(study):
    for run in sorted((study / "cells").iterdir()):
        name, _, seed = run.name.rpartition("-")[0].rpartition("-seed-")
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        records = [record for record in records if record["step"] > records[-1]["step"] - EPOCH]
        values = ([record[key] for record in records if record.get(key) is not None] for key in METRICS)
        yield [name, int(seed), *(f"{sum(of) / len(of):.5g}" if of else "" for of in values)]


study = Path(sys.argv[1])
write("pooled.csv", ["variant", "protocol", "difference", "low", "high", "p"], pooled(study))
write("final.csv", ["variant", "seed", *METRICS], final(study))
