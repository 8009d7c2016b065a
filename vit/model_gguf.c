/* model_gguf.c: llama.cpp's mmproj files: general.architecture = clip, keys clip.vision.*, tensors
 * v.* and mm.*.
 *
 * What each projector kind means follows llama.cpp's tools/mtmd (clip.cpp, models/) of release
 * b10256. Where llama.cpp and transformers differ, `llama` decides:
 *   mlp    llama.cpp puts LLaVA's class token behind the patches and takes rows 1..n as tokens; the
 *          original has it in front. Both take the last but one layer and, if the file has one, the
 *          last norm.
 *   gelu   llama.cpp's "gelu" is the tanh form everywhere; transformers' is what the model's config
 *          says.
 */
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define V "clip.vision."

static winnow_status read_sizes(const wn_reader *r)
{
    wn_vit *v = r->vit;
    WN_TRY(wn_read_count(r, V "embedding_length", 2, 1 << 15, UINT32_MAX, &v->width));
    WN_TRY(wn_read_count(r, V "feed_forward_length", 0, 1 << 17, 0, &v->inner));
    WN_TRY(wn_read_count(r, V "block_count", 1, 512, UINT32_MAX, &v->layers));
    WN_TRY(wn_read_count(r, V "attention.head_count", 1, 1024, UINT32_MAX, &v->heads));
    WN_TRY(wn_read_count(r, V "image_size", 1, 1 << 14, UINT32_MAX, &v->image));
    WN_TRY(wn_read_count(r, V "patch_size", 1, 256, UINT32_MAX, &v->patch));
    v->eps = wn_read_real(r, V "attention.layer_norm_epsilon", 0.0f);
    v->run_layers = v->layers;
    return WINNOW_OK;
}

static winnow_status read_act(const wn_reader *r)
{
    double gelu = 0, silu = 0;
    wn_setting_number(r->weights, "clip.use_gelu", &gelu);
    wn_setting_number(r->weights, "clip.use_silu", &silu);
    if (gelu != 0 && silu != 0)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: clip.use_gelu and clip.use_silu are both set (the file is damaged)",
                       wn_weights_path(r->weights));
    r->vit->act = gelu != 0 ? WN_ACT_GELU_TANH : silu != 0 ? WN_ACT_SILU : WN_ACT_QUICK;
    return WINNOW_OK;
}

static winnow_status read_mean(const wn_reader *r)
{
    static const char *const keys[2] = {V "image_mean", V "image_std"};
    for (uint32_t k = 0; k < 2; ++k) {
        double values[3];
        uint32_t count = 3;
        if (!wn_setting_numbers(r->weights, keys[k], values, &count) || count != 3)
            return wn_fail(r->host, WINNOW_E_FILE,
                           "%s: the setting %s has not three numbers (the file is damaged)",
                           wn_weights_path(r->weights), keys[k]);
        for (uint32_t c = 0; c < 3; ++c)
            (k ? r->vit->prep.std : r->vit->prep.mean)[c] = (float)values[c];
    }
    return WINNOW_OK;
}

/* Files of old converters have up and down with each other's names. */
static winnow_status read_mlp(const wn_reader *r, wn_vit_layer *layer, uint32_t l)
{
    wn_vit *v = r->vit;
    WN_TRY(wn_read_linear(r, true, &layer->up, 0, 0, "v.blk.%u.ffn_up", l));
    WN_TRY(wn_read_linear(r, true, &layer->down, 0, 0, "v.blk.%u.ffn_down", l));
    WN_TRY(wn_read_linear(r, false, &layer->gate, v->width, layer->up.out, "v.blk.%u.ffn_gate", l));
    if (layer->down.in == v->width && layer->up.out == v->width && layer->down.out != v->width) {
        const wn_linear swapped = layer->up;
        layer->up = layer->down;
        layer->down = swapped;
    }
    const wn_linear *up = &layer->up, *down = &layer->down;
    if (up->in != v->width || down->out != v->width || down->in != up->out)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: tensor v.blk.%u.ffn_down.weight is %u x %u beside an ffn_up of %u x %u "
                       "(the file is damaged)",
                       wn_weights_path(r->weights), l, down->out, down->in, up->out, up->in);
    v->inner = up->out;
    return WINNOW_OK;
}

/* q, k and v side by side, from one tensor or from three. */
static winnow_status read_qkv(const wn_reader *r, wn_vit_layer *layer, uint32_t l)
{
    static const char *const names[3] = {"attn_q", "attn_k", "attn_v"};
    const uint32_t width = r->vit->width;
    WN_TRY(wn_read_linear(r, false, &layer->qkv, width, 3 * width, "v.blk.%u.attn_qkv", l));
    if (layer->qkv.parts)
        return WINNOW_OK;
    layer->qkv = (wn_linear){.parts = 3, .in = width, .out = 3 * width};
    for (uint32_t i = 0; i < 3; ++i) {
        wn_linear one;
        WN_TRY(wn_read_linear(r, true, &one, width, width, "v.blk.%u.%s", l, names[i]));
        layer->qkv.weight[i] = one.weight[0];
        layer->qkv.bias[i] = one.bias[0];
    }
    return WINNOW_OK;
}

static winnow_status refuse(const wn_reader *r, uint32_t l, const char *what)
{
    const wn_tensor *found = NULL;
    char name[128];
    snprintf(name, sizeof name, "v.blk.%u.%s.weight", l, what);
    WN_TRY(wn_weights_find(r->weights, name, &found));
    return found ? wn_fail(r->host, WINNOW_E_FILE,
                           "%s: tensor %s belongs to a kind of layer that is not run",
                           wn_weights_path(r->weights), name)
                 : WINNOW_OK;
}

/* Norms of q and k: over all channels, or (not run) head by head. */
static winnow_status read_qk_norms(const wn_reader *r, wn_vit_layer *layer, uint32_t l)
{
    WN_TRY(wn_read_norm(r, false, &layer->q_norm, r->vit->width, "v.blk.%u.attn_q_norm", l));
    WN_TRY(wn_read_norm(r, layer->q_norm.gain != NULL, &layer->k_norm, r->vit->width,
                        "v.blk.%u.attn_k_norm", l));
    return WINNOW_OK;
}

static winnow_status read_layer(const wn_reader *r, uint32_t l)
{
    static const char *const unknown[] = {"attn_post_norm", "ffn_post_norm", "out_scale"};
    wn_vit *v = r->vit;
    wn_vit_layer *layer = &v->layer[l];
    const uint64_t width[1] = {v->width};
    WN_TRY(wn_read_norm(r, true, &layer->norm1, v->width, "v.blk.%u.ln1", l));
    WN_TRY(wn_read_norm(r, true, &layer->norm2, v->width, "v.blk.%u.ln2", l));
    WN_TRY(read_qkv(r, layer, l));
    WN_TRY(read_qk_norms(r, layer, l));
    WN_TRY(wn_read_linear(r, true, &layer->out, v->width, v->width, "v.blk.%u.attn_out", l));
    WN_TRY(read_mlp(r, layer, l));
    WN_TRY(wn_read_tensor(r, false, &layer->out.scale, 1, width, "v.blk.%u.ls1.weight", l));
    WN_TRY(wn_read_tensor(r, false, &layer->down.scale, 1, width, "v.blk.%u.ls2.weight", l));
    for (uint32_t i = 0; i < sizeof unknown / sizeof *unknown; ++i)
        WN_TRY(refuse(r, l, unknown[i]));
    return WINNOW_OK;
}

/* The convolution's kernel [D, 3, p, p], or two of them for pairs of frames. */
static winnow_status read_embedding(const wn_reader *r)
{
    wn_vit *v = r->vit;
    const uint64_t kernel[4] = {v->width, 3, v->patch, v->patch}, width[1] = {v->width};
    const uint32_t cells = 3 * v->patch * v->patch;
    v->embed = (wn_linear){.parts = 1, .in = cells, .out = v->width};
    WN_TRY(wn_read_tensor(r, true, &v->embed.weight[0], 4, kernel, "v.patch_embd.weight"));
    WN_TRY(wn_read_tensor(r, false, &v->embed.weight[1], 4, kernel, "v.patch_embd.weight.1"));
    if (v->embed.weight[1]) {
        v->times = v->embed.parts = 2;
        v->embed.stacked = true;
        v->embed.in = 2 * cells;
    }
    WN_TRY(wn_read_tensor(r, false, &v->embed.bias[0], 1, width, "v.patch_embd.bias"));
    const wn_tensor *cls = NULL;
    WN_TRY(wn_weights_find(r->weights, "v.class_embd", &cls));
    if (cls && cls->elements != v->width)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: tensor v.class_embd has %llu numbers, not %u (the file is damaged)",
                       wn_weights_path(r->weights), (unsigned long long)cls->elements, v->width);
    v->class_token = cls != NULL;
    v->class_row = (wn_table){.rows = cls, .count = 1, .cols = v->width};
    WN_TRY(wn_read_norm(r, false, &v->pre, v->width, "v.pre_ln"));
    WN_TRY(wn_read_norm(r, false, &v->post, v->width, "v.post_ln"));
    v->post_on_tokens = v->post.gain != NULL;
    return WINNOW_OK;
}

static winnow_status read_positions(const wn_reader *r, enum wn_positions kind)
{
    wn_vit *v = r->vit;
    const uint64_t shape[2] = {0, v->width};
    WN_TRY(wn_read_tensor(r, true, &v->position_rows.rows, 2, shape, "v.position_embd.weight"));
    const uint64_t rows = v->position_rows.rows->shape[0], side = v->image / v->patch;
    v->position_first = v->class_token;
    v->position_side = (uint32_t)side;
    if (kind == WN_POSITIONS_BILINEAR) /* the table's own grid, whatever image_size says */
        v->position_side = (uint32_t)lround(sqrt((double)rows));
    if (rows != (uint64_t)v->position_side * v->position_side + v->position_first)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: tensor v.position_embd.weight has %llu rows for %u x %u patches "
                       "(the file is damaged)",
                       wn_weights_path(r->weights), (unsigned long long)rows, v->position_side,
                       v->position_side);
    v->positions = kind;
    v->position_rows.count = (uint32_t)rows;
    v->position_rows.cols = v->width;
    return WINNOW_OK;
}

/* -- projectors -------------------------------------------------------------------------------- */

static winnow_status two_linears(const wn_reader *r, const char *first, const char *second,
                                 uint32_t in)
{
    wn_vit *v = r->vit;
    WN_TRY(wn_read_linear(r, true, &v->project1, in, 0, "%s", first));
    WN_TRY(wn_read_linear(r, second != NULL, &v->project2, v->project1.out, 0, "%s",
                          second ? second : "-"));
    v->dim = v->project2.parts ? v->project2.out : v->project1.out;
    v->project_act = WN_ACT_GELU_TANH;
    return WINNOW_OK;
}

/* Which hidden states go to the projector: those named, else the last but one. Only the layers
 * below are run. */
static winnow_status read_features(const wn_reader *r)
{
    wn_vit *v = r->vit;
    double layers[8];
    uint32_t count = 8;
    v->run_layers = v->layers - 1;
    if (!wn_setting_numbers(r->weights, V "feature_layer", layers, &count) || !count)
        return WINNOW_OK;
    for (uint32_t l = 0; l <= v->layers; ++l)
        for (uint32_t i = 0; i < count; ++i)
            if (layers[i] == l && (!v->feature_count || v->features[v->feature_count - 1] != l))
                v->features[v->feature_count++] = l;
    if (v->feature_count != count)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: the setting " V
                       "feature_layer names %u hidden states, %u of them are among the %u "
                       "(the file is damaged)",
                       wn_weights_path(r->weights), count, v->feature_count, v->layers + 1);
    v->run_layers = v->features[count - 1];
    return WINNOW_OK;
}

static winnow_status read_mlp_projector(const wn_reader *r, bool llama)
{
    wn_vit *v = r->vit;
    const wn_tensor *found, *yi;
    WN_TRY(wn_weights_find(r->weights, "mm.3.weight", &yi));
    WN_TRY(read_positions(r, WN_POSITIONS_TABLE));
    WN_TRY(read_features(r));
    uint32_t count;
    v->class_last = llama && v->class_token;
    v->token_first = v->class_token;
    v->projector = WN_PROJECT_MLP;
    WN_TRY(wn_weights_find(r->weights, "mm.2.weight", &found));
    const uint32_t side_by_side = v->feature_count ? v->feature_count : 1;
    WN_TRY(two_linears(r, "mm.0", yi ? "mm.3" : found ? "mm.2" : NULL, v->width * side_by_side));
    if (yi) {
        WN_TRY(wn_read_norm(r, true, &v->project_norm, v->project1.out, "mm.1"));
        WN_TRY(wn_read_norm(r, true, &v->project_norm2, v->project2.out, "mm.4"));
        v->project_eps = v->eps;
    }
    v->project_act = llama ? WN_ACT_GELU_TANH : WN_ACT_GELU_ERF;
    v->prep.fit = WN_FIT_PAD;
    double grids[64];
    count = 64;
    if (wn_setting_numbers(r->weights, V "image_grid_pinpoints", grids, &count) && count >= 2) {
        v->prep.fit = WN_FIT_ANYRES;
        v->prep.grid_count = count / 2;
        for (uint32_t i = 0; i < count; ++i) /* transformers has the height first */
            v->prep.grids[i / 2][llama ? i % 2 : 1 - i % 2] =
                grids[i] > 0 && grids[i] < 1 << 15 ? (uint32_t)grids[i] : 0;
    }
    v->prep.filter = WN_FILTER_BICUBIC;
    v->prep.width = v->prep.height = v->image;
    const uint8_t pad[3] = {122, 116, 104};
    if (v->prep.fit == WN_FIT_PAD)
        memcpy(v->prep.pad, pad, sizeof pad);
    return WINNOW_OK;
}

static winnow_status read_factor(const wn_reader *r, const char *key, uint32_t fallback)
{
    return wn_read_count(r, key, 1, 16, fallback, &r->vit->project_factor);
}

static winnow_status read_idefics3(const wn_reader *r, bool llama)
{
    wn_vit *v = r->vit;
    WN_TRY(read_factor(r, V "projector.scale_factor", UINT32_MAX));
    WN_TRY(read_positions(r, WN_POSITIONS_TABLE));
    WN_TRY(two_linears(r, "mm.model.fc", NULL, v->width * v->project_factor * v->project_factor));
    v->projector = WN_PROJECT_SHUFFLE;
    v->prep.fit = WN_FIT_IDEFICS3;
    v->prep.filter = WN_FILTER_LANCZOS;
    v->prep.thumbnail = true;
    v->prep.width = v->prep.height = v->image;
    WN_TRY(wn_read_count(r, V "preproc_image_size", 1, 1 << 15, 0, &v->prep.edge));
    if (!v->prep.edge && llama)
        v->prep.filter = WN_FILTER_BICUBIC;
    else if (!v->prep.edge)
        v->prep.edge = 4 * v->image;
    return WINNOW_OK;
}

static winnow_status read_internvl(const wn_reader *r, bool llama)
{
    wn_vit *v = r->vit;
    WN_TRY(read_factor(r, V "projector.scale_factor", 2));
    WN_TRY(read_positions(r, WN_POSITIONS_TABLE));
    v->class_last = llama && v->class_token;
    v->token_first = v->class_token && !llama;
    /* llama.cpp's rule for InternViT-6B */
    v->rms = v->width == 3200 && v->layers == 45;
    const uint32_t merged = v->width * v->project_factor * v->project_factor;
    WN_TRY(wn_read_norm(r, true, &v->project_norm, merged, "mm.model.mlp.0"));
    WN_TRY(two_linears(r, "mm.model.mlp.1", "mm.model.mlp.3", merged));
    v->project_act = llama ? WN_ACT_GELU_TANH : WN_ACT_GELU_ERF;
    v->projector = WN_PROJECT_INTERNVL;
    v->prep.fit = WN_FIT_INTERNVL;
    v->prep.filter = WN_FILTER_BICUBIC;
    v->prep.thumbnail = true;
    v->prep.width = v->prep.height = v->image;
    WN_TRY(wn_read_count(r, V "preproc_min_tiles", 1, 64, 1, &v->prep.min_tiles));
    return wn_read_count(r, V "preproc_max_tiles", 1, 64, 12, &v->prep.max_tiles);
}

static winnow_status read_gemma3(const wn_reader *r, bool llama)
{
    wn_vit *v = r->vit;
    const uint64_t shape[2] = {v->width, 0};
    WN_TRY(read_factor(r, V "projector.scale_factor", 4));
    WN_TRY(read_positions(r, WN_POSITIONS_TABLE));
    WN_TRY(wn_read_norm(r, true, &v->project_norm, v->width, "mm.soft_emb_norm"));
    WN_TRY(wn_read_tensor(r, true, &v->project1.weight[0], 2, shape, "mm.input_projection.weight"));
    v->project1.parts = 1;
    v->project1.turned = true;
    v->project1.in = v->width;
    v->dim = v->project1.out = (uint32_t)v->project1.weight[0]->shape[1];
    v->project_eps = v->eps;
    v->projector = WN_PROJECT_POOL;
    v->prep.fit = llama ? WN_FIT_PAD : WN_FIT_SQUASH;
    v->prep.filter = WN_FILTER_BILINEAR;
    v->prep.width = v->prep.height = v->image;
    return WINNOW_OK;
}

static winnow_status read_deepstack(const wn_reader *r)
{
    wn_vit *v = r->vit;
    const uint32_t merged = v->width * v->merge * v->merge;
    for (uint32_t l = 0; l < v->layers; ++l) {
        wn_vit_layer *layer = &v->layer[l];
        WN_TRY(wn_read_norm(r, false, &layer->deep_norm, merged, "v.deepstack.%u.norm", l));
        if (!layer->deep_norm.gain)
            continue;
        WN_TRY(wn_read_linear(r, true, &layer->deep1, merged, 0, "v.deepstack.%u.fc1", l));
        WN_TRY(wn_read_linear(r, true, &layer->deep2, layer->deep1.out, v->project2.out,
                              "v.deepstack.%u.fc2", l));
        v->deep_act = WN_ACT_GELU_TANH;
        ++v->deep_count;
        v->dim += v->project2.out;
    }
    return WINNOW_OK;
}

static winnow_status read_qwen(const wn_reader *r, uint32_t version, bool llama)
{
    wn_vit *v = r->vit;
    WN_TRY(wn_read_count(r, V "spatial_merge_size", 1, 8, 2, &v->merge));
    v->project_factor = v->merge;
    v->rope = true;
    v->rms = version == 25;
    v->image = 0;
    v->projector = WN_PROJECT_MERGER;
    WN_TRY(two_linears(r, "mm.0", "mm.2", v->width * v->merge * v->merge));
    v->project_act = llama ? WN_ACT_GELU_TANH : WN_ACT_GELU_ERF;
    if (version == 25) {
        uint32_t every, side;
        WN_TRY(wn_read_count(r, V "n_wa_pattern", 0, 512, UINT32_MAX, &every));
        WN_TRY(wn_read_count(r, V "window_size", 1, 1 << 14, 112, &side));
        v->window = every ? side : 0;
        for (uint32_t l = 0; l < v->layers && l < 64; ++l)
            if (every && (l + 1) % every == 0)
                v->full_layers |= 1ull << l;
    }
    if (version == 3) {
        WN_TRY(read_positions(r, WN_POSITIONS_BILINEAR));
        WN_TRY(read_deepstack(r));
    }
    const uint64_t area = (uint64_t)v->patch * v->merge * v->patch * v->merge;
    v->prep.fit = WN_FIT_DYNAMIC;
    v->prep.filter = WN_FILTER_BICUBIC;
    v->prep.multiple = v->patch * v->merge;
    v->prep.min_pixels = 8 * area;
    v->prep.max_pixels = 4096 * area;
    return WINNOW_OK;
}

static winnow_status read_qwen2(const wn_reader *r, bool llama)
{
    return read_qwen(r, 2, llama);
}
static winnow_status read_qwen25(const wn_reader *r, bool llama)
{
    return read_qwen(r, 25, llama);
}
static winnow_status read_qwen3(const wn_reader *r, bool llama)
{
    return read_qwen(r, 3, llama);
}

static const struct {
    const char *name;
    winnow_status (*read)(const wn_reader *r, bool llama);
} kinds[] = {
    {"mlp", read_mlp_projector},    {"idefics3", read_idefics3},
    {"internvl", read_internvl},    {"gemma3", read_gemma3},
    {"qwen2vl_merger", read_qwen2}, {"qwen2.5vl_merger", read_qwen25},
    {"qwen3vl_merger", read_qwen3},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static winnow_status read_projector(const wn_reader *r, bool llama)
{
    const char *kind = NULL;
    char known[256] = "";
    size_t used = 0;
    if (!wn_setting_text(r->weights, "clip.projector_type", &kind) &&
        !wn_setting_text(r->weights, V "projector_type", &kind))
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: the setting clip.projector_type is missing (give an mmproj file)",
                       wn_weights_path(r->weights));
    for (uint32_t i = 0; i < KINDS; ++i) {
        if (!strcmp(kinds[i].name, kind)) {
            r->vit->family = kinds[i].name;
            return kinds[i].read(r, llama);
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 kinds[i].name);
    }
    return wn_fail(r->host, WINNOW_E_FILE, "%s: projector kind \"%s\" is not run (these are: %s)",
                   wn_weights_path(r->weights), kind, known);
}

static uint32_t as_table(uint32_t act)
{
    return act == WN_ACT_GELU_TANH ? WN_ACT_GELU_TANH_HALF
           : act == WN_ACT_QUICK   ? WN_ACT_QUICK_HALF
                                   : act;
}

winnow_status wn_vit_read_gguf(const wn_host *host, const wn_weights *weights, bool llama,
                               wn_vit *vit)
{
    const wn_reader r = {host, weights, vit};
    const char *architecture = "";
    double has_vision = 1;
    wn_setting_text(weights, "general.architecture", &architecture);
    wn_setting_number(weights, "clip.has_vision_encoder", &has_vision);
    if (strcmp(architecture, "clip") != 0 || has_vision == 0)
        return wn_fail(
            host, WINNOW_E_FILE,
            "%s: architecture \"%s\" has no vision encoder (give the model's mmproj file)",
            wn_weights_path(weights), architecture);
    WN_TRY(read_sizes(&r));
    WN_TRY(read_act(&r));
    WN_TRY(read_mean(&r));
    vit->prep.like_llama = llama;
    vit->prep.patch = vit->patch;
    vit->layer = wn_alloc(host, vit->layers * sizeof *vit->layer);
    if (!vit->layer)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "%s: no memory for %u layers",
                       wn_weights_path(weights), vit->layers);
    WN_TRY(read_embedding(&r));
    for (uint32_t l = 0; l < vit->layers; ++l)
        WN_TRY(read_layer(&r, l));
    WN_TRY(read_projector(&r, llama));
    /* as its CPU backend has them; on GPUs the same functions without f16 tables, 1e-3 apart */
    if (llama) {
        vit->act = as_table(vit->act);
        vit->project_act = as_table(vit->project_act);
        vit->deep_act = as_table(vit->deep_act);
    }
    return wn_vit_check(&r);
}
