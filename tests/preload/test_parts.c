/* The parts of the preload that need no libmtmd: rules, marks, rows cut or filled, books. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "books.h"
#include "fit.h"
#include "rule.h"
#include "settings.h"

static void budgets(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t of_1, of_10, of_1000;
    } cases[] = {{"1", true, 1, 1, 1},         {"256", true, 1, 10, 256},
                 {"25%", true, 1, 2, 250},     {"12.5%", true, 1, 1, 125},
                 {"0.1%", true, 1, 1, 1},      {"100%", true, 1, 10, 1000},
                 {"0.001%", true, 1, 1, 1},    {"99.999%", true, 1, 9, 999},
                 {"", false, 0, 0, 0},         {"0", false, 0, 0, 0},
                 {"0%", false, 0, 0, 0},       {"-3", false, 0, 0, 0},
                 {"3.5", false, 0, 0, 0},      {"101%", false, 0, 0, 0},
                 {"100.001%", false, 0, 0, 0}, {"%", false, 0, 0, 0},
                 {"5%%", false, 0, 0, 0},      {"5 %", false, 0, 0, 0},
                 {"5x", false, 0, 0, 0},       {"5.%", false, 0, 0, 0},
                 {"5.1234%", false, 0, 0, 0},  {"99999999999999999999", false, 0, 0, 0},
                 {"0x10", false, 0, 0, 0},     {"1e3", false, 0, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rule r = {0};
        const bool good = rule_read_budget(&r, cases[i].text);
        if (good != cases[i].good) {
            fail_msg("\"%s\" is %s", cases[i].text, good ? "taken" : "refused");
        }
        if (good) {
            assert_int_equal(rule_count(&r, 1), cases[i].of_1);
            assert_int_equal(rule_count(&r, 10), cases[i].of_10);
            assert_int_equal(rule_count(&r, 1000), cases[i].of_1000);
            assert_int_equal(rule_count(&r, 0), 0);
        }
    }
}

/* A mark says everything that the rule is. */
static void marks(void **state)
{
    static const char *const specs[] = {"", "divprune", "avg-pool=factor=2",
                                        "evs=rate=0.5,tome=r=3"};
    static const char *const budgets_of[] = {"", "7", "12.5%"};
    (void)state;
    for (size_t i = 0; i < 4 * 3 * 2; i++) {
        rule r = {.compact = i & 1}, again;
        char id[RULE_MARK_SIZE + 16];
        const char *budget = budgets_of[i / 2 % 3];
        strcpy(r.spec, specs[i / 6]);
        assert_true(!budget[0] || rule_read_budget(&r, budget));
        assert_true(rule_finish(&r));
        strcpy(id, r.mark);
        strcat(id, "abc)(;def");
        assert_int_equal(rule_mark_length(id), strlen(r.mark));
        assert_true(rule_read_mark(&again, id));
        assert_string_equal(again.mark, r.mark);
        assert_int_equal(again.tokens, r.tokens);
        assert_int_equal(again.share, r.share);
        assert_int_equal(again.compact, r.compact);
        assert_int_equal(again.by_budget, r.by_budget);
    }
}

static void marks_that_are_none(void **state)
{
    static const char *const ids[] = {"",
                                      "0a1b2c",
                                      "winnow",
                                      "winnow(1;",
                                      "winnow(1;5;original;divprune",
                                      "winnow(1;x;original;divprune)",
                                      "winnow(1;5)abc",
                                      "winnow(1;5;original)abc;def",
                                      "winnow(2;5;original;divprune)a"};
    rule r;
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        if (rule_read_mark(&r, ids[i])) {
            fail_msg("\"%s\" is read", ids[i]);
        }
    }
    assert_int_equal(rule_mark_length(NULL), 0);
    memset(r.spec, 'x', sizeof r.spec);
    r.spec[sizeof r.spec - 1] = 0;
    assert_false(rule_finish(&r));
    strcpy(r.spec, "a;b");
    assert_false(rule_finish(&r));
}

/* ---- rows ---- */

enum { N = 12, WIDTH = 3 };

static void number_rows(float *rows)
{
    for (int i = 0; i < N * WIDTH; i++) {
        rows[i] = (float)i;
    }
}

/* The rows whose sources `given` are kept get 1000 more, so that they can be told. */
static void fit_and_check(const int32_t *given, uint32_t given_count, uint32_t count)
{
    float rows[N * WIDTH], kept[N * WIDTH];
    int32_t sources[N], copied[N];
    const fit_rows in = {kept, copied, given_count, WIDTH};
    number_rows(rows);
    for (uint32_t i = 0; i < given_count; i++) {
        copied[i] = given[i];
        for (int c = 0; c < WIDTH; c++) {
            kept[i * WIDTH + (uint32_t)c] = 1000.0f + (float)(given[i] * WIDTH + c);
        }
    }
    assert_true(fit(&in, N, rows, count, sources));
    uint32_t ours = 0;
    for (uint32_t i = 0; i < count; i++) {
        const float row = rows[i * WIDTH];
        const bool is_given = row >= 900.0f; /* -1 and -2 are below 1000 */
        ours += is_given;
        assert_true(row == (is_given ? 1000.0f : 0.0f) + (float)(sources[i] * WIDTH));
        const int32_t order = sources[i] == -2 ? N : sources[i];
        assert_true(i == 0 || order > (sources[i - 1] == -2 ? N : sources[i - 1]));
    }
    assert_int_equal(ours, given_count < count ? given_count : count);
}

static void rows_fit(void **state)
{
    static const int32_t some[] = {1, 4, 5, 9}, special[] = {-1, 3, 8, -2}, last[] = {11};
    (void)state;
    for (uint32_t count = 1; count <= N; count++) {
        fit_and_check(some, 4, count);
        fit_and_check(special, 4, count);
        fit_and_check(last, 1, count);
        fit_and_check(last, 0, count);
    }
    for (uint32_t count = 1; count <= 50; count++) {
        for (uint32_t i = 1; i < count; i++) {
            assert_true(fit_even(50, count, i) > fit_even(50, count, i - 1));
        }
        assert_int_equal(fit_even(50, count, 0), 0);
        assert_true(fit_even(50, count, count - 1) < 50);
    }
    assert_int_equal(fit_even(4000000000u, 2, 1), 2000000000u);
}

/* ---- books ---- */

static int32_t *sources_of(uint32_t count, int32_t first)
{
    int32_t *sources = calloc(count, sizeof *sources);
    assert_non_null(sources);
    for (uint32_t i = 0; i < count; i++) {
        sources[i] = first + (int32_t)i;
    }
    return sources;
}

static void kept_tokens(void **state)
{
    static const char place[6000];
    uint32_t *ranks = calloc(6, sizeof *ranks), found[2];
    int32_t source = 0;
    (void)state;
    assert_non_null(ranks);
    ranks[4] = 7;
    ranks[5] = 9;
#define IMAGE(i) ((const mtmd_image_tokens *)(const void *)(place + (i)))
    books_kept(IMAGE(0), 3, sources_of(3, 40), ranks);
    assert_true(books_find(IMAGE(0), 3, 2, &source, found));
    assert_true(source == 42 && found[0] == 7 && found[1] == 9);
    assert_false(books_find(IMAGE(0), 3, 3, &source, found));
    assert_false(books_find(IMAGE(0), 2, 1, &source, found));
    assert_false(books_find(IMAGE(1), 3, 1, &source, found));
    books_copy(IMAGE(0), IMAGE(1));
    books_copy(IMAGE(5), IMAGE(1));
    books_kept(IMAGE(0), 2, sources_of(2, 10), NULL);
    assert_true(books_find(IMAGE(0), 2, 1, &source, found) && source == 11 && found[0] == 0);
    assert_true(books_find(IMAGE(1), 3, 2, &source, found) && source == 42 && found[1] == 9);
    books_forget(IMAGE(0));
    assert_false(books_find(IMAGE(0), 2, 1, &source, found));
    for (size_t i = 2; i < 6000; i++) { /* the oldest go */
        books_kept(IMAGE(i), 1, sources_of(1, 5), NULL);
    }
    assert_true(books_find(IMAGE(5999), 1, 0, &source, found));
    assert_false(books_find(IMAGE(1), 3, 2, &source, found));
    for (size_t i = 0; i < 6000; i++) {
        books_forget(IMAGE(i));
    }
}

static void contexts_and_batches(void **state)
{
    static char place[8];
    mtmd_context *ctx = (mtmd_context *)(void *)place, *of = NULL;
    mtmd_batch *batch = (mtmd_batch *)(void *)(place + 1);
    const mtmd_input_chunk *a = (const mtmd_input_chunk *)(void *)(place + 2);
    const mtmd_input_chunk *b = (const mtmd_input_chunk *)(void *)(place + 3);
    (void)state;
    books_context(ctx, 64);
    books_context(ctx, 65);
    assert_int_equal(books_width(ctx), 65);
    books_batch_add(batch, a); /* of a batch that nobody opened */
    assert_null(books_batch_chunk(batch, 0, &of));
    books_batch(batch, ctx);
    books_batch_add(batch, a);
    books_batch_add(batch, b);
    books_batch_add(batch, a);
    assert_ptr_equal(books_batch_chunk(batch, 0, &of), a);
    assert_ptr_equal(of, ctx);
    assert_ptr_equal(books_batch_chunk(batch, 1, &of), b);
    assert_null(books_batch_chunk(batch, 2, &of));
    books_batch(batch, ctx); /* its address is used again */
    assert_null(books_batch_chunk(batch, 0, &of));
    books_batch_gone(batch);
    books_context_gone(ctx);
    assert_int_equal(books_width(ctx), 0);
}

/* ---- variables ---- */

static bool settings_of(const char *budget, const char *pipeline, const char *mrope, settings *s)
{
    setenv("WINNOW_BUDGET", budget, 1);
    setenv("WINNOW_PIPELINE", pipeline, 1);
    setenv("WINNOW_MROPE", mrope, 1);
    return settings_read(s);
}

static void variables(void **state)
{
    settings s;
    (void)state;
    unsetenv("WINNOW_BACKEND");
    unsetenv("WINNOW_PRELOAD_VERBOSE");
    assert_false(settings_of("", "", "", &s));
    assert_false(settings_of("none", "", "", &s));
    assert_false(settings_of("", "divprune", "", &s));
    assert_false(settings_of("5", "", "sideways", &s));
    assert_false(settings_of("5", "a)b", "", &s));
    assert_true(settings_of("5", "", "", &s));
    assert_true(s.rule.by_budget && !s.rule.compact && s.rule.tokens == 5 && !s.verbose);
    assert_string_equal(s.rule.mark, "winnow(1;5;original;divprune)");
    setenv("WINNOW_PRELOAD_VERBOSE", "1", 1);
    setenv("WINNOW_BACKEND", "cpu", 1);
    assert_true(settings_of("50%", "tome=r=4", "compact", &s));
    assert_true(s.verbose && s.rule.compact && !s.rule.by_budget && s.backend != 0);
    assert_string_equal(s.rule.mark, "winnow(1;50.000%;compact;tome=r=4)");
    setenv("WINNOW_BACKEND", "abacus", 1);
    assert_false(settings_of("5", "", "", &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets),
        cmocka_unit_test(marks),
        cmocka_unit_test(marks_that_are_none),
        cmocka_unit_test(rows_fit),
        cmocka_unit_test(kept_tokens),
        cmocka_unit_test(contexts_and_batches),
        cmocka_unit_test(variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
