/* Turning pictures upright: the eight orientations of EXIF, and where a JPEG says which. */
#include "reader.h"

#include <string.h>

void video_orient(const uint8_t *from, size_t stride, uint32_t width, uint32_t height,
                  int orientation, uint8_t *to)
{
    const size_t row = (size_t)width * 3;
    if (orientation <= 1 || orientation > 8) {
        for (uint32_t y = 0; y < height; y++) {
            memcpy(to + y * row, from + y * stride, row);
        }
        return;
    }
    const bool swap = video_orientation_swaps(orientation);
    /* Where the stored column and row run backwards along the upright axes they end up on. */
    const bool columns_back =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool rows_back =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const size_t to_row = (size_t)(swap ? height : width) * 3;
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *pixel = from + y * stride;
        const size_t line = rows_back ? height - 1 - y : y;
        for (uint32_t x = 0; x < width; x++, pixel += 3) {
            const size_t column = columns_back ? width - 1 - x : x;
            memcpy(swap ? to + column * to_row + line * 3 : to + line * to_row + column * 3, pixel,
                   3);
        }
    }
}

/* A TIFF block, the form in which EXIF comes. */
typedef struct tiff {
    const uint8_t *bytes;
    size_t size;
    bool big_endian;
} tiff;

static uint32_t tiff_number(const tiff *t, size_t at, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | t->bytes[at + (t->big_endian ? i : bytes - 1 - i)];
    }
    return value;
}

/* The orientation tag (0x0112) of the first directory; 1 when it is not there or not sound. */
static int tiff_orientation(tiff t)
{
    if (t.size < 8) {
        return 1;
    }
    t.big_endian = memcmp(t.bytes, "MM\0*", 4) == 0;
    if (!t.big_endian && memcmp(t.bytes, "II*\0", 4) != 0) {
        return 1;
    }
    const size_t directory = tiff_number(&t, 4, 4);
    if (directory > t.size - 2) {
        return 1;
    }
    const size_t entries = tiff_number(&t, directory, 2);
    for (size_t i = 0; i < entries; i++) {
        const size_t entry = directory + 2 + i * 12;
        if (entry + 12 > t.size) {
            return 1;
        }
        if (tiff_number(&t, entry, 2) == 0x0112 && tiff_number(&t, entry + 2, 2) == 3) {
            const uint32_t value = tiff_number(&t, entry + 8, 2);
            return value >= 1 && value <= 8 ? (int)value : 1;
        }
    }
    return 1;
}

int video_exif_orientation(const uint8_t *bytes, size_t size)
{
    if (size < 4 || bytes[0] != 0xff || bytes[1] != 0xd8) {
        return 1;
    }
    /* Marker segments up to the picture itself: 0xff, kind, length with its own two bytes. */
    for (size_t at = 2; at + 4 <= size && bytes[at] == 0xff;) {
        const uint8_t kind = bytes[at + 1];
        if (kind == 0xff) { /* fill byte */
            at++;
            continue;
        }
        const size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (kind == 0xda || kind == 0xd9 || length < 2 || at + 2 + length > size) {
            return 1;
        }
        if (kind == 0xe1 && length >= 8 && memcmp(bytes + at + 4, "Exif\0\0", 6) == 0) {
            return tiff_orientation((tiff){.bytes = bytes + at + 10, .size = length - 8});
        }
        at += 2 + length;
    }
    return 1;
}
