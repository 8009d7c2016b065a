#!/usr/bin/env python3
"""What transformers makes of the tiny models: writes expect/hf-MODEL-PICTURE.safetensors. Not part of the test suite.

usage: oracle_hf.py MODELS_DIR [NAME ...]     (a venv with torch 2.15, transformers 5.24, pillow 13, numpy; no torchvision)

Folders run through their own image processor (Pillow) and class, every picture. GGUF files run through the class of
the family in transformers with the file's weights, on pictures of exactly the size that the family takes, so that
nothing is resized: this proves the mapping of names and the formulas without llama.cpp.

The processors are the slow ones (CLIPImageProcessorPil and so on), never torchvision's. Pillow from 13 on resizes along y
first where a picture loses more than twice as many rows as columns (before: x first, always), so that hf-clip-tall has
14 bytes that Pillow 12 rounds otherwise.

A file holds: tokens f32 [views, N, D] (folders: last_hidden_state without class and registers; GGUF: what the language
model gets), cls [views, D], pixels u8 [views, h, w, 3] (what the encoder sees before normalisation), views i32 [views, 4]
(tile_y, tile_x, width, height; -1 where there are no tiles), and taps: hidden.L f32 [views, all rows, D]
(0: what enters the first layer), keys.L, queries.L f32 [views, all rows, D] (after bias, before q/k norms and RoPE),
cls_attention.L f32 [views, heads, patches] (softmax over all rows, the patches' columns),
received_attention.L f32 [views, heads, rows] (mean over the queries), pool_attention f32 [views, heads, rows].
Rows of Qwen's taps are in its 2x2 order; windows are undone. Metadata: model, picture, like, tolerance, pixels_sha256,
only_view (compare that view alone),
frames (the picture is a film of so many, films.py). Not here: mlp-noclass (no class of transformers stacks feature layers so),
internvl-qk-norm (llama.cpp normalises q and k otherwise).
"""
import hashlib
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import torch
from PIL import Image

import films
import gguf_writer
import oracle_hf_gguf
import safetensors_io

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER_PICTURES = {"clip": ["square", "odd", "tall"], "siglip": ["odd", "wide", "speck"], "siglip2": ["odd", "wide"],
                   "siglip2-naflex": ["odd", "wide", "tall"], "dinov2": ["odd", "tall"], "dinov2-swiglu": ["square", "wide"],
                   "dinov2-registers": ["odd", "wide"]}
GGUF_PICTURES = {"gemma3": ["square112"], "qwen2vl": ["grid"], "qwen2.5vl": ["grid"], "qwen2.5vl-q8_0": ["grid"],
                 "qwen3vl": ["grid16", "square96"]}
FILMS = {"qwen2vl": ("grid", 3), "qwen2.5vl": ("grid", 4), "qwen3vl": ("grid16", 3)}  # frames go in pairs


class Tap:
    """Keeps what linear layers give."""

    def __init__(self, modules):
        self.got = {}
        for name, module in modules.items():
            module.register_forward_hook(lambda m, i, out, name=name: self.got.__setitem__(name, out.detach()))


def load_folder(path):
    import json
    import transformers
    name = json.load(open(os.path.join(path, "config.json")))["architectures"][0]
    model, info = getattr(transformers, name).from_pretrained(path, dtype=torch.float32, attn_implementation="eager",
                                                              output_loading_info=True)
    for kind in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        left = [k for k in info[kind] if "position_ids" not in str(k)]
        assert not left, (path, kind, left)
    return model.eval()


def processor(path):
    import json
    import transformers
    name = json.load(open(os.path.join(path, "preprocessor_config.json")))["image_processor_type"]
    pil = getattr(transformers, name + "Pil", None) or getattr(transformers, name)
    return pil.from_pretrained(path)


def layers_of(model):
    vision = getattr(model, "vision_model", model)
    encoder = vision.encoder
    return list(encoder.layers if hasattr(encoder, "layers") else encoder.layer)


def attention_of(layer):
    return layer.self_attn if hasattr(layer, "self_attn") else layer.attention


def run_folder(path, picture):
    model, pre = load_folder(path), processor(path)
    image = Image.open(picture).convert("RGB")
    plain = pre(image, do_normalize=False, do_rescale=False, return_tensors="np")
    given = pre(image, return_tensors="pt")
    layers = layers_of(model)
    last = len(layers) - 1
    taps = Tap({"%s.%d" % (what, n): getattr(attention_of(layers[n]), short)
                for n in (0, last) for what, short in (("keys", "k_proj"), ("queries", "q_proj"))})
    head = getattr(getattr(model, "vision_model", model), "head", None)
    pooled = {}
    if head is not None:
        run = head.attention.forward
        head.attention.forward = lambda *a, **k: keep(pooled, run(*a, **{**k, "need_weights": True,
                                                                         "average_attn_weights": False}))
    given = {k: v for k, v in given.items() if k in ("pixel_values", "pixel_attention_mask", "spatial_shapes")}
    with torch.no_grad():
        out = model(**given, output_attentions=True, output_hidden_states=True)
    kind = model.config.model_type
    rows = slice(None)
    if "spatial_shapes" in given:  # the padding rows are nobody's
        h, w = (int(x) for x in given["spatial_shapes"][0])
        rows = slice(0, h * w)
        patch = model.config.patch_size
        pixels = np.asarray(plain["pixel_values"])[0][rows].reshape(h, w, patch, patch, 3)
        pixels = pixels.transpose(0, 2, 1, 3, 4).reshape(1, h * patch, w * patch, 3)
    else:
        pixels = np.asarray(plain["pixel_values"]).transpose(0, 2, 3, 1)
    extra = getattr(model.config, "num_register_tokens", 0)
    has_class = kind.startswith(("clip", "dino"))
    first = 1 + extra if has_class else 0
    result = {"tokens": out.last_hidden_state[:, first:][:, rows]}
    if has_class:
        result["cls"] = out.last_hidden_state[:, 0]
    for n in (0, 1, last + 1):
        result["hidden.%d" % n] = out.hidden_states[n][:, rows]
    for name, x in taps.got.items():
        result[name] = x[:, rows]
    for n in (0, last):
        a = out.attentions[n][:, :, rows][:, :, :, rows]
        if has_class:
            result["cls_attention.%d" % n] = a[:, :, 0, first:]
        else:
            result["received_attention.%d" % n] = a.mean(2)
    if pooled:
        result["pool_attention"] = pooled["weights"][:, :, 0][:, :, rows]
    return finish(result, pixels)


def keep(where, got):
    where["weights"] = got[1].detach()
    return got


def finish(result, pixels):
    result = {k: v.detach().to(torch.float32).numpy().copy() if torch.is_tensor(v) else v for k, v in result.items()}
    pixels = np.ascontiguousarray(np.rint(pixels).astype(np.uint8))
    count, height, width = pixels.shape[:3]
    result["views"] = np.array([[-1, -1, width, height]] * count, np.int32)
    result["pixels"] = pixels
    return result


def run_gguf(path, picture, frames=1):
    settings, tensors = gguf_writer.read(path)
    if frames > 1:
        rgb = films.frames(os.path.basename(picture)[:-len(".png")], frames)
    else:
        rgb = np.asarray(Image.open(picture).convert("RGB"))[None]
    mean, std = (np.array(settings["clip.vision.image_" + k], np.float32) for k in ("mean", "std"))
    x = ((rgb.astype(np.float32) / np.float32(255)) - mean) / std
    result = oracle_hf_gguf.run(settings, {k: torch.from_numpy(v) for k, v in tensors.items()},
                                torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), Tap)
    return finish(result, rgb)


def save(model, picture, like, result, frames=1):
    """Bytes of pixels only where they are few; their hash always."""
    pixels = result["pixels"]
    meta = {"model": model, "picture": picture + ".png", "like": like, "tolerance": "1e-3",
            "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}
    if pixels.nbytes > 13000:
        del result["pixels"]
    if model.startswith("wide-"):
        result = {k: v for k, v in result.items() if k in ("tokens", "views", "hidden.1")}
    if model.startswith(("wide-", "idefics3")):
        meta["only_view"] = "-1"  # the overview; the tiles of this picture are enlarged
    if frames > 1:
        meta["frames"] = str(frames)
        result = {k: v for k, v in result.items() if k in ("tokens", "views", "hidden.1")}
    name = "hf-%s-%s%s.safetensors" % (model.replace(".gguf", ""), picture, "-film" if frames > 1 else "")
    path = os.path.join(HERE, "expect", name)
    safetensors_io.write(path, result, meta)
    print("%-44s %6d bytes" % (name, os.path.getsize(path)))


def main():
    torch.set_num_threads(1)
    models, names = sys.argv[1], sys.argv[2:]
    for name, pictures in FOLDER_PICTURES.items():
        for picture in pictures if not names or name in names else []:
            save(name, picture, "transformers",
                 run_folder(os.path.join(models, name), os.path.join(HERE, "pictures", picture + ".png")))
    for file in sorted(os.listdir(models)):
        name = file[:-5]
        if not file.endswith(".gguf") or (names and name not in names) or name in ("mlp-noclass", "internvl-qk-norm"):
            continue
        for picture in GGUF_PICTURES.get(name, ["square"]):
            save(file, picture, "transformers",
                 run_gguf(os.path.join(models, file), os.path.join(HERE, "pictures", picture + ".png")))
        if name in FILMS:
            picture, frames = FILMS[name]
            save(file, picture, "transformers",
                 run_gguf(os.path.join(models, file), os.path.join(HERE, "pictures", picture + ".png"), frames), frames)


if __name__ == "__main__":
    main()
