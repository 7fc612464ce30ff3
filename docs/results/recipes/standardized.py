"""k-NN of a trained patch-resnet with its features as they are, with the running statistics of its last norm, and standardized over the training images.

    python standardized.py MODEL TRAIN TEST [--size 64]

MODEL is the model.safetensors of a checkpoint; TRAIN and TEST are folders of classes. A finished run has measured statistics in place of running ones: take an earlier
checkpoint to see those of training. Needs torch, torchvision, numpy, Pillow and safetensors.
"""
import argparse

import numpy
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import Bottleneck

import first_layer
from first_layer import knn, normalized, read


class PatchResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 256, 7, 4, 3, bias=False), nn.BatchNorm2d(256)
        self.layer1 = nn.Sequential(Bottleneck(256, 64), Bottleneck(256, 64))
        self.norm = nn.BatchNorm1d(2304, affine=False)

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.bn1(self.conv1(x))), 2, ceil_mode=True, count_include_pad=False)
        return self.layer1(x)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--size", type=int, default=64)
    a = parser.parse_args()
    first_layer.SIDE = a.size
    network = PatchResNet().eval()
    network.load_state_dict({name: value for name, value in load_file(a.model).items() if not name.startswith("fc.")})
    draw = numpy.random.default_rng(0)
    sets = [read(folder, None, draw) for folder in (a.train, a.test)]
    maps = [torch.cat([network(normalized(part)) for part in images.split(250)]) for images, _ in sets]
    labels, wanted = sets[0][1], sets[1][1]
    for cells in (3, 4):
        x, z = (F.adaptive_avg_pool2d(of, cells).flatten(1) for of in maps)
        mean, deviation = x.mean(0), x.std(0) + 1e-3
        scores = {"not standardized": (x, z)}
        if cells == 3:
            scores["statistics of the checkpoint"] = (network.norm(x), network.norm(z))
        scores["statistics of the training images"] = ((x - mean) / deviation, (z - mean) / deviation)
        for name, (train, test) in scores.items():
            print(f"{cells}x{cells} cells, {name}: k-NN {knn(train, labels, test, wanted):.1f}", flush=True)


if __name__ == "__main__":
    main()
