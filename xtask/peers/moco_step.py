"""One MoCo-v2 training step in PyTorch, timed: the peer of `mochi bench step`.

    python moco_step.py --arch resnet50 --batch 16 --size 224 --mode as-shipped
    python moco_step.py --arch resnet50 --batch 16 --size 224 --mode tuned --precision bf16

as-shipped  float32, NCHW, the momentum update one parameter at a time, as public MoCo training scripts have it. On a GPU with PyTorch's default
            precision: TF32 convolutions, float32 products.
tuned       channels_last, the momentum update in one foreach call; bf16 autocast with --precision bf16, which is slower than float32 where
            the processor emulates bf16. On a GPU float32 is float32 everywhere, in NCHW, which cuDNN is faster at; tf32 allows TF32 everywhere.
compiled    tuned, with both encoders compiled by torch.compile. The first step, which is not timed, compiles.

Inputs are random and made once, so no data loading is timed. Prints one JSON line. Needs torch and torchvision.
"""
import argparse
import copy
import json
import resource
import statistics
import time

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

DIM, TEMPERATURE, MOMENTUM = 128, 0.2, 0.999


class CifarBlock(nn.Module):
    """Basic block whose shortcut subsamples and pads channels with zeros (option A of He et al. 2016, section 4.2)."""

    def __init__(self, channels, planes, stride):
        super().__init__()
        self.stride, self.pad = stride, planes - channels
        self.conv1 = nn.Conv2d(channels, planes, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(planes), nn.BatchNorm2d(planes)

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        if self.pad:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad // 2, self.pad - self.pad // 2))
        return F.relu(out + x, inplace=True)


class CifarResNet(nn.Module):
    """ResNet-20, 32, 44 or 56 for 32 px (He et al. 2016, section 4.2), which torchvision does not have."""

    def __init__(self, depth, num_classes):
        super().__init__()
        layers, channels = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)], 16
        for planes in (16, 32, 64):
            for block in range((depth - 2) // 6):
                layers.append(CifarBlock(channels, planes, 2 if block == 0 and planes > 16 else 1))
                channels = planes
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        return self.fc(self.body(x))


def network(arch):
    """A torchvision network, or one of the CIFAR family, with DIM outputs."""
    depth = int(arch.removeprefix("resnet"))
    if depth in (20, 32, 44, 56):
        return CifarResNet(depth, DIM)
    return getattr(torchvision.models, arch)(num_classes=DIM)


class Peer:
    """Query and key encoders, the queue, and the step that trains them (facebookresearch/moco, MoCo-v2)."""

    def __init__(self, arch, queue, mode, precision, device):
        self.tuned, self.bf16, self.device = mode != "as-shipped", precision == "bf16", device
        nchw = not self.tuned or (device.type == "cuda" and precision == "float32")
        self.layout = torch.contiguous_format if nchw else torch.channels_last
        net = network(arch)
        net.fc = nn.Sequential(nn.Linear(net.fc.in_features, net.fc.in_features), nn.ReLU(), net.fc)
        self.query = net.to(device).to(memory_format=self.layout)
        self.key = copy.deepcopy(self.query).requires_grad_(False)
        self.queue = F.normalize(torch.randn(queue, DIM, device=device), dim=1)
        self.next = 0
        # How the encoders are called; their parameters stay those of the modules.
        self.embed_query, self.embed_key = self.query, self.key
        if mode == "compiled":
            self.embed_query, self.embed_key = torch.compile(self.query), torch.compile(self.key)
        self.optimizer = torch.optim.SGD(self.query.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4)

    @torch.no_grad()
    def follow(self):
        """The key encoder's parameters move towards the query encoder's."""
        keys, queries = list(self.key.parameters()), list(self.query.parameters())
        if self.tuned:
            torch._foreach_lerp_(keys, queries, 1 - MOMENTUM)
        else:
            for k, q in zip(keys, queries):
                k.data = k.data * MOMENTUM + q.data * (1 - MOMENTUM)

    def step(self, view_q, view_k):
        batch = view_q.shape[0]
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            q = self.embed_query(view_q)
            self.follow()
            with torch.no_grad():
                k = self.embed_key(view_k)
        q, k = F.normalize(q.float(), dim=1), F.normalize(k.float(), dim=1)
        logits = torch.cat([(q * k).sum(dim=1, keepdim=True), q @ self.queue.T], dim=1) / TEMPERATURE
        loss = F.cross_entropy(logits, torch.zeros(batch, dtype=torch.long, device=self.device))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        # Enqueued after the logits: a query's own key must not be among its negatives.
        rows = (self.next + torch.arange(batch, device=self.device)) % self.queue.shape[0]
        self.queue[rows] = k
        self.next = (self.next + batch) % self.queue.shape[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="resnet50")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--queue", type=int, default=65536)
    parser.add_argument("--mode", choices=["as-shipped", "tuned", "compiled"], default="as-shipped")
    parser.add_argument("--precision", choices=["float32", "tf32", "bf16"], default="float32")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device(a.device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    precision = "float32" if a.mode == "as-shipped" else a.precision
    if a.mode != "as-shipped":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    peer = Peer(a.arch, a.queue, a.mode, precision, device)
    views = [torch.randn(a.batch, 3, a.size, a.size, device=device).contiguous(memory_format=peer.layout) for _ in range(2)]

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()

    times, first = [], None
    for number in range(a.warmup + a.steps):
        wait()
        start = time.perf_counter()
        peer.step(*views)
        wait()
        first = first or time.perf_counter() - start
        if number >= a.warmup:
            times.append(time.perf_counter() - start)
    median = statistics.median(times)
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({
        "mode": a.mode, "precision": precision, "arch": a.arch, "batch": a.batch, "size": a.size, "device": str(device),
        "threads": torch.get_num_threads(), "torch": torch.__version__, "median_s": median, "first_s": first,
        "min_s": min(times), "max_s": max(times), "images_per_s": a.batch / median, "peak_bytes": peak,
    }))


if __name__ == "__main__":
    main()
