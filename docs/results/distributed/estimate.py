"""What communication costs in a step of MoCo v2 with ResNet-50 on many GPUs, on paper; and what the same formulas say of a measurement.

    python3 estimate.py
    cargo xtask bench ranks --processes 2,4 --json > bench.json     # or: mochi bench ranks --processes 2,4 --json
    python3 estimate.py bench.json

Bytes follow from the method; speeds are the assumptions below. A ring all-reduce of n bytes over R ranks moves 2 (R-1)/R n bytes through each rank, an
all-gather of n bytes in all moves (R-1)/R n, and so does an all-to-all of n bytes of each rank. MoCo shuffles by gathering all images on every rank; Mochi exchanges
only the images that a rank encodes. Every collective also has 2 log2(R) hops of latency.
"""
import json
import statistics
import sys
from math import log2

IMAGES = 32                 # of a GPU per step
PARAMETERS = 27_966_656     # ResNet-50 and MoCo v2's head: 23,508,032 + 2048 x 2048 + 2048 + 2048 x 128 + 128
CHANNELS, NORMS = 26_560, 53
SIDE, DIM = 224, 128
STEP_S = 0.025              # a step without communication; half of it is the backward pass (query, key, and twice a pass backward)
NODE = 8                    # GPUs of a machine
INSIDE, BETWEEN = 150e9, 25e9   # bytes per second and GPU: NVLink; a 200 Gbit/s network card for each GPU
HOP_INSIDE, HOP_BETWEEN = 5e-6, 10e-6


def seconds(bytes_moved, ranks, collectives=1):
    speed, hop = (INSIDE, HOP_INSIDE) if ranks <= NODE else (BETWEEN, HOP_BETWEEN)
    return bytes_moved / speed + collectives * 2 * log2(ranks) * hop


def row(ranks):
    batch, share = IMAGES * ranks, (ranks - 1) / ranks
    gradients = seconds(2 * share * 4 * PARAMETERS, ranks, 6)   # 25 MiB buckets and a first one of 1 MiB
    shown = max(0.0, gradients - STEP_S / 2)
    keys = seconds(share * batch * (4 * DIM + 16), ranks, 2)
    image = 3 * SIDE * SIDE * 2
    # Running statistics of both encoders are averaged as well: mean and variance in float32.
    statistics = seconds(2 * share * 2 * 2 * CHANNELS * 4, ranks)
    gather = seconds(share * batch * image, ranks) + statistics
    shuffle = seconds(share * IMAGES * image, ranks) + statistics
    # Two forward passes and one backward, two doubles for each channel.
    sync = seconds(3 * 2 * share * 2 * 8 * CHANNELS, ranks, 3 * NORMS)
    return batch, gradients, shown, keys, gather, shuffle, sync


# Of `bench ranks`: ResNet-18 with MoCo v2's head at 64 px, 16 images of each process, float32, shuffle-BN.
BENCH_IMAGES, BENCH_SIDE, BENCH_CHANNELS = 16, 64, 4_800


def check(path):
    """The overhead that the formulas give for the processes of one machine, from the time of an all-reduce of the gradients and of one number there.

    Nothing is hidden: the cores that would have to compute meanwhile are those that send and receive. Of collectives a step with shuffle-BN has the exchange of
    images, the gathering of keys, the sum of running statistics, and the gradients, whose time is measured."""
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    rounds = [[one for one in results if one["processes"] > 1] for results in found.get("mochi", [found.get("results", [])])]
    print("| processes | gradients | images | keys | statistics | overhead on paper | overhead measured | of it explained |")
    print("|---|---|---|---|---|---|---|---|")
    for at, first in enumerate(rounds[0]):
        ranks, moved = first["processes"], first["gradient_bytes"]
        gradients, latency, measured = (statistics.median(one[at][key] for one in rounds) for key in ("all_reduce_s", "latency_s", "overhead_s"))
        share = (ranks - 1) / ranks
        speed = 2 * share * moved / max(gradients - latency, 1e-9)   # bytes per second and process
        images = latency + share * BENCH_IMAGES * 3 * BENCH_SIDE**2 * 4 / speed
        keys = latency + share * BENCH_IMAGES * ranks * 4 * DIM / speed
        sums = latency + 2 * share * 2 * 2 * BENCH_CHANNELS * 4 / speed
        paper = gradients + images + keys + sums
        ms = [f"{1e3 * s:.1f} ms" for s in (gradients, images, keys, sums, paper, measured)]
        print(f"| {ranks} | " + " | ".join(ms) + f" | {100 * paper / measured:.0f} % |")


def main():
    if len(sys.argv) > 1:
        return check(sys.argv[1])
    print("| GPUs | batch | gradients | not hidden | keys | shuffle-BN by gather | shuffle-BN | SyncBN | step, by gather | step, shuffle-BN | step, SyncBN |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for ranks in (8, 16, 32, 64, 128, 256, 512):
        batch, gradients, shown, keys, gather, shuffle, sync = row(ranks)
        ms = [f"{1e3 * s:.1f} ms" for s in (gradients, shown, keys, gather, shuffle, sync)]
        steps = [f"{(STEP_S + shown + keys + bn) / STEP_S:.2f}x" for bn in (gather, shuffle, sync)]
        print(f"| {ranks} | {batch:,} | " + " | ".join(ms + steps) + " |")


if __name__ == "__main__":
    main()
