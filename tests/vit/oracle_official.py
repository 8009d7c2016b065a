#!/usr/bin/env python3
"""What the authors' own code makes of merging inside a ViT: writes expect/official-METHOD-MODEL-PICTURE.safetensors.
Not part of the test suite.

usage: oracle_official.py MODELS_DIR TOME_MERGE_PY FICOCO_V_PY     (the venv of oracle_hf.py)

TOME_MERGE_PY: tome/merge.py of facebookresearch/ToMe (af95e4b1); FICOCO_V_PY: llava/model/multimodal_encoder/FiCoCo_V.py of
kawhiiiileo/FiCoCo (8995e93b). The encoder around them is the plain one below, checked against transformers' with nothing
merged (1e-5). Merging sits where both put it: after the attention's residual, before the second norm.

ToMe: metric = mean over heads of the keys (with bias); proportional attention (log of sizes added to the logits); class
token protected where there is one; r rows less in every layer. Files: tokens f32 [1, N, D] (after the last norm as
last_hidden_state has it, no class row), cls, sizes f32 [1, rows], and per layer l: into.l i32 [rows before] (the row after
it that each went to), order.l i32 [rows after] (the row before it that each continues), source i32 [first rows] (the final
row of each). Rows count the class row, which stays row 0. r in the metadata.

FiCoCo-V: official behaviour, a fresh process for each file (its scores are a global that is never reset). S = mean over heads
of scaled q k^T before softmax; r rows less in each of the layers named. tokens f32 [1, rows, D]: all rows of the last layer's
output, in the order that the official code leaves them (the class row is not the first any more); per layer: remain.l and
merge.l i32 (rows before), targets.l i32 [r, K], weights.l f32 [r, K]. smallest_gap (both): the smallest difference of two
scores on which a choice hangs; FiCoCo sorts all rows, so it is near 3e-7 at best: rows that differ by less may trade places.
"""
import math
import os
import subprocess
import sys
import types

import numpy as np
import torch
from torch import nn

import oracle_hf
import safetensors_io

HERE = oracle_hf.HERE


def load(path):
    """The functions of a file, without its imports of transformers (names that moved since)."""
    text = "".join(line for line in open(path) if not line.startswith("from transformers"))
    module = types.ModuleType("official")
    exec(compile(text, path, "exec"), module.__dict__)
    return module


class Vit:
    """CLIP, SigLIP or DINOv2 of transformers, layer by layer, with a hook between attention and MLP."""

    def __init__(self, path):
        self.model = oracle_hf.load_folder(path)
        c = self.model.config
        self.kind, self.heads = c.model_type, c.num_attention_heads
        self.vision = getattr(self.model, "vision_model", self.model)
        self.layers = oracle_hf.layers_of(self.model)
        self.dino = self.kind.startswith("dino")

    def start(self, pixels):
        x = self.vision.embeddings(pixels)
        return self.vision.pre_layrnorm(x) if self.kind.startswith("clip") else x

    def attention(self, layer, x, size):
        a = oracle_hf.attention_of(layer)
        n, t, d = x.shape
        q, k, v = (f(x).reshape(n, t, self.heads, -1).transpose(1, 2) for f in (a.q_proj, a.k_proj, a.v_proj))
        logits = q @ k.transpose(2, 3) / math.sqrt(d // self.heads)
        soft = (logits if size is None else logits + size.log()[:, None, None, :, 0]).softmax(-1)
        out = (a.o_proj if hasattr(a, "o_proj") else a.out_proj)((soft @ v).transpose(1, 2).reshape(n, t, d))
        return out, k.mean(1), logits.mean(1)

    def run(self, pixels, between):
        """between(l, x, metric, S, size) -> x, size."""
        x, size = self.start(pixels), None
        for n, layer in enumerate(self.layers):
            first, second = (layer.norm1, layer.norm2) if self.dino else (layer.layer_norm1, layer.layer_norm2)
            a, metric, scores = self.attention(layer, first(x), size)
            x = x + (layer.layer_scale1(a) if self.dino else a)
            x, size = between(n, x, metric, scores, size)
            f = layer.mlp(second(x))
            x = x + (layer.layer_scale2(f) if self.dino else f)
        return x, size

    def finish(self, x):
        if self.kind.startswith("clip"):
            return x
        return (self.vision.layernorm if self.dino else self.vision.post_layernorm)(x)


def open_picture(path, picture):
    image = oracle_hf.Image.open(os.path.join(HERE, "pictures", picture + ".png")).convert("RGB")
    return oracle_hf.processor(path)(image, return_tensors="pt")["pixel_values"]


def save(name, result, meta):
    path = os.path.join(HERE, "expect", "official-%s.safetensors" % name)
    result = {k: (v.detach().float().numpy() if torch.is_tensor(v) else v).copy() for k, v in result.items()}
    safetensors_io.write(path, result, {**meta, "like": "transformers", "tolerance": "1e-3"})
    print("%-50s %6d bytes" % (os.path.basename(path), os.path.getsize(path)))


def gap_tome(metric, r, has_class):
    """The smallest difference of scores on which a choice hangs: who merges, and into whom."""
    m = metric / metric.norm(dim=-1, keepdim=True)
    best = (m[::2] @ m[1::2].T).sort(dim=-1, descending=True)[0]
    order = best[1:, 0].argsort(descending=True) + 1 if has_class else best[:, 0].argsort(descending=True)
    most = min(r, (len(m) - has_class) // 2)
    if most <= 0:
        return 1.0
    top = best[order, 0]
    edges = (top[:-1] - top[1:]) if not has_class else (top[most - 1:most] - top[most:most + 1])
    into = best[order[:most], 0] - best[order[:most], 1]
    return float(torch.cat([edges, into]).min())


def gap_ficoco(scores):
    """The smallest difference of two of Filter's scores: their order is the order of the rows."""
    unit = lambda x: x / x.norm()
    s = (0.35 * unit(scores[0, 1:]) - 0.65 * unit(scores[1:, 1:].mean(-1))).sort()[0]
    return float((s[1:] - s[:-1]).min())


@torch.no_grad()
def tome(official, models, model, picture, counts):
    path = os.path.join(models, model)
    vit, pixels = Vit(path), open_picture(path, picture)
    plain, _ = vit.run(pixels, lambda n, x, metric, scores, size: (x, size))
    known = vit.model(pixel_values=pixels).last_hidden_state
    assert (vit.finish(plain) - known).abs().max() < 1e-5 * known.abs().max()
    has_class = not vit.kind.startswith("siglip")
    result, traced, gaps = {}, {"source": None}, []

    def between(n, x, metric, scores, size):
        before = x.shape[1]
        merge, _ = official.bipartite_soft_matching(metric, counts[n], has_class, False)
        gaps.append(gap_tome(metric[0], counts[n], has_class))
        went = merge(torch.eye(before)[None], mode="amax")[0]  # [rows after, rows before]
        kept = len(went) - before // 2
        result["into.%d" % n] = went.argmax(0).int().numpy()
        order = torch.cat([went[:kept].argmax(1), 2 * torch.arange(before // 2) + 1])
        result["order.%d" % n] = order.int().numpy()
        traced["source"] = official.merge_source(merge, x, traced["source"])
        return official.merge_wavg(merge, x, size)

    x, size = vit.run(pixels, between)
    x = vit.finish(x)
    result["source"] = traced["source"][0].argmax(0).int().numpy()
    result["sizes"] = size[..., 0]
    result["tokens"] = x[:, 1:] if has_class else x
    if has_class:
        result["cls"] = x[:, 0]
    save("tome-%s-%s" % (model, picture), result,
         {"model": model, "picture": picture + ".png", "method": "tome", "r": ",".join(map(str, counts)),
          "smallest_gap": "%.1e" % min(gaps)})


@torch.no_grad()
def ficoco_v(official, models, model, picture, r, which):
    path = os.path.join(models, model)
    vit, pixels = Vit(path), open_picture(path, picture)
    result, gaps = {}, []

    def between(n, x, metric, scores, size):
        if n not in which:
            return x, None
        gaps.append(gap_ficoco(scores[0]))
        _, merge, remain, scores = official.Filter(scores[0], metric, r, True)
        targets, values = official.Correlate(merge, scores)
        x, _ = official.merge_ficoco_v(official.Compress, x, merge, remain, values, targets, r, None)
        rows = merge[0, :, 0]
        weights = values / values.sum(-1, keepdim=True)
        result.update({"remain.%d" % n: remain[0, :, 0].int().numpy(), "merge.%d" % n: rows.int().numpy(),
                       "targets.%d" % n: targets[0].int().numpy(), "weights.%d" % n: weights[0, rows]})
        return x, None

    x, _ = vit.run(pixels, between)
    result["tokens"] = x
    save("ficoco-v-%s-%s" % (model, picture), result,
         {"model": model, "picture": picture + ".png", "method": "ficoco-v", "r": str(r),
          "layers": ",".join(map(str, which)), "smallest_gap": "%.1e" % min(gaps)})


def main():
    torch.set_num_threads(1)
    models = sys.argv[1]
    if len(sys.argv) > 4:  # a fresh process for each of FiCoCo's
        return ficoco_v(load(sys.argv[3]), models, "clip-336", sys.argv[4], int(sys.argv[5]),
                        [int(n) for n in sys.argv[6].split(",")])
    official = load(sys.argv[2])
    tome(official, models, "dinov2", "odd", [3, 3, 3])
    tome(official, models, "dinov2", "tall", [4, 0, 2])
    tome(official, models, "clip", "odd", [8, 4, 1])
    tome(official, models, "siglip", "wide", [3, 3, 3])
    tome(official, models, "siglip2", "odd", [11, 5])
    for picture, r, which in (("wide", "120", "1,2,3"), ("square112", "80", "1,2")):
        subprocess.run([sys.executable, *sys.argv, picture, r, which], check=True)


if __name__ == "__main__":
    main()
