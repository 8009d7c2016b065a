#include "film.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

enum { CLASS_TOKEN = -1 };
enum { BATCH = 4 }; /* frames a call without a pipeline: bounded memory; even, for pairs */

/* ---- room ---- */

bool film_rows_room(film_rows *r, uint32_t most, uint32_t width, uint64_t sources)
{
    *r = (film_rows){.data = calloc((size_t)most * width + 1, sizeof *r->data),
                     .sources = calloc((size_t)most + 1, sizeof *r->sources),
                     .places = calloc((size_t)most * 3 + 1, sizeof *r->places),
                     .indices = calloc((size_t)most + 1, sizeof *r->indices),
                     .assignment = calloc((size_t)sources + 1, sizeof *r->assignment),
                     .width = width};
    return (r->data && r->sources && r->places && r->indices && r->assignment) ||
           say_failed("out of memory for %u visual tokens (take fewer frames: --frames N)", most);
}

void film_rows_free(film_rows *r)
{
    free(r->data);
    free(r->sources);
    free(r->places);
    free(r->indices);
    free(r->assignment);
    *r = (film_rows){0};
}

/* ---- heads ---- */

void film_mean_of_heads(float *to, const float *rows, size_t count, uint32_t heads, uint32_t each)
{
    for (size_t i = 0; i < count; i++) {
        const float *row = rows + i * heads * each; /* never in front of where it goes */
        for (uint32_t k = 0; k < each; k++) {
            float sum = 0;
            for (uint32_t h = 0; h < heads; h++) {
                sum += row[(size_t)h * each + k];
            }
            to[i * each + k] = sum * (1.0f / (float)heads);
        }
    }
}

/* ---- the encoder ---- */

static void set_call(winnow_encode *run, const film *f, uint32_t first, uint32_t count)
{
    *run = (winnow_encode){.struct_size = sizeof *run,
                           .frames = count,
                           .width = f->width,
                           .height = f->height,
                           .rgb = f->rgb + (size_t)first * f->width * f->height * 3};
}

bool film_encode(film *f, film_encoder *e)
{
    uint32_t grid[3];
    film_grid(e, f, grid);
    const size_t group = (size_t)grid[1] * grid[2];
    const double start = say_clock();
    film small = *f;
    if (f->tokens) {
        return true;
    }
    film_forget(e);
    small.count = f->count < BATCH ? f->count : BATCH;
    small.is_video = true;
    f->tokens = calloc(grid[0] * group * e->info.dim + 1, sizeof *f->tokens);
    if (!f->tokens) {
        return say_failed("out of memory for %zu visual tokens (take fewer frames: --frames N)",
                          grid[0] * group);
    }
    if (!film_run_open(&e->plain, e, &small, NULL)) {
        return false;
    }
    for (uint32_t t = 0; t < f->count; t += small.count) {
        const uint32_t count = f->count - t < small.count ? f->count - t : small.count;
        winnow_encode run;
        winnow_result result = {.struct_size = sizeof result};
        set_call(&run, f, t, count);
        run.out[WINNOW_OUT_TOKENS] =
            (winnow_tensor){.data = f->tokens + t / e->info.frames * group * e->info.dim,
                            .capacity = e->plain.info.rows_max};
        const winnow_status status = e->ext->encoder_encode(e->plain.encoder, &run, &result);
        if (status != WINNOW_OK) {
            return film_fail(e, "encode", status);
        }
    }
    f->encode_ms = say_clock() - start;
    return true;
}

/* ---- one call's rows behind those of the calls before ---- */

/* What one call gives: rows and sources counted from its own first frame. */
typedef struct part {
    uint32_t first_group, groups; /* of the film */
    uint32_t row_room;            /* rows that it may give */
} part;

/* Where the call writes: behind what is there. */
static void point_outputs(winnow_tensor out[WINNOW_OUT_COUNT], const film_rows *r, const part *p)
{
    const uint64_t tokens = r->shape.tokens;
    out[WINNOW_OUT_TOKENS] =
        (winnow_tensor){.data = r->data + (size_t)r->count * r->width, .capacity = p->row_room};
    out[WINNOW_OUT_INDICES] =
        (winnow_tensor){.data = r->indices + r->count, .capacity = p->row_room};
    out[WINNOW_OUT_ASSIGNMENT] = (winnow_tensor){.data = r->assignment + p->first_group * tokens,
                                                 .capacity = p->groups * tokens};
}

/* A row's place and source among the language model's tokens of the whole film. A class token is
 * where its call's first token is, the pooled rest where the last is, as the rows are in order. */
static void place_row(film_rows *r, uint32_t i, const part *p, uint32_t times)
{
    int32_t *place = r->places + (size_t)i * 3;
    const int32_t first = (int32_t)p->first_group, h = (int32_t)r->grid[1], w = (int32_t)r->grid[2];
    if (r->indices[i] < 0) {
        const bool front = r->indices[i] == CLASS_TOKEN;
        place[0] = first + (front ? 0 : (int32_t)p->groups - 1);
        place[1] = front ? 0 : h - 1;
        place[2] = front ? 0 : w - 1;
        r->sources[i] = r->indices[i];
        return;
    }
    place[0] = first + r->indices[i] / (int32_t)r->shape.tokens;
    place[1] = r->indices[i] % (int32_t)r->shape.tokens / (int32_t)r->shape.grid_w / (int32_t)times;
    place[2] = r->indices[i] % (int32_t)r->shape.grid_w / (int32_t)times;
    r->sources[i] = (place[0] * h + place[1]) * w + place[2];
    r->indices[i] += first * (int32_t)r->shape.tokens;
}

/* The call gave `count` rows; its numbers become the film's. */
static void accept(film_rows *r, const part *p, uint32_t count)
{
    const uint32_t times = r->shape.grid_w / r->grid[2];
    int32_t *assignment = r->assignment + (size_t)p->first_group * r->shape.tokens;
    for (uint32_t i = r->count; i < r->count + count; i++) {
        place_row(r, i, p, times);
    }
    for (uint64_t i = 0; i < (uint64_t)p->groups * r->shape.tokens; i++) {
        assignment[i] += assignment[i] >= 0 ? (int32_t)r->count : 0;
    }
    r->count += count;
}

/* Sizes of what comes out. `side`: pixels of a source token. */
static bool make_room(film_rows *r, const film_encoder *e, const film *f, uint32_t rows,
                      uint32_t width, uint32_t side)
{
    uint32_t grid[3];
    film_grid(e, f, grid);
    const winnow_shape shape = {.frames = grid[0],
                                .tokens = (f->height / side) * (f->width / side),
                                .dim = width,
                                .grid_h = f->height / side,
                                .grid_w = f->width / side};
    if (!film_rows_room(r, rows, width, (uint64_t)shape.frames * shape.tokens)) {
        return false;
    }
    r->shape = shape;
    memcpy(r->grid, grid, sizeof grid);
    r->before = grid[0] * grid[1] * grid[2];
    return true;
}

/* Calls of a film: one for a video, one for each view of a picture. */
static uint32_t call_count(const film *f)
{
    return f->is_video ? 1 : f->count;
}

static part part_of(const film_rows *r, const film *f, uint32_t call, uint32_t rows)
{
    return (part){
        .first_group = call, .groups = f->is_video ? r->shape.frames : 1, .row_room = rows};
}

/* ---- the three ways ---- */

static bool reduce_inside(film_rows *out, film *f, film_encoder *e, film_pipeline *p)
{
    if (!film_run_open(&p->run, e, f, p->pipeline)) {
        return false;
    }
    const double start = say_clock();
    const winnow_encoder_info *info = &p->run.info;
    if (!make_room(out, e, f, info->rows_max * call_count(f), info->dim, info->source_patch)) {
        return false;
    }
    for (uint32_t call = 0; call < call_count(f); call++) {
        const part q = part_of(out, f, call, info->rows_max);
        winnow_encode run;
        winnow_result result = {.struct_size = sizeof result};
        set_call(&run, f, call, f->is_video ? f->count : 1);
        point_outputs(run.out, out, &q);
        const winnow_status status = e->ext->encoder_encode(p->run.encoder, &run, &result);
        if (status != WINNOW_OK) {
            return film_fail(e, "encode", status);
        }
        accept(out, &q, result.rows);
    }
    out->encode_ms = say_clock() - start;
    return true;
}

static void set_inputs(winnow_run *run, const film *f, const film_pipeline *p,
                       const film_inputs *inputs, size_t first)
{
    run->in[WINNOW_ROLE_TOKENS].data = f->tokens + first;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        if (p->given & 1u << role) {
            run->in[role].data = (void *)(uintptr_t)inputs->in[role];
        }
    }
}

static winnow_status run_plan(film_rows *out, const film *f, film_encoder *e,
                              const film_pipeline *p, const film_inputs *inputs)
{
    const winnow_shape *shape = &p->shape;
    winnow_plan_info info = {.struct_size = sizeof info};
    winnow_status status = e->api->plan_info(p->plan, &info);
    if (status == WINNOW_OK &&
        !make_room(out, e, f, info.rows_max * call_count(f), info.dim_out, e->token)) {
        return WINNOW_E_HOST_MEMORY;
    }
    for (uint32_t call = 0; status == WINNOW_OK && call < call_count(f); call++) {
        const part q = part_of(out, f, call, info.rows_max);
        winnow_run run = {.struct_size = sizeof run, .shape = *shape};
        winnow_result result = {.struct_size = sizeof result};
        set_inputs(&run, f, p, inputs, (size_t)call * shape->tokens * shape->dim);
        point_outputs(run.out, out, &q);
        status = e->api->plan_run(p->plan, &run, &result);
        accept(out, &q, status == WINNOW_OK ? result.rows : 0);
    }
    return status;
}

/* Planned once for films of one shape. */
static winnow_status plan_for(film_encoder *e, film_pipeline *p, const winnow_shape *shape)
{
    const winnow_plan_desc desc = {.struct_size = sizeof desc,
                                   .flags = WINNOW_PLAN_HOST_MEMORY,
                                   .max_shape = *shape,
                                   .roles = 1u << WINNOW_ROLE_TOKENS | p->given,
                                   .outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES |
                                              1u << WINNOW_OUT_ASSIGNMENT};
    if (p->plan && memcmp(&p->shape, shape, sizeof *shape) == 0) {
        return WINNOW_OK;
    }
    e->api->plan_destroy(p->plan);
    p->plan = NULL;
    p->shape = *shape;
    return e->api->plan_create(e->device, p->pipeline, &desc, &p->plan);
}

/* Roles that are not given have no size. */
static winnow_shape shape_behind(const film *f, const film_encoder *e, const film_pipeline *p,
                                 const film_inputs *inputs)
{
    uint32_t grid[3];
    film_grid(e, f, grid);
    const uint32_t frames = f->is_video ? film_frames(p, grid[0]) : 1;
    const bool whole = f->is_video && frames < grid[0]; /* one set has no grid */
    winnow_shape shape = {.frames = frames,
                          .tokens = grid[1] * grid[2] * (whole ? grid[0] : 1),
                          .dim = e->info.dim,
                          .grid_h = whole ? 0 : grid[1],
                          .grid_w = whole ? 0 : grid[2]};
    if (inputs) {
        shape.text_rows = inputs->text_rows;
        shape.text_dim = inputs->text_dim;
        shape.key_dim = inputs->key_dim;
        shape.frame_dim = inputs->frame_dim;
        shape.heads = inputs->heads;
        shape.llm_heads = inputs->llm_heads;
        shape.image_dim = e->info.dim;
    }
    return shape;
}

static bool reduce_behind(film_rows *out, film *f, film_encoder *e, film_pipeline *p,
                          const film_inputs *inputs)
{
    const double start = say_clock();
    const winnow_shape shape = shape_behind(f, e, p, inputs);
    winnow_status status = plan_for(e, p, &shape);
    if (status == WINNOW_OK) {
        status = run_plan(out, f, e, p, inputs);
    }
    out->reduce_ms = say_clock() - start;
    return status == WINNOW_OK || film_fail(e, "reduce", status);
}

static bool take_all(film_rows *out, const film *f, const film_encoder *e)
{
    uint32_t grid[3];
    film_grid(e, f, grid);
    const uint32_t count = grid[0] * grid[1] * grid[2];
    if (!make_room(out, e, f, count, e->info.dim, e->token)) {
        return false;
    }
    memcpy(out->data, f->tokens, (size_t)count * e->info.dim * sizeof *out->data);
    for (uint32_t i = 0; i < count; i++) {
        int32_t *place = out->places + (size_t)i * 3;
        place[0] = (int32_t)(i / (grid[1] * grid[2]));
        place[1] = (int32_t)(i / grid[2] % grid[1]);
        place[2] = (int32_t)(i % grid[2]);
        out->sources[i] = out->indices[i] = out->assignment[i] = (int32_t)i;
    }
    out->count = count;
    return true;
}

bool film_reduce_with(film_rows *out, film *f, film_encoder *e, film_pipeline *p,
                      const film_inputs *inputs)
{
    *out = (film_rows){0};
    film_forget(e);
    if (p->inside) {
        return reduce_inside(out, f, e, p);
    }
    if (!film_encode(f, e) ||
        !(p->pipeline ? reduce_behind(out, f, e, p, inputs) : take_all(out, f, e))) {
        return false;
    }
    out->encode_ms = f->encode_ms;
    return true;
}

bool film_reduce(film_rows *out, film *f, film_encoder *e, film_pipeline *p)
{
    return film_reduce_with(out, f, e, p, NULL);
}
