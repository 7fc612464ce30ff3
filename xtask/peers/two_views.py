"""Decode and two MoCo-v2 views of each JPEG in a folder on one core, timed: the peers of `mochi bench data`.

    python two_views.py FOLDER --size 224 --limit 400 --repeat 3 [--dali]

torchvision+Pillow   the augmentation of facebookresearch/moco's main_moco.py --aug-plus, to normalised float32
DALI CPU             the same in NVIDIA DALI's CPU operators, with --dali; its jitter, blur and crop are its own, not Pillow's

Files are read before the clock starts (DALI reads its own, from the page cache). The best of the repeats counts. Prints one JSON line a
pipeline. Needs torchvision and pillow, and nvidia-dali for --dali.
"""
import argparse
import io
import json
import os
import random
import time
from pathlib import Path

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def best_rate(run, images, repeat):
    """Images a second of the fastest of `repeat` runs."""
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return images / min(seconds)


def torchvision_on_pillow(files, size, repeat):
    import torch
    from PIL import Image, ImageFilter
    from torchvision import transforms as T

    torch.set_num_threads(1)
    blur = T.Lambda(lambda im: im.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2.0))))
    view = T.Compose([
        T.RandomResizedCrop(size, scale=(0.2, 1.0)),
        T.RandomApply([T.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
        T.RandomGrayscale(p=0.2),
        T.RandomApply([blur], p=0.5),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        T.Normalize(MEAN, STD),
    ])
    encoded = [path.read_bytes() for path in files]

    def run():
        for one in encoded:
            image = Image.open(io.BytesIO(one)).convert("RGB")
            view(image), view(image)

    return best_rate(run, len(files), repeat)


def dali_on_cpu(files, size, repeat):
    from nvidia.dali import fn, pipeline_def, types

    batch = min(50, len(files))

    def uniform(low, high):
        return fn.random.uniform(range=[low, high])

    def happens(p):
        return fn.cast(fn.random.coin_flip(probability=p), dtype=types.FLOAT)

    def view(encoded):
        image = fn.decoders.image_random_crop(encoded, device="cpu", output_type=types.RGB, random_area=[0.2, 1.0])
        image = fn.resize(image, size=[size, size])
        jitter = happens(0.8)
        factors = {name: 1 + jitter * uniform(-0.4, 0.4) for name in ("brightness", "contrast", "saturation")}
        image = fn.color_twist(image, hue=jitter * uniform(-36.0, 36.0), **factors)
        image = fn.gaussian_blur(image, sigma=0.01 + happens(0.5) * uniform(0.1, 2.0))
        return fn.crop_mirror_normalize(image, dtype=types.FLOAT, mirror=fn.random.coin_flip(),
                                        mean=[255 * m for m in MEAN], std=[255 * s for s in STD])

    @pipeline_def(batch_size=batch, num_threads=1, device_id=None)
    def two_views():
        encoded, _ = fn.readers.file(files=[str(path) for path in files], random_shuffle=True)
        return view(encoded), view(encoded)

    pipeline = two_views()
    pipeline.build()
    pipeline.run()
    batches = max(1, len(files) // batch)

    def run():
        for _ in range(batches):
            pipeline.run()

    return best_rate(run, batches * batch, repeat)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dali", action="store_true")
    asked = parser.parse_args()
    files = sorted(path for path in asked.folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})[: asked.limit]
    if not files:
        raise SystemExit(f"no JPEG files under {asked.folder}")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pipelines = [("torchvision+Pillow", torchvision_on_pillow)] + [("DALI CPU", dali_on_cpu)] * asked.dali
    for name, measure in pipelines:
        rate = measure(files, asked.size, asked.repeat)
        print(json.dumps({"pipeline": name, "images_per_s": rate, "images": len(files), "size": asked.size}), flush=True)


if __name__ == "__main__":
    main()
