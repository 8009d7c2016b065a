"""Vision models of real sizes with random weights, and a text model that has little but a
vocabulary and a width: what encoder.py measures. Written as tests/vit/make_models.py writes its
tiny ones."""
import collections
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("vit", "llama")]
import gguf_writer
import make_models
import make_text_models

# of a ViT-S, a ViT-B and a ViT-L
Size = collections.namedtuple("Size", "width heads layers patch")
SMALL, BASE, LARGE = Size(384, 6, 12, 16), Size(768, 12, 12, 16), Size(1024, 16, 24, 14)


def settings(family, size, side, eps, out, *norms, **more):
    return make_models.settings(family, size.width, size.layers, 4 * size.width, size.heads, side,
                                size.patch, eps, out, *norms, **more)


def clip(w, size, side, out):
    """Under LLaVA's projector: class token, the last layer run too (feature_layer), quick GELU."""
    width, n = size.width, (side // size.patch) ** 2
    make_models.encoder(w, width, size.layers, 4 * width, size.patch, n + 1, cls=True,
                        patch_bias=False, pre=True, post=False)
    make_models.projector_mlp(w, width, out)
    return settings("mlp", size, side, 1e-5, out, make_models.CLIP_MEAN, make_models.CLIP_STD,
                    use_gelu=False, **{"vision.feature_layer": [size.layers]})


def siglip(w, size, side, out):
    """Under LLaVA's projector: no class token, all layers and the last norm, tanh GELU."""
    width = size.width
    make_models.encoder(w, width, size.layers, 4 * width, size.patch, (side // size.patch) ** 2)
    make_models.projector_mlp(w, width, out)
    return settings("mlp", size, side, 1e-6, out, use_gelu=True,
                    **{"vision.feature_layer": [size.layers]})


def idefics3(w, size, side, out):
    """SmolVLM's SigLIP: 4x4 rows shuffled into one, one linear layer."""
    width = size.width
    make_models.encoder(w, width, size.layers, 4 * width, size.patch, (side // size.patch) ** 2)
    w.linear("mm.model.fc", out, 16 * width, bias=False)
    return settings("idefics3", size, side, 1e-6, out, use_gelu=True,
                    **{"vision.projector.scale_factor": 4, "vision.preproc_image_size": side})


# text_width: floats of a row that the language model gets. pipelines: measured inside the layers.
Model = collections.namedtuple("Model", "like family size side text_width pipelines")
MODELS = {
    "clip-b16-224": Model("CLIP ViT-B/16 under LLaVA's projector", clip, BASE, 224, 2048,
                          ["tome=r=8:layers=all", "tome=r=13:layers=all",
                           "fastervlm=keep=50%:layers=3"]),
    "clip-l14-336": Model("CLIP ViT-L/14-336 under LLaVA's projector", clip, LARGE, 336, 4096,
                          ["tome=r=18:layers=all", "fastervlm=keep=50%:layers=6"]),
    "siglip-s16-512": Model("SigLIP S/16 under LLaVA's projector", siglip, SMALL, 512, 960,
                            ["tome=r=42:layers=all", "tome=r=64:layers=all"]),
    "siglip-b16-384": Model("SigLIP B/16 under LLaVA's projector", siglip, BASE, 384, 2048,
                            ["tome=r=24:layers=all", "tome=r=36:layers=all"]),
    "idefics3-b16-512": Model("SmolVLM's SigLIP B/16", idefics3, BASE, 512, 960,
                              ["laco=layer=3"]),
}


def write_model(path, name, kind):
    model, w = MODELS[name], make_models.Weights(name)
    head = model.family(w, model.size, model.side, model.text_width)
    head["general.file_type"] = gguf_writer.FILE_TYPE[kind]
    gguf_writer.write(path, head, {k: (x, make_models.kind_of(k, x, kind)) for k, x in w.t.items()})


def write_text_model(path, width):
    """One layer of llama's."""
    words = make_text_models.vocabulary()[0]
    head = {"general.architecture": "llama", "general.file_type": 0, **make_text_models.tokenizer(),
            "llama.context_length": 4096, "llama.embedding_length": width, "llama.block_count": 1,
            "llama.feed_forward_length": 64, "llama.attention.head_count": width // 64,
            "llama.attention.head_count_kv": 1, "llama.attention.layer_norm_rms_epsilon": 1e-6,
            "llama.rope.dimension_count": 64, "llama.vocab_size": len(words)}
    shapes = {"token_embd": (len(words), width), "output_norm": (width,),
              "blk.0.attn_norm": (width,), "blk.0.ffn_norm": (width,),
              "blk.0.attn_q": (width, width), "blk.0.attn_k": (64, width),
              "blk.0.attn_v": (64, width), "blk.0.attn_output": (width, width),
              "blk.0.ffn_gate": (64, width), "blk.0.ffn_up": (64, width),
              "blk.0.ffn_down": (width, 64)}
    tensors = {k + ".weight": (np.full(s, 0.01, np.float32), "F32") for k, s in shapes.items()}
    gguf_writer.write(path, head, tensors)


def write_picture(path, side):
    """Smooth waves and noise, so that attention has something to tell apart."""
    r = np.random.RandomState(7)
    y, x = np.mgrid[0:side, 0:side] / side
    waves = [(1, 2, 0), (3, -1, 0.3), (-2, 2, 0.6)]
    planes = [127 + 80 * np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in waves]
    rgb = np.clip(np.stack(planes, 2) + r.normal(0, 25, (side, side, 3)), 0, 255)
    with open(path, "wb") as file:
        file.write(b"P6\n%d %d\n255\n" % (side, side) + rgb.astype(np.uint8).tobytes())
