#include "chunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

/* ---- opening ---- */

/* Defaults that are documented, in front of and behind what came to the struct over the years: a
 * library of another version puts them elsewhere. */
static bool is_the_version(const struct mtmd_context_params *p)
{
    return p->media_marker == mtmd_default_marker() && p->image_min_tokens == -1 &&
           p->image_max_tokens == -1 && !p->cb_eval && !p->cb_eval_user_data &&
           p->batch_max_tokens > 0 && !p->progress_callback && !p->progress_callback_user_data;
}

bool prompt_open(prompt *p, const options *o, const struct llama_model *model)
{
    /* A newer library's struct may be longer and is written as it returns: room for it. */
    struct {
        struct mtmd_context_params params;
        char tail[256];
    } room = {.params = mtmd_context_params_default()};
    *p = (prompt){0};
    if (!is_the_version(&room.params)) {
        return say_failed("llama.cpp: the library that was loaded is not of the version that this "
                          "program was built for (build it again)");
    }
    room.params.print_timings = false;
    room.params.warmup = false;
    room.params.n_threads = (int)o->threads;
    if (o->gpu_layers_given && o->gpu_layers == 0) {
        room.params.use_gpu = false;
    }
    p->mtmd = mtmd_init_from_file(o->mmproj, model, room.params);
    if (!p->mtmd) {
        return say_failed("%s: mtmd does not load it%s", o->mmproj, say_llama_words());
    }
    if (!mtmd_support_vision(p->mtmd)) {
        return say_failed("%s: it has no vision encoder (give the mmproj of a model that sees)",
                          o->mmproj);
    }
    return true;
}

void prompt_close(prompt *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        rows_free(&p->parts[i].rows);
    }
    free(p->parts);
    if (p->chunks) {
        mtmd_input_chunks_free(p->chunks);
    }
    if (p->mtmd) {
        mtmd_free(p->mtmd);
    }
    *p = (prompt){0};
}

/* ---- the prompt ---- */

/* mtmd's positions of a picture must be those of a plain grid, whose size is told then. (They are
 * not for models with rows that are no patches.) */
static bool read_grid(part *q)
{
    const mtmd_image_tokens *image = mtmd_input_chunk_get_tokens_image(q->chunk);
    for (uint32_t i = 0; i < q->before; i++) {
        const struct mtmd_decoder_pos at = mtmd_image_tokens_get_decoder_pos(image, 0, i);
        q->grid_h = at.y + 1 > q->grid_h ? at.y + 1 : q->grid_h;
        q->grid_w = at.x + 1 > q->grid_w ? at.x + 1 : q->grid_w;
    }
    bool plain = (uint64_t)q->grid_h * q->grid_w == q->before;
    for (uint32_t i = 0; plain && i < q->before; i++) {
        const struct mtmd_decoder_pos at = mtmd_image_tokens_get_decoder_pos(image, 0, i);
        plain = at.t == 0 && at.y == i / q->grid_w && at.x == i % q->grid_w && at.z == 0;
    }
    return plain || say_failed("M-RoPE: this model's pictures are not a plain grid of tokens "
                               "(winnow-llama does not do its family)");
}

static bool read_part(prompt *p, part *q, const mtmd_input_chunk *chunk)
{
    const enum mtmd_input_chunk_type type = mtmd_input_chunk_get_type(chunk);
    q->chunk = chunk;
    q->before = (uint32_t)mtmd_input_chunk_get_n_tokens(chunk);
    q->is_text = type == MTMD_INPUT_CHUNK_TYPE_TEXT;
    if (q->is_text) {
        p->text += q->before;
        return true;
    }
    if (type != MTMD_INPUT_CHUNK_TYPE_IMAGE) {
        return say_failed("the prompt has a chunk that is neither text nor a picture");
    }
    q->view = p->views++;
    p->visual_before += q->before;
    return !mtmd_decode_use_mrope(p->mtmd) || read_grid(q);
}

bool prompt_split(prompt *p, const options *o, const uint8_t *rgb, uint32_t width, uint32_t height)
{
    const mtmd_input_text text = {.text = o->prompt,
                                  .text_len = strlen(o->prompt),
                                  .add_special = true,
                                  .parse_special = true};
    mtmd_bitmap *bitmap = mtmd_bitmap_init(width, height, rgb);
    p->chunks = mtmd_input_chunks_init();
    const int32_t code = bitmap && p->chunks ? mtmd_tokenize(p->mtmd, p->chunks, &text,
                                                             (const mtmd_bitmap *[]){bitmap}, 1)
                                             : -1;
    if (bitmap) {
        mtmd_bitmap_free(bitmap);
    }
    if (code != 0) {
        return say_failed("%s: mtmd does not prepare it (status %d)%s", o->image, code,
                          say_llama_words());
    }
    const size_t count = mtmd_input_chunks_size(p->chunks);
    p->parts = calloc(count + 1, sizeof *p->parts);
    if (!p->parts) {
        return say_failed("out of memory for a prompt of %zu chunks", count);
    }
    for (; p->count < count; p->count++) {
        if (!read_part(p, &p->parts[p->count], mtmd_input_chunks_get(p->chunks, p->count))) {
            return false;
        }
    }
    return true;
}

/* ---- rows ---- */

/* Winnow and mtmd must see the same picture in the same views. */
static bool agrees(const prompt *p, const reducer *r)
{
    if (r->views && r->views->count != p->views) {
        return say_failed("the picture: Winnow makes %u views of it, mtmd %u (try another --like)",
                          r->views->count, p->views);
    }
    for (uint32_t i = 0; r->views && i < p->count; i++) {
        const part *q = &p->parts[i];
        uint32_t h, w;
        if (q->is_text) {
            continue;
        }
        reducer_grid(r, q->view, &h, &w);
        if ((uint64_t)h * w != q->before || (q->grid_h && (q->grid_h != h || q->grid_w != w))) {
            return say_failed("view %u: Winnow makes %u x %u tokens of it, mtmd %u (try another "
                              "--like, or --encoder mtmd without a pipeline)",
                              q->view, h, w, q->before);
        }
    }
    return true;
}

static bool encode_by_mtmd(prompt *p, part *q, reducer *r, uint32_t width)
{
    const double start = say_clock();
    const int32_t code = mtmd_encode_chunk(p->mtmd, q->chunk);
    const float *data = code == 0 ? mtmd_get_output_embd(p->mtmd) : NULL;
    p->encode_ms += say_clock() - start;
    if (!data) {
        return say_failed("mtmd cannot encode view %u (status %d)%s", q->view, code,
                          say_llama_words());
    }
    return reducer_take(r, q->view, data, q->before, width, &q->rows);
}

bool prompt_fill(prompt *p, const options *o, reducer *r, uint32_t width)
{
    const bool by_mtmd = strcmp(o->encoder, "mtmd") == 0;
    if (!agrees(p, r)) {
        return false;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        part *q = &p->parts[i];
        if (q->is_text) {
            continue;
        }
        if (!(by_mtmd ? encode_by_mtmd(p, q, r, width) : reducer_encode(r, q->view, &q->rows))) {
            return false;
        }
        p->visual_after += q->rows.count;
    }
    return true;
}

bool prompt_write_kept(const prompt *p, const char *path)
{
    FILE *file = fopen(path, "w");
    bool good = file != NULL;
    for (uint32_t i = 0; good && i < p->count; i++) {
        const rows *r = &p->parts[i].rows;
        for (uint32_t k = 0; k < r->count; k++) {
            fprintf(file, "%d%c", r->sources[k], k + 1 < r->count ? ' ' : '\n');
        }
    }
    good = good && !ferror(file);
    good = (!file || fclose(file) == 0) && good;
    return good || say_failed("%s: it cannot be written", path);
}

/* ---- decoding ---- */

static llama_host_status decode_media(const prompt *p, const part *q, llama_host *host, bool last)
{
    const llama_host_media media = {.rows = q->rows.data,
                                    .count = q->rows.count,
                                    .width = q->rows.width,
                                    .sources = q->rows.sources,
                                    .grid = {1, q->grid_h, q->grid_w},
                                    .n_pos = mtmd_input_chunk_get_n_pos(q->chunk),
                                    .non_causal = mtmd_decode_use_non_causal(p->mtmd, q->chunk)};
    return llama_host_decode_media(host, &media, last);
}

bool prompt_decode(const prompt *p, llama_host *host)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const part *q = &p->parts[i];
        const bool last = i + 1 == p->count;
        size_t count = 0;
        const llama_token *tokens =
            q->is_text ? mtmd_input_chunk_get_tokens_text(q->chunk, &count) : NULL;
        const llama_host_status status = q->is_text
                                             ? llama_host_text(host, tokens, (uint32_t)count, last)
                                             : decode_media(p, q, host, last);
        if (status != LLAMA_HOST_OK) {
            return say_failed("%s%s", host->why, say_llama_words());
        }
    }
    return true;
}
