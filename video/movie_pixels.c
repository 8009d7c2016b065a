/* A decoded video frame as upright RGB. */
#include "movie.h"

#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <math.h>

/*
 * The display matrix maps stored (x, y) to shown (a x + c y, b x + d y), y downwards. Its larger
 * diagonal gives the nearest quarter turn, and the signs say which, as an EXIF orientation.
 */
static int matrix_orientation(const int32_t *matrix)
{
    const double a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
    if (fabs(a) + fabs(d) >= fabs(b) + fabs(c)) {
        return a >= 0 ? (d >= 0 ? 1 : 4) : (d >= 0 ? 2 : 3);
    }
    return b >= 0 ? (c >= 0 ? 5 : 6) : (c >= 0 ? 8 : 7);
}

static const int32_t *stream_matrix(const AVStream *stream)
{
    const size_t needed = 9 * sizeof(int32_t);
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
    const AVPacketSideData *data =
        av_packet_side_data_get(stream->codecpar->coded_side_data,
                                stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return data && data->size >= needed ? (const int32_t *)(const void *)data->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= needed ? (const int32_t *)(const void *)data : NULL;
#endif
}

/* The frame's own matrix wins over the file's: newer libav copies the one into the other. */
static int frame_orientation(const movie_reader *m)
{
    const AVFrameSideData *own = av_frame_get_side_data(m->frame, AV_FRAME_DATA_DISPLAYMATRIX);
    const int32_t *matrix = own && own->size >= 9 * sizeof(int32_t)
                                ? (const int32_t *)(const void *)own->data
                                : stream_matrix(m->format->streams[m->stream]);
    return matrix ? matrix_orientation(matrix) : 1;
}

/* The width with square pixels; aspect ratios out of reason are taken for damage. */
static uint32_t square_width(const movie_reader *m)
{
    const uint32_t width = (uint32_t)m->frame->width;
    const AVRational aspect =
        av_guess_sample_aspect_ratio(m->format, m->format->streams[m->stream], m->frame);
    if (aspect.num <= 0 || aspect.den <= 0) {
        return width;
    }
    const double ratio = av_q2d(aspect);
    const double shown = floor(width * ratio + 0.5);
    return ratio < 1.0 / 16 || ratio > 16 || shown < 1 ? width : (uint32_t)shown;
}

/* JPEG's full range hides in the name of these formats; saying it apart keeps swscale quiet. */
static enum AVPixelFormat plain_format(enum AVPixelFormat format, int *full_range)
{
    static const enum AVPixelFormat names[][2] = {
        {AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P}, {AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUV411P},
        {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P}, {AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P},
        {AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (format == names[i][0]) {
            *full_range = 1;
            return names[i][1];
        }
    }
    return format;
}

/* Prepares m->converter for the current frame: its format, its matrix of colours, its range. */
static bool prepare_converter(movie_reader *m)
{
    const AVFrame *frame = m->frame;
    int full_range = frame->color_range == AVCOL_RANGE_JPEG;
    const enum AVPixelFormat format = plain_format((enum AVPixelFormat)frame->format, &full_range);
    /* Plain bicubic is what OpenCV asks for too; accurate rounding costs five times as much. */
    m->converter =
        sws_getCachedContext(m->converter, frame->width, frame->height, format, frame->width,
                             frame->height, AV_PIX_FMT_RGB24, SWS_BICUBIC, NULL, NULL, NULL);
    if (!m->converter) {
        return false;
    }
    /* Unspecified means BT.601 to swscale. Formats without such a matrix refuse; that is fine. */
    sws_setColorspaceDetails(m->converter, sws_getCoefficients((int)frame->colorspace), full_range,
                             sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    return true;
}

frames_status movie_pixels(video_reader *base, video_picture *picture, video_why why)
{
    movie_reader *m = (movie_reader *)base;
    const uint32_t width = (uint32_t)m->frame->width;
    const uint32_t height = (uint32_t)m->frame->height;
    const int orientation = frame_orientation(m);
    /* swscale writes whole vectors: rows of 64-byte steps and one more behind the last. */
    const size_t stride = ((size_t)width * 3 + 63) / 64 * 64;
    if (!video_buffer_reserve(&m->raw, stride * height + 64) ||
        !video_buffer_reserve(&m->upright, (size_t)width * height * 3)) {
        return video_fail_memory(why, base->name);
    }
    uint8_t *const to[4] = {m->raw.bytes};
    const int to_stride[4] = {(int)stride};
    if (!prepare_converter(m) ||
        sws_scale(m->converter, (const uint8_t *const *)m->frame->data, m->frame->linesize, 0,
                  m->frame->height, to, to_stride) != m->frame->height) {
        const char *format = av_get_pix_fmt_name((enum AVPixelFormat)m->frame->format);
        return video_fail(
            why, FRAMES_E_FORMAT,
            "%s: pixels of format %s cannot be made RGB (convert the video to yuv420p)", base->name,
            format ? format : "unknown");
    }
    video_orient(m->raw.bytes, stride, width, height, orientation, m->upright.bytes);
    const bool swap = video_orientation_swaps(orientation);
    const uint32_t square = square_width(m);
    *picture = (video_picture){.rgb = m->upright.bytes,
                               .width = swap ? height : width,
                               .height = swap ? width : height,
                               .shown_width = swap ? height : square,
                               .shown_height = swap ? square : height};
    return FRAMES_OK;
}
