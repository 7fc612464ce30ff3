"""COCO's average precision by pycocotools on a generated case of the size of COCO's val2017, and the case itself.

    python coco_ap.py make FOLDER [--images N]       writes gt.json, box.json and mask.json, unless they are there
    python coco_ap.py time FOLDER --type box|mask    prints the seconds and the twelve numbers as JSON

5,000 images of 640 x 480, 36,781 objects of 80 classes with polygons (1 of 100 is a crowd with run lengths), 100 detections per image. The sizes of
objects are log-normal, so that 4 of 10 are small. Timed is everything from the files to the numbers, without Python's start.
"""

import argparse
import contextlib
import io
import json
import time
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

WIDTH, HEIGHT = 640, 480
NAMES = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]


def outline(rng, box, points):
    """An irregular ellipse in a box, as a polygon."""
    x, y, w, h = box
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = 1 - 0.25 * rng.random(points)
    xs = np.clip(x + w / 2 * (1 + radius * np.cos(angle)), 0, WIDTH)
    ys = np.clip(y + h / 2 * (1 + radius * np.sin(angle)), 0, HEIGHT)
    return np.stack([xs, ys], 1).ravel().round(2).tolist()


def inside(x, y, w, h):
    x, y = np.clip(x, 0, WIDTH - 4), np.clip(y, 0, HEIGHT - 4)
    w, h = np.clip(w, 3, WIDTH - x), np.clip(h, 3, HEIGHT - y)
    return [round(float(v), 2) for v in (x, y, w, h)]


def random_box(rng):
    side, ratio = np.exp(rng.normal(3.8, 1.0)), np.exp(rng.normal(0, 0.4))
    return inside(rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), side * ratio, side / ratio)


def make(folder, images):
    if (folder / "mask.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(17)
    objects = 36781 * images // 5000
    share = 1 / np.arange(1, 81) ** 0.8
    classes = rng.choice(80, objects, p=share / share.sum())
    homes = rng.integers(0, images, objects)
    by_image = [[] for _ in range(images)]
    annotations = []
    for i in range(objects):
        box, crowd = random_box(rng), int(rng.random() < 0.01)
        polygon = outline(rng, box, int(rng.integers(12, 40)))
        runs = mask_utils.frPyObjects([polygon], HEIGHT, WIDTH)[0]
        segmentation = [polygon]
        if crowd:
            pixels = np.flatnonzero(np.diff(np.r_[0, mask_utils.decode(runs).ravel(order="F"), 0]))
            ends = np.r_[0, pixels, WIDTH * HEIGHT]
            segmentation = {"size": [HEIGHT, WIDTH], "counts": np.diff(ends).tolist()}
        by_image[homes[i]].append((box, int(classes[i])))
        annotations.append({
            "id": i + 1, "image_id": int(homes[i]) + 1, "category_id": int(classes[i]) + 1, "bbox": box,
            "area": float(mask_utils.area(runs)), "iscrowd": crowd, "segmentation": segmentation,
        })
    boxes, masks = [], []
    for image in range(images):
        found = []
        for (x, y, w, h), kind in by_image[image]:
            for _ in range(rng.integers(1, 5)):
                shift = rng.normal(0, 0.08, 4) * [w, h, w, h]
                moved = inside(x + shift[0], y + shift[1], w + shift[2], h + shift[3])
                wrong = rng.random() < 0.2
                found.append((moved, int(rng.integers(0, 80)) if wrong else kind, float(rng.beta(4, 2))))
        while len(found) < 100:
            found.append((random_box(rng), int(rng.choice(80, p=share / share.sum())), float(rng.beta(1, 6))))
        for box, kind, score in found[:100]:
            one = {"image_id": image + 1, "category_id": kind + 1, "score": score}
            runs = mask_utils.frPyObjects([outline(rng, box, 24)], HEIGHT, WIDTH)[0]
            boxes.append({**one, "bbox": box})
            masks.append({**one, "segmentation": {"size": [HEIGHT, WIDTH], "counts": runs["counts"].decode()}})
    truth = {
        "images": [{"id": i + 1, "width": WIDTH, "height": HEIGHT, "file_name": f"{i + 1}.jpg"} for i in range(images)],
        "categories": [{"id": i + 1, "name": f"class {i + 1}"} for i in range(80)],
        "annotations": annotations,
    }
    for name, content in (("gt", truth), ("box", boxes), ("mask", masks)):
        (folder / f"{name}.part").write_text(json.dumps(content))
        (folder / f"{name}.part").rename(folder / f"{name}.json")


def measure(folder, kind):
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "gt.json"))
        found = truth.loadRes(str(folder / f"{kind}.json"))
        read = time.perf_counter()
        evaluation = COCOeval(truth, found, {"box": "bbox", "mask": "segm"}[kind])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    end = time.perf_counter()
    numbers = dict(zip(NAMES, map(float, evaluation.stats)))
    print(json.dumps({"seconds": end - start, "read_seconds": read - start, "numbers": numbers}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["make", "time"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--type", choices=["box", "mask"], default="box")
    asked = parser.parse_args()
    if asked.verb == "make":
        make(asked.folder, asked.images)
    else:
        measure(asked.folder, asked.type)


if __name__ == "__main__":
    main()
