/* Films: every container, sampling, turning, damage. */
#include "media.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static frames_list load(const char *path, const frames_options *options)
{
    char why[FRAMES_WHY_SIZE] = "";
    frames_list list;
    if (frames_load(&list, path, options, why, sizeof why) != FRAMES_OK) {
        fail_msg("%s", why);
    }
    return list;
}

static frames_info info_of(const char *path, const frames_options *options)
{
    char why[FRAMES_WHY_SIZE] = "";
    frames_source *source;
    frames_info info;
    if (frames_open(&source, path, options, why, sizeof why) != FRAMES_OK) {
        fail_msg("%s", why);
    }
    frames_get_info(source, &info);
    frames_close(&source);
    return info;
}

static void fails(const char *path, const frames_options *options, frames_status expected)
{
    char why[FRAMES_WHY_SIZE] = "";
    frames_source *source;
    assert_int_equal(frames_open(&source, path, options, why, sizeof why), expected);
    assert_null(source);
    print_message("    %s\n", why);
    assert_non_null(strstr(why, ": "));
    assert_int_equal(why[strlen(why) - 1], ')');
}

static const media_film plain_films[] = {
    {"a.mp4", "mpeg4", 96, 64, 20, 10, .turn = 0},
    {"a.mkv", "ffv1", 97, 63, 20, 10, .turn = 0},
    {"a.avi", "mpeg4", 96, 64, 20, 10, .turn = 0},
    {"a.gif", "gif", 96, 64, 5, 10, .turn = 0},
    {"a.webm", "libvpx", 96, 64, 20, 10, .turn = 0},
    {"a.mov", "mjpeg", 95, 61, 20, 10, .turn = 0},
    {"a.ts", "mpeg2video", 96, 64, 20, 25, .turn = 0},
    {"one.mp4", "mpeg4", 64, 64, 1, 10, .turn = 0},
    {"one.gif", "gif", 33, 31, 1, 10, .turn = 0},
    {"a.h264.mp4", "libx264", 98, 62, 20, 10, .turn = 0},
};

static void every_frame_of_every_container(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plain_films / sizeof *plain_films; i++) {
        const media_film *film = &plain_films[i];
        if (!media_write_film(film)) {
            print_message("    not tested: no %s encoder for %s\n", film->codec, film->name);
            continue;
        }
        print_message("    %s\n", film->name);
        frames_list list = load(media_path(film->name), NULL);
        assert_int_equal(list.count, film->frames);
        for (uint32_t k = 0; k < list.count; k++) {
            const frames_frame *frame = &list.frames[k];
            assert_int_equal(frame->width, film->width);
            assert_int_equal(frame->height, film->height);
            assert_int_equal(frame->index, k);
            assert_true(fabs(frame->seconds - (double)k / film->fps) < 0.002);
            assert_int_equal(media_red_corner(frame), TOP_LEFT);
            assert_int_equal(media_index(frame, film->frames), k);
        }
        frames_list_free(&list);
        const frames_info info = info_of(media_path(film->name), NULL);
        assert_int_equal(info.kind, FRAMES_KIND_VIDEO);
        assert_int_equal(info.shown_width, film->width);
    }
}

/* Loads the film with these options and expects these frames. */
static void expect_frames(const char *name, const frames_options *options, size_t count,
                          const uint32_t *expected, uint32_t levels)
{
    frames_list list = load(media_path(name), options);
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list.frames[i].index, expected[i]);
        assert_int_equal(media_index(&list.frames[i], levels), expected[i]);
    }
    frames_list_free(&list);
}

static void sampling(void **state)
{
    (void)state;
    static const media_film film = {"s.avi", "mpeg4", 64, 48, 20, 10, .turn = 0};
    static const uint32_t four[] = {2, 7, 12, 17}, middle[] = {10}, two_a_second[] = {0, 5, 10, 15},
                          first[] = {0, 1, 2}, spread[] = {3, 10, 16};
    uint32_t all[20];
    for (uint32_t i = 0; i < 20; i++) {
        all[i] = i;
    }
    assert_true(media_write_film(&film));
    expect_frames("s.avi", &(frames_options){.uniform_count = 4}, 4, four, 20);
    expect_frames("s.avi", &(frames_options){.uniform_count = 1}, 1, middle, 20);
    expect_frames("s.avi", &(frames_options){.uniform_count = 50}, 20, all, 20);
    expect_frames("s.avi", &(frames_options){.uniform_count = 50, .max_frames = 4}, 4, four, 20);
    expect_frames("s.avi", &(frames_options){.fps = 2}, 4, two_a_second, 20);
    expect_frames("s.avi", &(frames_options){.fps = 1000}, 20, all, 20);
    expect_frames("s.avi", &(frames_options){.max_frames = 3}, 3, first, 20);
    expect_frames("s.avi", &(frames_options){.fps = 5, .max_frames = 3, .spread = true}, 3, spread,
                  20);
    expect_frames("s.avi", &(frames_options){.fps = 2, .max_frames = 4, .spread = true}, 4,
                  two_a_second, 20);
    const frames_info info =
        info_of(media_path("s.avi"), &(frames_options){.fps = 2, .max_frames = 9, .spread = true});
    assert_int_equal(info.decoded_frames, 20);
    assert_int_equal(info.selected_frames, 4);
    assert_true(fabs(info.fps - 10) < 0.01);
}

static void frame_times_that_vary(void **state)
{
    (void)state;
    static const media_film film = {"v.mkv", "ffv1", 64, 48, 12, 10, .square_times = true};
    static const uint32_t one_a_second[] = {0, 4, 5, 6, 7, 8, 9, 10, 11}, three[] = {2, 6, 10};
    assert_true(media_write_film(&film));
    frames_list list = load(media_path("v.mkv"), NULL);
    assert_int_equal(list.count, 12);
    for (size_t i = 0; i < 12; i++) {
        assert_true(fabs(list.frames[i].seconds - (double)(i * i) / 10) < 0.002);
    }
    frames_list_free(&list);
    expect_frames("v.mkv", &(frames_options){.fps = 1}, 9, one_a_second, 12);
    expect_frames("v.mkv", &(frames_options){.uniform_count = 3}, 3, three, 12);
}

static void display_matrix_is_honoured(void **state)
{
    (void)state;
    static const struct {
        int turn;
        bool flip;
        media_corner corner;
    } cases[] = {{0, false, TOP_LEFT},      {90, false, TOP_RIGHT},    {180, false, BOTTOM_RIGHT},
                 {270, false, BOTTOM_LEFT}, {0, true, TOP_RIGHT},      {180, true, BOTTOM_LEFT},
                 {90, true, TOP_LEFT},      {270, true, BOTTOM_RIGHT}, {80, false, TOP_RIGHT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const media_film film = {
            "t.mp4", "mpeg4", 96, 64, 3, 10, .turn = cases[i].turn, .flip = cases[i].flip};
        const bool swap = cases[i].turn % 180 != 0;
        assert_true(media_write_film(&film));
        frames_list list = load(media_path("t.mp4"), NULL);
        assert_int_equal(list.frames[0].width, swap ? 64 : 96);
        assert_int_equal(list.frames[0].height, swap ? 96 : 64);
        assert_int_equal(media_red_corner(&list.frames[0]), cases[i].corner);
        frames_list_free(&list);
    }
}

static void pixel_aspect_is_made_square(void **state)
{
    (void)state;
    media_film film = {"p.mkv", "mpeg4", 64, 48, 2, 10, .aspect = 2};
    assert_true(media_write_film(&film));
    frames_list list = load(media_path("p.mkv"), NULL);
    assert_int_equal(list.frames[0].width, 128);
    assert_int_equal(list.frames[0].height, 48);
    frames_list_free(&list);
    film = (media_film){"p.mp4", "mpeg4", 64, 48, 2, 10, .turn = 90, .aspect = 2};
    assert_true(media_write_film(&film));
    list = load(media_path("p.mp4"), &(frames_options){.longest_side = 64});
    assert_int_equal(list.frames[0].width, 24);
    assert_int_equal(list.frames[0].height, 64);
    assert_int_equal(media_red_corner(&list.frames[0]), TOP_RIGHT);
    frames_list_free(&list);
}

static void films_in_memory(void **state)
{
    (void)state;
    static const media_film film = {"m.mp4", "mpeg4", 64, 48, 9, 10, .turn = 0};
    size_t size;
    char why[FRAMES_WHY_SIZE] = "";
    frames_source *source;
    frames_frame frame;
    assert_true(media_write_film(&film));
    uint8_t *bytes = media_read(media_path("m.mp4"), &size);
    assert_int_equal(frames_open_memory(&source, bytes, size, &(frames_options){.uniform_count = 3},
                                        why, sizeof why),
                     FRAMES_OK);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_OK);
        assert_int_equal(media_index(&frame, 9), 1 + 3 * i);
    }
    assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_END);
    frames_close(&source);
    free(bytes);
}

static void cut_films_give_what_is_there(void **state)
{
    (void)state;
    static const media_film films[] = {{"c.avi", "mpeg4", 96, 64, 20, 10, .turn = 0},
                                       {"c.mkv", "ffv1", 96, 64, 20, 10, .turn = 0},
                                       {"c.ts", "mpeg2video", 96, 64, 20, 25, .turn = 0},
                                       {"c.gif", "gif", 96, 64, 20, 10, .turn = 0}};
    for (size_t i = 0; i < sizeof films / sizeof *films; i++) {
        size_t size;
        assert_true(media_write_film(&films[i]));
        uint8_t *bytes = media_read(media_path(films[i].name), &size);
        media_write(films[i].name, bytes, size * 6 / 10);
        free(bytes);
        frames_list list = load(media_path(films[i].name), NULL);
        print_message("    %s: %zu frames left\n", films[i].name, list.count);
        assert_in_range(list.count, 2, 19);
        const size_t count = list.count;
        frames_list_free(&list);
        list = load(media_path(films[i].name), &(frames_options){.uniform_count = 2});
        assert_int_equal(list.count, 2);
        assert_int_equal(list.frames[1].index, frames_uniform_index(1, count, 2));
        frames_list_free(&list);
    }
    static const media_film indexed = {"c.mp4", "mpeg4", 96, 64, 20, 10, .turn = 0};
    size_t size;
    assert_true(media_write_film(&indexed));
    uint8_t *bytes = media_read(media_path("c.mp4"), &size);
    media_write("c.mp4", bytes, size * 6 / 10); /* the index is at the end: nothing to go by */
    free(bytes);
    fails(media_path("c.mp4"), NULL, FRAMES_E_FORMAT);
}

/* Any bytes may be wrong: no crash, and either frames or a sentence. */
static void damaged_films_do_no_harm(void **state)
{
    (void)state;
    static const media_film films[] = {{"d.avi", "mpeg4", 64, 48, 8, 10, .turn = 0},
                                       {"d.mp4", "mpeg4", 64, 48, 8, 10, .turn = 0},
                                       {"d.mkv", "ffv1", 64, 48, 8, 10, .turn = 0}};
    uint32_t random = 1;
    for (size_t i = 0; i < 60; i++) {
        const media_film *film = &films[i % 3];
        size_t size;
        frames_list list;
        char why[FRAMES_WHY_SIZE] = "";
        assert_true(media_write_film(film));
        uint8_t *bytes = media_read(media_path(film->name), &size);
        for (size_t k = 0; k < 1 + i; k++) {
            random = random * 1664525u + 1013904223u;
            bytes[random % size] = (uint8_t)(random >> 24);
        }
        media_write(film->name, bytes, size);
        free(bytes);
        const frames_status status = frames_load(
            &list, media_path(film->name),
            &(frames_options){.uniform_count = 4, .refuse_side = 4096}, why, sizeof why);
        if (status != FRAMES_OK) {
            assert_int_equal(why[strlen(why) - 1], ')');
        }
        assert_true((status == FRAMES_OK) == (list.count > 0));
        frames_list_free(&list);
    }
}

static void header_that_counts_wrong(void **state)
{
    (void)state;
    static const media_film film = {"w.avi", "mpeg4", 64, 48, 12, 10, .turn = 0};
    static const uint32_t three[] = {2, 6, 10};
    size_t size, at = 0;
    assert_true(media_write_film(&film));
    uint8_t *bytes = media_read(media_path("w.avi"), &size);
    while (at + 44 < size && memcmp(bytes + at, "strh", 4) != 0) {
        at++;
    }
    assert_true(at + 44 < size);
    memcpy(bytes + at + 40, "\xbc\x01\0\0", 4); /* the stream's length: 444 */
    media_write("w.avi", bytes, size);
    free(bytes);
    const frames_info info = info_of(media_path("w.avi"), &(frames_options){.uniform_count = 3});
    assert_int_equal(info.header_frames, 444);
    assert_int_equal(info.decoded_frames, 12);
    expect_frames("w.avi", &(frames_options){.uniform_count = 3}, 3, three, 12);
}

static void films_that_cannot_be(void **state)
{
    (void)state;
    static const media_film film = {"l.avi", "mpeg4", 96, 64, 3, 10, .turn = 0};
    static const uint8_t huge_gif[] =
        "GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\x02\x04\x01\0;";
    assert_true(media_write_film(&film));
    fails(media_path("l.avi"), &(frames_options){.refuse_side = 95}, FRAMES_E_TOO_LARGE);
    fails(media_path("l.avi"), &(frames_options){.refuse_pixels = 6143}, FRAMES_E_TOO_LARGE);
    media_write("huge.gif", huge_gif, sizeof huge_gif - 1);
    fails(media_path("huge.gif"), NULL, FRAMES_E_TOO_LARGE);
    size_t size;
    uint8_t *bytes = media_read(media_path("l.avi"), &size);
    size_t movi = 0;
    while (movi + 4 < size && memcmp(bytes + movi, "movi", 4) != 0) {
        movi++;
    }
    media_write("headeronly.avi", bytes, movi + 4);
    free(bytes);
    fails(media_path("headeronly.avi"), NULL, FRAMES_E_DAMAGED);
    fails(media_path("headeronly.avi"), &(frames_options){.uniform_count = 2}, FRAMES_E_DAMAGED);
    media_write("sound.ogg", "OggS", 4);
    fails(media_path("sound.ogg"), NULL, FRAMES_E_FORMAT);
}

/* The films of OpenCV's documentation, read where they are. */
static void real_films(void **state)
{
    (void)state;
    const char *given = getenv("WINNOW_MEDIA");
    const char *folder = given ? given : "/usr/share/doc/opencv-doc/examples/data";
    char vtest[512], tree[512];
    snprintf(vtest, sizeof vtest, "%s/vtest.avi", folder);
    snprintf(tree, sizeof tree, "%s/tree.avi", folder);
    FILE *file = fopen(vtest, "rb");
    if (!file && !given) {
        print_message("    not tested: %s is not there (install opencv-doc)\n", vtest);
        return;
    }
    assert_non_null(file);
    fclose(file);
    const frames_options eight = {
        .uniform_count = 8, .size = FRAMES_SIZE_MULTIPLE, .multiple = 14, .longest_side = 448};
    frames_list list = load(vtest, &eight);
    assert_int_equal(list.count, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(list.frames[i].index, frames_uniform_index(i, 795, 8));
        assert_true(fabs(list.frames[i].seconds - (double)list.frames[i].index / 10) < 0.002);
        assert_int_equal(list.frames[i].width, 448);
        assert_int_equal(list.frames[i].height, 336);
    }
    frames_list_free(&list);
    const frames_info info = info_of(tree, &eight);
    assert_int_equal(info.header_frames, 444);
    assert_int_equal(info.decoded_frames, 68);
    list = load(tree, &eight);
    assert_int_equal(list.count, 8);
    assert_int_equal(list.frames[7].index, frames_uniform_index(7, 68, 8));
    frames_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_of_every_container),
        cmocka_unit_test(sampling),
        cmocka_unit_test(frame_times_that_vary),
        cmocka_unit_test(display_matrix_is_honoured),
        cmocka_unit_test(pixel_aspect_is_made_square),
        cmocka_unit_test(films_in_memory),
        cmocka_unit_test(cut_films_give_what_is_there),
        cmocka_unit_test(damaged_films_do_no_harm),
        cmocka_unit_test(header_that_counts_wrong),
        cmocka_unit_test(films_that_cannot_be),
        cmocka_unit_test(real_films),
    };
    return cmocka_run_group_tests(tests, media_begin, media_end);
}
