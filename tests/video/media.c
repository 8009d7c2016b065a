/* Test media that need no libav, and the folder they live in. */
#include "media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <unistd.h>

#include <stb_image_write.h>

static char folder[256];

int media_begin(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    frames_quiet_libav();
    snprintf(folder, sizeof folder, "%s/winnow-video-XXXXXX", parent && *parent ? parent : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *what, int kind, struct FTW *walk)
{
    (void)what;
    (void)kind;
    (void)walk;
    return remove(path);
}

int media_end(void **state)
{
    (void)state;
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

const char *media_path(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Levels from 30 up, as far apart as the number of frames allows. */
static double level_step(uint32_t count)
{
    return 200.0 / count;
}

uint8_t *media_rgb(uint32_t width, uint32_t height, uint32_t index, uint32_t count)
{
    uint8_t *rgb = malloc((size_t)width * height * 3);
    assert_non_null(rgb);
    const uint32_t level = 30 + (uint32_t)(index * level_step(count));
    uint32_t random = index + 1;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            const bool red = x < width / 2 && y < height / 2;
            random = random * 1664525u + 1013904223u;
            const uint8_t grey = (uint8_t)(level + (random >> 29) - 3); /* not too easy to pack */
            uint8_t *pixel = rgb + ((size_t)y * width + x) * 3;
            pixel[0] = red ? 250 : grey;
            pixel[1] = red ? 10 : grey;
            pixel[2] = red ? 10 : grey;
        }
    }
    return rgb;
}

/* The mean of one channel over the middle of a quarter. */
static double quarter_mean(const frames_frame *frame, media_corner corner, int channel)
{
    const uint32_t w = frame->width, h = frame->height;
    const uint32_t left = corner == TOP_RIGHT || corner == BOTTOM_RIGHT ? w / 2 : 0;
    const uint32_t top = corner == BOTTOM_LEFT || corner == BOTTOM_RIGHT ? h / 2 : 0;
    double sum = 0, count = 0;
    for (uint32_t y = top + h / 8; y < top + h / 2 - h / 8; y++) {
        for (uint32_t x = left + w / 8; x < left + w / 2 - w / 8; x++) {
            sum += frame->rgb[((size_t)y * w + x) * 3 + (size_t)channel];
            count++;
        }
    }
    assert_true(count > 0);
    return sum / count;
}

uint32_t media_index(const frames_frame *frame, uint32_t count)
{
    static const media_corner opposite[] = {BOTTOM_RIGHT, BOTTOM_LEFT, TOP_RIGHT, TOP_LEFT,
                                            BOTTOM_RIGHT};
    const double level = quarter_mean(frame, opposite[media_red_corner(frame)], 1);
    const double index = (level - 30) / level_step(count) + 0.5;
    return index < 0 ? 0 : (uint32_t)index;
}

media_corner media_red_corner(const frames_frame *frame)
{
    media_corner found = NO_CORNER;
    for (media_corner corner = TOP_LEFT; corner <= BOTTOM_RIGHT; corner++) {
        if (quarter_mean(frame, corner, 0) > quarter_mean(frame, corner, 1) + 100) {
            assert_int_equal(found, NO_CORNER);
            found = corner;
        }
    }
    return found;
}

void media_write_picture(const char *name, uint32_t width, uint32_t height, uint32_t index,
                         uint32_t count)
{
    uint8_t *rgb = media_rgb(width, height, index, count);
    const char *path = media_path(name);
    const char *ending = strrchr(name, '.');
    const int w = (int)width, h = (int)height;
    int ok = 0;
    if (strcmp(ending, ".png") == 0) {
        ok = stbi_write_png(path, w, h, 3, rgb, w * 3);
    } else if (strcmp(ending, ".bmp") == 0) {
        ok = stbi_write_bmp(path, w, h, 3, rgb);
    } else if (strcmp(ending, ".ppm") == 0) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        ok = fprintf(file, "P6\n%d %d\n255\n", w, h) > 0 &&
             fwrite(rgb, 3, (size_t)width * height, file) == (size_t)width * height;
        fclose(file);
    } else {
        ok = stbi_write_jpg(path, w, h, 3, rgb, 95);
    }
    free(rgb);
    assert_true(ok);
}

uint8_t *media_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long length = ftell(file);
    assert_true(length >= 0);
    rewind(file);
    uint8_t *bytes = malloc((size_t)length + 1);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (size_t)length, file);
    fclose(file);
    assert_int_equal(*size, length);
    return bytes;
}

void media_write(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(media_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}
