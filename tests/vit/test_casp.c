/* laco's weights and low-rank q and k through the table: factors of the matrices themselves (no
 * pictures), what is refused, what is logged, memory that runs out. The linear algebra against a
 * two-sided Jacobi of its own.
 *
 * usage: vit_casp MODELS_DIR */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "casp.h"
#include "encoder_lab.h"

enum { SIDE = 56, N = 40, WIDE = 32 };

static test_host host;
static winnow_device *device;
static winnow_model *clip;

static int open_all(void **state)
{
    (void)state;
    test_host_open(&host);
    device = lab_device(&host.host, WINNOW_BACKEND_CPU);
    clip = lab_model(&host.host, "clip", WINNOW_LIKE_FILE);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    lab_ext->model_close(clip);
    lab_api->device_destroy(device);
    return host.live ? -1 : 0;
}

/* Eigenvalues of a symmetric matrix, largest first. */
static void eigenvalues(double *a, uint32_t n, double *out)
{
    for (uint32_t sweep = 0; sweep < 30; ++sweep)
        for (uint32_t p = 0; p < n; ++p)
            for (uint32_t q = p + 1; q < n; ++q) {
                const double apq = a[p * n + q], z = (a[q * n + q] - a[p * n + p]) / (2 * apq);
                if (fabs(apq) < 1e-300)
                    continue;
                const double t = (z >= 0 ? 1 : -1) / (fabs(z) + sqrt(1 + z * z)),
                             c = 1 / sqrt(1 + t * t), s = c * t;
                for (uint32_t i = 0; i < n; ++i) {
                    const double x = a[i * n + p], y = a[i * n + q];
                    a[i * n + p] = c * x - s * y;
                    a[i * n + q] = s * x + c * y;
                }
                for (uint32_t i = 0; i < n; ++i) {
                    const double x = a[p * n + i], y = a[q * n + i];
                    a[p * n + i] = c * x - s * y;
                    a[q * n + i] = s * x + c * y;
                }
            }
    for (uint32_t i = 0; i < n; ++i) {
        uint32_t at = i;
        const double value = a[i * n + i];
        for (; at > 0 && out[at - 1] < value; --at)
            out[at] = out[at - 1];
        out[at] = value;
    }
}

static void gram_of(const double *rows, uint32_t n, uint32_t m, double *gram)
{
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j)
            gram[i * n + j] = wn_dot(rows + (size_t)i * m, rows + (size_t)j * m, m);
}

static void test_turned_rows(void **state)
{
    (void)state;
    static double rows[N * WIDE], gram[N * N], wanted[N], squares[N];
    uint32_t seed = 5;
    for (uint32_t i = 0; i < N * WIDE;
         ++i) /* of very different lengths, two of them the same, one nothing */
        rows[i] = (double)test_random(&seed) * exp(-0.4 * (i / WIDE));
    memcpy(rows + 7 * WIDE, rows + 3 * WIDE, WIDE * sizeof *rows);
    memset(rows + 9 * WIDE, 0, WIDE * sizeof *rows);
    gram_of(rows, N, WIDE, gram);
    eigenvalues(gram, N, wanted);
    wn_turn_rows(rows, N, WIDE, squares);
    for (uint32_t i = 0; i < N; ++i) {
        assert_true(fabs(squares[i] - wanted[i]) < 1e-12 * wanted[0]);
        assert_true(i == 0 || squares[i] <= squares[i - 1] * (1 + 1e-9));
    }
    gram_of(rows, N, WIDE, gram);
    for (uint32_t i = 0; i < N; ++i)
        for (uint32_t j = 0; j < i && squares[i] > 1e-20 * squares[0]; ++j)
            assert_true(fabs(gram[i * N + j]) <= 1e-10 * sqrt(squares[i] * squares[j]));
}

static void test_triangles(void **state)
{
    (void)state;
    static double rows[N * N], packed[N * (N + 1) / 2], kept[N * (N + 1) / 2];
    uint32_t seed = 6;
    for (uint32_t i = 0; i < N * N; ++i)
        rows[i] = (double)test_random(&seed);
    for (uint32_t i = 0; i < N; ++i)
        for (uint32_t j = 0; j <= i; ++j)
            kept[i * (i + 1) / 2 + j] = wn_dot(rows + (size_t)i * N, rows + (size_t)j * N, N);
    memcpy(packed, kept, sizeof packed);
    assert_true(wn_cholesky(packed, N));
    for (uint32_t i = 0; i < N; ++i)
        for (uint32_t j = 0; j <= i; ++j) {
            const double back = wn_dot(wn_packed_row(packed, i), wn_packed_row(packed, j), j + 1);
            assert_true(fabs(back - wn_packed_row(kept, i)[j]) < 1e-11);
        }
    memcpy(rows + 5 * N, rows + 4 * N, N * sizeof *rows); /* one rank less */
    for (uint32_t i = 0; i < N; ++i)
        for (uint32_t j = 0; j <= i; ++j)
            packed[i * (i + 1) / 2 + j] = wn_dot(rows + (size_t)i * N, rows + (size_t)j * N, N);
    assert_false(wn_cholesky(packed, N));
    kept[0] = NAN;
    assert_false(wn_cholesky(kept, N));
}

/* |W - U'V'| / |W| of the best rank k, by the eigenvalues of W W^T. */
static double best(const wn_tensor *t, uint32_t k)
{
    const uint32_t n = (uint32_t)t->shape[0];
    double *w = calloc(n * n, sizeof *w), *gram = calloc(n * n, sizeof *gram),
           *values = calloc(n, sizeof *values);
    float *row = calloc(n, sizeof *row);
    assert_true(w && gram && values && row);
    for (uint32_t r = 0; r < n; ++r) {
        wn_tensor_row(t, r, n, row);
        for (uint32_t c = 0; c < n; ++c)
            w[r * n + c] = (double)row[c];
    }
    gram_of(w, n, n, gram);
    eigenvalues(gram, n, values);
    double all = 0, left = 0;
    for (uint32_t i = n; i-- > 0;) {
        all += values[i];
        left += i >= k ? values[i] : 0;
    }
    free(w);
    free(gram);
    free(values);
    free(row);
    return sqrt(left / all);
}

static winnow_encoder_info opened(const winnow_encoder_desc *desc)
{
    winnow_encoder *encoder = NULL;
    winnow_encoder_info info = {.struct_size = sizeof info};
    host.line[0] = 0;
    if (lab_ext->encoder_open(device, clip, desc, &encoder) != WINNOW_OK)
        fail_msg("%s", host.line);
    assert_int_equal(lab_ext->encoder_info(encoder, &info), WINNOW_OK);
    lab_ext->encoder_destroy(encoder);
    return info;
}

static void test_without_pictures(void **state)
{
    (void)state;
    const double shares[] = {0.1, 0.25, 0.7, 1};
    winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
    assert_int_equal(opened(&desc).casp_rank, 0);
    for (size_t s = 0; s < LENGTH(shares); ++s) {
        double mean[2] = {0, 0}, worst[2] = {0, 0};
        desc.casp = shares[s];
        const winnow_encoder_info info = opened(&desc);
        const uint32_t rank = (uint32_t)(64 * 64 * shares[s] / 128);
        assert_int_equal(info.casp_rank, rank);
        assert_int_equal(info.casp_before, 3 * 2 * 64 * 64);
        assert_int_equal(info.casp_after, 3 * 4 * 64 * rank);
        for (uint32_t l = 0; l < 3; ++l)
            for (uint32_t i = 0; i < 2; ++i) {
                const double error = best(clip->vit.layer[l].qkv.weight[i], rank);
                mean[i] += error / 3;
                worst[i] = fmax(worst[i], error);
            }
        assert_true(fabs(info.casp_q_mean - mean[0]) < 1e-6 &&
                    fabs(info.casp_k_mean - mean[1]) < 1e-6);
        assert_true(fabs(info.casp_q_worst - worst[0]) < 1e-6 &&
                    fabs(info.casp_k_worst - worst[1]) < 1e-6);
    }
}

static void refused(const winnow_encoder_desc *desc, winnow_status wanted, const char *part)
{
    const size_t live = host.live;
    winnow_encoder *encoder = NULL;
    host.line[0] = 0;
    const winnow_status status = lab_ext->encoder_open(device, clip, desc, &encoder);
    if (status != wanted || !strstr(host.line, part))
        fail_msg("%s: \"%s\", without \"%s\"", lab_api->status_name(status), host.line, part);
    assert_null(encoder);
    assert_int_equal(host.live, live);
}

static void test_refusals(void **state)
{
    (void)state;
    static const uint8_t picture[SIDE * SIDE * 3];
    winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
    const double no_shares[] = {-0.5, 1.0001, HUGE_VAL, NAN};
    for (size_t i = 0; i < LENGTH(no_shares); ++i) {
        desc.casp = no_shares[i];
        refused(&desc, WINNOW_E_ARGUMENT, "above 0, at most 1");
    }
    desc.casp = 0.5;
    desc.casp_pictures = picture;
    refused(&desc, WINNOW_E_SHAPE, "calibration pictures");
    desc.casp_count = 1;
    desc.casp_width = UINT32_MAX;
    desc.casp_height = SIDE;
    refused(&desc, WINNOW_E_SHAPE, "calibration pictures");
    desc.casp_width = SIDE - 1;
    refused(&desc, WINNOW_E_SHAPE, "55");
    desc.casp_width = SIDE;
    assert_int_equal(opened(&desc).casp_rank, 16);
    desc.casp = 0;
    desc.merge_weights = "none.safetensors";
    refused(&desc, WINNOW_E_ARGUMENT, "no stage of the pipeline takes them");
}

static void test_untrained_is_said_once(void **state)
{
    (void)state;
    winnow_pipeline *pipeline = lab_pipeline("laco=layer=1,laco=layer=2");
    winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
    desc.pipeline = pipeline;
    const int lines = host.lines;
    opened(&desc);
    assert_int_equal(host.lines, lines + 1);
    assert_string_equal(host.line,
                        "laco is untrained: its shortcut alone runs (give merge weights)");
    lab_api->pipeline_destroy(pipeline);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    static uint8_t pictures[2 * SIDE * SIDE * 3];
    lab_pixels(pictures, sizeof pictures, 3);
    winnow_encoder_desc desc = lab_desc(1, SIDE, SIDE);
    desc.casp = 0.25;
    desc.casp_pictures = pictures;
    desc.casp_count = 2;
    desc.casp_width = desc.casp_height = SIDE;
    const size_t live = host.live;
    winnow_status status = WINNOW_E_HOST_MEMORY;
    size_t n = 0;
    while (status != WINNOW_OK && n < 2000) {
        winnow_encoder *encoder = NULL;
        host.calls = 0;
        host.fail_at = ++n;
        status = lab_ext->encoder_open(device, clip, &desc, &encoder);
        host.fail_at = 0;
        if (status != WINNOW_OK && status != WINNOW_E_HOST_MEMORY &&
            status != WINNOW_E_DEVICE_MEMORY)
            fail_msg("%s", host.line);
        lab_ext->encoder_destroy(encoder);
        assert_int_equal(host.live, live);
    }
    assert_int_equal(status, WINNOW_OK);
    assert_true(n > 20);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    lab_begin(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turned_rows),
        cmocka_unit_test(test_triangles),
        cmocka_unit_test(test_without_pictures),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_untrained_is_said_once),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
