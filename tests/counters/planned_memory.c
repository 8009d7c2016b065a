/* Device memory of every stage's plan at the sizes of an image and of a video, beside what goes in
 * and comes out: (workspace + inputs + outputs) / (inputs + outputs). Plans only, runs nothing. */
#include <stdio.h>
#include <string.h>

#include "bench_cases.h"
#include "bench_weights.h"
#include "plan.h"

static const double most = 1.5;

/* Stages that hold similarities of all tokens with all, N x N a frame, or of those kept with all,
 * and why nothing smaller does. They have to stay under the matrices that they name. */
static const struct {
    const char *stage, *why;
} squares[] = {
    {"divprune", "every pick is compared with all tokens: N x N similarities a frame"},
    {"cdpruner", "as divprune, and the factor of the picks, K x N"},
    {"vispruner", "rounds over the similarities of all pairs: N x N a frame"},
    {"scope", "every pick is weighed against all tokens: N x N similarities a frame"},
    {"tops", "as scope"},
    {"tops-llm",
     "every pick is weighed against all tokens of all frames: (T*N) x (T*N) similarities"},
    {"trio",
     "a token that stays is compared with all tokens of all frames: (T*N) x (T*N) similarities"},
    {"sieve", "as tops-llm, and the left-over rows that they are of"},
    {"mmtok", "as scope, and the rows of text: (N + M) x N"},
    {"prunesid", "components of N x N products, N x N similarities, and centred tokens"},
    {"prumerge", "neighbours of each kept token: K x N"},
    {"prumerge-plus", "as prumerge"},
    {"budget", "divprune, where it chooses that"},
    {"union", "divprune is among its stages"},
    {"cascade", "as union"},
    {"fastvid", "clusters by the distances of all pairs that are left: N x N a frame"},
    {"flashvid", "similarities and distances of all pairs: 2 N x N a frame, and trees as rows"},
    {"holitom", "distances of all pairs that stand still, and what stands still as rows"},
    {"streamingtom", "distances of all pairs that stand still: N x N a frame"},
    {"vitcop", "distances of all pairs that are kept, half of the tokens: N x N a frame"},
    {"fsr", "every pick of the scan is compared with all tokens: N x N similarities a frame"},
    {"prunevid", "distances of all pairs, and what stands still as rows"},
};

/* Those whose frames are one set. */
static const char *const joined[] = {"tops-llm", "sieve", "trio"};

/* Stages that hold tokens as f32 rows once more: merged before they are clustered, centred, or with positions. */
static const char *const rows_again[] = {"flashvid", "holitom", "prunevid", "prunesid",
                                         "clse",     "hicom",   "sttm",     "sieve"};

static bool is_among(const char *stage, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], stage) == 0)
            return true;
    }
    return false;
}
#define IS_AMONG(stage, names) is_among(stage, names, sizeof(names) / sizeof *(names))

static const char *square(const char *stage)
{
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
        if (strcmp(squares[i].stage, stage) == 0)
            return squares[i].why;
    }
    return NULL;
}

/* explain's random weights, and two matrices of what its widest layer, 512 channels, makes of each token. */
static uint64_t convolution_bytes(const winnow_shape *s)
{
    const uint64_t weights = 2 * (32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512);
    return weights + 2 * 4 * 512 * (uint64_t)s->frames * s->tokens;
}

/* hicom's random weights, eight D x D of f16; for each of 32 queries and each head its products with all tokens, itself, and
 * what it pooled; and four rows a window: its query, what it pooled, the layers behind. */
static uint64_t learned_bytes(const char *stage, const winnow_shape *s)
{
    if (strcmp(stage, "explain") == 0)
        return convolution_bytes(s);
    const uint64_t dim = s->dim, heads = dim < 128 ? 1 : dim / 128;
    const uint64_t windows =
        (uint64_t)(s->frames + 3) / 4 * ((s->grid_h + 2) / 3) * ((s->grid_w + 2) / 3);
    if (strcmp(stage, "hicom") != 0)
        return 0;
    return 16 * dim * dim + 4 * 32 * heads * ((uint64_t)s->frames * s->tokens + 2 * dim) +
           4 * 4 * dim * (windows + 32);
}

/* Four bytes a pair of tokens of a frame, twice where there is a factor beside them. */
static uint64_t square_bytes(const char *stage, const winnow_shape *s)
{
    const uint64_t sets = IS_AMONG(stage, joined) ? 1 : s->frames,
                   all = (uint64_t)s->frames * s->tokens;
    return 2 * 4 * all * (all / sets);
}

static void say(void *user, int32_t level, const char *message)
{
    (void)user;
    if (level <= WINNOW_LOG_WARNING)
        fprintf(stderr, "%s\n", message);
}

static winnow_status plan_info(const engine *e, const char *spec, const winnow_shape *shape,
                               int32_t dtype, winnow_plan_info *info)
{
    winnow_pipeline *pipeline = NULL;
    winnow_plan *plan = NULL;
    winnow_plan_desc desc = {.struct_size = sizeof desc,
                             .max_shape = *shape,
                             .flags = WINNOW_PLAN_HOST_MEMORY,
                             .out_dtype = dtype};
    uint32_t optional;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++)
        desc.dtype[role] = dtype;
    winnow_status status = bench_pipeline(e->api, &e->host, spec, shape->dim, &pipeline);
    if (status == WINNOW_OK)
        status = e->api->pipeline_inputs(pipeline, &desc.roles, &optional);
    desc.roles |= 1u << WINNOW_ROLE_TOKENS;
    if (status == WINNOW_OK)
        status = e->api->plan_create(e->device, pipeline, &desc, &plan);
    *info = (winnow_plan_info){.struct_size = sizeof *info};
    if (status == WINNOW_OK)
        status = e->api->plan_info(plan, info);
    e->api->plan_destroy(plan);
    e->api->pipeline_destroy(pipeline);
    return status;
}

/* True if it is as it should be. */
static bool check(const engine *e, const winnow_stage_info *stage, const char *spec,
                  const winnow_shape *shape, int32_t dtype)
{
    winnow_plan_info info;
    const winnow_status status = plan_info(e, spec, shape, dtype, &info);
    const char *why = square(stage->name);
    if (status != WINNOW_OK) {
        printf("%-34s %s\n", spec, e->api->status_name(status));
        return status == WINNOW_E_ROLE || /* it runs inside an encoder alone */
               (status == WINNOW_E_SHAPE && shape->frames > 1); /* it takes one frame alone */
    }
    const uint64_t rows =
        IS_AMONG(stage->name, rows_again) ? 4ull * shape->frames * shape->tokens * shape->dim : 0;
    const uint64_t room =
        (why ? square_bytes(stage->name, shape) : 0) + rows + learned_bytes(stage->name, shape);
    const double floor = (double)info.floor_bytes, workspace = (double)info.workspace_bytes;
    const double ratio = (workspace + floor) / floor;
    const bool good = workspace <= (double)room + (most - 1) * floor;
    printf("%-34s %2u x %4u x %4u %s %9.0f KB workspace %9.0f KB in and out %5.2f %s\n", spec,
           shape->frames, shape->tokens, shape->dim, dtype == WINNOW_F32 ? "f32" : "f16",
           workspace / 1e3, floor / 1e3, ratio, good ? why ? why : "" : "TOO MUCH");
    return good;
}

static unsigned check_shape(engine *e, const bench_shape *shape)
{
    unsigned wrong = 0;
    for (uint32_t i = 0; i < e->api->stage_count(); i++) {
        winnow_stage_info stage = {.struct_size = sizeof stage};
        char spec[128];
        if (e->api->stage_info(i, &stage) != WINNOW_OK || strcmp(stage.family, "decode") == 0 ||
            (strcmp(stage.family, "temporal") == 0 && !shape->video) ||
            !bench_spec(e, stage.name, spec, sizeof spec))
            continue;
        wrong += !check(e, &stage, spec, &shape->shape, WINNOW_F32);
        wrong += !check(e, &stage, spec, &shape->shape, WINNOW_F16);
    }
    return wrong;
}

int main(void)
{
    engine e = {.api = wn_get_api(WINNOW_ABI), .host = {.struct_size = sizeof e.host, .log = say}};
    const winnow_device_desc desc = {
        .struct_size = sizeof desc, .backend = WINNOW_BACKEND_GPU, .selector = "", .host = &e.host};
    size_t count;
    unsigned wrong = 0, seen = 0;
    const bench_shape *shapes = bench_shapes(false, &count);
    if (e.api->device_create(&desc, &e.device) != WINNOW_OK)
        return 1;
    for (size_t i = 0; i < count; i++) {
        const winnow_shape *s = &shapes[i].shape; /* the long video is the short one again */
        if ((uint64_t)s->frames * s->tokens * s->dim * sizeof(float) > 128u << 20)
            continue;
        wrong += check_shape(&e, &shapes[i]);
        seen += 1;
    }
    e.api->device_destroy(e.device);
    printf("%u shapes, %u stages not as they should be\n", seen, wrong);
    return wrong || seen < 2;
}
