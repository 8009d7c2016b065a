/* llama_host without a picture: positions, what is refused, and a cache that is as it was.
 *
 * usage: llama_host_test FOLDER (of make_text_models.py) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llama_host.h"

enum { WIDTH = 64, ROWS = 11, CONTEXT = 40, UBATCH = 16 };

static const char *folder;

typedef struct room {
    struct llama_model *model;
    llama_host host;
    float rows[ROWS * WIDTH];
    llama_host_media media;
    int32_t decodes; /* graph nodes until llama_decode is told to stop; below 0: never */
} room;

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static bool stop_now(void *user)
{
    room *r = user;
    return r->decodes == 0 || (r->decodes > 0 && --r->decodes == 0);
}

static room *open_room(const char *name)
{
    char path[1024];
    room *r = calloc(1, sizeof *r);
    struct llama_model_params mp = llama_model_default_params();
    struct llama_context_params cp = llama_context_default_params();
    assert_non_null(r);
    snprintf(path, sizeof path, "%s/%s.gguf", folder, name);
    mp.n_gpu_layers = 0;
    r->model = llama_model_load_from_file(path, mp);
    assert_non_null(r->model);
    cp.n_ctx = CONTEXT; /* llama.cpp may round it up */
    cp.n_batch = cp.n_ubatch = UBATCH;
    cp.n_threads = cp.n_threads_batch = 1;
    cp.abort_callback = stop_now;
    cp.abort_callback_data = r;
    r->decodes = -1;
    r->host.context = llama_init_from_model(r->model, cp);
    assert_non_null(r->host.context);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        r->rows[i] = (float)(i * i % 101) / 50.0f - 1.0f;
    }
    r->media = (llama_host_media){
        .rows = r->rows, .count = ROWS, .width = WIDTH, .grid = {1, 4, 6}, .n_pos = 6};
    return r;
}

static void close_room(room *r)
{
    llama_free(r->host.context);
    llama_model_free(r->model);
    free(r);
}

static llama_pos last_pos(const room *r)
{
    return llama_memory_seq_pos_max(llama_get_memory(r->host.context), r->host.sequence);
}

/* What comes out behind everything that was decoded. */
static void read_logits(const room *r, float *out)
{
    const int32_t count = llama_vocab_n_tokens(llama_model_get_vocab(r->model));
    const float *logits = llama_get_logits_ith(r->host.context, -1);
    assert_non_null(logits);
    memcpy(out, logits, (size_t)count * sizeof *out);
}

static const llama_token text[5] = {1, 70, 80, 90, 100};

/* Text, the picture, text. */
static void decode_all(room *r, float *logits)
{
    assert_int_equal(llama_host_text(&r->host, text, 5, false), LLAMA_HOST_OK);
    assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_OK);
    assert_int_equal(llama_host_text(&r->host, text + 1, 4, true), LLAMA_HOST_OK);
    read_logits(r, logits);
}

static void start_again(room *r)
{
    assert_true(llama_memory_seq_rm(llama_get_memory(r->host.context), 0, 0, -1));
    r->host.n_past = 0;
    r->host.cells = 0;
}

static float apart(const float *a, const float *b)
{
    float most = 0;
    for (int i = 0; i < 284; i++) {
        const float d = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        most = d > most ? d : most;
    }
    return most;
}

/* ---- positions ---- */

static void test_consecutive(void **state)
{
    room *r = open_room("llama");
    llama_pos planes[ROWS], n_pos = 0;
    (void)state;
    assert_false(llama_host_uses_mrope(r->host.context));
    r->host.n_past = 7;
    r->media.count = 3;
    assert_int_equal(llama_host_positions(&r->host, &r->media, planes, &n_pos), LLAMA_HOST_OK);
    assert_int_equal(n_pos, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(planes[i], 7 + i);
    }
    close_room(r);
}

/* A grid of 2 frames, 4 rows, 6 columns. */
static const int32_t sources[5] = {-1, 3, 20, 24 + 8, -2};

static void check_planes(room *r, const llama_pos expected[15], llama_pos expected_n)
{
    llama_pos planes[20], n_pos = 0;
    assert_int_equal(llama_host_positions(&r->host, &r->media, planes, &n_pos), LLAMA_HOST_OK);
    assert_int_equal(n_pos, expected_n);
    for (int i = 0; i < 15; i++) {
        assert_int_equal(planes[i], expected[i]);
    }
    for (int i = 15; i < 20; i++) {
        assert_int_equal(planes[i], 0);
    }
}

static void test_mrope_planes(void **state)
{
    static const llama_pos original[15] = {10, 10, 10, 11, 11,  /* t */
                                           10, 10, 13, 11, 13,  /* y */
                                           10, 13, 12, 12, 15}; /* x */
    static const llama_pos compact[15] = {10, 10, 10, 11, 11, 10, 10, 12,
                                          11, 12, 10, 12, 11, 11, 13};
    static const int32_t places[15] = {-1, -1, -1, 0, 0, 3, 0, 3, 2, 1, 1, 2, -1, -1, -1};
    room *r = open_room("qwen2vl");
    (void)state;
    assert_true(llama_host_uses_mrope(r->host.context));
    r->host.n_past = 10;
    r->media.count = 5;
    r->media.sources = sources;
    r->media.grid[0] = 2;
    check_planes(r, original, 6);
    r->media.places = places;
    check_planes(r, original, 6);
    r->host.compact = true;
    check_planes(r, compact, 4);
    close_room(r);
}

static void test_mrope_refusals(void **state)
{
    static const int32_t back[3] = {3, 24, 2}, outside[3] = {3, 48, 50};
    room *r = open_room("qwen2vl");
    llama_pos planes[12], n_pos;
    (void)state;
    r->media.grid[0] = 2;
    r->media.count = 3;
    r->media.sources = back;
    assert_int_equal(llama_host_positions(&r->host, &r->media, planes, &n_pos),
                     LLAMA_HOST_E_ARGUMENT);
    assert_non_null(strstr(r->host.why, "back in time"));
    r->media.sources = outside;
    assert_int_equal(llama_host_positions(&r->host, &r->media, planes, &n_pos),
                     LLAMA_HOST_E_ARGUMENT);
    assert_non_null(strstr(r->host.why, "outside"));
    r->media.sources = NULL;
    r->media.n_pos = 5;
    assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_E_ARGUMENT);
    assert_int_equal(last_pos(r), -1);
    r->media.n_pos = 6;
    r->media.grid[1] = 0;
    assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_E_ARGUMENT);
    close_room(r);
}

static void test_mrope_counts(void **state)
{
    room *r = open_room("qwen2vl");
    float logits[512], other[512];
    (void)state;
    decode_all(r, logits);
    assert_int_equal(r->host.n_past, 5 + 6 + 4);
    assert_int_equal(r->host.cells, 5 + ROWS + 4);
    assert_int_equal(last_pos(r), r->host.n_past - 1);
    start_again(r);
    r->host.compact = true; /* rows 0 and 1 of 4: two are closed up, but columns decide */
    decode_all(r, other);
    assert_int_equal(r->host.n_past, 5 + 6 + 4);
    assert_true(apart(logits, other) == 0);
    close_room(r);
}

/* ---- batches ---- */

static void check_batches(const char *name)
{
    room *r = open_room(name);
    float whole[512], parts[512];
    decode_all(r, whole);
    for (int32_t size = 1; size <= 7; size += 3) {
        start_again(r);
        r->host.n_batch = size;
        decode_all(r, parts);
        assert_true(apart(whole, parts) < 1e-3f);
    }
    close_room(r);
}

static void test_batches(void **state)
{
    (void)state;
    check_batches("llama");
    check_batches("qwen2vl");
}

/* Rows that see each other give something else, and must not be cut. */
static void test_non_causal(void **state)
{
    room *r = open_room("llama");
    float causal[512], both[512], again[512];
    (void)state;
    decode_all(r, causal);
    start_again(r);
    r->media.non_causal = true;
    decode_all(r, both);
    assert_true(apart(causal, both) > 1e-2f);
    start_again(r);
    r->media.non_causal = false; /* the context is causal again */
    decode_all(r, again);
    assert_true(apart(causal, again) == 0);
    start_again(r);
    r->media.non_causal = true;
    r->host.n_batch = ROWS - 1;
    assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_E_CONTEXT);
    assert_int_equal(last_pos(r), -1);
    close_room(r);
}

/* ---- refusals ---- */

static void test_refusals(void **state)
{
    room *r = open_room("llama");
    (void)state;
    assert_int_equal(llama_host_text(&r->host, text, 5, false), LLAMA_HOST_OK);
    r->media.width = WIDTH / 2;
    assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_E_ARGUMENT);
    r->media.width = WIDTH;
    r->media.count = 0;
    assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_E_ARGUMENT);
    r->media.count = ROWS;
    for (int wrong = -1; wrong <= 1; wrong += 2) {
        r->host.n_past = 5 + wrong;
        assert_int_equal(llama_host_decode_media(&r->host, &r->media, false),
                         LLAMA_HOST_E_ARGUMENT);
        assert_int_equal(llama_host_text(&r->host, text, 5, false), LLAMA_HOST_E_ARGUMENT);
    }
    r->host.n_past = 5;
    assert_int_equal(last_pos(r), 4);
    assert_int_equal(r->host.cells, 5);
    assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_OK);
    close_room(r);
}

/* Under M-RoPE cells run out where positions do not. */
static void check_full(const char *name)
{
    room *r = open_room(name);
    const uint32_t room_for = llama_n_ctx_seq(r->host.context);
    (void)name;
    while (r->host.cells + ROWS <= room_for) {
        assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_OK);
    }
    const llama_pos before = last_pos(r);
    assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_E_CONTEXT);
    assert_non_null(strstr(r->host.why, "do not fit"));
    assert_int_equal(last_pos(r), before);
    assert_int_equal(llama_host_fits(&r->host, room_for - r->host.cells), LLAMA_HOST_OK);
    assert_int_equal(llama_host_fits(&r->host, UINT32_MAX), LLAMA_HOST_E_CONTEXT);
    close_room(r);
}

static void test_full(void **state)
{
    (void)state;
    check_full("llama");
    check_full("qwen2vl");
}

/* llama_decode stops inside a picture: the cache is as before, and it can be tried again. */
static void check_stopped(const char *name)
{
    room *r = open_room(name);
    float expected[512], logits[512];
    int stopped = 0;
    decode_all(r, expected);
    for (int32_t nodes = 0; nodes < 400; nodes += 7) {
        start_again(r);
        r->host.n_batch = 4;
        assert_int_equal(llama_host_text(&r->host, text, 5, false), LLAMA_HOST_OK);
        const llama_host before = r->host;
        r->decodes = nodes;
        const llama_host_status status = llama_host_decode_media(&r->host, &r->media, false);
        r->decodes = -1;
        if (status == LLAMA_HOST_OK) {
            continue;
        }
        stopped++;
        assert_int_equal(status, LLAMA_HOST_E_DECODE);
        assert_int_equal(r->host.n_past, before.n_past);
        assert_int_equal(r->host.cells, before.cells);
        assert_int_equal(last_pos(r), before.n_past - 1);
        assert_int_equal(llama_host_decode_media(&r->host, &r->media, false), LLAMA_HOST_OK);
        assert_int_equal(llama_host_text(&r->host, text + 1, 4, true), LLAMA_HOST_OK);
        read_logits(r, logits);
        assert_true(apart(expected, logits) < 1e-3f);
    }
    assert_true(stopped > 3);
    close_room(r);
}

static void test_stopped(void **state)
{
    (void)state;
    check_stopped("llama");
    check_stopped("qwen2vl");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_consecutive),    cmocka_unit_test(test_mrope_planes),
        cmocka_unit_test(test_mrope_refusals), cmocka_unit_test(test_mrope_counts),
        cmocka_unit_test(test_batches),        cmocka_unit_test(test_non_causal),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_full),
        cmocka_unit_test(test_stopped)};
    if (argc != 2) {
        fprintf(stderr, "usage: llama_host_test FOLDER\n");
        return 2;
    }
    folder = argv[1];
    llama_log_set(quiet, NULL);
    llama_backend_init();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    llama_backend_free();
    return failed;
}
