/* The film: the sampled frames with their marks, at the pace at which they were sampled. */
#include "show.h"

#include "cli.h"

#ifndef WINNOW_HAS_LIBAV

int show_film(const show *s, const char *path)
{
    (void)s;
    return cli_fail("%s: this build writes no films (choose .png or .html, or build with FFmpeg's "
                    "libav)",
                    path);
}

#else

#    include <libavcodec/avcodec.h>
#    include <libavformat/avformat.h>
#    include <libavutil/opt.h>
#    include <libswscale/swscale.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>

#    include "canvas.h"
#    include "output.h"
#    include "overlay.h"
#    include "progress.h"

enum { SIDE_MIN = 640, FOOT = 56, PAD = 16, TICKS = 1000, HOLD_MS = 1000 };

typedef struct film {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVFrame *frame;
    AVPacket *packet;
    struct SwsContext *scale;
    canvas c;
    int picture_width, picture_height;
} film;

static void film_close(film *f)
{
    avcodec_free_context(&f->codec);
    av_frame_free(&f->frame);
    av_packet_free(&f->packet);
    sws_freeContext(f->scale);
    if (f->format) {
        avio_closep(&f->format->pb);
        avformat_free_context(f->format);
    }
    canvas_destroy(&f->c);
    memset(f, 0, sizeof *f);
}

static int open_codec(film *f, int width, int height)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    bool is_x264 = codec != NULL;
    if (!codec) {
        codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    }
    f->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!f->codec) {
        return AVERROR_ENCODER_NOT_FOUND;
    }
    f->codec->width = width;
    f->codec->height = height;
    f->codec->pix_fmt = AV_PIX_FMT_YUV420P;
    f->codec->time_base = (AVRational){1, TICKS};
    f->codec->max_b_frames = 0;
    f->codec->color_range = AVCOL_RANGE_MPEG;
    f->codec->colorspace = AVCOL_SPC_BT709;
    f->codec->color_primaries = AVCOL_PRI_BT709;
    f->codec->color_trc = AVCOL_TRC_BT709;
    if (is_x264) {
        av_opt_set(f->codec->priv_data, "crf", "18", 0);
        av_opt_set(f->codec->priv_data, "preset", "fast", 0);
    } else {
        f->codec->flags |= AV_CODEC_FLAG_QSCALE;
        f->codec->global_quality = 3 * FF_QP2LAMBDA;
    }
    if (f->format->oformat->flags & AVFMT_GLOBALHEADER) {
        f->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    return avcodec_open2(f->codec, codec, NULL);
}

static int open_scaler(film *f, int width, int height)
{
    f->frame = av_frame_alloc();
    f->packet = av_packet_alloc();
    f->scale = sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                              SWS_BICUBIC, NULL, NULL, NULL);
    if (!f->frame || !f->packet || !f->scale) {
        return AVERROR(ENOMEM);
    }
    const int *table = sws_getCoefficients(SWS_CS_ITU709);
    sws_setColorspaceDetails(f->scale, table, 1, table, 0, 0, 1 << 16, 1 << 16);
    f->frame->format = AV_PIX_FMT_YUV420P;
    f->frame->width = width;
    f->frame->height = height;
    return av_frame_get_buffer(f->frame, 0);
}

static int film_open(film *f, const media *m, const char *beside)
{
    int grow = (SIDE_MIN + (int)m->width - 1) / (int)m->width;
    f->picture_width = (int)m->width * grow;
    f->picture_height = (int)m->height * grow;
    int width = f->picture_width / 2 * 2, height = (f->picture_height + FOOT) / 2 * 2;

    if (!canvas_create(&f->c, width, height, look_ground)) {
        return AVERROR(ENOMEM);
    }
    int status = avformat_alloc_output_context2(&f->format, NULL, "mp4", beside);
    if (status >= 0) {
        status = open_codec(f, width, height);
    }
    if (status >= 0) {
        status = open_scaler(f, width, height);
    }
    if (status < 0) {
        return status;
    }
    f->stream = avformat_new_stream(f->format, NULL);
    if (!f->stream) {
        return AVERROR(ENOMEM);
    }
    f->stream->time_base = f->codec->time_base;
    status = avcodec_parameters_from_context(f->stream->codecpar, f->codec);
    if (status >= 0) {
        status = avio_open(&f->format->pb, beside, AVIO_FLAG_WRITE);
    }
    AVDictionary *options = NULL;
    av_dict_set(&options, "movflags", "+faststart", 0); /* plays while it loads */
    if (status >= 0) {
        status = avformat_write_header(f->format, &options);
    }
    av_dict_free(&options);
    return status;
}

/* Writes the packets that the codec has ready; NULL frame: the last ones. */
static int film_write(film *f, const AVFrame *frame)
{
    int status = avcodec_send_frame(f->codec, frame);
    while (status >= 0) {
        status = avcodec_receive_packet(f->codec, f->packet);
        if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) {
            return 0;
        }
        if (status >= 0) {
            av_packet_rescale_ts(f->packet, f->codec->time_base, f->stream->time_base);
            status = av_interleaved_write_frame(f->format, f->packet);
        }
    }
    return status;
}

static void draw(film *f, const show *s, uint32_t t)
{
    uint32_t tokens = s->m->grid_h * s->m->grid_w, kept = marks_counts(s->k, t)[MARK_KEPT];
    int foot = f->picture_height, room = f->c.width - 2 * PAD;
    char text[160], fitted[160], name[32];

    canvas_fill(&f->c, 0, foot, f->c.width, f->c.height - foot, look_ground);
    overlay_frame(&f->c, 0, 0, f->picture_width, f->picture_height, s->m, s->k, t);
    overlay_bar(&f->c, 0, foot, f->c.width, 6, s->k, t);
    snprintf(text, sizeof text, "%s  kept %u/%u  %s", show_name(s, t, name, sizeof name), kept,
             tokens, s->spec);
    canvas_text(&f->c, PAD, foot + 24, 2, look_text,
                canvas_fit(2, room, text, fitted, (int)sizeof fitted));
}

static int put(film *f, int64_t when)
{
    const uint8_t *rows[1] = {f->c.rgb};
    int stride[1] = {f->c.width * 3};
    int status = av_frame_make_writable(f->frame);
    if (status < 0) {
        return status;
    }
    sws_scale(f->scale, rows, stride, 0, f->c.height, f->frame->data, f->frame->linesize);
    f->frame->pts = when;
    return film_write(f, f->frame);
}

/* Milliseconds that frame t stays. Several inputs start again at 0, pictures have no pace. */
static int64_t hold(const media *m, uint32_t t)
{
    double seconds = t + 1 < m->frames ? m->seconds[t + 1] - m->seconds[t]
                     : t > 0           ? m->seconds[t] - m->seconds[t - 1]
                                       : 0;
    int64_t ms = (int64_t)(seconds * TICKS + 0.5);
    return ms < 1 || ms > 10 * HOLD_MS ? HOLD_MS : ms;
}

static int film_draw(film *f, const show *s)
{
    progress *bar = progress_begin("writing the film", s->m->frames);
    int64_t when = 0;
    int status = 0;

    for (uint32_t t = 0; status >= 0 && t < s->m->frames; t++) {
        draw(f, s, t);
        status = put(f, when);
        when += hold(s->m, t);
        progress_at(bar, t + 1, s->m->frames);
    }
    if (status >= 0) {
        status = put(f, when - 1); /* the last frame again: without it it would flash by */
    }
    progress_end(bar);
    if (status >= 0) {
        status = film_write(f, NULL);
    }
    if (status >= 0) {
        status = av_write_trailer(f->format);
    }
    int closed = f->format->pb ? avio_closep(&f->format->pb) : 0;
    return status < 0 ? status : closed;
}

int show_film(const show *s, const char *path)
{
    film f = {0};
    output out;
    int exit_code = output_open(&out, path);

    if (exit_code) {
        return exit_code;
    }
    if (!out.beside) {
        output_abandon(&out);
        return cli_fail("%s: a film needs a plain file (choose another place)", path);
    }
    int status = film_open(&f, s->m, out.beside);
    if (status >= 0) {
        status = film_draw(&f, s);
    }
    film_close(&f);
    if (status < 0) {
        char why[AV_ERROR_MAX_STRING_SIZE];
        av_strerror(status, why, sizeof why);
        exit_code =
            cli_fail("%s: writing the film failed: %s (make room, or choose .html)", path, why);
        output_abandon(&out);
        return exit_code;
    }
    return output_commit(&out);
}

#endif /* WINNOW_HAS_LIBAV */
