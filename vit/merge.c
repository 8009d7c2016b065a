/* merge.c: a safetensors file with laco's MLP: laco.mlp.0 [inner, f*f*D], laco.mlp.2 [D, inner],
 * with biases, and metadata stage=laco, which may be absent. */
#include "merge.h"

#include <string.h>

/* The factor of a laco stage; 0: it is another one. */
static uint32_t factor_of(const wn_stage_use *use)
{
    if (strcmp(use->stage->name, "laco") != 0)
        return 0;
    for (uint32_t i = 0; i < use->stage->option_count; ++i)
        if (strcmp(use->stage->options[i].name, "factor") == 0)
            return (uint32_t)use->values[i].number;
    return 0;
}

static winnow_status pipeline_factor(const wn_host *host, const winnow_pipeline *pipeline,
                                     uint32_t *out)
{
    *out = 0;
    for (uint32_t i = 0; i < pipeline->stage_count; ++i) {
        const uint32_t factor = factor_of(&pipeline->stages[i]);
        if (factor && *out && factor != *out)
            return wn_fail(host, WINNOW_E_UNSUPPORTED,
                           "laco: factors %u and %u in one pipeline, and merge weights are "
                           "of one (give the same)",
                           *out, factor);
        *out = factor ? factor : *out;
    }
    return WINNOW_OK;
}

static winnow_status check_metadata(const wn_host *host, const wn_weights *weights)
{
    const char *stage;
    if (!wn_setting_text(weights, "metadata.stage", &stage) || strcmp(stage, "laco") == 0)
        return WINNOW_OK;
    return wn_fail(host, WINNOW_E_FILE,
                   "%s: its metadata say stage=%.40s (weights of laco are read here)",
                   wn_weights_path(weights), stage);
}

static winnow_status read_linear(const wn_reader *r, wn_linear *out, uint32_t in, uint32_t outs,
                                 const char *name)
{
    const uint64_t shape[2] = {outs, in};
    *out = (wn_linear){.parts = 1, .in = in};
    WN_TRY(wn_read_tensor(r, true, &out->weight[0], 2, shape, "%s.weight", name));
    WN_TRY(wn_read_tensor(r, true, &out->bias[0], 1, out->weight[0]->shape, "%s.bias", name));
    if (out->weight[0]->shape[0] > INT32_MAX / 4)
        return wn_fail(r->host, WINNOW_E_FILE, "%s: tensor %s has %llu rows (the file is damaged)",
                       wn_weights_path(r->weights), out->weight[0]->name,
                       (unsigned long long)out->weight[0]->shape[0]);
    out->out = (uint32_t)out->weight[0]->shape[0];
    return WINNOW_OK;
}

winnow_status wn_merge_read(const wn_host *host, const winnow_pipeline *pipeline, const char *path,
                            wn_vit *vit, wn_weights **weights)
{
    uint32_t factor;
    *weights = NULL;
    if (!path) {
        for (uint32_t i = 0; i < pipeline->stage_count; ++i)
            if (factor_of(&pipeline->stages[i]) && !pipeline->stages[i].weights) {
                wn_log(host, WINNOW_LOG_WARNING,
                       "laco is untrained: its shortcut alone runs (give merge weights)");
                break;
            }
        return WINNOW_OK;
    }
    WN_TRY(pipeline_factor(host, pipeline, &factor));
    if (!factor)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "encoder: merge weights are given, and no stage of the pipeline takes them "
                       "(add laco=layer=N)");
    WN_TRY(wn_weights_open(host, path, weights));
    const wn_reader r = {host, *weights, vit};
    WN_TRY(check_metadata(host, *weights));
    WN_TRY(read_linear(&r, &vit->merge1, factor * factor * vit->width, 0, "laco.mlp.0"));
    return read_linear(&r, &vit->merge2, vit->merge1.out, vit->width, "laco.mlp.2");
}

static wn_dense place_of(const wn_linear *l)
{
    const wn_mat weight = {
        .ref = l->place.ref, .stride = l->place.stride, .cols = l->out, .rows = l->in};
    return (wn_dense){.weight = weight, .bias_at = l->place.bias_at};
}

bool wn_merge_places(const wn_vit *vit, wn_merge_mlp *out)
{
    if (!vit->merge1.parts)
        return false;
    *out = (wn_merge_mlp){place_of(&vit->merge1), place_of(&vit->merge2)};
    return true;
}
