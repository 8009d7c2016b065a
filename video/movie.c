/* Videos, through libav: opening, and going from one frame that decodes to the next. */
#include "movie.h"

#include <libavutil/opt.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * The containers we take. Formats that name other files (playlists, image patterns) and formats
 * that make a film of anything (text, sound) are not among them.
 */
static const char containers[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,mpegvideo,m4v,h264,hevc,flv,asf,ogg,"
    "ivf,yuv4mpegpipe,nut,apng,webp_pipe,tiff_pipe,png_pipe,jpeg_pipe,bmp_pipe,ppm_pipe,pgm_pipe";

/* Errors in a row after the end of the file that the decoder may make before we believe it. */
enum { MOST_FAILURES = 1000 };

frames_status movie_fail(const movie_reader *m, int error, video_why why)
{
    const char *name = m->base.name;
    char text[AV_ERROR_MAX_STRING_SIZE] = {0};
    switch (error) {
    case AVERROR(ENOMEM): return video_fail_memory(why, name);
    case AVERROR(EINVAL): /* what the list of containers refuses */
    case AVERROR_INVALIDDATA:
        return video_fail(
            why, FRAMES_E_FORMAT,
            "%s: neither a picture nor a video that can be read, or damaged at its "
            "start (give a video such as .mp4, .mkv, .webm, .avi, .gif, or a .jpg, .png "
            "or .bmp picture)",
            name);
    case AVERROR_STREAM_NOT_FOUND:
        return video_fail(why, FRAMES_E_FORMAT, "%s: the file holds no video (give one that does)",
                          name);
    default:
        av_strerror(error, text, sizeof text);
        return video_fail(why, FRAMES_E_FORMAT,
                          "%s: the video cannot be opened: %s (convert it to H.264 in .mp4)", name,
                          text);
    }
}

/* libav asks here for every file that a file refers to. */
static int refuse_to_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                          AVDictionary **options)
{
    (void)format;
    (void)io;
    (void)url;
    (void)flags;
    (void)options;
    return AVERROR(EPERM);
}

static int64_t pixel_limit(const frames_options *options)
{
    return options->refuse_pixels < INT_MAX ? (int64_t)options->refuse_pixels : INT_MAX;
}

/* Fills in what headers leave open. Its decoders too must not believe a hostile size. */
static int find_stream_info(movie_reader *m)
{
    const unsigned count = m->format->nb_streams;
    AVDictionary **each = av_calloc(count ? count : 1, sizeof *each);
    if (!each) {
        return AVERROR(ENOMEM);
    }
    int error = 0;
    for (unsigned i = 0; i < count && error >= 0; i++) {
        error = av_dict_set_int(&each[i], "max_pixels", pixel_limit(m->base.options), 0);
    }
    if (error >= 0) {
        error = avformat_find_stream_info(m->format, count ? each : NULL);
    }
    for (unsigned i = 0; i < count; i++) {
        av_dict_free(&each[i]);
    }
    av_free(each);
    return error;
}

/* The sizes that headers give, before any decoder sees them. */
static frames_status check_header_sizes(const movie_reader *m, video_why why)
{
    frames_status status = FRAMES_OK;
    for (unsigned i = 0; i < m->format->nb_streams && status == FRAMES_OK; i++) {
        const AVCodecParameters *p = m->format->streams[i]->codecpar;
        if (p->codec_type == AVMEDIA_TYPE_VIDEO && p->width > 0 && p->height > 0) {
            status = video_check_size(m->base.options, m->base.name, (uint64_t)p->width,
                                      (uint64_t)p->height, why);
        }
    }
    return status;
}

static frames_status open_container(movie_reader *m, video_why why)
{
    m->format = avformat_alloc_context();
    if (!m->format) {
        return video_fail_memory(why, m->base.name);
    }
    m->format->pb = m->io;
    m->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    m->format->io_open = refuse_to_open;
    m->format->format_whitelist = av_strdup(containers);
    if (!m->format->format_whitelist) {
        return video_fail_memory(why, m->base.name);
    }
    int error = avformat_open_input(&m->format, NULL, NULL, NULL); /* frees it on failure */
    if (error < 0) {
        return movie_fail(m, error, why);
    }
    frames_status status = check_header_sizes(m, why);
    if (status != FRAMES_OK) {
        return status;
    }
    error = find_stream_info(m);
    if (error != AVERROR(ENOMEM)) { /* any other: a damaged file, what decodes will tell */
        error = av_find_best_stream(m->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    }
    if (error < 0) {
        return movie_fail(m, error, why);
    }
    m->stream = error;
    for (unsigned i = 0; i < m->format->nb_streams; i++) {
        m->format->streams[i]->discard = (int)i == m->stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    return FRAMES_OK;
}

static frames_status open_decoder(movie_reader *m, video_why why)
{
    const AVCodecParameters *parameters = m->format->streams[m->stream]->codecpar;
    frames_status status = check_header_sizes(m, why); /* again: now all formats have said theirs */
    if (status != FRAMES_OK) {
        return status;
    }
    const AVCodec *decoder = avcodec_find_decoder(parameters->codec_id);
    if (!decoder) {
        return video_fail(why, FRAMES_E_FORMAT,
                          "%s: no decoder for %s (convert the video to H.264 in .mp4)",
                          m->base.name, avcodec_get_name(parameters->codec_id));
    }
    m->codec = avcodec_alloc_context3(decoder);
    m->packet = av_packet_alloc();
    m->frame = av_frame_alloc();
    if (!m->codec || !m->packet || !m->frame) {
        return video_fail_memory(why, m->base.name);
    }
    int error = avcodec_parameters_to_context(m->codec, parameters);
    if (error < 0) {
        return movie_fail(m, error, why);
    }
    m->codec->max_pixels = pixel_limit(m->base.options);
    m->codec->thread_count = m->base.options->threads < 64 ? (int)m->base.options->threads : 64;
    m->codec->pkt_timebase = m->format->streams[m->stream]->time_base;
    m->codec->log_level_offset = 100; /* above every level: this decoder prints nothing */
    error = avcodec_open2(m->codec, decoder, NULL);
    return error < 0 ? movie_fail(m, error, why) : FRAMES_OK;
}

static void close_file(movie_reader *m)
{
    avcodec_free_context(&m->codec);
    av_packet_free(&m->packet);
    av_frame_free(&m->frame);
    avformat_close_input(&m->format);
    movie_close_io(m);
}

static frames_status open_file(movie_reader *m, video_why why)
{
    frames_status status = movie_open_io(m, why);
    if (status == FRAMES_OK) {
        status = open_container(m, why);
    }
    if (status == FRAMES_OK) {
        status = open_decoder(m, why);
    }
    m->draining = false;
    m->started = false;
    m->clock = 0;
    return status;
}

/* Gives the decoder its next packet, or tells it that there are no more. */
static frames_status feed_decoder(movie_reader *m, video_why why)
{
    int error = 0;
    bool ours = false;
    while (!ours && error >= 0) {
        av_packet_unref(m->packet);
        error = av_read_frame(m->format, m->packet);
        ours = error >= 0 && m->packet->stream_index == m->stream;
    }
    if (error == AVERROR(ENOMEM)) {
        return video_fail_memory(why, m->base.name);
    }
    /* Any other error ends the file: it is cut short or damaged from here on. */
    m->draining = error < 0;
    error = avcodec_send_packet(m->codec, m->draining ? NULL : m->packet);
    av_packet_unref(m->packet);
    if (error == AVERROR(ENOMEM)) {
        return video_fail_memory(why, m->base.name);
    }
    if (error < 0 && !m->draining) {
        m->base.info->damaged++;
    }
    return FRAMES_OK;
}

/* Seconds since the first frame. Frames without a time follow the one before. */
static double frame_seconds(movie_reader *m)
{
    const AVRational base = m->format->streams[m->stream]->time_base;
    const int64_t stamp = m->frame->best_effort_timestamp;
    double clock = m->started ? m->clock + m->step : 0;
    if (stamp != AV_NOPTS_VALUE && base.num > 0 && base.den > 0) {
        clock = (double)stamp * av_q2d(base);
    }
    if (!m->started) {
        m->origin = clock;
        m->started = true;
    }
    m->clock = fmax(clock, m->clock);
    return m->clock - m->origin;
}

static frames_status movie_advance(video_reader *base, double *seconds, video_why why)
{
    movie_reader *m = (movie_reader *)base;
    int failures = 0;
    /* Counting wants to know that frames decode, not how smooth they are. */
    m->codec->skip_loop_filter = base->counting ? AVDISCARD_ALL : AVDISCARD_DEFAULT;
    while (failures < MOST_FAILURES) {
        const int error = avcodec_receive_frame(m->codec, m->frame);
        if (error >= 0) {
            frames_status status =
                video_check_size(base->options, base->name, (uint64_t)m->frame->width,
                                 (uint64_t)m->frame->height, why);
            *seconds = frame_seconds(m);
            return status;
        }
        if (error == AVERROR_EOF) {
            return FRAMES_END;
        }
        if (error == AVERROR(ENOMEM)) {
            return video_fail_memory(why, base->name);
        }
        if (error != AVERROR(EAGAIN)) {
            base->info->damaged++;
        }
        if (m->draining) {
            failures++;
        } else {
            frames_status status = feed_decoder(m, why);
            if (status != FRAMES_OK) {
                return status;
            }
        }
    }
    return FRAMES_END;
}

static frames_status movie_rewind(video_reader *base, video_why why)
{
    /* Opening again instead of seeking: damaged files and wrong indexes cannot seek. */
    movie_reader *m = (movie_reader *)base;
    close_file(m);
    return open_file(m, why);
}

static void movie_close(video_reader *base)
{
    movie_reader *m = (movie_reader *)base;
    close_file(m);
    sws_freeContext(m->converter);
    video_buffer_free(&m->raw);
    video_buffer_free(&m->upright);
    free(m->path);
    free(m);
}

/* What the header says, for people; and the step for frames without a time. */
static void note_header(movie_reader *m)
{
    AVStream *stream = m->format->streams[m->stream];
    const AVRational rate = av_guess_frame_rate(m->format, stream, NULL);
    const double fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    frames_info *info = m->base.info;
    info->kind = FRAMES_KIND_VIDEO;
    info->fps = fps;
    info->header_frames = stream->nb_frames > 0 ? (uint64_t)stream->nb_frames : 0;
    info->seconds = m->format->duration > 0 ? (double)m->format->duration / AV_TIME_BASE : 0;
    m->step = fps > 0 ? 1 / fps : 1.0 / 25;
}

frames_status video_open_movie(video_reader **reader, const video_reader *base, video_input input,
                               video_why why)
{
    static const video_reader_ops ops = {movie_advance, movie_pixels, movie_rewind, movie_close};
    *reader = NULL;
    movie_reader *m = calloc(1, sizeof *m);
    if (!m) {
        return video_fail_memory(why, base->name);
    }
    m->base = *base;
    m->base.ops = &ops;
    m->input = input;
    frames_status status = FRAMES_OK;
    if (input.path) {
        m->path = malloc(strlen(input.path) + 1);
        status = m->path ? FRAMES_OK : video_fail_memory(why, base->name);
        if (m->path) {
            strcpy(m->path, input.path);
        }
    }
    if (status == FRAMES_OK) {
        status = open_file(m, why);
    }
    if (status != FRAMES_OK) {
        movie_close(&m->base);
        return status;
    }
    note_header(m);
    *reader = &m->base;
    return FRAMES_OK;
}

bool frames_has_video(void)
{
    return true;
}

void frames_quiet_libav(void)
{
    av_log_set_level(AV_LOG_QUIET);
}
