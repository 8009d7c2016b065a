/* model_folder.c: Hugging Face folders of vision encoders: CLIP, SigLIP (SigLIP 2 of a fixed size
 * is saved as it), SigLIP 2 NaFlex, DINOv2.
 *
 * Names of keys and tensors follow transformers' modeling_clip.py, modeling_siglip.py,
 * modeling_siglip2.py and modeling_dinov2.py. A folder of a whole CLIP or SigLIP model is read too:
 * its vision half has the same names. Tokens are the patches' rows of last_hidden_state: CLIP's
 * without the last norm (transformers applies it to the pooled row alone), SigLIP's and DINOv2's
 * with it.
 */
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "config.vision_config.KEY" where the folder holds a whole model, else "config.KEY". */
static const char *key_of(const wn_reader *r, char *room, size_t size, const char *key)
{
    double unused;
    snprintf(room, size, "config.vision_config.%s", key);
    const char *text;
    if (wn_setting_number(r->weights, room, &unused) || wn_setting_text(r->weights, room, &text))
        return room;
    snprintf(room, size, "config.%s", key);
    return room;
}

static winnow_status read_count(const wn_reader *r, const char *key, uint32_t least, uint32_t most,
                                uint32_t fallback, uint32_t *out)
{
    char room[128];
    return wn_read_count(r, key_of(r, room, sizeof room, key), least, most, fallback, out);
}

static winnow_status read_act(const wn_reader *r, const char *fallback)
{
    static const struct {
        const char *name;
        uint32_t act;
    } acts[] = {{"gelu", WN_ACT_GELU_ERF},
                {"quick_gelu", WN_ACT_QUICK},
                {"gelu_pytorch_tanh", WN_ACT_GELU_TANH},
                {"gelu_new", WN_ACT_GELU_TANH},
                {"silu", WN_ACT_SILU},
                {"swish", WN_ACT_SILU},
                {"relu", WN_ACT_RELU}};
    char room[128];
    const char *name = fallback;
    wn_setting_text(r->weights, key_of(r, room, sizeof room, "hidden_act"), &name);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; ++i)
        if (!strcmp(acts[i].name, name)) {
            r->vit->act = acts[i].act;
            return WINNOW_OK;
        }
    return wn_fail(
        r->host, WINNOW_E_FILE,
        "%s: hidden_act is \"%s\" (gelu, quick_gelu, gelu_pytorch_tanh, silu and relu are run)",
        wn_weights_path(r->weights), name);
}

/* Sizes; the fallbacks are the defaults of transformers' configuration classes, which files leave
 * out. */
static winnow_status read_sizes(const wn_reader *r, uint32_t width, uint32_t inner, uint32_t image,
                                uint32_t patch, float eps)
{
    wn_vit *v = r->vit;
    uint32_t channels;
    char room[128];
    WN_TRY(read_count(r, "hidden_size", 2, 1 << 15, width, &v->width));
    WN_TRY(read_count(r, "intermediate_size", 1, 1 << 17, inner, &v->inner));
    WN_TRY(read_count(r, "num_hidden_layers", 1, 512, 12, &v->layers));
    WN_TRY(read_count(r, "num_attention_heads", 1, 1024, 12, &v->heads));
    WN_TRY(read_count(r, "image_size", 1, 1 << 14, image, &v->image));
    WN_TRY(read_count(r, "patch_size", 1, 256, patch, &v->patch));
    WN_TRY(read_count(r, "num_channels", 1, 64, 3, &channels));
    if (channels != 3)
        return wn_fail(r->host, WINNOW_E_FILE, "%s: num_channels is %u (pictures have 3)",
                       wn_weights_path(r->weights), channels);
    v->eps = wn_read_real(r, key_of(r, room, sizeof room, "layer_norm_eps"), eps);
    v->run_layers = v->layers;
    v->dim = v->width;
    v->layer = wn_alloc(r->host, v->layers * sizeof *v->layer);
    return v->layer ? WINNOW_OK
                    : wn_fail(r->host, WINNOW_E_HOST_MEMORY, "%s: no memory for %u layers",
                              wn_weights_path(r->weights), v->layers);
}

static winnow_status read_patches(const wn_reader *r, const char *name)
{
    wn_vit *v = r->vit;
    const uint64_t kernel[4] = {v->width, 3, v->patch, v->patch}, width[1] = {v->width};
    v->embed = (wn_linear){.parts = 1, .in = 3 * v->patch * v->patch, .out = v->width};
    WN_TRY(wn_read_tensor(r, true, &v->embed.weight[0], 4, kernel, "%s.weight", name));
    return wn_read_tensor(r, false, &v->embed.bias[0], 1, width, "%s.bias", name);
}

static winnow_status read_rows(const wn_reader *r, wn_table *out, uint32_t count, const char *name)
{
    const wn_tensor *t = NULL;
    WN_TRY(wn_weights_find(r->weights, name, &t));
    if (!t || t->elements != (uint64_t)count * r->vit->width)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: tensor %s %s %u rows of %u (the file is damaged)",
                       wn_weights_path(r->weights), name,
                       t ? "has not" : "is missing, it should have", count, r->vit->width);
    *out = (wn_table){.rows = t, .count = count, .cols = r->vit->width};
    return WINNOW_OK;
}

static winnow_status read_positions(const wn_reader *r, const char *name)
{
    wn_vit *v = r->vit;
    v->position_side = v->image / v->patch;
    v->position_first = v->class_token;
    v->positions = v->class_token ? WN_POSITIONS_BICUBIC : WN_POSITIONS_TABLE;
    return read_rows(r, &v->position_rows, v->position_side * v->position_side + v->position_first,
                     name);
}

static winnow_status read_qkv(const wn_reader *r, wn_vit_layer *layer, const char *at,
                              const char *const names[3])
{
    const uint32_t width = r->vit->width;
    layer->qkv = (wn_linear){.parts = 3, .in = width, .out = 3 * width};
    for (uint32_t i = 0; i < 3; ++i) {
        wn_linear one;
        WN_TRY(wn_read_linear(r, true, &one, width, width, "%s.%s", at, names[i]));
        layer->qkv.weight[i] = one.weight[0];
        layer->qkv.bias[i] = one.bias[0];
    }
    return WINNOW_OK;
}

/* -- CLIP and SigLIP --------------------------------------------------------------------------- */

static winnow_status read_clip_layer(const wn_reader *r, uint32_t l)
{
    static const char *const qkv[3] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
    wn_vit *v = r->vit;
    wn_vit_layer *layer = &v->layer[l];
    char at[64];
    snprintf(at, sizeof at, "vision_model.encoder.layers.%u", l);
    WN_TRY(wn_read_norm(r, true, &layer->norm1, v->width, "%s.layer_norm1", at));
    WN_TRY(wn_read_norm(r, true, &layer->norm2, v->width, "%s.layer_norm2", at));
    WN_TRY(read_qkv(r, layer, at, qkv));
    WN_TRY(wn_read_linear(r, true, &layer->out, v->width, v->width, "%s.self_attn.out_proj", at));
    WN_TRY(wn_read_linear(r, true, &layer->up, v->width, v->inner, "%s.mlp.fc1", at));
    return wn_read_linear(r, true, &layer->down, v->inner, v->width, "%s.mlp.fc2", at);
}

static winnow_status read_clip_layers(const wn_reader *r)
{
    for (uint32_t l = 0; l < r->vit->layers; ++l)
        WN_TRY(read_clip_layer(r, l));
    return wn_read_norm(r, false, &r->vit->post, r->vit->width, "vision_model.post_layernorm");
}

static winnow_status read_clip(const wn_reader *r)
{
    wn_vit *v = r->vit;
    WN_TRY(read_sizes(r, 768, 3072, 224, 32, 1e-5f));
    WN_TRY(read_act(r, "quick_gelu"));
    WN_TRY(read_patches(r, "vision_model.embeddings.patch_embedding"));
    v->class_token = true;
    WN_TRY(read_rows(r, &v->class_row, 1, "vision_model.embeddings.class_embedding"));
    WN_TRY(read_positions(r, "vision_model.embeddings.position_embedding.weight"));
    /* spelled so in every file */
    WN_TRY(wn_read_norm(r, true, &v->pre, v->width, "vision_model.pre_layrnorm"));
    v->prep.fit = WN_FIT_CROP;
    v->prep.filter = WN_FILTER_BICUBIC;
    return read_clip_layers(r);
}

/* The pooling head: one probe asks every token. Only its attention is wanted. */
static winnow_status read_probe(const wn_reader *r)
{
    wn_vit *v = r->vit;
    const uint64_t weight[2] = {3 * (uint64_t)v->width, v->width},
                   bias[1] = {3 * (uint64_t)v->width};
    const wn_tensor *t = NULL;
    WN_TRY(wn_weights_find(r->weights, "vision_model.head.probe", &t));
    if (!t)
        return WINNOW_OK;
    WN_TRY(read_rows(r, &v->probe, 1, "vision_model.head.probe"));
    v->probe_qk = (wn_linear){.parts = 1, .in = v->width, .out = 3 * v->width};
    WN_TRY(wn_read_tensor(r, true, &v->probe_qk.weight[0], 2, weight,
                          "vision_model.head.attention.in_proj_weight"));
    return wn_read_tensor(r, true, &v->probe_qk.bias[0], 1, bias,
                          "vision_model.head.attention.in_proj_bias");
}

static winnow_status read_siglip_rest(const wn_reader *r)
{
    wn_vit *v = r->vit;
    WN_TRY(read_probe(r));
    WN_TRY(read_clip_layers(r));
    v->post_on_tokens = v->post.gain != NULL;
    return WINNOW_OK;
}

static winnow_status read_siglip(const wn_reader *r)
{
    wn_vit *v = r->vit;
    WN_TRY(read_sizes(r, 768, 3072, 224, 16, 1e-6f));
    WN_TRY(read_act(r, "gelu_pytorch_tanh"));
    WN_TRY(read_patches(r, "vision_model.embeddings.patch_embedding"));
    WN_TRY(read_positions(r, "vision_model.embeddings.position_embedding.weight"));
    v->prep.fit = WN_FIT_SQUASH;
    v->prep.filter = WN_FILTER_BICUBIC;
    return read_siglip_rest(r);
}

/* Pictures of any size; the positions are a square that is resized for each. */
static winnow_status read_naflex(const wn_reader *r)
{
    static const char *const embed = "vision_model.embeddings.patch_embedding";
    wn_vit *v = r->vit;
    uint32_t count;
    WN_TRY(read_sizes(r, 768, 3072, 224, 16, 1e-6f));
    WN_TRY(read_act(r, "gelu_pytorch_tanh"));
    WN_TRY(wn_read_linear(r, true, &v->embed, 3 * v->patch * v->patch, v->width, "%s", embed));
    WN_TRY(read_count(r, "num_patches", 1, 1 << 20, 256, &count));
    while ((v->position_side + 1) * (v->position_side + 1) <= count)
        ++v->position_side;
    if (v->position_side * v->position_side != count)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: num_patches is %u, which is no square (the file is damaged)",
                       wn_weights_path(r->weights), count);
    WN_TRY(read_rows(r, &v->position_rows, count,
                     "vision_model.embeddings.position_embedding.weight"));
    v->by_pixel = true;
    v->image = 0;
    v->positions = WN_POSITIONS_BILINEAR_WIDE;
    v->prep.fit = WN_FIT_NAFLEX;
    v->prep.filter = WN_FILTER_BILINEAR;
    return read_siglip_rest(r);
}

/* -- DINOv2 ------------------------------------------------------------------------------------ */

/* Two linears, or SwiGLU with both halves of the first in one tensor: silu(first half) * second
 * half. */
static winnow_status read_dino_mlp(const wn_reader *r, wn_vit_layer *layer, const char *at)
{
    wn_vit *v = r->vit;
    WN_TRY(wn_read_linear(r, false, &layer->up, v->width, 0, "%s.mlp.fc1", at));
    if (layer->up.parts) {
        v->inner = layer->up.out;
        return wn_read_linear(r, true, &layer->down, v->inner, v->width, "%s.mlp.fc2", at);
    }
    WN_TRY(wn_read_linear(r, true, &layer->up, v->width, 0, "%s.mlp.weights_in", at));
    if (layer->up.out % 2 != 0)
        return wn_fail(
            r->host, WINNOW_E_FILE,
            "%s: tensor %s.mlp.weights_in.weight has %u rows, an odd number (the file is damaged)",
            wn_weights_path(r->weights), at, layer->up.out);
    v->gated_pair = true;
    v->act = WN_ACT_SILU;
    v->inner = layer->up.out / 2;
    return wn_read_linear(r, true, &layer->down, v->inner, v->width, "%s.mlp.weights_out", at);
}

static winnow_status read_dino_layer(const wn_reader *r, const char *prefix, uint32_t l)
{
    static const char *const qkv[3] = {"attention.attention.query", "attention.attention.key",
                                       "attention.attention.value"};
    wn_vit *v = r->vit;
    wn_vit_layer *layer = &v->layer[l];
    const uint64_t width[1] = {v->width};
    char at[64];
    snprintf(at, sizeof at, "%sencoder.layer.%u", prefix, l);
    WN_TRY(wn_read_norm(r, true, &layer->norm1, v->width, "%s.norm1", at));
    WN_TRY(wn_read_norm(r, true, &layer->norm2, v->width, "%s.norm2", at));
    WN_TRY(read_qkv(r, layer, at, qkv));
    WN_TRY(
        wn_read_linear(r, true, &layer->out, v->width, v->width, "%s.attention.output.dense", at));
    WN_TRY(read_dino_mlp(r, layer, at));
    WN_TRY(wn_read_tensor(r, false, &layer->out.scale, 1, width, "%s.layer_scale1.lambda1", at));
    return wn_read_tensor(r, false, &layer->down.scale, 1, width, "%s.layer_scale2.lambda1", at);
}

static winnow_status read_dino(const wn_reader *r)
{
    wn_vit *v = r->vit;
    const wn_tensor *found = NULL;
    char name[96];
    WN_TRY(wn_weights_find(r->weights, "dinov2.embeddings.cls_token", &found));
    const char *prefix = found ? "dinov2." : "";
    WN_TRY(read_sizes(r, 768, 3072, 224, 16, 1e-6f));
    WN_TRY(read_act(r, "gelu"));
    snprintf(name, sizeof name, "%sembeddings.patch_embeddings.projection", prefix);
    WN_TRY(read_patches(r, name));
    v->class_token = true;
    snprintf(name, sizeof name, "%sembeddings.cls_token", prefix);
    WN_TRY(read_rows(r, &v->class_row, 1, name));
    WN_TRY(read_count(r, "num_register_tokens", 0, 64, 0, &v->registers));
    if (v->registers) {
        snprintf(name, sizeof name, "%sembeddings.register_tokens", prefix);
        WN_TRY(read_rows(r, &v->register_rows, v->registers, name));
    }
    snprintf(name, sizeof name, "%sembeddings.position_embeddings", prefix);
    WN_TRY(read_positions(r, name));
    for (uint32_t l = 0; l < v->layers; ++l)
        WN_TRY(read_dino_layer(r, prefix, l));
    WN_TRY(wn_read_norm(r, true, &v->post, v->width, "%slayernorm", prefix));
    v->post_on_tokens = true;
    v->prep.fit = WN_FIT_CROP;
    v->prep.filter = WN_FILTER_BICUBIC;
    return WINNOW_OK;
}

/* -- preprocessor_config.json ------------------------------------------------------------------ */

static void read_triple(const wn_reader *r, const char *key, const float *fallback, float *out)
{
    double values[3];
    uint32_t count = 3;
    const bool there = wn_setting_numbers(r->weights, key, values, &count) && count == 3;
    for (uint32_t c = 0; c < 3; ++c)
        out[c] = there ? (float)values[c] : fallback[c];
}

/* PIL's numbers of filters. */
static winnow_status read_filter(const wn_reader *r)
{
    static const enum wn_filter filters[] = {WN_FILTER_NEAREST, WN_FILTER_LANCZOS,
                                             WN_FILTER_BILINEAR, WN_FILTER_BICUBIC};
    uint32_t number;
    WN_TRY(wn_read_count(r, "preprocessor.resample", 0, 3, WN_NONE - 1, &number));
    if (number < 4)
        r->vit->prep.filter = filters[number];
    return WINNOW_OK;
}

/* Width and height are a square of the most patches: a size to go by. */
static winnow_status read_most_patches(const wn_reader *r)
{
    wn_prep *p = &r->vit->prep;
    uint32_t patch, side = 1;
    WN_TRY(wn_read_count(r, "preprocessor.max_num_patches", 1, 1 << 16, 256, &p->max_patches));
    WN_TRY(wn_read_count(r, "preprocessor.patch_size", 1, 256, p->patch, &patch));
    if (patch != p->patch)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: patches of %u, the pictures' are of %u (fix preprocessor_config.json)",
                       wn_weights_path(r->weights), p->patch, patch);
    while ((side + 1) * (side + 1) <= p->max_patches)
        ++side;
    p->width = p->height = side * patch;
    return WINNOW_OK;
}

static winnow_status read_preprocessor(const wn_reader *r, const float *mean, const float *std)
{
    wn_prep *p = &r->vit->prep;
    const uint32_t image = r->vit->image;
    uint32_t square, crop;
    read_triple(r, "preprocessor.image_mean", mean, p->mean);
    read_triple(r, "preprocessor.image_std", std, p->std);
    p->rescale = wn_read_real(r, "preprocessor.rescale_factor", 1.0f / 255.0f);
    p->patch = r->vit->patch;
    WN_TRY(read_filter(r));
    if (p->fit == WN_FIT_NAFLEX)
        return read_most_patches(r);
    WN_TRY(wn_read_count(r, "preprocessor.size.shortest_edge", 1, 1 << 14, image, &p->edge));
    WN_TRY(wn_read_count(r, "preprocessor.size", 1, 1 << 14, image, &square));
    WN_TRY(wn_read_count(r, "preprocessor.crop_size", 1, 1 << 14, image, &crop));
    const bool crops = p->fit == WN_FIT_CROP;
    WN_TRY(wn_read_count(r, crops ? "preprocessor.crop_size.width" : "preprocessor.size.width", 1,
                         1 << 14, crops ? crop : square, &p->width));
    WN_TRY(wn_read_count(r, crops ? "preprocessor.crop_size.height" : "preprocessor.size.height", 1,
                         1 << 14, crops ? crop : square, &p->height));
    if (p->width % p->patch || p->height % p->patch)
        return wn_fail(
            r->host, WINNOW_E_FILE,
            "%s: pictures of %u x %u are no whole patches of %u (fix preprocessor_config.json)",
            wn_weights_path(r->weights), p->width, p->height, p->patch);
    return WINNOW_OK;
}

static const float clip_mean[3] = {0.48145466f, 0.4578275f, 0.40821073f},
                   clip_std[3] = {0.26862954f, 0.26130258f, 0.27577711f},
                   half[3] = {0.5f, 0.5f, 0.5f}, imagenet_mean[3] = {0.485f, 0.456f, 0.406f},
                   imagenet_std[3] = {0.229f, 0.224f, 0.225f};

static const struct {
    const char *type, *family;
    winnow_status (*read)(const wn_reader *r);
    const float *mean, *std;
} kinds[] = {
    {"clip_vision_model", "clip", read_clip, clip_mean, clip_std},
    {"clip", "clip", read_clip, clip_mean, clip_std},
    {"siglip_vision_model", "siglip", read_siglip, half, half},
    {"siglip", "siglip", read_siglip, half, half},
    {"siglip2_vision_model", "siglip2", read_naflex, half, half},
    {"siglip2", "siglip2", read_naflex, half, half},
    {"dinov2", "dinov2", read_dino, imagenet_mean, imagenet_std},
    {"dinov2_with_registers", "dinov2", read_dino, imagenet_mean, imagenet_std},
};

winnow_status wn_vit_read_folder(const wn_host *host, const wn_weights *weights, wn_vit *vit)
{
    const wn_reader r = {host, weights, vit};
    const char *type = "";
    wn_setting_text(weights, "config.model_type", &type);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
        if (!strcmp(kinds[i].type, type)) {
            vit->family = kinds[i].family;
            WN_TRY(kinds[i].read(&r));
            if (vit->registers)
                vit->positions = WN_POSITIONS_BICUBIC_WIDE;
            WN_TRY(read_preprocessor(&r, kinds[i].mean, kinds[i].std));
            return wn_vit_check(&r);
        }
    return wn_fail(
        host, WINNOW_E_FILE,
        "%s: model_type \"%s\" is not run (clip, clip_vision_model, siglip, siglip_vision_model, "
        "siglip2, siglip2_vision_model, dinov2 and dinov2_with_registers are)",
        wn_weights_path(weights), type);
}
