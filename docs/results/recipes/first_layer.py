"""Features of one convolution, with filters that are drawn at random or learned from patches of the images, before and after contrastive training.

    python first_layer.py TRAIN TEST [--each 100] [--seconds 300]

TRAIN and TEST are folders of classes. A network here is one convolution of 6x6 (512 filters), batch norm, ReLU and the mean over positions, or 256 filters and the mean over each of 3x3 cells. Filters:

* random: normal numbers;
* patches: patches of the training images, whitened (Coates, Lee and Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", 2011, section 3);
* k-means: centers of spherical k-means of such patches (the same paper; Coates and Ng, "Learning Feature Representations with K-means", 2012).

ResNet-18 is torchvision's, with its initial weights. Contrastive training is SimCLR's loss over four views of 64 images, AdamW at rate 0.001 for the given seconds of
processor time. Measured are k-NN (cosine, weights exp(s / 0.1)) and a linear classifier (L-BFGS on standardized features, weight decay chosen on a tenth of
the training images), of --each images a class. Needs torch, torchvision, numpy and Pillow.
"""
import argparse
import math
import pathlib
import time

import numpy
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn import functional as F

SIDE, PATCH, FILTERS = 64, 6, 512
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def read(folder, each, draw):
    """Bytes (N, 3, 64, 64) and labels of at most `each` images of each class."""
    images, labels = [], []
    for label, name in enumerate(sorted(p.name for p in pathlib.Path(folder).iterdir() if p.is_dir())):
        files = sorted(p for p in (pathlib.Path(folder) / name).rglob("*") if p.is_file())
        for file in draw.permutation(len(files))[:each]:
            image = Image.open(files[file]).convert("RGB")
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.resize((SIDE, SIDE), Image.BICUBIC, box=(left, top, left + side, top + side))
            images.append(numpy.asarray(image))
            labels.append(label)
    return torch.from_numpy(numpy.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def normalized(images):
    return ((images.float() / 255 - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def patches(images, count):
    """Whitened patches (count, 108) of unit variance, and the whitening matrix."""
    at = [torch.randint(0, n, (count,)) for n in (len(images), SIDE - PATCH + 1, SIDE - PATCH + 1)]
    found = torch.stack([images[i, :, y:y + PATCH, x:x + PATCH] for i, y, x in zip(*at)])
    found = normalized(found).flatten(1)
    found = found - found.mean(1, keepdim=True)
    found = found / (found.var(1, keepdim=True) + 0.1).sqrt()
    values, vectors = torch.linalg.eigh(torch.cov(found.T))
    whitening = vectors @ torch.diag((values + 0.1).rsqrt()) @ vectors.T
    return (found - found.mean(0)) @ whitening, whitening


def centers(points, count=FILTERS, iterations=10):
    """Spherical k-means: directions (count, 108)."""
    directions = F.normalize(points[torch.randperm(len(points))[:count]], dim=1)
    for _ in range(iterations):
        similarity, nearest = (points @ directions.T).max(1)
        sums = torch.zeros_like(directions).index_add_(0, nearest, points * similarity[:, None])
        empty = sums.norm(dim=1) < 1e-6
        sums[empty] = points[torch.randint(0, len(points), (int(empty.sum()),))]
        directions = F.normalize(sums, dim=1)
    return directions


class FirstLayer(nn.Module):
    def __init__(self, filters, stride, count=FILTERS, cells=1):
        super().__init__()
        self.conv = nn.Conv2d(3, count, PATCH, stride, bias=False)
        if filters is not None:
            # Patches lose their mean before they are whitened.
            self.conv.weight.data = (filters - filters.mean(1, keepdim=True)).view(count, 3, PATCH, PATCH)
        self.norm = nn.BatchNorm2d(count)
        self.cells, self.width = cells, count * cells * cells

    def forward(self, x):
        return F.adaptive_avg_pool2d(F.relu(self.norm(self.conv(x))), self.cells).flatten(1)


def resnet18():
    network = torchvision.models.resnet18()
    network.fc = nn.Identity()
    return network


@torch.no_grad()
def measure_statistics(network, images):
    """Statistics of batch norms over 1,000 images."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    network.train()
    for part in images[torch.randperm(len(images))[:1000]].split(250):
        network(normalized(part))
    network.eval()


@torch.no_grad()
def features(network, images):
    return torch.cat([network(normalized(part)) for part in images.split(125)])


def knn(train, labels, test, wanted):
    train, test = F.normalize(train, dim=1), F.normalize(test, dim=1)
    classes = int(labels.max()) + 1
    similarity, nearest = (test @ train.T).topk(min(200, max(5, len(train) // (2 * classes))), dim=1)
    votes = torch.zeros(len(test), classes).scatter_add_(1, labels[nearest], (similarity / 0.1).exp())
    return 100 * (votes.argmax(1) == wanted).float().mean().item()


def linear(train, labels, test, wanted):
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    train, test = (train - mean) / deviation, (test - mean) / deviation
    classes = int(labels.max()) + 1
    held_out = torch.zeros(len(train), dtype=torch.bool)
    held_out[torch.randperm(len(train))[:len(train) // 10]] = True

    def fit(x, y, decay):
        w = torch.zeros(x.shape[1], classes, requires_grad=True)
        b = torch.zeros(classes, requires_grad=True)
        optimizer = torch.optim.LBFGS([w, b], max_iter=60)

        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(x @ w + b, y) + decay * w.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return lambda z: (z @ w + b).argmax(1)

    right = lambda decay: (fit(train[~held_out], labels[~held_out], decay)(train[held_out]) == labels[held_out]).sum()
    best = max((1e-3, 3e-3, 1e-2, 3e-2), key=right)
    return 100 * (fit(train, labels, best)(test) == wanted).float().mean().item()


def views(images, count):
    """Crops of at least half of the image, flips, changes of brightness, contrast and saturation, grayscale."""
    x = images.repeat_interleave(count, 0).float() / 255
    n = len(x)
    area, ratio = torch.empty(n).uniform_(0.5, 1), torch.empty(n).uniform_(math.log(3 / 4), math.log(4 / 3)).exp()
    w, h = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    place = torch.zeros(n, 2, 3)
    place[:, 0, 0], place[:, 1, 1] = w * torch.where(torch.rand(n) < 0.5, -1.0, 1.0), h
    place[:, 0, 2], place[:, 1, 2] = (2 * torch.rand(n) - 1) * (1 - w), (2 * torch.rand(n) - 1) * (1 - h)
    x = F.grid_sample(x, F.affine_grid(place, x.shape, align_corners=False), align_corners=False, padding_mode="border")
    applied = (torch.rand(n, 1, 1, 1) < 0.8).float()
    factor = lambda: 1 + applied * 0.4 * (2 * torch.rand(n, 1, 1, 1) - 1)
    x = x * factor()
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * factor() + mean
    gray = x.mean(1, keepdim=True)
    x = (x - gray) * factor() + gray
    x = torch.where(torch.rand(n, 1, 1, 1) < 0.2, x.mean(1, keepdim=True), x)
    return ((x.clamp(0, 1) - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def train(network, images, seconds, batch=64, count=4):
    """SimCLR's loss, every view against all others of the batch. Returns the number of steps."""
    head = nn.Sequential(nn.Linear(getattr(network, "width", 512), 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128), nn.BatchNorm1d(128))
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=1e-3, weight_decay=0.01)
    owner = torch.arange(batch).repeat_interleave(count)
    itself = torch.eye(batch * count).bool()
    positive = (owner[:, None] == owner) & ~itself
    begun, steps = time.process_time(), 0
    while (done := (time.process_time() - begun) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1, done / 0.05 + 0.01) * (1 + math.cos(math.pi * done)) / 2
        embeddings = F.normalize(head(network(views(images[torch.randint(0, len(images), (batch,))], count))), dim=1)
        logits = (embeddings @ embeddings.T / 0.2).masked_fill(itself, -1e9)
        loss = -F.log_softmax(logits, dim=1)[positive].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    return steps


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    torch.manual_seed(a.seed)
    draw = numpy.random.default_rng(a.seed)
    (images, labels), (test, wanted) = read(a.train, a.each, draw), read(a.test, 25, draw)
    print(f"{len(images)} training images, {len(test)} test images")

    def show(name, network):
        x, z = features(network, images), features(network, test)
        print(f"{name:42} k-NN {knn(x, labels, z, wanted):5.1f}   linear {linear(x, labels, z, wanted):5.1f}", flush=True)

    show("raw pixels, 32 px", lambda x: F.avg_pool2d(x, 2).flatten(1))
    points, whitening = patches(images, 40_000)
    chosen = F.normalize(points[torch.randperm(len(points))[:FILTERS]], dim=1)
    learned = centers(points)
    networks = [
        ("ResNet-18, random", resnet18),
        ("one layer, random, stride 4", lambda: FirstLayer(None, 4)),
        ("one layer, patches, stride 4", lambda: FirstLayer(chosen @ whitening, 4)),
        ("one layer, k-means, stride 4", lambda: FirstLayer(learned @ whitening, 4)),
        ("one layer, k-means, stride 2", lambda: FirstLayer(learned @ whitening, 2)),
        ("one layer, random, 256 filters, 3x3 cells", lambda: FirstLayer(None, 4, 256, 3)),
        ("one layer, k-means, 256 filters, 3x3 cells", lambda: FirstLayer(centers(points, 256) @ whitening, 4, 256, 3)),
    ]
    for name, make in networks:
        network = make().to(memory_format=torch.channels_last)
        if isinstance(network, FirstLayer):
            measure_statistics(network, images)
        show(name, network.eval())
        if a.seconds and "patches" not in name:
            steps = train(network, images, a.seconds)
            measure_statistics(network, images)
            show(f"  after {steps} steps of contrastive training", network)


if __name__ == "__main__":
    main()
