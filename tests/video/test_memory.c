/*
 * Out of memory, everywhere: the n-th allocation of the library fails, for every n until one run
 * goes through. What is left behind shows in a build with the address sanitizer.
 */
#include "media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#ifdef WINNOW_TEST_LIBAV
#    include <libavutil/mem.h>
#endif

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool armed;
static long countdown; /* allocations until one fails */

static bool fails_now(void)
{
    return armed && countdown-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails_now() ? NULL : __real_realloc(old, size);
}

static const frames_options demanding = {.uniform_count = 3,
                                         .size = FRAMES_SIZE_MULTIPLE,
                                         .multiple = 8,
                                         .longest_side = 24,
                                         .threads = 1};

static void survives_lack_of_memory(const char *path, size_t frames)
{
    frames_status status = FRAMES_E_MEMORY;
    long failed = 0;
    for (long n = 0; n < 10000; n++) {
        frames_list list;
        char why[FRAMES_WHY_SIZE] = "";
        countdown = n;
        armed = true;
        status = frames_load(&list, path, &demanding, why, sizeof why);
        armed = false;
        if (countdown >= 0) { /* none failed: this is how it goes with enough memory */
            assert_int_equal(status, FRAMES_OK);
            assert_int_equal(list.count, frames);
            frames_list_free(&list);
            break;
        }
        failed++;
        if (status != FRAMES_OK) { /* stb_image's own lack of memory reads as damage */
            assert_true(status == FRAMES_E_MEMORY || status == FRAMES_E_DAMAGED ||
                        status == FRAMES_E_FORMAT);
            assert_int_equal(list.count, 0);
            assert_int_equal(why[strlen(why) - 1], ')');
        }
        frames_list_free(&list);
    }
    assert_int_equal(status, FRAMES_OK);
    print_message("    %ld allocations failed one by one\n", failed);
    assert_true(failed > 5);
}

static void pictures(void **state)
{
    (void)state;
    media_write_picture("a.png", 50, 40, 0, 5);
    survives_lack_of_memory(media_path("a.png"), 1);
    mkdir(media_path("folder"), 0700);
    media_write_picture("folder/1.jpg", 50, 40, 0, 5);
    media_write_picture("folder/2.ppm", 50, 40, 0, 5);
    survives_lack_of_memory(media_path("folder"), 2);
}

static void feed(void **state)
{
    (void)state;
    FILE *file = fopen(media_path("a.png"), "rb");
    assert_non_null(file);
    for (countdown = 0; countdown < 4;) {
        const long n = countdown;
        frames_source *source;
        armed = true;
        const frames_status status = frames_open_feed(&source, file, 2, 2, 5, NULL, NULL, 0);
        armed = false;
        assert_int_equal(status, n < 4 ? FRAMES_E_MEMORY : FRAMES_OK);
        assert_null(source);
        countdown = n + 1;
    }
    fclose(file);
}

#ifdef WINNOW_TEST_LIBAV
static void films(void **state)
{
    (void)state;
    static const media_film film = {"a.avi", "mpeg4", 64, 48, 6, 10, .turn = 0};
    assert_true(media_write_film(&film));
    survives_lack_of_memory(media_path("a.avi"), 3);
    /* libav's allocations: everything above a size fails. */
    for (size_t most = 64; most < 1 << 17; most += most / 2) {
        frames_list list;
        char why[FRAMES_WHY_SIZE] = "";
        av_max_alloc(most);
        const frames_status status =
            frames_load(&list, media_path("a.avi"), &demanding, why, sizeof why);
        av_max_alloc(1 << 30);
        if (status != FRAMES_OK) {
            assert_int_equal(why[strlen(why) - 1], ')');
        }
        frames_list_free(&list);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),
        cmocka_unit_test(feed),
#ifdef WINNOW_TEST_LIBAV
        cmocka_unit_test(films),
#endif
    };
    return cmocka_run_group_tests(tests, media_begin, media_end);
}
