/* Binary PNM, grey (P5) and colour (P6), up to 16 bits: stb_image's reader oversteps with 16. */
#include "reader.h"

#include <stdlib.h>

typedef struct pnm {
    const uint8_t *bytes;
    size_t size;
    size_t at;
} pnm;

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number of the header, over spaces and comments; 0 when there is none or it is absurd. */
static uint32_t next_number(pnm *p)
{
    uint32_t value = 0;
    while (p->at < p->size && (is_space(p->bytes[p->at]) || p->bytes[p->at] == '#')) {
        if (p->bytes[p->at] == '#') {
            while (p->at < p->size && p->bytes[p->at] != '\n') {
                p->at++;
            }
        } else {
            p->at++;
        }
    }
    while (p->at < p->size && p->bytes[p->at] >= '0' && p->bytes[p->at] <= '9') {
        if (value > 100000000) {
            return 0;
        }
        value = value * 10 + (uint32_t)(p->bytes[p->at++] - '0');
    }
    return value;
}

/* [count] samples of one or two bytes, 0..most, as bytes 0..255, each `repeat` times. */
static void spread_samples(const uint8_t *from, size_t count, uint32_t most, size_t repeat,
                           uint8_t *to)
{
    const size_t wide = most > 255 ? 2 : 1;
    for (size_t i = 0; i < count; i++, from += wide) {
        uint32_t value = wide == 2 ? (uint32_t)from[0] << 8 | from[1] : from[0];
        value = value < most ? (value * 255 + most / 2) / most : 255;
        for (size_t k = 0; k < repeat; k++) {
            *to++ = (uint8_t)value;
        }
    }
}

frames_status video_decode_pnm(const video_reader *base, const uint8_t *bytes, size_t size,
                               uint8_t **rgb, uint32_t *width, uint32_t *height, video_why why)
{
    pnm p = {bytes, size, 2};
    const size_t channels = bytes[1] == '6' ? 3 : 1;
    *width = next_number(&p);
    *height = next_number(&p);
    const uint32_t most = next_number(&p);
    if (*width == 0 || *height == 0 || most == 0 || most > 65535 || p.at >= size ||
        !is_space(bytes[p.at++])) {
        return video_fail(
            why, FRAMES_E_FORMAT,
            "%s: not a picture that can be read: the header of a PNM is damaged (give "
            "a JPEG, PNG, BMP or PNM)",
            base->name);
    }
    frames_status status = video_check_size(base->options, base->name, *width, *height, why);
    if (status != FRAMES_OK) {
        return status;
    }
    const size_t samples = (size_t)*width * *height * channels;
    const size_t needed = samples * (most > 255 ? 2 : 1);
    if (size - p.at < needed) {
        return video_fail(
            why, FRAMES_E_DAMAGED,
            "%s: the picture is cut short: %zu bytes of pixels of %zu (make or download "
            "it again)",
            base->name, size - p.at, needed);
    }
    *rgb = malloc((size_t)*width * *height * 3);
    if (!*rgb) {
        return video_fail_memory(why, base->name);
    }
    spread_samples(bytes + p.at, samples, most, 3 / channels, *rgb);
    return FRAMES_OK;
}
