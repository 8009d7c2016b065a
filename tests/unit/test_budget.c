/* budget: what it chooses, that it chooses the same as its named pipeline does, and what it says. */
#include <stdio.h>
#include <string.h>

#include "support.h"

enum { GRID_H = 5, GRID_W = 8, TOKENS = GRID_H * GRID_W, DIM = 12, MOST = 8 * TOKENS };
#define TOKENS_ONLY (1u << WINNOW_ROLE_TOKENS)
#define LOOKED      (TOKENS_ONLY | 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_CLS_ATTENTION)
#define ASKED       (LOOKED | 1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_IMAGE_EMBEDS)

typedef struct choice {
    const char *budget, *chosen;
    uint32_t frames, roles, rows; /* rows 0: some */
} choice;

static const choice choices[] = {
    {"budget=10", "divprune=keep=10", 1, TOKENS_ONLY, 10},
    {"budget=keep=10", "divprune=keep=10", 1, TOKENS_ONLY, 10},
    {"budget=25%", "divprune=keep=10", 1, TOKENS_ONLY, 10},
    {"budget=preset=fast", "divprune=keep=10", 1, TOKENS_ONLY, 10},
    {"budget=preset=careful", "divprune=keep=30", 1, TOKENS_ONLY, 30},
    {"budget=preset=balanced", "divprune=keep=25%:share=need", 8, TOKENS_ONLY, 80},
    {"budget=preset=fast", "divprune=keep=10%:share=need", 8, TOKENS_ONLY, 32},
    {"budget=1", "divprune=keep=1", 1, LOOKED, 1}, /* too few for a contextual one */
    {"budget=32", "visionzip=dominant=27:contextual=5", 1, LOOKED, 32},
    {"budget=32", "cdpruner=keep=32", 1, ASKED, 32},
    {"budget=50%", "divprune=keep=20:share=need", 8, TOKENS_ONLY, 160},
    {"budget=61", "divprune=keep=19.0625%:share=need", 8, TOKENS_ONLY, 61},
    {"budget=56", "visionzip=dominant=6:contextual=1", 8, LOOKED, 56},
    {"budget=auto", "divprune=keep=auto", 1, ASKED, 0},
    {"budget=keep=auto:fidelity=0.3", "flatten,divprune=keep=auto:fidelity=0.3", 8, LOOKED, 0},
    {"budget=32", "cdpruner=keep=4", 8, ASKED, 32},
    {"budget=31", "flatten,divprune=keep=31", 8, TOKENS_ONLY, 31}, /* under four a frame */
    {"budget=3", "flatten,divprune=keep=3", 8, ASKED, 3},
};

static const winnow_shape *shape_of(const choice *c)
{
    static winnow_shape shape;
    shape = (winnow_shape){.frames = c->frames,
                           .tokens = TOKENS,
                           .dim = DIM,
                           .grid_h = GRID_H,
                           .grid_w = GRID_W,
                           .key_dim = 6,
                           .heads = 2,
                           .text_rows = 3,
                           .text_dim = 7};
    return &shape;
}

static void run(winnow_device *device, const char *spec, test_run *r)
{
    winnow_plan *plan = NULL;
    winnow_plan_info info = {.struct_size = sizeof info};
    assert_int_equal(test_plan(device, spec, r, WINNOW_PLAN_HOST_MEMORY, &plan), WINNOW_OK);
    assert_int_equal(test_api()->plan_info(plan, &info), WINNOW_OK);
    assert_int_equal(test_api()->plan_run(plan, &r->run, &r->result), WINNOW_OK);
    assert_true(r->result.rows <= info.rows_max);
    assert_true(!info.rows_exact || r->result.rows == info.rows_max);
    test_api()->plan_destroy(plan);
}

static void chooses_as_its_table_says(void **state)
{
    (void)state;
    test_host host;
    test_host_open(&host);
    winnow_device *device = test_device(&host.host);
    for (size_t i = 0; i < LENGTH(choices); ++i) {
        const choice *c = &choices[i];
        test_run mine, named;
        test_run_open(&mine, shape_of(c), c->roles, 5, MOST, DIM);
        test_run_open(&named, shape_of(c), c->roles, 5, MOST, DIM);
        host.lines = 0;
        run(device, c->budget, &mine);
        if (host.lines != 1 || !strstr(host.line, "budget: "))
            fail_msg("%s: %d lines, the last `%s`", c->budget, host.lines, host.line);
        run(device, c->chosen, &named);
        const uint32_t rows = mine.result.rows;
        if ((c->rows && rows != c->rows) || rows == 0 || rows != named.result.rows ||
            memcmp(mine.indices, named.indices, rows * sizeof *mine.indices) != 0 ||
            memcmp(mine.rows, named.rows, (size_t)rows * DIM * sizeof *mine.rows) != 0)
            fail_msg("%s with %u frames: %u rows, not those of %s (%u); it said `%s`", c->budget,
                     c->frames, rows, c->chosen, named.result.rows, host.line);
        test_run_close(&named);
        test_run_close(&mine);
    }
    test_api()->device_destroy(device);
    assert_int_equal(host.live, 0);
}

static void leaves_what_fits(void **state)
{
    (void)state;
    const choice whole = {"budget=40", "", 1, LOOKED, TOKENS};
    static const char *const specs[] = {"budget=40", "budget=100%", "budget=1e9",
                                        "divprune=keep=4,budget=5"};
    static const uint32_t rows[] = {TOKENS, TOKENS, TOKENS, 4};
    winnow_device *device = test_device(NULL);
    for (size_t i = 0; i < LENGTH(specs); ++i) {
        test_run r;
        test_run_open(&r, shape_of(&whole), whole.roles, 5, MOST, DIM);
        run(device, specs[i], &r);
        assert_int_equal(r.result.rows, rows[i]);
        for (uint32_t k = 0; rows[i] == TOKENS && k < TOKENS; ++k)
            assert_int_equal(r.indices[k], k);
        test_run_close(&r);
    }
    test_api()->device_destroy(device);
}

/* Behind stages that leave frames of different sizes, or one set. */
static void goes_on_behind_other_stages(void **state)
{
    (void)state;
    const choice film = {"", "", 8, TOKENS_ONLY, 0};
    static const struct {
        const char *spec, *named;
    } chains[] = {
        {"avg-pool=factor=1,budget=80", "avg-pool=factor=1,divprune=keep=10:share=need"},
        {"divprune=keep=20,budget=80", "divprune=keep=20,divprune=keep=10:share=need"},
        {"evs=rate=0.5,budget=90", "evs=rate=0.5,divprune=keep=56.25%:share=need"},
        {"evs=rate=0.5,budget=16", "evs=rate=0.5,flatten,divprune=keep=16"},
        {"flatten,budget=16", "flatten,divprune=keep=16"},
    };
    winnow_device *device = test_device(NULL);
    for (size_t i = 0; i < LENGTH(chains); ++i) {
        test_run mine, named;
        test_run_open(&mine, shape_of(&film), film.roles, 9, MOST, DIM);
        test_run_open(&named, shape_of(&film), film.roles, 9, MOST, DIM);
        run(device, chains[i].spec, &mine);
        run(device, chains[i].named, &named);
        assert_int_equal(mine.result.rows, named.result.rows);
        assert_memory_equal(mine.indices, named.indices, named.result.rows * sizeof *named.indices);
        test_run_close(&named);
        test_run_close(&mine);
    }
    test_api()->device_destroy(device);
}

/* A number that frames do not divide: the first ones keep one more, as the stage by itself does of each. */
static void uses_all_of_a_number(void **state)
{
    (void)state;
    static const struct {
        const char *budget, *few, *more;
        uint32_t roles, rows;
    } rows[] = {
        {"budget=59", "visionzip=dominant=6:contextual=1", "visionzip=dominant=7:contextual=1",
         LOOKED, 59},
        {"budget=101", "cdpruner=keep=12", "cdpruner=keep=13", ASKED, 101},
    };
    winnow_device *device = test_device(NULL);
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        const choice film = {"", "", 8, rows[i].roles, 0};
        const uint32_t each = rows[i].rows / 8, longer = rows[i].rows % 8;
        test_run mine, few, more;
        test_run_open(&mine, shape_of(&film), film.roles, 5, MOST, DIM);
        test_run_open(&few, shape_of(&film), film.roles, 5, MOST, DIM);
        test_run_open(&more, shape_of(&film), film.roles, 5, MOST, DIM);
        run(device, rows[i].budget, &mine);
        run(device, rows[i].few, &few);
        run(device, rows[i].more, &more);
        assert_int_equal(mine.result.rows, rows[i].rows);
        assert_int_equal(few.result.rows, 8 * each);
        assert_memory_equal(mine.indices, more.indices, longer * (each + 1) * sizeof(int32_t));
        assert_memory_equal(mine.indices + longer * (each + 1), few.indices + longer * each,
                            (8 - longer) * each * sizeof(int32_t));
        assert_memory_equal(mine.rows, more.rows, longer * (each + 1) * DIM * sizeof(float));
        test_run_close(&more);
        test_run_close(&few);
        test_run_close(&mine);
    }
    test_api()->device_destroy(device);
}

/* Whatever the number: never more than it, and all of it while there is something left. */
static void keeps_exactly_the_number(void **state)
{
    (void)state;
    static const uint32_t roles[] = {TOKENS_ONLY, LOOKED, ASKED};
    winnow_device *device = test_device(NULL);
    for (uint32_t n = 1; n <= MOST + 1; n += n < 12 ? 1 : 31)
        for (size_t i = 0; i < LENGTH(roles); ++i) {
            const choice film = {"", "", 8, roles[i], 0};
            char spec[32];
            test_run r;
            snprintf(spec, sizeof spec, "budget=%u", n);
            test_run_open(&r, shape_of(&film), film.roles, n, MOST, DIM);
            run(device, spec, &r);
            assert_int_equal(r.result.rows, n < MOST ? n : MOST);
            test_run_close(&r);
        }
    test_api()->device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_as_its_table_says), cmocka_unit_test(leaves_what_fits),
        cmocka_unit_test(goes_on_behind_other_stages), cmocka_unit_test(uses_all_of_a_number),
        cmocka_unit_test(keeps_exactly_the_number)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
