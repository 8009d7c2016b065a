#!/usr/bin/env python3
"""Reads the two files that export.py writes back into the network, to train on top of them.

usage: load_gguf.py FOLDER CHECKPOINT [--name winnow-qa]      (python3, numpy, torch)

Every script here that takes a checkpoint takes such a folder too. What only training uses (the heads that say what
patches show) is not in the files and starts anew.
"""
import argparse
import importlib.util
import os

import torch

import model
import tokens

HERE = os.path.dirname(os.path.abspath(__file__))


def gguf():
    """tests/vit/gguf_writer.py, which reads too."""
    path = os.path.join(HERE, "..", "..", "..", "tests", "vit", "gguf_writer.py")
    spec = importlib.util.spec_from_file_location("gguf_writer", path)
    g = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(g)
    return g


def config(sight, text):
    """The Config that the settings of both files tell."""
    v, l = "clip.vision.", "llama."
    heads = text[l + "attention.head_count"]
    if text[l + "attention.head_count_kv"] != heads or sight["clip.projector_type"] != "mlp":
        raise ValueError("the files are of another network than model.py's (give what export.py wrote)")
    return model.Config(
        vocabulary=len(text["tokenizer.ggml.tokens"]), side=sight[v + "image_size"], patch=sight[v + "patch_size"],
        vit_width=sight[v + "embedding_length"], vit_layers=sight[v + "block_count"],
        vit_heads=sight[v + "attention.head_count"], width=text[l + "embedding_length"], layers=text[l + "block_count"],
        heads=heads, feed=text[l + "feed_forward_length"], theta=text[l + "rope.freq_base"],
        vit_eps=sight[v + "attention.layer_norm_epsilon"], eps=text[l + "attention.layer_norm_rms_epsilon"])


def vocabulary(text):
    """The Vocabulary of the decoder's file: what follows the control tokens and the bytes."""
    names = text["tokenizer.ggml.tokens"]
    got = tokens.Vocabulary(names[len(tokens.Vocabulary([])):])
    if got.tokens != names or got.merges != text["tokenizer.ggml.merges"]:
        raise ValueError("the vocabulary is not of tokens.py's kind (give what export.py wrote)")
    return got


def weights(c, sight, text):
    """The state of model.Model, but for its heads, from the tensors of both files: export.py the other way round."""
    out = {"vit.patch.weight": sight["v.patch_embd.weight"], "vit.position": sight["v.position_embd.weight"],
           "embed.weight": text["token_embd.weight"], "norm.weight": text["output_norm.weight"]}

    def take(to, source, *names):
        """One tensor, or several that the network holds as one."""
        out[to] = torch.cat([source[n] for n in names])

    def both(to, source, *names):
        take(to + ".weight", source, *(n + ".weight" for n in names))
        take(to + ".bias", source, *(n + ".bias" for n in names))

    both("vit.pre", sight, "v.pre_ln"), both("mm0", sight, "mm.0"), both("mm2", sight, "mm.2")
    for i in range(c.vit_layers):
        to, at = "vit.blocks.%d." % i, "v.blk.%d." % i
        both(to + "ln1", sight, at + "ln1"), both(to + "ln2", sight, at + "ln2")
        both(to + "qkv", sight, *(at + "attn_" + n for n in "qkv"))
        both(to + "out", sight, at + "attn_out")
        both(to + "up", sight, at + "ffn_up"), both(to + "down", sight, at + "ffn_down")
    for i in range(c.layers):
        to, at = "layers.%d." % i, "blk.%d." % i
        for here, names in (("norm1", ["attn_norm"]), ("norm2", ["ffn_norm"]),
                            ("qkv", ["attn_q", "attn_k", "attn_v"]), ("out", ["attn_output"]),
                            ("gate_up", ["ffn_gate", "ffn_up"]), ("down", ["ffn_down"])):
            take(to + here + ".weight", text, *(at + n + ".weight" for n in names))
    return out


def load(folder, name="winnow-qa", device="cpu"):
    """(model, vocabulary, what a checkpoint holds), as evaluate.load gives."""
    g = gguf()
    (sight, sight_tensors), (text, text_tensors) = (
        g.read(os.path.join(folder, "%s-%s.gguf" % (part, name))) for part in ("mmproj", "llm"))
    for key, expect in (("image_mean", model.MEAN), ("image_std", model.STD)):
        if any(abs(x - expect) > 1e-6 for x in sight["clip.vision." + key]):
            raise ValueError("the pixels are normalised otherwise than by model.py (give what export.py wrote)")
    c, words = config(sight, text), vocabulary(text)
    m = model.Model(c)
    state = weights(c, *({k: torch.from_numpy(v.copy()) for k, v in t.items()} for t in (sight_tensors, text_tensors)))
    missing, unknown = m.load_state_dict(state, strict=False)
    if unknown or any(not k.startswith(("seen.", "told.", "placed.")) for k in missing):
        raise ValueError("tensors do not fit: missing %s, unknown %s" % (missing, unknown))
    got = {"model": m.state_dict(), "config": model.as_dict(c), "pieces": words.pieces, "steps": [0, 0, 0],
           "spent": 0.0, "clips": 0}
    return m.to(device).eval(), words, got


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("checkpoint")
    p.add_argument("--name", default="winnow-qa")
    a = p.parse_args()
    m, _, got = load(a.folder, a.name)
    torch.save(got, a.checkpoint)
    print("%s: ViT and projector %.2fM, decoder %.2fM parameters" %
          (a.checkpoint, *(n / 1e6 for n in m.exported())))


if __name__ == "__main__":
    main()
