/* Sizes: what is refused, and what the frames are resized to. */
#include "reader.h"

#include <math.h>

frames_status video_check_size(const frames_options *options, const char *name, uint64_t width,
                               uint64_t height, video_why why)
{
    if (width == 0 || height == 0) {
        return video_fail(why, FRAMES_E_DAMAGED,
                          "%s: frames of %llux%llu pixels (the file is damaged; make it again)",
                          name, (unsigned long long)width, (unsigned long long)height);
    }
    if (width > options->refuse_side || height > options->refuse_side) {
        return video_fail(why, FRAMES_E_TOO_LARGE,
                          "%s: %llux%llu pixels, a side may have %lu (scale it down first)", name,
                          (unsigned long long)width, (unsigned long long)height,
                          (unsigned long)options->refuse_side);
    }
    if (width * height > options->refuse_pixels) {
        return video_fail(why, FRAMES_E_TOO_LARGE,
                          "%s: %llux%llu pixels, a frame may have %llu (scale it down first)", name,
                          (unsigned long long)width, (unsigned long long)height,
                          (unsigned long long)options->refuse_pixels);
    }
    return FRAMES_OK;
}

/* side * scale to the nearest multiple of step, from one step up to the most steps below limit. */
static uint32_t round_side(double side, uint32_t step, uint32_t limit)
{
    double steps = floor(side / step + 0.5);
    double most = limit ? (double)(limit / step) : floor((double)UINT32_MAX / step);
    return (uint32_t)fmax(1, fmin(steps, most)) * step;
}

frames_status frames_output_size(const frames_options *options, uint32_t width, uint32_t height,
                                 uint32_t *out_width, uint32_t *out_height, char *text,
                                 size_t text_size)
{
    static const frames_options none = {0};
    const video_why why = {text, text_size};
    if (!options) {
        options = &none;
    }
    if (width == 0 || height == 0) {
        return video_fail(why, FRAMES_E_ARGUMENT, "size: a frame without pixels (give its size)");
    }
    const bool exact = options->size == FRAMES_SIZE_EXACT;
    if (exact && (options->width == 0 || options->height == 0)) {
        return video_fail(why, FRAMES_E_ARGUMENT,
                          "size: an exact size of %lux%lu (both sides must be at least 1)",
                          (unsigned long)options->width, (unsigned long)options->height);
    }
    const bool patches = options->size == FRAMES_SIZE_MULTIPLE;
    const uint32_t step = patches ? options->multiple : 1;
    if (step == 0 || (!exact && options->longest_side && options->longest_side < step)) {
        return video_fail(why, FRAMES_E_ARGUMENT,
                          "size: multiples of %lu up to %lu pixels (give a multiple of at least 1 "
                          "and a longest side of at least that)",
                          (unsigned long)step, (unsigned long)options->longest_side);
    }
    if (exact) {
        *out_width = options->width;
        *out_height = options->height;
    } else {
        const double longest = width > height ? width : height;
        const double limit = options->longest_side;
        const double scale = limit > 0 && longest > limit ? limit / longest : 1;
        *out_width = round_side(width * scale, step, options->longest_side);
        *out_height = round_side(height * scale, step, options->longest_side);
    }
    const frames_options limits = {
        .refuse_side = options->refuse_side ? options->refuse_side : 16384,
        .refuse_pixels = options->refuse_pixels ? options->refuse_pixels : 256u << 20,
    };
    return video_check_size(&limits, "size", *out_width, *out_height, why);
}
