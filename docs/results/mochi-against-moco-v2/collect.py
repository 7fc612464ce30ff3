"""Writes records.csv, checkpoints.csv and analysis.csv from the folder of the study: `python collect.py STUDY`.

records.csv: the training metrics of every cell at the end of every epoch (metrics.jsonl has every tenth step).
checkpoints.csv: k-NN top-1 of the checkpoints that were kept (`mochi eval knn RUN --step STEP`), and of the last.
analysis.csv: measures of the last checkpoint on the test images (`mochi analyze RUN tin50/val`).
"""

import csv
import json
import sys
from pathlib import Path

STEPS_PER_EPOCH = 97
METRICS = [
    "loss",
    "accuracy_real",
    "accuracy_with_synthetic",
    "alignment",
    "uniformity",
    "effective_negatives",
    "false_negatives_in_queue",
    "false_negatives_in_hardest",
]
MEASURES = [
    "alignment",
    "uniformity",
    "rank_me_features",
    "proxy_accuracy",
    "proxy_accuracy_oracle",
    "false_negatives_all",
    "false_negatives_hardest",
    "false_parents",
    "false_pairs",
    "knn_purity",
]


def cells(study):
    for run in sorted((study / "cells").iterdir()):
        name, _, seed = run.name.rpartition("-")[0].rpartition("-seed-")
        yield name, int(seed), run


def records(study):
    for name, seed, run in cells(study):
        last = {}
        for line in (run / "metrics.jsonl").read_text().splitlines():
            record = json.loads(line)
            last[(record["step"] - 1) // STEPS_PER_EPOCH] = record
        for epoch, record in sorted(last.items()):
            values = [f"{record[key]:.5g}" if record.get(key) is not None else "" for key in METRICS]
            yield [name, seed, epoch + 1, record["step"], *values]


def checkpoints(study):
    for name, seed, run in cells(study):
        for file in sorted((run / "eval").glob("knn*.json")):
            result = json.loads(file.read_text())
            yield [name, seed, result["step"], round(result["top1"], 2)]


def analysis(study):
    for name, seed, run in cells(study):
        file = run / "analysis.json"
        if file.exists():
            last = json.loads(file.read_text())["checkpoints"][-1]
            values = [f"{last[key]:.4f}" if last.get(key) is not None else "" for key in MEASURES]
            yield [name, seed, last["step"], *values]


def main():
    study = Path(sys.argv[1])
    tables = {
        "records.csv": (["method", "seed", "epoch", "step", *METRICS], sorted(records(study))),
        "checkpoints.csv": (["method", "seed", "step", "knn"], sorted(checkpoints(study))),
        "analysis.csv": (["method", "seed", "step", *MEASURES], sorted(analysis(study))),
    }
    for file, (head, rows) in tables.items():
        with open(file, "w", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows([head, *rows])


main()
