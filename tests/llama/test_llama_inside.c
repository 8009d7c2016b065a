/* llama_attention and llama_cells: what the callback asks for, and what is refused.
 *
 * usage: llama_inside_test FOLDER (of make_text_models.py) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llama_attention.h"
#include "llama_cells.h"

enum { CONTEXT = 256, HEADS = 4 };

static const char *folder;

typedef struct room {
    struct llama_model *model;
    llama_host host;
    llama_attention attention;
    int32_t asked; /* nodes that the callback wanted */
} room;

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static bool count_asked(struct ggml_tensor *node, bool ask, void *user)
{
    room *r = user;
    const bool answer = llama_attention_callback(node, ask, &r->attention);
    r->asked += ask && answer;
    return answer;
}

static room *open_room(const char *name, int32_t layer, uint32_t sequences,
                       enum llama_flash_attn_type flash)
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
    r->attention.layer = layer;
    llama_attention_attach(&r->attention, &cp);
    assert_int_equal(cp.flash_attn_type, LLAMA_FLASH_ATTN_TYPE_DISABLED);
    cp.flash_attn_type = flash;
    cp.cb_eval = count_asked;
    cp.cb_eval_user_data = r;
    cp.n_ctx = CONTEXT;
    cp.n_seq_max = sequences;
    cp.kv_unified = sequences == 2;
    r->host.context = llama_init_from_model(r->model, cp);
    assert_non_null(r->host.context);
    return r;
}

static void close_room(room *r)
{
    llama_attention_free(&r->attention);
    llama_free(r->host.context);
    llama_model_free(r->model);
    free(r);
}

static const llama_token text[8] = {1, 70, 80, 90, 100, 110, 120, 130};
static const uint32_t cells[8] = {0, 1, 2, 3, 4, 5, 6, 7};

static void decode(room *r)
{
    assert_int_equal(llama_host_text(&r->host, text, 8, true), LLAMA_HOST_OK);
}

/* ---- attention ---- */

static void check_asked(bool hidden)
{
    float rows[HEADS * 8];
    room *r = open_room("deep", 2, 1, LLAMA_FLASH_ATTN_TYPE_DISABLED);
    r->attention.hidden = hidden;
    decode(r);
    assert_int_equal(r->asked, 0);
    llama_attention_want(&r->attention);
    assert_int_equal(llama_host_text(&r->host, text, 0, false), LLAMA_HOST_OK);
    assert_int_equal(r->asked, 0);
    assert_int_equal(llama_host_text(&r->host, text + 1, 1, true), LLAMA_HOST_OK);
    assert_int_equal(r->asked, 1);
    assert_int_equal(llama_attention_read(&r->attention, &r->host, cells, 8, rows), LLAMA_HOST_OK);
    assert_int_equal(r->attention.heads, HEADS);
    for (int h = 0; h < HEADS; h++) {
        float sum = 0;
        for (int i = 0; i < 8; i++) {
            sum += rows[h * 8 + i];
        }
        assert_true(hidden ? sum > 0.999f && sum < 1.001f : sum < 1);
    }
    assert_int_equal(llama_host_text(&r->host, text + 1, 1, true), LLAMA_HOST_OK);
    assert_int_equal(r->asked, 1); /* once read, no more is wanted */
    close_room(r);
}

static void test_asked(void **state)
{
    (void)state;
    assert_true(llama_attention_is_the_version());
    check_asked(false);
    check_asked(true);
}

static void check_nothing(int32_t layer, enum llama_flash_attn_type flash)
{
    float rows[HEADS * 8];
    room *r = open_room("deep", layer, 1, flash);
    llama_attention_want(&r->attention);
    decode(r);
    assert_int_equal(llama_attention_read(&r->attention, &r->host, cells, 8, rows),
                     LLAMA_HOST_E_ARGUMENT);
    assert_non_null(strstr(r->host.why, "no such attention"));
    close_room(r);
}

static void test_nothing(void **state)
{
    (void)state;
    check_nothing(4, LLAMA_FLASH_ATTN_TYPE_DISABLED);
    check_nothing(1, LLAMA_FLASH_ATTN_TYPE_ENABLED);
}

/* Before a decode, beyond the cells, and of none. */
static void test_read(void **state)
{
    static const uint32_t beyond[2] = {3, CONTEXT};
    float rows[HEADS * 8];
    room *r = open_room("deep", 1, 1, LLAMA_FLASH_ATTN_TYPE_DISABLED);
    (void)state;
    llama_attention_want(&r->attention);
    assert_int_equal(llama_attention_read(&r->attention, &r->host, cells, 8, rows),
                     LLAMA_HOST_E_ARGUMENT);
    llama_attention_want(&r->attention);
    decode(r);
    assert_int_equal(llama_attention_read(&r->attention, &r->host, beyond, 2, rows),
                     LLAMA_HOST_E_ARGUMENT);
    assert_non_null(strstr(r->host.why, "order of decoding"));
    assert_int_equal(llama_attention_read(&r->attention, &r->host, cells, 0, rows),
                     LLAMA_HOST_E_ARGUMENT);
    assert_int_equal(llama_attention_read(&r->attention, &r->host, cells, 8, rows), LLAMA_HOST_OK);
    close_room(r);
}

/* Two streams: a row would be one of several. */
static void test_streams(void **state)
{
    float rows[HEADS * 8];
    room *r = open_room("deep", 1, 3, LLAMA_FLASH_ATTN_TYPE_DISABLED);
    (void)state;
    llama_attention_want(&r->attention);
    decode(r); /* one sequence, one stream in this batch: fine */
    assert_int_equal(llama_attention_read(&r->attention, &r->host, cells, 8, rows), LLAMA_HOST_OK);
    assert_int_equal(llama_cells_keep(&r->host, 1, 0), LLAMA_HOST_E_ARGUMENT);
    assert_non_null(strstr(r->host.why, "kv_unified"));
    close_room(r);
}

/* ---- cells ---- */

static void test_forget(void **state)
{
    static const llama_pos some[4] = {1, 2, 4, 6}, last[2] = {3, 7};
    room *r = open_room("deep", 1, 1, LLAMA_FLASH_ATTN_TYPE_DISABLED);
    (void)state;
    decode(r);
    assert_int_equal(llama_cells_forget(&r->host, last, 2, true), LLAMA_HOST_E_ARGUMENT);
    assert_non_null(strstr(r->host.why, "last token"));
    assert_int_equal(r->host.cells, 8);
    assert_int_equal(llama_cells_forget(&r->host, some, 0, true), LLAMA_HOST_OK);
    assert_int_equal(llama_cells_forget(&r->host, some, 4, true), LLAMA_HOST_OK);
    assert_int_equal(r->host.cells, 4);
    assert_int_equal(r->host.n_past, 8);
    /* What was freed can be filled again, to the last cell. */
    const uint32_t room_for = llama_n_ctx_seq(r->host.context);
    while (r->host.cells < room_for) {
        assert_int_equal(llama_host_text(&r->host, text + 1, 1, true), LLAMA_HOST_OK);
    }
    assert_int_equal(r->host.n_past, (llama_pos)room_for + 4);
    assert_int_equal(llama_host_text(&r->host, text + 1, 1, true), LLAMA_HOST_E_CONTEXT);
    close_room(r);
}

static void test_mrope(void **state)
{
    static const llama_pos some[1] = {1};
    room *r = open_room("qwen2vl", 1, 2, LLAMA_FLASH_ATTN_TYPE_DISABLED);
    (void)state;
    decode(r);
    assert_non_null(strstr(llama_cells_why_not(r->model), "M-RoPE"));
    assert_int_equal(llama_cells_forget(&r->host, some, 1, true), LLAMA_HOST_E_ARGUMENT);
    assert_non_null(strstr(r->host.why, "M-RoPE"));
    assert_int_equal(llama_cells_keep(&r->host, 1, 0), LLAMA_HOST_E_ARGUMENT);
    assert_int_equal(r->host.cells, 8);
    close_room(r);
}

static void test_keep(void **state)
{
    static const llama_seq_id wrong[3] = {0, 2, -1};
    static const llama_pos some[3] = {2, 3, 5};
    static const int32_t none[3] = {0, 0, 0}, all[3] = {1, 1, 1};
    int32_t shown[3] = {1, 1, 1};
    room *r = open_room("deep", 1, 2, LLAMA_FLASH_ATTN_TYPE_DISABLED);
    llama_memory_t memory = llama_get_memory(r->host.context);
    (void)state;
    decode(r);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(llama_cells_keep(&r->host, wrong[i], 0), LLAMA_HOST_E_ARGUMENT);
    }
    assert_int_equal(llama_cells_keep(&r->host, 1, 0), LLAMA_HOST_OK);
    for (int round = 0; round < 3; round++) { /* hidden and shown again, twice each to no effect */
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(llama_cells_show(&r->host, 1, some, 3, none, shown), LLAMA_HOST_OK);
            assert_int_equal(shown[0] + shown[1] + shown[2], 0);
        }
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(llama_cells_show(&r->host, 1, some, 3, all, shown), LLAMA_HOST_OK);
            assert_int_equal(shown[0] + shown[1] + shown[2], 3);
        }
    }
    assert_int_equal(r->host.cells, 8);
    /* A cell that was counted twice would hold a position that nothing has. */
    assert_true(llama_memory_seq_rm(memory, 0, 0, -1));
    assert_int_equal(llama_memory_seq_pos_max(memory, 0), -1);
    assert_int_equal(llama_memory_seq_pos_max(memory, 1), 7);
    close_room(r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),  cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_read),   cmocka_unit_test(test_streams),
        cmocka_unit_test(test_forget), cmocka_unit_test(test_mrope),
        cmocka_unit_test(test_keep)};
    if (argc != 2) {
        fprintf(stderr, "usage: llama_inside_test FOLDER\n");
        return 2;
    }
    folder = argv[1];
    llama_log_set(quiet, NULL);
    llama_backend_init();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    llama_backend_free();
    return failed;
}
