"""llama.cpp's `llama` architecture in numpy, f64: an oracle for attention and for caches with holes.

A sequence is decoded in pieces. Every query has its own list of cells that it may attend to, so a cell
that a host hid or forgot is one that is not in the list.
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vit"))
import gguf_writer
from numpy_layers import softmax


class Llama:
    """cache: what keys and values are rounded to, as llama.cpp's cache does."""

    def __init__(self, path, cache=np.float32):
        head, tensors = gguf_writer.read(path)
        self.w = {name: np.asarray(t, np.float64) for name, t in tensors.items()}
        self.layers, self.heads = head["llama.block_count"], head["llama.attention.head_count"]
        self.eps = head["llama.attention.layer_norm_rms_epsilon"]
        self.cache = cache
        self.k = [[] for _ in range(self.layers)]
        self.v = [[] for _ in range(self.layers)]

    def embed(self, tokens):
        return self.w["token_embd.weight"][list(tokens)]

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name + ".weight"]

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T

    def rope(self, x, at):
        """x: [heads, size]; neighbouring channels are a pair."""
        size = x.shape[-1]
        angle = at * 10000.0 ** (-np.arange(0, size, 2) / size)
        even, odd = x[:, 0::2], x[:, 1::2]
        out = np.empty_like(x)
        out[:, 0::2] = even * np.cos(angle) - odd * np.sin(angle)
        out[:, 1::2] = even * np.sin(angle) + odd * np.cos(angle)
        return out

    def token(self, x, at, seen):
        """One token [width] at a position, whose own cell is new. `seen`: cells before it that it attends
        to. Gives logits, and each layer's (scores over all cells, weights over those seen) by heads, and what
        it gives."""
        seen = list(seen) + [len(self.k[0])]
        rows = []
        for n in range(self.layers):
            name = "blk.%d." % n
            h = self.norm(x, name + "attn_norm")
            q, k, v = (self.linear(h, name + "attn_" + p).reshape(self.heads, -1) for p in "qkv")
            q, k = self.rope(q, at), self.rope(k, at)
            self.k[n].append(k.astype(self.cache).astype(np.float64))
            self.v[n].append(v.astype(self.cache).astype(np.float64))
            scores = np.einsum("hd,chd->hc", q, np.stack(self.k[n])) / np.sqrt(q.shape[-1])
            weights = softmax(scores[:, seen])
            out = np.einsum("hc,chd->hd", weights, np.stack(self.v[n])[seen]).reshape(-1)
            x = x + self.linear(out, name + "attn_output")
            h = self.norm(x, name + "ffn_norm")
            gate = self.linear(h, name + "ffn_gate")
            x = x + self.linear(gate / (1 + np.exp(-gate)) * self.linear(h, name + "ffn_up"),
                                name + "ffn_down")
            rows.append((scores, weights, x))
        return self.linear(self.norm(x, "output_norm"), "output"), rows
