#include "expect.h"

/* Rows 0 .. 3 of A, three of them kept: tokens and indices for `capacity` rows. */
typedef struct small_run {
    uint32_t consts[12]; /* seg[2], rows[3], then a counter behind the constants */
    wn_op ops[3];
    wn_program program;
    float in[8], tokens[8];
    int32_t indices[4];
    uint32_t count[4];
    wn_host_io io;
} small_run;

static void set_small_run(small_run *s, uint64_t capacity)
{
    const uint32_t consts[5] = {0, 3, 3, 1, 0};
    const struct wn_args_emit_rows rows = {.a_stride = 2,
                                           .b_stride = 2,
                                           .n_max = 4,
                                           .segs = 1,
                                           .seg_at = 0,
                                           .rows_at = 2,
                                           .order_at = WN_NONE,
                                           .cols = 2};
    const struct wn_args_emit_meta meta = {.n_max = 4,
                                           .segs = 1,
                                           .seg_at = 0,
                                           .index_at = 2,
                                           .sizes_at = WN_NONE,
                                           .order_at = WN_NONE,
                                           .inverse_at = WN_NONE,
                                           .assign_at = WN_NONE,
                                           .stats_at = 5,
                                           .tokens = 4,
                                           .grid_w = 2,
                                           .mask = 1u << WINNOW_OUT_INDICES |
                                                   1u << WINNOW_OUT_COUNT_WORD};
    const struct wn_args_topk count_nan = {
        .segs = 1, .seg_at = 0, .score_at = 6, .flag_at = 8, .k_at = 0, .stats_at = 5};
    *s = (small_run){.in = {1, 2, 3, 4, 5, 6, 7, 8}};
    memcpy(s->consts, consts, sizeof consts);
    s->ops[0] = (wn_op){.kind = WN_OP_topk, .items = 1};
    s->ops[1] = (wn_op){.kind = WN_OP_emit_rows, .items = 8};
    s->ops[2] = (wn_op){.kind = WN_OP_emit_meta, .items = 4};
    memcpy(s->ops[0].args, &count_nan, sizeof count_nan);
    memcpy(s->ops[1].args, &rows, sizeof rows);
    memcpy(s->ops[2].args, &meta, sizeof meta);
    for (uint32_t i = 0; i < 3; ++i)
        s->ops[i].a.slot = s->ops[i].b.slot = WN_SLOT_NONE;
    s->ops[1].a = (wn_ref){.slot = WN_SLOT_IN + WINNOW_ROLE_TOKENS, .bytes = sizeof s->in};
    s->ops[1].b = (wn_ref){.slot = WN_SLOT_OUT + WINNOW_OUT_TOKENS, .bytes = sizeof s->tokens};
    s->program = (wn_program){.ops = s->ops,
                              .op_count = 3,
                              .emit_first = 1,
                              .consts = s->consts,
                              .const_words = 5,
                              .w_words = 12,
                              .count_at = 1};
    s->io.in[WINNOW_ROLE_TOKENS] = (wn_host_rows){s->in, 4, 8, 8};
    s->io.out[WINNOW_OUT_TOKENS] = (wn_host_rows){s->tokens, capacity, 8, 8};
    s->io.out[WINNOW_OUT_INDICES] = (wn_host_rows){s->indices, 4, 4, 4};
    s->io.out[WINNOW_OUT_COUNT_WORD] = (wn_host_rows){s->count, 1, 16, 16};
    s->io.count_outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES;
}

void expect_running(expectations *e)
{
    const wn_backend *backend = e->device->backend;
    small_run s;
    wn_exec *exec = NULL;
    wn_exec_stats stats = {0};
    set_small_run(&s, 2);
    const wn_exec_desc desc = {.program = &s.program};
    check_true(e, "exec_create", backend->exec_create(e->device, &desc, &exec) == WINNOW_OK);
    check_true(e, "two rows of room for three is too small",
               backend->exec_run(exec, &s.program, &s.io, &stats) == WINNOW_E_TOO_SMALL);
    CHECK_WORDS(e, "and nothing is written", s.count, 0, 0, 0, 0);
    CHECK_REALS(e, "to no output", s.tokens, 0.0f, 0.0f);
    set_small_run(&s, 3);
    check_true(e, "three are enough",
               backend->exec_run(exec, &s.program, &s.io, &stats) == WINNOW_OK);
    CHECK_REALS(e, "the rows", s.tokens, 7.0f, 8.0f, 3.0f, 4.0f, 1.0f, 2.0f, 0.0f, 0.0f);
    CHECK_WORDS(e, "the count", s.count, 3, 0, 0, 0);
    check_true(e, "the indices", s.indices[0] == 3 && s.indices[1] == 1 && s.indices[2] == 0);
    check_true(e, "every operation ran, nothing was submitted",
               stats.dispatches == 3 && stats.submissions == 0);
    set_small_run(&s, 3);
    s.io.out[WINNOW_OUT_TOKENS].data = NULL;
    check_true(e, "an output may be absent",
               backend->exec_run(exec, &s.program, &s.io, &stats) == WINNOW_OK);
    CHECK_WORDS(e, "the others are written then", s.count, 3, 0, 0, 0);
    set_small_run(&s, 3);
    s.io.in[WINNOW_ROLE_TOKENS].data = NULL;
    check_true(e, "an input may not",
               backend->exec_run(exec, &s.program, &s.io, &stats) == WINNOW_E_INTERNAL);
    double speed = 0.0;
    check_true(e, "memcpy takes time",
               backend->copy_bandwidth(e->device, 1u << 20, &speed) == WINNOW_OK && speed > 0.0);
    uint64_t staging = 1;
    check_true(e, "W is counted, nothing is staged",
               backend->exec_bytes(exec, &staging) >= 48 && staging == 0);
    backend->exec_destroy(exec);
    backend->exec_destroy(NULL);
}
