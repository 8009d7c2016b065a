/* The video reader's own parts. Only movie*.c include it, and only they know libav. */
#ifndef WINNOW_VIDEO_MOVIE_H
#define WINNOW_VIDEO_MOVIE_H

#include "reader.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

typedef struct movie_reader {
    video_reader base;
    video_input input;
    char *path; /* owned copy of input.path, or NULL */

    FILE *file; /* open while reading a path */
    size_t at;  /* position while reading memory */
    AVIOContext *io;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame; /* the current frame */
    int stream;     /* which stream of the file is the video */
    bool draining;  /* the file is read to its end, the decoder still holds frames */

    bool started;  /* a frame has been given */
    double origin; /* seconds on the file's clock of the first frame */
    double clock;  /* seconds on the file's clock of the current frame */
    double step;   /* seconds a frame, for frames without a time */

    struct SwsContext *converter;
    video_buffer raw;     /* current frame as RGB, rows padded */
    video_buffer upright; /* the same, turned and packed */
} movie_reader;

/* Opens the file's bytes as m->io. */
frames_status movie_open_io(movie_reader *m, video_why why);
void movie_close_io(movie_reader *m);

/* The current frame as upright RGB in m->upright. */
frames_status movie_pixels(video_reader *base, video_picture *picture, video_why why);

/* What a libav error code means here, as a status and a sentence. */
frames_status movie_fail(const movie_reader *m, int error, video_why why);

#endif
