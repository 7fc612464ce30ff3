"""Runs mochi-parity over many files that the reference scripts write, and prints the largest error of each field.

    python sweep.py --reference FOLDER --program PATH [--loss 40] [--resnet resnet18 resnet34 resnet50] [--table]

FOLDER holds mochi_reference.py and resnet_reference.py; PATH is the built mochi-parity. Needs torch, torchvision, safetensors. Exit 1 if
a comparison failed. Shapes of the loss are drawn from --seed, after a list of edges.
"""
import argparse
import contextlib
import io
import json
import random
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

# batch, dim, queue, hardest, pairs, query mixes, temperature
EDGES = [
    (1, 2, 1, 1, 3, 3, 0.2), (1, 8, 33, 5, 0, 0, 0.2), (4, 8, 32, 8, 12, 0, 0.2), (4, 8, 32, 8, 0, 12, 0.2), (5, 16, 24, 24, 40, 40, 0.07),
    (7, 16, 100, 3, 60, 50, 0.1), (3, 128, 1000, 1000, 10, 10, 0.2), (256, 128, 4096, 1024, 64, 64, 0.2), (32, 128, 16384, 1024, 256, 128, 0.2),
]


def draw(rng):
    k = rng.choice([2, 17, 64, 250, 1000, 3000])
    n = rng.choice([1, k, rng.randint(1, k)])
    return (rng.randint(1, 40), rng.choice([2, 3, 16, 64, 128]), k, n, rng.choice([0, rng.randint(0, 2 * n)]), rng.choice([0, rng.randint(0, 2 * n)]), rng.choice([0.07, 0.1, 0.2, 1.0]))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--reference", type=Path, required=True)
    p.add_argument("--program", type=Path, required=True)
    p.add_argument("--loss", type=int, default=40)
    p.add_argument("--resnet", nargs="*", default=[])
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--table", action="store_true", help="a line for each file as well")
    a = p.parse_args()
    rng = random.Random(a.seed)
    shapes = (EDGES + [draw(rng) for _ in range(a.loss)])[: a.loss]
    names = ["batch", "dim", "queue", "hardest", "pairs", "query-mixes", "temperature"]
    jobs = [("loss", "mochi_reference.py", {**dict(zip(names, shape)), "seed": seed}) for seed, shape in enumerate(shapes)]
    jobs += [("resnet", "resnet_reference.py", dict(arch=arch, size=size, batch=batch)) for arch in a.resnet for size, batch in [(64, 4), (224, 2)]]
    largest, failed = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case.safetensors"
        for what, script, options in jobs:
            flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
            # In this process: importing torch anew would take longer than all else.
            sys.argv = [script, "--out", str(file), *flags]
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(str(a.reference / script), run_name="__main__")
            run = subprocess.run([a.program, what, file], capture_output=True, text=True)
            if run.returncode:
                failed += 1
                print(f"exit {run.returncode}: {what} {options}\n{run.stdout}{run.stderr}")
            fields = {f: v for f, v in (json.loads(run.stdout) if run.stdout else {}).items() if isinstance(v, (int, float))}
            if a.table:
                print("| " + " ".join(f"{name} {value}" for name, value in options.items()) + " | " + ", ".join(f"{f} {v:.0e}" for f, v in fields.items()) + " |", flush=True)
            for field, value in fields.items():
                key = (what, field)
                largest[key] = max(largest.get(key, (0, "")), (value, str(options)))
    for (what, field), (value, options) in largest.items():
        print(f"{what:7}{field:18}{value:10.1e}  {options if value else ''}")
    print(f"{len(jobs)} files, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
