#!/usr/bin/env python3
"""Writes preprocess/cases.def: what the references make of pictures, as hashes of all bytes.

usage: make_preprocess.py [MODE ...] > preprocess/cases.def     (not part of the test suite)

Needs Pillow, numpy and transformers 4.57 (its "slow" image processors; no torch). Where llama.cpp
is the reference, its sizes are worked out here in numpy's float32 and Pillow resizes: llama.cpp v0.5.0
resizes as Pillow does. "old_": llama.cpp b10256, which resized in floats, also worked out here.

Pictures are made from integers, the same in test_preprocess.c. A hash is FNV-1a 64 over, for each
view: width and height as 4 bytes each, little end first, then its bytes.
"""
import math
import sys

import numpy as np
from PIL import Image

PICTURES = [(1, 1), (1, 7), (333, 217), (640, 480), (37, 1024), (500, 100), (224, 224)]
MASK = (1 << 64) - 1


def picture(width, height):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    h = (x * 374761393 + y * 668265263 + c * 2246822519) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h ^= h >> 16
    gradient = (x * 3 + y * 5 + c * 40) & 255
    return Image.fromarray(((gradient * 3 + (h & 255)) >> 2).astype(np.uint8), "RGB")


def fnv(views):
    value = 0xCBF29CE484222325
    for view in views:
        head = b"".join(int(n).to_bytes(4, "little") for n in (view.shape[1], view.shape[0]))
        for byte in head + view.tobytes():
            value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def resized(image, size, filter_):
    if image.size == tuple(size):
        return image
    return filter_(image, size) if callable(filter_) else image.resize(tuple(size), filter_)


def tiles_of(image, side):
    a = np.asarray(image)
    return [a[y:y + side, x:x + side]
            for y in range(0, a.shape[0], side) for x in range(0, a.shape[1], side)]


# --- transformers --------------------------------------------------------------------------------

def processed(name, image, settings, **call):
    import transformers
    processor = getattr(transformers, name)(**settings)
    out = processor.preprocess(image, do_rescale=False, do_normalize=False,
                               input_data_format="channels_last", **call)
    values = out["pixel_values"]
    views = []
    for value in values:
        value = np.asarray(value)
        views += list(value) if value.ndim == 4 else [value]
    return [np.ascontiguousarray(v.transpose(1, 2, 0)).astype(np.uint8) for v in views]


def clip(image, edge, crop):
    return processed("CLIPImageProcessor", image, {
        "size": {"shortest_edge": edge}, "crop_size": {"height": crop[1], "width": crop[0]}})


def bit(image):
    return processed("BitImageProcessor", image, {
        "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}})


def siglip(image, side):
    return processed("SiglipImageProcessor", image, {"size": {"height": side, "width": side}})


def gemma3(image):
    return processed("Gemma3ImageProcessor", image, {"size": {"height": 224, "width": 224}})


def llava_pad(image):
    side = max(image.size)
    square = Image.new("RGB", (side, side), (122, 116, 104))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return clip(square, 336, (336, 336))


def qwen2vl(image, most=1003520):
    from transformers.image_transforms import resize
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize
    height, width = smart_resize(image.height, image.width, 28, 3136, most)
    return [resize(np.asarray(image), (height, width), Image.BICUBIC,
                   input_data_format="channels_last")]


def llava_next(image):
    grids = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
    return processed("LlavaNextImageProcessor", image, {
        "size": {"shortest_edge": 336}, "image_grid_pinpoints": grids,
        "crop_size": {"height": 336, "width": 336}})


def internvl(image, least=1, most=12):
    return processed("GotOcr2ImageProcessor", image, {"size": {"height": 224, "width": 224}},
                     crop_to_patches=True, min_patches=least, max_patches=most)


def idefics3(image, edge, tile, split=True):
    return processed("Idefics3ImageProcessor", image, {
        "size": {"longest_edge": edge}, "do_image_splitting": split,
        "max_image_size": {"longest_edge": tile}})


# --- llama.cpp v0.5.0 ----------------------------------------------------------------------------

F = np.float32


def inside(image, size, filter_, colour):
    if image.size == tuple(size):
        return image
    scale = min(F(size[0]) / F(image.width), F(size[1]) / F(image.height))
    kept = [min(int(np.ceil(F(own) * scale)), most) for own, most in zip(image.size, size)]
    out = Image.new("RGB", tuple(size), colour)
    out.paste(resized(image, kept, filter_), ((size[0] - kept[0]) // 2, (size[1] - kept[1]) // 2))
    return out


def llama_pad(image, side, filter_, colour):
    return [np.asarray(inside(image, (side, side), filter_, colour))]


def llama_dynamic(image, by, least, most):
    def half_up(x):
        return int(math.floor(float(F(x) / F(by)) + 0.5)) * by

    width, height = image.size
    w, h = max(by, half_up(width)), max(by, half_up(height))
    if w * h > most:
        beta = np.sqrt(F(height) * F(width) / F(most))
        h = max(by, int(np.floor(F(height) / beta / F(by))) * by)
        w = max(by, int(np.floor(F(width) / beta / F(by))) * by)
    elif w * h < least:
        beta = np.sqrt(F(least) / (F(height) * F(width)))
        h = int(np.ceil(F(height) * beta / F(by))) * by
        w = int(np.ceil(F(width) * beta / F(by))) * by
    return [np.asarray(inside(image, (w, h), Image.BICUBIC, (0, 0, 0)))]


def best_grid(image, grids):
    best = (-1, 0)
    for grid in grids:
        scale = min(F(grid[0]) / F(image.width), F(grid[1]) / F(image.height))
        kept = int(F(image.width) * scale) * int(F(image.height) * scale)
        kept = min(kept, image.width * image.height)
        if (kept, kept - grid[0] * grid[1]) > best:
            best, chosen = (kept, kept - grid[0] * grid[1]), grid
    return chosen


def llama_tiled(image, side, grids, filter_=Image.BICUBIC, overview_filter=Image.BICUBIC):
    overview = [np.asarray(resized(image, (side, side), overview_filter))]
    if image.width <= side and image.height <= side:
        return overview
    return tiles_of(inside(image, best_grid(image, grids), filter_, (0, 0, 0)), side) + overview


INTERNVL_GRIDS = [(224 * a, 224 * b) for a in range(1, 13) for b in range(1, 12 // a + 1)]
NEXT_GRIDS = [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)]


def llama_idefics3(image, edge, side):
    aspect = image.width / image.height
    if image.width >= image.height:
        size = [edge, int(edge / aspect)]
        size[1] += size[1] % 2
    else:
        size = [int(edge * aspect), edge]
        size[0] += size[0] % 2
    whole = [-(-n // side) * side for n in size]
    image = resized(resized(image, size, Image.LANCZOS), whole, Image.LANCZOS)
    return tiles_of(image, side) + [np.asarray(resized(image, (side, side), Image.LANCZOS))]


# --- llama.cpp b10256: resizes in float32 --------------------------------------------------------

def pixels(image, x, y):
    """[len(y), len(x), 3]; outside the picture, the nearest pixel inside."""
    a = np.asarray(image)
    return a[np.clip(y, 0, a.shape[0] - 1)][:, np.clip(x, 0, a.shape[1] - 1)].astype(F)


def float_bilinear(image, size):
    ratio = [F(n - 1) / F(to - 1) if to > 1 else F(0) for n, to in zip(image.size, size)]
    at = [np.arange(to).astype(F) * r for r, to in zip(ratio, size)]
    low = [np.minimum(a.astype(np.int64), n - 1) for a, n in zip(at, image.size)]
    tx, ty = [(a - b.astype(F)).astype(F) for a, b in zip(at, low)]
    tx, ty = tx[None, :, None], ty[:, None, None]
    rows = []
    for y in (low[1], low[1] + 1):
        left, right = pixels(image, low[0], y), pixels(image, low[0] + 1, y)
        rows.append(left + (right - left) * tx)
    return Image.fromarray((rows[0] + (rows[1] - rows[0]) * ty).astype(np.uint8))


def float_bicubic(image, size):
    at = [F(n) / F(to) * np.arange(to).astype(F) for n, to in zip(image.size, size)]
    low = [a.astype(np.int64) for a in at]
    tx, ty = [(a - b.astype(F)).astype(F) for a, b in zip(at, low)]

    def cubic(p, t):
        d0, d2, d3 = [(p[i] - p[1]).astype(np.float64) for i in (0, 2, 3)]
        a1 = (-1.0 / 3 * d0 + d2 - 1.0 / 6 * d3).astype(F)
        a2 = (0.5 * d0 + 0.5 * d2).astype(F)
        a3 = (-1.0 / 6 * d0 - 0.5 * d2 + 1.0 / 6 * d3).astype(F)
        return p[1] + a1 * t + a2 * t * t + a3 * t * t * t

    rows = [cubic([pixels(image, low[0] - 1 + i, low[1] - 1 + j) for i in range(4)],
                  tx[None, :, None]) for j in range(4)]
    v = cubic(rows, ty[:, None, None])
    v = np.sign(v) * np.floor(np.abs(v) + F(0.5))
    return Image.fromarray(np.clip(v, 0, 255).astype(np.uint8))


def old_idefics3(image, edge, side):
    scale = min(F(edge) / F(image.width), F(edge) / F(image.height))
    size = [int(np.ceil(F(n) * scale / F(side))) * side for n in image.size]
    overview = np.asarray(resized(image, (side, side), float_bilinear))
    return tiles_of(inside(image, size, float_bicubic, (0, 0, 0)), side) + [overview]


MODES = {
    "clip_224": lambda i: clip(i, 224, (224, 224)),
    "clip_small_crop": lambda i: clip(i, 100, (61, 80)),
    "clip_large_crop": lambda i: clip(i, 50, (161, 84)),
    "dinov2": bit,
    "siglip_224": lambda i: siglip(i, 224),
    "siglip_384_patch_14": lambda i: [v[:378, :378] for v in siglip(i, 384)],
    "nearest": lambda i: [np.asarray(i.resize((101, 75), Image.NEAREST))],
    "lanczos": lambda i: [np.asarray(i.resize((101, 75), Image.LANCZOS))],
    "gemma3": gemma3,
    "llava_pad": llava_pad,
    "qwen2vl": qwen2vl,
    "qwen2vl_few": lambda i: qwen2vl(i, 50176),
    "llava_next": llava_next,
    "internvl": internvl,
    "internvl_3_to_4": lambda i: internvl(i, 3, 4),
    "idefics3": lambda i: idefics3(i, 560, 140),
    "smolvlm": lambda i: idefics3(i, 512, 224),
    "idefics3_large": lambda i: idefics3(i, 4300, 512),
    "idefics3_whole": lambda i: idefics3(i, 560, 140, False),
    "llama_mlp": lambda i: llama_pad(i, 336, Image.BICUBIC, (122, 116, 104)),
    "llama_gemma3": lambda i: llama_pad(i, 224, Image.BILINEAR, (0, 0, 0)),
    "llama_qwen": lambda i: llama_dynamic(i, 28, 8 * 784, 4096 * 784),
    "llama_qwen_few": lambda i: llama_dynamic(i, 32, 8 * 1024, 40 * 1024),
    "llama_anyres": lambda i: llama_tiled(i, 336, NEXT_GRIDS),
    "llama_internvl": lambda i: llama_tiled(i, 224, INTERNVL_GRIDS),
    "llama_idefics3": lambda i: llama_idefics3(i, 560, 140),
    "old_mlp": lambda i: llama_pad(i, 336, float_bicubic, (122, 116, 104)),
    "old_gemma3": lambda i: llama_pad(i, 224, float_bilinear, (0, 0, 0)),
    "old_anyres": lambda i: llama_tiled(i, 336, NEXT_GRIDS, float_bicubic, float_bilinear),
    "old_idefics3": lambda i: old_idefics3(i, 560, 140),
}


def main():
    for mode in sys.argv[1:] or MODES:
        for width, height in PICTURES:
            if mode == "idefics3_large" and (width, height) != (37, 1024):
                continue  # tens of megabytes
            try:
                views = MODES[mode](picture(width, height))
            except (ValueError, ZeroDivisionError) as e:
                print("%s %dx%d: %s" % (mode, width, height, e), file=sys.stderr)
                continue
            print("CASE(%s, %d, %d, %d, 0x%016xu)" % (mode, width, height, len(views), fnv(views)))


if __name__ == "__main__":
    main()
