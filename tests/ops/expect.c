#include <stdio.h>
#include <stdlib.h>

#include "expect.h"

uint32_t words_of(ops_case *c, uint32_t n, const uint32_t *words)
{
    const uint32_t at = array(c, n, WORDS);
    memcpy(c->w + at, words, n * sizeof *words);
    return at;
}

uint32_t reals_of(ops_case *c, uint32_t n, const float *values)
{
    const uint32_t at = array(c, n, REALS);
    memcpy(c->w + at, values, n * sizeof *values);
    return at;
}

void set_a(ops_case *c, uint32_t rows, uint32_t cols, const float *values)
{
    make_matrix(c, &c->a, rows, cols, WINNOW_F32, PLAIN);
    for (uint32_t i = 0; i < rows * cols; ++i)
        put_element(&c->a, i / cols, i % cols, values[i]);
}

outcome run_expected(expectations *e, ops_case *c)
{
    result r;
    close_case(c);
    if (!run_case(e->device, c, 0, &r)) {
        fputs("test_ops: plain C refused a program\n", stderr);
        abort();
    }
    const outcome o = {.w = (uint32_t *)(void *)r.out[WINNOW_OUT_ASSIGNMENT],
                       .pool = (float *)(void *)r.out[WINNOW_OUT_TOKENS]};
    r.out[WINNOW_OUT_ASSIGNMENT] = r.out[WINNOW_OUT_TOKENS] = NULL;
    result_free(&r);
    case_free(c);
    return o;
}

void outcome_free(outcome *o)
{
    free(o->w);
    free(o->pool);
    *o = (outcome){0};
}

void check_words(expectations *e, const char *what, const uint32_t *got, uint32_t n,
                 const uint32_t *want)
{
    ++e->checks;
    for (uint32_t i = 0; i < n; ++i) {
        if (got[i] == want[i])
            continue;
        ++e->failures;
        printf("  %s [%u]: expected %u (%08x), got %u (%08x)\n", what, i, want[i], want[i], got[i],
               got[i]);
        return;
    }
}

void check_reals(expectations *e, const char *what, const float *got, uint32_t n, const float *want)
{
    ++e->checks;
    for (uint32_t i = 0; i < n; ++i) {
        if (f32_bits(got[i]) == f32_bits(want[i]))
            continue;
        ++e->failures;
        printf("  %s [%u]: expected %.9g, got %.9g\n", what, i, (double)want[i], (double)got[i]);
        return;
    }
}

void check_true(expectations *e, const char *what, bool truth)
{
    ++e->checks;
    if (truth)
        return;
    ++e->failures;
    printf("  not so: %s\n", what);
}
