"""The MoCo v2 and SimCLR recipes of lightly and solo-learn for small images, for as many minutes as given; then k-NN and a linear classifier.

    python peers.py RECIPE TRAIN TEST [--size 32] [--minutes 20] [--minutes-measured 1] [--seed 0]

RECIPE is one of lightly-moco, lightly-simclr, solo-moco, solo-simclr; TRAIN and TEST are folders of classes. Where the settings come from:

* lightly 1.6.0: examples/pytorch/moco.py and simclr.py, with its transforms, heads and losses (pip install lightly).
* solo-learn (commit 9187ea3): scripts/pretrain/cifar/mocov2plus.yaml and simclr.yaml with the augmentations they name and its stem for CIFAR. Its released package
  (1.0.2) needs torch 1.9.1, so they are written in plain PyTorch here. Its warm-up of 10 of 1,000 epochs is 1 % of the steps.

The recipes' numbers of epochs are for GPUs. Here the speed is measured for --minutes-measured, and the run has as many steps as --minutes have at that speed, so that
schedules end and other work on the machine changes nothing but the measurement of the speed. Data loading has one worker process per core; tensors are channels_last.
Measured are k-NN (cosine, half of a class's images but 5 to 200 neighbors, weights exp(s / 0.1): Mochi's protocol knn/2) and a linear classifier (L-BFGS on standardized features). Needs torch, torchvision, numpy, Pillow and lightly.
ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 in the environment limit torch to AVX2.
"""
import argparse
import copy
import math
import os
import time

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision import transforms as T

from first_layer import knn, linear

IMAGENET = T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
BATCH = 256


def cosine(done, start, end):
    return end - (end - start) * (1 + math.cos(math.pi * done)) / 2


def resnet18(cifar=False):
    network = torchvision.models.resnet18()
    network.fc = nn.Identity()
    if cifar:
        network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, 1, 2, bias=False), nn.Identity()
    return network


@torch.no_grad()
def move(average, network, momentum):
    for a, b in zip(average.parameters(), network.parameters()):
        a.mul_(momentum).add_(b, alpha=1 - momentum)


class LightlyMoco:
    def __init__(self, size):
        from lightly.loss import NTXentLoss
        from lightly.models.modules import MoCoProjectionHead
        from lightly.transforms.moco_transform import MoCoV2Transform
        self.transform = MoCoV2Transform(input_size=size)
        self.backbone = resnet18()
        self.network = nn.Sequential(self.backbone, MoCoProjectionHead(512, 512, 128))
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.loss = NTXentLoss(memory_bank_size=(4096, 128))
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.06)

    def step(self, one, two, done):
        move(self.average, self.network, cosine(done, 0.996, 1))
        query = self.network(one)
        with torch.no_grad():
            key = self.average(two)
        return self.loss(query, key)


class LightlySimclr:
    def __init__(self, size):
        from lightly.loss import NTXentLoss
        from lightly.models.modules import SimCLRProjectionHead
        from lightly.transforms.simclr_transform import SimCLRTransform
        self.transform = SimCLRTransform(input_size=size, gaussian_blur=0.0)
        self.backbone = resnet18()
        self.network = nn.Sequential(self.backbone, SimCLRProjectionHead(512, 512, 128))
        self.loss = NTXentLoss()
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.06)

    def step(self, one, two, done):
        return self.loss(self.network(one), self.network(two))


class Lars(torch.optim.SGD):
    """You, Gitman, Ginsburg, 2017, with eta 0.02, the ratio limited to 1, and no decay of biases and norms."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, lr=lr, momentum=0.9)

    @torch.no_grad()
    def step(self, closure=None):
        group, decay = self.param_groups[0], 1e-4
        for p in group["params"]:
            if p.ndim > 1:
                p.grad.add_(p, alpha=decay)
                ratio = 0.02 * p.norm() / ((p.grad - decay * p).norm() + decay * p.norm() + 1e-8)
                p.grad.mul_((ratio / group["lr"]).clamp(max=1) if group["lr"] else 0)
        return super().step(closure)


class SoloTransform:
    def __init__(self, size, scale, jitter):
        self.one = T.Compose([
            T.RandomResizedCrop(size, (scale, 1.0), interpolation=T.InterpolationMode.BICUBIC),
            T.RandomApply([T.ColorJitter(*jitter)], 0.8),
            T.RandomGrayscale(0.2),
            T.RandomApply([lambda image: image.filter(blur())], 0.5),
            T.RandomHorizontalFlip(),
            T.ToTensor(),
            IMAGENET,
        ])

    def __call__(self, image):
        return [self.one(image), self.one(image)]


def blur():
    from PIL import ImageFilter
    return ImageFilter.GaussianBlur(float(torch.empty(()).uniform_(0.1, 2)))


class SoloMoco:
    def __init__(self, size):
        self.transform = SoloTransform(size, 0.08, (0.4, 0.4, 0.4, 0.1))
        self.backbone = resnet18(cifar=True)
        self.network = nn.Sequential(self.backbone, nn.Linear(512, 2048), nn.ReLU(), nn.Linear(2048, 256))
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.queue, self.at = F.normalize(torch.randn(2, 256, 32768), dim=1), 0
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.3, momentum=0.9, weight_decay=1e-4)
        self.warm_up = True

    def step(self, one, two, done):
        move(self.average, self.network, cosine(done, 0.99, 0.999))
        queries = [F.normalize(self.network(x), dim=1) for x in (one, two)]
        with torch.no_grad():
            keys = [F.normalize(self.average(x), dim=1) for x in (one, two)]
        loss = 0
        for query, key, queue in [(queries[0], keys[1], self.queue[1]), (queries[1], keys[0], self.queue[0])]:
            logits = torch.cat([(query * key).sum(1, keepdim=True), query @ queue.clone()], 1) / 0.2
            loss = loss + F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long)) / 2
        self.queue[:, :, self.at:self.at + len(one)] = torch.stack(keys).transpose(1, 2)
        self.at = (self.at + len(one)) % self.queue.shape[2]
        return loss


class SoloSimclr:
    def __init__(self, size):
        self.transform = SoloTransform(size, 0.08, (0.8, 0.8, 0.8, 0.2))
        self.backbone = resnet18(cifar=True)
        self.network = nn.Sequential(self.backbone, nn.Linear(512, 2048), nn.ReLU(), nn.Linear(2048, 256))
        self.optimizer = Lars(self.network.parameters(), lr=0.4)
        self.warm_up = True

    def step(self, one, two, done):
        z = F.normalize(torch.cat([self.network(one), self.network(two)]), dim=1)
        logits = (z @ z.T / 0.2).fill_diagonal_(-1e9)
        return F.cross_entropy(logits, torch.arange(len(z)).roll(len(one)))


RECIPES = {"lightly-moco": LightlyMoco, "lightly-simclr": LightlySimclr, "solo-moco": SoloMoco, "solo-simclr": SoloSimclr}


def batches(recipe, folder):
    data = torchvision.datasets.ImageFolder(folder, recipe.transform)
    loader = torch.utils.data.DataLoader(
        data, BATCH, shuffle=True, drop_last=True, num_workers=os.cpu_count(), persistent_workers=True,
        multiprocessing_context="fork",
    )
    while True:
        yield from (views for views, _ in loader)


def train(recipe, folder, minutes, steps=None):
    """Trains for `steps`; without them for `minutes`, and at least 6 steps, and returns the steps of a minute."""
    for network in (recipe.network, getattr(recipe, "average", recipe.network)):
        network.train().to(memory_format=torch.channels_last)
    rate, start, begun, number = recipe.optimizer.param_groups[0]["lr"], time.monotonic(), None, 0
    for views in batches(recipe, folder):
        one, two = (view.contiguous(memory_format=torch.channels_last) for view in views)
        done = number / (steps or 1e9)
        if getattr(recipe, "warm_up", False):
            # lightly's examples keep the rate.
            recipe.optimizer.param_groups[0]["lr"] = rate * min(1, done / 0.01 + 1e-4) * (1 + math.cos(math.pi * done)) / 2
        loss = recipe.step(one, two, done)
        recipe.optimizer.zero_grad()
        loss.backward()
        recipe.optimizer.step()
        number += 1
        if begun is None and (number == 10 or time.monotonic() - start > 20):
            # The first steps also start the workers.
            begun, first = time.monotonic(), number
        if steps == number:
            print(f"last loss {loss.item():.3f}", flush=True)
            return None
        if steps is None and begun and number >= first + 6 and (minutes_taken := (time.monotonic() - begun) / 60) >= minutes:
            return (number - first) / minutes_taken


@torch.no_grad()
def features(network, folder, size):
    transform = T.Compose([T.Resize(size), T.CenterCrop(size), T.ToTensor(), IMAGENET])
    data = torchvision.datasets.ImageFolder(folder, transform)
    found, labels = zip(*((network(x), y) for x, y in torch.utils.data.DataLoader(data, 250, num_workers=2)))
    return torch.cat(found), torch.cat(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--minutes-measured", type=float, default=1)
    parser.add_argument("--steps", type=int, help="instead of a measurement of the speed; 0 measures only")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    torch.manual_seed(a.seed)
    steps = a.steps
    if not steps:
        each = train(RECIPES[a.recipe](a.size), a.train, a.minutes_measured)
        steps = max(1, round(each * a.minutes))
        print(f"{a.recipe} at {a.size} px: {each * BATCH / 60:.0f} images a second, {steps} steps in {a.minutes:g} minutes", flush=True)
        if a.steps == 0:
            return
    recipe = RECIPES[a.recipe](a.size)
    network = recipe.backbone
    train(recipe, a.train, a.minutes, steps)
    network.eval()
    found, test = features(network, a.train, a.size), features(network, a.test, a.size)
    print(f"{a.recipe} at {a.size} px, {steps} steps: k-NN {knn(*found, *test):.1f}, linear {linear(*found, *test):.1f}", flush=True)


if __name__ == "__main__":
    main()
