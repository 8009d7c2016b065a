/* transformer_open.c: a vision transformer is opened: what the caller asks for is checked, taps and
 * stages find their layers, and places of weights and all memory are taken for the largest call. */
#include "cost.h"
#include "place.h"
#include "trained.h"
#include "transformer.h"

#include <string.h>

/* Roles that layers give to any stage behind them. */
enum {
    HOOK_ROLES = 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_QUERIES | 1u << WINNOW_ROLE_CLS |
                 WN_ATTENTION_ROLES
};

static winnow_status check_desc(const wn_transformer *e)
{
    const winnow_encoder_desc *d = &e->desc;
    const wn_host *host = &e->base.host;
    if (d->flags & ~(uint32_t)(WINNOW_ENCODER_TIMING | WINNOW_ENCODER_PREPARE))
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "encoder: unknown flags 0x%x (use WINNOW_ENCODER_*)", d->flags);
    if (d->dtype != WINNOW_F32 && d->dtype != WINNOW_F16)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "encoder: dtype is %d (use WINNOW_F32 or WINNOW_F16)", d->dtype);
    if (d->order != WINNOW_ORDER_RASTER && d->order != WINNOW_ORDER_METHOD)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encoder: order is %d (use WINNOW_ORDER_*)",
                       d->order);
    if (d->tap_count && !d->taps)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encoder: %u taps and no list of them",
                       d->tap_count);
    if (d->tap_count > 4096)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encoder: %u taps (at most 4096)", d->tap_count);
    if (!d->text_rows != !d->text_dim)
        return wn_fail(host, WINNOW_E_SHAPE,
                       "encoder: text of %u rows and %u channels (give both, or neither)",
                       d->text_rows, d->text_dim);
    return WINNOW_OK;
}

static winnow_status read_taps(wn_transformer *e, const winnow_tap *taps)
{
    const wn_vit *v = &e->vit;
    e->taps = wn_alloc(&e->base.host, e->desc.tap_count * sizeof *e->taps);
    if (!e->taps)
        return wn_fail(&e->base.host, WINNOW_E_HOST_MEMORY, "encoder: no host memory for %u taps",
                       e->desc.tap_count);
    for (uint32_t i = 0; i < e->desc.tap_count; ++i) {
        const int32_t kind = taps[i].kind,
                      states = (int32_t)v->run_layers + (kind == WINNOW_TAP_HIDDEN),
                      layer = taps[i].layer < 0 ? taps[i].layer + states : taps[i].layer;
        if (kind < 0 || kind >= WINNOW_TAP_COUNT)
            return wn_fail(&e->base.host, WINNOW_E_ARGUMENT,
                           "encoder: tap %u is of kind %d (use WINNOW_TAP_*)", i, kind);
        const bool last = kind == WINNOW_TAP_POOL || kind == WINNOW_TAP_FINAL;
        if (!last && (layer < 0 || layer >= states))
            return wn_fail(&e->base.host, WINNOW_E_ARGUMENT,
                           "encoder: tap %u wants layer %d, and %u layers are run", i,
                           taps[i].layer, v->run_layers);
        e->taps[i] = (wn_tap){.kind = (uint8_t)kind, .layer = (uint32_t)(last ? 0 : layer)};
    }
    return WINNOW_OK;
}

static winnow_status read_hook(wn_transformer *e, uint32_t i, uint32_t wants)
{
    const wn_vit *v = &e->vit;
    const wn_stage_use *use = &e->pipeline.stages[i];
    const int32_t given = use->inside.has_layer ? use->inside.layer : (int32_t)v->run_layers - 1,
                  layer = given < 0 ? given + (int32_t)v->layers : given;
    const int32_t early = use->inside.has_shallow
                              ? use->inside.shallow
                              : (int32_t)(use->stage->shallow_of_24 * v->layers / 24),
                  shallow = early < 0 ? early + (int32_t)v->layers : early;
    if (shallow < 0 || shallow >= (int32_t)v->run_layers)
        return wn_fail(&e->base.host, WINNOW_E_UNSUPPORTED,
                       "%s: shallow=%d, and layers 0..%u of the model are run", use->stage->name,
                       early, v->run_layers - 1);
    if (layer < 0 || layer >= (int32_t)v->run_layers)
        return wn_fail(&e->base.host, WINNOW_E_UNSUPPORTED,
                       "%s: layer=%d, and layers 0..%u of the model are run", use->stage->name,
                       given, v->run_layers - 1);
    if (!v->class_token)
        wants &= ~(1u << WINNOW_ROLE_CLS);
    e->hook_of[i] = e->hook_count;
    e->hooks[e->hook_count++] = (wn_hook){.layer = (uint32_t)layer,
                                          .shallow = (uint32_t)shallow,
                                          .flat = use->stage->flat_keys,
                                          .one_head = wn_stage_has_one_head(use->stage),
                                          .roles = wants,
                                          .attention = wn_vit_attention_kind(use, v->class_token)};
    return WINNOW_OK;
}

static bool runs_somewhere(const wn_stage_use *use, uint32_t layers)
{
    for (uint32_t l = 0; l < layers; ++l)
        if (wn_stage_runs_inside(use, l, layers))
            return true;
    return false;
}

/* Roles that layers give to a stage behind them. */
static uint32_t hook_roles(const wn_stage *stage)
{
    return HOOK_ROLES | (stage->shallow_tokens ? 1u << WINNOW_ROLE_IMAGE_EMBEDS : 0);
}

/* Which stages go before the projector, and what each wants to see. */
static winnow_status read_stages(wn_transformer *e)
{
    const bool by_token = !wn_vit_is_spatial(&e->vit);
    const uint32_t gives = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_SIZES | HOOK_ROLES |
                           (e->desc.text_dim ? WN_TEXT_ROLES : 0);
    e->before = 0;
    for (uint32_t i = 0; i < e->pipeline.stage_count; ++i) {
        const wn_stage_use *use = &e->pipeline.stages[i];
        const uint32_t roles = hook_roles(use->stage),
                       missing = wn_use_needs(use) & ~(gives | roles),
                       wants = wn_use_takes(use) & roles;
        e->hook_of[i] = WN_NONE;
        if (use->stage->decode)
            return wn_fail(&e->base.host, WINNOW_E_UNSUPPORTED,
                           "encoder: %s is a decode stage (use kv_create)", use->stage->name);
        for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
            if (missing >> role & 1u)
                return wn_fail(
                    &e->base.host, WINNOW_E_ROLE,
                    "%s: it needs `%s`, which an encoder does not give%s", use->stage->name,
                    wn_role_name(role),
                    WN_TEXT_ROLES >> role & 1u ? " by itself (set text_rows and text_dim)" : "");
        if (wn_stage_is_inside(use) && !runs_somewhere(use, e->vit.run_layers))
            return wn_fail(
                &e->base.host, WINNOW_E_UNSUPPORTED,
                "%s: it names none of the %u layers that the model runs (give one of 0..%u%s)",
                use->stage->name, e->vit.run_layers, e->vit.run_layers - 1,
                use->stage->only_inside ? " with layer= one more" : "");
        if (wn_stage_is_inside(use) || !wants)
            continue;
        /* Where the projector takes several hidden states of each token, none that merges may go before it: a stage
         * that can do without attention and keys (budget) waits behind. */
        const bool front = by_token && (e->vit.feature_count < 2 || (wn_use_needs(use) & roles));
        if (front)
            e->before = i + 1;
        WN_TRY(read_hook(e, i, front ? wants : wants & ~(1u << WINNOW_ROLE_CLS)));
    }
    return WINNOW_OK;
}

static winnow_status own_layers(wn_transformer *e, const winnow_model *model)
{
    const size_t bytes = model->vit.layers * sizeof *model->vit.layer;
    e->vit = model->vit;
    e->vit.layer = wn_alloc(&e->base.host, bytes);
    if (!e->vit.layer)
        return wn_fail(&e->base.host, WINNOW_E_HOST_MEMORY, "encoder: no host memory for %u layers",
                       model->vit.layers);
    memcpy(e->vit.layer, model->vit.layer, bytes);
    return WINNOW_OK;
}

/* Everything that comes back to the host, one array behind the other. */
static winnow_status take_room(wn_transformer *e)
{
    uint64_t bytes[WINNOW_OUT_COUNT], all = 0;
    wn_transformer_out_bytes(e, wn_transformer_source(e), bytes);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i) {
        e->small_at[i] = all;
        all += (bytes[i] + 63) & ~63ull;
    }
    e->room = wn_alloc(&e->base.host, all);
    if (!e->room)
        return wn_fail(
            &e->base.host, WINNOW_E_HOST_MEMORY,
            "encoder: no host memory for %llu bytes of outputs (encode fewer frames at a time)",
            (unsigned long long)all);
    return WINNOW_OK;
}

static uint64_t part_most(const winnow_device *device)
{
    const uint64_t most = 512ull << 20, matrix = device->max_matrix / 4; /* one binding */
    return matrix < most ? matrix : most;
}

static winnow_status take_memory(wn_transformer *e)
{
    winnow_device *device = e->base.device;
    const wn_trained *trained = e->pipeline.trained;
    wn_op load_ops[WN_LOAD_KINDS];
    wn_program loads[WN_LOAD_KINDS];
    const uint64_t bytes = (uint64_t)e->built.frames * e->built.height * e->built.width * 3,
                   pixels = (bytes + 3) & ~3ull, load = wn_vit_load_bytes(&e->vit),
                   source = wn_transformer_source(e);
    wn_exec_desc desc = {.flags = WINNOW_PLAN_HOST_MEMORY,
                         .program = &e->program,
                         .history_bytes = e->base.build.history_bytes,
                         .trained = trained ? trained->data : NULL,
                         .trained_bytes = trained ? trained->bytes : 0,
                         .a_types = 1u << WINNOW_F32 | 1u << e->desc.dtype,
                         .b_types = 1u << WINNOW_F32 | 1u << e->desc.dtype,
                         .others = loads,
                         .other_count = WN_LOAD_KINDS};
    wn_vit_load_kinds(load_ops, loads);
    if (e->desc.flags & WINNOW_ENCODER_TIMING)
        desc.flags |= WINNOW_PLAN_TIMING;
    memcpy(desc.weight_bytes, e->weight_bytes, sizeof desc.weight_bytes);
    desc.in_bytes[WINNOW_ROLE_TOKENS] = pixels > load ? pixels : load;
    desc.in_bytes[WINNOW_ROLE_TEXT] = 4ull * e->desc.text_rows * e->desc.text_dim;
    desc.in_bytes[WINNOW_ROLE_IMAGE_EMBEDS] = 4ull * source * e->desc.text_dim;
    wn_transformer_out_bytes(e, source, desc.out_bytes);
    return device->backend->exec_create(device, &desc, &e->base.exec);
}

static winnow_status open(wn_transformer *e, const winnow_model *model,
                          const winnow_encoder_desc *given)
{
    const wn_host *host = &e->base.host;
    const winnow_status read = wn_desc_read(given, &e->desc, sizeof e->desc);
    if (read != WINNOW_OK)
        return wn_fail(host, read,
                       "encoder: the descriptor's struct_size does not fit this library");
    WN_TRY(own_layers(e, model));
    winnow_encoder_desc *d = &e->desc;
    WN_TRY(check_desc(e));
    d->max_width = d->max_width ? d->max_width : e->vit.prep.width;
    d->max_height = d->max_height ? d->max_height : e->vit.prep.height;
    WN_TRY(wn_transformer_check_frames(e, d->max_frames, d->max_width, d->max_height));
    e->prepare.room = true;
    if (d->pipeline)
        e->pipeline = *d->pipeline;
    e->base.build.trained = wn_trained_hold(e->pipeline.trained);
    WN_TRY(read_taps(e, d->taps));
    WN_TRY(read_stages(e));
    WN_TRY(wn_casp_make(e->base.device, model, d, &e->vit, &e->casp));
    WN_TRY(wn_merge_read(host, &e->pipeline, d->merge_weights, &e->vit, &e->merge_weights));
    /* Places are known before memory is taken: operations name them. */
    /* Plain C would widen a 16-bit weight at every use. */
    const bool as_stored = e->base.device->info.backend == WINNOW_BACKEND_GPU;
    WN_TRY(wn_vit_place(host, &e->vit, d->dtype, as_stored, part_most(e->base.device),
                        e->weight_bytes));
    e->base.build.merge_mlp = wn_merge_places(&e->vit, &e->merge_mlp) ? &e->merge_mlp : NULL;
    WN_TRY(wn_transformer_build(e, d->max_frames, d->max_height, d->max_width, d->text_rows,
                                d->text_dim));
    e->rows_max = e->base.build.set.n_max;
    e->multiply_adds = wn_multiply_adds(&e->program);
    WN_TRY(take_room(e));
    WN_TRY(take_memory(e));
    e->base.build.may_grow = false;
    e->most.w_words = e->program.w_words;
    e->most.matrix_bytes = e->program.matrix_bytes;
    e->most.ops = e->program.op_count;
    e->most.out_bytes = e->out_bytes;
    e->most.rows = e->rows_max;
    e->most.source = wn_transformer_source(e);
    if (wn_transformer_prepares(e)) /* it has room for smaller frames, which no call needs */
        memset(&e->built, 0, sizeof e->built);
    WN_TRY(wn_vit_load(host, &e->vit, e->base.device, e->base.exec));
    wn_casp_free(host, &e->casp);
    return WINNOW_OK;
}

static void destroy(winnow_encoder *encoder)
{
    wn_transformer *e = (wn_transformer *)encoder;
    wn_free(&e->base.host, e->room);
    wn_free(&e->base.host, e->taps);
    wn_weights_close(e->merge_weights);
    wn_trained_drop(e->pipeline.trained);
    wn_casp_free(&e->base.host, &e->casp);
    wn_vit_free(&e->base.host, &e->vit);
}

winnow_status wn_transformer_open(winnow_device *device, const winnow_model *model,
                                  const winnow_encoder_desc *desc, winnow_encoder **out)
{
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    if (!device || !model || !desc)
        return WINNOW_E_ARGUMENT;
    wn_transformer *e = wn_alloc(&device->host, sizeof *e);
    if (!e)
        return wn_fail(&device->host, WINNOW_E_HOST_MEMORY,
                       "encoder: no host memory for the object");
    wn_encoder_init(&e->base, device);
    e->base.destroy = destroy;
    e->base.info = wn_transformer_info;
    e->base.run = wn_transformer_run;
    e->base.encode = wn_transformer_encode;
    const winnow_status status = open(e, model, desc);
    if (status != WINNOW_OK) {
        wn_encoder_free(&e->base);
        return status;
    }
    e->desc.pipeline = NULL; /* the caller's may go: a copy is kept */
    e->desc.taps = NULL;
    e->desc.merge_weights = NULL;
    e->desc.casp_pictures = NULL;
    *out = &e->base;
    return WINNOW_OK;
}
