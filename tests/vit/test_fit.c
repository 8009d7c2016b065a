/* Sizes and orders that transformers 5.24 (Siglip2ImageProcessorPil) and Pillow 13.0 gave: NaFlex's
 * bisection of the scale, and which axis Pillow resizes first (the bytes are hashed, FNV-1a). */
#include "files.h"
#include "preprocess.h"

static const uint32_t flexible[][6] = {
    /* width, height, patch, most patches: view's width and height */
    {640, 480, 16, 256, 288, 224},   {1920, 1080, 16, 1024, 672, 384},
    {1, 1, 16, 25, 80, 80},          {3000, 7, 16, 256, 4096, 16},
    {7, 3000, 14, 100, 14, 1400},    {256, 256, 16, 256, 256, 256},
    {255, 257, 16, 256, 256, 256},   {31, 997, 16, 25, 16, 400},
    {4032, 3024, 16, 576, 432, 336}, {100, 100, 16, 1, 16, 16},
};

static const struct {
    uint32_t in_w, in_h, out_w, out_h;
    enum wn_filter filter;
    bool y_first;
    uint64_t hash;
} resized[] = {
    {40, 90, 30, 40, WN_FILTER_BICUBIC, true, 0x9d3f374364d3b8ccu},
    {41, 51, 20, 8, WN_FILTER_BICUBIC, true, 0xd3cc4bf231b72790u},
    {39, 19, 34, 9, WN_FILTER_BICUBIC, false, 0x3edb2b8332e41d33u},
    {50, 50, 60, 20, WN_FILTER_BILINEAR, true, 0x920add7ea6d9018eu},
    {33, 90, 33, 20, WN_FILTER_BILINEAR, true, 0x88820b76c404b026u},
    {97, 131, 50, 30, WN_FILTER_LANCZOS, true, 0x1391cbab667063d8u},
    {30, 60, 20, 30, WN_FILTER_NEAREST, false, 0x9c9d9e0386cfe9cau},
};

static void naflex_sizes(void **state)
{
    place p;
    (void)state;
    place_open(&p);
    for (size_t i = 0; i < LENGTH(flexible); ++i) {
        const uint32_t *f = flexible[i];
        const wn_prep prep = {
            .fit = WN_FIT_NAFLEX, .filter = WN_FILTER_BILINEAR, .patch = f[2], .max_patches = f[3]};
        wn_views views;
        assert_int_equal(wn_prep_plan(&p.host, &prep, f[0], f[1], &views), WINNOW_OK);
        assert_int_equal(views.count, 1);
        assert_int_equal(views.view[0].width, f[4]);
        assert_int_equal(views.view[0].height, f[5]);
        wn_views_free(&p.host, &views);
    }
    const wn_prep none = {.fit = WN_FIT_NAFLEX, .filter = WN_FILTER_BILINEAR, .patch = 16};
    wn_views views;
    assert_int_equal(wn_prep_plan(&p.host, &none, 40, 40, &views), WINNOW_E_SHAPE);
    place_close(&p);
}

static void fill(uint8_t *rgb, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; ++i)
        rgb[i] = (uint8_t)((i * 2654435761u + 12345u) >> 24);
}

static uint64_t hash_of(const uint8_t *bytes, uint32_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < count; ++i)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static void tall_pictures_go_along_y_first(void **state)
{
    static uint8_t rgb[97 * 131 * 3];
    place p;
    (void)state;
    place_open(&p);
    for (size_t i = 0; i < LENGTH(resized); ++i) {
        const wn_prep prep = {.fit = WN_FIT_SQUASH,
                              .filter = resized[i].filter,
                              .width = resized[i].out_w,
                              .height = resized[i].out_h,
                              .tall_y_first = true};
        wn_views views;
        fill(rgb, resized[i].in_w * resized[i].in_h * 3);
        assert_int_equal(wn_prep_run(&p.host, &prep, rgb, resized[i].in_w, resized[i].in_h, &views),
                         WINNOW_OK);
        assert_int_equal(views.stage[0].y_first, resized[i].y_first);
        assert_true(hash_of(views.view[0].rgb, prep.width * prep.height * 3) == resized[i].hash);
        wn_views_free(&p.host, &views);
    }
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(naflex_sizes),
                                       cmocka_unit_test(tall_pictures_go_along_y_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
