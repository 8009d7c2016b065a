#!/usr/bin/env python3
"""Writes tiny random language models that llama.cpp loads: llama.gguf; qwen2vl.gguf with M-RoPE,
qwen3vl.gguf with its interleaved kind and rows of which a layer inside takes a half; narrow.gguf is
of another width than the mmproj files of tests/vit/make_models.py; deep.gguf is llama.gguf with more
layers and a chat template; window.gguf (Gemma 3) has layers that see a sliding window.

usage: make_text_models.py FOLDER      (python3 and numpy; the same bytes at every run)
"""
import os
import sys
import zlib

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vit"))
import gguf_writer

WIDTH, LAYERS, DEEP, HEADS, FF = 64, 2, 4, 4, 128

# As it stands in model files; what it makes of a message is in check_chat.
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
          "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def vocabulary():
    """256 bytes, and what mtmd's families put around pictures: (words, llama.cpp's token types)."""
    words = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    marks = ["\n\n", "\n", "<fake_token_around_image>", "<global-img>", "<image>"]
    marks += ["<row_%d_col_%d>" % (r, c) for r in range(1, 5) for c in range(1, 5)]
    marks += ["<|vision_start|>", "<|vision_end|>", "<start_of_image>", "<end_of_image>"]
    return words + marks, [2, 3, 3] + [6] * 256 + [3] * len(marks)


def tokenizer():
    """The settings that say the vocabulary."""
    words, types = vocabulary()
    return {"tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default",
            "tokenizer.ggml.tokens": words, "tokenizer.ggml.token_type": types,
            "tokenizer.ggml.scores": [0.0] * len(words), "tokenizer.ggml.bos_token_id": 1,
            "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0}


def settings(family, width, count, layers):
    more = {"context_length": 4096, "embedding_length": width, "block_count": layers,
            "feed_forward_length": FF, "attention.head_count": HEADS,
            "attention.head_count_kv": HEADS, "attention.layer_norm_rms_epsilon": 1e-5,
            "rope.dimension_count": width // HEADS, "vocab_size": count}
    if family == "qwen2vl":
        more["rope.dimension_sections"] = [2, 3, 3, 0]
    if family == "qwen3vl":
        more.update({"rope.dimension_sections": [2, 1, 1, 0], "n_deepstack_layers": 1})
    if family == "gemma3":
        more.update({"attention.sliding_window": 24, "attention.key_length": width // HEADS,
                     "attention.value_length": width // HEADS})
    return {"general.architecture": family, "general.file_type": 0, **tokenizer(),
            **{family + "." + k: v for k, v in more.items()}}


def write(path, family, width, layers=LAYERS, more=None):
    count = len(vocabulary()[0])
    random = np.random.RandomState(zlib.crc32(os.path.basename(path).encode()) & 0x7FFFFFFF)
    tensors = {}

    def linear(name, out, inn, gain=1.0):
        tensors[name + ".weight"] = gain / np.sqrt(inn) * random.standard_normal((out, inn))

    def norm(name, size=width):
        tensors[name + ".weight"] = 1 + 0.1 * random.standard_normal(size)

    linear("token_embd", count, width, np.sqrt(width))
    norm("output_norm")
    linear("output", count, width, 3.0)
    for n in range(layers):
        at = "blk.%d." % n
        norm(at + "attn_norm")
        norm(at + "ffn_norm")
        for part, gain in (("q", 2.0), ("k", 2.0), ("v", 1.0), ("output", 1.0)):
            linear(at + "attn_" + part, width, width, gain)  # far from uniform: places matter
            if family == "qwen2vl" and part != "output":
                tensors[at + "attn_%s.bias" % part] = 0.1 * random.standard_normal(width)
        if family == "gemma3":
            norm(at + "post_attention_norm")
            norm(at + "post_ffw_norm")
        if family in ("qwen3vl", "gemma3"):
            norm(at + "attn_q_norm", width // HEADS)
            norm(at + "attn_k_norm", width // HEADS)
        linear(at + "ffn_gate", FF, width)
        linear(at + "ffn_up", FF, width)
        linear(at + "ffn_down", width, FF)
    gguf_writer.write(path, {**settings(family, width, count, layers), **(more or {})},
                      {k: (v.astype(np.float32), "F32") for k, v in tensors.items()})


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    write(os.path.join(sys.argv[1], "llama.gguf"), "llama", WIDTH)
    write(os.path.join(sys.argv[1], "qwen2vl.gguf"), "qwen2vl", WIDTH)
    write(os.path.join(sys.argv[1], "qwen3vl.gguf"), "qwen3vl", WIDTH // 2)
    write(os.path.join(sys.argv[1], "narrow.gguf"), "llama", WIDTH // 2)
    write(os.path.join(sys.argv[1], "deep.gguf"), "llama", WIDTH, DEEP,
          {"tokenizer.chat_template": CHATML})
    write(os.path.join(sys.argv[1], "window.gguf"), "gemma3", WIDTH, 6)
    write(os.path.join(sys.argv[1], "odd-chat.gguf"), "llama", WIDTH, 1,
          {"tokenizer.chat_template": "{{ messages }} in a form that nobody knows"})


if __name__ == "__main__":
    main()
