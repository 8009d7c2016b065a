/* Test films, through libav's encoders. */
#include "media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

typedef struct writer {
    const media_film *film;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *frame;
} writer;

static void add_display_matrix(const writer *w)
{
    const media_film *film = w->film;
    if (!film->turn && !film->flip) {
        return;
    }
    int32_t matrix[9];
    av_display_rotation_set(matrix, film->turn);
    av_display_matrix_flip(matrix, film->flip, 0);
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
    AVPacketSideData *data = av_packet_side_data_new(&w->stream->codecpar->coded_side_data,
                                                     &w->stream->codecpar->nb_coded_side_data,
                                                     AV_PKT_DATA_DISPLAYMATRIX, sizeof matrix, 0);
    assert_non_null(data);
    memcpy(data->data, matrix, sizeof matrix);
#else
    uint8_t *data = av_stream_new_side_data(w->stream, AV_PKT_DATA_DISPLAYMATRIX, sizeof matrix);
    assert_non_null(data);
    memcpy(data, matrix, sizeof matrix);
#endif
}

static enum AVPixelFormat pixel_format(const AVCodec *codec)
{
    switch (codec->id) {
    case AV_CODEC_ID_GIF: return AV_PIX_FMT_RGB8;
    case AV_CODEC_ID_MJPEG: return AV_PIX_FMT_YUVJ420P;
    default: return AV_PIX_FMT_YUV420P;
    }
}

static void open_writer(writer *w, const AVCodec *codec)
{
    const media_film *film = w->film;
    const char *path = media_path(film->name);
    assert_true(avformat_alloc_output_context2(&w->format, NULL, NULL, path) >= 0);
    w->codec = avcodec_alloc_context3(codec);
    w->stream = avformat_new_stream(w->format, NULL);
    w->packet = av_packet_alloc();
    w->frame = av_frame_alloc();
    assert_true(w->codec && w->stream && w->packet && w->frame);
    w->codec->width = (int)film->width;
    w->codec->height = (int)film->height;
    w->codec->pix_fmt = pixel_format(codec);
    w->codec->time_base = (AVRational){1, film->fps};
    w->codec->framerate = (AVRational){film->fps, 1};
    w->codec->gop_size = 5;
    w->codec->thread_count = 1;
    w->codec->bit_rate = 800000;
    w->codec->qmin = 1;
    w->codec->qmax = 4;
    if (film->aspect) {
        w->codec->sample_aspect_ratio = (AVRational){film->aspect, 1};
    }
    if (w->format->oformat->flags & AVFMT_GLOBALHEADER) {
        w->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    assert_true(avcodec_open2(w->codec, codec, NULL) >= 0);
    assert_true(avcodec_parameters_from_context(w->stream->codecpar, w->codec) >= 0);
    w->stream->time_base = w->codec->time_base;
    w->stream->avg_frame_rate = w->codec->framerate;
    w->stream->sample_aspect_ratio = w->codec->sample_aspect_ratio;
    add_display_matrix(w);
    assert_true(avio_open(&w->format->pb, path, AVIO_FLAG_WRITE) >= 0);
    assert_true(avformat_write_header(w->format, NULL) >= 0);
    w->frame->format = w->codec->pix_fmt;
    w->frame->width = w->codec->width;
    w->frame->height = w->codec->height;
    assert_true(av_frame_get_buffer(w->frame, 0) >= 0);
}

/* Hands a frame, or NULL for the end, to the encoder and writes what comes out. */
static void encode(writer *w, AVFrame *frame)
{
    assert_true(avcodec_send_frame(w->codec, frame) >= 0);
    while (avcodec_receive_packet(w->codec, w->packet) >= 0) {
        av_packet_rescale_ts(w->packet, w->codec->time_base, w->stream->time_base);
        w->packet->stream_index = 0;
        assert_true(av_interleaved_write_frame(w->format, w->packet) >= 0);
    }
}

static void write_frames(writer *w)
{
    const media_film *film = w->film;
    struct SwsContext *converter =
        sws_getContext(w->codec->width, w->codec->height, AV_PIX_FMT_RGB24, w->codec->width,
                       w->codec->height, w->codec->pix_fmt, SWS_BICUBIC, NULL, NULL, NULL);
    assert_non_null(converter);
    for (uint32_t i = 0; i < film->frames; i++) {
        uint8_t *rgb = media_rgb(film->width, film->height, i, film->frames);
        const uint8_t *const from[4] = {rgb};
        const int stride[4] = {(int)film->width * 3};
        assert_true(av_frame_make_writable(w->frame) >= 0);
        sws_scale(converter, from, stride, 0, w->codec->height, w->frame->data, w->frame->linesize);
        free(rgb);
        w->frame->pts = film->square_times ? (int64_t)i * i : i;
        encode(w, w->frame);
    }
    encode(w, NULL);
    sws_freeContext(converter);
}

bool media_write_film(const media_film *film)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(film->codec);
    if (!codec) {
        return false;
    }
    writer w = {.film = film};
    open_writer(&w, codec);
    write_frames(&w);
    assert_true(av_write_trailer(w.format) >= 0);
    avio_closep(&w.format->pb);
    avformat_free_context(w.format);
    avcodec_free_context(&w.codec);
    av_packet_free(&w.packet);
    av_frame_free(&w.frame);
    return true;
}
