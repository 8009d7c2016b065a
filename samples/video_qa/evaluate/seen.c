#include "seen.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

enum { RECEIVED, KEYS, TAPS };

static size_t patches_of(const film_encoder *e, const film *f)
{
    return (size_t)(f->width / e->token) * (f->height / e->token);
}

static bool make_room(seen *s, const film_encoder *e, const film *f)
{
    const size_t patches = patches_of(e, f), rows = patches + e->info.special_rows;
    s->frames = f->count;
    s->width = f->width;
    s->height = f->height;
    s->heads = e->info.heads;
    s->key_dim = e->info.width / e->info.heads;
    s->dim = e->info.dim;
    s->attention = s->taps[RECEIVED] = calloc(f->count * s->heads * patches, sizeof(float));
    s->taps[KEYS] = calloc(f->count * rows * e->info.width, sizeof(float));
    s->keys = calloc(f->count * patches * s->key_dim, sizeof(float));
    s->means = calloc((size_t)f->count * s->dim, sizeof(float));
    return (s->attention && s->taps[KEYS] && s->keys && s->means) ||
           say_failed("out of memory for what the encoder attends to in %u frames", f->count);
}

static bool open_encoder(seen *s, film_encoder *e, const film *f)
{
    static const winnow_tap taps[TAPS] = {
        [RECEIVED] = {WINNOW_TAP_RECEIVED, -1}, [KEYS] = {WINNOW_TAP_KEYS, -1}};
    const winnow_encoder_desc desc = {.struct_size = sizeof desc,
                                      .taps = taps,
                                      .tap_count = TAPS,
                                      .max_frames = f->count,
                                      .max_width = f->width,
                                      .max_height = f->height};
    if (s->encoder && s->frames == f->count && s->width == f->width && s->height == f->height) {
        return true;
    }
    seen_free(s, e);
    if (e->info.join != 1 || e->info.frames != 1) {
        return say_failed("%s: its tokens are no patches, so that the encoder's attention and keys "
                          "are not theirs",
                          e->path);
    }
    film_forget(e);
    const winnow_status status = e->ext->encoder_open(e->device, e->model, &desc, &s->encoder);
    if (status != WINNOW_OK) {
        s->encoder = NULL;
        return film_fail(e, "encoder", status);
    }
    return make_room(s, e, f);
}

static void average_keys(seen *s, const film_encoder *e, size_t patches)
{
    const size_t special = e->info.special_rows, width = e->info.width;
    for (size_t t = 0; t < s->frames; t++) {
        film_mean_of_heads(s->keys + t * patches * s->key_dim,
                           s->taps[KEYS] + (t * (patches + special) + special) * width, patches,
                           s->heads, s->key_dim);
    }
}

static void average_tokens(seen *s, const film *f, size_t patches)
{
    memset(s->means, 0, (size_t)s->frames * s->dim * sizeof *s->means);
    for (size_t row = 0; row < s->frames * patches; row++) {
        float *mean = s->means + row / patches * s->dim;
        for (uint32_t k = 0; k < s->dim; k++) {
            mean[k] += f->tokens[row * s->dim + k] / (float)patches;
        }
    }
}

bool seen_read(seen *s, film_encoder *e, const film *f)
{
    if (!open_encoder(s, e, f)) {
        return false;
    }
    const winnow_encode run = {.struct_size = sizeof run,
                               .frames = f->count,
                               .width = f->width,
                               .height = f->height,
                               .rgb = f->rgb,
                               .taps = s->taps};
    winnow_result result = {.struct_size = sizeof result};
    const winnow_status status = e->ext->encoder_encode(s->encoder, &run, &result);
    if (status != WINNOW_OK) {
        return film_fail(e, "encode", status);
    }
    average_keys(s, e, patches_of(e, f));
    average_tokens(s, f, patches_of(e, f));
    return true;
}

void seen_free(seen *s, const film_encoder *e)
{
    if (s->encoder) {
        e->ext->encoder_destroy(s->encoder);
    }
    free(s->attention); /* the tap itself */
    free(s->taps[KEYS]);
    free(s->keys);
    free(s->means);
    *s = (seen){0};
}
