#!/usr/bin/env python3
"""Writes a checkpoint as llama.cpp's two files: mmproj-NAME.gguf (ViT and projector) and llm-NAME.gguf (decoder).

usage: export.py CHECKPOINT FOLDER [--name winnow-qa] [--kind F16|Q8_0|F32]      (python3, numpy, torch)

Matrices get the kind, the patch kernel and the position table stay F16 and F32, vectors F32. The mmproj is LLaVA-1.5's
("mlp"), without class token; clip.vision.feature_layer says that all layers run. The decoder is a "llama" whose head is
the embedding.
"""
import argparse
import os

import evaluate
import load_gguf
import model

TEMPLATE = ("{% for m in messages %}{% if m['role'] == 'user' %}{{ 'USER: ' + m['content'] + '\n' }}"
            "{% elif m['role'] == 'assistant' %}{{ 'ASSISTANT: ' + m['content'] + '</s>\n' }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}")


def vision(m, name, kind, g):
    """(settings, tensors) of the mmproj."""
    c, t = m.c, {}

    def put(to, module, bias=True):
        t[to + ".weight"] = module.weight
        if bias:
            t[to + ".bias"] = module.bias

    t["v.patch_embd.weight"], t["v.position_embd.weight"] = m.vit.patch.weight, m.vit.position
    put("v.pre_ln", m.vit.pre)
    for i, b in enumerate(m.vit.blocks):
        at = "v.blk.%d." % i
        put(at + "ln1", b.ln1), put(at + "ln2", b.ln2)
        for n, w, bias in zip("qkv", b.qkv.weight.chunk(3), b.qkv.bias.chunk(3)):
            t[at + "attn_%s.weight" % n], t[at + "attn_%s.bias" % n] = w, bias
        put(at + "attn_out", b.out), put(at + "ffn_up", b.up), put(at + "ffn_down", b.down)
    put("mm.0", m.mm0), put("mm.2", m.mm2)
    v = "clip.vision."
    return {"general.architecture": "clip", "general.name": name, "general.file_type": g.FILE_TYPE[kind],
            "clip.has_vision_encoder": True, "clip.projector_type": "mlp", "clip.use_gelu": False,
            v + "image_size": c.side, v + "patch_size": c.patch, v + "embedding_length": c.vit_width,
            v + "feed_forward_length": 4 * c.vit_width, v + "block_count": c.vit_layers,
            v + "projection_dim": c.width, v + "attention.head_count": c.vit_heads,
            v + "attention.layer_norm_epsilon": c.vit_eps, v + "image_mean": [model.MEAN] * 3,
            v + "image_std": [model.STD] * 3, v + "feature_layer": [c.vit_layers]}, t


def language(m, vocabulary, name, kind, g):
    """(settings, tensors) of the decoder."""
    c, t = m.c, {"token_embd.weight": m.embed.weight, "output_norm.weight": m.norm.weight}
    for i, b in enumerate(m.layers):
        at = "blk.%d." % i
        t[at + "attn_norm.weight"], t[at + "ffn_norm.weight"] = b.norm1.weight, b.norm2.weight
        for n, w in zip("qkv", b.qkv.weight.chunk(3)):
            t[at + "attn_%s.weight" % n] = w
        t[at + "attn_output.weight"], t[at + "ffn_down.weight"] = b.out.weight, b.down.weight
        t[at + "ffn_gate.weight"], t[at + "ffn_up.weight"] = b.gate_up.weight.chunk(2)
    k = "tokenizer.ggml."
    return {"general.architecture": "llama", "general.name": name, "general.file_type": g.FILE_TYPE[kind],
            "llama.context_length": 2048, "llama.embedding_length": c.width, "llama.block_count": c.layers,
            "llama.feed_forward_length": c.feed, "llama.attention.head_count": c.heads,
            "llama.attention.head_count_kv": c.heads, "llama.attention.layer_norm_rms_epsilon": c.eps,
            "llama.rope.dimension_count": c.width // c.heads, "llama.rope.freq_base": c.theta,
            "llama.vocab_size": len(vocabulary), k + "model": "gpt2", k + "pre": "llama-bpe",
            k + "tokens": vocabulary.tokens, k + "token_type": vocabulary.kinds, k + "merges": vocabulary.merges,
            k + "bos_token_id": vocabulary.bos, k + "eos_token_id": vocabulary.eos,
            k + "padding_token_id": vocabulary.pad, k + "add_bos_token": True, k + "add_eos_token": False,
            "tokenizer.chat_template": TEMPLATE}, t


def packed(tensors, kind, g):
    out = {}
    for name, x in tensors.items():
        x = x.detach().cpu().float().numpy()
        plain = x.ndim == 1 or "position" in name
        fits = x.shape[-1] % g.TYPES[kind][1] == 0 and x.ndim == 2
        out[name] = x, "F32" if plain or kind == "F32" else kind if fits else "F16"
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("checkpoint")
    p.add_argument("folder")
    p.add_argument("--name", default="winnow-qa")
    p.add_argument("--kind", default="F16", choices=["F32", "F16", "Q8_0"])
    a = p.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    m, vocabulary, _ = evaluate.load(a.checkpoint)
    g, total = load_gguf.gguf(), 0
    for part, (settings, tensors) in (("mmproj", vision(m, a.name, a.kind, g)),
                                      ("llm", language(m, vocabulary, a.name, a.kind, g))):
        path = os.path.join(a.folder, "%s-%s.gguf" % (part, a.name))
        g.write(path, settings, packed(tensors, a.kind, g))
        total += os.path.getsize(path)
        print("%s: %.2f MB" % (path, os.path.getsize(path) / 1e6))
    print("together %.2f MB" % (total / 1e6))


if __name__ == "__main__":
    main()
