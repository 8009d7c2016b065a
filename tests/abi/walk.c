/* walk: a host that opens the library with dlopen and walks the whole table on the plain C backend,
 * with every mistake that a host can make on the way. C that is C++ as well (see walk.cpp).
 *
 * usage: walk LIBWINNOW.so */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "winnow/winnow.h"

static int failures;
static const winnow_api *api;

#define EXPECT(condition)                                            \
    do {                                                             \
        if (!(condition)) {                                          \
            printf("walk.c:%d: not so: %s\n", __LINE__, #condition); \
            ++failures;                                              \
        }                                                            \
    } while (0)

#define EXPECT_STATUS(expression, wanted)                                     \
    do {                                                                      \
        const winnow_status status_ = (expression);                           \
        if (status_ != (wanted)) {                                            \
            printf("walk.c:%d: %s gives %s, not %s\n", __LINE__, #expression, \
                   api->status_name(status_), api->status_name(wanted));      \
            ++failures;                                                       \
        }                                                                     \
    } while (0)

/* The caller's mistake, whichever. */
#define EXPECT_MISTAKE(expression)                                                      \
    do {                                                                                \
        const winnow_status status_ = (expression);                                     \
        if (status_ > -100 || status_ < -199) {                                         \
            printf("walk.c:%d: %s gives %s, not a mistake of the caller's\n", __LINE__, \
                   #expression, api->status_name(status_));                             \
            ++failures;                                                                 \
        }                                                                               \
    } while (0)

#define ZERO(type, name)           \
    type name;                     \
    memset(&name, 0, sizeof name); \
    name.struct_size = (uint32_t)sizeof name

/* A struct as a newer host would have it: 64 bytes longer. */
typedef union newer {
    unsigned char bytes[2048];
    uint32_t struct_size;
    uint64_t align;
    void *align_pointer;
} newer;

static void make_newer(newer *out, const void *in, size_t size, unsigned char tail)
{
    memset(out, 0, sizeof *out);
    memcpy(out, in, size);
    out->struct_size = (uint32_t)size + 64;
    out->bytes[size + 63] = tail;
}

static int log_lines;

static void count_lines(void *user, int32_t level, const char *message)
{
    (void)user;
    EXPECT(level >= WINNOW_LOG_ERROR && level <= WINNOW_LOG_DEBUG);
    EXPECT(message && message[0] && !strchr(message, '\n'));
    ++log_lines;
}

static void walk_table(winnow_get_api_fn get_api)
{
    EXPECT(!get_api(0));
    EXPECT(!get_api((WINNOW_ABI_MAJOR + 1) << 16));
    EXPECT(get_api((WINNOW_ABI_MAJOR << 16) | 0xffffu) == api); /* a host that knows more */
    EXPECT(api->abi == WINNOW_ABI && api->struct_size == sizeof(winnow_api));
    EXPECT(api->version && strcmp(api->version, "1.0.0") == 0);
    EXPECT(WINNOW_HAS(api, kv_reset));
    EXPECT(strcmp(api->status_name(WINNOW_E_SPEC), "WINNOW_E_SPEC") == 0);
    EXPECT(strcmp(api->status_name(WINNOW_OK), "WINNOW_OK") == 0);
    EXPECT(strcmp(api->status_name(-12345), "unknown status") == 0);
    EXPECT(strcmp(api->status_name(1), "unknown status") == 0);
    EXPECT(!api->get_extension(NULL) && !api->get_extension("") &&
           !api->get_extension("winnow.vulkan/2"));
    EXPECT(api->get_extension("winnow.vulkan/1") && api->get_extension("winnow.encoder/1"));
    EXPECT(api->get_extension("winnow.measure/1") != NULL);
}

static void walk_stages(void)
{
    ZERO(winnow_stage_info, info);
    newer wide;
    const uint32_t count = api->stage_count();
    EXPECT(count >= 16);
    for (uint32_t i = 0; i < count; ++i) {
        EXPECT_STATUS(api->stage_info(i, &info), WINNOW_OK);
        EXPECT(info.name && info.family && info.summary && info.help && info.source);
        EXPECT(info.paper && info.agrees && info.gives && info.cost);
        EXPECT(info.option_count == 0 || info.options);
    }
    EXPECT_STATUS(api->stage_info(count, &info), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->stage_info(UINT32_MAX, &info), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->stage_info(0, NULL), WINNOW_E_ARGUMENT);
    info.struct_size = 0;
    EXPECT_STATUS(api->stage_info(0, &info), WINNOW_E_STRUCT_SIZE);
    info.struct_size = (uint32_t)offsetof(winnow_stage_info, summary); /* an older host */
    info.summary = "untouched";
    EXPECT_STATUS(api->stage_info(0, &info), WINNOW_OK);
    EXPECT(strcmp(info.summary, "untouched") == 0);
    info.struct_size = (uint32_t)sizeof info;
    make_newer(&wide, &info, sizeof info, 7);
    EXPECT_STATUS(api->stage_info(0, (winnow_stage_info *)(void *)&wide), WINNOW_OK);
    EXPECT(wide.struct_size == sizeof info + 64 && wide.bytes[sizeof info + 63] == 0);
}

static void walk_device_list(void)
{
    ZERO(winnow_device_desc, desc);
    ZERO(winnow_device_info, info);
    uint32_t count = 0;
    desc.loader_path = "/nowhere/libvulkan.so.1"; /* no loader is no error: plain C alone */
    EXPECT_STATUS(api->device_list(&desc, NULL, &count), WINNOW_OK);
    EXPECT(count == 1);
    EXPECT_STATUS(api->device_list(&desc, &info, &count), WINNOW_OK);
    EXPECT(count == 1 && info.backend == WINNOW_BACKEND_CPU && info.name[0] && !info.unusable[0]);
    count = 0;
    EXPECT_STATUS(api->device_list(&desc, &info, &count), WINNOW_E_TOO_SMALL);
    EXPECT(count == 1);
    EXPECT_STATUS(api->device_list(&desc, &info, NULL), WINNOW_E_ARGUMENT);
    info.struct_size = 0;
    EXPECT_STATUS(api->device_list(&desc, &info, &count), WINNOW_E_STRUCT_SIZE);
    desc.struct_size = 0;
    EXPECT_STATUS(api->device_list(&desc, NULL, &count), WINNOW_E_STRUCT_SIZE);
}

static winnow_device *walk_device(void)
{
    ZERO(winnow_device_desc, desc);
    ZERO(winnow_device_info, info);
    ZERO(winnow_host, host);
    newer wide;
    winnow_device *device = (winnow_device *)(void *)&desc;
    EXPECT_STATUS(api->device_create(&desc, NULL), WINNOW_E_ARGUMENT);
    host.log = count_lines;
    desc.host = &host;
    desc.backend = 99;
    EXPECT_STATUS(api->device_create(&desc, &device), WINNOW_E_ARGUMENT);
    EXPECT(!device);
    desc.backend = WINNOW_BACKEND_GPU;
    desc.loader_path = "/nowhere/libvulkan.so.1";
    log_lines = 0;
    EXPECT_STATUS(api->device_create(&desc, &device), WINNOW_E_NO_DEVICE);
    EXPECT(!device && log_lines >= 1);
    desc.backend = WINNOW_BACKEND_AUTO;
    EXPECT_STATUS(api->device_create(&desc, &device), WINNOW_OK);
    EXPECT_STATUS(api->device_info(device, &info), WINNOW_OK);
    EXPECT(info.backend == WINNOW_BACKEND_CPU && info.api_version == 0);
    api->device_destroy(device);
    desc.backend = WINNOW_BACKEND_CPU;
    make_newer(&wide, &desc, sizeof desc, 1);
    EXPECT_STATUS(api->device_create((winnow_device_desc *)(void *)&wide, &device),
                  WINNOW_E_STRUCT_SIZE);
    EXPECT(!device);
    make_newer(&wide, &desc, sizeof desc, 0);
    EXPECT_STATUS(api->device_create((winnow_device_desc *)(void *)&wide, &device), WINNOW_OK);
    api->device_destroy(device);
    desc.struct_size = (uint32_t)offsetof(winnow_device_desc, selector);
    EXPECT_STATUS(api->device_create(&desc, &device), WINNOW_OK);
    EXPECT_STATUS(api->device_info(device, NULL), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->device_info(NULL, &info), WINNOW_E_ARGUMENT);
    api->device_destroy(NULL);
    return device;
}

static winnow_pipeline *walk_pipeline(void)
{
    ZERO(winnow_host, host);
    newer wide;
    uint32_t needed = 0, optional = 0;
    winnow_pipeline *pipeline = (winnow_pipeline *)(void *)&host;
    EXPECT_STATUS(api->pipeline_create(NULL, "divprune=keep=4", NULL), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->pipeline_create(NULL, NULL, &pipeline), WINNOW_E_ARGUMENT);
    EXPECT(!pipeline);
    host.log = count_lines;
    log_lines = 0;
    EXPECT_STATUS(api->pipeline_create(&host, "divprun=keep=4", &pipeline), WINNOW_E_SPEC);
    EXPECT(!pipeline && log_lines == 1);
    make_newer(&wide, &host, sizeof host, 1);
    EXPECT_STATUS(api->pipeline_create((winnow_host *)(void *)&wide, "evs", &pipeline),
                  WINNOW_E_STRUCT_SIZE);
    host.struct_size = 0;
    EXPECT_STATUS(api->pipeline_create(&host, "evs", &pipeline), WINNOW_E_STRUCT_SIZE);
    host.struct_size = (uint32_t)offsetof(winnow_host, log);
    EXPECT_STATUS(api->pipeline_create(&host, "evs", &pipeline), WINNOW_OK);
    api->pipeline_destroy(pipeline);
    EXPECT_STATUS(api->pipeline_create(NULL, "divprune=keep=4", &pipeline), WINNOW_OK);
    EXPECT_STATUS(api->pipeline_inputs(pipeline, &needed, &optional), WINNOW_OK);
    EXPECT(needed == 1u << WINNOW_ROLE_TOKENS);
    EXPECT_STATUS(api->pipeline_inputs(NULL, &needed, &optional), WINNOW_E_ARGUMENT);
    api->pipeline_destroy(NULL);
    return pipeline;
}

enum { FRAMES = 2, TOKENS = 6, DIM = 3, ROWS = 4 * FRAMES };

static winnow_shape small_shape(void)
{
    winnow_shape shape;
    memset(&shape, 0, sizeof shape);
    shape.frames = FRAMES;
    shape.tokens = TOKENS;
    shape.dim = DIM;
    return shape;
}

static void refuse_plans(winnow_device *device, const winnow_pipeline *pipeline)
{
    ZERO(winnow_plan_desc, good);
    winnow_plan_desc desc;
    winnow_plan *plan = NULL;
    newer wide;
    good.max_shape = small_shape();
    good.roles = 1u << WINNOW_ROLE_TOKENS;
    EXPECT_STATUS(api->plan_create(NULL, pipeline, &good, &plan), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->plan_create(device, NULL, &good, &plan), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->plan_create(device, pipeline, NULL, &plan), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->plan_create(device, pipeline, &good, NULL), WINNOW_E_ARGUMENT);
    desc = good;
    desc.roles = 0;
    EXPECT_STATUS(api->plan_create(device, pipeline, &desc, &plan), WINNOW_E_ROLE);
    desc = good;
    desc.max_shape.tokens = 0;
    EXPECT_MISTAKE(api->plan_create(device, pipeline, &desc, &plan));
    desc = good;
    desc.max_shape.grid_h = 4; /* 4 x 0 */
    EXPECT_MISTAKE(api->plan_create(device, pipeline, &desc, &plan));
    desc = good;
    desc.max_shape.frames = desc.max_shape.tokens = desc.max_shape.dim = UINT32_MAX;
    plan = (winnow_plan *)(void *)&desc;
    EXPECT(api->plan_create(device, pipeline, &desc, &plan) != WINNOW_OK && !plan);
    desc = good;
    desc.dtype[WINNOW_ROLE_TOKENS] = 77;
    EXPECT_STATUS(api->plan_create(device, pipeline, &desc, &plan), WINNOW_E_ARGUMENT);
    desc = good;
    desc.out_dtype = -1;
    EXPECT_STATUS(api->plan_create(device, pipeline, &desc, &plan), WINNOW_E_ARGUMENT);
    desc = good;
    desc.order = 2;
    EXPECT_STATUS(api->plan_create(device, pipeline, &desc, &plan), WINNOW_E_ARGUMENT);
    desc = good;
    desc.roles |= 1u << 30;
    EXPECT_MISTAKE(api->plan_create(device, pipeline, &desc, &plan));
    desc = good;
    desc.outputs = 1u << 30;
    EXPECT_MISTAKE(api->plan_create(device, pipeline, &desc, &plan));
    make_newer(&wide, &good, sizeof good, 1);
    EXPECT_STATUS(api->plan_create(device, pipeline, (winnow_plan_desc *)(void *)&wide, &plan),
                  WINNOW_E_STRUCT_SIZE);
    EXPECT(!plan);
}

static winnow_plan *make_plan(winnow_device *device, const char *spec, uint32_t flags)
{
    ZERO(winnow_plan_desc, desc);
    winnow_pipeline *pipeline = NULL;
    winnow_plan *plan = NULL;
    desc.max_shape = small_shape();
    desc.roles = 1u << WINNOW_ROLE_TOKENS;
    desc.flags = flags;
    desc.struct_size = (uint32_t)offsetof(winnow_plan_desc, dtype); /* an older host */
    EXPECT_STATUS(api->pipeline_create(NULL, spec, &pipeline), WINNOW_OK);
    EXPECT_STATUS(api->plan_create(device, pipeline, &desc, &plan), WINNOW_OK);
    api->pipeline_destroy(pipeline); /* the plan keeps what it needs */
    return plan;
}

static void walk_run(winnow_plan *plan)
{
    static float tokens[FRAMES * TOKENS * DIM], out[ROWS * DIM];
    static int32_t indices[ROWS];
    ZERO(winnow_plan_info, info);
    ZERO(winnow_run, run);
    ZERO(winnow_result, result);
    newer wide;
    for (int i = 0; i < FRAMES * TOKENS * DIM; ++i)
        tokens[i] = (float)((i * 37) % 23) - 11.0f;
    EXPECT_STATUS(api->plan_info(plan, &info), WINNOW_OK);
    EXPECT(info.rows_max == ROWS && info.rows_exact == 1 && info.dim_out == DIM &&
           info.submissions == 0);
    EXPECT_STATUS(api->plan_info(NULL, &info), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->plan_info(plan, NULL), WINNOW_E_ARGUMENT);
    run.shape = small_shape();
    run.in[WINNOW_ROLE_TOKENS].data = tokens;
    run.out[WINNOW_OUT_TOKENS].data = out;
    run.out[WINNOW_OUT_TOKENS].capacity = ROWS;
    run.out[WINNOW_OUT_INDICES].data = indices;
    run.out[WINNOW_OUT_INDICES].capacity = ROWS - 1;
    memset(indices, 0x5a, sizeof indices);
    EXPECT_STATUS(api->plan_run(plan, &run, &result), WINNOW_E_TOO_SMALL);
    EXPECT(indices[0] == 0x5a5a5a5a && out[0] == 0.0f);
    run.out[WINNOW_OUT_INDICES].capacity = ROWS;
    EXPECT_STATUS(api->plan_run(NULL, &run, &result), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->plan_run(plan, NULL, &result), WINNOW_E_ARGUMENT);
    run.shape.tokens = TOKENS + 1;
    EXPECT_STATUS(api->plan_run(plan, &run, &result), WINNOW_E_SHAPE);
    run.shape = small_shape();
    run.in[WINNOW_ROLE_TOKENS].data = NULL;
    EXPECT_STATUS(api->plan_run(plan, &run, &result), WINNOW_E_ROLE);
    run.in[WINNOW_ROLE_TOKENS].data = tokens;
    run.in[WINNOW_ROLE_TOKENS].row_stride = DIM * sizeof(float) - 1;
    EXPECT_MISTAKE(api->plan_run(plan, &run, &result));
    run.in[WINNOW_ROLE_TOKENS].row_stride = 0;
    make_newer(&wide, &run, sizeof run, 1);
    EXPECT_STATUS(api->plan_run(plan, (winnow_run *)(void *)&wide, &result), WINNOW_E_STRUCT_SIZE);
    make_newer(&wide, &run, sizeof run, 0);
    EXPECT_STATUS(api->plan_run(plan, (winnow_run *)(void *)&wide, &result), WINNOW_OK);
    EXPECT(result.rows == ROWS && result.submissions == 0 && result.nan_scores == 0);
    for (int i = 0; i < ROWS; ++i) {
        EXPECT(indices[i] >= 0 && indices[i] < FRAMES * TOKENS &&
               (i == 0 || indices[i] > indices[i - 1]));
        EXPECT(memcmp(out + i * DIM, tokens + indices[i] * DIM, DIM * sizeof(float)) == 0);
    }
}

/* One learned query of flash, of zeros, as a file in memory: its softmax shares the two tokens evenly, so that their mean comes out. */
static void walk_weights(winnow_device *device)
{
    static const char head[] =
        "{\"__metadata__\":{\"winnow.stage\":\"flash\",\"winnow.version\":\"1\"},"
        "\"queries\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[0,12]}}";
    static const float tokens[2 * DIM] = {1, 2, 3, 3, 4, 5};
    unsigned char file[8 + sizeof head - 1 + 12];
    float out[DIM];
    ZERO(winnow_host, host);
    ZERO(winnow_plan_desc, desc);
    ZERO(winnow_run, run);
    ZERO(winnow_result, result);
    winnow_blob blob;
    winnow_pipeline *pipeline = NULL;
    winnow_plan *plan = NULL;
    memset(file, 0, sizeof file);
    file[0] = (unsigned char)(sizeof head - 1);
    memcpy(file + 8, head, sizeof head - 1);
    blob.name = "w";
    blob.data = file;
    blob.bytes = sizeof file;
    host.log = count_lines;
    EXPECT(WINNOW_HAS(api, pipeline_create_weights));
    EXPECT_STATUS(api->pipeline_create_weights(NULL, "flash=weights=@w", &blob, 1, NULL),
                  WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->pipeline_create_weights(NULL, NULL, &blob, 1, &pipeline),
                  WINNOW_E_ARGUMENT);
    log_lines = 0;
    EXPECT_STATUS(api->pipeline_create_weights(&host, "flash=weights=@w", NULL, 1, &pipeline),
                  WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->pipeline_create_weights(&host, "flash=weights=@v", &blob, 1, &pipeline),
                  WINNOW_E_FILE);
    blob.bytes -= 1;
    EXPECT_STATUS(api->pipeline_create_weights(&host, "flash=weights=@w", &blob, 1, &pipeline),
                  WINNOW_E_FILE);
    blob.bytes += 1;
    EXPECT_STATUS(api->pipeline_create(&host, "flash=weights=@w", &pipeline), WINNOW_E_FILE);
    EXPECT_STATUS(api->pipeline_create(&host, "flash", &pipeline), WINNOW_E_SPEC);
    EXPECT(!pipeline && log_lines == 5);
    EXPECT_STATUS(api->pipeline_create_weights(NULL, "divprune=keep=1", NULL, 0, &pipeline),
                  WINNOW_OK);
    api->pipeline_destroy(pipeline);
    EXPECT_STATUS(api->pipeline_create_weights(NULL, "flash=weights=@w", &blob, 1, &pipeline),
                  WINNOW_OK);
    memset(file, 0xff, sizeof file); /* read during the call */
    desc.flags = WINNOW_PLAN_HOST_MEMORY;
    desc.max_shape.frames = 1;
    desc.max_shape.tokens = 2;
    desc.max_shape.dim = DIM;
    desc.roles = 1u << WINNOW_ROLE_TOKENS;
    EXPECT_STATUS(api->plan_create(device, pipeline, &desc, &plan), WINNOW_OK);
    api->pipeline_destroy(pipeline); /* the plan keeps the weights */
    run.shape = desc.max_shape;
    run.in[WINNOW_ROLE_TOKENS].data = (void *)(uintptr_t)tokens;
    run.out[WINNOW_OUT_TOKENS].data = out;
    run.out[WINNOW_OUT_TOKENS].capacity = 1;
    EXPECT_STATUS(api->plan_run(plan, &run, &result), WINNOW_OK);
    EXPECT(result.rows == 1 && out[0] == 2.0f && out[1] == 3.0f && out[2] == 4.0f);
    api->plan_destroy(plan);
}

static void walk_stream(winnow_device *device)
{
    static float tokens[FRAMES * TOKENS * DIM];
    ZERO(winnow_run, run);
    ZERO(winnow_result, result);
    winnow_stream *stream = NULL;
    winnow_plan *plan = make_plan(device, "evs=rate=0.5", 0);
    EXPECT_STATUS(api->stream_create(plan, &stream), WINNOW_E_STATE);
    EXPECT(!stream);
    api->plan_destroy(plan);
    plan = make_plan(device, "evs=rate=0.5", WINNOW_PLAN_STREAM);
    EXPECT_STATUS(api->stream_create(NULL, &stream), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->stream_create(plan, NULL), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->stream_create(plan, &stream), WINNOW_OK);
    run.shape = small_shape();
    run.in[WINNOW_ROLE_TOKENS].data = tokens;
    EXPECT_STATUS(api->stream_push(NULL, &run, &result), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->stream_push(stream, NULL, &result), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->stream_push(stream, &run, &result), WINNOW_OK);
    EXPECT_STATUS(api->stream_reset(stream), WINNOW_OK);
    EXPECT_STATUS(api->stream_reset(NULL), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->stream_begin(stream, &run), WINNOW_E_STATE);
    EXPECT_STATUS(api->stream_begin(NULL, &run), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->stream_end(stream, &result), WINNOW_E_STATE);
    EXPECT_STATUS(api->stream_end(NULL, &result), WINNOW_E_ARGUMENT);
    api->stream_destroy(stream);
    api->plan_destroy(plan);
    plan = make_plan(device, "evs=rate=0.5", WINNOW_PLAN_STREAM | WINNOW_PLAN_OVERLAP);
    EXPECT_STATUS(api->stream_create(plan, &stream), WINNOW_OK);
    EXPECT_STATUS(api->stream_begin(stream, &run), WINNOW_OK);
    EXPECT_STATUS(api->stream_begin(stream, &run), WINNOW_OK);
    EXPECT_STATUS(api->stream_begin(stream, &run), WINNOW_E_STATE);
    EXPECT_STATUS(api->stream_push(stream, &run, &result), WINNOW_E_STATE);
    EXPECT_STATUS(api->stream_end(stream, &result), WINNOW_OK);
    EXPECT_STATUS(api->stream_end(stream, &result), WINNOW_OK);
    EXPECT_STATUS(api->stream_end(stream, &result), WINNOW_E_STATE);
    api->stream_destroy(stream);
    api->stream_destroy(NULL);
    api->plan_destroy(plan);
    api->plan_destroy(NULL);
}

static void walk_kv(winnow_device *device, const winnow_pipeline *other)
{
    static const float attention[8] = {0.1f, 0.3f, 0.05f, 0.2f, 0.05f, 0.1f, 0.1f, 0.1f};
    int32_t mask[8];
    ZERO(winnow_kv_desc, desc);
    ZERO(winnow_kv_step, step);
    winnow_pipeline *pipeline = NULL;
    winnow_kv *kv = NULL;
    desc.max_columns = 8;
    desc.max_heads = 1;
    EXPECT_STATUS(api->pipeline_create(NULL, "dycoke-kv=rate=0.5", &pipeline), WINNOW_OK);
    EXPECT(api->kv_create(device, other, &desc, &kv) != WINNOW_OK && !kv);
    EXPECT_STATUS(api->kv_create(NULL, pipeline, &desc, &kv), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->kv_create(device, NULL, &desc, &kv), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->kv_create(device, pipeline, NULL, &kv), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->kv_create(device, pipeline, &desc, NULL), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->kv_create(device, pipeline, &desc, &kv), WINNOW_OK);
    step.heads = 1;
    step.columns = 8;
    step.visual_first = 1;
    step.visual_count = 4;
    step.attention = attention;
    step.mask = mask;
    EXPECT_STATUS(api->kv_step(kv, &step), WINNOW_OK);
    EXPECT(step.kept == 6 && step.changed == 1 && mask[1] && !mask[2] && mask[3] && !mask[4]);
    EXPECT_STATUS(api->kv_step(NULL, &step), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(api->kv_step(kv, NULL), WINNOW_E_ARGUMENT);
    step.columns = 9;
    EXPECT_MISTAKE(api->kv_step(kv, &step));
    step.columns = 8;
    step.visual_count = 8; /* past the end */
    EXPECT_MISTAKE(api->kv_step(kv, &step));
    step.visual_count = 4;
    step.mask = NULL;
    EXPECT_MISTAKE(api->kv_step(kv, &step));
    EXPECT_STATUS(api->kv_reset(kv), WINNOW_OK);
    EXPECT_STATUS(api->kv_reset(NULL), WINNOW_E_ARGUMENT);
    api->kv_destroy(kv);
    api->kv_destroy(NULL);
    api->pipeline_destroy(pipeline);
}

static void walk_extensions(winnow_device *device)
{
    const winnow_ext_encoder *e =
        (const winnow_ext_encoder *)api->get_extension("winnow.encoder/1");
    const winnow_ext_measure *m =
        (const winnow_ext_measure *)api->get_extension("winnow.measure/1");
    static uint8_t rgb[2 * 16 * 32 * 3];
    static float tokens[2 * 2 * 64];
    ZERO(winnow_encoder_info, info);
    winnow_encoder *encoder = NULL;
    double speed = 0;
    EXPECT(e->struct_size == sizeof *e && m->struct_size == sizeof *m);
    EXPECT(e->encoder_create(device, "no such model", 2, 32, 16, &encoder) != WINNOW_OK &&
           !encoder);
    EXPECT_STATUS(e->encoder_create(NULL, "patches", 2, 32, 16, &encoder), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(e->encoder_create(device, NULL, 2, 32, 16, &encoder), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(e->encoder_create(device, "patches", 2, 32, 16, NULL), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(
        e->encoder_create(device, "patches=patch=16:luma=24:chroma=4", 2, 32, 16, &encoder),
        WINNOW_OK);
    EXPECT_STATUS(e->encoder_info(encoder, &info), WINNOW_OK);
    EXPECT(info.patch == 16 && info.dim == 32);
    EXPECT_STATUS(e->encoder_run(encoder, rgb, 2, 32, 16, tokens), WINNOW_OK);
    EXPECT_MISTAKE(e->encoder_run(encoder, rgb, 2, 31, 16, tokens));
    EXPECT_MISTAKE(e->encoder_run(encoder, rgb, 3, 32, 16, tokens));
    EXPECT_STATUS(e->encoder_run(encoder, NULL, 2, 32, 16, tokens), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(e->encoder_run(NULL, rgb, 2, 32, 16, tokens), WINNOW_E_ARGUMENT);
    e->encoder_destroy(encoder);
    e->encoder_destroy(NULL);
    EXPECT_STATUS(m->copy_bandwidth(NULL, 1 << 20, &speed), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(m->copy_bandwidth(device, 1 << 20, NULL), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(m->copy_bandwidth(device, 1 << 20, &speed), WINNOW_OK);
    EXPECT(speed > 0);
    EXPECT_STATUS(m->product_rate(NULL, WINNOW_F32, &speed), WINNOW_E_ARGUMENT);
    EXPECT_STATUS(m->product_rate(device, WINNOW_F32, NULL), WINNOW_E_ARGUMENT);
    EXPECT_MISTAKE(m->product_rate(device, WINNOW_I32, &speed));
}

int main(int count, char **arguments)
{
    void *library = count > 1 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = library ? dlsym(library, "winnow_get_api") : NULL;
    winnow_get_api_fn get_api;
    if (!symbol) {
        printf("%s\n", count > 1 ? dlerror() : "usage: walk LIBWINNOW.so");
        return 2;
    }
    memcpy(&get_api, &symbol, sizeof get_api);
    api = get_api(WINNOW_ABI);
    if (!api)
        return 1;
    walk_table(get_api);
    walk_stages();
    walk_device_list();
    winnow_device *device = walk_device();
    winnow_pipeline *pipeline = walk_pipeline();
    refuse_plans(device, pipeline);
    winnow_plan *plan = make_plan(device, "divprune=keep=4", WINNOW_PLAN_HOST_MEMORY);
    if (plan)
        walk_run(plan);
    api->plan_destroy(plan);
    walk_weights(device);
    walk_stream(device);
    walk_kv(device, pipeline);
    walk_extensions(device);
    api->pipeline_destroy(pipeline);
    api->device_destroy(device);
    EXPECT(dlclose(library) == 0);
    printf("%d not so\n", failures);
    return failures ? 1 : 0;
}
