/* The parts that need no files: sampling, sizes, resizing, turning, EXIF. */
#include "reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void uniform_indices_are_span_centres(void **state)
{
    (void)state;
    static const uint64_t four_of_ten[] = {1, 3, 6, 8};
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(frames_uniform_index(i, 10, 4), four_of_ten[i]);
    }
    assert_int_equal(frames_uniform_index(0, 795, 1), 397);
    for (uint64_t total = 1; total < 40; total++) {
        for (uint64_t count = 1; count <= total; count++) {
            for (uint64_t i = 0; i < count; i++) {
                const uint64_t at = frames_uniform_index(i, total, count);
                assert_true(at < total);
                assert_true(i == 0 || at > frames_uniform_index(i - 1, total, count));
                assert_int_equal(
                    at, (uint64_t)(((double)i + 0.5) * (double)total / (double)count + 1e-9));
            }
        }
    }
    assert_int_equal(frames_uniform_index((1u << 31) - 2, (1u << 31) - 1, (1u << 31) - 1),
                     (1u << 31) - 2);
}

/* Which of `count` frames at source_fps a sampler takes, as bits. */
static uint64_t taken_bits(video_sampler sampler, uint64_t count, double source_fps)
{
    uint64_t bits = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (video_sampler_takes(&sampler, i, (double)i / source_fps)) {
            bits |= (uint64_t)1 << i;
        }
    }
    return bits;
}

static void samplers_take_what_they_say(void **state)
{
    (void)state;
    assert_int_equal(taken_bits(video_sampler_by_time(0, 0), 5, 10), 0x1f);
    assert_int_equal(taken_bits(video_sampler_by_time(0, 3), 5, 10), 0x07);
    assert_int_equal(taken_bits(video_sampler_by_time(5, 0), 6, 10), 0x15);
    assert_int_equal(taken_bits(video_sampler_by_time(5, 2), 6, 10), 0x05);
    assert_int_equal(taken_bits(video_sampler_by_time(100, 0), 5, 10), 0x1f);
    assert_int_equal(taken_bits(video_sampler_by_time(4, 0), 10, 10), 0x129); /* 0 .3 .5 .8 */
    assert_int_equal(taken_bits(video_sampler_uniform(10, 4), 10, 10), 0x14a);
    assert_int_equal(taken_bits(video_sampler_uniform(3, 8), 3, 10), 0x07);

    /* Times rounded to milliseconds still count, and a gap does not make up for lost frames. */
    video_sampler sampler = video_sampler_by_time(3, 0);
    assert_true(video_sampler_takes(&sampler, 0, 0));
    assert_true(video_sampler_takes(&sampler, 1, 0.333));
    assert_false(video_sampler_takes(&sampler, 2, 0.5));
    assert_true(video_sampler_takes(&sampler, 3, 7));
    assert_false(video_sampler_takes(&sampler, 4, 7.1));
}

typedef struct size_case {
    frames_options options;
    uint32_t width, height;
    frames_status status;
    uint32_t out_width, out_height;
} size_case;

static void output_sizes(void **state)
{
    (void)state;
    static const size_case cases[] = {
        {{0}, 641, 359, FRAMES_OK, 641, 359},
        {{.longest_side = 320}, 640, 360, FRAMES_OK, 320, 180},
        {{.longest_side = 320}, 100, 50, FRAMES_OK, 100, 50},
        {{.longest_side = 10}, 1000, 1, FRAMES_OK, 10, 1},
        {{.size = FRAMES_SIZE_EXACT, .width = 336, .height = 300}, 7, 9, FRAMES_OK, 336, 300},
        {{.size = FRAMES_SIZE_EXACT, .width = 336}, 7, 9, FRAMES_E_ARGUMENT, 0, 0},
        {{.size = FRAMES_SIZE_MULTIPLE, .multiple = 14}, 640, 360, FRAMES_OK, 644, 364},
        {{.size = FRAMES_SIZE_MULTIPLE, .multiple = 28}, 3, 70, FRAMES_OK, 28, 84},
        {{.size = FRAMES_SIZE_MULTIPLE, .multiple = 14, .longest_side = 450},
         640,
         360,
         FRAMES_OK,
         448,
         252},
        {{.size = FRAMES_SIZE_MULTIPLE, .multiple = 14, .longest_side = 13},
         640,
         360,
         FRAMES_E_ARGUMENT,
         0,
         0},
        {{.size = FRAMES_SIZE_MULTIPLE}, 640, 360, FRAMES_E_ARGUMENT, 0, 0},
        {{0}, 0, 360, FRAMES_E_ARGUMENT, 0, 0},
        {{0}, 16385, 1, FRAMES_E_TOO_LARGE, 0, 0},
        {{0}, 16384, 16384, FRAMES_OK, 16384, 16384},
        {{.refuse_pixels = 100}, 10, 11, FRAMES_E_TOO_LARGE, 0, 0},
        {{.refuse_side = 100}, 101, 1, FRAMES_E_TOO_LARGE, 0, 0},
        {{.size = FRAMES_SIZE_EXACT, .width = 4000000000u, .height = 4000000000u},
         7,
         9,
         FRAMES_E_TOO_LARGE,
         0,
         0},
        {{.size = FRAMES_SIZE_MULTIPLE, .multiple = 4000000000u}, 7, 9, FRAMES_E_TOO_LARGE, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_case *c = &cases[i];
        char why[FRAMES_WHY_SIZE] = "";
        uint32_t width = 0, height = 0;
        print_message("size case %zu\n", i);
        assert_int_equal(
            frames_output_size(&c->options, c->width, c->height, &width, &height, why, sizeof why),
            c->status);
        if (c->status == FRAMES_OK) {
            assert_int_equal(width, c->out_width);
            assert_int_equal(height, c->out_height);
        } else {
            assert_non_null(strstr(why, ": "));
            assert_int_equal(why[strlen(why) - 1], ')');
        }
    }
    uint32_t width = 0, height = 0;
    assert_int_equal(frames_output_size(NULL, 5, 6, &width, &height, NULL, 0), FRAMES_OK);
    assert_int_equal(width, 5);
}

/* Made with Pillow: Image.fromarray(a).resize((w, h), Image.BICUBIC). */
static const uint8_t pillow_in[4 * 5 * 3] = {
    139, 74,  229, 241, 169, 65,  6,   160, 149, 106, 38, 175, 188, 205, 175,
    229, 98,  249, 10,  148, 95,  86,  147, 198, 66,  39, 106, 213, 171, 45,
    167, 57,  69,  81,  55,  14,  153, 178, 215, 76,  52, 39,  250, 72,  215,
    50,  161, 223, 112, 172, 161, 233, 38,  17,  89,  1,  221, 6,   242, 127};
static const uint8_t pillow_3x7[] = {
    190, 117, 155, 79,  135, 129, 150, 134, 186, 171, 121, 171, 67,  130, 139, 150,
    128, 143, 138, 124, 188, 51,  122, 154, 153, 115, 74,  134, 82,  107, 76,  127,
    144, 175, 83,  99,  128, 59,  47,  117, 122, 125, 172, 66,  146, 92,  134, 144,
    164, 73,  101, 83,  113, 163, 72,  180, 207, 189, 44,  88,  29,  143, 170};
static const uint8_t pillow_9x2[] = {
    193, 74,  228, 171, 98,  174, 129, 140, 76,  85,  163, 112, 52,  161, 184, 58,  85,  157,
    96,  47,  122, 179, 132, 121, 223, 183, 122, 125, 108, 160, 107, 111, 136, 80,  115, 93,
    129, 119, 100, 187, 111, 125, 128, 58,  125, 79,  34,  128, 117, 118, 147, 137, 165, 158};
static const uint8_t pillow_2x4[] = {147, 129, 142, 113, 128, 164, 99,  127, 175, 115, 112, 102,
                                     123, 85,  76,  152, 89,  141, 122, 129, 151, 97,  93,  138};

static void resizing_equals_pillow(void **state)
{
    (void)state;
    uint8_t out[7 * 9 * 3];
    assert_true(video_resize(pillow_in, 5, 4, out, 3, 7));
    assert_memory_equal(out, pillow_3x7, sizeof pillow_3x7);
    assert_true(video_resize(pillow_in, 5, 4, out, 9, 2));
    assert_memory_equal(out, pillow_9x2, sizeof pillow_9x2);
    assert_true(video_resize(pillow_in, 5, 4, out, 2, 4));
    assert_memory_equal(out, pillow_2x4, sizeof pillow_2x4);
    assert_true(video_resize(pillow_in, 5, 4, out, 5, 4));
    assert_memory_equal(out, pillow_in, sizeof pillow_in);
}

static void resizing_keeps_a_flat_colour(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 7, 31, 64, 65};
    const size_t count = sizeof sizes / sizeof *sizes;
    uint8_t from[65 * 3], to[65 * 3];
    for (size_t i = 0; i < count * count; i++) {
        const uint32_t in = sizes[i / count], out = sizes[i % count];
        memset(from, 201, sizeof from);
        memset(to, 0, sizeof to);
        assert_true(i % 2 ? video_resize(from, in, 1, to, out, 1)
                          : video_resize(from, 1, in, to, 1, out));
        for (uint32_t x = 0; x < out * 3; x++) {
            assert_int_equal(to[x], 201);
        }
    }
}

/* What EXIF says of the eight, on a picture of 3 x 2 with the pixels abc / def. */
static void orientations(void **state)
{
    (void)state;
    static const char *const upright[9] = {"",       "abcdef", "cbafed", "fedcba", "defabc",
                                           "adbecf", "daebfc", "fcebda", "cfbead"};
    const size_t stride = 11; /* rows with something behind them */
    uint8_t from[2 * 11];
    memset(from, '!', sizeof from);
    for (size_t i = 0; i < 6; i++) {
        memset(from + i / 3 * stride + i % 3 * 3, 'a' + (int)i, 3);
    }
    for (int orientation = 1; orientation <= 8; orientation++) {
        uint8_t to[6 * 3];
        video_orient(from, stride, 3, 2, orientation, to);
        for (size_t i = 0; i < 18; i++) {
            assert_int_equal(to[i], upright[orientation][i / 3]);
        }
        assert_int_equal(video_orientation_swaps(orientation), orientation > 4);
    }
}

static const uint8_t exif_little[] = {
    0xff, 0xd8, 0xff, 0xff, 0xe0, 0,   4,   9, 9, 0xff, 0xe1, 0, 34, 'E', 'x',
    'i',  'f',  0,    0,    'I',  'I', '*', 0, 8, 0,    0,    0, 1,  0,   0x12,
    0x01, 3,    0,    1,    0,    0,   0,   6, 0, 0,    0,    0, 0,  0,   0};
static const uint8_t exif_big[] = {0xff, 0xd8, 0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f',  0,    0, 'M',
                                   'M',  0,    '*',  0,    0, 0,  8,   0,   1,   0x01, 0x12, 0, 3,
                                   0,    0,    0,    1,    0, 8,  0,   0,   0,   0,    0,    0};

static void exif_orientation_is_found(void **state)
{
    (void)state;
    assert_int_equal(video_exif_orientation(exif_little, sizeof exif_little), 6);
    assert_int_equal(video_exif_orientation(exif_big, sizeof exif_big), 8);
    assert_int_equal(video_exif_orientation((const uint8_t *)"\x89PNG", 4), 1);
    /* Cut anywhere, in a block of exactly that size so that a checker sees a step too far. */
    for (size_t size = 0; size < sizeof exif_little; size++) {
        uint8_t *cut = malloc(size + 1);
        assert_non_null(cut);
        memcpy(cut, exif_little, size);
        assert_in_range(video_exif_orientation(cut, size), 1, 8);
        free(cut);
    }
}

static void exif_damage_means_upright(void **state)
{
    (void)state;
    uint8_t bytes[sizeof exif_big];
    for (size_t at = 0; at < sizeof bytes; at++) {
        for (int value = 0; value < 256; value += 51) {
            memcpy(bytes, exif_big, sizeof bytes);
            bytes[at] = (uint8_t)value;
            assert_in_range(video_exif_orientation(bytes, sizeof bytes), 1, 8);
        }
    }
    memcpy(bytes, exif_big, sizeof bytes);
    bytes[31] = 9; /* no such orientation */
    assert_int_equal(video_exif_orientation(bytes, sizeof bytes), 1);
}

static void jpeg_tables_are_checked(void **state)
{
    (void)state;
    uint8_t jpeg[64] = {0xff, 0xd8, 0xff, 0xe0, 0, 6, 0xff, 0xc4, 0xff, 0xff, 0xff, 0xc4, 0, 40, 0};
    assert_true(video_jpeg_tables_fit(jpeg, sizeof jpeg)); /* what an APP0 says is no table */
    jpeg[15] = 200;
    jpeg[16] = 55;
    assert_true(video_jpeg_tables_fit(jpeg, sizeof jpeg));
    jpeg[16] = 56;
    assert_false(video_jpeg_tables_fit(jpeg, sizeof jpeg));
    assert_true(video_jpeg_tables_fit(jpeg + 1, sizeof jpeg - 1)); /* no JPEG */
    /* The same behind a scan, where nothing is skipped, and as the second table of a segment. */
    jpeg[3] = 0xda;
    jpeg[6] = jpeg[8] = jpeg[9] = 0;
    assert_false(video_jpeg_tables_fit(jpeg, sizeof jpeg));
    jpeg[15] = 0;
    jpeg[16] = 0;
    assert_true(video_jpeg_tables_fit(jpeg, sizeof jpeg));
    jpeg[31 + 1] = jpeg[31 + 2] = 255;
    assert_false(video_jpeg_tables_fit(jpeg, sizeof jpeg));
    for (size_t size = 0; size < sizeof jpeg; size++) {
        uint8_t *cut = malloc(size + 1);
        assert_non_null(cut);
        memcpy(cut, jpeg, size);
        (void)video_jpeg_tables_fit(cut, size);
        free(cut);
    }
}

static void jpeg_scans_name_tables_that_are_there(void **state)
{
    (void)state;
    /* A frame's header, the tables DC 0 and AC 1 without values, and a scan of one component. */
    uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xc0, 0, 2, 0xff, 0xc4, 0,    36, 0x00, 0, 0, 0,
                      0,    0,    0,    0,    0, 0, 0,    0,    0,    0,  0,    0, 0, 0x11,
                      0,    0,    0,    0,    0, 0, 0,    0,    0,    0,  0,    0, 0, 0,
                      0,    0,    0xff, 0xda, 0, 8, 1,    1,    0x01, 0,  63,   0, 0};
    uint8_t *const frame = jpeg + 3, *const names = jpeg + 50, *const first = jpeg + 51;
    uint8_t *const bits = jpeg + 53;
    static const struct {
        uint8_t frame, names, first, bits;
        bool fit;
    } cases[] = {
        {0xc0, 0x01, 0, 0x00, true},  {0xc0, 0x11, 0, 0x00, false}, {0xc1, 0x00, 0, 0x00, false},
        {0xc2, 0x00, 0, 0x00, true},  {0xc2, 0x10, 0, 0x00, false}, {0xc2, 0x10, 0, 0x10, true},
        {0xc2, 0x11, 1, 0x00, true},  {0xc2, 0x10, 1, 0x00, false}, {0xc9, 0x33, 0, 0x00, true},
        {0xc2, 0x00, 1, 0x10, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("    case %zu\n", i);
        *frame = cases[i].frame;
        *names = cases[i].names;
        *first = cases[i].first;
        *bits = cases[i].bits;
        assert_int_equal(video_jpeg_tables_fit(jpeg, sizeof jpeg), cases[i].fit);
    }
}

static void sentences_are_cut_to_the_buffer(void **state)
{
    (void)state;
    char text[8] = "xxxxxxx";
    assert_int_equal(video_fail((video_why){text, 5}, FRAMES_E_OPEN, "%s: long", "name"),
                     FRAMES_E_OPEN);
    assert_string_equal(text, "name");
    assert_int_equal(text[5], 'x');
    assert_int_equal(video_fail((video_why){text, 0}, FRAMES_E_OPEN, "no"), FRAMES_E_OPEN);
    assert_string_equal(text, "name");
    assert_int_equal(video_fail((video_why){NULL, 0}, FRAMES_E_OPEN, "no"), FRAMES_E_OPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_indices_are_span_centres),
        cmocka_unit_test(samplers_take_what_they_say),
        cmocka_unit_test(output_sizes),
        cmocka_unit_test(resizing_equals_pillow),
        cmocka_unit_test(resizing_keeps_a_flat_colour),
        cmocka_unit_test(orientations),
        cmocka_unit_test(exif_orientation_is_found),
        cmocka_unit_test(exif_damage_means_upright),
        cmocka_unit_test(jpeg_tables_are_checked),
        cmocka_unit_test(jpeg_scans_name_tables_that_are_there),
        cmocka_unit_test(sentences_are_cut_to_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
