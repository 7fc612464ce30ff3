"""MoCo-v2 training steps in several processes with torch's DistributedDataParallel: the peer of `mochi bench ranks`.

    python moco_ddp.py --processes 1,2 --arch resnet18 --batch 16 --size 64

Every process alternates between a step on its own, of its share of the batch and without communication, and a step together with the others
(facebookresearch/moco: gradients averaged by DDP, images shuffled across processes before the key encoder, keys gathered). All processes begin
a step at the same time. Gloo on CPUs, float32, channels_last, one thread for each share of the cores. DDP is configured for speed:
gradients are views of the buckets, and batch-norm buffers are not broadcast.

Prints one JSON line with medians of rank 0's seconds, as `mochi bench ranks --json` has them. Needs torch and torchvision.

A process that waits for another longer than --timeout seconds ends with an error, and so do the others; one that does not even do that is told where
it is (its stack goes to stderr) and ended.
"""
import argparse
import datetime
import json
import os
import statistics
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from moco_step import TEMPERATURE, Peer
from supervise import tell_stack, wait

ALL_REDUCES = 10


def gather(rows):
    """Rows of every process, one after the other."""
    out = rows.new_empty(rows.shape[0] * dist.get_world_size(), *rows.shape[1:])
    dist.all_gather_into_tensor(out, rows.contiguous())
    return out


class Together(Peer):
    """The step of several processes."""

    def __init__(self, arch, queue):
        super().__init__(arch, queue, "tuned", "float32", torch.device("cpu"))
        self.encoder = DistributedDataParallel(self.query, broadcast_buffers=False, gradient_as_bucket_view=True)

    @torch.no_grad()
    def keys(self, view):
        """Keys of the whole batch, by shuffle-BN."""
        size, rank, batch = dist.get_world_size(), dist.get_rank(), view.shape[0]
        # Channels innermost, as the images are.
        images = gather(view.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        order = torch.randperm(batch * size)
        dist.broadcast(order, 0)
        mine = order.view(size, -1)[rank]
        k = F.normalize(self.key(images[mine]).float(), dim=1)
        return gather(k)[order.argsort()]

    def step(self, view_q, view_k):
        batch, rank = view_q.shape[0], dist.get_rank()
        q = F.normalize(self.encoder(view_q).float(), dim=1)
        self.follow()
        keys = self.keys(view_k)
        k = keys[rank * batch:(rank + 1) * batch]
        logits = torch.cat([(q * k).sum(dim=1, keepdim=True), q @ self.queue.T], dim=1) / TEMPERATURE
        loss = F.cross_entropy(logits, torch.zeros(batch, dtype=torch.long))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        rows = (self.next + torch.arange(keys.shape[0])) % self.queue.shape[0]
        self.queue[rows] = keys
        self.next = (self.next + keys.shape[0]) % self.queue.shape[0]


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def worker(rank, size, port, a, out):
    tell_stack()
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // size))
    torch.manual_seed(0)
    if size > 1:
        timeout = datetime.timedelta(seconds=a.timeout)
        store = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=timeout)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=timeout)
    alone = Peer(a.arch, a.queue, "tuned", "float32", torch.device("cpu"))
    together = Together(a.arch, a.queue) if size > 1 else None
    views = [torch.randn(a.batch, 3, a.size, a.size).contiguous(memory_format=torch.channels_last) for _ in range(2)]
    times = {"alone": [], "together": []}
    peers = {"alone": alone, "together": together}
    for number in range(a.steps + 2):
        for kind in ("alone", "together") if number % 2 == 0 else ("together", "alone"):
            if peers[kind] is None:
                continue
            if size > 1:
                dist.barrier()
            times[kind].append(timed(lambda: peers[kind].step(*views)))
    alone_s = times["alone"][2:]
    together_s = times["together"][2:] or alone_s
    values = sum(p.numel() for p in alone.query.parameters())
    reduces = [0.0, 0.0]
    if size > 1:
        flat, reduces = torch.zeros(values), []
        for _ in range(ALL_REDUCES):
            dist.barrier()
            reduces.append(timed(lambda: dist.all_reduce(flat)))
        dist.barrier()
    if rank == 0:
        step_s = statistics.median_low(together_s)
        overhead = statistics.median_low([t - o for t, o in zip(together_s, alone_s)]) if size > 1 else 0.0
        reduce_s = statistics.median_low(reduces[1:])
        out.put({
            "processes": size, "threads": torch.get_num_threads(), "alone_s": statistics.median_low(alone_s), "step_s": step_s,
            "overhead_s": overhead, "all_reduce_s": reduce_s,
            "hidden": min(1.0, max(0.0, 1 - overhead / reduce_s)) if reduce_s else 0.0,
            "gradient_bytes": values * 4, "images_per_s": a.batch * size / step_s,
        })
    if size > 1:
        # Not by returning, nor by destroy_process_group: the last reference to the group is DDP's, and its destructor joins gloo's threads while it holds
        # Python's lock. A thread that is about to drop a tensor waits for that lock, and the process never ends (torch 2.11.0, now and then).
        sys.stdout.flush()
        os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--queue", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--timeout", type=float, default=120)
    a = parser.parse_args()
    context, results = mp.get_context("spawn"), []
    for size in (int(text) for text in a.processes.split(",")):
        out = context.SimpleQueue()
        # Served here, on a port that the system chooses and keeps: a port that is looked up first can be taken before it is used.
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False) if size > 1 else None
        port = store.port if store else 0
        processes = [context.Process(target=worker, args=(rank, size, port, a, out), daemon=True) for rank in range(size)]
        for process in processes:
            process.start()
        wait(processes, 10 * a.timeout)
        results.append(out.get())
        del store
    print(json.dumps({"arch": a.arch, "batch_of_a_process": a.batch, "size": a.size, "queue": a.queue, "torch": torch.__version__, "results": results}))


if __name__ == "__main__":
    main()
