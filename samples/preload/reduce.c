#include "reduce.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winnow/winnow.h>

#include "fit.h"
#include "say.h"

/* divprune compares every token with every other one: of small plans the last few are kept, a large
 * one is made again for each chunk. */
enum { PLANS = 4, PLAN_BYTES_MOST = 64 << 20, TRIAL_SIDE = 8 };

typedef struct plan_slot {
    char spec[RULE_MARK_SIZE];
    chunk_shape shape;
    uint32_t width;
    winnow_plan *plan; /* NULL: free */
    winnow_plan_info info;
    uint64_t used;
} plan_slot;

typedef struct known_promise {
    char mark[RULE_MARK_SIZE];
    chunk_shape shape;
    promise promise;
    struct known_promise *next;
} known_promise;

/* One device a process; `lock` guards everything here. */
static struct {
    pthread_mutex_t lock;
    const winnow_api *api;
    winnow_device *device;
    uint32_t width; /* the last one that was opened for */
    plan_slot plans[PLANS];
    uint64_t clock;
    known_promise *promises;
    char message[512]; /* the library's last words */
    bool message_is_error, failed_before;
} w = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* An error outweighs what is said after it. */
static void remember(void *user, int32_t level, const char *message)
{
    (void)user;
    if (level == WINNOW_LOG_ERROR || (level <= WINNOW_LOG_INFO && !w.message_is_error)) {
        snprintf(w.message, sizeof w.message, "%s", message);
        w.message_is_error = level == WINNOW_LOG_ERROR;
    }
}

static void forget_message(void)
{
    w.message[0] = 0;
    w.message_is_error = false;
}

static const winnow_host host = {.struct_size = sizeof host, .log = remember};

static const char *words(winnow_status status)
{
    return w.message[0] ? w.message : w.api->status_name(status);
}

/* ---- plans ---- */

static plan_slot *find_plan(const char *spec, const chunk_shape *shape, uint32_t width)
{
    plan_slot *oldest = &w.plans[0];
    for (int i = 0; i < PLANS; i++) {
        plan_slot *slot = &w.plans[i];
        if (slot->plan && slot->width == width && memcmp(&slot->shape, shape, sizeof *shape) == 0 &&
            strcmp(slot->spec, spec) == 0) {
            return slot;
        }
        oldest = slot->used < oldest->used ? slot : oldest;
    }
    w.api->plan_destroy(oldest->plan);
    *oldest = (plan_slot){.shape = *shape, .width = width};
    snprintf(oldest->spec, sizeof oldest->spec, "%s", spec);
    return oldest;
}

static winnow_status make_plan(plan_slot *slot)
{
    winnow_plan_desc desc = {
        .struct_size = sizeof desc,
        .flags = WINNOW_PLAN_HOST_MEMORY,
        .max_shape = {.frames = 1,
                      .tokens = slot->shape.tokens,
                      .dim = slot->width,
                      .grid_h = slot->shape.grid_h,
                      .grid_w = slot->shape.grid_w},
        .roles = 1u << WINNOW_ROLE_TOKENS,
        .outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES,
    };
    winnow_pipeline *pipeline = NULL;
    slot->info = (winnow_plan_info){.struct_size = sizeof slot->info};
    winnow_status status = w.api->pipeline_create(&host, slot->spec, &pipeline);
    if (status == WINNOW_OK) {
        status = w.api->plan_create(w.device, pipeline, &desc, &slot->plan);
    }
    if (status == WINNOW_OK) {
        status = w.api->plan_info(slot->plan, &slot->info);
    }
    w.api->pipeline_destroy(pipeline);
    if (status != WINNOW_OK) {
        w.api->plan_destroy(slot->plan);
        slot->plan = NULL;
    }
    return status;
}

static winnow_status get_plan(const char *spec, const chunk_shape *shape, uint32_t width,
                              plan_slot **out)
{
    forget_message();
    *out = find_plan(spec, shape, width);
    (*out)->used = ++w.clock;
    return (*out)->plan ? WINNOW_OK : make_plan(*out);
}

/* ---- opening ---- */

static bool open_device(int32_t backend)
{
    const winnow_device_desc desc = {.struct_size = sizeof desc, .backend = backend, .host = &host};
    w.api = w.api ? w.api : winnow_get_api(WINNOW_ABI);
    forget_message();
    if (w.device) {
        return true;
    }
    const winnow_status status = w.api->device_create(&desc, &w.device);
    return status == WINNOW_OK ||
           say("no device: %s (nothing is reduced; WINNOW_BACKEND=cpu needs none)", words(status));
}

static bool roles_are_there(const rule *r)
{
    winnow_pipeline *pipeline = NULL;
    uint32_t needed = 0, optional = 0;
    forget_message();
    winnow_status status = w.api->pipeline_create(&host, r->spec, &pipeline);
    if (status == WINNOW_OK) {
        status = w.api->pipeline_inputs(pipeline, &needed, &optional);
    }
    w.api->pipeline_destroy(pipeline);
    if (status != WINNOW_OK) {
        return say("WINNOW_PIPELINE: %s (nothing is reduced)", words(status));
    }
    return (needed & ~(1u << WINNOW_ROLE_TOKENS)) == 0 ||
           say("WINNOW_PIPELINE=%s: it needs attention, keys or embeddings, and llama.cpp hands "
               "out tokens alone (take divprune, tome or a pool; nothing is reduced)",
               r->spec);
}

/* On a square of 8 x 8 tokens. A shape that the pipeline does not like says nothing yet: a chunk's
 * own may do. */
static bool try_pipeline(const rule *r, uint32_t width)
{
    const chunk_shape shape = {TRIAL_SIDE * TRIAL_SIDE, TRIAL_SIDE, TRIAL_SIDE};
    plan_slot *slot;
    const winnow_status status = get_plan(r->spec, &shape, width, &slot);
    if (status == WINNOW_E_SHAPE) {
        return true;
    }
    if (status != WINNOW_OK) {
        return say("WINNOW_PIPELINE: %s (nothing is reduced)", words(status));
    }
    if (slot->info.dim_out != width) {
        return say("WINNOW_PIPELINE=%s: it makes rows of %u channels and the language model takes "
                   "%u (nothing is reduced)",
                   r->spec, slot->info.dim_out, width);
    }
    return slot->info.rows_exact || r->tokens || r->share ||
           say("WINNOW_PIPELINE=%s: how many tokens it keeps depends on the picture, and a program "
               "asks before it is encoded (give a WINNOW_BUDGET too; nothing is reduced)",
               r->spec);
}

bool reduce_open(const settings *s, uint32_t width)
{
    pthread_mutex_lock(&w.lock);
    bool good = open_device(s->backend);
    if (good && !s->rule.by_budget && w.width != width) {
        good = roles_are_there(&s->rule) && try_pipeline(&s->rule, width);
    }
    w.width = good ? width : w.width;
    pthread_mutex_unlock(&w.lock);
    return good;
}

/* ---- promises ---- */

/* What the pipeline itself leaves of a chunk. */
static promise ask_pipeline(const rule *r, const chunk_shape *shape)
{
    const uint32_t most = rule_count(r, shape->tokens);
    promise p = {.reduces = true, .tokens = most};
    plan_slot *slot;
    const winnow_status status = get_plan(r->spec, shape, w.width, &slot);
    if (status != WINNOW_OK || slot->info.dim_out != w.width ||
        (!slot->info.rows_exact && !r->tokens && !r->share)) {
        say("a chunk of %u tokens (%u x %u) stays whole: %s", shape->tokens, shape->grid_h,
            shape->grid_w, status != WINNOW_OK ? words(status) : r->spec);
        return (promise){.tokens = shape->tokens};
    }
    if (slot->info.rows_exact && slot->info.rows_max && slot->info.rows_max <= most) {
        p.tokens = slot->info.rows_max;
        if (slot->info.grid_out[1] * slot->info.grid_out[2] == p.tokens) {
            p.grid_h = slot->info.grid_out[1];
            p.grid_w = slot->info.grid_out[2];
        }
    }
    return p;
}

/* Asked once for each shape: a device that runs out of memory later changes no promise. */
static promise known_or_asked(const rule *r, const chunk_shape *shape)
{
    for (known_promise *k = w.promises; k; k = k->next) {
        if (memcmp(&k->shape, shape, sizeof *shape) == 0 && strcmp(k->mark, r->mark) == 0) {
            return k->promise;
        }
    }
    known_promise *k = calloc(1, sizeof *k);
    if (!k) {
        return (promise){.tokens = shape->tokens};
    }
    k->shape = *shape;
    k->promise = ask_pipeline(r, shape);
    memcpy(k->mark, r->mark, sizeof k->mark);
    k->next = w.promises;
    w.promises = k;
    return k->promise;
}

promise reduce_promise(const rule *r, const chunk_shape *shape)
{
    promise p = {.tokens = shape->tokens};
    if (r->by_budget) {
        p.tokens = rule_count(r, shape->tokens);
        p.reduces = p.tokens < shape->tokens;
        return p;
    }
    pthread_mutex_lock(&w.lock);
    if (w.api && w.device) {
        p = known_or_asked(r, shape);
    }
    pthread_mutex_unlock(&w.lock);
    return p;
}

/* ---- rows ---- */

static winnow_status run(plan_slot *slot, float *rows, uint32_t count, int32_t *sources)
{
    const size_t most = slot->info.rows_max ? slot->info.rows_max : 1;
    fit_rows out = {.rows = malloc(most * slot->width * sizeof *out.rows),
                    .sources = malloc(most * sizeof *out.sources),
                    .width = slot->width};
    winnow_run call = {.struct_size = sizeof call,
                       .shape = {.frames = 1,
                                 .tokens = slot->shape.tokens,
                                 .dim = slot->width,
                                 .grid_h = slot->shape.grid_h,
                                 .grid_w = slot->shape.grid_w}};
    winnow_result result = {.struct_size = sizeof result};
    winnow_status status = out.rows && out.sources ? WINNOW_OK : WINNOW_E_HOST_MEMORY;
    if (status == WINNOW_OK) {
        call.in[WINNOW_ROLE_TOKENS].data = rows;
        call.out[WINNOW_OUT_TOKENS] = (winnow_tensor){.data = out.rows, .capacity = most};
        call.out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = out.sources, .capacity = most};
        status = w.api->plan_run(slot->plan, &call, &result);
    }
    out.count = result.rows;
    if (status == WINNOW_OK && !fit(&out, slot->shape.tokens, rows, count, sources)) {
        status = WINNOW_E_HOST_MEMORY;
    }
    free(out.rows);
    free(out.sources);
    return status;
}

static winnow_status run_rule(const rule *r, const chunk_shape *shape, uint32_t count,
                              uint32_t width, float *rows, int32_t *sources)
{
    char spec[RULE_MARK_SIZE];
    plan_slot *slot;
    snprintf(spec, sizeof spec, "%s", r->spec);
    if (r->by_budget) {
        snprintf(spec, sizeof spec, "divprune=keep=%u", count);
    }
    winnow_status status = get_plan(spec, shape, width, &slot);
    if (status == WINNOW_OK) {
        status = run(slot, rows, count, sources);
    }
    if (slot->plan && slot->info.workspace_bytes > PLAN_BYTES_MOST) {
        w.api->plan_destroy(slot->plan);
        slot->plan = NULL;
    }
    return status;
}

static void keep_even(uint32_t n, uint32_t count, uint32_t width, float *rows, int32_t *sources)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t from = fit_even(n, count, i);
        memmove(rows + (size_t)i * width, rows + (size_t)from * width, width * sizeof *rows);
        sources[i] = (int32_t)from;
    }
}

void reduce_rows(const rule *r, const chunk_shape *shape, const promise *p, uint32_t width,
                 float *rows, int32_t *sources)
{
    pthread_mutex_lock(&w.lock);
    const winnow_status status = run_rule(r, shape, p->tokens, width, rows, sources);
    if (status != WINNOW_OK) {
        keep_even(shape->tokens, p->tokens, width, rows, sources);
        if (!w.failed_before) {
            say("%s (evenly spaced tokens are kept instead)", words(status));
        }
        w.failed_before = true;
    }
    pthread_mutex_unlock(&w.lock);
}
