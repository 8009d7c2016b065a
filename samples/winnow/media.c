#include "media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <frames.h>

#include "cli.h"
#include "progress.h"

enum {
    FRAMES_DEFAULT = 16,
    SIDE_DEFAULT = 448,
    BATCH = 8 /* frames an encoder call: enough to fill a GPU, few enough for a live bar */
};

static frames_options read_options(const media *m, const media_options *options)
{
    frames_options o = {0};
    if (options->fps > 0) {
        o.fps = options->fps;
        o.max_frames = options->frames;
        o.spread = options->frames > 0;
    } else {
        o.uniform_count = options->frames ? options->frames : FRAMES_DEFAULT;
    }
    o.same_size = true;
    if (m->frames > 0 || options->size.width) { /* later inputs take the size of the first */
        o.size = FRAMES_SIZE_EXACT;
        o.width = m->frames ? m->width : options->size.width;
        o.height = m->frames ? m->height : options->size.height;
    } else {
        o.size = FRAMES_SIZE_MULTIPLE;
        o.multiple = m->patch;
        o.longest_side = options->max_side ? options->max_side : SIDE_DEFAULT;
    }
    return o;
}

static bool grow(void **block, uint64_t count, uint64_t size)
{
    uint64_t bytes;
    void *larger = cli_multiply(count, size, &bytes) && bytes < SIZE_MAX / 2
                       ? realloc(*block, (size_t)bytes)
                       : NULL;
    if (larger) {
        *block = larger;
    }
    return larger != NULL;
}

static int append(media *m, const frames_list *list, const char *path)
{
    void *rgb = m->rgb, *seconds = m->seconds;
    uint64_t total = m->frames + list->count;

    if (list->count == 0) {
        return cli_fail("%s: no frame could be read (give a picture or a video)", path);
    }
    if (m->frames == 0) {
        m->width = list->frames[0].width;
        m->height = list->frames[0].height;
    }
    uint64_t bytes = (uint64_t)m->width * m->height * 3;
    bool grown = grow(&rgb, total, bytes);
    m->rgb = rgb;
    grown = grown && grow(&seconds, total, sizeof *m->seconds);
    m->seconds = seconds;
    if (!grown) {
        return cli_fail("%s: out of memory for %llu frames (take fewer: --frames N)", path,
                        (unsigned long long)total);
    }
    for (size_t i = 0; i < list->count; i++) {
        memcpy(m->rgb + m->frames * bytes, list->frames[i].rgb, (size_t)bytes);
        m->seconds[m->frames++] = list->frames[i].seconds;
    }
    return CLI_DONE;
}

static int read_frames(media *m, const arg_list *paths, const media_options *options)
{
    double start = cli_seconds();
    progress *bar = progress_begin("reading frames", paths->count > 1 ? paths->count : 0);
    int exit_code = CLI_DONE;

    for (size_t i = 0; i < paths->count && exit_code == CLI_DONE; i++) {
        char why[FRAMES_WHY_SIZE];
        frames_options o = read_options(m, options);
        frames_list list = {0};
        frames_status status = frames_load(&list, paths->items[i], &o, why, sizeof why);
        if (status == FRAMES_OK) {
            exit_code = append(m, &list, paths->items[i]);
        } else {
            progress_end(bar);
            bar = NULL;
            exit_code = cli_fail("%s", why);
        }
        frames_list_free(&list);
        if (paths->count > 1) {
            progress_at(bar, i + 1, paths->count);
        }
    }
    progress_end(bar);
    m->decode_ms = (cli_seconds() - start) * 1e3;
    return exit_code;
}

/* Pixels a side of the patch. An encoder is made for whole patches, so its patch must be known to
 * ask for it: the one that the model's options name, else the usual ones in turn. */
static winnow_status probe(engine *e, const winnow_ext_encoder *ext, const char *model,
                           winnow_encoder_info *info)
{
    static const uint32_t usual[] = {16, 14, 28, 32};
    const char *named = strstr(model, "patch=");
    uint32_t given = named ? (uint32_t)strtoul(named + strlen("patch="), NULL, 10) : 0;
    winnow_status status = WINNOW_E_SHAPE;

    for (size_t i = 0; status == WINNOW_E_SHAPE && i < sizeof usual / sizeof usual[0]; i++) {
        uint32_t side = given ? given : usual[i];
        winnow_encoder *encoder = NULL;
        status = ext->encoder_create(e->device, model, 1, side, side, &encoder);
        if (status == WINNOW_OK) {
            status = ext->encoder_info(encoder, info);
        }
        ext->encoder_destroy(encoder);
    }
    return status;
}

static int ask_patch(media *m, engine *e, const winnow_ext_encoder *ext, const char *model)
{
    winnow_encoder_info info = {.struct_size = sizeof info};
    size_t name = strcspn(model, "=:");
    if (name != strlen("patches") || strncmp(model, "patches", name) != 0) {
        return cli_fail("model \"%s\": it is not known (patches[=patch=16:luma=24:chroma=4] is)",
                        model);
    }
    winnow_status status = probe(e, ext, model, &info);
    if (status != WINNOW_OK) {
        engine_fail(e, "model", status);
        return status == WINNOW_E_SPEC || status == WINNOW_E_ARGUMENT ? CLI_BAD_USE : CLI_FAILED;
    }
    m->patch = info.patch;
    m->dim = info.dim;
    m->roles = info.roles;
    return CLI_DONE;
}

static int encode(media *m, engine *e, const winnow_ext_encoder *ext, const char *model)
{
    uint64_t row = (uint64_t)m->grid_h * m->grid_w * m->dim;
    uint64_t picture = (uint64_t)m->width * m->height * 3;
    uint32_t batch = m->frames < BATCH ? m->frames : BATCH;
    winnow_encoder *encoder = NULL;
    winnow_status status;

    m->tokens = cli_array(m->frames * row, sizeof *m->tokens);
    if (!m->tokens) {
        return cli_fail("encode: out of memory for %u frames (take fewer: --frames N)", m->frames);
    }
    double start = cli_seconds();
    progress *bar = progress_begin("encoding", m->frames);
    status = ext->encoder_create(e->device, model, batch, m->width, m->height, &encoder);
    for (uint32_t t = 0; status == WINNOW_OK && t < m->frames; t += batch) {
        uint32_t count = m->frames - t < batch ? m->frames - t : batch;
        status = ext->encoder_run(encoder, m->rgb + t * picture, count, m->width, m->height,
                                  m->tokens + t * row);
        progress_at(bar, t + count, m->frames);
    }
    progress_end(bar);
    ext->encoder_destroy(encoder);
    m->encode_ms = (cli_seconds() - start) * 1e3;
    return status == WINNOW_OK ? CLI_DONE : engine_fail(e, "encode", status);
}

int media_load(media *m, engine *e, const arg_list *paths, const media_options *options)
{
    const winnow_ext_encoder *ext = e->api->get_extension("winnow.encoder/1");
    const char *model = options->model ? options->model : "patches";
    int exit_code;

    memset(m, 0, sizeof *m);
    if (!ext) {
        return cli_fail("model %s: this libwinnow has no encoders (build it with them)", model);
    }
    if (options->size.width && options->max_side) {
        return cli_misuse("--size and --max-side: they say two things (give one of them)");
    }
    exit_code = ask_patch(m, e, ext, model);
    if (exit_code) {
        return exit_code;
    }
    if (options->size.width % m->patch || options->size.height % m->patch) {
        return cli_misuse("--size %ux%u: the model's patch is %u pixels (give multiples of it)",
                          options->size.width, options->size.height, m->patch);
    }
    exit_code = read_frames(m, paths, options);
    if (exit_code) {
        return exit_code;
    }
    m->grid_h = m->height / m->patch;
    m->grid_w = m->width / m->patch;
    return encode(m, e, ext, model);
}

void media_free(media *m)
{
    free(m->rgb);
    free(m->seconds);
    free(m->tokens);
    memset(m, 0, sizeof *m);
}

role_inputs media_inputs(const media *m)
{
    role_inputs inputs = {.roles = 1u << WINNOW_ROLE_TOKENS};
    inputs.shape.frames = m->frames;
    inputs.shape.grid_h = m->grid_h;
    inputs.shape.grid_w = m->grid_w;
    inputs.shape.tokens = m->grid_h * m->grid_w;
    inputs.shape.dim = m->dim;
    inputs.in[WINNOW_ROLE_TOKENS].data = m->tokens;
    return inputs;
}

int media_check_roles(uint32_t roles, engine *e, const winnow_pipeline *pipeline, const char *spec)
{
    uint32_t needed = 0, optional = 0;
    char list[256], stages[512] = "";
    size_t used = 0;
    winnow_status status = e->api->pipeline_inputs(pipeline, &needed, &optional);

    if (status != WINNOW_OK) {
        return engine_fail(e, "pipeline", status);
    }
    if (!(needed & ~roles)) {
        return CLI_DONE;
    }
    for (uint32_t i = 0; i < e->api->stage_count() && used < sizeof stages; i++) {
        winnow_stage_info info = {.struct_size = sizeof info};
        if (e->api->stage_info(i, &info) == WINNOW_OK && !(info.roles_needed & ~roles)) {
            used += (size_t)snprintf(stages + used, sizeof stages - used, "%s%s", used ? ", " : "",
                                     info.name);
        }
    }
    return cli_fail("%s: it needs %s, which the model does not give (these do: %s)", spec,
                    role_list(needed & ~roles, list, sizeof list), stages);
}
