/* Sources: opening whatever it is, choosing frames, giving them at the size asked for. */
#include "reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct frames_source {
    frames_options options; /* with the zeros filled in */
    frames_info info;
    char *name; /* for the sentences */
    video_reader *reader;
    video_sampler sampler;
    uint64_t index; /* of the reader's current frame */
    double seconds; /* of the reader's current frame */
    bool ahead;     /* the current frame was read while opening and is still to be judged */
    video_buffer out;
    uint32_t same_width, same_height; /* same_size: that of the first frame */
    frames_status ended;              /* FRAMES_OK: goes on; else what every call now says */
    char ended_why[FRAMES_WHY_SIZE];
};

/* Options that make no sense fail before anything is opened. */
static frames_status check_options(const frames_options *o, video_why why)
{
    if (!(o->fps >= 0 && o->fps <= 1e6) || !(o->picture_fps >= 0 && o->picture_fps <= 1e6)) {
        return video_fail(why, FRAMES_E_ARGUMENT,
                          "options: fps %g, picture_fps %g (give rates from 0 to 1000000)", o->fps,
                          o->picture_fps);
    }
    if (o->uniform_count && o->fps > 0) {
        return video_fail(why, FRAMES_E_ARGUMENT,
                          "options: uniform_count and fps are both set (choose one way to sample)");
    }
    if (o->size != FRAMES_SIZE_KEEP && o->size != FRAMES_SIZE_EXACT &&
        o->size != FRAMES_SIZE_MULTIPLE) {
        return video_fail(why, FRAMES_E_ARGUMENT,
                          "options: size mode %d is unknown (use FRAMES_SIZE_*)", (int)o->size);
    }
    uint32_t width = 0, height = 0;
    return frames_output_size(o, 1, 1, &width, &height, why.text, why.size);
}

static void fill_in(frames_options *o)
{
    o->refuse_side = o->refuse_side ? o->refuse_side : 16384;
    o->refuse_pixels = o->refuse_pixels ? o->refuse_pixels : 256u << 20;
    o->load_bytes = o->load_bytes ? o->load_bytes : (uint64_t)2 << 30;
    o->picture_fps = o->picture_fps > 0 ? o->picture_fps : 1;
    o->threads = o->threads ? o->threads : 4;
}

static frames_status source_create(frames_source **source, const char *name,
                                   const frames_options *options, video_why why)
{
    static const frames_options none = {0};
    options = options ? options : &none;
    frames_status status = check_options(options, why);
    if (status != FRAMES_OK) {
        return status;
    }
    frames_source *s = calloc(1, sizeof *s);
    char *copy = malloc(strlen(name) + 1);
    if (!s || !copy) {
        free(s);
        free(copy);
        return video_fail_memory(why, name);
    }
    strcpy(copy, name);
    s->name = copy;
    s->options = *options;
    fill_in(&s->options);
    *source = s;
    return FRAMES_OK;
}

static video_reader reader_base(frames_source *source)
{
    return (video_reader){.options = &source->options, .name = source->name, .info = &source->info};
}

static frames_status advance(frames_source *source, video_why why)
{
    double seconds = 0;
    frames_status status = source->reader->ops->advance(source->reader, &seconds, why);
    if (status == FRAMES_OK) {
        source->index++;
        source->seconds = fmax(seconds, source->seconds);
    }
    return status;
}

static frames_status rewind_source(frames_source *source, video_why why)
{
    source->index = UINT64_MAX; /* so that the first frame is 0 */
    source->seconds = 0;
    source->info.damaged = 0;
    return source->reader->ops->rewind(source->reader, why);
}

/* Decodes everything once to learn how many frames there are, and how many sampling would take. */
static frames_status count_frames(frames_source *source, video_why why)
{
    if (!source->reader->ops->rewind) {
        return video_fail(why, FRAMES_E_ARGUMENT,
                          "%s: a feed has no end to spread frames over (sample it by fps)",
                          source->name);
    }
    video_sampler sampler = video_sampler_by_time(source->options.fps, 0);
    source->reader->counting = true;
    frames_status status;
    uint64_t total = 0, would_take = 0;
    while ((status = advance(source, why)) == FRAMES_OK) {
        would_take += video_sampler_takes(&sampler, total++, source->seconds);
    }
    source->reader->counting = false;
    source->info.decoded_frames = total;
    source->info.selected_frames = would_take;
    return status == FRAMES_END ? rewind_source(source, why) : status;
}

static frames_status choose_sampler(frames_source *source, video_why why)
{
    const frames_options *o = &source->options;
    uint64_t limit = o->max_frames ? o->max_frames : UINT64_MAX;
    uint64_t count = o->uniform_count;
    source->sampler = video_sampler_by_time(o->fps, o->max_frames);
    if (!count && !(o->spread && o->max_frames)) {
        return FRAMES_OK;
    }
    frames_status status = count_frames(source, why);
    if (status != FRAMES_OK) {
        return status;
    }
    if (!count && source->info.selected_frames > limit) {
        count = limit;
    }
    count = count < limit ? count : limit;
    if (count) {
        source->sampler = video_sampler_uniform(source->info.decoded_frames, count);
        source->info.selected_frames = source->sampler.count;
    }
    return FRAMES_OK;
}

/* The output size of a frame shown at this size. */
static frames_status output_size(const frames_source *source, const video_picture *picture,
                                 uint32_t *width, uint32_t *height, video_why why)
{
    if (source->same_width) {
        *width = source->same_width;
        *height = source->same_height;
        return FRAMES_OK;
    }
    return frames_output_size(&source->options, picture->shown_width, picture->shown_height, width,
                              height, why.text, why.size);
}

/* The current frame at its output size. */
static frames_status give_frame(frames_source *source, frames_frame *frame, video_why why)
{
    video_picture picture;
    uint32_t width = 0, height = 0;
    frames_status status = source->reader->ops->pixels(source->reader, &picture, why);
    if (status == FRAMES_OK) {
        status = output_size(source, &picture, &width, &height, why);
    }
    if (status != FRAMES_OK) {
        return status;
    }
    if (source->options.same_size) {
        source->same_width = width;
        source->same_height = height;
    }
    uint8_t *rgb = picture.rgb;
    if (width != picture.width || height != picture.height) {
        if (!video_buffer_reserve(&source->out, (size_t)width * height * 3) ||
            !video_resize(rgb, picture.width, picture.height, source->out.bytes, width, height)) {
            return video_fail_memory(why, source->name);
        }
        rgb = source->out.bytes;
    }
    *frame = (frames_frame){rgb, width, height, source->seconds, source->index};
    return FRAMES_OK;
}

/* Reads the first frame, so that what opens has one, and its size is known. */
static frames_status read_first(frames_source *source, video_why why)
{
    video_picture picture = {0};
    frames_status status = advance(source, why);
    if (status == FRAMES_END) {
        return video_fail(why, FRAMES_E_DAMAGED,
                          "%s: no frame could be decoded (the file is empty, damaged or cut short; "
                          "make it again)",
                          source->name);
    }
    if (status == FRAMES_OK) {
        status = source->reader->ops->pixels(source->reader, &picture, why);
    }
    if (status == FRAMES_OK) {
        status = output_size(source, &picture, &source->info.width, &source->info.height, why);
    }
    source->info.shown_width = picture.shown_width;
    source->info.shown_height = picture.shown_height;
    source->ahead = true;
    return status;
}

/* The common end of every open: *source only when all went well. */
static frames_status start(frames_source *source, frames_status status, frames_source **out,
                           video_why why)
{
    source->index = UINT64_MAX;
    if (status == FRAMES_OK) {
        status = choose_sampler(source, why);
    }
    if (status == FRAMES_OK) {
        status = read_first(source, why);
    }
    if (status != FRAMES_OK) {
        frames_close(&source);
    }
    *out = source;
    return status;
}

static frames_status open_path(frames_source *source, const char *path, video_why why)
{
    const video_reader base = reader_base(source);
    const video_input input = {.path = path};
    struct stat what;
    if (stat(path, &what) != 0) {
        return video_fail(why, FRAMES_E_OPEN, "%s: %s (check the path)", path, strerror(errno));
    }
    if (S_ISDIR(what.st_mode)) {
        return video_open_folder(&source->reader, &base, path, why);
    }
    if (!S_ISREG(what.st_mode)) {
        return video_fail(
            why, FRAMES_E_OPEN,
            "%s: neither a file nor a folder (a stream of raw frames is read as a feed)", path);
    }
    FILE *file = fopen(path, "rb");
    if (!file) {
        return video_fail(why, FRAMES_E_OPEN, "%s: %s (check its permissions)", path,
                          strerror(errno));
    }
    uint8_t first[16];
    const size_t size = fread(first, 1, sizeof first, file);
    fclose(file);
    if (size == 0) {
        return video_fail(why, FRAMES_E_DAMAGED,
                          "%s: the file is empty (make or download it again)", path);
    }
    return video_is_picture(first, size) ? video_open_picture(&source->reader, &base, input, why)
                                         : video_open_movie(&source->reader, &base, input, why);
}

frames_status frames_open(frames_source **out, const char *path, const frames_options *options,
                          char *text, size_t text_size)
{
    const video_why why = {text, text_size};
    frames_source *source = NULL;
    *out = NULL;
    if (!path || !*path) {
        return video_fail(why, FRAMES_E_ARGUMENT, "open: no path (give a file or a folder)");
    }
    frames_status status = source_create(&source, path, options, why);
    if (status != FRAMES_OK) {
        return status;
    }
    status = open_path(source, path, why);
    return start(source, status, out, why);
}

frames_status frames_open_memory(frames_source **out, const void *bytes, size_t size,
                                 const frames_options *options, char *text, size_t text_size)
{
    const video_why why = {text, text_size};
    frames_source *source = NULL;
    *out = NULL;
    if (!bytes || size == 0) {
        return video_fail(why, FRAMES_E_ARGUMENT, "memory: no bytes (give a whole file)");
    }
    frames_status status = source_create(&source, "memory", options, why);
    if (status != FRAMES_OK) {
        return status;
    }
    const video_reader base = reader_base(source);
    const video_input input = {.bytes = bytes, .size = size};
    status = video_is_picture(bytes, size) ? video_open_picture(&source->reader, &base, input, why)
                                           : video_open_movie(&source->reader, &base, input, why);
    return start(source, status, out, why);
}

frames_status frames_open_feed(frames_source **out, FILE *file, uint32_t width, uint32_t height,
                               double fps, const frames_options *options, char *text,
                               size_t text_size)
{
    const video_why why = {text, text_size};
    frames_source *source = NULL;
    *out = NULL;
    frames_status status = source_create(&source, "feed", options, why);
    if (status != FRAMES_OK) {
        return status;
    }
    const video_reader base = reader_base(source);
    status = video_open_feed(&source->reader, &base, file, width, height, fps, why);
    return start(source, status, out, why);
}

frames_status frames_next(frames_source *source, frames_frame *frame, char *text, size_t text_size)
{
    const video_why why = {text, text_size};
    *frame = (frames_frame){0};
    frames_status status = source->ended;
    if (status != FRAMES_OK) {
        return status == FRAMES_END ? status : video_fail(why, status, "%s", source->ended_why);
    }
    const video_why kept = {source->ended_why, sizeof source->ended_why};
    bool taken = false;
    while (status == FRAMES_OK && !taken) {
        if (video_sampler_done(&source->sampler)) {
            status = FRAMES_END; /* a live feed must not wait for a frame nobody wants */
        } else if (source->ahead) {
            source->ahead = false;
        } else {
            status = advance(source, kept);
        }
        taken = status == FRAMES_OK &&
                video_sampler_takes(&source->sampler, source->index, source->seconds);
    }
    if (status == FRAMES_OK) {
        status = give_frame(source, frame, kept);
    }
    source->ended = status;
    return status < 0 ? video_fail(why, status, "%s", source->ended_why) : status;
}

void frames_get_info(const frames_source *source, frames_info *info)
{
    *info = source->info;
}

void frames_close(frames_source **source)
{
    if (!source || !*source) {
        return;
    }
    frames_source *s = *source;
    if (s->reader) {
        s->reader->ops->close(s->reader);
    }
    video_buffer_free(&s->out);
    free(s->name);
    free(s);
    *source = NULL;
}
