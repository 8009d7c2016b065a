/* Every model, with every tap, and pipelines inside and behind the layers: the GPU of the
 * environment and plain C give the same bytes of everything that comes out.
 *
 * usage: vit_same MODELS_DIR */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder_lab.h"

static winnow_device *devices[2]; /* plain C, the GPU */

typedef struct same_case {
    const char *model;
    int32_t like;
    const char *spec; /* "": none */
} same_case;

enum { FILES = WINNOW_LIKE_FILE, HF = WINNOW_LIKE_TRANSFORMERS };

static const same_case cases[] = {
    {"clip", FILES, ""},
    {"clip-336", FILES, ""},
    {"dinov2", FILES, ""},
    {"dinov2-swiglu", FILES, ""},
    {"dinov2-registers", FILES, ""},
    {"siglip", FILES, ""},
    {"siglip2", FILES, ""},
    {"siglip2-naflex", FILES, ""},
    {"mlp.gguf", FILES, ""},
    {"mlp.gguf", HF, ""},
    {"mlp-anyres.gguf", FILES, ""},
    {"mlp-norm.gguf", FILES, ""},
    {"mlp-noclass.gguf", FILES, ""},
    {"mlp-noclass.gguf", FILES, "fastervlm=keep=4:attention=received"},
    {"idefics3.gguf", FILES, ""},
    {"idefics3.gguf", HF, ""},
    {"internvl.gguf", FILES, ""},
    {"internvl.gguf", HF, ""},
    {"internvl-qk-norm.gguf", FILES, ""},
    {"gemma3.gguf", FILES, ""},
    {"qwen2vl.gguf", FILES, ""},
    {"qwen2vl.gguf", HF, ""},
    {"qwen2.5vl.gguf", FILES, ""},
    {"qwen2.5vl-q8_0.gguf", FILES, ""},
    {"qwen3vl.gguf", FILES, ""},
    {"qwen3vl.gguf", HF, ""},
    {"wide-f32.gguf", FILES, ""},
    {"wide-f16.gguf", FILES, ""},
    {"wide-bf16.gguf", FILES, ""},
    {"wide-q8_0.gguf", FILES, ""},
    {"wide-q4_0.gguf", FILES, ""},
    {"wide-q4_k.gguf", FILES, ""},
    {"wide-q5_k.gguf", FILES, ""},
    {"wide-q6_k.gguf", FILES, ""},
    {"clip", HF, "tome=r=2:layers=all"},
    {"dinov2", HF, "tome=r=2:layers=all"},
    {"siglip", HF, "tome=r=2:layers=all"},
    {"dinov2-registers", HF, "tome=r=2:layers=all"},
    {"dinov2-registers", HF, "fastervlm=keep=50%:layers=0"},
    {"clip", HF, "ficoco=r=2:layers=0..1"},
    {"clip", HF, "laco=layer=1"},
    {"siglip", HF, "laco=layer=1"},
    {"clip", HF, "fastervlm=keep=50%:layers=1"},
    {"siglip", HF, "fastervlm=keep=50%:layers=1"},
    {"clip", HF, "visionzip=dominant=4:contextual=2"},
    {"siglip", HF, "visionzip=dominant=4:contextual=2"},
    {"mlp.gguf", HF, "visionzip=dominant=4:contextual=2"},
    {"mlp.gguf", FILES, "visionzip=dominant=4:contextual=2"},
    {"clip", HF, "prumerge"},
    {"mlp.gguf", FILES, "prumerge"},
    {"mlp.gguf", FILES, "divprune=keep=4"},
    {"idefics3.gguf", FILES, "divprune=keep=4"},
    {"qwen2.5vl.gguf", FILES, "divprune=keep=4"},
    {"qwen3vl.gguf", FILES, "visionzip=dominant=3:contextual=1"},
    {"internvl.gguf", FILES, "fastervlm=keep=2"},
    {"clip", HF, "tome=r=1:layers=0,divprune=keep=6"},
    {"clip", HF, "hiprune=keep=6:alpha=1:shallow=0"},
    {"siglip", HF, "hiprune=keep=6:alpha=1"},
    {"clip", HF, "vscan=keep=9:window=2"},
    {"siglip", HF, "vscan=keep=9:window=2:shallow=0"},
    {"idefics3.gguf", FILES, "hiprune=keep=3"},
    {"clip", HF, "clse=keep=5:score=change:shallow=0"},
    {"idefics3.gguf", FILES, "clse=keep=2:score=change:shallow=0"},
    {"clip", HF, "prunesid=keep=9"},
    {"clip", HF, "dart=keep=4:pivots=2"},
    {"clip", HF, "vitcop=rows=clusters:clusters=0.4:cutoff=0.5"},
    {"clip", HF, "vitcop=rows=clusters:layers=1:mode=official"},
};

static uint32_t taps_for(const same_case *c, const winnow_model_info *info,
                         winnow_tap taps[LAB_TAPS])
{
    uint32_t n = 0;
    taps[n++] = (winnow_tap){WINNOW_TAP_HIDDEN, 1};
    if (c->spec[0])
        return n;
    taps[n++] = (winnow_tap){WINNOW_TAP_FINAL, 0};
    taps[n++] = (winnow_tap){WINNOW_TAP_HIDDEN, 0};
    taps[n++] = (winnow_tap){WINNOW_TAP_HIDDEN, -1};
    taps[n++] = (winnow_tap){WINNOW_TAP_KEYS, -1};
    taps[n++] = (winnow_tap){WINNOW_TAP_QUERIES, 0};
    taps[n++] = (winnow_tap){WINNOW_TAP_RECEIVED, -1};
    if (info->class_token)
        taps[n++] = (winnow_tap){WINNOW_TAP_CLASS, -1};
    return n;
}

static void encode_on(const same_case *c, winnow_device *device, const winnow_model *model,
                      const winnow_model_info *info, lab_call *call)
{
    winnow_tap taps[LAB_TAPS];
    winnow_encoder *encoder = NULL;
    winnow_pipeline *pipeline = c->spec[0] ? lab_pipeline(c->spec) : NULL;
    winnow_encoder_desc desc =
        lab_desc(call->encode.frames, call->encode.width, call->encode.height);
    desc.pipeline = pipeline;
    desc.taps = taps;
    desc.tap_count = taps_for(c, info, taps);
    call->encode.taps = call->taps;
    winnow_status status = lab_ext->encoder_open(device, model, &desc, &encoder);
    if (status == WINNOW_OK)
        status = lab_ext->encoder_encode(encoder, &call->encode, &call->result);
    lab_ext->encoder_destroy(encoder);
    lab_api->pipeline_destroy(pipeline);
    if (status != WINNOW_OK)
        fail_msg("%s %s: %s", c->model, c->spec, lab_api->status_name(status));
    call->result.dispatches = call->result.submissions = 0;
}

static void test_case(void **state)
{
    const same_case *c = *state;
    winnow_model_info info = {.struct_size = sizeof info};
    winnow_model *model = lab_model(NULL, c->model, c->like);
    lab_call calls[2];
    char what[128];
    assert_int_equal(lab_ext->model_info(model, &info), WINNOW_OK);
    const uint32_t width = info.image ? info.image : 6 * info.multiple,
                   height = info.image ? info.image : 4 * info.multiple;
    const uint32_t frames = info.image > 112 ? 1 : 2,
                   cells = width / info.patch * (height / info.patch);
    assert_true((uint64_t)frames * (cells + info.special_rows) * info.width <= LAB_TAP_FLOATS);
    assert_true((uint64_t)frames * info.heads * cells <= LAB_TAP_FLOATS);
    assert_true(info.dim <= LAB_DIM);
    for (int i = 0; i < 2; ++i) {
        lab_call_open(&calls[i], frames, width, height, 7);
        encode_on(c, devices[i], model, &info, &calls[i]);
    }
    snprintf(what, sizeof what, "%s %s, plain C and GPU", c->model, c->spec);
    lab_assert_same(&calls[0], &calls[1], what);
    assert_true(calls[0].result.rows > 0);
    assert_false(lab_call_untouched(&calls[0]));
    for (int i = 0; i < 2; ++i)
        lab_call_close(&calls[i]);
    lab_ext->model_close(model);
}

static int open_devices(void **state)
{
    (void)state;
    devices[0] = lab_device(NULL, WINNOW_BACKEND_CPU);
    devices[1] = lab_device(NULL, WINNOW_BACKEND_GPU);
    return devices[0] && devices[1] ? 0 : -1;
}

static int close_devices(void **state)
{
    (void)state;
    for (int i = 0; i < 2; ++i)
        lab_api->device_destroy(devices[i]);
    return 0;
}

int main(int argc, char **argv)
{
    static char names[LENGTH(cases)][96];
    static struct CMUnitTest tests[LENGTH(cases)];
    if (argc != 2) {
        fprintf(stderr, "usage: vit_same MODELS_DIR\n");
        return 2;
    }
    lab_begin(argv[1]);
    for (size_t i = 0; i < LENGTH(cases); ++i) {
        union {
            const same_case *in;
            void *state;
        } from = {.in = &cases[i]};
        snprintf(names[i], sizeof names[i], "%s like %d %s", cases[i].model, cases[i].like,
                 cases[i].spec);
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = test_case, .initial_state = from.state};
    }
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
