/* WINNOW_ENCODER_PREPARE: frames at their own size give the tokens of the views that model_prepare
 * makes, to the bit: odd sizes, tall ones (columns first), the view's own size, several frames, one
 * encoder for all of them.
 *
 * usage: vit_prepare MODELS_DIR (WINNOW_TEST_BACKEND: see encoder_lab.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder_lab.h"

static test_host memory;
static winnow_device *device;

typedef struct prepare_case {
    const char *model;
    int32_t like;
    bool flexible; /* views of any size: a smaller frame may need an encoder of its own */
} prepare_case;

enum {
    FILES = WINNOW_LIKE_FILE,
    HF = WINNOW_LIKE_TRANSFORMERS,
    FRAMES = 3,
    MAX_WIDTH = 97,
    MAX_HEIGHT = 131
};

static const prepare_case cases[] = {
    {"clip", FILES, false},        {"siglip", FILES, false},   {"siglip2", FILES, false},
    {"dinov2", FILES, false},      {"mlp.gguf", FILES, false}, {"mlp.gguf", HF, false},
    {"gemma3.gguf", FILES, false}, {"gemma3.gguf", HF, false}, {"siglip2-naflex", FILES, true},
    {"qwen2vl.gguf", FILES, true}, {"qwen2vl.gguf", HF, true}, {"qwen3vl.gguf", FILES, true},
};

static const uint32_t sizes[][3] = {
    {3, 97, 131}, {1, 61, 97}, {2, 97, 33}, {3, 31, 131}, {1, 56, 56},
    {2, 64, 64},  {1, 96, 96}, {1, 5, 3},   {2, 90, 90},
};

/* The same frames as views. */
static void as_views(const winnow_model *model, const lab_call *raw, lab_call *views)
{
    const uint64_t frame = 3ull * raw->encode.width * raw->encode.height;
    for (uint32_t t = 0; t < raw->encode.frames; ++t) {
        winnow_views *made = NULL;
        assert_int_equal(lab_ext->model_prepare(model, raw->rgb + t * frame, raw->encode.width,
                                                raw->encode.height, &made),
                         WINNOW_OK);
        assert_int_equal(made->count, 1);
        const uint64_t bytes = 3ull * made->view[0].width * made->view[0].height;
        if (t == 0)
            lab_call_open(views, raw->encode.frames, made->view[0].width, made->view[0].height, 0);
        memcpy(views->rgb + t * bytes, made->view[0].rgb, bytes);
        lab_ext->views_free(made);
    }
}

static winnow_encoder *open_for(const winnow_model *model, const lab_call *call, uint32_t flags)
{
    winnow_encoder_desc desc =
        lab_desc(call->encode.frames, call->encode.width, call->encode.height);
    winnow_encoder *encoder = NULL;
    desc.flags = flags;
    if (lab_ext->encoder_open(device, model, &desc, &encoder) != WINNOW_OK)
        fail_msg("%s", memory.line);
    return encoder;
}

static void encode(winnow_encoder *encoder, lab_call *call)
{
    if (lab_ext->encoder_encode(encoder, &call->encode, &call->result) != WINNOW_OK)
        fail_msg("%u frames of %u x %u: %s", call->encode.frames, call->encode.width,
                 call->encode.height, memory.line);
    call->result.dispatches = call->result.submissions = 0;
    call->result.gpu_ns = 0;
}

/* plain: an encoder of views, or NULL where they differ in size. */
static void same_size(const prepare_case *c, const winnow_model *model, winnow_encoder *encoder,
                      winnow_encoder *plain, const uint32_t size[3])
{
    lab_call raw, views;
    char what[128];
    lab_call_open(&raw, size[0], size[1], size[2], size[1] + size[2]);
    as_views(model, &raw, &views);
    winnow_encoder *own = NULL, *once = plain ? NULL : open_for(model, &views, 0);
    encode(once ? once : plain, &views);
    if (c->flexible &&
        lab_ext->encoder_encode(encoder, &raw.encode, &raw.result) == WINNOW_E_SHAPE) {
        assert_true(lab_call_untouched(&raw));
        assert_non_null(strchr(memory.line, '('));
        own = open_for(model, &raw, WINNOW_ENCODER_PREPARE);
    }
    encode(own ? own : encoder, &raw);
    snprintf(what, sizeof what, "%s like %d, %u frames of %u x %u", c->model, c->like, size[0],
             size[1], size[2]);
    lab_assert_same(&views, &raw, what);
    assert_true(raw.result.rows > 0);
    lab_ext->encoder_destroy(own);
    lab_ext->encoder_destroy(once);
    lab_call_close(&raw);
    lab_call_close(&views);
}

static void tokens_are_the_same(void **state)
{
    const prepare_case *c = *state;
    winnow_model *model = lab_model(&memory.host, c->model, c->like);
    winnow_model_info info = {.struct_size = sizeof info};
    lab_call most, views;
    assert_int_equal(lab_ext->model_info(model, &info), WINNOW_OK);
    assert_int_equal(info.prepares, 1);
    lab_call_open(&most, FRAMES, MAX_WIDTH, MAX_HEIGHT, 1);
    winnow_encoder *encoder = open_for(model, &most, WINNOW_ENCODER_PREPARE);
    as_views(model, &most, &views);
    winnow_encoder *plain = c->flexible ? NULL : open_for(model, &views, 0);
    /* Each size of a flexible model opens encoders, which takes seconds on drivers that compile
     * slowly. */
    const uint32_t count = c->flexible && lab_on_gpu() ? 3 : LENGTH(sizes);
    for (uint32_t i = 0; i < count; ++i)
        same_size(c, model, encoder, plain, sizes[i]);
    if (plain)
        same_size(c, model, encoder, plain, sizes[0]); /* and again after smaller ones */
    lab_ext->encoder_destroy(plain);
    lab_ext->encoder_destroy(encoder);
    lab_call_close(&views);
    lab_call_close(&most);
    lab_ext->model_close(model);
}

static void tiles_are_refused(void **state)
{
    static const struct {
        const char *model;
        int32_t like;
        const char *part;
    } refused[] = {{"idefics3.gguf", FILES, "tiles"},
                   {"internvl.gguf", HF, "tiles"},
                   {"mlp-anyres.gguf", FILES, "tiles"},
                   {"gemma3.gguf", WINNOW_LIKE_LLAMA_B10256, "floats"}};
    (void)state;
    for (size_t i = 0; i < LENGTH(refused); ++i) {
        winnow_model *model = lab_model(&memory.host, refused[i].model, refused[i].like);
        winnow_model_info info = {.struct_size = sizeof info};
        winnow_encoder_desc desc = lab_desc(1, 40, 40);
        winnow_encoder *encoder = NULL;
        desc.flags = WINNOW_ENCODER_PREPARE;
        assert_int_equal(lab_ext->encoder_open(device, model, &desc, &encoder),
                         WINNOW_E_UNSUPPORTED);
        assert_null(encoder);
        assert_non_null(strstr(memory.line, refused[i].part));
        assert_non_null(strstr(memory.line, "model_prepare"));
        assert_int_equal(lab_ext->model_info(model, &info), WINNOW_OK);
        assert_int_equal(info.prepares, 0);
        lab_ext->model_close(model);
    }
}

static void sizes_are_checked(void **state)
{
    winnow_model *model = lab_model(&memory.host, "siglip", FILES);
    winnow_encoder_desc desc = lab_desc(1, 30, 20);
    winnow_encoder *encoder = NULL;
    lab_call call;
    (void)state;
    desc.flags = WINNOW_ENCODER_PREPARE;
    lab_call_open(&call, 1, 31, 20, 1);
    assert_int_equal(lab_ext->encoder_open(device, model, &desc, &encoder), WINNOW_OK);
    assert_int_equal(lab_ext->encoder_encode(encoder, &call.encode, &call.result), WINNOW_E_SHAPE);
    call.encode.width = 0;
    assert_int_equal(lab_ext->encoder_encode(encoder, &call.encode, &call.result), WINNOW_E_SHAPE);
    assert_true(lab_call_untouched(&call));
    call.encode.width = 29;
    assert_int_equal(lab_ext->encoder_encode(encoder, &call.encode, &call.result), WINNOW_OK);
    lab_ext->encoder_destroy(encoder);
    desc.max_width = desc.max_height = 1u << 15;
    assert_int_equal(lab_ext->encoder_open(device, model, &desc, &encoder), WINNOW_E_SHAPE);
    lab_call_close(&call);
    lab_ext->model_close(model);
}

static int open_all(void **state)
{
    (void)state;
    test_host_open(&memory);
    device = lab_chosen_device(&memory.host);
    return device ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    lab_api->device_destroy(device);
    return memory.live ? -1 : 0;
}

int main(int argc, char **argv)
{
    static char names[LENGTH(cases)][96];
    static struct CMUnitTest tests[LENGTH(cases) + 2];
    size_t n = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: vit_prepare MODELS_DIR\n");
        return 2;
    }
    lab_begin(argv[1]);
    for (; n < LENGTH(cases); ++n) {
        union {
            const prepare_case *in;
            void *state;
        } from = {.in = &cases[n]};
        snprintf(names[n], sizeof names[n], "%s like %d", cases[n].model, cases[n].like);
        tests[n] = (struct CMUnitTest){
            .name = names[n], .test_func = tokens_are_the_same, .initial_state = from.state};
    }
    tests[n++] = (struct CMUnitTest){.name = "tiles_are_refused", .test_func = tiles_are_refused};
    tests[n++] = (struct CMUnitTest){.name = "sizes_are_checked", .test_func = sizes_are_checked};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
