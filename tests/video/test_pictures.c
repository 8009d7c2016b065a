/* Pictures, folders of pictures, live feeds, and every way in which they fail. */
#include "media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

/* "WHAT: WHY (WHAT TO DO)" */
static void check_sentence(const char *why)
{
    print_message("    %s\n", why);
    assert_non_null(strstr(why, ": "));
    assert_non_null(strstr(why, " ("));
    assert_int_equal(why[strlen(why) - 1], ')');
}

static void fails(const char *path, const frames_options *options, frames_status expected)
{
    char why[FRAMES_WHY_SIZE] = "";
    frames_source *source = (frames_source *)(void *)why;
    assert_int_equal(frames_open(&source, path, options, why, sizeof why), expected);
    assert_null(source);
    check_sentence(why);
    frames_list list = {(frames_frame *)(void *)why, 5};
    assert_int_equal(frames_load(&list, path, options, NULL, 0), expected);
    assert_null(list.frames);
    assert_int_equal(list.count, 0);
}

static frames_list load(const char *path, const frames_options *options)
{
    char why[FRAMES_WHY_SIZE] = "";
    frames_list list;
    if (frames_load(&list, path, options, why, sizeof why) != FRAMES_OK) {
        fail_msg("%s", why);
    }
    return list;
}

static void pictures_of_every_kind(void **state)
{
    (void)state;
    static const char *const names[] = {"a.png", "a.jpg", "a.bmp", "a.ppm", "nameless"};
    static const uint32_t sizes[][2] = {{64, 48}, {33, 17}, {101, 67}};
    for (size_t i = 0; i < 15; i++) {
        const char *name = names[i % 5];
        const uint32_t width = sizes[i / 5][0], height = sizes[i / 5][1];
        if (strcmp(name, "nameless") == 0) {
            assert_int_equal(rename(media_path("a.png"), media_path(name)), 0);
        } else {
            media_write_picture(name, width, height, 3, 5);
        }
        frames_list list = load(media_path(name), NULL);
        assert_int_equal(list.count, 1);
        assert_int_equal(list.frames[0].width, width);
        assert_int_equal(list.frames[0].height, height);
        assert_int_equal(list.frames[0].index, 0);
        assert_true(list.frames[0].seconds == 0);
        assert_int_equal(media_index(&list.frames[0], 5), 3);
        assert_int_equal(media_red_corner(&list.frames[0]), TOP_LEFT);
        frames_list_free(&list);
    }
}

static void picture_source_says_what_it_is(void **state)
{
    (void)state;
    media_write_picture("info.png", 60, 40, 0, 5);
    const frames_options options = {.uniform_count = 4, .longest_side = 30};
    frames_source *source;
    frames_frame frame;
    frames_info info;
    assert_int_equal(frames_open(&source, media_path("info.png"), &options, NULL, 0), FRAMES_OK);
    frames_get_info(source, &info);
    assert_int_equal(info.kind, FRAMES_KIND_PICTURE);
    assert_int_equal(info.shown_width, 60);
    assert_int_equal(info.shown_height, 40);
    assert_int_equal(info.width, 30);
    assert_int_equal(info.height, 20);
    assert_int_equal(info.decoded_frames, 1);
    assert_int_equal(info.selected_frames, 1);
    assert_int_equal(frames_next(source, &frame, NULL, 0), FRAMES_OK);
    assert_int_equal(frame.width, 30);
    assert_int_equal(frames_next(source, &frame, NULL, 0), FRAMES_END);
    assert_null(frame.rgb);
    assert_int_equal(frames_next(source, &frame, NULL, 0), FRAMES_END);
    frames_close(&source);
    assert_null(source);
    frames_close(&source);
    frames_close(NULL);
    frames_list_free(NULL);
}

/* A JPEG with an EXIF block put behind its first marker. */
static void write_turned_jpeg(const char *name, uint8_t orientation)
{
    uint8_t exif[] = {0xff, 0xe1, 0, 34, 'E',         'x', 'i', 'f', 0,    0, 'I', 'I',
                      '*',  0,    8, 0,  0,           0,   1,   0,   0x12, 1, 3,   0,
                      1,    0,    0, 0,  orientation, 0,   0,   0,   0,    0, 0,   0};
    size_t size;
    media_write_picture("plain.jpg", 96, 64, 2, 5);
    uint8_t *bytes = media_read(media_path("plain.jpg"), &size);
    uint8_t *turned = malloc(size + sizeof exif);
    assert_non_null(turned);
    memcpy(turned, bytes, 2);
    memcpy(turned + 2, exif, sizeof exif);
    memcpy(turned + 2 + sizeof exif, bytes + 2, size - 2);
    media_write(name, turned, size + sizeof exif);
    free(turned);
    free(bytes);
}

static void jpeg_orientation_is_honoured(void **state)
{
    (void)state;
    static const media_corner corners[9] = {NO_CORNER,    TOP_LEFT,     TOP_RIGHT,
                                            BOTTOM_RIGHT, BOTTOM_LEFT,  TOP_LEFT,
                                            TOP_RIGHT,    BOTTOM_RIGHT, BOTTOM_LEFT};
    for (uint8_t orientation = 1; orientation <= 8; orientation++) {
        write_turned_jpeg("turned.jpg", orientation);
        frames_list list = load(media_path("turned.jpg"), NULL);
        assert_int_equal(list.frames[0].width, orientation > 4 ? 64 : 96);
        assert_int_equal(list.frames[0].height, orientation > 4 ? 96 : 64);
        assert_int_equal(media_red_corner(&list.frames[0]), corners[orientation]);
        frames_list_free(&list);
    }
}

static void pictures_in_memory(void **state)
{
    (void)state;
    size_t size;
    char why[FRAMES_WHY_SIZE] = "";
    frames_source *source;
    frames_frame frame;
    media_write_picture("m.png", 20, 30, 4, 5);
    uint8_t *bytes = media_read(media_path("m.png"), &size);
    assert_int_equal(frames_open_memory(&source, bytes, size, NULL, why, sizeof why), FRAMES_OK);
    assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_OK);
    assert_int_equal(media_index(&frame, 5), 4);
    frames_close(&source);
    assert_int_equal(frames_open_memory(&source, bytes, 0, NULL, why, sizeof why),
                     FRAMES_E_ARGUMENT);
    check_sentence(why);
    assert_int_equal(frames_open_memory(&source, NULL, 9, NULL, why, sizeof why),
                     FRAMES_E_ARGUMENT);
    /* Cut short anywhere: an error or the picture's size, never more than is there. */
    for (size_t cut = 1; cut < size; cut += cut < 64 ? 1 : 37) {
        uint8_t *part = malloc(cut);
        assert_non_null(part);
        memcpy(part, bytes, cut);
        const frames_status status = frames_open_memory(&source, part, cut, NULL, why, sizeof why);
        if (status != FRAMES_OK) {
            assert_true(status == FRAMES_E_FORMAT || status == FRAMES_E_DAMAGED ||
                        status == FRAMES_E_UNSUPPORTED);
            assert_int_equal(why[strlen(why) - 1], ')');
        }
        frames_close(&source);
        free(part);
    }
    /* A chunk that claims a gigabyte: said, and no memory taken for it. */
    size_t at = 8;
    while (memcmp(bytes + at + 4, "IDAT", 4) != 0)
        at += 12 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
    bytes[at] = 0x40;
    assert_int_equal(frames_open_memory(&source, bytes, size, NULL, why, sizeof why),
                     FRAMES_E_DAMAGED);
    assert_non_null(strstr(why, "a chunk of a PNG is longer than the file (make or"));
    free(bytes);
}

static void pnm_of_every_depth(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        frames_status status;
        uint8_t rgb[6];
    } cases[] = {
        {"P6 2 1 255\n\1\2\3\4\5\6", 17, FRAMES_OK, {1, 2, 3, 4, 5, 6}},
        {"P5\n# x\n2 1\n1\n\0\1", 15, FRAMES_OK, {0, 0, 0, 255, 255, 255}},
        {"P5 2 1 65535\n\x80\0\xff\xff", 17, FRAMES_OK, {128, 128, 128, 255, 255, 255}},
        {"P5 2 1 100\n\x32\xc8", 13, FRAMES_OK, {128, 128, 128, 255, 255, 255}},
        {"P6 2 1 65535\n\0\0\1", 16, FRAMES_E_DAMAGED, {0}},
        {"P6 2 0 255\nabcdef", 17, FRAMES_E_FORMAT, {0}},
        {"P6 2 1 65536\nabcdef", 19, FRAMES_E_FORMAT, {0}},
        {"P6 99999999999 1 255\nabc", 24, FRAMES_E_FORMAT, {0}},
        {"P6 2 1 255", 10, FRAMES_E_FORMAT, {0}},
        {"P6 #", 4, FRAMES_E_FORMAT, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("    case %zu\n", i);
        media_write("depth.pnm", cases[i].bytes, cases[i].size);
        if (cases[i].status != FRAMES_OK && !frames_has_video()) {
            fails(media_path("depth.pnm"), NULL, cases[i].status);
        } else if (cases[i].status == FRAMES_OK) {
            frames_list list = load(media_path("depth.pnm"), NULL);
            assert_int_equal(list.frames[0].width, 2);
            assert_memory_equal(list.frames[0].rgb, cases[i].rgb, 6);
            frames_list_free(&list);
        } else { /* libav may make something of it */
            frames_list list;
            (void)frames_load(&list, media_path("depth.pnm"), NULL, NULL, 0);
            frames_list_free(&list);
        }
    }
}

static void hostile_sizes_are_refused(void **state)
{
    (void)state;
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', 13,  10,  26,  10,   0, 0, 0,
                                  13,   'I', 'H', 'D', 'R', 0,   0,   0xf0, 0, 0, 0,
                                  0xf0, 0,   8,   2,   0,   0,   0,   1,    2, 3, 4,
                                  0,    0,   0,   0,   'I', 'D', 'A', 'T'};
    media_write("huge.png", png, sizeof png);
    fails(media_path("huge.png"), NULL, FRAMES_E_TOO_LARGE);
    media_write("wide.ppm", "P6 16385 1 255\nabc", 18);
    fails(media_path("wide.ppm"), NULL, FRAMES_E_TOO_LARGE);
    media_write_picture("small.png", 20, 20, 0, 5);
    fails(media_path("small.png"), &(frames_options){.refuse_side = 19}, FRAMES_E_TOO_LARGE);
    fails(media_path("small.png"), &(frames_options){.refuse_pixels = 399}, FRAMES_E_TOO_LARGE);
    fails(media_path("small.png"),
          &(frames_options){.size = FRAMES_SIZE_EXACT, .width = 20000, .height = 4},
          FRAMES_E_TOO_LARGE);
    frames_list list = load(media_path("small.png"), &(frames_options){.refuse_pixels = 400});
    frames_list_free(&list);
    frames_list none;
    char why[FRAMES_WHY_SIZE] = "";
    assert_int_equal(frames_load(&none, media_path("small.png"),
                                 &(frames_options){.load_bytes = 1199}, why, sizeof why),
                     FRAMES_E_TOO_LARGE);
    check_sentence(why);
}

static void bad_paths_and_options(void **state)
{
    (void)state;
    const frames_status not_video = frames_has_video() ? FRAMES_E_FORMAT : FRAMES_E_UNSUPPORTED;
    fails(media_path("missing.mp4"), NULL, FRAMES_E_OPEN);
    fails("", NULL, FRAMES_E_ARGUMENT);
    fails(NULL, NULL, FRAMES_E_ARGUMENT);
    fails("/dev/null", NULL, FRAMES_E_OPEN);
    media_write("empty.mp4", "", 0);
    fails(media_path("empty.mp4"), NULL, FRAMES_E_DAMAGED);
    media_write("notes.txt", "Buy milk, then eggs.\nNothing to see here, but enough of it.\n", 59);
    fails(media_path("notes.txt"), NULL, not_video);
    media_write("BMnotes.txt", "BMore notes that only look like a picture at first.", 51);
    fails(media_path("BMnotes.txt"), NULL, FRAMES_E_FORMAT);
    media_write("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/etc/passwd\n", 56);
    fails(media_path("list.m3u8"), NULL, not_video);
    media_write_picture("ok.png", 8, 8, 0, 5);
    const char *ok = media_path("ok.png");
    fails(ok, &(frames_options){.fps = -1}, FRAMES_E_ARGUMENT);
    fails(ok, &(frames_options){.fps = 1e300 * 1e300}, FRAMES_E_ARGUMENT);
    fails(ok, &(frames_options){.picture_fps = -1}, FRAMES_E_ARGUMENT);
    fails(ok, &(frames_options){.fps = 1, .uniform_count = 2}, FRAMES_E_ARGUMENT);
    fails(ok, &(frames_options){.size = (frames_size)7}, FRAMES_E_ARGUMENT);
    fails(ok, &(frames_options){.size = FRAMES_SIZE_MULTIPLE}, FRAMES_E_ARGUMENT);
    fails(ok, &(frames_options){.size = FRAMES_SIZE_EXACT}, FRAMES_E_ARGUMENT);
    if (geteuid() != 0) { /* root may read everything */
        assert_int_equal(chmod(ok, 0), 0);
        fails(ok, NULL, FRAMES_E_OPEN);
    }
}

/* Seven pictures whose names sort differently as text, one broken, and things that are none. */
static const char *make_folder(void)
{
    static const char *const names[] = {"img1.png",  "img2.jpg",   "img3.ppm",  "IMG9.bmp",
                                        "img10.png", "img011.png", "img100.png"};
    mkdir(media_path("folder"), 0700);
    mkdir(media_path("folder/inside.png"), 0700);
    for (uint32_t i = 0; i < 7; i++) {
        char name[64];
        snprintf(name, sizeof name, "folder/%s", names[i]);
        media_write_picture(name, 40 + 3 * i, 30, i, 7);
    }
    media_write("folder/img4.png", "not a picture", 13);
    media_write("folder/.hidden.png", "hidden", 6);
    media_write("folder/readme.txt", "text", 4);
    return media_path("folder");
}

static void folder_is_a_sequence(void **state)
{
    (void)state;
    frames_list list = load(make_folder(), &(frames_options){.picture_fps = 4});
    assert_int_equal(list.count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(media_index(&list.frames[i], 7), i);
        assert_int_equal(list.frames[i].width, 40 + 3 * i);
        assert_int_equal(list.frames[i].index, i);
        assert_true(list.frames[i].seconds == i / 4.0);
    }
    frames_list_free(&list);

    frames_source *source;
    frames_info info;
    assert_int_equal(
        frames_open(&source, media_path("folder"), &(frames_options){.uniform_count = 3}, NULL, 0),
        FRAMES_OK);
    frames_get_info(source, &info);
    assert_int_equal(info.kind, FRAMES_KIND_FOLDER);
    assert_int_equal(info.header_frames, 8);
    assert_int_equal(info.decoded_frames, 7);
    assert_int_equal(info.selected_frames, 3);
    static const uint32_t chosen[] = {1, 3, 5};
    for (size_t i = 0; i < 3; i++) {
        frames_frame frame;
        assert_int_equal(frames_next(source, &frame, NULL, 0), FRAMES_OK);
        assert_int_equal(media_index(&frame, 7), chosen[i]);
    }
    frames_get_info(source, &info);
    assert_int_equal(info.damaged, 1);
    frames_close(&source);
}

static void folder_frames_of_one_size(void **state)
{
    (void)state;
    frames_list list =
        load(make_folder(), &(frames_options){.same_size = true, .longest_side = 20});
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.frames[i].width, 20);
        assert_int_equal(list.frames[i].height, 15);
    }
    frames_list_free(&list);
    list = load(media_path("folder"),
                &(frames_options){.size = FRAMES_SIZE_MULTIPLE, .multiple = 14, .max_frames = 2});
    assert_int_equal(list.count, 2);
    assert_int_equal(list.frames[1].width, 42);
    assert_int_equal(list.frames[1].height, 28);
    assert_int_equal(media_index(&list.frames[1], 7), 1);
    frames_list_free(&list);
}

static void folder_failures(void **state)
{
    (void)state;
    mkdir(media_path("none"), 0700);
    fails(media_path("none"), NULL, FRAMES_E_FORMAT);
    media_write("none/bad.png", "bad", 3);
    fails(media_path("none"), NULL, FRAMES_E_DAMAGED);
    fails(media_path("none"), &(frames_options){.uniform_count = 2}, FRAMES_E_DAMAGED);
    media_write_picture("none/large.png", 50, 50, 0, 5);
    fails(media_path("none"), &(frames_options){.refuse_side = 40}, FRAMES_E_TOO_LARGE);

    /* A refused picture after a good one: the error stays. */
    media_write_picture("none/a.png", 30, 30, 0, 5);
    frames_source *source;
    frames_frame frame;
    char why[FRAMES_WHY_SIZE] = "";
    assert_int_equal(frames_open(&source, media_path("none"), &(frames_options){.refuse_side = 40},
                                 why, sizeof why),
                     FRAMES_OK);
    assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_OK);
    for (int again = 0; again < 2; again++) {
        why[0] = '\0';
        assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_E_TOO_LARGE);
        check_sentence(why);
    }
    frames_close(&source);
}

/* A feed of `count` frames and `extra` bytes of one more, rewound. */
static FILE *make_feed(uint32_t count, size_t extra)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    for (uint32_t i = 0; i <= count; i++) {
        uint8_t *rgb = media_rgb(16, 12, i % 10, 10);
        const size_t size = i < count ? 16 * 12 * 3 : extra;
        assert_int_equal(fwrite(rgb, 1, size, file), size);
        free(rgb);
    }
    rewind(file);
    return file;
}

static void feed_is_sampled_on_the_fly(void **state)
{
    (void)state;
    FILE *file = make_feed(10, 0);
    frames_source *source;
    frames_frame frame;
    frames_info info;
    const frames_options options = {.fps = 5, .max_frames = 4};
    assert_int_equal(frames_open_feed(&source, file, 16, 12, 10, &options, NULL, 0), FRAMES_OK);
    frames_get_info(source, &info);
    assert_int_equal(info.kind, FRAMES_KIND_FEED);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(frames_next(source, &frame, NULL, 0), FRAMES_OK);
        assert_int_equal(frame.index, i * 2);
        assert_int_equal(media_index(&frame, 10), i * 2);
        assert_true(frame.seconds == i * 2 / 10.0);
    }
    assert_int_equal(frames_next(source, &frame, NULL, 0), FRAMES_END);
    assert_int_equal(ftell(file), 7 * 16 * 12 * 3); /* no frame read that nobody asked for */
    frames_close(&source);
    fclose(file);
}

static void feed_that_ends_inside_a_frame(void **state)
{
    (void)state;
    FILE *file = make_feed(2, 100);
    frames_source *source;
    frames_frame frame;
    char why[FRAMES_WHY_SIZE] = "";
    assert_int_equal(frames_open_feed(&source, file, 16, 12, 10, NULL, why, sizeof why), FRAMES_OK);
    assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_OK);
    assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_OK);
    assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_E_DAMAGED);
    check_sentence(why);
    assert_non_null(strstr(why, "100 bytes into frame 2"));
    assert_int_equal(frames_next(source, &frame, why, sizeof why), FRAMES_E_DAMAGED);
    frames_close(&source);
    fclose(file);
}

static void feed_fails(FILE *file, uint32_t width, uint32_t height, double fps,
                       const frames_options *options, frames_status expected)
{
    char why[FRAMES_WHY_SIZE] = "";
    frames_source *source;
    assert_int_equal(frames_open_feed(&source, file, width, height, fps, options, why, sizeof why),
                     expected);
    assert_null(source);
    check_sentence(why);
}

static void feed_failures(void **state)
{
    (void)state;
    FILE *file = make_feed(0, 0);
    feed_fails(file, 16, 12, 10, NULL, FRAMES_E_DAMAGED);
    feed_fails(NULL, 16, 12, 10, NULL, FRAMES_E_ARGUMENT);
    feed_fails(file, 0, 12, 10, NULL, FRAMES_E_ARGUMENT);
    feed_fails(file, 16, 0, 10, NULL, FRAMES_E_ARGUMENT);
    feed_fails(file, 16, 12, 0, NULL, FRAMES_E_ARGUMENT);
    feed_fails(file, 20000, 12, 10, NULL, FRAMES_E_TOO_LARGE);
    feed_fails(file, 16, 12, 10, &(frames_options){.fps = -1}, FRAMES_E_ARGUMENT);
    feed_fails(file, 16, 12, 10, &(frames_options){.uniform_count = 4}, FRAMES_E_ARGUMENT);
    feed_fails(file, 16, 12, 10, &(frames_options){.max_frames = 4, .spread = true},
               FRAMES_E_ARGUMENT);
    fclose(file);
    media_write("writeonly", "x", 1);
    file = fopen(media_path("writeonly"), "wb");
    assert_non_null(file);
    feed_fails(file, 16, 12, 10, NULL, FRAMES_E_OPEN);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_of_every_kind),
        cmocka_unit_test(picture_source_says_what_it_is),
        cmocka_unit_test(jpeg_orientation_is_honoured),
        cmocka_unit_test(pictures_in_memory),
        cmocka_unit_test(pnm_of_every_depth),
        cmocka_unit_test(hostile_sizes_are_refused),
        cmocka_unit_test(bad_paths_and_options),
        cmocka_unit_test(folder_is_a_sequence),
        cmocka_unit_test(folder_frames_of_one_size),
        cmocka_unit_test(folder_failures),
        cmocka_unit_test(feed_is_sampled_on_the_fly),
        cmocka_unit_test(feed_that_ends_inside_a_frame),
        cmocka_unit_test(feed_failures),
    };
    return cmocka_run_group_tests(tests, media_begin, media_end);
}
