/* model_object.c: winnow_model: a file, what it describes, and what its preprocessing makes of
 * pictures. */
#include "encoder.h"

#include <stdio.h>
#include <string.h>

winnow_status wn_model_open(const winnow_host *given, const char *path, int32_t like,
                            winnow_model **out)
{
    wn_host host;
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    WN_TRY(wn_host_read(given, &host));
    if (!path || like < WINNOW_LIKE_FILE || like > WINNOW_LIKE_LLAMA_B10256)
        return wn_fail(&host, WINNOW_E_ARGUMENT,
                       "model: no path, or `like` is %d (use WINNOW_LIKE_*)", like);
    winnow_model *model = wn_alloc(&host, sizeof *model);
    if (!model)
        return wn_fail(&host, WINNOW_E_HOST_MEMORY, "model: no host memory for the object");
    model->host = host;
    winnow_status status = wn_weights_open(&model->host, path, &model->weights);
    if (status == WINNOW_OK) {
        const bool gguf = wn_weights_is_gguf(model->weights);
        model->llama = like == WINNOW_LIKE_LLAMA || like == WINNOW_LIKE_LLAMA_B10256 ||
                       (like == WINNOW_LIKE_FILE && gguf);
        if (model->llama && !gguf)
            status =
                wn_fail(&model->host, WINNOW_E_UNSUPPORTED,
                        "%s: llama.cpp reads no such folder (use WINNOW_LIKE_TRANSFORMERS)", path);
    }
    if (status == WINNOW_OK)
        status = wn_vit_read(&model->host, model->weights, model->llama, &model->vit);
    model->vit.prep.tall_y_first = !model->llama;
    if (status == WINNOW_OK && like == WINNOW_LIKE_LLAMA_B10256) {
        const char *family = model->vit.family;
        const bool linear = !strcmp(family, "gemma3") || !strncmp(family, "qwen", 4);
        model->vit.prep.filter = linear ? WN_FILTER_LLAMA_BILINEAR : WN_FILTER_LLAMA_BICUBIC;
    }
    if (status != WINNOW_OK) {
        wn_model_close(model);
        return status;
    }
    *out = model;
    return WINNOW_OK;
}

void wn_model_close(winnow_model *model)
{
    if (!model)
        return;
    const wn_host host = model->host;
    wn_vit_free(&host, &model->vit);
    wn_weights_close(model->weights);
    wn_free(&host, model);
}

winnow_status wn_model_info(const winnow_model *model, winnow_model_info *out)
{
    if (!model)
        return WINNOW_E_ARGUMENT;
    const wn_vit *v = &model->vit;
    const uint32_t join = wn_vit_is_spatial(v) ? v->project_factor : 1;
    winnow_model_info info = {.patch = v->patch,
                              .multiple = v->patch * join,
                              .image = v->image,
                              .frames = v->times,
                              .dim = v->dim,
                              .join = join,
                              .width = v->width,
                              .layers = v->layers,
                              .run_layers = v->run_layers,
                              .heads = v->heads,
                              .class_token = v->class_token,
                              .special_rows = v->class_token + v->registers,
                              .prepares = wn_prepare_can(&v->prep),
                              .roles = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS |
                                       1u << WINNOW_ROLE_QUERIES | 1u << WINNOW_ROLE_CLS_ATTENTION};
    if (v->class_token)
        info.roles |= 1u << WINNOW_ROLE_CLS;
    snprintf(info.family, sizeof info.family, "%s", v->family);
    return wn_desc_write(&info, sizeof info, out);
}

/* The public views, and behind them what they point at. */
typedef struct views_box {
    winnow_views views;
    wn_host host;
    wn_views made;
    winnow_view list[];
} views_box;

winnow_status wn_model_prepare(const winnow_model *model, const uint8_t *rgb, uint32_t width,
                               uint32_t height, winnow_views **out)
{
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    if (!model)
        return WINNOW_E_ARGUMENT;
    wn_views made;
    WN_TRY(rgb ? wn_prep_run(&model->host, &model->vit.prep, rgb, width, height, &made)
               : wn_prep_plan(&model->host, &model->vit.prep, width, height, &made));
    views_box *box = wn_alloc(&model->host, sizeof *box + made.count * sizeof *box->list);
    if (!box) {
        wn_views_free(&model->host, &made);
        return wn_fail(&model->host, WINNOW_E_HOST_MEMORY, "model: no host memory for %u views",
                       made.count);
    }
    box->host = model->host;
    box->made = made;
    box->views = (winnow_views){.count = made.count,
                                .tiles_y = made.tiles_y,
                                .tiles_x = made.tiles_x,
                                .kept_w = made.kept_w,
                                .kept_h = made.kept_h,
                                .view = box->list};
    for (uint32_t i = 0; i < made.count; ++i)
        box->list[i] = (winnow_view){.width = made.view[i].width,
                                     .height = made.view[i].height,
                                     .tile_y = made.count > 1 ? made.view[i].tile_y : -1,
                                     .tile_x = made.count > 1 ? made.view[i].tile_x : -1,
                                     .rgb = made.view[i].rgb};
    *out = &box->views;
    return WINNOW_OK;
}

void wn_model_views_free(winnow_views *views)
{
    if (!views)
        return;
    views_box *box = (views_box *)views;
    const wn_host host = box->host;
    wn_views_free(&host, &box->made);
    wn_free(&host, box);
}
