"""One training step, or one detection, of torchvision's detector, timed: the peer of `mochi bench detect`.

    python detection_step.py --arch resnet18 --batch 4 --height 256 --width 341 --regions 64 --mode tuned

as-shipped  NCHW.
tuned       channels_last, and SGD's update in one foreach call.

The model is torchvision's FasterRCNN (or MaskRCNN with --masks). c4: layer1 to layer3 of a ResNet as backbone, RoIAlign of 14x14 bins with adaptive
sampling, and layer4 as the head of the regions. fpn: a feature pyramid with a norm after each convolution and torchvision's heads. All norms are
trained. With --inference, masks are pasted into the images, and nothing is learned. Images are random, of one size and normalized, so no data loading, resizing
or padding is timed; its own transform is replaced by the identity. Prints one JSON line. Needs torch and torchvision.
"""
import argparse
import json
import resource
import statistics
import time

import torch
import torchvision
from torch import nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import MultiScaleRoIAlign

CLASSES = 3


class Given(nn.Module):
    """Images of one size as they are."""

    def __init__(self, layout):
        super().__init__()
        self.layout = layout

    def forward(self, images, targets=None):
        sizes = [tuple(image.shape[-2:]) for image in images]
        return ImageList(torch.stack(images).contiguous(memory_format=self.layout), sizes), targets

    def postprocess(self, result, image_shapes, original_image_sizes):
        for one, size in zip(result, original_image_sizes):
            if "masks" in one:
                one["masks"] = paste_masks_in_image(one["masks"], one["boxes"], size)
        return result


class Head(nn.Module):
    """layer4 and the mean over cells."""

    def __init__(self, layer, layout):
        super().__init__()
        self.layer, self.layout = layer, layout

    def forward(self, x):
        return self.layer(x.contiguous(memory_format=self.layout)).mean(dim=(2, 3))


class MaskHead(nn.Module):
    """layer4 once more, as torchvision has no head that boxes and masks share."""

    def __init__(self, layer, layout):
        super().__init__()
        self.layer, self.layout = layer, layout

    def forward(self, x):
        return self.layer(x.contiguous(memory_format=self.layout))


def detector(a, layout):
    net = getattr(torchvision.models, a.arch)()
    model = (pyramid if a.architecture == "fpn" else c4)(a, net, layout)
    model.transform = Given(layout)
    model = model.to(memory_format=layout)
    return model.eval() if a.inference else model.train()


def limits(a):
    """Limits of proposals and regions, the same in training and detection."""
    return dict(
        rpn_pre_nms_top_n_train=a.before_nms, rpn_post_nms_top_n_train=a.after_nms,
        rpn_pre_nms_top_n_test=a.before_nms, rpn_post_nms_top_n_test=a.after_nms, box_batch_size_per_image=a.regions,
    )


def pyramid(a, net, layout):
    body = _resnet_fpn_extractor(net, trainable_layers=5, norm_layer=nn.BatchNorm2d)
    anchors = AnchorGenerator(sizes=tuple((size,) for size in (32, 64, 128, 256, 512)), aspect_ratios=((0.5, 1.0, 2.0),) * 5)
    return (MaskRCNN if a.masks else FasterRCNN)(body, CLASSES + 1, rpn_anchor_generator=anchors, **limits(a))


def c4(a, net, layout):
    body = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3)
    channels = net.layer4[0].conv1.in_channels
    body.out_channels = channels
    features = net.fc.in_features
    pool = MultiScaleRoIAlign(featmap_names=["0"], output_size=14, sampling_ratio=0)
    options = dict(
        rpn_anchor_generator=AnchorGenerator(sizes=((32, 64, 128, 256, 512),), aspect_ratios=((0.5, 1.0, 2.0),)),
        box_roi_pool=pool, box_head=Head(net.layer4, layout), box_predictor=FastRCNNPredictor(features, CLASSES + 1),
        **limits(a),
    )
    if a.masks:
        predictor = nn.Sequential(nn.ConvTranspose2d(features, 256, 2, 2), nn.ReLU(), nn.Conv2d(256, CLASSES + 1, 1))
        options.update(mask_roi_pool=pool, mask_head=MaskHead(net.layer4, layout), mask_predictor=predictor)
    return (MaskRCNN if a.masks else FasterRCNN)(body, **options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=341)
    parser.add_argument("--regions", type=int, default=64)
    parser.add_argument("--before-nms", type=int, default=1000)
    parser.add_argument("--after-nms", type=int, default=300)
    parser.add_argument("--architecture", choices=["c4", "fpn"], default="c4")
    parser.add_argument("--masks", action="store_true")
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--mode", choices=["as-shipped", "tuned"], default="as-shipped")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    a = parser.parse_args()
    torch.manual_seed(0)
    tuned = a.mode == "tuned"
    layout = torch.channels_last if tuned else torch.contiguous_format
    model = detector(a, layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=1e-4, foreach=tuned)
    images = [torch.randn(3, a.height, a.width) for _ in range(a.batch)]
    boxes = torch.tensor([[0.06, 0.12, 0.35, 0.39], [0.44, 0.23, 0.73, 0.78], [0.03, 0.59, 0.18, 0.86]])
    boxes = boxes * torch.tensor([a.width, a.height, a.width, a.height])
    masks = torch.zeros(3, a.height, a.width, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.int().tolist()):
        mask[y0:y1, x0:x1] = 1
    target = {"boxes": boxes, "labels": torch.tensor([1, 2, 3])}
    if a.masks:
        target["masks"] = masks

    def step():
        if a.inference:
            with torch.inference_mode():
                model(images)
            return
        losses = model(images, [target] * a.batch)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()

    times = []
    for number in range(a.warmup + a.steps):
        start = time.perf_counter()
        step()
        if number >= a.warmup:
            times.append(time.perf_counter() - start)
    median = statistics.median(times)
    print(json.dumps({
        "mode": a.mode, "arch": a.arch, "batch": a.batch, "threads": torch.get_num_threads(), "torch": torch.__version__,
        "median_s": median, "min_s": min(times), "max_s": max(times), "images_per_s": a.batch / median,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


if __name__ == "__main__":
    main()
