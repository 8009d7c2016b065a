/* test_preprocess.c: every byte of preprocessed pictures against transformers, Pillow and llama.cpp
 * (preprocess/cases.def, made by make_preprocess.py), and every refusal.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preprocess.h"

/* --- pictures, hashes, a host whose memory ends --- */
static uint8_t *picture(uint32_t width, uint32_t height)
{
    uint8_t *rgb = malloc((size_t)width * height * 3), *at = rgb;
    assert_non_null(rgb);
    for (uint32_t y = 0; y < height; ++y) {
        for (uint32_t x = 0; x < width; ++x) {
            for (uint32_t c = 0; c < 3; ++c) {
                uint32_t h = x * 374761393u + y * 668265263u + c * 2246822519u;
                h = (h ^ (h >> 13)) * 1274126177u;
                h ^= h >> 16;
                *at++ = (uint8_t)((((x * 3 + y * 5 + c * 40) & 255) * 3 + (h & 255)) >> 2);
            }
        }
    }
    return rgb;
}

static void fnv(uint64_t *hash, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        *hash = (*hash ^ bytes[i]) * 0x100000001b3u;
}

static uint64_t hash_views(const wn_views *views)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < views->count; ++i) {
        const wn_view *v = &views->view[i];
        const uint32_t sizes[2] = {v->width, v->height};
        uint8_t head[8];
        for (uint32_t b = 0; b < 8; ++b)
            head[b] = (uint8_t)(sizes[b / 4] >> b % 4 * 8);
        fnv(&hash, head, sizeof head);
        fnv(&hash, v->rgb, (size_t)v->width * v->height * 3);
    }
    return hash;
}

struct memory {
    uint32_t left, held; /* allocations that still succeed; that are not freed yet */
};

static void *lend(void *user, size_t size, size_t alignment)
{
    struct memory *m = user;
    if (!m->left)
        return NULL;
    --m->left;
    ++m->held;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void take_back(void *user, void *memory)
{
    struct memory *m = user;
    if (memory)
        --m->held;
    free(memory);
}

static struct memory memory;
static char said[512];

static void hear(void *user, int32_t level, const char *text)
{
    (void)user;
    (void)level;
    strncpy(said, text, sizeof said - 1);
}

static wn_host host_of(uint32_t left)
{
    memory = (struct memory){left, 0};
    return (wn_host){.allocator = {.user = &memory, .allocate = lend, .release = take_back},
                     .log = hear};
}

/* --- the modes of make_preprocess.py --- */
#define SIDE(n)         .width = n, .height = n
#define NEXT_GRIDS(...) .grid_count = 5, .grids = {__VA_ARGS__}

static const wn_prep clip_224 = {
    .fit = WN_FIT_CROP, .filter = WN_FILTER_BICUBIC, .edge = 224, SIDE(224), .patch = 14};
static const wn_prep clip_small_crop = {
    .fit = WN_FIT_CROP, .filter = WN_FILTER_BICUBIC, .edge = 100, .width = 61, .height = 80};
static const wn_prep clip_large_crop = {
    .fit = WN_FIT_CROP, .filter = WN_FILTER_BICUBIC, .edge = 50, .width = 161, .height = 84};
static const wn_prep dinov2 = {
    .fit = WN_FIT_CROP, .filter = WN_FILTER_BICUBIC, .edge = 256, SIDE(224)};
static const wn_prep siglip_224 = {.fit = WN_FIT_SQUASH, .filter = WN_FILTER_BICUBIC, SIDE(224)};
static const wn_prep siglip_384_patch_14 = {
    .fit = WN_FIT_SQUASH, .filter = WN_FILTER_BICUBIC, SIDE(384), .patch = 14};
static const wn_prep nearest = {
    .fit = WN_FIT_SQUASH, .filter = WN_FILTER_NEAREST, .width = 101, .height = 75};
static const wn_prep lanczos = {
    .fit = WN_FIT_SQUASH, .filter = WN_FILTER_LANCZOS, .width = 101, .height = 75};
static const wn_prep gemma3 = {.fit = WN_FIT_SQUASH, .filter = WN_FILTER_BILINEAR, SIDE(224)};
static const wn_prep llava_pad = {
    .fit = WN_FIT_PAD, .filter = WN_FILTER_BICUBIC, SIDE(336), .pad = {122, 116, 104}};
static const wn_prep qwen2vl = {.fit = WN_FIT_DYNAMIC,
                                .filter = WN_FILTER_BICUBIC,
                                .multiple = 28,
                                .patch = 14,
                                .min_pixels = 3136,
                                .max_pixels = 1003520};
static const wn_prep qwen2vl_few = {.fit = WN_FIT_DYNAMIC,
                                    .filter = WN_FILTER_BICUBIC,
                                    .multiple = 28,
                                    .min_pixels = 3136,
                                    .max_pixels = 50176};
static const wn_prep llava_next = {
    .fit = WN_FIT_ANYRES,
    .filter = WN_FILTER_BICUBIC,
    SIDE(336),
    NEXT_GRIDS({672, 336}, {336, 672}, {672, 672}, {336, 1008}, {1008, 336})};
static const wn_prep internvl = {.fit = WN_FIT_INTERNVL,
                                 .filter = WN_FILTER_BICUBIC,
                                 SIDE(224),
                                 .min_tiles = 1,
                                 .max_tiles = 12,
                                 .thumbnail = true};
static const wn_prep internvl_3_to_4 = {.fit = WN_FIT_INTERNVL,
                                        .filter = WN_FILTER_BICUBIC,
                                        SIDE(224),
                                        .min_tiles = 3,
                                        .max_tiles = 4,
                                        .thumbnail = true};
static const wn_prep idefics3 = {
    .fit = WN_FIT_IDEFICS3, .filter = WN_FILTER_LANCZOS, .edge = 560, SIDE(140)};
static const wn_prep smolvlm = {
    .fit = WN_FIT_IDEFICS3, .filter = WN_FILTER_LANCZOS, .edge = 512, SIDE(224)};
static const wn_prep idefics3_large = {
    .fit = WN_FIT_IDEFICS3, .filter = WN_FILTER_LANCZOS, .edge = 4300, SIDE(512)};
static const wn_prep idefics3_whole = {
    .fit = WN_FIT_IDEFICS3, .filter = WN_FILTER_LANCZOS, .edge = 560, SIDE(140), .max_tiles = 1};
static const wn_prep llama_mlp = {.like_llama = true,
                                  .fit = WN_FIT_PAD,
                                  .filter = WN_FILTER_BICUBIC,
                                  SIDE(336),
                                  .pad = {122, 116, 104}};
static const wn_prep llama_gemma3 = {
    .like_llama = true, .fit = WN_FIT_PAD, .filter = WN_FILTER_BILINEAR, SIDE(224)};
static const wn_prep llama_qwen = {.like_llama = true,
                                   .fit = WN_FIT_DYNAMIC,
                                   .filter = WN_FILTER_BICUBIC,
                                   .multiple = 28,
                                   .min_pixels = 8 * 784,
                                   .max_pixels = 4096 * 784};
static const wn_prep llama_qwen_few = {.like_llama = true,
                                       .fit = WN_FIT_DYNAMIC,
                                       .filter = WN_FILTER_BICUBIC,
                                       .multiple = 32,
                                       .min_pixels = 8 * 1024,
                                       .max_pixels = 40 * 1024};
static const wn_prep llama_anyres = {
    .like_llama = true,
    .fit = WN_FIT_ANYRES,
    .filter = WN_FILTER_BICUBIC,
    SIDE(336),
    NEXT_GRIDS({336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008})};
static const wn_prep llama_internvl = {.like_llama = true,
                                       .fit = WN_FIT_INTERNVL,
                                       .filter = WN_FILTER_BICUBIC,
                                       SIDE(224),
                                       .min_tiles = 1,
                                       .max_tiles = 12};
static const wn_prep llama_idefics3 = {.like_llama = true,
                                       .fit = WN_FIT_IDEFICS3,
                                       .filter = WN_FILTER_LANCZOS,
                                       .edge = 560,
                                       SIDE(140)};

static const wn_prep old_mlp = {.like_llama = true,
                                .fit = WN_FIT_PAD,
                                .filter = WN_FILTER_LLAMA_BICUBIC,
                                SIDE(336),
                                .pad = {122, 116, 104}};
static const wn_prep old_gemma3 = {
    .like_llama = true, .fit = WN_FIT_PAD, .filter = WN_FILTER_LLAMA_BILINEAR, SIDE(224)};
static const wn_prep old_anyres = {
    .like_llama = true,
    .fit = WN_FIT_ANYRES,
    .filter = WN_FILTER_LLAMA_BICUBIC,
    SIDE(336),
    NEXT_GRIDS({336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008})};
static const wn_prep old_idefics3 = {.like_llama = true,
                                     .fit = WN_FIT_IDEFICS3,
                                     .filter = WN_FILTER_LLAMA_BICUBIC,
                                     .edge = 560,
                                     SIDE(140)};

static const struct {
    const char *name;
    const wn_prep *prep;
    uint32_t width, height, views;
    uint64_t hash;
} cases[] = {
#define CASE(mode, width, height, views, hash) {#mode, &mode, width, height, views, hash},
#include "preprocess/cases.def"
#undef CASE
};

static void bytes_are_the_references(void **state)
{
    (void)state;
    uint32_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const wn_host host = host_of(UINT32_MAX);
        uint8_t *rgb = picture(cases[i].width, cases[i].height);
        wn_views views;
        assert_int_equal(
            wn_prep_run(&host, cases[i].prep, rgb, cases[i].width, cases[i].height, &views),
            WINNOW_OK);
        if (views.count != cases[i].views || hash_views(&views) != cases[i].hash) {
            print_error("%s of %u x %u: %u views (%u expected), first %u x %u: other bytes\n",
                        cases[i].name, cases[i].width, cases[i].height, views.count, cases[i].views,
                        views.view[0].width, views.view[0].height);
            ++wrong;
        }
        wn_views_free(&host, &views);
        free(rgb);
        assert_int_equal(memory.held, 0);
    }
    assert_int_equal(wrong, 0);
}

/* --- plans --- */
static void plans_say_what_runs_give(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const wn_host host = host_of(UINT32_MAX);
        wn_views views;
        assert_int_equal(
            wn_prep_plan(&host, cases[i].prep, cases[i].width, cases[i].height, &views), WINNOW_OK);
        assert_int_equal(views.count, cases[i].views);
        const uint32_t tiles = views.tiles_x * views.tiles_y;
        uint32_t seen = 0;
        for (uint32_t v = 0; v < views.count; ++v) {
            const wn_view *view = &views.view[v];
            const wn_prep_stage *s = &views.stage[view->stage];
            assert_null(view->rgb);
            assert_true(view->x + view->width <= s->x.total &&
                        view->y + view->height <= s->y.total);
            if (view->tile_x >= 0)
                assert_int_equal((uint32_t)view->tile_y * views.tiles_x + (uint32_t)view->tile_x,
                                 seen++);
        }
        assert_int_equal(seen, tiles);
        wn_views_free(&host, &views);
        assert_int_equal(memory.held, 0);
    }
}

static void overviews_come_where_the_model_wants_them(void **state)
{
    (void)state;
    const wn_host host = host_of(UINT32_MAX);
    wn_views v;
    assert_int_equal(wn_prep_plan(&host, &llava_next, 640, 480, &v), WINNOW_OK);
    assert_int_equal(v.view[0].tile_x, -1);
    assert_int_equal(v.tiles_x * 10 + v.tiles_y, 22);
    assert_int_equal(v.kept_w, 672);
    assert_int_equal(v.kept_h, 504);
    wn_views_free(&host, &v);
    assert_int_equal(wn_prep_plan(&host, &llama_anyres, 300, 336, &v), WINNOW_OK);
    assert_int_equal(v.count, 1);
    wn_views_free(&host, &v);
    assert_int_equal(wn_prep_plan(&host, &idefics3, 640, 480, &v), WINNOW_OK);
    assert_int_equal(v.count, 13);
    assert_int_equal(v.view[12].tile_x, -1);
    wn_views_free(&host, &v);
    assert_int_equal(wn_prep_plan(&host, &idefics3, 500, 20, &v), WINNOW_OK);
    assert_int_equal(v.tiles_x * 10 + v.tiles_y, 41);
    wn_views_free(&host, &v);
    assert_int_equal(wn_prep_plan(&host, &llama_anyres, 640, 480, &v), WINNOW_OK);
    assert_int_equal(v.view[4].tile_x, -1);
    wn_views_free(&host, &v);
    /* the old idefics3 keeps the aspect inside whole tiles */
    wn_prep old = llama_idefics3;
    old.filter = WN_FILTER_LLAMA_BICUBIC;
    assert_int_equal(wn_prep_plan(&host, &old, 500, 100, &v), WINNOW_OK);
    assert_int_equal(v.stage_count, 2);
    assert_int_equal(v.stage[1].y.crop_count, 112);
    assert_int_equal(v.stage[0].filter, WN_FILTER_LLAMA_BILINEAR);
    wn_views_free(&host, &v);
    /* so do files without an edge, and limits of a user */
    old = llama_idefics3;
    old.edge = 0;
    assert_int_equal(wn_prep_plan(&host, &old, 500, 100, &v), WINNOW_OK);
    assert_int_equal(v.tiles_x * 10 + v.tiles_y, 41);
    wn_views_free(&host, &v);
    old.edge = 560;
    old.max_pixels = 2 * 140 * 140;
    assert_int_equal(wn_prep_plan(&host, &old, 500, 100, &v), WINNOW_OK);
    assert_int_equal(v.tiles_x * 10 + v.tiles_y, 31);
    wn_views_free(&host, &v);
}

/* --- refusals --- */
static void refuses(const wn_prep *prep, uint32_t width, uint32_t height, const char *why)
{
    const wn_host host = host_of(UINT32_MAX);
    wn_views views;
    said[0] = 0;
    assert_int_equal(wn_prep_plan(&host, prep, width, height, &views), WINNOW_E_SHAPE);
    if (strncmp(said, "preprocess: ", 12) != 0 || !strstr(said, why))
        fail_msg("\"%s\" does not say \"%s\"", said, why);
    assert_int_equal(views.count, 0);
    assert_null(views.view);
    assert_int_equal(memory.held, 0);
}

static void pictures_that_cannot_be_are_refused(void **state)
{
    (void)state;
    refuses(&clip_224, 0, 5, "0 x 5");
    refuses(&clip_224, 5, 0, "5 x 0");
    refuses(&clip_224, 65536, 65536, "2^31");
    refuses(&clip_224, UINT32_MAX, UINT32_MAX, "2^31");
    refuses(&clip_224, 1, 700000000, "shortest edge");
    refuses(&clip_224, 10, 7000000, "on the way");
    refuses(&qwen2vl, 1, 201, "200 times");
    refuses(&qwen2vl, 2010, 10, "200 times");
    refuses(&llava_pad, 30000, 1, "on the way");
    refuses(&siglip_224, 1, 700000000, "on the way");
    refuses(&siglip_224, 700000000, 1, "weights a pixel");
    refuses(&llama_idefics3, 3000, 1, "vanishes");
    wn_prep p = llama_idefics3;
    p.edge = 0;
    p.width = p.height = 14;
    refuses(&p, 30000, 2000, "tiles");
}

static void settings_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    wn_prep p = siglip_224;
    p.width = 0;
    refuses(&p, 9, 9, "0 x 224");
    p = siglip_224;
    p.height = 40000;
    refuses(&p, 9, 9, "40000");
    p = siglip_224;
    p.patch = 300;
    refuses(&p, 9, 9, "whole patch of 300");
    p = siglip_224;
    p.filter = (enum wn_filter)77;
    refuses(&p, 9, 9, "cannot be");
    p.fit = (enum wn_fit)99;
    refuses(&p, 9, 9, "99");
    p = clip_224;
    p.edge = 0;
    refuses(&p, 9, 9, "shortest edge of 0");
    p = qwen2vl;
    p.multiple = 0;
    refuses(&p, 9, 9, "multiples of 0");
    p = qwen2vl;
    p.min_pixels = 2000000;
    refuses(&p, 9, 9, "2000000..1003520");
    p = qwen2vl;
    p.min_pixels = 0;
    refuses(&p, 1, 1, "0 x 0");
    p = qwen2vl;
    p.min_pixels = p.max_pixels = (uint64_t)1 << 40;
    refuses(&p, 100, 100, "on the way");
    p = llava_next;
    p.grid_count = 0;
    refuses(&p, 9, 9, "0 grids");
    p.grid_count = 33;
    refuses(&p, 9, 9, "grid");
    p.grid_count = 1;
    p.grids[0][0] = 100;
    refuses(&p, 9, 9, "whole tiles");
    p = internvl;
    p.min_tiles = 0;
    refuses(&p, 9, 9, "tiles");
    p.min_tiles = 13;
    refuses(&p, 9, 9, "13 to 12");
    p = llama_internvl;
    p.min_tiles = p.max_tiles = 3; /* llama.cpp asks for so many rows and columns */
    refuses(&p, 900, 900, "no grid");
    p = idefics3;
    p.edge = 0;
    refuses(&p, 9, 9, "longest edge");
    p = idefics3;
    p.width = 280;
    refuses(&p, 9, 9, "square");
}

static void axes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const wn_prep_axis bad[] = {{0, 4, 0, 4, 0, 4}, {4, 0, 0, 4, 0, 4}, {4, 4, 5, 1, 0, 4},
                                       {4, 4, 2, 3, 0, 4}, {4, 4, 0, 4, 1, 4}, {4, 4, 0, 4, 9, 4},
                                       {4, 4, 0, 0, 0, 4}, {4, 4, 0, 4, 0, 0}};
    const wn_host host = host_of(UINT32_MAX);
    uint32_t taps;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
        assert_int_equal(wn_resize_axis(&host, WN_FILTER_BICUBIC, &bad[i], &taps, NULL, NULL, NULL),
                         WINNOW_E_SHAPE);
    const wn_prep_axis fine = {4, 4, 0, 4, 0, 4};
    uint32_t start[4], count[4];
    int32_t coef[4];
    assert_int_equal(
        wn_resize_axis(&host, WN_FILTER_LLAMA_BICUBIC, &fine, &taps, start, count, coef),
        WINNOW_E_UNSUPPORTED);
    assert_int_equal(wn_resize_axis(&host, WN_FILTER_LLAMA_BICUBIC, &fine, &taps, NULL, NULL, NULL),
                     WINNOW_OK);
    assert_int_equal(taps, 0);
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    static const wn_prep *const preps[] = {&llava_pad, &llava_next, &llama_internvl, &idefics3,
                                           &qwen2vl};
    uint8_t *rgb = picture(64, 48);
    for (size_t i = 0; i < sizeof preps / sizeof *preps; ++i) {
        winnow_status status = WINNOW_E_HOST_MEMORY;
        uint32_t left = 0;
        for (; status != WINNOW_OK && left < 1000; ++left) {
            const wn_host host = host_of(left);
            wn_views views;
            status = wn_prep_run(&host, preps[i], rgb, 64, 48, &views);
            assert_true(status == WINNOW_OK || status == WINNOW_E_HOST_MEMORY);
            wn_views_free(&host, &views);
            assert_int_equal(memory.held, 0);
        }
        assert_true(left > 5 && status == WINNOW_OK);
    }
    free(rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_the_references),
        cmocka_unit_test(plans_say_what_runs_give),
        cmocka_unit_test(overviews_come_where_the_model_wants_them),
        cmocka_unit_test(pictures_that_cannot_be_are_refused),
        cmocka_unit_test(settings_that_do_not_fit_are_refused),
        cmocka_unit_test(axes_that_do_not_fit_are_refused),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
