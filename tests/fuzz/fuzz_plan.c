/* libFuzzer: bytes choose a pipeline, a shape, roles, types and numbers (NaN and infinities among
 * them), and a plan runs on plain C. Whatever the numbers, what comes out must make sense. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numbers.h"
#include "plan.h"

/* %u is a small number, %% a percent sign. */
static const char *const stages[] = {
    "pixel-shuffle=factor=%u",
    "pixel-shuffle=factor=%u:pad=zero",
    "pixel-shuffle=factor=%u:pad=edge:layout=column",
    "pixel-shuffle=factor=%u:layout=channel",
    "pixel-shuffle=factor=%u:layout=blocks",
    "avg-pool=factor=%u",
    "avg-pool=stride=%u",
    "adaptive-pool=size=%u",
    "bilinear-pool=factor=%u",
    "fastervlm=keep=%u",
    "fastervlm=keep=%u0%%",
    "fastv=rate=0.%u",
    "sparsevlm=keep=%u",
    "sparsevlm=keep=%u0%%:recycle=off",
    "ficoco-l=r=%u:quantile=0.9",
    "ficoco-l=keep=%u0%%:mode=official",
    "pyramiddrop=ratio=0.%u",
    "pyramiddrop=step=2:of=%u",
    "visionzip=dominant=%u:contextual=3",
    "visionzip=dominant=2:contextual=%u",
    "prumerge",
    "prumerge=ratio=0.%u",
    "prumerge-plus",
    "prumerge-plus=ratio=0.%u",
    "vispruner=keep=%u:important=0.5",
    "vispruner=keep=%u0%%:important=0",
    "mustdrop=window=2:threshold=-0.%u",
    "mustdrop=window=2:keep=%u0%%",
    "mustdrop-llm=global=0.0%u:individual=0.5",
    "mustdrop-llm=keys=%u0%%:global=1:individual=1",
    "focus-llm=keep=%u",
    "focus-llm=keep=%u0%%",
    "focus=similarity=0.%u",
    "focus=window=8:pool=mean:similarity=-0.%u",
    "tome=r=%u",
    "tome=keep=%u",
    "tome=keep=%u0%%:metric=tokens",
    "divprune=keep=%u",
    "divprune=keep=%u0%%",
    "divprune=keep=%u:share=need:least=2",
    "divprune=keep=%u:centre=on",
    "cdpruner=keep=%u0%%:centre=on",
    "divprune=auto:fidelity=0.%u:most=5",
    "budget=%u",
    "budget=auto:fidelity=0.%u",
    "cdpruner=keep=%u",
    "cdpruner=keep=%u:weight=0.5",
    "cdpruner=keep=%u:weight=0.9:split=6",
    "hired=keep=%u0%%",
    "hired=keep=%u:tiles=grid:alpha=0.3",
    "hired=keep=%u0%%:tiles=official",
    "hiprune=keep=%u:alpha=1",
    "hiprune=keep=%u0%%:mode=official",
    "holov=keep=%u0%%:chunks=3",
    "holov=keep=%u:mode=official",
    "vscan=keep=%u0%%:window=2",
    "vscan=keep=%u:local=0.9:window=3",
    "correlation=many=%u",
    "correlation=similarity=0.%u:global=off:merge=none",
    "prunesid=keep=%u",
    "prunesid=keep=%u0%%",
    "scope=keep=%u",
    "scope=keep=%u0%%:alpha=0.5",
    "tops=keep=%u:coverage=0",
    "tops=keep=%u0%%:norm=range",
    "tops-llm=keep=%u",
    "sieve=keep=%u:heads=1",
    "sieve=keep=%u0%%:energy=1:heads=60%%",
    "tops-llm=keep=%u0%%:norm=range:raters=last",
    "vitcop=keep=%u",
    "vitcop=keep=%u0%%:rows=clusters:clusters=0.5:radius=0.3",
    "vitcop=rows=clusters:clusters=0.%u:radius=0.2:mode=official",
    "vitcop-llm=keep=%u0%%",
    "vitcop-llm=keep=%u:mode=official",
    "clse=keep=%u",
    "clse=keep=%u0%%:score=change:cutoff=0.3",
    "fsr=keep=%u",
    "fsr=keep=%u0%%:mass=0.3:gather=2",
    "mmtok=keep=%u",
    "dart=keep=%u:pivots=2:text_pivots=2",
    "dart=keep=%u0%%:mode=official",
    "trio=keep=%u",
    "trio=keep=%u0%%:similarity=0.3",
    "evs=rate=0.%u",
    "dytok=keep=%u0%%",
    "dytok=keep=%u:limit=3",
    "evs=rate=0.%u:compat=bf16",
    "motion=rate=0.%u",
    "motion=rate=0.%u:radius=2:mode=merge",
    "motion=rate=0.5:model=affine:gain=0.%u",
    "vidcom2=keep=%u0%%",
    "vidcom2=keep=%u:total=exact",
    "vidcom2=rate=0.%u:total=exact",
    "dtd=rate=0.%u",
    "dtd=threshold=0.%u",
    "v-cast=keep=%u0%%",
    "v-cast=keep=%u:min=0:temperature=0.02",
    "longvu=threshold=0.%u:window=2",
    "longvu=window=3:keep=%u0%%",
    "framefusion=cost=0.%u:threshold=0.1",
    "framefusion=cost=0.%u:prune=attention",
    "dycoke=rate=0.%u",
    "union=keep=%u:of=fastervlm+divprune+evs",
    "cascade=keep=%u:of=evs*3+vispruner+cdpruner",
    "cascade=keep=%u0%%:of=fastv+fastervlm*2",
    "dycoke=rate=0.%u:mode=merge",
    "fastvid=keep=%u",
    "fastvid=keep=%u0%%:period=2:segments=2",
    "fastvid=keep=60%%:period=%u:threshold=-1",
    "flashvid=keep=%u",
    "flashvid=keep=%u0%%:mode=official:segments=2",
    "flashvid=keep=40%%:alpha=0.%u:selection=attn_div:segment=-1",
    "holitom=keep=%u",
    "holitom=keep=%u0%%:still=0:contextual=0.5:merge=mean",
    "prunevid=still=0.%u",
    "streamingtom=keep=%u:threshold=-1",
    "streamingtom=keep=%u0%%:threshold=0.1:k=2",
    "prunevid-llm=keep=%u",
    "prunevid-llm=keep=%u0%%",
    "prunevid=still=-1:segments=0.%u:clusters=0.3",
    "sttm=threshold=0.%u:temporal=0.2",
    "sttm=threshold=0.1:temporal=0:root=%u",
    "sttm=threshold=-0.%u:temporal=0.01:root=0:weighted=on:mode=official",
    "flatten",
};

typedef struct input {
    const uint8_t *data;
    size_t size, at;
} input;

static uint32_t next(input *in, uint32_t below)
{
    const uint32_t byte = in->at < in->size ? in->data[in->at] : 0;
    ++in->at;
    return byte % below;
}

static void make_spec(input *in, char *spec, size_t size)
{
    const uint32_t count = 1 + next(in, 3);
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < size; ++i) {
        const char *form = stages[next(in, sizeof stages / sizeof *stages)];
        const uint32_t number = 1 + next(in, 9);
        const char *mark = strstr(form, "%u");
        used += (size_t)snprintf(spec + used, size - used, "%s", i ? "," : "");
        for (const char *c = form; *c && used + 2 < size; ++c) {
            if (c == mark) {
                spec[used++] = (char)('0' + number);
                ++c;
            } else if (*c != '%' || c[1] != '%') {
                spec[used++] = *c;
            }
        }
        spec[used] = '\0';
    }
}

static winnow_shape make_shape(input *in)
{
    winnow_shape s = {.frames = 1 + next(in, 5),
                      .grid_h = 1 + next(in, 7),
                      .grid_w = 1 + next(in, 7),
                      .dim = 1 + next(in, 9),
                      .key_dim = 1 + next(in, 5),
                      .heads = 1 + next(in, 3),
                      .llm_heads = 1 + next(in, 3),
                      .text_rows = 1 + next(in, 3),
                      .text_dim = 1 + next(in, 5),
                      .frame_dim = 1 + next(in, 5),
                      .image_dim = next(in, 6)};
    if (next(in, 2))
        s.text_dim = s.dim; /* some stages want it so */
    s.tokens = s.grid_h * s.grid_w;
    if (next(in, 3) == 0)
        s.grid_h = s.grid_w = 0;
    return s;
}

static uint64_t elements(const winnow_shape *s, uint32_t role)
{
    uint64_t rows;
    uint32_t cols;
    wn_role_extent(s, role, &rows, &cols);
    return rows * cols;
}

static void fill(input *in, uint8_t *data, uint64_t count, int32_t dtype)
{
    static const uint32_t odd[] = {0x7fc00000u, 0x7f800000u, 0xff800000u, 0,
                                   0x80000000u, 1,           0x7f7fffffu, 0xff7fffffu};
    uint32_t state = next(in, 256) | next(in, 256) << 8;
    const uint32_t wild = next(in, 40);
    for (uint64_t i = 0; i < count; ++i) {
        state = state * 1664525u + 1013904223u;
        float x = (float)(state >> 8) / 8388608.0f - 1.0f;
        if (wild < 8 && (state >> 16) % 16 == 0)
            memcpy(&x, &odd[wild], sizeof x);
        if (wild == 8)
            x = 0.25f; /* ties everywhere */
        const uint32_t bits = wild == 9 ? state : 0;
        if (bits)
            memcpy(&x, &bits, sizeof x); /* any number at all */
        const uint16_t half = dtype == WINNOW_F16 ? f32_to_f16(x) : f32_to_bf16(x);
        if (dtype == WINNOW_F32)
            memcpy(data + 4 * i, &x, 4);
        else
            memcpy(data + 2 * i, &half, 2);
    }
}

static void check(int holds, const char *what, const char *spec)
{
    if (!holds) {
        fprintf(stderr, "%s: %s\n", spec, what);
        abort();
    }
}

static void check_result(const winnow_run *run, const winnow_result *result,
                         const winnow_plan_info *info, const char *spec)
{
    const uint32_t all = run->shape.frames * run->shape.tokens;
    const int32_t *indices = run->out[WINNOW_OUT_INDICES].data,
                  *assignment = run->out[WINNOW_OUT_ASSIGNMENT].data;
    check(result->rows <= info->rows_max, "more rows than the plan said", spec);
    for (uint32_t i = 0; i < result->rows; ++i)
        check(indices[i] >= -2 && indices[i] < (int32_t)all, "an index past the tokens", spec);
    for (uint32_t i = 0; i < all; ++i)
        check(assignment[i] >= -1 && assignment[i] < (int32_t)result->rows,
              "a token went past the rows", spec);
}

/* Outputs in blocks of just the size of what may be written. */
static void run_plan(input *in, winnow_plan *plan, const winnow_plan_desc *desc, const char *spec)
{
    const winnow_api *api = wn_get_api(WINNOW_ABI);
    winnow_run run = {.struct_size = sizeof run, .shape = desc->max_shape};
    winnow_result result = {.struct_size = sizeof result};
    winnow_plan_info info = {.struct_size = sizeof info};
    check(api->plan_info(plan, &info) == WINNOW_OK, "plan_info failed", spec);
    run.shape.frames = 1 + next(in, run.shape.frames);
    const size_t rows = info.rows_max, element = desc->out_dtype == WINNOW_F32 ? 4 : 2;
    const size_t bytes[WINNOW_OUT_COUNT] = {rows * info.dim_out * element,
                                            rows * 4,
                                            rows * 4,
                                            rows * 12,
                                            (size_t)run.shape.frames * run.shape.tokens * 4,
                                            16};
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
        const uint64_t count = elements(&run.shape, role);
        if (!((desc->roles >> role) & 1u))
            continue;
        run.in[role].data = malloc(count * (desc->dtype[role] == WINNOW_F32 ? 4 : 2));
        fill(in, run.in[role].data, count, desc->dtype[role]);
    }
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        run.out[output] = (winnow_tensor){.data = malloc(bytes[output] ? bytes[output] : 1),
                                          .capacity = output == WINNOW_OUT_ASSIGNMENT
                                                          ? run.shape.frames * run.shape.tokens
                                                      : output == WINNOW_OUT_COUNT_WORD ? 1
                                                                                        : rows};
    const winnow_status status = api->plan_run(plan, &run, &result);
    const int fewer = run.shape.frames < desc->max_shape.frames;
    check(status == WINNOW_OK || status == WINNOW_E_SHAPE ||
              (fewer && status == WINNOW_E_UNSUPPORTED),
          api->status_name(status), spec);
    if (status == WINNOW_OK)
        check_result(&run, &result, &info, spec);
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        free(run.in[role].data);
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        free(run.out[output].data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const winnow_api *api = wn_get_api(WINNOW_ABI);
    const winnow_device_desc device_desc = {.struct_size = sizeof device_desc,
                                            .backend = WINNOW_BACKEND_CPU};
    input in = {data, size, 0};
    char spec[256];
    winnow_device *device = NULL;
    winnow_pipeline *pipeline = NULL;
    winnow_plan *plan = NULL;
    make_spec(&in, spec, sizeof spec);
    winnow_plan_desc desc = {.struct_size = sizeof desc,
                             .flags = WINNOW_PLAN_HOST_MEMORY,
                             .max_shape = make_shape(&in),
                             .outputs = (1u << WINNOW_OUT_COUNT) - 1u,
                             .out_dtype = (int32_t)next(&in, 3),
                             .order = (int32_t)next(&in, 2)};
    const uint32_t absent = next(&in, 2) ? 0 : (next(&in, 256) | next(&in, 256) << 8) << 1;
    desc.roles = ((1u << WINNOW_ROLE_COUNT) - 1u) & ~absent;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        desc.dtype[role] = (int32_t)next(&in, 3);
    if (api->device_create(&device_desc, &device) != WINNOW_OK ||
        api->pipeline_create(NULL, spec, &pipeline) != WINNOW_OK)
        check(0, "no device or no pipeline", spec);
    const winnow_status status = api->plan_create(device, pipeline, &desc, &plan);
    check((status == WINNOW_OK) == (plan != NULL), "status and plan disagree", spec);
    check(status == WINNOW_OK || (status <= -100 && status >= -299), api->status_name(status),
          spec);
    for (int i = 0; plan && i < 2; ++i)
        run_plan(&in, plan, &desc, spec);
    api->plan_destroy(plan);
    api->pipeline_destroy(pipeline);
    api->device_destroy(device);
    return 0;
}
