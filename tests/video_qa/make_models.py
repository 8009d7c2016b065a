#!/usr/bin/env python3
"""Writes two tiny random language models that llama.cpp loads, of the width of tests/vit/make_models.py's mmproj files:
qa/llm-winnow-qa.gguf with the vocabulary and the chat template of samples/video_qa/train, and mamba.gguf, whose cache
cannot forget a part. The first one's mmproj is a copy of the file that is given.

usage: make_models.py FOLDER MMPROJ.gguf      (python3 and numpy; the same bytes at every run)
"""
import ast
import os
import shutil
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TRAIN = os.path.join(HERE, "..", "..", "samples", "video_qa", "train")
sys.path[:0] = [os.path.join(HERE, "..", "vit"), TRAIN]
import gguf_writer
import tokens

WIDTH, LAYERS, HEADS, FEED = 64, 2, 4, 96
INNER, STATE, KERNEL, RANK = 128, 8, 4, 2  # of mamba


def constant(file, name):
    """A constant of a program that cannot be imported where there is no torch."""
    with open(os.path.join(TRAIN, file)) as source:
        for node in ast.parse(source.read()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
                return ast.literal_eval(node.value)
    raise SystemExit("%s has no %s" % (file, name))


class Tensors(dict):
    def __init__(self, seed):
        super().__init__()
        self.random = np.random.RandomState(seed)

    def linear(self, name, out, inn, gain=1.0):
        self[name] = gain / np.sqrt(inn) * self.random.standard_normal((out, inn))

    def vector(self, name, size, middle):
        self[name] = middle + 0.1 * self.random.standard_normal(size)

    def ends(self, count):
        self.linear("token_embd.weight", count, WIDTH, np.sqrt(WIDTH))
        self.linear("output.weight", count, WIDTH, 3.0)
        self.vector("output_norm.weight", WIDTH, 1)

    def write(self, path, settings):
        gguf_writer.write(path, settings, {k: (v.astype(np.float32), "F32") for k, v in self.items()})


def tokenizer(vocabulary):
    k = "tokenizer.ggml."
    return {k + "model": "gpt2", k + "pre": "llama-bpe", k + "tokens": vocabulary.tokens,
            k + "token_type": vocabulary.kinds, k + "merges": vocabulary.merges, k + "bos_token_id": vocabulary.bos,
            k + "eos_token_id": vocabulary.eos, k + "padding_token_id": vocabulary.pad, k + "add_bos_token": True,
            k + "add_eos_token": False}


def write_llama(path, vocabulary):
    t = Tensors(11)
    t.ends(len(vocabulary))
    for n in range(LAYERS):
        at = "blk.%d." % n
        t.vector(at + "attn_norm.weight", WIDTH, 1), t.vector(at + "ffn_norm.weight", WIDTH, 1)
        for part, gain in (("q", 2.0), ("k", 2.0), ("v", 1.0), ("output", 1.0)):
            t.linear(at + "attn_%s.weight" % part, WIDTH, WIDTH, gain)
        t.linear(at + "ffn_gate.weight", FEED, WIDTH), t.linear(at + "ffn_up.weight", FEED, WIDTH)
        t.linear(at + "ffn_down.weight", WIDTH, FEED)
    more = {"context_length": 2048, "embedding_length": WIDTH, "block_count": LAYERS, "feed_forward_length": FEED,
            "attention.head_count": HEADS, "attention.head_count_kv": HEADS,
            "attention.layer_norm_rms_epsilon": 1e-5, "rope.dimension_count": WIDTH // HEADS,
            "vocab_size": len(vocabulary)}
    t.write(path, {"general.architecture": "llama", "general.file_type": 0, **tokenizer(vocabulary),
                   "tokenizer.chat_template": constant("export.py", "TEMPLATE"),
                   **{"llama." + k: v for k, v in more.items()}})


def write_mamba(path, vocabulary):
    t = Tensors(12)
    t.ends(len(vocabulary))
    for n in range(LAYERS):
        at = "blk.%d." % n
        t.vector(at + "attn_norm.weight", WIDTH, 1)
        t.linear(at + "ssm_in.weight", 2 * INNER, WIDTH)
        t.linear(at + "ssm_conv1d.weight", INNER, KERNEL)
        t.vector(at + "ssm_conv1d.bias", INNER, 0)
        t.linear(at + "ssm_x.weight", RANK + 2 * STATE, INNER)
        t.linear(at + "ssm_dt.weight", INNER, RANK)
        t.vector(at + "ssm_dt.bias", INNER, 0)
        t[at + "ssm_a"] = -np.tile(np.arange(1, STATE + 1), (INNER, 1))
        t.vector(at + "ssm_d", INNER, 1)
        t.linear(at + "ssm_out.weight", WIDTH, INNER)
    more = {"context_length": 2048, "embedding_length": WIDTH, "block_count": LAYERS, "feed_forward_length": 0,
            "attention.head_count": 0, "attention.layer_norm_rms_epsilon": 1e-5, "ssm.conv_kernel": KERNEL,
            "ssm.inner_size": INNER, "ssm.state_size": STATE, "ssm.time_step_rank": RANK,
            "vocab_size": len(vocabulary)}
    t.write(path, {"general.architecture": "mamba", "general.file_type": 0, **tokenizer(vocabulary),
                   **{"mamba." + k: v for k, v in more.items()}})


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, mmproj = sys.argv[1:]
    qa, vocabulary = os.path.join(folder, "qa"), tokens.Vocabulary()
    os.makedirs(qa, exist_ok=True)
    write_llama(os.path.join(qa, "llm-winnow-qa.gguf"), vocabulary)
    shutil.copyfile(mmproj, os.path.join(qa, "mmproj-winnow-qa.gguf"))
    write_mamba(os.path.join(folder, "mamba.gguf"), vocabulary)


if __name__ == "__main__":
    main()
