#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "e2e.h"
#include "say.h"

/* Roles of a layer, for which a stage stands in front of a projector that goes token by token; all
 * that an encoder shows; and what is then made up. */
enum {
    LAYER_ROLES = 1 << WINNOW_ROLE_KEYS | 1 << WINNOW_ROLE_QUERIES | 1 << WINNOW_ROLE_CLS |
                  1 << WINNOW_ROLE_CLS_ATTENTION,
    SHOWN_ROLES = LAYER_ROLES | 1 << WINNOW_ROLE_TOKENS | 1 << WINNOW_ROLE_SIZES,
    SEEDED_ROLES = ((1 << WINNOW_ROLE_COUNT) - 1) & ~SHOWN_ROLES
};
/* Sizes of what is made up: before the projector a CLIP's text space, which no encoder's channels are
 * fewer than, and the heads of a language model of 7B. */
enum { TEXT_ROWS = 8, TEXT_DIM = 512, LLM_HEADS = 28, FRAME_DIM = 1152 };
enum { TAP_FINAL, TAP_KEYS, TAP_QUERIES, TAP_ATTENTION, TAP_COUNT };

/* ---- what the encoder shows ---- */

static void set_shapes(e2e_shown *s, const film_encoder *e, const film *f)
{
    const winnow_model_info *m = &e->info;
    uint32_t grid[3], h = f->height / m->patch, w = f->width / m->patch;
    film_grid(e, f, grid);
    s->front = (winnow_shape){.frames = grid[0],
                              .tokens = h * w,
                              .dim = m->width,
                              .grid_h = h,
                              .grid_w = w,
                              .key_dim = m->width / m->heads,
                              .heads = m->heads,
                              .llm_heads = LLM_HEADS,
                              .text_rows = TEXT_ROWS,
                              .frame_dim = FRAME_DIM,
                              .text_dim = m->width < TEXT_DIM ? m->width : TEXT_DIM};
    s->behind = s->front;
    s->behind.tokens = grid[1] * grid[2];
    s->behind.grid_h = grid[1];
    s->behind.grid_w = grid[2];
    s->behind.dim = s->behind.text_dim = m->dim; /* as the language model embeds it */
    s->made_front = (bench_inputs){.shape = s->front, .dtype = WINNOW_F32};
    s->made_behind = (bench_inputs){.shape = s->behind, .dtype = WINNOW_F32};
}

/* Elements of a frame. */
static uint64_t frame_elements(const winnow_shape *s, uint32_t role)
{
    return role == WINNOW_ROLE_TOKENS          ? (uint64_t)s->tokens * s->dim
           : role == WINNOW_ROLE_CLS           ? s->dim
           : role == WINNOW_ROLE_CLS_ATTENTION ? (uint64_t)s->tokens * s->heads
                                               : (uint64_t)s->tokens * s->key_dim;
}

static bool make_room(float *at[WINNOW_ROLE_COUNT], const winnow_shape *s, uint32_t roles)
{
    bool good = true;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        if (roles >> role & 1u) {
            at[role] = cli_array(s->frames * frame_elements(s, role), sizeof *at[role]);
            good = good && at[role];
        }
    }
    return good;
}

/* The mean of each block of cells. from: `cells` of `step` floats, element k of each; to likewise. */
static void mean_of_blocks(float *to, const float *from, const e2e_shown *s, uint32_t step,
                           uint32_t k)
{
    const uint32_t join = s->front.grid_w / s->behind.grid_w;
    for (uint32_t y = 0; y < s->behind.grid_h; y++) {
        for (uint32_t x = 0; x < s->behind.grid_w; x++) {
            float sum = 0;
            for (uint32_t i = 0; i < join * join; i++) {
                uint32_t cell = (y * join + i / join) * s->front.grid_w + x * join + i % join;
                sum += from[(size_t)cell * step + k];
            }
            to[((size_t)y * s->behind.grid_w + x) * step + k] = sum / (float)(join * join);
        }
    }
}

/* What stands in front of the projector, as it is behind one that joins patches. */
static void join_frame(e2e_shown *s, uint32_t t)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        const bool by_head = role == WINNOW_ROLE_CLS_ATTENTION;
        if (!s->at_behind[role] || role == WINNOW_ROLE_TOKENS) {
            continue;
        }
        const float *from = s->at_front[role] + t * frame_elements(&s->front, role);
        float *to = s->at_behind[role] + t * frame_elements(&s->behind, role);
        const uint32_t planes = by_head ? s->front.heads : 1, step = by_head ? 1 : s->front.key_dim;
        for (uint32_t p = 0; p < planes; p++) {
            for (uint32_t k = 0; k < step; k++) {
                mean_of_blocks(to + (size_t)p * s->behind.tokens,
                               from + (size_t)p * s->front.tokens, s, step, k);
            }
        }
    }
}

static void keep_frame(e2e_shown *s, const film_encoder *e, uint32_t t,
                       float *const taps[TAP_COUNT])
{
    const winnow_shape *p = &s->front;
    const size_t special = (size_t)e->info.special_rows * p->dim;
    memcpy(s->at_front[WINNOW_ROLE_TOKENS] + t * frame_elements(p, WINNOW_ROLE_TOKENS),
           taps[TAP_FINAL] + special, frame_elements(p, WINNOW_ROLE_TOKENS) * sizeof(float));
    film_mean_of_heads(s->at_front[WINNOW_ROLE_KEYS] + t * frame_elements(p, WINNOW_ROLE_KEYS),
                       taps[TAP_KEYS] + special, p->tokens, p->heads, p->key_dim);
    film_mean_of_heads(s->at_front[WINNOW_ROLE_QUERIES] +
                           t * frame_elements(p, WINNOW_ROLE_QUERIES),
                       taps[TAP_QUERIES] + special, p->tokens, p->heads, p->key_dim);
    memcpy(s->at_front[WINNOW_ROLE_CLS_ATTENTION] +
               t * frame_elements(p, WINNOW_ROLE_CLS_ATTENTION),
           taps[TAP_ATTENTION], frame_elements(p, WINNOW_ROLE_CLS_ATTENTION) * sizeof(float));
    if (s->at_front[WINNOW_ROLE_CLS]) { /* the first row */
        memcpy(s->at_front[WINNOW_ROLE_CLS] + (size_t)t * p->dim, taps[TAP_FINAL],
               p->dim * sizeof(float));
    }
    join_frame(s, t);
}

/* A frame, or a pair of them, a call: little memory, and the same rows. */
static winnow_status encode_frame(e2e_shown *s, film_encoder *e, const film *f,
                                  winnow_encoder *encoder, uint32_t t, float *const taps[TAP_COUNT])
{
    const uint32_t first = t * e->info.frames, left = f->count - first,
                   count = left < e->info.frames ? left : e->info.frames;
    winnow_encode run = {.struct_size = sizeof run,
                         .frames = count,
                         .width = f->width,
                         .height = f->height,
                         .rgb = f->rgb + (size_t)first * f->width * f->height * 3,
                         .taps = taps};
    run.out[WINNOW_OUT_TOKENS] =
        (winnow_tensor){.data = s->at_behind[WINNOW_ROLE_TOKENS] +
                                t * frame_elements(&s->behind, WINNOW_ROLE_TOKENS),
                        .capacity = s->behind.tokens};
    winnow_result result = {.struct_size = sizeof result};
    const winnow_status status = e->ext->encoder_encode(encoder, &run, &result);
    if (status == WINNOW_OK) {
        keep_frame(s, e, t, taps);
    }
    return status;
}

static winnow_status encode_all(e2e_shown *s, film_encoder *e, const film *f,
                                float *const taps[TAP_COUNT])
{
    const int32_t last = (int32_t)e->info.run_layers - 1;
    const winnow_tap looks[TAP_COUNT] = {
        [TAP_FINAL] = {WINNOW_TAP_FINAL, 0},
        [TAP_KEYS] = {WINNOW_TAP_KEYS, last},
        [TAP_QUERIES] = {WINNOW_TAP_QUERIES, last},
        [TAP_ATTENTION] = {e->info.class_token ? WINNOW_TAP_CLASS : WINNOW_TAP_RECEIVED, last}};
    const winnow_encoder_desc desc = {.struct_size = sizeof desc,
                                      .taps = looks,
                                      .tap_count = TAP_COUNT,
                                      .max_frames = e->info.frames,
                                      .max_width = f->width,
                                      .max_height = f->height};
    winnow_encoder *encoder = NULL;
    winnow_status status = e->ext->encoder_open(e->device, e->model, &desc, &encoder);
    for (uint32_t t = 0; status == WINNOW_OK && t < s->front.frames; t++) {
        status = encode_frame(s, e, f, encoder, t, taps);
    }
    e->ext->encoder_destroy(encoder);
    return status;
}

bool e2e_show(e2e_shown *s, film_encoder *e, const film *f)
{
    const uint32_t roles = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS |
                           1u << WINNOW_ROLE_QUERIES | 1u << WINNOW_ROLE_CLS_ATTENTION;
    float *taps[TAP_COUNT] = {0};
    memset(s, 0, sizeof *s);
    set_shapes(s, e, f);
    bool good = make_room(s->at_front, &s->front,
                          roles | (e->info.class_token ? 1u << WINNOW_ROLE_CLS : 0)) &&
                make_room(s->at_behind, &s->behind, roles);
    const uint64_t rows = (uint64_t)(s->front.tokens + e->info.special_rows) * s->front.dim;
    for (uint32_t i = 0; i < TAP_COUNT; i++) {
        taps[i] = cli_array(i == TAP_ATTENTION ? (uint64_t)s->front.heads * s->front.tokens : rows,
                            sizeof **taps);
        good = good && taps[i];
    }
    if (good) {
        film_forget(e);
        const winnow_status status = encode_all(s, e, f, taps);
        good = status == WINNOW_OK || film_fail(e, "encoder", status);
    } else {
        say_failed("out of memory for what the encoder shows (take fewer frames: --frames N)");
    }
    for (uint32_t i = 0; i < TAP_COUNT; i++) {
        free(taps[i]);
    }
    return good;
}

void e2e_shown_free(e2e_shown *s)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        free(s->at_front[role]);
        free(s->at_behind[role]);
    }
    bench_inputs_free(&s->made_front);
    bench_inputs_free(&s->made_behind);
    memset(s, 0, sizeof *s);
}

/* ---- a pipeline on it ---- */

/* Points the run at what is there; bits of it. */
static uint32_t give(e2e_alone *a, e2e_shown *s, bool front, uint32_t wants)
{
    bench_inputs *made = front ? &s->made_front : &s->made_behind;
    float *const *shown = front ? s->at_front : s->at_behind;
    uint32_t given = 0;
    if (!bench_inputs_make(made, wants & SEEDED_ROLES)) {
        return 0;
    }
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        void *data = SEEDED_ROLES >> role & 1 ? made->data[role] : shown[role];
        if (wants >> role & 1u && data) {
            a->run.in[role].data = data;
            given |= 1u << role;
        }
    }
    a->seeded = (given & SEEDED_ROLES) != 0;
    return given;
}

bool e2e_alone_open(e2e_alone *a, film_encoder *e, e2e_shown *s, const winnow_pipeline *pipeline)
{
    uint32_t needed = 0, optional = 0;
    winnow_plan_info info = {.struct_size = sizeof info};
    memset(a, 0, sizeof *a);
    film_forget(e);
    if (e->api->pipeline_inputs(pipeline, &needed, &optional) != WINNOW_OK) {
        return false;
    }
    /* nothing is made up for a stage that can do without: a budget would choose by it */
    const uint32_t wants = needed | (optional & ~(uint32_t)SEEDED_ROLES) | 1u << WINNOW_ROLE_TOKENS;
    const bool front = (wants & LAYER_ROLES) && e->info.join == 1;
    a->run.struct_size = sizeof a->run;
    a->run.shape = front ? s->front : s->behind;
    const winnow_plan_desc desc = {.struct_size = sizeof desc,
                                   .flags = WINNOW_PLAN_HOST_MEMORY,
                                   .max_shape = a->run.shape,
                                   .roles = give(a, s, front, wants),
                                   .outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES};
    if (e->api->plan_create(e->device, pipeline, &desc, &a->plan) != WINNOW_OK ||
        e->api->plan_info(a->plan, &info) != WINNOW_OK) {
        return false;
    }
    a->tokens = cli_array((uint64_t)info.rows_max * info.dim_out, sizeof *a->tokens);
    a->indices = cli_array(info.rows_max, sizeof *a->indices);
    a->run.out[WINNOW_OUT_TOKENS] = (winnow_tensor){.data = a->tokens, .capacity = info.rows_max};
    a->run.out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = a->indices, .capacity = info.rows_max};
    return a->tokens && a->indices;
}

winnow_status e2e_alone_run(e2e_alone *a, film_encoder *e)
{
    winnow_result result = {.struct_size = sizeof result};
    const winnow_status status = e->api->plan_run(a->plan, &a->run, &result);
    a->rows = result.rows;
    return status;
}

void e2e_alone_close(e2e_alone *a, film_encoder *e)
{
    if (a->plan) {
        e->api->plan_destroy(a->plan);
    }
    free(a->tokens);
    free(a->indices);
    memset(a, 0, sizeof *a);
}
