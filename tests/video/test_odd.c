/*
 * Pictures that keep to the letter of a format and break what decoders take for granted: what is
 * left out has its meaning or is an error, and never what happened to be in memory.
 */
#include "media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__GLIBC__)
#    include <malloc.h>
#endif

/* Fills what malloc gives from now on, where the C library can. */
static void dirty_memory(int with)
{
#if defined(__GLIBC__)
    mallopt(M_PERTURB, with); /* only what is too large for a thread's cache: pictures of 96 x 64 */
#else
    (void)with;
#endif
}

static frames_list load_bytes(const void *bytes, size_t size)
{
    char why[FRAMES_WHY_SIZE] = "";
    frames_list list;
    media_write("odd", bytes, size);
    if (frames_load(&list, media_path("odd"), NULL, why, sizeof why) != FRAMES_OK) {
        fail_msg("%s", why);
    }
    assert_int_equal(list.count, 1);
    return list;
}

static void fails(const void *bytes, size_t size, frames_status expected, const char *saying)
{
    char why[FRAMES_WHY_SIZE] = "";
    frames_list list;
    media_write("odd", bytes, size);
    assert_int_equal(frames_load(&list, media_path("odd"), NULL, why, sizeof why), expected);
    print_message("    %s\n", why);
    assert_non_null(strstr(why, saying));
}

/* The same pixels whatever was in memory before. */
static void loads_the_same(const void *bytes, size_t size)
{
    dirty_memory(0x5a);
    frames_list first = load_bytes(bytes, size);
    dirty_memory(0x33);
    frames_list second = load_bytes(bytes, size);
    dirty_memory(0);
    assert_int_equal(first.frames[0].width, second.frames[0].width);
    assert_int_equal(first.frames[0].height, second.frames[0].height);
    assert_memory_equal(first.frames[0].rgb, second.frames[0].rgb,
                        (size_t)first.frames[0].width * first.frames[0].height * 3);
    frames_list_free(&first);
    frames_list_free(&second);
}

/* Where the first segment of this kind starts. */
static size_t find_segment(const uint8_t *jpeg, size_t size, uint8_t kind)
{
    size_t at = 2;
    while (at + 3 < size && jpeg[at + 1] != kind) {
        at += 2 + ((size_t)jpeg[at + 2] << 8 | jpeg[at + 3]);
    }
    assert_true(at + 3 < size);
    return at;
}

/* Motion JPEG leaves out the tables that everybody knows. */
static void jpeg_without_tables(void **state)
{
    (void)state;
    size_t size;
    media_write_picture("whole.jpg", 96, 64, 2, 5);
    uint8_t *bytes = media_read(media_path("whole.jpg"), &size);
    const size_t tables = find_segment(bytes, size, 0xc4);
    const size_t behind = tables + 2 + ((size_t)bytes[tables + 2] << 8 | bytes[tables + 3]);
    memmove(bytes + tables, bytes + behind, size - behind);
    size -= behind - tables;
    if (frames_has_video()) {
        frames_list list = load_bytes(bytes, size);
        assert_int_equal(list.frames[0].width, 96);
        assert_int_equal(list.frames[0].height, 64);
        assert_int_equal(media_index(&list.frames[0], 5), 2);
        assert_int_equal(media_red_corner(&list.frames[0]), TOP_LEFT);
        frames_list_free(&list);
        loads_the_same(bytes, size);
    } else {
        fails(bytes, size, FRAMES_E_DAMAGED, "a Huffman table of a JPEG is missing or too long");
    }
    free(bytes);
}

/* A scan of one of three components, cut short, and none of the others. */
static void jpeg_of_one_component(void **state)
{
    (void)state;
    size_t size;
    media_write_picture("whole.jpg", 96, 64, 2, 5);
    uint8_t *bytes = media_read(media_path("whole.jpg"), &size);
    const size_t scan = find_segment(bytes, size, 0xda);
    assert_int_equal(bytes[scan + 4], 3);
    memmove(bytes + scan + 7, bytes + scan + 11, size - scan - 11);
    bytes[scan + 3] -= 4;
    bytes[scan + 4] = 1;
    size_t end = scan + 10;
    while (bytes[end] != 0xff) {
        end++;
    }
    assert_true(end < size - 4);
    bytes[end + 1] = 0xd9;
    loads_the_same(bytes, end + 2);
    free(bytes);
}

/* Pixels whose colour the palette does not have are black. */
static void bmp_of_a_short_palette(void **state)
{
    (void)state;
    static const uint8_t black[4 * 4 * 3] = {0};
    uint8_t bmp[54 + 8 + 16] = {'B', 'M', 78, 0, 0, 0, 0, 0, 0, 0, 62, 0, 0, 0, 40, 0, 0,
                                0,   4,   0,  0, 0, 4, 0, 0, 0, 1, 0,  8, 0, 0, 0,  0, 0};
    for (uint8_t colour = 2; colour < 255; colour++) {
        memset(bmp + 62, colour, 16);
        frames_list list = load_bytes(bmp, sizeof bmp);
        assert_int_equal(list.frames[0].width, 4);
        assert_int_equal(list.frames[0].height, 4);
        assert_memory_equal(list.frames[0].rgb, black, sizeof black);
        frames_list_free(&list);
    }
}

/* The first row is the top one where the height is below zero. */
static void bmp_from_the_top(void **state)
{
    (void)state;
    size_t size;
    media_write_picture("up.bmp", 16, 12, 3, 5);
    uint8_t *bytes = media_read(media_path("up.bmp"), &size);
    uint8_t *turned = malloc(size);
    assert_non_null(turned);
    assert_int_equal(size, 54 + 16 * 12 * 3);
    memcpy(turned, bytes, 54);
    const int32_t height = -12;
    memcpy(turned + 22, &height, 4);
    for (size_t y = 0; y < 12; y++) {
        memcpy(turned + 54 + y * 48, bytes + 54 + (11 - y) * 48, 48);
    }
    frames_list list = load_bytes(turned, size);
    assert_int_equal(list.frames[0].width, 16);
    assert_int_equal(list.frames[0].height, 12);
    assert_int_equal(media_index(&list.frames[0], 5), 3);
    assert_int_equal(media_red_corner(&list.frames[0]), TOP_LEFT);
    frames_list_free(&list);
    memcpy(turned + 22, &(int32_t){INT32_MIN}, 4);
    fails(turned, size, FRAMES_E_TOO_LARGE, "odd: ");
    free(turned);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpeg_without_tables),
        cmocka_unit_test(jpeg_of_one_component),
        cmocka_unit_test(bmp_of_a_short_palette),
        cmocka_unit_test(bmp_from_the_top),
    };
    return cmocka_run_group_tests(tests, media_begin, media_end);
}
