/* The encoder's errors, through the table as a host uses it: structs of every size, every
 * descriptor that cannot be, models and pictures that cannot be, outputs that are too small. On the
 * device of the environment (see encoder_lab.h).
 *
 * usage: vit_encoder MODELS_DIR */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder_lab.h"

enum { SIDE = 56 }; /* of clip's and qwen2vl's pictures here */

static test_host host;
static winnow_device *device;
static winnow_model *clip, *qwen;

static int open_all(void **state)
{
    (void)state;
    test_host_open(&host);
    device = lab_chosen_device(&host.host);
    clip = lab_model(&host.host, "clip", WINNOW_LIKE_FILE);
    qwen = lab_model(&host.host, "qwen2vl.gguf", WINNOW_LIKE_FILE);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    lab_ext->model_close(clip);
    lab_ext->model_close(qwen);
    lab_api->device_destroy(device);
    return host.live ? -1 : 0; /* all that the library took came from the host and went back */
}

/* A sentence with `part` in it. */
static void assert_said(const char *part)
{
    if (!strstr(host.line, part))
        fail_msg("the log says \"%s\", without \"%s\"", host.line, part);
}

static void assert_status(winnow_status got, winnow_status wanted)
{
    if (got != wanted)
        fail_msg("%s, not %s (%s)", lab_api->status_name(got), lab_api->status_name(wanted),
                 host.line);
}

/* Opening with `desc` gives `wanted` and a sentence, no encoder, and leaves nothing behind. */
static void refused(const winnow_model *model, const winnow_encoder_desc *desc,
                    winnow_status wanted, const char *part)
{
    const size_t live = host.live;
    winnow_encoder *encoder = (winnow_encoder *)(void *)&host;
    host.line[0] = 0;
    const winnow_status status = lab_ext->encoder_open(device, model, desc, &encoder);
    if (status != wanted)
        fail_msg("%s, not %s with '%s' (%s)", lab_api->status_name(status),
                 lab_api->status_name(wanted), part, host.line);
    assert_null(encoder);
    assert_said(part);
    assert_int_equal(host.live, live);
}

static winnow_encoder *opened(const winnow_model *model, const winnow_encoder_desc *desc)
{
    winnow_encoder *encoder = NULL;
    assert_status(lab_ext->encoder_open(device, model, desc, &encoder), WINNOW_OK);
    assert_non_null(encoder);
    return encoder;
}

/* -- models ------------------------------------------------------------------------------------ */

static void test_model_open(void **state)
{
    (void)state;
    winnow_model *model;
    const winnow_host none = {0};
    assert_int_equal(lab_ext->model_open(&host.host, lab_path("clip"), WINNOW_LIKE_FILE, NULL),
                     WINNOW_E_ARGUMENT);
    const struct {
        const winnow_host *host;
        const char *path;
        int32_t like;
        winnow_status wanted;
        const char *part;
    } bad[] = {
        {&host.host, NULL, WINNOW_LIKE_FILE, WINNOW_E_ARGUMENT, "no path"},
        {&host.host, "clip", -1, WINNOW_E_ARGUMENT, "WINNOW_LIKE_"},
        {&host.host, "clip", 4, WINNOW_E_ARGUMENT, "WINNOW_LIKE_"},
        {&host.host, "no-such-model", WINNOW_LIKE_FILE, WINNOW_E_FILE, "no-such-model"},
        {&host.host, "", WINNOW_LIKE_FILE, WINNOW_E_FILE, "config.json"},
        {&host.host, "clip/config.json", WINNOW_LIKE_FILE, WINNOW_E_FILE, "config.json"},
        {&host.host, "clip", WINNOW_LIKE_LLAMA, WINNOW_E_UNSUPPORTED, "WINNOW_LIKE_TRANSFORMERS"},
        {&host.host, "clip", WINNOW_LIKE_LLAMA_B10256, WINNOW_E_UNSUPPORTED,
         "WINNOW_LIKE_TRANSFORMERS"},
        {&none, "clip", WINNOW_LIKE_FILE, WINNOW_E_STRUCT_SIZE, ""},
    };
    for (size_t i = 0; i < LENGTH(bad); ++i) {
        const size_t live = host.live;
        model = (winnow_model *)(void *)&host;
        host.line[0] = 0;
        assert_status(lab_ext->model_open(bad[i].host, bad[i].path ? lab_path(bad[i].path) : NULL,
                                          bad[i].like, &model),
                      bad[i].wanted);
        assert_null(model);
        assert_said(bad[i].part);
        assert_int_equal(host.live, live);
    }
    assert_int_equal(lab_ext->model_open(NULL, lab_path("clip"), WINNOW_LIKE_FILE, &model),
                     WINNOW_OK);
    lab_ext->model_close(model);
    lab_ext->model_close(NULL);
}

static void test_model_info(void **state)
{
    (void)state;
    winnow_model_info info = {.struct_size = sizeof info};
    assert_int_equal(lab_ext->model_info(NULL, &info), WINNOW_E_ARGUMENT);
    assert_int_equal(lab_ext->model_info(clip, NULL), WINNOW_E_ARGUMENT);
    assert_int_equal(lab_ext->model_info(clip, &info), WINNOW_OK);
    assert_string_equal(info.family, "clip");
    assert_int_equal(info.class_token, 1);
    assert_int_equal(info.frames, 1);
    assert_int_equal(info.join, 1);
    assert_true(info.roles >> WINNOW_ROLE_CLS & 1u);
    assert_int_equal(lab_ext->model_info(qwen, &info), WINNOW_OK);
    assert_int_equal(info.frames, 2);
    assert_int_equal(info.join, 2);
    assert_int_equal(info.multiple, 2 * info.patch);
    info.struct_size = 0;
    assert_int_equal(lab_ext->model_info(clip, &info), WINNOW_E_STRUCT_SIZE);
    info.struct_size = (uint32_t)offsetof(winnow_model_info, multiple); /* an older host */
    info.multiple = 77;
    assert_int_equal(lab_ext->model_info(clip, &info), WINNOW_OK);
    assert_int_equal(info.multiple, 77);
}

static void test_prepare(void **state)
{
    (void)state;
    static uint8_t rgb[40 * 30 * 3];
    winnow_views *views, *sizes;
    const size_t live = host.live;
    assert_int_equal(lab_ext->model_prepare(clip, rgb, 40, 30, NULL), WINNOW_E_ARGUMENT);
    assert_int_equal(lab_ext->model_prepare(NULL, rgb, 40, 30, &views), WINNOW_E_ARGUMENT);
    assert_null(views);
    const uint32_t bad[][2] = {{0, 30},         {40, 0},         {0, 0},
                               {UINT32_MAX, 1}, {1, UINT32_MAX}, {UINT32_MAX, UINT32_MAX}};
    for (size_t i = 0; i < LENGTH(bad); ++i) {
        host.line[0] = 0;
        const winnow_status status =
            lab_ext->model_prepare(clip, NULL, bad[i][0], bad[i][1], &views);
        assert_true(status <= WINNOW_E_ARGUMENT && status > -400);
        assert_null(views);
        assert_said("");
        assert_true(host.line[0] != 0);
        assert_int_equal(host.live, live);
    }
    assert_status(lab_ext->model_prepare(clip, rgb, 40, 30, &views), WINNOW_OK);
    assert_status(lab_ext->model_prepare(clip, NULL, 40, 30, &sizes), WINNOW_OK);
    assert_int_equal(views->count, 1);
    assert_int_equal(sizes->count, 1);
    assert_non_null(views->view[0].rgb);
    assert_null(sizes->view[0].rgb);
    assert_int_equal(views->view[0].width, sizes->view[0].width);
    assert_int_equal(views->view[0].height, sizes->view[0].height);
    assert_int_equal(views->view[0].tile_y, -1);
    lab_ext->views_free(views);
    lab_ext->views_free(sizes);
    lab_ext->views_free(NULL);
    assert_int_equal(host.live, live);
}

/* -- opening ----------------------------------------------------------------------------------- */

static void test_open_nulls(void **state)
{
    (void)state;
    const winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
    winnow_encoder *encoder = (winnow_encoder *)(void *)&host;
    assert_int_equal(lab_ext->encoder_open(device, clip, &desc, NULL), WINNOW_E_ARGUMENT);
    assert_int_equal(lab_ext->encoder_open(NULL, clip, &desc, &encoder), WINNOW_E_ARGUMENT);
    assert_null(encoder);
    encoder = (winnow_encoder *)(void *)&host;
    assert_int_equal(lab_ext->encoder_open(device, NULL, &desc, &encoder), WINNOW_E_ARGUMENT);
    assert_null(encoder);
    encoder = (winnow_encoder *)(void *)&host;
    assert_int_equal(lab_ext->encoder_open(device, clip, NULL, &encoder), WINNOW_E_ARGUMENT);
    assert_null(encoder);
    lab_ext->encoder_destroy(NULL);
}

static void test_open_struct_size(void **state)
{
    (void)state;
    union {
        winnow_encoder_desc desc;
        unsigned char bytes[sizeof(winnow_encoder_desc) + 64];
    } d = {.bytes = {0}};
    d.desc = lab_desc(1, SIDE, SIDE);
    d.desc.struct_size = 0;
    refused(clip, &d.desc, WINNOW_E_STRUCT_SIZE, "struct_size");
    d.desc.struct_size = sizeof d;
    lab_ext->encoder_destroy(opened(clip, &d.desc));
    d.bytes[sizeof d - 1] = 1;
    refused(clip, &d.desc, WINNOW_E_STRUCT_SIZE, "struct_size");
    d.desc.struct_size = (uint32_t)offsetof(winnow_encoder_desc,
                                            dtype); /* an older host: what follows is not read */
    d.desc.dtype = 99;
    lab_ext->encoder_destroy(opened(clip, &d.desc));
}

static void test_open_descriptors(void **state)
{
    (void)state;
    static const winnow_tap hidden_far = {WINNOW_TAP_HIDDEN, 99},
                            hidden_before = {WINNOW_TAP_HIDDEN, -99},
                            keys_past = {WINNOW_TAP_KEYS, 4}, no_kind = {WINNOW_TAP_COUNT, 0},
                            below = {-1, 0}, pool = {WINNOW_TAP_POOL, 0},
                            of_class = {WINNOW_TAP_CLASS, 0};
    const winnow_encoder_desc good = lab_desc(1, SIDE, SIDE);
#define WITH(...)  (winnow_encoder_desc){.struct_size = sizeof good, __VA_ARGS__}
#define SIZED(...) WITH(.max_frames = 1, .max_width = SIDE, .max_height = SIDE, __VA_ARGS__)
    refused(clip, &SIZED(.flags = 0x80000000u), WINNOW_E_ARGUMENT, "flags");
    refused(clip, &SIZED(.dtype = WINNOW_BF16), WINNOW_E_ARGUMENT, "dtype");
    refused(clip, &SIZED(.dtype = -1), WINNOW_E_ARGUMENT, "dtype");
    refused(clip, &SIZED(.order = 2), WINNOW_E_ARGUMENT, "order");
    refused(clip, &SIZED(.tap_count = 1), WINNOW_E_ARGUMENT, "taps");
    refused(clip, &SIZED(.tap_count = UINT32_MAX, .taps = &hidden_far), WINNOW_E_ARGUMENT, "taps");
    refused(clip, &SIZED(.tap_count = 1, .taps = &hidden_far), WINNOW_E_ARGUMENT, "99");
    refused(clip, &SIZED(.tap_count = 1, .taps = &hidden_before), WINNOW_E_ARGUMENT, "-99");
    refused(clip, &SIZED(.tap_count = 1, .taps = &keys_past), WINNOW_E_ARGUMENT, "layer");
    refused(clip, &SIZED(.tap_count = 1, .taps = &no_kind), WINNOW_E_ARGUMENT, "kind");
    refused(clip, &SIZED(.tap_count = 1, .taps = &below), WINNOW_E_ARGUMENT, "kind");
    refused(clip, &SIZED(.tap_count = 1, .taps = &pool), WINNOW_E_ROLE, "pooling head");
    refused(qwen, &SIZED(.tap_count = 1, .taps = &of_class), WINNOW_E_ROLE, "class token");
    refused(clip, &SIZED(.text_rows = 3), WINNOW_E_SHAPE, "text");
    refused(clip, &SIZED(.text_dim = 3), WINNOW_E_SHAPE, "text");
    refused(clip, &WITH(.max_width = SIDE, .max_height = SIDE), WINNOW_E_SHAPE, "0 frames");
    refused(clip, &WITH(.max_frames = 1, .max_width = 57, .max_height = SIDE), WINNOW_E_SHAPE,
            "57");
    refused(clip, &WITH(.max_frames = 1, .max_width = SIDE, .max_height = 13), WINNOW_E_SHAPE,
            "13");
    refused(qwen, &WITH(.max_frames = 1, .max_width = 42, .max_height = SIDE), WINNOW_E_SHAPE,
            "28");
    refused(qwen, &WITH(.max_frames = UINT32_MAX, .max_width = SIDE, .max_height = SIDE),
            WINNOW_E_SHAPE, "2 GiB");
    refused(qwen, &WITH(.max_frames = 1, .max_width = 0xfffffff0u, .max_height = 0xfffffff0u),
            WINNOW_E_SHAPE, "");
    refused(clip, &SIZED(.merge_weights = "/nowhere/laco.safetensors"), WINNOW_E_ARGUMENT, "merge");
#undef SIZED
#undef WITH
}

static void test_open_pipelines(void **state)
{
    (void)state;
    static const struct {
        bool qwen;
        const char *spec;
        winnow_status wanted;
        const char *part;
    } bad[] = {
        {false, "dycoke-kv", WINNOW_E_UNSUPPORTED, "decode"},
        {false, "fastv=rate=0.5", WINNOW_E_ROLE, "llm_attention"},
        {false, "cdpruner=keep=4", WINNOW_E_ROLE, "text_dim"},
        {false, "laco=layer=99", WINNOW_E_UNSUPPORTED, "laco"},
        {false, "tome=r=2:layers=99", WINNOW_E_UNSUPPORTED, "tome"},
        {false, "fastervlm=keep=4:layer=99", WINNOW_E_UNSUPPORTED, "layer=99"},
        {true, "tome=r=2:layers=all", WINNOW_E_UNSUPPORTED, "tome"},
        {true, "laco=layer=1", WINNOW_E_UNSUPPORTED, "laco"},
        {true, "fastervlm=keep=4:attention=class", WINNOW_E_ROLE, "class token"},
    };
    for (size_t i = 0; i < LENGTH(bad); ++i) {
        winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
        winnow_pipeline *pipeline;
        desc.pipeline = pipeline = lab_pipeline(bad[i].spec);
        refused(bad[i].qwen ? qwen : clip, &desc, bad[i].wanted, bad[i].part);
        lab_api->pipeline_destroy(pipeline);
    }
}

/* laco's weights: a file that is not there, or none of its kind. */
static void test_merge_weights(void **state)
{
    (void)state;
    winnow_pipeline *pipeline = lab_pipeline("laco=layer=1");
    winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
    char path[4096];
    desc.pipeline = pipeline;
    desc.merge_weights = "/nowhere/laco.safetensors";
    refused(clip, &desc, WINNOW_E_FILE, "/nowhere/laco.safetensors");
    snprintf(path, sizeof path, "%s", lab_path("clip/config.json"));
    desc.merge_weights = path;
    refused(clip, &desc, WINNOW_E_FILE, "config.json");
    snprintf(path, sizeof path, "%s", lab_path("clip/model.safetensors"));
    refused(clip, &desc, WINNOW_E_FILE, "model.safetensors");
    lab_api->pipeline_destroy(pipeline);
}

/* -- calls ------------------------------------------------------------------------------------- */

/* The call is refused and writes nothing. */
static void call_refused(winnow_encoder *encoder, lab_call *call, winnow_status wanted,
                         const char *part)
{
    const size_t calls = host.calls;
    host.line[0] = 0;
    assert_status(lab_ext->encoder_encode(encoder, &call->encode, &call->result), wanted);
    assert_said(part);
    assert_true(lab_call_untouched(call));
    assert_int_equal(host.calls, calls);
}

static void test_encode_errors(void **state)
{
    (void)state;
    const winnow_encoder_desc desc = lab_desc(2, SIDE, SIDE);
    winnow_encoder *encoder = opened(qwen, &desc);
    lab_call call;
    lab_call_open(&call, 2, SIDE, SIDE, 1);
    const winnow_encode good = call.encode;
    float text[8] = {0};
    assert_int_equal(lab_ext->encoder_encode(NULL, &good, &call.result), WINNOW_E_ARGUMENT);
    assert_int_equal(lab_ext->encoder_encode(encoder, NULL, &call.result), WINNOW_E_ARGUMENT);
#define TRY(change, wanted, part)                   \
    do {                                            \
        call.encode = good;                         \
        call.encode.change;                         \
        call_refused(encoder, &call, wanted, part); \
    } while (0)
    TRY(rgb = NULL, WINNOW_E_ARGUMENT, "rgb");
    TRY(struct_size = 0, WINNOW_E_STRUCT_SIZE, "struct_size");
    TRY(frames = 0, WINNOW_E_SHAPE, "0 frames");
    TRY(frames = 3, WINNOW_E_SHAPE, "3 frames");
    TRY(width = 0, WINNOW_E_SHAPE, "0 x");
    TRY(width = 57, WINNOW_E_SHAPE, "57");
    TRY(width = 42, WINNOW_E_SHAPE, "42");
    TRY(width = 84, WINNOW_E_SHAPE, "84");
    TRY(height = 84, WINNOW_E_SHAPE, "84");
    TRY(height = 14, WINNOW_E_SHAPE, "14");
    TRY(text_dim = 4, WINNOW_E_SHAPE, "text");
    TRY(in[WINNOW_ROLE_KEYS].data = text, WINNOW_E_ROLE, "keys");
    TRY(out[WINNOW_OUT_TOKENS].row_stride = 256, WINNOW_E_ARGUMENT, "row stride");
    TRY(out[WINNOW_OUT_TOKENS].capacity = 3, WINNOW_E_TOO_SMALL, "room for 3 rows, 4 came out");
    TRY(out[WINNOW_OUT_INDICES].capacity = 0, WINNOW_E_TOO_SMALL, "indices");
    TRY(out[WINNOW_OUT_SIZES].capacity = 3, WINNOW_E_TOO_SMALL, "sizes");
    TRY(out[WINNOW_OUT_POSITIONS].capacity = 3, WINNOW_E_TOO_SMALL, "positions");
    TRY(out[WINNOW_OUT_ASSIGNMENT].capacity = 3, WINNOW_E_TOO_SMALL, "assignment");
    TRY(out[WINNOW_OUT_COUNT_WORD].capacity = 0, WINNOW_E_TOO_SMALL, "count");
#undef TRY
    call.encode = good; /* and it still works */
    call.encode.out[WINNOW_OUT_TOKENS].capacity = 4;
    assert_status(lab_ext->encoder_encode(encoder, &call.encode, &call.result), WINNOW_OK);
    assert_int_equal(call.result.rows, 4);
    assert_status(lab_ext->encoder_encode(encoder, &call.encode, NULL), WINNOW_OK);
    call.result.struct_size = 0;
    assert_int_equal(lab_ext->encoder_encode(encoder, &call.encode, &call.result),
                     WINNOW_E_STRUCT_SIZE);
    lab_call_close(&call);
    lab_ext->encoder_destroy(encoder);
}

static void test_encode_struct_size(void **state)
{
    (void)state;
    const winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
    winnow_encoder *encoder = opened(clip, &desc);
    union {
        winnow_encode encode;
        unsigned char bytes[sizeof(winnow_encode) + 64];
    } e = {.bytes = {0}};
    lab_call call;
    lab_call_open(&call, 1, SIDE, SIDE, 1);
    e.encode = call.encode;
    e.encode.struct_size = sizeof e;
    assert_status(lab_ext->encoder_encode(encoder, &e.encode, &call.result), WINNOW_OK);
    e.bytes[sizeof e - 1] = 1;
    assert_int_equal(lab_ext->encoder_encode(encoder, &e.encode, &call.result),
                     WINNOW_E_STRUCT_SIZE);
    e.encode.struct_size = (uint32_t)offsetof(winnow_encode, out);
    assert_status(lab_ext->encoder_encode(encoder, &e.encode, &call.result), WINNOW_OK);
    lab_call_close(&call);
    lab_ext->encoder_destroy(encoder);
}

static void test_text(void **state)
{
    (void)state;
    winnow_pipeline *pipeline = lab_pipeline("cdpruner=keep=4");
    winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
    lab_call call;
    static float text[3 * 8], embeds[16 * 8];
    uint32_t seed = 5;
    for (size_t i = 0; i < LENGTH(text); ++i)
        text[i] = test_random(&seed);
    for (size_t i = 0; i < LENGTH(embeds); ++i)
        embeds[i] = test_random(&seed);
    desc.pipeline = pipeline;
    desc.text_rows = 3;
    desc.text_dim = 8;
    winnow_encoder *encoder = opened(clip, &desc);
    lab_call_open(&call, 1, SIDE, SIDE, 1);
    call_refused(encoder, &call, WINNOW_E_SHAPE, "text");
    call.encode.text_rows = 3;
    call.encode.text_dim = 8;
    call_refused(encoder, &call, WINNOW_E_ROLE, "text");
    call.encode.in[WINNOW_ROLE_TEXT].data = text;
    call_refused(encoder, &call, WINNOW_E_ROLE, "image_embeds");
    call.encode.in[WINNOW_ROLE_IMAGE_EMBEDS].data = embeds;
    call.encode.text_rows = 0;
    call_refused(encoder, &call, WINNOW_E_SHAPE, "text");
    call.encode.text_rows = 4;
    call_refused(encoder, &call, WINNOW_E_SHAPE, "text");
    call.encode.text_rows = 3;
    assert_status(lab_ext->encoder_encode(encoder, &call.encode, &call.result), WINNOW_OK);
    assert_int_equal(call.result.rows, 4);
    lab_call_close(&call);
    lab_ext->encoder_destroy(encoder);
    lab_api->pipeline_destroy(pipeline);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_open),
        cmocka_unit_test(test_model_info),
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_open_nulls),
        cmocka_unit_test(test_open_struct_size),
        cmocka_unit_test(test_open_descriptors),
        cmocka_unit_test(test_open_pipelines),
        cmocka_unit_test(test_merge_weights),
        cmocka_unit_test(test_encode_errors),
        cmocka_unit_test(test_encode_struct_size),
        cmocka_unit_test(test_text),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: vit_encoder MODELS_DIR\n");
        return 2;
    }
    lab_begin(argv[1]);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
