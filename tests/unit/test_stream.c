/* Streams: a video in pushes of any size gives what it should, whatever the sizes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

enum { FRAMES = 8, TOKENS = 15, DIM = 5, ALL = FRAMES * TOKENS };

static const winnow_shape whole = {
    .frames = FRAMES, .tokens = TOKENS, .dim = DIM, .grid_h = 3, .grid_w = 5};

/* Source tokens kept of the whole video, given in pushes of these sizes (ended by 0). */
typedef struct kept {
    uint32_t count;
    int32_t indices[ALL];
} kept;

static void push_all(winnow_stream *stream, const test_run *video, const uint32_t *pushes,
                     kept *out)
{
    uint32_t frame = 0;
    out->count = 0;
    for (; *pushes; frame += *pushes++) {
        winnow_run run = video->run;
        winnow_result result = {.struct_size = sizeof result};
        run.shape.frames = *pushes;
        run.in[WINNOW_ROLE_TOKENS].data = video->tokens + (size_t)frame * TOKENS * DIM;
        assert_int_equal(test_api()->stream_push(stream, &run, &result), WINNOW_OK);
        for (uint32_t i = 0; i < result.rows; ++i) {
            const int32_t source = video->indices[i] + (int32_t)(frame * TOKENS);
            assert_memory_equal(video->rows + (size_t)i * DIM, video->tokens + (size_t)source * DIM,
                                DIM * sizeof(float));
            assert_int_equal(video->positions[3 * i], video->indices[i] / TOKENS);
            assert_int_equal(video->positions[3 * i + 1], video->indices[i] % TOKENS / 5);
            out->indices[out->count++] = source;
        }
    }
    assert_int_equal(frame, FRAMES);
}

static kept in_pushes(const char *spec, const test_run *video, const uint32_t *pushes)
{
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    winnow_plan *plan;
    winnow_stream *stream;
    kept first, second;
    assert_int_equal(test_plan(device, spec, video, WINNOW_PLAN_STREAM, &plan), WINNOW_OK);
    assert_int_equal(api->stream_create(plan, &stream), WINNOW_OK);
    push_all(stream, video, pushes, &first);
    assert_int_equal(api->stream_reset(stream), WINNOW_OK); /* a new video: the same again */
    push_all(stream, video, pushes, &second);
    assert_int_equal(first.count, second.count);
    assert_memory_equal(first.indices, second.indices, first.count * sizeof *first.indices);
    winnow_stream *other = NULL;
    assert_int_equal(api->stream_create(plan, &other), WINNOW_E_STATE);
    assert_int_equal(api->plan_run(plan, &video->run, NULL), WINNOW_E_STATE);
    api->stream_destroy(stream);
    assert_int_equal(api->stream_create(plan, &stream), WINNOW_OK);
    api->stream_destroy(stream);
    api->plan_destroy(plan);
    api->device_destroy(device);
    return first;
}

static double dissimilarity(const float *tokens, uint32_t place)
{
    const float *a = tokens + (size_t)place * DIM, *b = a - (size_t)TOKENS * DIM;
    double ab = 0, aa = 0, bb = 0;
    for (int c = 0; c < DIM; ++c) {
        ab += (double)a[c] * (double)b[c];
        aa += (double)a[c] * (double)a[c];
        bb += (double)b[c] * (double)b[c];
    }
    return 1 - ab / sqrt(aa * bb);
}

/* EVS, each push by itself: the int(T*N*(1-rate)) most unlike the frame before, at least N of the
 * first. */
static kept evs_by_hand(const float *tokens, const uint32_t *pushes, double rate)
{
    kept out = {0};
    for (uint32_t frame = 0; *pushes; frame += *pushes++) {
        const uint32_t from = frame * TOKENS, n = *pushes * TOKENS;
        uint32_t keep = (uint32_t)(n * (1 - rate));
        if (frame == 0 && keep < TOKENS)
            keep = TOKENS;
        for (uint32_t i = from; i < from + n; ++i) {
            uint32_t better = 0;
            const double mine = i < TOKENS ? 255 : dissimilarity(tokens, i);
            for (uint32_t k = from; k < from + n; ++k) {
                const double his = k < TOKENS ? 255 : dissimilarity(tokens, k);
                better += his > mine || (his == mine && k < i);
            }
            if (better < keep)
                out.indices[out.count++] = (int32_t)i;
        }
    }
    return out;
}

/* -- VidCom2: each push by itself, beside the mean of all rows so far --------------------------- */

enum { HALF = DIM / 2 };

/* The HALF channels of least variance over n rows. */
static void quiet_channels(const float *rows, uint32_t n, bool *taken)
{
    double variance[DIM] = {0};
    for (uint32_t c = 0; c < DIM; ++c) {
        double mean = 0;
        for (uint32_t i = 0; i < n; ++i)
            mean += (double)rows[i * DIM + c] / n;
        for (uint32_t i = 0; i < n; ++i)
            variance[c] += pow((double)rows[i * DIM + c] - mean, 2);
    }
    for (uint32_t c = 0; c < DIM; ++c) {
        uint32_t less = 0;
        for (uint32_t k = 0; k < DIM; ++k)
            less += variance[k] < variance[c];
        taken[c] = less < HALF;
    }
}

static void unit_row(const double *row, const bool *taken, double *out)
{
    double s = 0;
    for (uint32_t c = 0; c < DIM; ++c)
        s += taken[c] ? row[c] * row[c] : 0;
    for (uint32_t c = 0; c < DIM; ++c)
        out[c] = taken[c] ? row[c] / sqrt(s) : 0;
}

static double gaussians(const double *x, const double *centre)
{
    double far = 0, sum = 0;
    for (uint32_t c = 0; c < DIM; ++c)
        far += (x[c] - centre[c]) * (x[c] - centre[c]);
    for (double a = 0.125; a < 3; a *= 2)
        sum += exp(-far / (2 * a));
    return sum;
}

/* V and V + F of n rows. */
static void vidcom2_scores(const float *rows, uint32_t n, const double *memory, double *all,
                           double *sum)
{
    bool taken[DIM];
    double unit[ALL][DIM], centre[DIM], frame[FRAMES][DIM] = {{0}};
    quiet_channels(rows, n, taken);
    unit_row(memory, taken, centre);
    for (uint32_t i = 0; i < n; ++i) {
        double row[DIM];
        for (uint32_t c = 0; c < DIM; ++c)
            row[c] = (double)rows[i * DIM + c];
        unit_row(row, taken, unit[i]);
        for (uint32_t c = 0; c < DIM; ++c)
            frame[i / TOKENS][c] += unit[i][c] / TOKENS;
    }
    for (uint32_t i = 0; i < n; ++i) {
        all[i] = gaussians(unit[i], centre);
        sum[i] = all[i] + gaussians(unit[i], frame[i / TOKENS]);
    }
}

static void vidcom2_counts(const double *all, uint32_t frames, double base, uint32_t *k)
{
    double mean[FRAMES] = {0}, least = INFINITY, total = 0;
    for (uint32_t t = 0; t < frames; ++t) {
        for (uint32_t i = 0; i < TOKENS; ++i)
            mean[t] += all[t * TOKENS + i] / TOKENS;
        least = fmin(least, mean[t]);
    }
    for (uint32_t t = 0; t < frames; ++t)
        total += exp(-(mean[t] - least) / 0.01);
    for (uint32_t t = 0; t < frames; ++t) {
        const double share = exp(-(mean[t] - least) / 0.01) / total;
        const double count = rint(fmin(base * (1 + share - 1.0 / frames), 1) * TOKENS);
        k[t] = count < 1 ? 1 : (uint32_t)count;
    }
}

static kept vidcom2_by_hand(const float *tokens, const uint32_t *pushes, double base)
{
    kept out = {0};
    double memory[DIM] = {0}, all[ALL], sum[ALL];
    uint32_t k[FRAMES];
    for (uint32_t frame = 0; *pushes; frame += *pushes++) {
        const uint32_t n = *pushes * TOKENS, from = frame * TOKENS;
        const float *rows = tokens + (size_t)from * DIM;
        for (uint32_t i = 0; i < n * DIM; ++i)
            memory[i % DIM] += (double)rows[i];
        vidcom2_scores(rows, n, memory, all, sum);
        vidcom2_counts(all, *pushes, base, k);
        for (uint32_t i = 0; i < n; ++i) {
            uint32_t better = 0;
            for (uint32_t j = i / TOKENS * TOKENS; j < (i / TOKENS + 1) * TOKENS; ++j)
                better += sum[j] < sum[i];
            if (better < k[i / TOKENS])
                out.indices[out.count++] = (int32_t)(from + i);
        }
    }
    return out;
}

static const uint32_t partitions[][9] = {
    {8, 0}, {1, 3, 4, 0}, {4, 4, 0}, {3, 1, 2, 2, 0}, {1, 1, 1, 1, 1, 1, 1, 1, 0}, {5, 3, 0}};

static void evs_looks_back_over_pushes(void **state)
{
    (void)state;
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 11, ALL, DIM);
    for (size_t i = 0; i < LENGTH(partitions); ++i) {
        const kept got = in_pushes("evs=rate=0.6", &video, partitions[i]);
        const kept want = evs_by_hand(video.tokens, partitions[i], 0.6);
        assert_int_equal(got.count, want.count);
        assert_memory_equal(got.indices, want.indices, want.count * sizeof *want.indices);
    }
    test_run_close(&video);
}

/* DTD: the int(n * rate) most similar of every frame but the first go. */
static kept dtd_by_hand(const float *tokens, double rate)
{
    kept out = {0};
    const uint32_t dropped = (uint32_t)(TOKENS * rate);
    for (uint32_t i = 0; i < ALL; ++i) {
        uint32_t more_similar = 0;
        for (uint32_t k = i / TOKENS * TOKENS; i >= TOKENS && k < (i / TOKENS + 1) * TOKENS; ++k)
            more_similar += dissimilarity(tokens, k) < dissimilarity(tokens, i);
        if (i < TOKENS || more_similar >= dropped)
            out.indices[out.count++] = (int32_t)i;
    }
    return out;
}

static kept dtd_above_by_hand(const float *tokens, double threshold)
{
    kept out = {0};
    for (uint32_t i = 0; i < ALL; ++i)
        if (i < TOKENS || !(1 - dissimilarity(tokens, i) > threshold))
            out.indices[out.count++] = (int32_t)i;
    return out;
}

static void dtd_does_not_see_where_pushes_end(void **state)
{
    (void)state;
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 15, ALL, DIM);
    for (size_t i = 0; i < LENGTH(partitions); ++i) {
        const kept want[] = {dtd_by_hand(video.tokens, 0.7), dtd_above_by_hand(video.tokens, 0.1)};
        const kept got[] = {in_pushes("dtd=rate=0.7", &video, partitions[i]),
                            in_pushes("dtd=threshold=0.1", &video, partitions[i])};
        for (int k = 0; k < 2; ++k) {
            assert_int_equal(got[k].count, want[k].count);
            assert_memory_equal(got[k].indices, want[k].indices,
                                want[k].count * sizeof *want[k].indices);
        }
    }
    test_run_close(&video);
}

static void vidcom2_remembers_the_rows_before(void **state)
{
    (void)state;
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 14, ALL, DIM);
    for (size_t i = 0; i < LENGTH(partitions); ++i) {
        const kept got = in_pushes("vidcom2=keep=32%", &video, partitions[i]);
        const kept want = vidcom2_by_hand(video.tokens, partitions[i], 0.32);
        assert_int_equal(got.count, want.count);
        assert_memory_equal(got.indices, want.indices, want.count * sizeof *want.indices);
    }
    test_run_close(&video);
}

static void dycoke_does_not_see_where_pushes_end(void **state)
{
    (void)state;
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 12, ALL, DIM);
    const kept want = in_pushes("dycoke=rate=0.6", &video, partitions[0]);
    const uint32_t keep = (uint32_t)((1 - 0.6) * TOKENS);
    assert_int_equal(want.count, 2 * (TOKENS + 3 * keep)); /* both windows, all of their passes */
    for (size_t i = 1; i < LENGTH(partitions); ++i) {
        const kept got = in_pushes("dycoke=rate=0.6", &video, partitions[i]);
        assert_int_equal(got.count, want.count);
        assert_memory_equal(got.indices, want.indices, want.count * sizeof *want.indices);
    }
    test_run_close(&video);
}

/* What is behind it sees the tokens that a frame of its own has left. */
static void dycoke_says_what_one_frame_keeps(void **state)
{
    (void)state;
    static const uint32_t ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 0};
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 12, ALL, DIM);
    const kept got = in_pushes("dycoke=rate=0.6,divprune=keep=40%", &video, ones);
    assert_int_equal(got.count, 2 * (6 + 3 * 2)); /* of 15, and of 6 */
    test_run_close(&video);
}

static void stages_without_memory_work_too(void **state)
{
    (void)state;
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 13, ALL, DIM);
    const kept want = in_pushes("divprune=keep=4", &video, partitions[0]);
    assert_int_equal(want.count, 4 * FRAMES);
    for (size_t i = 1; i < LENGTH(partitions); ++i) {
        const kept got = in_pushes("divprune=keep=4", &video, partitions[i]);
        assert_int_equal(got.count, want.count);
        assert_memory_equal(got.indices, want.indices, want.count * sizeof *want.indices);
    }
    test_run_close(&video);
}

/* A camera that goes one column to the right a frame: what it has seen moves to the left, exactly. */
static void pan(float *tokens, uint32_t columns)
{
    for (uint32_t i = TOKENS; i < ALL; ++i)
        if (i % columns + 1 < columns)
            memcpy(tokens + (size_t)i * DIM, tokens + (size_t)(i - TOKENS + 1) * DIM,
                   DIM * sizeof(float));
}

/* All but the last column came from the frame before, which the push before may have held. */
static void motion_follows_the_camera_over_pushes(void **state)
{
    (void)state;
    const uint32_t columns = whole.grid_w;
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 17, ALL, DIM);
    pan(video.tokens, columns);
    for (size_t i = 0; i < LENGTH(partitions); ++i) {
        const kept got = in_pushes("motion=rate=0.8:radius=1", &video, partitions[i]);
        uint32_t count = 0;
        for (const uint32_t *push = partitions[i]; *push; ++push) {
            const uint32_t keep = (uint32_t)(*push * TOKENS * (1 - 0.8));
            count += push == partitions[i] && keep < TOKENS ? TOKENS : keep;
        }
        assert_int_equal(got.count, count);
        for (uint32_t k = TOKENS; k < got.count; ++k)
            assert_int_equal((uint32_t)got.indices[k] % columns, columns - 1);
    }
    test_run_close(&video);
}

static void longvu_has_windows_in_each_push(void **state)
{
    (void)state;
    static const uint32_t halves[] = {4, 4, 0}, whole_film[] = {8, 0}, other[] = {3, 5, 0};
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 16, ALL, DIM);
    const char *const spec = "longvu=window=4:threshold=0.2";
    const kept want = in_pushes(spec, &video, whole_film), same = in_pushes(spec, &video, halves);
    assert_int_equal(same.count, want.count);
    assert_memory_equal(same.indices, want.indices, want.count * sizeof *want.indices);
    const kept moved = in_pushes(spec, &video, other); /* windows begin at frames 0, 3 and 7 */
    uint32_t in_frame[FRAMES] = {0};
    for (uint32_t i = 0; i < moved.count; ++i)
        ++in_frame[moved.indices[i] / TOKENS];
    assert_true(in_frame[0] == TOKENS && in_frame[3] == TOKENS && in_frame[7] == TOKENS);
    assert_true(in_frame[1] < TOKENS && in_frame[4] < TOKENS && in_frame[5] < TOKENS);
    test_run_close(&video);
}

static void what_needs_other_frames_is_refused(void **state)
{
    (void)state;
    static const char *const specs[] = {"dycoke=mode=merge", "v-cast", "framefusion"};
    winnow_device *device = test_device(NULL);
    test_run video;
    test_run_open(&video, &whole, 1u << WINNOW_ROLE_TOKENS, 13, ALL, DIM);
    for (size_t i = 0; i < LENGTH(specs); ++i) {
        winnow_plan *plan;
        assert_int_equal(test_plan(device, specs[i], &video, WINNOW_PLAN_STREAM, &plan),
                         WINNOW_E_UNSUPPORTED);
        assert_null(plan);
    }
    test_run_close(&video);
    test_api()->device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evs_looks_back_over_pushes),
        cmocka_unit_test(dtd_does_not_see_where_pushes_end),
        cmocka_unit_test(vidcom2_remembers_the_rows_before),
        cmocka_unit_test(dycoke_does_not_see_where_pushes_end),
        cmocka_unit_test(dycoke_says_what_one_frame_keeps),
        cmocka_unit_test(motion_follows_the_camera_over_pushes),
        cmocka_unit_test(stages_without_memory_work_too),
        cmocka_unit_test(longvu_has_windows_in_each_push),
        cmocka_unit_test(what_needs_other_frames_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
