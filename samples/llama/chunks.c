#include "chunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "say_llama.h"

enum { TIME_SIZE = 64 };

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
    p->vocab = llama_model_get_vocab(model);
    return true;
}

void prompt_close(prompt *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        rows_free(&p->parts[i].rows);
        free(p->parts[i].tokens);
    }
    for (uint32_t i = 0; i < p->list_count; i++) {
        mtmd_input_chunks_free(p->lists[i]);
    }
    free(p->parts);
    free(p->units);
    free(p->lists);
    if (p->mtmd) {
        mtmd_free(p->mtmd);
    }
    *p = (prompt){0};
}

/* ---- parts ---- */

/* Room for one more behind `count`, or NULL after a line; the array stays as it was then. */
static void *grown(void *array, uint32_t count, size_t size)
{
    const bool full = (count & (count + 1)) == 0; /* 0, 1, 3, 7: room for as many again and one */
    void *larger = full ? realloc(array, ((size_t)count * 2 + 1) * size) : array;
    if (!larger) {
        say_failed("out of memory for the prompt");
    }
    return larger;
}

static part *add_part(prompt *p)
{
    part *parts = grown(p->parts, p->count, sizeof *parts);
    if (!parts) {
        return NULL;
    }
    p->parts = parts;
    parts[p->count] = (part){0};
    return &parts[p->count++];
}

/* Text goes on where text was before, as mtmd joins it. */
static bool add_text(prompt *p, const llama_token *tokens, size_t count)
{
    part *q = p->count ? &p->parts[p->count - 1] : NULL;
    if (count == 0) {
        return true;
    }
    if (!q || !q->tokens) {
        q = add_part(p);
    }
    llama_token *longer = q ? realloc(q->tokens, (q->before + count) * sizeof *longer) : NULL;
    if (!longer) {
        return say_failed("out of memory for the prompt");
    }
    memcpy(longer + q->before, tokens, count * sizeof *tokens);
    q->tokens = longer;
    q->before += (uint32_t)count;
    p->text += (uint32_t)count;
    return true;
}

/* mtmd's positions of a picture must be those of a plain grid, whose size is told then. (They are
 * not for models with rows that are no patches.) */
static bool read_grid(part *q, const mtmd_input_chunk *chunk)
{
    const mtmd_image_tokens *image = mtmd_input_chunk_get_tokens_image(chunk);
    uint32_t h = 0, w = 0;
    for (uint32_t i = 0; i < q->before; i++) {
        const struct mtmd_decoder_pos at = mtmd_image_tokens_get_decoder_pos(image, 0, i);
        h = at.y + 1 > h ? at.y + 1 : h;
        w = at.x + 1 > w ? at.x + 1 : w;
    }
    bool plain = (uint64_t)h * w == q->before;
    for (uint32_t i = 0; plain && i < q->before; i++) {
        const struct mtmd_decoder_pos at = mtmd_image_tokens_get_decoder_pos(image, 0, i);
        plain = at.t == 0 && at.y == i / w && at.x == i % w && at.z == 0;
    }
    q->grid[0] = 1;
    q->grid[1] = h;
    q->grid[2] = w;
    q->n_pos = mtmd_input_chunk_get_n_pos(chunk);
    return plain || say_failed("M-RoPE: this model's pictures are not a plain grid of tokens "
                               "(winnow-llama does not do its family)");
}

/* More of a video, whose frames are alike, behind the part before. */
static void extend(part *q, uint32_t tokens)
{
    q->grid[0] = (uint32_t)(q->units * q->tick) + 1;
    q->units++;
    q->before += tokens;
    q->n_pos = (llama_pos)q->grid[0] > q->n_pos ? (llama_pos)q->grid[0] : q->n_pos;
}

static bool add_media(prompt *p, const mtmd_input_chunk *chunk, uint32_t medium, uint32_t view,
                      double tick, bool extends)
{
    const uint32_t tokens = (uint32_t)mtmd_input_chunk_get_n_tokens(chunk);
    const mtmd_input_chunk **units = grown(p->units, p->unit_count, sizeof *units);
    if (!units) {
        return false;
    }
    p->units = units;
    units[p->unit_count++] = chunk;
    p->visual_before += tokens;
    if (extends) {
        extend(&p->parts[p->count - 1], tokens);
        return true;
    }
    part *q = add_part(p);
    if (!q) {
        return false;
    }
    q->before = tokens;
    q->medium = medium;
    q->view = view;
    q->first_unit = p->unit_count - 1;
    q->units = 1;
    q->tick = tick;
    q->non_causal = mtmd_decode_use_non_causal(p->mtmd, chunk);
    return !mtmd_decode_use_mrope(p->mtmd) || read_grid(q, chunk);
}

/* ---- the prompt ---- */

/* `pairs`: a frame that goes together with its neighbour. */
static mtmd_bitmap *make_bitmap(const frames_frame *frame, bool pairs)
{
    mtmd_bitmap *bitmap = mtmd_bitmap_init(frame->width, frame->height, frame->rgb);
#ifdef LLAMA_MERGEABLE /* older ones make a pair of any two of a size */
    if (bitmap) {
        mtmd_bitmap_set_mergeable(bitmap, pairs);
    }
#else
    (void)pairs;
#endif
    return bitmap;
}

/* What mtmd makes of a text with markers for `count` pictures; NULL after a line. Pictures come one
 * by one: mtmd makes pairs of neighbours for Qwen-VL, which only frames of a video should be. */
static const mtmd_input_chunks *cut(prompt *p, const char *words, size_t length,
                                    const frames_frame *frames, uint32_t count, const char *name)
{
    const mtmd_input_text text = {
        .text = words, .text_len = length, .add_special = false, .parse_special = true};
    const mtmd_bitmap *bitmaps[2] = {NULL, NULL};
    mtmd_input_chunks **lists = grown(p->lists, p->list_count, sizeof(mtmd_input_chunks *));
    mtmd_input_chunks *list = lists ? mtmd_input_chunks_init() : NULL;
    int32_t code = -1;
    bool good = true;
    p->lists = lists ? lists : p->lists;
    if (!list) {
        return NULL;
    }
    lists[p->list_count++] = list;
    for (uint32_t i = 0; good && i < count; i++) {
        bitmaps[i] = make_bitmap(&frames[i], count > 1);
        good = bitmaps[i] != NULL;
    }
    if (good) {
        code = mtmd_tokenize(p->mtmd, list, &text, bitmaps, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (bitmaps[i]) {
            mtmd_bitmap_free((mtmd_bitmap *)(uintptr_t)bitmaps[i]);
        }
    }
    if (code != 0) {
        say_failed("%s: mtmd does not prepare it (status %d)%s", name, code, say_llama_words());
    }
    return code == 0 ? list : NULL;
}

static bool add_words(prompt *p, const char *words, size_t length)
{
    const mtmd_input_chunks *list = length ? cut(p, words, length, NULL, 0, "the prompt") : NULL;
    bool good = length == 0 || list;
    for (size_t i = 0; good && list && i < mtmd_input_chunks_size(list); i++) {
        size_t count = 0;
        const llama_token *tokens =
            mtmd_input_chunk_get_tokens_text(mtmd_input_chunks_get(list, i), &count);
        good = add_text(p, tokens, count);
    }
    return good;
}

/* Which of mtmd's chunks of a picture or frame are taken. */
enum { IN_FRONT = 1, MEDIA = 2, BEHIND = 4, ALL = 7 };

static bool add_chunks(prompt *p, const mtmd_input_chunks *list, uint32_t medium, int which,
                       double tick, bool extends)
{
    uint32_t view = 0;
    bool good = true;
    for (size_t i = 0; good && i < mtmd_input_chunks_size(list); i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(list, i);
        const enum mtmd_input_chunk_type type = mtmd_input_chunk_get_type(chunk);
        size_t count = 0;
        if (type == MTMD_INPUT_CHUNK_TYPE_TEXT) {
            const llama_token *tokens = mtmd_input_chunk_get_tokens_text(chunk, &count);
            good = !(which & (view ? BEHIND : IN_FRONT)) || add_text(p, tokens, count);
        } else if (type == MTMD_INPUT_CHUNK_TYPE_IMAGE) {
            good = !(which & MEDIA) || add_media(p, chunk, medium, view, tick, extends);
            view++;
        } else {
            good = say_failed("the prompt has a chunk that is neither text nor a picture");
        }
    }
    return good;
}

/* A frame, or a pair: one picture chunk and what is around it. Gives whether there is text. */
static bool check_frame(const mtmd_input_chunks *list, const media_item *m, bool *has_text)
{
    size_t pictures = 0;
    for (size_t i = 0; i < mtmd_input_chunks_size(list); i++) {
        pictures += mtmd_input_chunk_get_type(mtmd_input_chunks_get(list, i)) ==
                    MTMD_INPUT_CHUNK_TYPE_IMAGE;
    }
    *has_text = mtmd_input_chunks_size(list) > pictures;
    return pictures == 1 ||
           say_failed(
               "%s: the model cuts each frame into %zu views, and a video is one view a frame "
               "(give frames as --image)",
               m->path, pictures);
}

/* Qwen3-VL's processor writes the time in front of each pair. */
static bool is_timed(const reducer *r)
{
    return r->model && strcmp(r->info.family, "qwen3vl_merger") == 0;
}

/* Words, and behind them the time of `count` frames: one text, so that it becomes tokens as one. */
static bool add_time(prompt *p, const char *words, size_t length, const frames_frame *frames,
                     uint32_t count)
{
    const double seconds = (frames[0].seconds + frames[count - 1].seconds) / 2;
    char *text = calloc(length + TIME_SIZE, 1);
    if (!text) {
        return say_failed("out of memory for the prompt");
    }
    memcpy(text, words, length);
    snprintf(text + length, TIME_SIZE, "<%.1f seconds>", seconds);
    const bool good = add_words(p, text, strlen(text));
    free(text);
    return good;
}

/* The words in front of a medium. */
static bool add_lead(prompt *p, const char *words, size_t length, media_item *m, const reducer *r)
{
    const uint32_t merges = reducer_merges(r);
    return m->is_video && is_timed(r)
               ? medium_fill(m, merges) && add_time(p, words, length, m->list.frames, merges)
               : add_words(p, words, length);
}

/* Qwen2.5-VL counts two places a second, Qwen2-VL one a pair. */
static double tick_of(const media_item *m, const reducer *r)
{
    const frames_frame *f = m->list.frames;
    const size_t last = m->list.count - 1;
    const double seconds = last ? (f[last].seconds - f[0].seconds) / (double)last : 0;
    const bool counts = r->model && strcmp(r->info.family, "qwen2.5vl_merger") == 0;
    return counts && seconds > 0 ? 2.0 * seconds * reducer_merges(r) : 1;
}

/* Text around frames, and between them:
 *   Qwen2-VL, Qwen2.5-VL   around the whole video, whose rows have places in time
 *   Qwen3-VL               around each pair, with its time in front
 *   others                 what mtmd puts around a picture, around each frame; where that is
 *                          nothing, frames follow each other
 * It stays where a frame loses all of its rows: the times of the others stay true, as in vLLM. */
static bool split_video(prompt *p, media_item *m, uint32_t index, const reducer *r)
{
    const uint32_t merges = reducer_merges(r);
    const bool timed = is_timed(r);
    const bool grid = mtmd_decode_use_mrope(p->mtmd) && !timed;
    const double tick = tick_of(m, r);
    const char *marker = mtmd_default_marker();
    char markers[TIME_SIZE];
    if (!medium_fill(m, merges)) {
        return false;
    }
    snprintf(markers, sizeof markers, "%s%s", marker, merges == 2 ? marker : "");
    for (uint32_t i = 0; i < m->frames; i += merges) {
        const frames_frame *frames = m->list.frames + i;
        const bool first = i == 0, last = i + merges == m->frames;
        bool has_text = false;
        const mtmd_input_chunks *list = cut(p, markers, strlen(markers), frames, merges, m->path);
        if (!list || !check_frame(list, m, &has_text) ||
            (timed && !first && !add_time(p, "", 0, frames, merges))) {
            return false;
        }
        const int which = !grid ? ALL : MEDIA | (first ? IN_FRONT : 0) | (last ? BEHIND : 0);
        const bool joins =
            !first && (grid || (!has_text && !p->parts[p->count - 1].non_causal && !timed));
        if (!add_chunks(p, list, index, which, tick, joins)) {
            return false;
        }
    }
    return true;
}

static bool split_medium(prompt *p, media_item *m, uint32_t index, const reducer *r)
{
    const char *marker = mtmd_default_marker();
    if (m->is_video) {
        return split_video(p, m, index, r);
    }
    const mtmd_input_chunks *list = cut(p, marker, strlen(marker), m->list.frames, 1, m->path);
    return list && add_chunks(p, list, index, ALL, 1, false);
}

bool prompt_split(prompt *p, const char *text, media_list *m, const reducer *r)
{
    const char *marker = mtmd_default_marker();
    const llama_token begin = llama_vocab_bos(p->vocab), end = llama_vocab_eos(p->vocab);
    bool good = !llama_vocab_get_add_bos(p->vocab) || add_text(p, &begin, 1);
    for (uint32_t i = 0; good && i < m->count; i++) {
        const char *next = strstr(text, marker);
        if (!next) {
            return say_failed("the chat template lost a media marker (write the model's format "
                              "around the prompt)");
        }
        good = add_lead(p, text, (size_t)(next - text), &m->item[i], r) &&
               split_medium(p, &m->item[i], i, r);
        text = next + strlen(marker);
    }
    return good && add_words(p, text, strlen(text)) &&
           (!llama_vocab_get_add_eos(p->vocab) || add_text(p, &end, 1));
}

/* ---- decoding ---- */

static llama_host_status decode_media(const part *q, llama_host *host, bool last)
{
    const llama_host_media media = {.rows = q->rows.data,
                                    .count = q->rows.count,
                                    .width = q->rows.width,
                                    .sources = q->rows.sources,
                                    .places = q->tick == 1 ? NULL : q->rows.places,
                                    .grid = {q->grid[0], q->grid[1], q->grid[2]},
                                    .n_pos = q->n_pos,
                                    .non_causal = q->non_causal};
    if (q->rows.count == 0) { /* a frame that is gone leaves its places free */
        host->n_past += llama_host_uses_mrope(host->context) && !host->compact ? q->n_pos : 0;
        return LLAMA_HOST_OK;
    }
    return llama_host_decode_media(host, &media, last);
}

bool prompt_decode(prompt *p, llama_host *host, llama_attention *attention)
{
    for (uint32_t i = 0; i < p->count; i++) {
        part *q = &p->parts[i];
        const bool last = i + 1 == p->count;
        q->at = host->n_past;
        if (last && attention) {
            llama_attention_want(attention);
        }
        const llama_host_status status = q->tokens
                                             ? llama_host_text(host, q->tokens, q->before, last)
                                             : decode_media(q, host, last);
        if (status != LLAMA_HOST_OK) {
            return say_failed("%s%s", host->why, say_llama_words());
        }
    }
    return true;
}
