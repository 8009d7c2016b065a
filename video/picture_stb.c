/*
 * Pictures through stb_image, compiled privately into this file: other parts of the program may
 * have their own copy with other settings. Only the formats we list are in it, since every format
 * is a door for hostile files, and its GIF and PNM are wide ones.
 */
#include "reader.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Zeroed: of a damaged file it decodes bytes that it never wrote, and what was there is secret. */
static void *grow_zeroed(void *old, size_t old_size, size_t size)
{
    uint8_t *bytes = realloc(old, size);
    if (bytes && size > old_size) {
        memset(bytes + old_size, 0, size - old_size);
    }
    return bytes;
}

#define STBI_MALLOC(size)                       calloc(1, size)
#define STBI_REALLOC_SIZED(old, old_size, size) grow_zeroed(old, old_size, size)
#define STBI_FREE(bytes)                        free(bytes)
#define STBI_ASSERT(truth)                      ((void)0) /* a file must not end the program */

#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#if defined(__GNUC__)
#    pragma GCC diagnostic ignored "-Wunused-function" /* stb_image has more than we call */
#endif
#include <stb_image.h>

/*
 * False: a chunk of a PNG is longer than what is left of the file, for which stb_image would take
 * up to 2 GiB of memory.
 */
static bool png_chunks_fit(const uint8_t *bytes, size_t size)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (size < sizeof signature || memcmp(bytes, signature, sizeof signature) != 0) {
        return true;
    }
    for (size_t at = sizeof signature; size - at >= 8;) {
        const uint8_t *chunk = bytes + at;
        const size_t length =
            (size_t)chunk[0] << 24 | (size_t)chunk[1] << 16 | (size_t)chunk[2] << 8 | chunk[3];
        if (length > size - at - 8) {
            return false;
        }
        if (memcmp(chunk + 4, "IEND", 4) == 0 || length + 12 > size - at) {
            return true;
        }
        at += length + 12;
    }
    return true;
}

/* The header is no good. stbi_info only says "unknown"; loading stops there too, and says why. */
static frames_status fail_header(const video_reader *base, const uint8_t *bytes, size_t size,
                                 video_why why)
{
    const char *reason = "too large";
    int columns = 0, rows = 0, channels = 0;
    if (size <= INT_MAX) {
        stbi_image_free(stbi_load_from_memory(bytes, (int)size, &columns, &rows, &channels, 3));
        reason = stbi_failure_reason();
    }
    if (reason && strcmp(reason, "too large") == 0) { /* stb_image has limits of its own */
        return video_fail(why, FRAMES_E_TOO_LARGE, "%s: far too large (scale it down first)",
                          base->name);
    }
    return video_fail(why, FRAMES_E_FORMAT,
                      "%s: not a picture that can be read: %s (give a JPEG, PNG, BMP or PNM)",
                      base->name, reason ? reason : "its header is damaged");
}

frames_status video_decode_stb(const video_reader *base, const uint8_t *bytes, size_t size,
                               uint8_t **rgb, uint32_t *width, uint32_t *height, video_why why)
{
    int columns = 0, rows = 0, channels = 0;
    if (!video_jpeg_tables_fit(bytes, size)) {
        return video_fail(
            why, FRAMES_E_DAMAGED,
            "%s: the picture is damaged: a Huffman table of a JPEG is missing or too long (make or "
            "download it again)",
            base->name);
    }
    if (!png_chunks_fit(bytes, size)) {
        return video_fail(
            why, FRAMES_E_DAMAGED,
            "%s: the picture is damaged: a chunk of a PNG is longer than the file (make or "
            "download it again)",
            base->name);
    }
    if (size > INT_MAX || !stbi_info_from_memory(bytes, (int)size, &columns, &rows, &channels)) {
        return fail_header(base, bytes, size, why);
    }
    /* A BMP that starts with its top row says so by a height below 0. */
    const uint64_t height_said = (uint64_t)(rows < 0 ? -(int64_t)rows : rows);
    frames_status status =
        video_check_size(base->options, base->name, (uint64_t)columns, height_said, why);
    if (status != FRAMES_OK) {
        return status;
    }
    *rgb = stbi_load_from_memory(bytes, (int)size, &columns, &rows, &channels, 3);
    if (!*rgb) {
        return video_fail(why, FRAMES_E_DAMAGED,
                          "%s: the picture is damaged: %s (make or download it again)", base->name,
                          stbi_failure_reason());
    }
    *width = (uint32_t)columns;
    *height = (uint32_t)rows;
    return FRAMES_OK;
}
