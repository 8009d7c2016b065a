#include "chunk.h"

#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "fit.h"
#include "guard.h"
#include "real.h"
#include "say.h"
#include "session.h"

/* ---- what it is ---- */

static struct mtmd_decoder_pos place_of(const mtmd_image_tokens *image, size_t i)
{
    GUARD;
    return real_get()->image_place(image, 0, i);
}

/* Consecutive at four places: HunyuanVL's are so at both ends alone. */
static bool is_run(const mtmd_image_tokens *image, uint32_t n)
{
    const uint32_t looks[4] = {0, 1 % n, n / 2, n - 1};
    bool run = true;
    for (int k = 0; k < 4; k++) {
        const struct mtmd_decoder_pos p = place_of(image, looks[k]);
        run = run && p.t == looks[k] && p.x == looks[k] && p.y == looks[k];
    }
    return run;
}

/* The last token tells the size of the grid, the others must lie on it, x running fastest. */
static bool is_grid(const mtmd_image_tokens *image, uint32_t n, chunk_shape *shape)
{
    const struct mtmd_decoder_pos last = place_of(image, n - 1);
    const uint32_t w = last.x + 1, h = last.y + 1;
    bool grid = last.x < n && last.y < n && (uint64_t)w * h == n;
    const uint32_t looks[5] = {0, 1 % n, w ? w - 1 : 0, w % n, n / 2};
    for (int k = 0; grid && k < 5; k++) {
        const struct mtmd_decoder_pos p = place_of(image, looks[k]);
        grid = p.t == 0 && p.y == looks[k] / w && p.x == looks[k] % w && p.z == 0;
    }
    *shape = (chunk_shape){n, grid ? h : 0, grid ? w : 0};
    return grid;
}

static chunk_kind kind_of(const mtmd_image_tokens *image, uint32_t n, chunk_shape *shape)
{
    if (n > 1 && is_grid(image, n, shape)) {
        return CHUNK_GRID;
    }
    *shape = (chunk_shape){.tokens = n};
    return n > 0 && is_run(image, n) ? CHUNK_RUN : CHUNK_ODD;
}

/* For pooling; llama.cpp keeps the grid of a square tile to itself. */
static void guess_square(chunk_shape *shape)
{
    uint32_t side = 0;
    while ((side + 1) * (side + 1) <= shape->tokens) {
        side++;
    }
    if (session_square() && side * side == shape->tokens) {
        shape->grid_h = shape->grid_w = side;
    }
}

/* ---- what it comes to ---- */

static bool rule_of(const mtmd_image_tokens *image, rule *out)
{
    const char *id;
    {
        GUARD;
        id = real_get()->image_id(image);
    }
    const rule *own = session_rule();
    if (id && id[0]) { /* most often our own mark */
        const size_t length = own ? strlen(own->mark) : 0;
        if (!own || strncmp(id, own->mark, length) != 0) {
            return rule_read_mark(out, id);
        }
    }
    if (own) {
        *out = *own;
    }
    return own != NULL;
}

static int32_t positions(const media_chunk *c, int32_t whole)
{
    const uint32_t h = c->promise.grid_h, w = c->promise.grid_w;
    int32_t most = (int32_t)c->promise.tokens;
    if (c->kind == CHUNK_RUN) {
        return most;
    }
    if (!c->rule.compact) {
        return whole;
    }
    /* Ranks cannot be more than there are kept tokens, whichever those will be. */
    most = h && w ? (int32_t)(h > w ? h : w) : most;
    return most < whole ? most : whole;
}

bool chunk_look(const mtmd_image_tokens *image, media_chunk *out)
{
    const real_functions *real = real_get();
    size_t n;
    int32_t whole;
    if (!image || !session_settings() || guard_inside() || real_missing() ||
        !rule_of(image, &out->rule)) {
        return false;
    }
    {
        GUARD;
        n = real->image_n_tokens(image);
        whole = real->image_n_pos(image);
    }
    if (n < 2 || n > INT32_MAX) {
        return false;
    }
    out->kind = kind_of(image, (uint32_t)n, &out->shape);
    if (out->kind == CHUNK_ODD) {
        session_odd_places();
        return false;
    }
    if (out->kind == CHUNK_RUN) {
        guess_square(&out->shape);
    }
    out->promise = reduce_promise(&out->rule, &out->shape);
    out->n_pos = positions(out, whole);
    return out->promise.reduces;
}

/* ---- where its tokens stand ---- */

static uint32_t token_of(const media_chunk *c, int32_t source)
{
    return source >= 0 ? (uint32_t)source : source == -1 ? 0 : c->shape.tokens - 1;
}

struct mtmd_decoder_pos chunk_place(const media_chunk *c, const mtmd_image_tokens *image,
                                    intptr_t pos_0, uint32_t i)
{
    int32_t source = (int32_t)fit_even(c->shape.tokens, c->promise.tokens, i);
    uint32_t ranks[2] = {0, 0};
    GUARD;
    if (c->kind == CHUNK_RUN) {
        return real_get()->image_place(image, pos_0, i);
    }
    const bool known = books_find(image, c->promise.tokens, i, &source, ranks);
    if (!c->rule.compact || !known) { /* not encoded yet: the best guess */
        return real_get()->image_place(image, pos_0, token_of(c, source));
    }
    struct mtmd_decoder_pos place = real_get()->image_place(image, pos_0, 0);
    place.y += ranks[0];
    place.x += ranks[1];
    return place;
}

/* Row and column of each kept token, counted over those that are in use. NULL: no memory. */
static uint32_t *rank_all(const media_chunk *c, const int32_t *sources)
{
    const uint32_t count = c->promise.tokens, w = c->shape.grid_w;
    uint32_t *ranks = calloc((size_t)count * 2, sizeof *ranks);
    uint32_t *used = calloc((size_t)c->shape.grid_h + w, sizeof *used);
    for (uint32_t i = 0; ranks && used && i < count; i++) {
        const uint32_t token = token_of(c, sources[i]);
        used[token / w] = used[c->shape.grid_h + token % w] = 1;
    }
    for (uint32_t i = 0, y = 0, x = 0; used && i < c->shape.grid_h + w; i++) {
        uint32_t *rank = i < c->shape.grid_h ? &y : &x;
        const uint32_t here = used[i];
        used[i] = *rank;
        *rank += here;
    }
    for (uint32_t i = 0; ranks && used && i < count; i++) {
        const uint32_t token = token_of(c, sources[i]);
        ranks[2 * i] = used[token / w];
        ranks[2 * i + 1] = used[c->shape.grid_h + token % w];
    }
    if (!used) {
        free(ranks);
        ranks = NULL;
    }
    free(used);
    return ranks;
}

/* ---- its rows ---- */

static void tell(const media_chunk *c, double ms)
{
    const settings *set = session_settings();
    if (set && set->verbose) {
        say("chunk of %u tokens (%u x %u): %u stay, %d positions, %.1f ms", c->shape.tokens,
            c->shape.grid_h, c->shape.grid_w, c->promise.tokens, (int)c->n_pos, ms);
    }
}

void chunk_reduce(const mtmd_image_tokens *image, uint32_t width, float *rows)
{
    const double start = say_clock();
    media_chunk c;
    if (!rows || !width || !chunk_look(image, &c)) {
        return;
    }
    int32_t *sources = calloc(c.promise.tokens, sizeof *sources);
    if (!sources) {
        say("out of memory for the tokens of a chunk (its first ones are kept)");
        books_forget(image);
        return;
    }
    reduce_rows(&c.rule, &c.shape, &c.promise, width, rows, sources);
    uint32_t *ranks = c.kind == CHUNK_GRID && c.rule.compact ? rank_all(&c, sources) : NULL;
    books_kept(image, c.promise.tokens, sources, ranks);
    tell(&c, say_clock() - start);
}

/* ---- after mtmd_tokenize ---- */

void chunk_check(const mtmd_input_chunks *chunks)
{
    const real_functions *real = real_get();
    const size_t count = real->chunks_size(chunks);
    for (size_t i = 0; i < count; i++) {
        const mtmd_image_tokens *image = real->chunk_image(real->chunks_get(chunks, i));
        const char *id = image ? real->image_id(image) : NULL;
        if (id && id[0] && !rule_mark_length(id)) {
            session_unmarked();
        }
    }
}
