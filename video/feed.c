/* A live feed of raw RGB frames. */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct feed_reader {
    video_reader base;
    FILE *file; /* borrowed */
    uint32_t width, height;
    double fps;
    uint64_t given;
    uint8_t *rgb; /* the current frame, owned */
} feed_reader;

static frames_status feed_advance(video_reader *base, double *seconds, video_why why)
{
    feed_reader *feed = (feed_reader *)base;
    const size_t size = (size_t)feed->width * feed->height * 3;
    errno = 0;
    const size_t got = fread(feed->rgb, 1, size, feed->file);
    if (got == size) {
        *seconds = (double)feed->given++ / feed->fps;
        return FRAMES_OK;
    }
    if (ferror(feed->file)) {
        return video_fail(why, FRAMES_E_OPEN,
                          "%s: reading frame %llu failed: %s (check the program that writes it)",
                          base->name, (unsigned long long)feed->given,
                          errno ? strerror(errno) : "the file says no more");
    }
    if (got == 0) {
        return FRAMES_END;
    }
    return video_fail(
        why, FRAMES_E_DAMAGED,
        "%s: it ended %zu bytes into frame %llu, which has %zu (check that it is RGB24 "
        "of %lux%lu pixels)",
        base->name, got, (unsigned long long)feed->given, size, (unsigned long)feed->width,
        (unsigned long)feed->height);
}

static frames_status feed_pixels(video_reader *base, video_picture *picture, video_why why)
{
    (void)why;
    const feed_reader *feed = (const feed_reader *)base;
    *picture = (video_picture){feed->rgb, feed->width, feed->height, feed->width, feed->height};
    return FRAMES_OK;
}

static void feed_close(video_reader *base)
{
    free(((feed_reader *)base)->rgb);
    free(base);
}

frames_status video_open_feed(video_reader **reader, const video_reader *base, FILE *file,
                              uint32_t width, uint32_t height, double fps, video_why why)
{
    static const video_reader_ops ops = {feed_advance, feed_pixels, NULL, feed_close};
    *reader = NULL;
    if (!file || width == 0 || height == 0 || !(fps > 0 && fps <= 1e6)) {
        return video_fail(
            why, FRAMES_E_ARGUMENT,
            "%s: %s of %lux%lu pixels at %g frames a second (give an open file, a size "
            "and a rate above 0)",
            base->name, file ? "frames" : "no file", (unsigned long)width, (unsigned long)height,
            fps);
    }
    frames_status status = video_check_size(base->options, base->name, width, height, why);
    if (status != FRAMES_OK) {
        return status;
    }
    feed_reader *feed = calloc(1, sizeof *feed);
    uint8_t *rgb = malloc((size_t)width * height * 3);
    if (!feed || !rgb) {
        free(feed);
        free(rgb);
        return video_fail_memory(why, base->name);
    }
    *feed = (feed_reader){
        .base = *base, .file = file, .width = width, .height = height, .fps = fps, .rgb = rgb};
    feed->base.ops = &ops;
    base->info->kind = FRAMES_KIND_FEED;
    base->info->fps = fps;
    *reader = &feed->base;
    return FRAMES_OK;
}
