"""The Hugging Face folders of make_models.py: config.json, preprocessor_config.json, weights. See FAMILIES there, 9."""
import json
import os

import numpy as np

import gguf_writer
import safetensors_io

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
HALF = [0.5, 0.5, 0.5]


def config(kind, architecture, width, layers, heads, image, patch, eps, act, **more):
    c = {"architectures": [architecture], "model_type": kind, "hidden_size": width, "num_hidden_layers": layers,
         "num_attention_heads": heads, "num_channels": 3, "image_size": image, "patch_size": patch,
         "layer_norm_eps": eps, "hidden_act": act, "attention_dropout": 0.0, "torch_dtype": "float32"}
    c.update(more)
    return c


def preprocessor(kind, mean, std, resample, **more):
    p = {"image_processor_type": kind, "do_resize": True, "resample": resample, "do_rescale": True,
         "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": mean, "image_std": std, "do_convert_rgb": True}
    p.update(more)
    return p


def tower(w, at, width, layers, ff, pre=False):
    """CLIP's and SigLIP's layers."""
    if pre:
        w.norm(at + "pre_layrnorm", width)
    for n in range(layers):
        layer = at + "encoder.layers.%d." % n
        w.norm(layer + "layer_norm1", width)
        w.linear(layer + "self_attn.q_proj", width, width, 1.5)
        w.linear(layer + "self_attn.k_proj", width, width, 1.5)
        w.linear(layer + "self_attn.v_proj", width, width)
        w.linear(layer + "self_attn.out_proj", width, width)
        w.norm(layer + "layer_norm2", width)
        w.linear(layer + "mlp.fc1", ff, width)
        w.linear(layer + "mlp.fc2", width, ff)
    w.norm(at + "post_layernorm", width)


def patches(w, name, width, patch, bias=True):
    w.put(name + ".weight", (width, 3, patch, patch), 0.7 / np.sqrt(3) / patch)
    if bias:
        w.put(name + ".bias", (width,), 0.2)


def pooling_head(w, at, width, ff):
    w.put(at + "probe", (1, 1, width), 1.0)
    w.put(at + "attention.in_proj_weight", (3 * width, width), 1.5 / np.sqrt(width))
    w.put(at + "attention.in_proj_bias", (3 * width,), 0.1)
    w.linear(at + "attention.out_proj", width, width)
    w.norm(at + "layernorm", width)
    w.linear(at + "mlp.fc1", ff, width)
    w.linear(at + "mlp.fc2", width, ff)


def clip(w):
    at = "vision_model."
    w.put(at + "embeddings.class_embedding", (64,), 0.7)
    patches(w, at + "embeddings.patch_embedding", 64, 14, False)
    w.put(at + "embeddings.position_embedding.weight", (17, 64), 0.5)
    tower(w, at, 64, 3, 128, pre=True)
    return (config("clip_vision_model", "CLIPVisionModel", 64, 3, 4, 56, 14, 1e-5, "quick_gelu", intermediate_size=128,
                   projection_dim=32),
            preprocessor("CLIPImageProcessor", CLIP_MEAN, CLIP_STD, 3, size={"shortest_edge": 56}, do_center_crop=True,
                         crop_size={"height": 56, "width": 56}))


def clip_336(w):
    """LLaVA's 24 x 24 patches, which FiCoCo's official code is written for."""
    at = "vision_model."
    w.put(at + "embeddings.class_embedding", (32,), 0.7)
    patches(w, at + "embeddings.patch_embedding", 32, 14, False)
    w.put(at + "embeddings.position_embedding.weight", (577, 32), 0.5)
    tower(w, at, 32, 4, 64, pre=True)
    return (config("clip_vision_model", "CLIPVisionModel", 32, 4, 2, 336, 14, 1e-5, "quick_gelu", intermediate_size=64,
                   projection_dim=32),
            preprocessor("CLIPImageProcessor", CLIP_MEAN, CLIP_STD, 3, size={"shortest_edge": 336}, do_center_crop=True,
                         crop_size={"height": 336, "width": 336}))


def siglip_like(w, width, layers, ff, positions, linear=0):
    at = "vision_model."
    if linear:
        w.put(at + "embeddings.patch_embedding.weight", (width, 3 * linear * linear), 0.7 / np.sqrt(3) / linear)
        w.put(at + "embeddings.patch_embedding.bias", (width,), 0.2)
    else:
        patches(w, at + "embeddings.patch_embedding", width, 16)
    w.put(at + "embeddings.position_embedding.weight", (positions, width), 0.5)
    tower(w, at, width, layers, ff)
    pooling_head(w, at + "head.", width, ff)


def siglip(w):
    siglip_like(w, 48, 3, 112, 16)
    return (config("siglip_vision_model", "SiglipVisionModel", 48, 3, 3, 64, 16, 1e-6, "gelu_pytorch_tanh",
                   intermediate_size=112),
            preprocessor("SiglipImageProcessor", HALF, HALF, 3, size={"height": 64, "width": 64}))


def siglip2(w):
    """SigLIP 2 of fixed resolution: SigLIP's class and names, bilinear. In bfloat16."""
    siglip_like(w, 32, 2, 64, 36)
    return (config("siglip_vision_model", "SiglipVisionModel", 32, 2, 2, 96, 16, 1e-6, "gelu_pytorch_tanh",
                   intermediate_size=64, torch_dtype="bfloat16"),
            preprocessor("SiglipImageProcessor", HALF, HALF, 2, size={"height": 96, "width": 96}))


def naflex(w):
    siglip_like(w, 48, 2, 96, 36, linear=16)
    return (config("siglip2_vision_model", "Siglip2VisionModel", 48, 2, 3, 96, 16, 1e-6, "gelu_pytorch_tanh",
                   intermediate_size=96, num_patches=36),
            preprocessor("Siglip2ImageProcessor", HALF, HALF, 2, patch_size=16, max_num_patches=25))


def dino(w, width, layers, positions, ratio=2, swiglu=False, registers=0):
    at = "embeddings."
    w.put(at + "cls_token", (1, 1, width), 0.7)
    w.put(at + "mask_token", (1, width), 0.1)
    if registers:
        w.put(at + "register_tokens", (1, registers, width), 0.7)
    w.put(at + "position_embeddings", (1, positions + 1, width), 0.5)
    patches(w, at + "patch_embeddings.projection", width, 14)
    for n in range(layers):
        layer = "encoder.layer.%d." % n
        w.norm(layer + "norm1", width)
        w.linear(layer + "attention.attention.query", width, width, 1.5)
        w.linear(layer + "attention.attention.key", width, width, 1.5)
        w.linear(layer + "attention.attention.value", width, width)
        w.linear(layer + "attention.output.dense", width, width)
        w.put(layer + "layer_scale1.lambda1", (width,), 0.2, 0.6)
        w.norm(layer + "norm2", width)
        if swiglu:
            ff = (int(int(width * ratio) * 2 / 3) + 7) // 8 * 8
            w.linear(layer + "mlp.weights_in", 2 * ff, width)
            w.linear(layer + "mlp.weights_out", width, ff)
        else:
            w.linear(layer + "mlp.fc1", width * ratio, width)
            w.linear(layer + "mlp.fc2", width, width * ratio)
        w.put(layer + "layer_scale2.lambda1", (width,), 0.2, 0.6)
    w.norm("layernorm", width)


def dino_config(kind, architecture, width, layers, heads, image, **more):
    return config(kind, architecture, width, layers, heads, image, 14, 1e-6, "gelu", mlp_ratio=2, qkv_bias=True,
                  use_swiglu_ffn=False, layerscale_value=1.0, drop_path_rate=0.0, hidden_dropout_prob=0.0,
                  attention_probs_dropout_prob=0.0, **more)


def dino_crop(edge, crop):
    return preprocessor("BitImageProcessor", IMAGENET_MEAN, IMAGENET_STD, 3, size={"shortest_edge": edge},
                        do_center_crop=True, crop_size={"height": crop, "width": crop})


def dinov2(w):
    """Trained (as it were) at 98 pixels, used at 56: the positions are resized, as every released DINOv2's are."""
    dino(w, 64, 3, 49)
    return dino_config("dinov2", "Dinov2Model", 64, 3, 4, 98), dino_crop(64, 56)


def dinov2_swiglu(w):
    dino(w, 48, 2, 16, ratio=4, swiglu=True)
    c = dino_config("dinov2", "Dinov2Model", 48, 2, 3, 56)
    c.update(use_swiglu_ffn=True, mlp_ratio=4)
    return c, dino_crop(64, 56)


def dinov2_registers(w):
    dino(w, 48, 2, 25, registers=4)
    return (dino_config("dinov2_with_registers", "Dinov2WithRegistersModel", 48, 2, 3, 70, num_register_tokens=4),
            dino_crop(64, 56))


# folder -> (family, element type of the matrices, shards)
FOLDERS = {"clip": (clip, "F32", 1), "clip-336": (clip_336, "F32", 1), "siglip": (siglip, "F32", 1),
           "siglip2": (siglip2, "BF16", 1), "siglip2-naflex": (naflex, "F32", 1), "dinov2": (dinov2, "F32", 1),
           "dinov2-swiglu": (dinov2_swiglu, "F16", 2), "dinov2-registers": (dinov2_registers, "F32", 1)}
CAST = {"F32": lambda x: x, "F16": lambda x: x.astype(np.float16), "BF16": gguf_writer.bf16_bits}


def write(folder, name, w):
    family, kind, shards = FOLDERS[name]
    head, pre = family(w)
    os.makedirs(folder, exist_ok=True)
    for file, body in (("config.json", head), ("preprocessor_config.json", pre)):
        with open(os.path.join(folder, file), "w") as out:
            json.dump(body, out, indent=2)
            out.write("\n")
    tensors = {k: CAST[kind](x) for k, x in sorted(w.t.items())}
    if shards == 1:
        safetensors_io.write(os.path.join(folder, "model.safetensors"), tensors, {"format": "pt"})
        return
    where, names = {}, list(tensors)
    for i in range(shards):
        file = "model-%05d-of-%05d.safetensors" % (i + 1, shards)
        part = names[i::shards]
        safetensors_io.write(os.path.join(folder, file), {k: tensors[k] for k in part}, {"format": "pt"})
        where.update({k: file for k in part})
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as out:
        json.dump({"metadata": {"total_size": sum(x.nbytes for x in tensors.values())}, "weight_map": where}, out)
