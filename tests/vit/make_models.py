#!/usr/bin/env python3
r"""Writes tiny random models in real file formats: GGUF mmproj files and Hugging Face folders.

usage: make_models.py FOLDER [NAME ...]      (python3 and numpy; the same bytes at every run)

FAMILIES. What each kind of file says and what it means; read off llama.cpp b10256 (tools/mtmd, conversion/) and
   transformers 5.24. Shapes outermost first, as numpy prints them (GGUF's ne[] is the reverse). y = x W^T + b for
   every `weight` [out, in] unless said. D width, H heads, d = D/H, F feed-forward width, P patch side, L layers in
   the file, s merge a side, E projection_dim. hidden.0 = what enters layer 0, hidden.l = after layer l-1.

1. GGUF, common. general.architecture "clip"; clip.has_vision_encoder true; the family is clip.projector_type or,
   where that is missing (files with audio too), clip.vision.projector_type.
   clip.use_gelu true: FFN GELU by tanh, 0.5x(1+tanh(sqrt(2/pi) x (1+0.044715x^2))). clip.use_silu true: SiLU (gated
   where ffn_gate exists: down(silu(gate x) * up x)). Neither key, or false: quick GELU x/(1+exp(-1.702x)). Both true:
   refused. GELU of every projector: tanh, whatever the keys. (transformers: erf in the projectors and in InternVL;
   |tanh - erf| < 5e-4 absolute, no test here tells them apart. ggml's CPU GELUs go through an F16 table: noise of
   about 1e-3.)
   clip.vision.{image_size, patch_size, embedding_length D, feed_forward_length F, block_count L, projection_dim E,
   attention.head_count H, attention.layer_norm_epsilon eps, image_mean f32[3], image_std f32[3]}: all required (F may
   be a lie or 0 in old Qwen files: take ffn shapes instead). attention.head_dim optional (d).
   Pixels: (byte/255 - mean)/std. Attention scale 1/sqrt(d). Pre-norm layers:
     x += ls1 * attn_out(attn(ln1 x));  x += ls2 * ffn(ln2 x)          (ls1, ls2 only where the tensors exist)
   v.patch_embd.weight [D,3,P,P], v.patch_embd.bias [D] optional; v.position_embd.weight [positions, D]; v.class_embd
   [D]; v.pre_ln.{weight,bias} optional; v.post_ln.{weight,bias} optional;
   v.blk.N.{ln1,ln2}.{weight,bias}; v.blk.N.attn_{q,k,v,out}.{weight,bias}, or attn_qkv.{weight,bias} [3D, D] = q|k|v;
   v.blk.N.attn_{q,k}_norm.weight optional: [D] before the split into heads, or [d] a head after it; llama.cpp: the
   family's kind of norm (internvl: LayerNorm without bias unless it is the 6B) and eps, transformers: RMSNorm(1e-6);
   v.blk.N.{ls1,ls2}.weight [D] optional; v.blk.N.ffn_{up,down,gate}.{weight,bias}.
   SWAPPED FFN: older files name fc1 `ffn_down` and fc2 `ffn_up` (mlp, qwen2vl, qwen2.5vl, gemma3, idefics3; not
   internvl, qwen3vl). Test per layer: ffn_down.weight's last dimension (its input) == D, then swap weights and
   biases.
   Norms: LayerNorm(eps) with bias, except RMSNorm (no bias, eps the same key) where said. fc bias may be missing.

2. "mlp" (LLaVA-1.5/1.6, Yi with norm). CLIP. Square views only. Layers run = max(clip.vision.feature_layer i32[]) if
   that key is there (hidden states numbered as above: [22] runs 22 layers), else L - 1 (the last in the file is NOT
   run; converters that drop the last layer themselves write feature_layer too). Two or more feature layers: rows are
   those hidden states concatenated by feature, in increasing layer order; post_ln goes to the last only. v.post_ln is
   applied if present (LLaVA files do not have it). Projector, patches only: mm.2.weight(gelu_tanh(mm.0.weight x + b))
   + b. mm.3.weight present = "mlp_norm" (Yi): mm.0, LayerNorm(eps) mm.1, gelu, mm.3, LayerNorm(eps) mm.4. CLASS
   TOKEN: see "Order of the class token". clip.vision.image_grid_pinpoints i32[2n] (w,h pairs) turns tiles on
   ("anyres"); mm_patch_merge_type "spatial_unpad" and v.image_newline [E] (written as model.image_newline by the old
   converter: not read) are unused by mtmd: each tile is a chunk of all its rows, tiles in raster order, THEN the
   overview; no newline rows, no unpadding. Without pinpoints: bicubic, padded with 122,116,104; with: tiles bicubic
   padded with black, overview bilinear stretched. A picture of at most image_size on both sides has the overview
   alone.
3. "idefics3" (SmolVLM). SigLIP with patch bias, no class token, v.post_ln, all L layers; position rows 0..n-1 in
   raster order (views are always image_size square); tiles first, overview last. clip.vision.projector.scale_factor
   s; preproc_image_size = longest edge. Shuffle: output (i,j) raster = rows (s i + dy, s j + dx) concatenated
   dy-major, then dx, then channel: s*s*D wide. Then mm.model.fc.weight [E, s*s*D], no bias. eps default in converter
   1e-5 (transformers' class default 1e-6).
4. "internvl". Class token, patch bias, no pre_ln, no post_ln, ls1/ls2, q/k norms in the 6B; RMSNorm ViT iff D == 3200
   and L == 45. use_gelu: llama.cpp tanh, transformers erf. scale_factor s (2): same shuffle as idefics3 (dy, dx,
   channel). LayerNorm(1e-5, fixed) mm.model.mlp.0, then mm.model.mlp.1, gelu, mm.model.mlp.3 (all with bias).
   preproc_min_tiles, preproc_max_tiles (defaults 1, 12). CLASS TOKEN below. Tiles first, overview last.
5. "gemma3". SigLIP as idefics3 (image_size square, 896/14 = 64 patches a side); s = projector.scale_factor or 4. Mean
   over s x s squares (raster output); RMSNorm(eps of the ViT) * mm.soft_emb_norm.weight [D] (the converter has
   already added 1); y = x W with mm.input_projection.weight [D, E]: NOT transposed, rows are inputs. No bias.
6. "qwen2vl_merger". No position table, no class token, no patch bias. Two kernels: v.patch_embd.weight and
   v.patch_embd.weight.1 [D,3,P,P], for the first and second frame of a pair; a still picture is both frames, so x =
   conv0(p) + conv1(p). Token order: 2x2 squares in raster order, inside a square (0,0),(0,1),(1,0),(1,1) (y,x):
   everything inside the encoder (hidden.*, keys.*) is in that order. LayerNorm(eps) with bias; quick GELU (no keys).
   2-D RoPE on q and k, theta 10000: for j in 0..d/2-1, angle = (j < d/4 ? y : x) * theta^(-(j mod d/4)/(d/4)), y and
   x patch coordinates; pair (j, j + d/2): q_j' = q_j cos - q_{j+d/2} sin, q_{j+d/2}' = q_{j+d/2} cos + q_j sin. All
   layers full attention. Merger: v.post_ln (LayerNorm, = merger.ln_q) on each row, 4 consecutive rows concatenated
   [4D], mm.0 [4D,4D], gelu (tanh; transformers erf), mm.2 [E,4D]. clip.vision.spatial_merge_size optional (2). Sizes:
   multiples of 2P, 8..4096 tokens (x (2P)^2 pixels). eps from the text model's rms_norm_eps (1e-6).
7. "qwen2.5vl_merger". As 6, but RMSNorm(eps) without bias everywhere (ln1, ln2, post_ln), clip.use_silu with ffn_gate
   (all three with bias), clip.vision.n_wa_pattern w (required): layer l attends to all iff (l+1) % w == 0
   (transformers: fullatt_block_indexes), the others within windows. Windows: g = (112 / P) / 2 merged cells a side
   (112 is fixed in llama.cpp for this family, window_size in transformers), partition of the merged grid from the top
   left, raster, the right and bottom ones cut short. Tokens are permuted once, before layer 0, to window-major order
   (window raster, cells raster inside, the 4 patches of a cell together) and the merged rows are put back to raster
   after the merger; so inside both encoders rows are in window order. The expect files' hidden.L, keys.L undo it.
8. "qwen3vl_merger". As 6 (LayerNorm, RoPE, two kernels, square order) but v.patch_embd.bias, attn_qkv fused, use_gelu
   (tanh), v.position_embd.weight [n*n, D] resized to the grid and added after the bias, in square order: bilinear
   with corners aligned (source = i (n-1)/(out-1); 0 where out is 1), no antialias, in both (older llama.cpp:
   half-pixel). Merger: v.post_ln per row, concat 4, mm.0, gelu (tanh; erf), mm.2. DeepStack:
   v.deepstack.N.{norm,fc1,fc2}.{weight,bias}, N = layer whose output (hidden.N+1) it takes: concat 4 rows,
   LayerNorm(eps) over 4D, fc1 [4D,4D], gelu, fc2 [E,4D]. A row handed over is [merger | deepstack of the lowest N |
   ...], (1 + n) E wide. clip.vision.is_deepstack_layers bool[L] is written, not read.

ORDER OF THE CLASS TOKEN (llama.cpp b10256; measured; mlp's is reported as ggml-org/llama.cpp#25814, PR #25844 open).
   Weights come straight from checkpoints (class position first), yet the graph appends v.class_embd AFTER the patches
   and adds position row i to row i: patch i gets the position that training gave to patch i-1 (row 0, the class's,
   goes to patch 0), the class the last patch's. internvl then takes rows 0..n-1 (the patches). mlp takes rows 1..n:
   patch 0 is lost and the last row is the class token.
   transformers: class first, patch i with position row i+1, all patches kept. So llama.cpp = transformers with the
   position table rolled by one row, [n, 0, 1, .. n-1]; then rows 0..n-1, or 1..n-1 and the class row: agrees to 5e-4.
   The expect files' hidden.L and keys.L have the class row first, whatever made them.

9. Folders (config.json, preprocessor_config.json, model.safetensors). Keys of config.json: hidden_size,
   intermediate_size, num_hidden_layers, num_attention_heads, image_size, patch_size, layer_norm_eps, hidden_act.
   clip_vision_model [CLIPVisionModel]: vision_model.embeddings.{class_embedding [D], patch_embedding.weight [D,3,P,P]
   no bias, position_embedding.weight [n+1,D] class first}; vision_model.pre_layrnorm.* (sic);
   vision_model.encoder.layers.N. {layer_norm1,layer_norm2}, self_attn.{q,k,v,out}_proj, mlp.{fc1,fc2};
   vision_model.post_layernorm.* is used on the class row for pooler_output only: last_hidden_state is hidden.L, not
   normalised. eps 1e-5. hidden_act quick_gelu or gelu (erf).
   siglip_vision_model [SiglipVisionModel], and siglip2 of fixed resolution (same class): patch bias, no class, no
   pre-norm, post_layernorm on all rows = last_hidden_state; gelu_pytorch_tanh; eps 1e-6. Head:
   vision_model.head.probe [1,1,D], head.attention.{in_proj_weight [3D,D], in_proj_bias, out_proj.{weight,bias}},
   head.layernorm, head.mlp.{fc1,fc2}: a = out_proj(MHA(probe; rows normalised)), pooled = a + mlp(layernorm(a)).
   pool_attention = softmax of that MHA.
   siglip2_vision_model (NaFlex, Siglip2VisionModel): embeddings.patch_embedding.weight [D, P*P*3], a Linear over
   pixels in (y, x, channel) order; num_patches positions as a square grid, resized per picture: bilinear, antialias,
   half-pixel; else as siglip. Size: largest multiple-of-P size with at most max_num_patches patches (binary search
   over the scale).
   dinov2 [Dinov2Model]: embeddings.{cls_token [1,1,D], mask_token (unused), position_embeddings [1,n+1,D],
   patch_embeddings.projection.{weight,bias}}; encoder.layer.N.{norm1,norm2}, attention.attention.{query,key,value},
   attention.output.dense, layer_scale1.lambda1 [D], layer_scale2.lambda1, mlp.{fc1,fc2} with F = D*mlp_ratio
   or, use_swiglu_ffn, mlp.weights_in [2F,D] (gate first: silu(first half) * second half) and mlp.weights_out with F =
   (int(int(D*mlp_ratio)*2/3)+7)//8*8; layernorm on all rows = last_hidden_state. hidden_act gelu (erf). eps 1e-6.
   (transformers 5 calls them attention.{q,k,v,o}_proj and mlp.{gate,up,down}_proj inside; files keep these names.)
   Other sizes than image_size: patch positions resized bicubic (a = -0.75), align_corners False, no
   antialias; the class's kept.
   dinov2_with_registers: also embeddings.register_tokens [1,R,D], put after the class token AFTER positions are added
   (positions: class and patches only; resized bicubic with antialias). Rows: class, R registers, patches.
"""
import os
import sys
import zlib

import numpy as np

import gguf_writer
import make_folders

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
HALF = [0.5, 0.5, 0.5]


class Weights:
    """Random weights whose activations stay near 1 and whose attention is far from uniform."""

    def __init__(self, name):
        self.random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
        self.t = {}

    def put(self, name, shape, std, mean=0.0):
        self.t[name] = (mean + std * self.random.standard_normal(shape)).astype(np.float32)

    def linear(self, name, out, inn, gain=1.0, bias=True):
        self.put(name + ".weight", (out, inn), gain / np.sqrt(inn))
        if bias:
            self.put(name + ".bias", (out,), 0.1)

    def norm(self, name, width, bias=True):
        self.put(name + ".weight", (width,), 0.2, 1.0)
        if bias:
            self.put(name + ".bias", (width,), 0.2)


def encoder(w, width, layers, ff, patch, positions=0, cls=False, patch_bias=True, pre=False, post=True, rms=False,
            gate=False, fused=False, layer_scale=False, kernels=1, qk_norm=False):
    """The tensors of a clip encoder under GGUF's names."""
    for k in range(kernels):
        w.put("v.patch_embd.weight" + (".1" if k else ""), (width, 3, patch, patch), 0.7 / np.sqrt(3 * kernels) / patch)
    if patch_bias:
        w.put("v.patch_embd.bias", (width,), 0.2)
    if cls:
        w.put("v.class_embd", (width,), 0.7)
    if positions:
        w.put("v.position_embd.weight", (positions, width), 0.5)
    if pre:
        w.norm("v.pre_ln", width)
    for n in range(layers):
        at = "v.blk.%d." % n
        w.norm(at + "ln1", width, not rms)
        if fused:
            w.linear(at + "attn_qkv", 3 * width, width, 1.5)
        else:
            w.linear(at + "attn_q", width, width, 1.5)
            w.linear(at + "attn_k", width, width, 1.5)
            w.linear(at + "attn_v", width, width)
        if qk_norm:
            w.norm(at + "attn_q_norm", width, False)
            w.norm(at + "attn_k_norm", width, False)
        w.linear(at + "attn_out", width, width)
        if layer_scale:
            w.put(at + "ls1.weight", (width,), 0.2, 0.6)
            w.put(at + "ls2.weight", (width,), 0.2, 0.6)
        w.norm(at + "ln2", width, not rms)
        if gate:
            w.linear(at + "ffn_gate", ff, width)
        w.linear(at + "ffn_up", ff, width)
        w.linear(at + "ffn_down", width, ff)
    if post:
        w.norm("v.post_ln", width, not rms)


def swap_ffn(tensors):
    """Old converters call fc1 `ffn_down` and fc2 `ffn_up`."""
    other = {"ffn_up": "ffn_down", "ffn_down": "ffn_up"}
    return {next((k.replace(a, b) for a, b in other.items() if a in k), k): v for k, v in tensors.items()}


def settings(projector, width, layers, ff, heads, image, patch, eps, out=64, mean=HALF, std=HALF, **more):
    s = {"general.architecture": "clip", "general.name": "tiny " + projector, "clip.has_vision_encoder": True,
         "clip.projector_type": projector, "clip.vision.image_size": image, "clip.vision.patch_size": patch,
         "clip.vision.embedding_length": width, "clip.vision.feed_forward_length": ff,
         "clip.vision.block_count": layers, "clip.vision.projection_dim": out,
         "clip.vision.attention.head_count": heads, "clip.vision.attention.layer_norm_epsilon": eps,
         "clip.vision.image_mean": mean, "clip.vision.image_std": std}
    s.update({"clip." + k: v for k, v in more.items()})
    return s


def projector_mlp(w, width, out=64):
    w.linear("mm.0", out, width)
    w.linear("mm.2", out, out)


def mlp(w):
    """LLaVA-1.5 as it is: class token, no feature_layer, so the fourth layer of the file is never run."""
    encoder(w, 64, 4, 128, 14, 17, cls=True, patch_bias=False, pre=True, post=False)
    projector_mlp(w, 64)
    return settings("mlp", 64, 4, 128, 4, 56, 14, 1e-5, mean=CLIP_MEAN, std=CLIP_STD, use_gelu=False)


def mlp_anyres(w):
    """LLaVA-1.6: pinpoints, an explicit feature layer, F16, feed-forward tensors under the old names."""
    encoder(w, 48, 3, 96, 14, 17, cls=True, patch_bias=False, pre=True, post=False)
    projector_mlp(w, 48)
    w.put("model.image_newline", (64,), 1.0)
    w.t = swap_ffn(w.t)
    return settings("mlp", 48, 3, 96, 3, 56, 14, 1e-5, mean=CLIP_MEAN, std=CLIP_STD, use_gelu=False,
                    **{"vision.image_grid_pinpoints": [56, 112, 112, 56, 112, 112, 168, 56, 56, 168],
                       "vision.mm_patch_merge_type": "spatial_unpad", "vision.feature_layer": [3]})


def mlp_noclass(w):
    """A SigLIP tower under the LLaVA projector: no class token, tanh GELU, post_ln, two feature layers stacked."""
    encoder(w, 32, 3, 80, 14, 16)
    projector_mlp(w, 64)
    return settings("mlp", 32, 3, 80, 2, 56, 14, 1e-6, use_gelu=True, **{"vision.feature_layer": [1, 3]})


def mlp_norm(w):
    """Yi-VL: five tensors in the projector."""
    encoder(w, 32, 3, 64, 14, 16)
    w.linear("mm.0", 64, 32)
    w.norm("mm.1", 64)
    w.linear("mm.3", 64, 64)
    w.norm("mm.4", 64)
    return settings("mlp", 32, 3, 64, 2, 56, 14, 1e-6, use_gelu=True)


def idefics3(w, width=48, heads=3, ff=96, layers=3):
    encoder(w, width, layers, ff, 14, 16)
    w.linear("mm.model.fc", 64, 4 * width, bias=False)
    return settings("idefics3", width, layers, ff, heads, 56, 14, 1e-6, use_gelu=True,
                    **{"vision.projector.scale_factor": 2, "vision.preproc_image_size": 168})


def wide(w):
    """Wide enough for blocks of 256; one tile and the overview."""
    return {**idefics3(w, 256, 4, 512, 2), "clip.vision.preproc_image_size": 56}


def internvl(w, **more):
    encoder(w, 48, 3, 96, 14, 17, cls=True, post=False, layer_scale=True, **more)
    w.norm("mm.model.mlp.0", 192)
    w.linear("mm.model.mlp.1", 64, 192)
    w.linear("mm.model.mlp.3", 64, 64)
    return settings("internvl", 48, 3, 96, 3, 56, 14, 1e-6, mean=CLIP_MEAN, std=CLIP_STD, use_gelu=True,
                    **{"vision.projector.scale_factor": 2, "vision.preproc_min_tiles": 1,
                       "vision.preproc_max_tiles": 6})


def internvl_qk_norm(w):
    return internvl(w, qk_norm=True)


def gemma3(w):
    encoder(w, 48, 3, 112, 14, 64)
    w.put("mm.input_projection.weight", (48, 64), 1 / np.sqrt(48))
    w.norm("mm.soft_emb_norm", 48, False)
    return settings("gemma3", 48, 3, 112, 3, 112, 14, 1e-6, use_gelu=True)


def merger(w, width, out=64, name="mm.%d"):
    w.linear(name % 0, 4 * width, 4 * width)
    w.linear(name % 2, out, 4 * width)


def qwen2vl(w):
    encoder(w, 32, 3, 128, 14, patch_bias=False, kernels=2)
    merger(w, 32)
    return settings("qwen2vl_merger", 32, 3, 128, 2, 560, 14, 1e-6, mean=CLIP_MEAN, std=CLIP_STD)


def qwen25vl(w):
    encoder(w, 32, 4, 96, 14, patch_bias=False, kernels=2, rms=True, gate=True)
    merger(w, 32)
    return settings("qwen2.5vl_merger", 32, 4, 96, 2, 560, 14, 1e-6, mean=CLIP_MEAN, std=CLIP_STD, use_silu=True,
                    **{"vision.n_wa_pattern": 2})


def qwen3vl(w):
    """Two DeepStack layers would be usual; one keeps a row at (1 + 1) * 32 = 64, the width of the tiny text model."""
    encoder(w, 48, 3, 96, 16, 36, kernels=2, fused=True)
    merger(w, 48, 32)
    w.norm("v.deepstack.1.norm", 192)
    w.linear("v.deepstack.1.fc1", 192, 192)
    w.linear("v.deepstack.1.fc2", 32, 192)
    return settings("qwen3vl_merger", 48, 3, 96, 3, 96, 16, 1e-6, out=32, use_gelu=True,
                    **{"vision.spatial_merge_size": 2, "vision.is_deepstack_layers": [False, True, False]})


# file -> (family, weights of matrices)
GGUF = {
    "mlp": (mlp, "F32"), "mlp-anyres": (mlp_anyres, "F16"), "mlp-noclass": (mlp_noclass, "F32"),
    "mlp-norm": (mlp_norm, "F32"), "idefics3": (idefics3, "F32"), "internvl": (internvl, "F32"),
    "internvl-qk-norm": (internvl_qk_norm, "F32"), "gemma3": (gemma3, "F32"), "qwen2vl": (qwen2vl, "F32"),
    "qwen2.5vl": (qwen25vl, "F32"), "qwen3vl": (qwen3vl, "F32"), "qwen2.5vl-q8_0": (qwen25vl, "Q8_0"),
    **{"wide-" + k.lower(): (wide, k) for k in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K")},
}


def kind_of(name, x, kind):
    """As converters choose: vectors and positions F32; kernels, and matrices that blocks do not fit, F16 at best."""
    if x.ndim == 1 or "position_embd" in name:
        return "F32"
    if x.ndim == 4 or x.shape[-1] % gguf_writer.TYPES[kind][1] or "input_projection" in name:
        return kind if kind in ("F32", "F16") else "F16"
    return kind


def write_gguf(path, name):
    family, kind = GGUF[name]
    w = Weights(family.__name__)
    head = family(w)
    head["general.file_type"] = gguf_writer.FILE_TYPE[kind]
    gguf_writer.write(path, head, {k: (x, kind_of(k, x, kind)) for k, x in w.t.items()})


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.split("\n\n")[1])
    folder, names = sys.argv[1], sys.argv[2:]
    os.makedirs(folder, exist_ok=True)
    for name in GGUF:
        if not names or name in names:
            write_gguf(os.path.join(folder, name + ".gguf"), name)
    for name in make_folders.FOLDERS:
        if not names or name in names:
            make_folders.write(os.path.join(folder, name), name, Weights(name))


if __name__ == "__main__":
    main()
