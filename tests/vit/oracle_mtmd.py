#!/usr/bin/env python3
"""Runs oracle_mtmd (oracle_mtmd.c) over the GGUF models: writes expect/mtmd-MODEL-PICTURE.safetensors.

usage: oracle_mtmd.py ORACLE_MTMD MODELS_DIR TEXT_MODELS_DIR [NAME ...]     (python3, numpy; not part of the test suite)

TEXT_MODELS_DIR holds tiny-llama.gguf and tiny-qwen2vl.gguf (width 64), which only give mtmd a vocabulary.
A file holds tokens f32 [N, E] (all views in mtmd's order), chunks i32 [n, 4] (0 text 1 image, tokens, positions, first
text token or -1), pixels u8 [views, h, w, 3] where small, and hidden.L f32 [views, rows, D] with
the class row brought to the front and Qwen2.5's windows undone (2x2 order), as in hf-*.
Metadata as in oracle_hf.py. tolerance: ggml's CPU GELU (F16 table) and, in quantised files, its quantised activations.
"""
import hashlib
import os
import subprocess
import sys
import tempfile

import numpy as np

import safetensors_io

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = {"mlp": ["square", "odd", "wide"], "mlp-anyres": ["square", "odd", "wide", "tall"],
            "mlp-noclass": ["square", "speck"], "mlp-norm": ["square"], "idefics3": ["square", "odd", "wide", "speck"],
            "internvl": ["square", "odd", "wide", "tall"], "internvl-qk-norm": ["square"],
            "gemma3": ["square112", "odd", "wide"], "qwen2vl": ["grid", "odd", "wide", "speck"],
            "qwen2.5vl": ["grid", "tall", "wide"], "qwen2.5vl-q8_0": ["grid"],
            "qwen3vl": ["square96", "grid16", "odd"]}
HIDDEN = {"mlp": 2, "internvl": 0, "idefics3": 0, "gemma3": 0, "qwen2vl": 0, "qwen2.5vl": 0, "qwen3vl": 0}
TOLERANCE = {"q8_0": "5e-2", "q4_0": "4e-2", "q4_k": "4e-2", "q5_k": "4e-2", "q6_k": "4e-2", "bf16": "2e-2"}


def rows_of(name, x, pixels):
    """llama.cpp's row order to the one that expect files have."""
    if name.startswith(("mlp", "internvl")) and name not in ("mlp-noclass", "mlp-norm"):
        return np.roll(x, 1, 1)
    if name.startswith("qwen2.5vl"):
        side, (h, w) = 112 // 14 // 2, (n // 28 for n in pixels.shape[1:3])
        cells = [y * w + x for wy in range(0, h, side) for wx in range(0, w, side)
                 for y in range(wy, min(wy + side, h)) for x in range(wx, min(wx + side, w))]
        rows = (np.argsort(cells)[:, None] * 4 + np.arange(4)).reshape(-1)
        return x[:, rows]
    return x


def main():
    exe, models, text, names = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    for file in sorted(os.listdir(models)):
        name = file[:-5]
        if not file.endswith(".gguf") or (names and name not in names):
            continue
        language = os.path.join(text, "tiny-qwen2vl.gguf" if name.startswith("qwen") else "tiny-llama.gguf")
        for i, picture in enumerate(PICTURES.get(name, ["square"])):
            nodes = ["layer_out-%d" % HIDDEN[name]] if name in HIDDEN and i == 0 else []
            with tempfile.TemporaryDirectory() as folder:
                out = os.path.join(folder, "out.safetensors")
                subprocess.run([exe, os.path.join(models, file), language,
                                os.path.join(HERE, "pictures", picture + ".png"), out, *nodes], check=True)
                _, t = safetensors_io.read(out)
            pixels = t["pixels"]
            meta = {"model": file, "picture": picture + ".png", "like": "llama", "llama.cpp": "b10256",
                    "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
                    "views": "%d of %dx%d" % (pixels.shape[0], pixels.shape[2], pixels.shape[1]),
                    "tolerance": TOLERANCE.get(name.rsplit("-", 1)[-1], "3e-3")}
            result = {k: t[k] for k in ("tokens", "chunks")}
            if pixels.nbytes <= 40000 and (name == "wide-f32" or not name.startswith("wide")):
                result["pixels"] = pixels
            for node in nodes:
                result["hidden.%d" % (int(node.split("-")[1]) + 1)] = rows_of(name, t["node." + node], pixels)
            path = os.path.join(HERE, "expect", "mtmd-%s-%s.safetensors" % (name, picture))
            safetensors_io.write(path, result, meta)
            print("%-40s %6d bytes  %s  tokens %s  chunks %s" % (os.path.basename(path), os.path.getsize(path), meta["views"],
                                                                 t["tokens"].shape, t["chunks"].tolist()))


if __name__ == "__main__":
    main()
