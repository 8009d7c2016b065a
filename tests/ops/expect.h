/* expect.h: small cases with results worked out by hand, on plain C. */
#ifndef WINNOW_TESTS_OPS_EXPECT_H
#define WINNOW_TESTS_OPS_EXPECT_H

#include "case.h"

typedef struct expectations {
    winnow_device *device;
    uint32_t checks, failures;
} expectations;

/* A new array of W with these contents; its offset. */
uint32_t words_of(ops_case *c, uint32_t n, const uint32_t *words);
uint32_t reals_of(ops_case *c, uint32_t n, const float *values);
#define WORDS_OF(c, ...) \
    words_of(c, sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})
#define REALS_OF(c, ...) \
    reals_of(c, sizeof(float[]){__VA_ARGS__} / sizeof(float), (float[]){__VA_ARGS__})

/* A matrix of f32 as A, or the pool as B. */
void set_a(ops_case *c, uint32_t rows, uint32_t cols, const float *values);

/* Closes and runs the case; frees it. The outcome is all of W and, if there is one, the pool. */
typedef struct outcome {
    uint32_t *w;
    float *pool;
} outcome;
outcome run_expected(expectations *e, ops_case *c);
void outcome_free(outcome *o);

void check_words(expectations *e, const char *what, const uint32_t *got, uint32_t n,
                 const uint32_t *want);
void check_reals(expectations *e, const char *what, const float *got, uint32_t n,
                 const float *want);
void check_true(expectations *e, const char *what, bool truth);
#define CHECK_WORDS(e, what, got, ...)                                            \
    check_words(e, what, got, sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t), \
                (uint32_t[]){__VA_ARGS__})
#define CHECK_REALS(e, what, got, ...) \
    check_reals(e, what, got, sizeof(float[]){__VA_ARGS__} / sizeof(float), (float[]){__VA_ARGS__})

void expect_selection(expectations *e);
void expect_merging(expectations *e);
void expect_greedy(expectations *e);
void expect_cover(expectations *e);
void expect_shares(expectations *e);
void expect_running(expectations *e);
void expect_spans(expectations *e);
void expect_frames(expectations *e);
void expect_attend(expectations *e);
void expect_convolution(expectations *e);
void expect_vit(expectations *e);
void expect_links(expectations *e);
void expect_quotas(expectations *e);
void expect_scales(expectations *e);
void expect_quad(expectations *e);
void expect_ridge(expectations *e);
void expect_spectral(expectations *e);

#endif
