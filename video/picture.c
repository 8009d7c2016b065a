/* One picture: a file in memory to upright pixels, and the reader of a single picture. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

bool video_is_picture(const uint8_t *bytes, size_t size)
{
    static const struct {
        const char *magic;
        size_t size;
    } known[] = {
        {"\xff\xd8\xff", 3}, {"\x89PNG\r\n\x1a\n", 8}, {"BM", 2}, {"P5", 2}, {"P6", 2},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (size >= known[i].size && memcmp(bytes, known[i].magic, known[i].size) == 0) {
            return true;
        }
    }
    return false;
}

/* Turns the stored pixels upright. Takes over `stored`. */
static frames_status take_upright(const video_reader *base, uint8_t *stored, uint32_t width,
                                  uint32_t height, int orientation, video_picture *picture,
                                  video_why why)
{
    *picture = (video_picture){.rgb = stored, .width = width, .height = height};
    if (orientation != 1) {
        picture->rgb = malloc((size_t)width * height * 3);
        if (picture->rgb) {
            video_orient(stored, (size_t)width * 3, width, height, orientation, picture->rgb);
        }
        free(stored);
        if (!picture->rgb) {
            return video_fail_memory(why, base->name);
        }
    }
    if (video_orientation_swaps(orientation)) {
        picture->width = height;
        picture->height = width;
    }
    picture->shown_width = picture->width;
    picture->shown_height = picture->height;
    return FRAMES_OK;
}

/* The first frame as libav sees it: pictures that we do not know, or find damaged. */
static frames_status decode_with_libav(const video_reader *base, const uint8_t *bytes, size_t size,
                                       video_picture *picture, video_why why)
{
    frames_info info = {0};
    video_reader here = *base;
    here.info = &info;
    video_reader *movie = NULL;
    video_picture frame = {0};
    double seconds = 0;
    frames_status status =
        video_open_movie(&movie, &here, (video_input){.bytes = bytes, .size = size}, why);
    if (status == FRAMES_OK) {
        status = movie->ops->advance(movie, &seconds, why);
    }
    if (status == FRAMES_OK) {
        status = movie->ops->pixels(movie, &frame, why);
    }
    if (status == FRAMES_OK) {
        const size_t length = (size_t)frame.width * frame.height * 3;
        *picture = frame;
        picture->rgb = malloc(length);
        if (picture->rgb) {
            memcpy(picture->rgb, frame.rgb, length);
        } else {
            status = video_fail_memory(why, base->name);
        }
    }
    if (movie) {
        movie->ops->close(movie);
    }
    return status;
}

static bool asks_libav(frames_status status)
{
    return frames_has_video() && (status == FRAMES_E_DAMAGED || status == FRAMES_E_FORMAT);
}

/* Without libav. */
static frames_status decode_ourselves(const video_reader *base, const uint8_t *bytes, size_t size,
                                      video_picture *picture, video_why why)
{
    uint8_t *stored = NULL;
    uint32_t width = 0, height = 0;
    const bool pnm = size >= 2 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6');
    frames_status status = (pnm ? video_decode_pnm : video_decode_stb)(base, bytes, size, &stored,
                                                                       &width, &height, why);
    return status != FRAMES_OK ? status
                               : take_upright(base, stored, width, height,
                                              video_exif_orientation(bytes, size), picture, why);
}

frames_status video_decode_picture(const video_reader *base, const uint8_t *bytes, size_t size,
                                   video_picture *picture, video_why why)
{
    frames_status status = decode_ourselves(base, bytes, size, picture, why);
    if (asks_libav(status)) {
        /* The first sentence stands unless libav helps or knows something graver. */
        const video_why unheard = {NULL, 0};
        frames_status second = decode_with_libav(base, bytes, size, picture, unheard);
        if (second == FRAMES_OK) {
            return FRAMES_OK;
        }
        if (second == FRAMES_E_TOO_LARGE || second == FRAMES_E_MEMORY) {
            return decode_with_libav(base, bytes, size, picture, why);
        }
    }
    return status;
}

/* The reader of one picture: it gives the same pixels once per pass. */
typedef struct picture_reader {
    video_reader base;
    video_picture picture; /* owned */
    bool given;
} picture_reader;

static frames_status picture_advance(video_reader *base, double *seconds, video_why why)
{
    (void)why;
    picture_reader *reader = (picture_reader *)base;
    if (reader->given) {
        return FRAMES_END;
    }
    reader->given = true;
    *seconds = 0;
    return FRAMES_OK;
}

static frames_status picture_pixels(video_reader *base, video_picture *picture, video_why why)
{
    (void)why;
    *picture = ((picture_reader *)base)->picture;
    return FRAMES_OK;
}

static frames_status picture_rewind(video_reader *base, video_why why)
{
    (void)why;
    ((picture_reader *)base)->given = false;
    return FRAMES_OK;
}

static void picture_close(video_reader *base)
{
    free(((picture_reader *)base)->picture.rgb);
    free(base);
}

frames_status video_open_picture(video_reader **reader, const video_reader *base, video_input input,
                                 video_why why)
{
    static const video_reader_ops ops = {picture_advance, picture_pixels, picture_rewind,
                                         picture_close};
    *reader = NULL;
    picture_reader *one = calloc(1, sizeof *one);
    if (!one) {
        return video_fail_memory(why, base->name);
    }
    one->base = *base;
    one->base.ops = &ops;
    uint8_t *bytes = NULL;
    frames_status status = FRAMES_OK;
    if (input.path) {
        status = video_read_file(base->name, input.path, &bytes, &input.size, why);
        input.bytes = bytes;
    }
    if (status == FRAMES_OK) {
        status = video_decode_picture(base, input.bytes, input.size, &one->picture, why);
    }
    free(bytes);
    if (status != FRAMES_OK) {
        picture_close(&one->base);
        return status;
    }
    base->info->kind = FRAMES_KIND_PICTURE;
    base->info->header_frames = 1;
    *reader = &one->base;
    return FRAMES_OK;
}
