/* Stages one after another: what goes together, what does not, and what is said then. */
#include <string.h>

#include "plan.h"
#include "support.h"

enum { FRAMES = 3, ROWS = 4, COLUMNS = 6, TOKENS = ROWS * COLUMNS, DIM = 5 };

static const winnow_shape shape = {.frames = FRAMES,
                                   .tokens = TOKENS,
                                   .dim = DIM,
                                   .grid_h = ROWS,
                                   .grid_w = COLUMNS,
                                   .key_dim = 4,
                                   .heads = 2,
                                   .llm_heads = 2,
                                   .frame_dim = 3};
#define ROLES                                                                      \
    (1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_SIZES | 1u << WINNOW_ROLE_KEYS | \
     1u << WINNOW_ROLE_CLS_ATTENTION | 1u << WINNOW_ROLE_LLM_ATTENTION |           \
     1u << WINNOW_ROLE_FRAME_EMBEDS | 1u << WINNOW_ROLE_RECEIVED_ATTENTION_DEEP)

static void what_does_not_go_together(void **state)
{
    (void)state;
    const struct {
        const char *spec, *stage;
        winnow_status status;
    } rows[] = {
        {"divprune=keep=4,pixel-shuffle", "pixel-shuffle", WINNOW_E_SHAPE},
        {"divprune=keep=4,avg-pool=factor=2", "avg-pool", WINNOW_E_SHAPE},
        {"evs=rate=0.5,adaptive-pool=size=2", "adaptive-pool", WINNOW_E_SHAPE},
        {"tome=r=4,bilinear-pool", "bilinear-pool", WINNOW_E_SHAPE},
        {"evs=rate=0.5,evs=rate=0.5", "evs", WINNOW_E_SHAPE},
        {"evs=rate=0.5,dycoke", "dycoke", WINNOW_E_SHAPE},
        {"evs=rate=0.5,dtd", "dtd", WINNOW_E_SHAPE},
        {"evs=rate=0.5,longvu", "longvu", WINNOW_E_SHAPE},
        {"evs=rate=0.5,framefusion", "framefusion", WINNOW_E_SHAPE},
        {"framefusion=prune=attention", "framefusion", WINNOW_E_ROLE},
        {"dycoke,evs=rate=0.5", "evs", WINNOW_E_SHAPE},
        {"divprune=keep=4,evs=rate=0.5", "evs", WINNOW_E_SHAPE}, /* other places in every frame */
        {"fastervlm=keep=4,dycoke", "dycoke", WINNOW_E_SHAPE},
        {"evs=rate=0.5,motion", "motion", WINNOW_E_SHAPE},
        {"flatten,motion", "motion", WINNOW_E_SHAPE},
        {"pixel-shuffle=factor=5", "pixel-shuffle", WINNOW_E_SHAPE},
        {"pixel-shuffle=factor=2,pixel-shuffle=factor=2", "pixel-shuffle",
         WINNOW_E_SHAPE}, /* 2 x 3 */
        {"avg-pool=factor=5", "avg-pool", WINNOW_E_SHAPE},
        {"flatten,evs=rate=0.5", "evs", WINNOW_E_SHAPE},
        {"flatten,dytok", "dytok", WINNOW_E_SHAPE},
        {"divprune=keep=20%:share=need,dytok", "dytok", WINNOW_E_SHAPE},
        {"flatten,avg-pool=factor=2", "avg-pool", WINNOW_E_SHAPE},
        {"evs=rate=0.5,flatten,dycoke", "dycoke", WINNOW_E_SHAPE},
        {"evs=rate=0.5,fastvid", "fastvid", WINNOW_E_SHAPE},
        {"flatten,flashvid", "flashvid", WINNOW_E_SHAPE},
        {"divprune=keep=4,holitom", "holitom", WINNOW_E_SHAPE},
        {"divprune=keep=4,prunevid", "prunevid", WINNOW_E_SHAPE},
        {"evs=rate=0.5,sttm", "sttm", WINNOW_E_SHAPE},
        {"flatten,sttm", "sttm", WINNOW_E_SHAPE},
        {"cdpruner=keep=3", "cdpruner", WINNOW_E_ROLE},
        {"evs=rate=0.5,cdpruner=keep=3", "cdpruner", WINNOW_E_ROLE},
        {"hiprune=keep=3", "hiprune", WINNOW_E_ROLE},
        {"vscan=keep=3", "vscan", WINNOW_E_ROLE},
        {"correlation,prumerge=ratio=0.5,correlation", "correlation", WINNOW_E_UNSUPPORTED},
        {"mmtok=keep=3", "mmtok", WINNOW_E_ROLE},
        {"hired=keep=3:tiles=grid", "hired", WINNOW_E_ROLE},
        {"evs=rate=0.5,hired=keep=3:tiles=grid", "hired", WINNOW_E_SHAPE},
        {"mustdrop", "mustdrop", WINNOW_E_SHAPE}, /* 4 x 6 */
        {"divprune=keep=4,mustdrop=window=2", "mustdrop", WINNOW_E_SHAPE},
        {"sparsevlm=keep=3", "sparsevlm", WINNOW_E_ROLE},
        {"ficoco-l=keep=3", "ficoco-l", WINNOW_E_ROLE},
        {"mustdrop-llm", "mustdrop-llm", WINNOW_E_ROLE},
        {"tops-llm=keep=3", "tops-llm", WINNOW_E_ROLE},
        {"sieve=keep=3", "sieve", WINNOW_E_ROLE},
        {"trio=keep=3", "trio", WINNOW_E_ROLE},
        {"prunevid-llm", "prunevid-llm", WINNOW_E_ROLE},
        {"prumerge,vitcop=rows=clusters", "vitcop", WINNOW_E_UNSUPPORTED},
        {"focus-llm=keep=3", "focus-llm", WINNOW_E_ROLE},
        {"divprune=keep=4,focus", "focus", WINNOW_E_SHAPE},
        {"flatten,focus", "focus", WINNOW_E_SHAPE},
        {"dycoke-kv", "dycoke-kv", WINNOW_E_UNSUPPORTED},
    };
    test_host host;
    test_run run;
    test_host_open(&host);
    winnow_device *device = test_device(&host.host);
    test_run_open(&run, &shape, ROLES, 3, TOKENS * FRAMES, DIM);
    int wrong = 0;
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        winnow_plan *plan;
        host.lines = 0;
        const winnow_status status = test_plan(device, rows[i].spec, &run, 0, &plan);
        if (status != rows[i].status || plan || host.lines != 1 ||
            !strstr(host.line, rows[i].stage)) {
            print_error("%s: %s, %d lines, `%s`\n", rows[i].spec, test_api()->status_name(status),
                        host.lines, host.line);
            ++wrong;
        }
        test_api()->plan_destroy(plan);
    }
    test_run_close(&run);
    test_api()->device_destroy(device);
    assert_int_equal(host.live, 0);
    assert_int_equal(wrong, 0);
}

/* Inputs that do not fit a stage: one line that names it and says why. */
static void what_does_not_fit(void **state)
{
    (void)state;
    const struct {
        const char *spec, *stage, *why;
    } rows[] = {
        {"mmtok=keep=3", "mmtok", "`text` has 6 channels and the tokens 5"},
        {"sieve=keep=3", "sieve", "rows of `text` have 6 elements and tokens 5"},
        {"dart=keep=8", "dart", "`text` has 6 channels and the tokens 5"},
        {"cdpruner=keep=3", "cdpruner", "`text` has 6 channels and `image_embeds` 4"},
        {"hiprune=keep=3", "hiprune", "23 tokens without a grid are no square"},
        {"vscan=keep=3", "vscan", "23 tokens without a grid are no square"},
        {"vitcop=rows=clusters", "vitcop", "23 tokens without a grid are no square"},
        {"fsr=keep=3", "fsr", "`text` has 6 channels and `image_embeds` 4"},
        {"hired=keep=3:tiles=official", "hired", "23 tokens are not 2 runs"},
        {"hired=keep=3:tiles=grid:columns=3", "hired", "2 tiles are not rows of columns=3"},
        {"flatten,prunesid=keep=9", "prunesid", "a class token a frame"},
        {"sttm", "sttm", "no grid was given"},
    };
    const winnow_shape odd = {.frames = FRAMES,
                              .tokens = 23,
                              .dim = DIM,
                              .key_dim = 4,
                              .heads = 2,
                              .llm_heads = 2,
                              .text_rows = 3,
                              .text_dim = 6,
                              .frame_dim = 2,
                              .image_dim = 4};
    test_host host;
    test_run run;
    test_host_open(&host);
    winnow_device *device = test_device(&host.host);
    test_run_open(&run, &odd, (1u << WINNOW_ROLE_COUNT) - 1u, 3, 23 * FRAMES, DIM);
    int wrong = 0;
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        winnow_plan *plan;
        host.lines = 0;
        const winnow_status status = test_plan(device, rows[i].spec, &run, 0, &plan);
        if (status != WINNOW_E_SHAPE || plan || host.lines != 1 ||
            !strstr(host.line, rows[i].stage) || !strstr(host.line, rows[i].why)) {
            print_error("%s: %s, %d lines, `%s`\n", rows[i].spec, test_api()->status_name(status),
                        host.lines, host.line);
            ++wrong;
        }
        test_api()->plan_destroy(plan);
    }
    test_run_close(&run);
    test_api()->device_destroy(device);
    assert_int_equal(wrong, 0);
}

/* A row for each index, every token assigned to a row or dropped, sizes that add up. */
static void check_bookkeeping(const char *spec, const test_run *run, bool merges)
{
    const uint32_t rows = run->result.rows;
    float total = 0, given = 0;
    for (uint32_t i = 0; i < rows; ++i) {
        const int32_t source = run->indices[i];
        if (source < 0 || source >= FRAMES * TOKENS || (i && source <= run->indices[i - 1]) ||
            run->assignment[source] != (int32_t)i)
            fail_msg("%s: row %u is of token %d, which went to %d", spec, i, source,
                     source < 0 ? -1 : run->assignment[source]);
        assert_int_equal(run->positions[3 * i], source / TOKENS);
        assert_int_equal(run->positions[3 * i + 1], source % TOKENS / COLUMNS);
        assert_int_equal(run->positions[3 * i + 2], source % COLUMNS);
        total += run->sizes[i];
    }
    const float *sizes = run->run.in[WINNOW_ROLE_SIZES].data;
    for (uint32_t i = 0; i < FRAMES * TOKENS; ++i) {
        assert_true(run->assignment[i] >= -1 && run->assignment[i] < (int32_t)rows);
        given += run->assignment[i] >= 0 ? sizes[i] : 0;
    }
    if (merges && total != given)
        fail_msg("%s: sizes add up to %g, their tokens' to %g", spec, (double)total, (double)given);
}

static void what_goes_together(void **state)
{
    (void)state;
    const struct {
        const char *spec;
        uint32_t rows, dim, grid[3];
    } rows[] = {
        {"pixel-shuffle=factor=2,divprune=keep=2", 6, 20, {0, 0, 0}},
        {"avg-pool=factor=2,pixel-shuffle=factor=1", 18, 5, {3, 2, 3}},
        {"bilinear-pool=factor=2,evs=rate=0.5", 9, 5, {0, 0, 0}},
        {"evs=rate=0.5,divprune=keep=3", 9, 5, {0, 0, 0}},
        {"avg-pool=factor=2,motion=rate=0.5", 9, 5, {0, 0, 0}},
        {"motion=rate=0.5:mode=merge,divprune=keep=3", 9, 5, {0, 0, 0}},
        {"motion=rate=0.5:model=affine,tome=r=1", 33, 5, {0, 0, 0}},
        {"evs=rate=0.25,tome=r=4", 42, 5, {0, 0, 0}},
        {"fastvid=keep=6:segments=3", 18, 5, {0, 0, 0}},
        {"fastvid=keep=6:threshold=-1:segments=1:period=3:context=0.5,tome=r=1", 15, 5, {0, 0, 0}},
        {"divprune=keep=12,flashvid=keep=4:expansion=1:alpha=1", 12, 5, {0, 0, 0}},
        {"flashvid=keep=10:link=0:segment=-1:segments=1,flatten,divprune=keep=9", 9, 5, {0, 0, 0}},
        {"holitom=keep=25%:still=1,flatten,divprune=keep=18", 18, 5, {0, 0, 0}},
        {"avg-pool=factor=2,prunevid=still=1", 18, 5, {0, 0, 0}},
        {"prunevid=still=1,flatten,divprune=keep=36", 36, 5, {0, 0, 0}},
        {"sttm=threshold=-1:root=0:temporal=0", 18, 5, {0, 0, 0}}, /* 2 x 3 blocks of each frame */
        {"sttm=threshold=-1:root=0:temporal=0,tome=r=1", 15, 5, {0, 0, 0}},
        {"sttm=threshold=-1:root=0:temporal=1,flatten,divprune=keep=7", 7, 5, {0, 0, 0}},
        {"avg-pool=factor=1,sttm=threshold=1:temporal=0:root=0,divprune=keep=5", 15, 5, {0, 0, 0}},
        {"avg-pool=factor=2,sttm=temporal=1:mode=official,flatten", 18, 5, {0, 0, 0}},
        {"tome=r=4,tome=r=4,fastervlm=keep=6", 18, 5, {0, 0, 0}},
        {"dycoke=rate=0.5,visionzip=dominant=3:contextual=2", 15, 5, {0, 0, 0}},
        {"fastv=rate=0.5,vispruner=keep=2", 6, 5, {0, 0, 0}},
        {"mustdrop=window=2:threshold=-1,flatten,divprune=keep=17", 17, 5, {0, 0, 0}},
        {"avg-pool=factor=1,mustdrop=window=2:keep=10,tome=r=2", 30, 5, {0, 0, 0}},
        {"evs=rate=0.5,pyramiddrop=ratio=0.25", 18, 5, {0, 0, 0}},
        {"divprune=keep=8,divprune=keep=4,divprune=keep=2", 6, 5, {0, 0, 0}},
        {"evs=rate=0.5,prunesid=keep=4", 9, 5, {0, 0, 0}},
        {"evs=rate=0.5,scope=keep=3", 9, 5, {0, 0, 0}},
        {"evs=rate=0.5,holov=keep=3", 9, 5, {0, 0, 0}},
        {"tome=r=4,dart=keep=8", 36, 5, {0, 0, 0}},
        {"visionzip=dominant=3:contextual=2,scope=keep=2", 6, 5, {0, 0, 0}},
        {"divprune=keep=8,holov=keep=4:chunks=3,hired=keep=2", 6, 5, {0, 0, 0}},
        {"flatten,dart=keep=12", 16, 5, {0, 0, 0}},
        {"correlation=similarity=1,divprune=keep=3", 9, 5, {0, 0, 0}}, /* nothing is repeated */
        {"tome=r=4,correlation=similarity=-1:many=0:global=off", 3, 5, {0, 0, 0}}, /* all is */
        {"correlation=similarity=-1:many=0:global=off:merge=mean,divprune=keep=2", 3, 5, {0, 0, 0}},
        {"focus=similarity=-1,divprune=keep=2", 6, 5, {0, 0, 0}}, /* windows of 4 x 4 and 4 x 2 */
        {"focus=similarity=1:pool=mean,flatten,divprune=keep=40", 40, 5, {0, 0, 0}}, /* none */
        {"avg-pool=factor=2,focus=similarity=-1:window=2", 6, 5, {0, 0, 0}},         /* of 2 x 3 */
        {"pixel-shuffle=factor=1,focus=similarity=-1:window=8,tome=r=1", 3, 5, {0, 0, 0}},
        {"flatten", 72, 5, {0, 0, 0}},
        {"flatten,divprune=keep=7", 7, 5, {0, 0, 0}},
        {"evs=rate=0.5,flatten,tome=keep=30", 30, 5, {0, 0, 0}},
        {"prumerge=ratio=0.5,flatten,divprune=keep=2", 2, 5, {0, 0, 0}}, /* of an unknown number */
        {"flatten,flatten,visionzip=dominant=5:contextual=4", 9, 5, {0, 0, 0}},
    };
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    int wrong = 0;
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        test_run run;
        winnow_plan *plan;
        winnow_plan_info info = {.struct_size = sizeof info};
        test_run_open(&run, &shape, ROLES, 3, TOKENS * FRAMES, rows[i].dim);
        const winnow_status status =
            test_plan(device, rows[i].spec, &run, WINNOW_PLAN_HOST_MEMORY, &plan);
        assert_int_equal(status, WINNOW_OK);
        assert_int_equal(api->plan_info(plan, &info), WINNOW_OK);
        assert_int_equal(info.dim_out, rows[i].dim);
        assert_memory_equal(info.grid_out, rows[i].grid, sizeof info.grid_out);
        assert_int_equal(api->plan_run(plan, &run.run, &run.result), WINNOW_OK);
        if (run.result.rows != rows[i].rows || info.rows_max < rows[i].rows) {
            print_error("%s: %u rows, not %u (at most %u)\n", rows[i].spec, run.result.rows,
                        rows[i].rows, info.rows_max);
            ++wrong;
        }
        check_bookkeeping(rows[i].spec, &run, true);
        api->plan_destroy(plan);
        test_run_close(&run);
    }
    api->device_destroy(device);
    assert_int_equal(wrong, 0);
}

static void a_film_is_one_picture_when_flat(void **state)
{
    (void)state;
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    const winnow_shape film = {.frames = FRAMES, .tokens = TOKENS, .dim = DIM},
                       picture = {.frames = 1, .tokens = FRAMES * TOKENS, .dim = DIM};
    static const char *const specs[][2] = {{"flatten,divprune=keep=9", "divprune=keep=9"},
                                           {"flatten,tome=keep=40", "tome=keep=40"}};
    for (size_t i = 0; i < LENGTH(specs); ++i) {
        test_run run[2];
        for (int k = 0; k < 2; ++k) {
            winnow_plan *plan;
            test_run_open(&run[k], k ? &picture : &film, 1u << WINNOW_ROLE_TOKENS, 3,
                          TOKENS * FRAMES, DIM);
            if (k)
                memcpy(run[1].tokens, run[0].tokens, FRAMES * TOKENS * DIM * sizeof(float));
            assert_int_equal(
                test_plan(device, specs[i][k], &run[k], WINNOW_PLAN_HOST_MEMORY, &plan), WINNOW_OK);
            assert_int_equal(api->plan_run(plan, &run[k].run, &run[k].result), WINNOW_OK);
            api->plan_destroy(plan);
        }
        const uint32_t rows = run[1].result.rows;
        assert_int_equal(run[0].result.rows, rows);
        assert_memory_equal(run[0].indices, run[1].indices, rows * sizeof(int32_t));
        assert_memory_equal(run[0].rows, run[1].rows, rows * DIM * sizeof(float));
        test_run_close(&run[0]);
        test_run_close(&run[1]);
    }
    api->device_destroy(device);
}

static uint32_t ops_of(const winnow_plan *plan, uint32_t kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->program.op_count; ++i)
        count += plan->program.ops[i].kind == kind;
    return count;
}

/* A later stage looks norms up that one before took, and gives what it gives on rows of their own. */
static void norms_are_taken_once(void **state)
{
    (void)state;
    enum { KEPT = 9 };
    static const struct {
        const char *first, *second, *both;
        uint32_t norms, lookups;
    } rows[] = {
        {"divprune=keep=9", "tome=keep=5:metric=tokens",
         "divprune=keep=9,tome=keep=5:metric=tokens", 1, 1},
        {"scope=keep=9", "tome=keep=5:metric=tokens", "scope=keep=9,tome=keep=5:metric=tokens", 1,
         1},
        {"vispruner=keep=9", "tome=keep=5:metric=tokens",
         "vispruner=keep=9,tome=keep=5:metric=tokens", 1, 1},
        {"tome=keep=9:metric=tokens", "tome=keep=5:metric=tokens",
         "tome=keep=9:metric=tokens,tome=keep=5:metric=tokens", 3,
         0}, /* merged rows are others: three rounds */
    };
    const winnow_shape left = {.frames = FRAMES, .tokens = KEPT, .dim = DIM};
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        const char *const specs[] = {rows[i].first, rows[i].second, rows[i].both};
        const uint32_t roles = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION;
        test_run run[3];
        winnow_plan *plan;
        test_run_open(&run[0], &shape, roles, 5, TOKENS * FRAMES, DIM);
        test_run_open(&run[1], &left, 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_SIZES, 5,
                      TOKENS * FRAMES, DIM);
        test_run_open(&run[2], &shape, roles, 5, TOKENS * FRAMES, DIM);
        for (int k = 0; k < 3; ++k) {
            assert_int_equal(test_plan(device, specs[k], &run[k], WINNOW_PLAN_HOST_MEMORY, &plan),
                             WINNOW_OK);
            assert_int_equal(api->plan_run(plan, &run[k].run, &run[k].result), WINNOW_OK);
            if (k == 2) {
                const uint32_t norms = ops_of(plan, WN_OP_row_norm),
                               lookups = ops_of(plan, WN_OP_lookup);
                if (norms != rows[i].norms || lookups != rows[i].lookups)
                    fail_msg("%s: %u norms, %u lookups", rows[i].both, norms, lookups);
            }
            api->plan_destroy(plan);
            if (k == 0) {
                assert_int_equal(run[0].result.rows, FRAMES * KEPT);
                memcpy(run[1].tokens, run[0].rows, FRAMES * KEPT * DIM * sizeof(float));
                memcpy((float *)run[1].run.in[WINNOW_ROLE_SIZES].data, run[0].sizes,
                       FRAMES * KEPT * sizeof(float));
            }
        }
        assert_int_equal(run[1].result.rows, FRAMES * 5);
        assert_int_equal(run[2].result.rows, FRAMES * 5);
        if (memcmp(run[1].rows, run[2].rows, FRAMES * 5 * DIM * sizeof(float)) != 0)
            fail_msg("%s: other rows than one stage after the other", rows[i].both);
        for (int k = 0; k < 3; ++k)
            test_run_close(&run[k]);
    }
    api->device_destroy(device);
}

static void smaller_runs_of_a_large_plan(void **state)
{
    (void)state;
    static const char *const specs[] = {"pixel-shuffle",
                                        "evs=rate=0.5,visionzip=dominant=1:contextual=1,flatten",
                                        "evs=rate=0.5,tome=r=1,flatten",
                                        "fastervlm=keep=30%,budget=3,fastervlm=keep=10%",
                                        "adaptive-pool=size=2",
                                        "evs=rate=0.5",
                                        "motion=rate=0.5:mode=merge",
                                        "tome=keep=5",
                                        "divprune=keep=4",
                                        "dycoke",
                                        "prumerge",
                                        "avg-pool=stride=3",
                                        "fastvid=keep=4:segments=2",
                                        "flashvid=keep=4:mode=official",
                                        "holitom=keep=4:still=0:contextual=0.5",
                                        "prunevid=still=0",
                                        "sttm=threshold=0:temporal=0.1:root=0",
                                        "mustdrop=window=2:threshold=0",
                                        "pyramiddrop=ratio=0.3",
                                        "visionzip=dominant=2:contextual=2"};
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    for (size_t i = 0; i < LENGTH(specs); ++i) {
        winnow_shape small = shape;
        small.frames = 2;
        small.tokens = 8;
        small.grid_h = 4;
        small.grid_w = 2;
        test_run large, alone, within;
        winnow_plan *plan_large, *plan_small;
        test_run_open(&large, &shape, ROLES, 3, TOKENS * FRAMES + 8, 4 * DIM);
        test_run_open(&alone, &small, ROLES, 4, TOKENS * FRAMES + 8, 4 * DIM);
        test_run_open(&within, &small, ROLES, 4, TOKENS * FRAMES + 8, 4 * DIM);
        assert_int_equal(test_plan(device, specs[i], &large, WINNOW_PLAN_HOST_MEMORY, &plan_large),
                         WINNOW_OK);
        assert_int_equal(test_plan(device, specs[i], &alone, WINNOW_PLAN_HOST_MEMORY, &plan_small),
                         WINNOW_OK);
        assert_int_equal(api->plan_run(plan_large, &large.run, &large.result), WINNOW_OK);
        assert_int_equal(api->plan_run(plan_large, &within.run, &within.result), WINNOW_OK);
        assert_int_equal(api->plan_run(plan_small, &alone.run, &alone.result), WINNOW_OK);
        assert_int_equal(within.result.rows, alone.result.rows);
        assert_memory_equal(within.rows, alone.rows, alone.result.rows * DIM * sizeof(float));
        assert_memory_equal(within.indices, alone.indices, alone.result.rows * sizeof(int32_t));
        assert_memory_equal(within.assignment, alone.assignment, 16 * sizeof(int32_t));
        api->plan_destroy(plan_large);
        api->plan_destroy(plan_small);
        test_run_close(&large);
        test_run_close(&alone);
        test_run_close(&within);
    }
    api->device_destroy(device);
}

static void a_small_output_is_left_alone(void **state)
{
    (void)state;
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    test_run run;
    winnow_plan *plan;
    test_run_open(&run, &shape, ROLES, 3, 12, DIM);
    assert_int_equal(test_plan(device, "divprune=keep=4", &run, WINNOW_PLAN_HOST_MEMORY, &plan),
                     WINNOW_OK);
    for (uint32_t output = 0; output <= WINNOW_OUT_POSITIONS; ++output) {
        run.run.out[output].capacity = 11;
        memset(run.rows, 0x5a, 12 * DIM * sizeof(float));
        memset(run.indices, 0x5a, 12 * sizeof(int32_t));
        assert_int_equal(api->plan_run(plan, &run.run, &run.result), WINNOW_E_TOO_SMALL);
        for (uint32_t i = 0; i < 12; ++i)
            assert_int_equal(run.indices[i], 0x5a5a5a5a);
        assert_int_equal(((unsigned char *)run.rows)[0], 0x5a);
        run.run.out[output].capacity = 12;
    }
    run.run.out[WINNOW_OUT_ASSIGNMENT].capacity = FRAMES * TOKENS - 1;
    assert_int_equal(api->plan_run(plan, &run.run, &run.result), WINNOW_E_TOO_SMALL);
    run.run.out[WINNOW_OUT_ASSIGNMENT].capacity = FRAMES * TOKENS;
    assert_int_equal(api->plan_run(plan, &run.run, &run.result), WINNOW_OK);
    api->plan_destroy(plan);
    test_run_close(&run);
    api->device_destroy(device);
}

static void what_depends_on_the_content_is_a_bound(void **state)
{
    (void)state;
    const struct {
        const char *spec;
        uint32_t exact, most;
    } rows[] = {
        {"fastvid=keep=6", 0, 18},           {"fastvid=keep=6:period=1", 1, 18},
        {"fastvid=keep=6:context=0", 1, 18}, {"flashvid=keep=6", 0, 27},
        {"flashvid=keep=6:alpha=1", 1, 24},  {"flashvid=keep=6:mode=official", 0, 27},
        {"holitom=keep=6", 0, 25},           {"prunevid", 0, 72},
    };
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        test_run run;
        winnow_plan *plan;
        winnow_plan_info info = {.struct_size = sizeof info};
        test_run_open(&run, &shape, ROLES, 3, TOKENS * FRAMES, DIM);
        assert_int_equal(test_plan(device, rows[i].spec, &run, WINNOW_PLAN_HOST_MEMORY, &plan),
                         WINNOW_OK);
        assert_int_equal(api->plan_info(plan, &info), WINNOW_OK);
        assert_int_equal(info.rows_exact, rows[i].exact);
        assert_int_equal(info.rows_max, rows[i].most);
        assert_int_equal(api->plan_run(plan, &run.run, &run.result), WINNOW_OK);
        assert_true(run.result.rows <= info.rows_max);
        assert_true(!info.rows_exact || run.result.rows == info.rows_max);
        api->plan_destroy(plan);
        test_run_close(&run);
    }
    api->device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_go_together),
        cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(what_goes_together),
        cmocka_unit_test(a_film_is_one_picture_when_flat),
        cmocka_unit_test(norms_are_taken_once),
        cmocka_unit_test(smaller_runs_of_a_large_plan),
        cmocka_unit_test(a_small_output_is_left_alone),
        cmocka_unit_test(what_depends_on_the_content_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
