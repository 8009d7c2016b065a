"""The encoders of GGUF families in transformers' classes, with the weights of a GGUF file. Used by oracle_hf.py."""
import torch
from torch import nn

BLOCK = {"ln1": "layer_norm1", "ln2": "layer_norm2", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
         "attn_v": "self_attn.v_proj", "attn_out": "self_attn.out_proj", "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2"}
INTERN = {"ln1": "layernorm_before", "ln2": "layernorm_after", "attn_q": "attention.q_proj", "attn_k": "attention.k_proj",
          "attn_v": "attention.v_proj", "attn_out": "attention.projection_layer", "attn_q_norm": "attention.q_norm",
          "attn_k_norm": "attention.k_norm", "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2"}
QWEN = {"ln1": "norm1", "ln2": "norm2", "attn_qkv": "attn.qkv", "attn_out": "attn.proj"}


def unswap(t, width):
    """Old names: ffn_down is fc1."""
    if t["v.blk.0.ffn_down.weight"].shape[1] != width:
        return t
    other = {".ffn_up.": ".ffn_down.", ".ffn_down.": ".ffn_up."}
    return {next((k.replace(a, b) for a, b in other.items() if a in k), k): v for k, v in t.items()}


def blocks(t, prefix, names):
    out = {}
    for k, v in t.items():
        if k.startswith("v.blk."):
            n, what, end = k[6:].split(".", 2)
            if what in names:
                out["%s%s.%s.%s" % (prefix, n, names[what], end)] = v
    return out


def fill(module, weights):
    left = module.load_state_dict(weights, strict=False)
    missing = [k for k in left.missing_keys if "position_ids" not in k and "inv_freq" not in k]
    assert not missing and not left.unexpected_keys, (missing, left.unexpected_keys)
    return module.eval()


def linear(t, name):
    layer = nn.Linear(*t[name + ".weight"].shape[::-1], bias=name + ".bias" in t)
    return fill(layer, {k: t[name + "." + k] for k in ("weight", "bias") if name + "." + k in t})


def common(s):
    v = "clip.vision."
    return dict(hidden_size=s[v + "embedding_length"], intermediate_size=s[v + "feed_forward_length"],
                num_hidden_layers=s[v + "block_count"], num_attention_heads=s[v + "attention.head_count"],
                image_size=s[v + "image_size"], patch_size=s[v + "patch_size"],
                layer_norm_eps=s[v + "attention.layer_norm_epsilon"], attn_implementation="eager")


def tap_layers(Tap, layers, attention, key="k_proj", query="q_proj"):
    last = len(layers) - 1
    return Tap({"%s.%d" % (what, n): getattr(attention(layers[n]), name)
                for n in (0, last) for what, name in (("keys", key), ("queries", query))})


def keep(result, taps, hidden, which):
    result.update(taps.got)
    for n in which:
        result["hidden.%d" % n] = hidden[n]
    return result


def siglip(s, t, Tap):
    from transformers import SiglipVisionConfig, SiglipVisionModel
    model = SiglipVisionModel(SiglipVisionConfig(**common(s), hidden_act="gelu_pytorch_tanh", vision_use_head=False))
    at = "vision_model." if hasattr(model, "vision_model") else ""
    w = blocks(t, at + "encoder.layers.", BLOCK)
    w.update({at + "embeddings.patch_embedding.weight": t["v.patch_embd.weight"],
              at + "embeddings.patch_embedding.bias": t["v.patch_embd.bias"],
              at + "embeddings.position_embedding.weight": t["v.position_embd.weight"],
              at + "post_layernorm.weight": t["v.post_ln.weight"], at + "post_layernorm.bias": t["v.post_ln.bias"]})
    fill(model, w)
    vision = getattr(model, "vision_model", model)
    return model, tap_layers(Tap, vision.encoder.layers, lambda layer: layer.self_attn)


def mlp(s, t, pixels, Tap):
    """LLaVA: CLIP's hidden state before the last layer (or feature_layer), without the class row, then the projector."""
    if "v.class_embd" not in t:
        return mlp_norm(s, t, pixels, Tap)
    from transformers import CLIPVisionConfig, CLIPVisionModel
    model = CLIPVisionModel(CLIPVisionConfig(**common(s), hidden_act="quick_gelu"))
    at = "vision_model." if hasattr(model, "vision_model") else ""
    w = blocks(t, at + "encoder.layers.", BLOCK)
    w.update({at + "embeddings.patch_embedding.weight": t["v.patch_embd.weight"],
              at + "embeddings.class_embedding": t["v.class_embd"],
              at + "embeddings.position_embedding.weight": t["v.position_embd.weight"],
              at + "pre_layrnorm.weight": t["v.pre_ln.weight"], at + "pre_layrnorm.bias": t["v.pre_ln.bias"],
              at + "post_layernorm.weight": torch.ones(s["clip.vision.embedding_length"]),
              at + "post_layernorm.bias": torch.zeros(s["clip.vision.embedding_length"])})
    fill(model, w)
    vision = getattr(model, "vision_model", model)
    taps = tap_layers(Tap, vision.encoder.layers, lambda layer: layer.self_attn)
    out = model(pixel_values=pixels, output_hidden_states=True, output_attentions=True)
    layers = s["clip.vision.block_count"]
    run = max(s.get("clip.vision.feature_layer", [layers - 1]))
    x = out.hidden_states[run][:, 1:]
    result = {"tokens": linear(t, "mm.2")(nn.functional.gelu(linear(t, "mm.0")(x)))}
    result["cls_attention.0"] = out.attentions[0][:, :, 0, 1:]
    result["cls_attention.%d" % (run - 1)] = out.attentions[run - 1][:, :, 0, 1:]
    keep(result, taps, out.hidden_states, (0, run))
    return {k: v for k, v in result.items() if not (k[-1].isdigit() and k[0] in "kq" and int(k[-1]) >= run)}


def mlp_norm(s, t, pixels, Tap):
    """Yi-VL's projector on a SigLIP tower whose last layer is not run, post_ln after the layer before it."""
    layers = s["clip.vision.block_count"] - 1
    s = {**s, "clip.vision.block_count": layers}
    t = {k: v for k, v in t.items() if not k.startswith("v.blk.%d." % layers)}
    model, taps = siglip(s, t, Tap)
    out = model(pixel_values=pixels, output_hidden_states=True)
    norm = lambda name, x: nn.functional.layer_norm(x, x.shape[-1:], t[name + ".weight"], t[name + ".bias"],
                                                    s["clip.vision.attention.layer_norm_epsilon"])
    x = norm("mm.1", linear(t, "mm.0")(out.last_hidden_state))
    x = norm("mm.4", linear(t, "mm.3")(nn.functional.gelu(x)))
    return keep({"tokens": x}, taps, out.hidden_states, (0, layers))


def idefics3(s, t, pixels, Tap):
    from transformers.models.idefics3 import configuration_idefics3 as c, modeling_idefics3 as m
    vision = c.Idefics3VisionConfig(**common(s), hidden_act="gelu_pytorch_tanh")
    model = m.Idefics3VisionTransformer(vision)
    w = blocks(t, "encoder.layers.", BLOCK)
    w.update({"embeddings.patch_embedding.weight": t["v.patch_embd.weight"],
              "embeddings.patch_embedding.bias": t["v.patch_embd.bias"],
              "embeddings.position_embedding.weight": t["v.position_embd.weight"],
              "post_layernorm.weight": t["v.post_ln.weight"], "post_layernorm.bias": t["v.post_ln.bias"]})
    fill(model, w)
    taps = tap_layers(Tap, model.encoder.layers, lambda layer: layer.self_attn)
    out = model(pixel_values=pixels, output_hidden_states=True)
    whole = c.Idefics3Config(vision_config=vision, scale_factor=s["clip.vision.projector.scale_factor"],
                             text_config={"model_type": "llama", "hidden_size": t["mm.model.fc.weight"].shape[0]})
    connector = fill(m.Idefics3Connector(whole), {"modality_projection.proj.weight": t["mm.model.fc.weight"]})
    hidden = out.hidden_states
    return keep({"tokens": connector(out.last_hidden_state)}, taps, hidden, (0, 1))


def internvl(s, t, pixels, Tap):
    from transformers.models.internvl import configuration_internvl as c, modeling_internvl as m
    pairs = {k: v for k, v in common(s).items() if k not in ("image_size", "patch_size")}
    size, patch = s["clip.vision.image_size"], s["clip.vision.patch_size"]
    vision = c.InternVLVisionConfig(**pairs, image_size=[size, size], patch_size=[patch, patch], hidden_act="gelu",
                                    attention_bias=True, use_qk_norm="v.blk.0.attn_q_norm.weight" in t,
                                    norm_type="layer_norm", use_mean_pooling=True)
    model = m.InternVLVisionModel(vision)
    w = blocks(t, "encoder.layer.", INTERN)
    for k, v in t.items():
        if ".ls1." in k or ".ls2." in k:
            n, what, _ = k[6:].split(".")
            w["encoder.layer.%s.lambda_%s" % (n, what[2])] = v
    w.update({"embeddings.patch_embeddings.projection.weight": t["v.patch_embd.weight"],
              "embeddings.patch_embeddings.projection.bias": t["v.patch_embd.bias"],
              "embeddings.cls_token": t["v.class_embd"].reshape(1, 1, -1),
              "embeddings.position_embeddings": t["v.position_embd.weight"][None]})
    fill(model, w)
    taps = tap_layers(Tap, model.encoder.layer, lambda layer: layer.attention)
    out = model(pixel_values=pixels, output_hidden_states=True, output_attentions=True)
    whole = c.InternVLConfig(vision_config=vision, downsample_ratio=0.5, projector_hidden_act="gelu",
                             text_config={"model_type": "qwen2", "hidden_size": 64})
    projector = fill(m.InternVLMultiModalProjector(whole), {
        "%s.%s" % (new, end): t["mm.model.mlp.%d.%s" % (old, end)]
        for old, new in ((0, "layer_norm"), (1, "linear_1"), (3, "linear_2")) for end in ("weight", "bias")})
    x = out.last_hidden_state[:, 1:]
    side = int(x.shape[1] ** 0.5)
    x = m.InternVLModel.pixel_shuffle(None, x.reshape(x.shape[0], side, side, -1), scale_factor=0.5)
    result = {"tokens": projector(x.reshape(x.shape[0], -1, x.shape[-1])), "cls_attention.0": out.attentions[0][:, :, 0, 1:]}
    return keep(result, taps, out.hidden_states, (0, len(out.hidden_states) - 1))


def gemma3(s, t, pixels, Tap):
    from transformers import Gemma3Config
    from transformers.models.gemma3.modeling_gemma3 import Gemma3MultiModalProjector
    model, taps = siglip(s, t, Tap)
    out = model(pixel_values=pixels, output_hidden_states=True)
    scale = s.get("clip.vision.projector.scale_factor", 4)
    side = s["clip.vision.image_size"] // s["clip.vision.patch_size"] // scale
    whole = Gemma3Config(vision_config=model.config.to_dict(), mm_tokens_per_image=side * side,
                         text_config={"hidden_size": t["mm.input_projection.weight"].shape[1]})
    projector = fill(Gemma3MultiModalProjector(whole), {
        "mm_input_projection_weight": t["mm.input_projection.weight"],
        "mm_soft_emb_norm.weight": t["mm.soft_emb_norm.weight"] - 1})
    del taps.got["queries.0"]
    return keep({"tokens": projector(out.last_hidden_state)}, taps, out.hidden_states, (1,))


def qwen(s, t, pixels, Tap):
    kind = s["clip.projector_type"]
    c = common(s)
    width, layers, heads, patch = c["hidden_size"], c["num_hidden_layers"], c["num_attention_heads"], c["patch_size"]
    out_width = t["mm.2.weight"].shape[0]
    names, merger = dict(QWEN), {"merger.mlp.0": "mm.0", "merger.mlp.2": "mm.2", "merger.ln_q": "v.post_ln"}
    if kind == "qwen2vl_merger":
        from transformers.models.qwen2_vl import configuration_qwen2_vl as q, modeling_qwen2_vl as m
        model = m.Qwen2VisionTransformerPretrainedModel(q.Qwen2VLVisionConfig(
            depth=layers, embed_dim=width, hidden_size=out_width, mlp_ratio=c["intermediate_size"] // width,
            num_heads=heads, patch_size=patch, hidden_act="quick_gelu", attn_implementation="eager"))
        names.update(ffn_up="mlp.fc1", ffn_down="mlp.fc2")
    elif kind == "qwen2.5vl_merger":
        from transformers.models.qwen2_5_vl import configuration_qwen2_5_vl as q, modeling_qwen2_5_vl as m
        every = s["clip.vision.n_wa_pattern"]
        model = m.Qwen2_5_VisionTransformerPretrainedModel(q.Qwen2_5_VLVisionConfig(
            depth=layers, hidden_size=width, intermediate_size=c["intermediate_size"], num_heads=heads, patch_size=patch,
            out_hidden_size=out_width, window_size=112, hidden_act="silu", attn_implementation="eager",
            fullatt_block_indexes=[n for n in range(layers) if (n + 1) % every == 0]))
        names.update(ffn_up="mlp.up_proj", ffn_down="mlp.down_proj", ffn_gate="mlp.gate_proj")
    else:
        from transformers.models.qwen3_vl import configuration_qwen3_vl as q, modeling_qwen3_vl as m
        deep = sorted({int(k.split(".")[2]) for k in t if k.startswith("v.deepstack.")})
        model = m.Qwen3VLVisionModel(q.Qwen3VLVisionConfig(
            depth=layers, hidden_size=width, intermediate_size=c["intermediate_size"], num_heads=heads, patch_size=patch,
            out_hidden_size=out_width, num_position_embeddings=t["v.position_embd.weight"].shape[0],
            deepstack_visual_indexes=deep, hidden_act="gelu_pytorch_tanh", attn_implementation="eager"))
        names.update(ffn_up="mlp.linear_fc1", ffn_down="mlp.linear_fc2")
        merger = {"merger.linear_fc1": "mm.0", "merger.linear_fc2": "mm.2", "merger.norm": "v.post_ln"}
        for i, n in enumerate(deep):
            for new, old in (("norm", "norm"), ("linear_fc1", "fc1"), ("linear_fc2", "fc2")):
                merger["deepstack_merger_list.%d.%s" % (i, new)] = "v.deepstack.%d.%s" % (n, old)
    for n in range(layers):
        at = "v.blk.%d.attn_" % n
        if at + "qkv.weight" not in t:
            for end in ("weight", "bias"):
                t[at + "qkv." + end] = torch.cat([t[at + x + "." + end] for x in "qkv"])
    w = blocks(t, "blocks.", names)
    for new, old in merger.items():
        w.update({new + "." + end: t[old + "." + end] for end in ("weight", "bias") if old + "." + end in t})
    w["patch_embed.proj.weight"] = torch.stack([t["v.patch_embd.weight"], t["v.patch_embd.weight.1"]], 2)
    if "v.patch_embd.bias" in t:
        w["patch_embed.proj.bias"] = t["v.patch_embd.bias"]
        w["pos_embed.weight"] = t["v.position_embd.weight"]
    fill(model, w)
    last = layers - 1
    taps = Tap({"qkv.%d" % n: model.blocks[n].attn.qkv for n in (0, last)})
    ins = {}
    for n in (0, 1):
        model.blocks[n].register_forward_pre_hook(lambda m, a, k, n=n: ins.__setitem__(n, a[0] if a else k["hidden_states"]),
                                                  with_kwargs=True)
    if pixels.shape[0] % 2:  # frames go in pairs; the last one repeats
        pixels = torch.cat([pixels, pixels[-1:]])
    pairs, h, wd = pixels.shape[0] // 2, pixels.shape[2] // patch, pixels.shape[3] // patch
    p = pixels.reshape(pairs, 2, 3, h // 2, 2, patch, wd // 2, 2, patch).permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    grid = torch.tensor([[pairs, h, wd]])
    out = model(p.reshape(pairs * h * wd, -1), grid_thw=grid)
    rows = torch.arange(pairs * h * wd)
    if kind == "qwen2.5vl_merger":  # out of the windows
        from transformers.vision_utils import get_vision_window_index
        index, _ = get_vision_window_index(grid, 2, 112, patch)
        rows = (torch.argsort(index)[:, None] * 4 + torch.arange(4)).reshape(-1)
    tokens = out.pooler_output
    if kind == "qwen3vl_merger":
        tokens = torch.cat([tokens] + list(out.deepstack_features), -1)
    def by_pair(x):
        return x.reshape(pairs, -1, x.shape[-1])

    result = {"tokens": by_pair(tokens), "hidden.1": by_pair(ins[1][rows]),
              "keys.%d" % last: by_pair(taps.got["qkv.%d" % last][rows].chunk(3, -1)[1])}
    if len(rows) < 50:
        result["hidden.0"] = by_pair(ins[0][rows])
        result["queries.0"] = by_pair(taps.got["qkv.0"][rows].chunk(3, -1)[0])
    return result


FAMILIES = {"mlp": mlp, "idefics3": idefics3, "internvl": internvl, "gemma3": gemma3, "qwen2vl_merger": qwen,
            "qwen2.5vl_merger": qwen, "qwen3vl_merger": qwen}


@torch.no_grad()
def run(settings, tensors, pixels, Tap):
    tensors = unswap(tensors, settings["clip.vision.embedding_length"])
    return FAMILIES[settings["clip.projector_type"]](settings, tensors, pixels, Tap)
