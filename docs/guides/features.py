"""Features of images by the encoder of a run, in PyTorch: a table (images, features) as a NumPy file, and the names of the images.

    python features.py RUN IMAGES OUT.npy

RUN is a run of `mochi pretrain` with a ResNet-18 to ResNet-101 or `patch-resnet`; IMAGES is a folder that is searched recursively. Needs torch, torchvision, numpy, Pillow and
safetensors, and Python 3.11. To build on the encoder, import `encoder` and `transform` from this file.
"""
import pathlib
import re
import sys
import tomllib

import numpy
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from torchvision import transforms as T
from torchvision.models.resnet import Bottleneck

CIFAR = ([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010])
NORMALIZATION = {
    "cifar": CIFAR,
    "supcon-cifar": CIFAR,
    "gray": ([0.286] * 3, [0.353] * 3),
}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


class PatchResNet(nn.Module):
    """The backbone of short runs: features (B, 2304)."""

    def __init__(self, stem):
        super().__init__()
        self.pool = nn.Identity() if stem == "cifar" else nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
        self.conv1, self.bn1 = nn.Conv2d(3, 256, 7, 4, 3, bias=False), nn.BatchNorm2d(256)
        self.layer1 = nn.Sequential(Bottleneck(256, 64), Bottleneck(256, 64))
        self.norm = nn.BatchNorm1d(2304, affine=False)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        return self.norm(F.adaptive_avg_pool2d(self.layer1(x), 3).flatten(1))


def resnet(name, stem):
    if name not in ("resnet18", "resnet34", "resnet50", "resnet101"):
        sys.exit(f"{name} is not a network of torchvision")
    network = getattr(torchvision.models, name)()
    network.fc = nn.Identity()
    if stem == "cifar":
        network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return network


def settings(run):
    return tomllib.loads((pathlib.Path(run) / "config.toml").read_text())


def encoder(run):
    """The backbone of the newest checkpoint: images (B, 3, S, S) to features (B, F)."""
    steps = {int(found[1]): folder for folder in (pathlib.Path(run) / "checkpoints").iterdir() if (found := re.fullmatch(r"step-(\d+)", folder.name))}
    newest = steps[max(steps)]
    weights = load_file(newest / "model.safetensors")
    model = settings(run)["model"]
    network = PatchResNet(model["stem"]) if model["arch"] == "patch-resnet" else resnet(model["arch"], model["stem"])
    # "fc" is the projection head and "key" the momentum encoder; both are for training only.
    network.load_state_dict({name: value for name, value in weights.items() if not name.startswith(("fc.", "key."))})
    return network.eval()


def transform(run):
    """From an image to a tensor (3, S, S), as in `mochi eval`."""
    data = settings(run)["data"]
    size = data["size"]
    resized = size if size <= 64 else round(size * 256 / 224)
    normalize = T.Normalize(*NORMALIZATION.get(data["augment"], IMAGENET))
    return T.Compose([T.Resize(resized), T.CenterCrop(size), T.ToTensor(), normalize])


@torch.no_grad()
def main(run, images, out):
    network, prepare = encoder(run), transform(run)
    names = sorted(path for path in pathlib.Path(images).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    if not names:
        sys.exit(f"no images in {images}")
    rows = []
    for start in range(0, len(names), 256):
        batch = [prepare(Image.open(name).convert("RGB")) for name in names[start:start + 256]]
        rows.append(network(torch.stack(batch)))
    table = torch.cat(rows).numpy()
    numpy.save(out, table)
    pathlib.Path(out).with_suffix(".txt").write_text("".join(f"{name}\n" for name in names))
    print(f"{len(names)} images, {table.shape[1]} features each: {out}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
