#include "asker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"
#include "say_llama.h"

enum {
    CONTEXT_DEFAULT = 4096,
    CONTEXT_MOST = 1 << 24,
    PIECE_SIZE = 256,
    THREADS_MOST = 4,
    THREADS_LIMIT = 512
};

/* ---- the model ---- */

static bool check_model(const asker_model *m, const film_encoder *e)
{
    const asker_options *o = &m->options;
    const int32_t width = llama_model_n_embd_inp(m->model);
    const enum llama_rope_type rope = llama_model_rope_type(m->model);
    const bool mrope = rope == LLAMA_ROPE_TYPE_MROPE || rope == LLAMA_ROPE_TYPE_IMROPE;
    if (!m->family) {
        return say_failed("%s: how its family (%s) shows pictures to a language model is not known "
                          "here (give the mmproj of LLaVA, SmolVLM, InternVL, Gemma 3 or Qwen-VL)",
                          e->path, e->info.family);
    }
    if (e->info.dim != (uint32_t)width || (strncmp(e->info.family, "qwen", 4) == 0) != mrope) {
        return say_failed("%s: its rows have %u channels, %s takes %d%s (the two files are not of "
                          "one model)",
                          e->path, e->info.dim, o->model, width, mrope ? " with M-RoPE" : "");
    }
    if (o->compact && !mrope) {
        return say_failed("--mrope compact: %s has no M-RoPE, its positions are always consecutive "
                          "(leave it out)",
                          o->model);
    }
    return true;
}

bool asker_model_open(asker_model *m, const asker_options *o, const film_encoder *e)
{
    struct llama_model_params params = llama_model_default_params();
    *m = (asker_model){.options = *o, .family = prompt_family_of(e->info.family)};
    if (o->gpu_layers >= 0) {
        params.n_gpu_layers = o->gpu_layers;
    }
    m->model = llama_model_load_from_file(o->model, params);
    if (!m->model) {
        return say_failed("%s: llama.cpp does not load it%s", o->model, say_llama_words());
    }
    if (llama_model_has_encoder(m->model) || !llama_model_has_decoder(m->model)) {
        return say_failed("%s: it is no model that answers (give a decoder)", o->model);
    }
    m->vocab = llama_model_get_vocab(m->model);
    return check_model(m, e) && prompt_template_open(&m->template, m->model, o->template, o->model);
}

void asker_model_close(asker_model *m)
{
    prompt_template_free(&m->template);
    if (m->model) {
        llama_model_free(m->model);
    }
    *m = (asker_model){0};
}

/* ---- a context ---- */

/* More than GGML_MAX_N_THREADS end the process. */
static int32_t threads_of(const asker_options *o)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (o->threads) {
        return o->threads < THREADS_LIMIT ? (int32_t)o->threads : THREADS_LIMIT;
    }
    return processors < 1 ? 1 : processors > THREADS_MOST ? THREADS_MOST : (int32_t)processors;
}

bool asker_open(asker *a, asker_model *m, const asker_watch *watch)
{
    const asker_options *o = &m->options;
    struct llama_context_params params = llama_context_default_params();
    const int32_t trained = llama_model_n_ctx_train(m->model);
    const uint32_t most =
        trained > 0 && trained < CONTEXT_DEFAULT ? (uint32_t)trained : CONTEXT_DEFAULT;
    *a = (asker){.model = m};
    if (o->context > CONTEXT_MOST) { /* llama.cpp's own arithmetic ends somewhere behind it */
        return say_failed("a context of %u tokens: it is at most %d", o->context, CONTEXT_MOST);
    }
    params.n_ctx = o->context ? o->context : most;
    params.n_batch = o->batch;
    params.n_ubatch = o->batch;
    params.n_threads = params.n_threads_batch = threads_of(o);
    if (watch) {
        params.cb_eval = watch->callback;
        params.cb_eval_user_data = watch->user;
        params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    }
    a->context = llama_init_from_model(m->model, params);
    if (!a->context) {
        return say_failed("a context of %u tokens: llama.cpp does not make it%s", params.n_ctx,
                          say_llama_words());
    }
    a->host = (llama_host){.context = a->context, .compact = o->compact};
    return true;
}

void asker_close(asker *a)
{
    prompt_free(&a->prompt);
    if (a->context) {
        llama_free(a->context);
    }
    *a = (asker){0};
}

/* What was asked for with -c, which llama.cpp may round up. */
static uint32_t room_of(const asker *a)
{
    const uint32_t asked = a->model->options.context, made = llama_n_ctx_seq(a->context);
    return asked && asked < made ? asked : made;
}

/* The media, `question` tokens behind them and an answer. */
static bool check_room(const asker *a, uint32_t question)
{
    const prompt *p = &a->prompt;
    const uint32_t room = room_of(a), answer = a->model->options.answer;
    const uint64_t all = (uint64_t)p->text + p->visual + question + answer;
    return all <= room ||
           say_failed("context: %u visual tokens (%u before the pipeline), %u of text and an "
                      "answer of %u do not fit %u (give -c %llu, or a --pipeline that keeps fewer)",
                      p->visual, p->visual_before, p->text + question, answer, room,
                      (unsigned long long)all);
}

static void trace_text(const asker *a, const llama_token *tokens, uint32_t count)
{
    FILE *trace = a->model->options.trace;
    for (uint32_t i = 0; trace && i < count; i++) {
        fprintf(trace, "%s%d%s", i ? " " : "text ", tokens[i], i + 1 < count ? "" : "\n");
    }
}

/* Each row's places as they are decoded: one number, or time, row and column under M-RoPE. */
static void trace_rows(asker *a, const llama_host_media *media)
{
    FILE *trace = a->model->options.trace;
    const uint32_t planes = llama_host_uses_mrope(a->context) ? 3 : 1;
    llama_pos *places = trace ? calloc((size_t)media->count * 4, sizeof *places) : NULL, n_pos;
    if (places && llama_host_positions(&a->host, media, places, &n_pos) == LLAMA_HOST_OK) {
        fprintf(trace, "rows");
        for (uint32_t i = 0; i < media->count; i++) {
            for (uint32_t k = 0; k < planes; k++) {
                fprintf(trace, "%c%d", k ? ',' : ' ', places[(size_t)k * media->count + i]);
            }
        }
        fputc('\n', trace);
    }
    free(places);
}

static llama_host_status decode_part(asker *a, const prompt_part *q)
{
    if (q->tokens) {
        trace_text(a, q->tokens, q->count);
        return llama_host_text(&a->host, q->tokens, q->count, false);
    }
    llama_host_media media = {.rows = q->rows->data + (size_t)q->first * q->rows->width,
                              .count = q->count,
                              .width = q->rows->width,
                              .places = q->places,
                              .non_causal = a->model->family->non_causal};
    for (int axis = 0; axis < 3; axis++) { /* transformers: text goes on behind the largest place */
        media.grid[axis] = q->grid[axis];
        media.n_pos =
            media.n_pos < (llama_pos)q->grid[axis] ? (llama_pos)q->grid[axis] : media.n_pos;
    }
    trace_rows(a, &media);
    return llama_host_decode_media(&a->host, &media, false);
}

static bool decode_prompt(asker *a)
{
    const double start = say_clock();
    llama_memory_clear(llama_get_memory(a->context), false);
    a->host.n_past = 0;
    a->host.cells = 0;
    for (uint32_t i = 0; i < a->prompt.count; i++) {
        if (decode_part(a, &a->prompt.parts[i]) != LLAMA_HOST_OK) {
            return say_failed("%s%s", a->host.why, say_llama_words());
        }
    }
    llama_synchronize(a->context);
    a->end = a->host.n_past;
    a->end_cells = a->host.cells;
    a->prefill_ms = say_clock() - start;
    return true;
}

bool asker_show(asker *a, const prompt_media *media, uint32_t count)
{
    const asker_model *m = a->model;
    llama_token *tokens = NULL;
    uint32_t least = 0;
    prompt_free(&a->prompt);
    if (!prompt_build(&a->prompt, m->vocab, &m->template, m->family, media, count) ||
        !prompt_question(m->vocab, &m->template, "", &tokens, &least)) {
        return false;
    }
    free(tokens);
    return check_room(a, least) && decode_prompt(a);
}

/* ---- a question ---- */

/* The cache as it was at the end of the media. */
static bool go_back(asker *a, bool *again)
{
    if (a->host.n_past == a->end && a->host.cells == a->end_cells) {
        return true;
    }
    if (llama_memory_seq_rm(llama_get_memory(a->context), a->host.sequence, a->end, -1)) {
        a->host.n_past = a->end;
        a->host.cells = a->end_cells;
        return true;
    }
    if (!a->told) {
        say_note("%s: its cache cannot go back, so the media are decoded again for each question",
                 a->model->options.model);
        a->told = true;
    }
    *again = true;
    return decode_prompt(a);
}

static llama_token best(const float *logits, int32_t count)
{
    llama_token top = 0;
    for (int32_t i = 1; i < count; i++) {
        top = logits[i] > logits[top] ? i : top;
    }
    return top;
}

static bool add_piece(const asker *a, llama_token token, asker_piece piece, void *user,
                      asker_answer *out)
{
    char text[PIECE_SIZE];
    const int32_t length =
        llama_token_to_piece(a->model->vocab, token, text, sizeof text, 0, false);
    const uint32_t size = length > 0 ? (uint32_t)length : 0;
    char *larger = realloc(out->text, (size_t)out->size + size + 1);
    if (!larger) {
        return say_failed("out of memory for an answer");
    }
    out->text = larger;
    memcpy(out->text + out->size, text, size);
    out->size += size;
    out->text[out->size] = 0;
    if (piece && size) {
        piece(user, text, size);
    }
    return true;
}

static bool generate(asker *a, double start, asker_piece piece, void *user, asker_answer *out)
{
    const int32_t count = llama_vocab_n_tokens(a->model->vocab);
    const uint32_t most = a->model->options.answer;
    const double began = say_clock();
    while (out->tokens < most) {
        const float *logits = llama_get_logits_ith(a->context, -1);
        if (!logits) {
            return say_failed("llama.cpp gives no logits%s", say_llama_words());
        }
        const llama_token token = best(logits, count);
        out->first_ms = out->tokens == 0 ? say_clock() - start : out->first_ms;
        if (llama_vocab_is_eog(a->model->vocab, token)) {
            break;
        }
        if (!add_piece(a, token, piece, user, out)) {
            return false;
        }
        if (++out->tokens < most && llama_host_text(&a->host, &token, 1, true) != LLAMA_HOST_OK) {
            return say_failed("%s%s", a->host.why, say_llama_words());
        }
    }
    out->generate_ms = say_clock() - began;
    return true;
}

bool asker_read(asker *a, const char *question, uint32_t *count, bool *again)
{
    llama_token *tokens = NULL;
    if (!prompt_question(a->model->vocab, &a->model->template, question, &tokens, count)) {
        return false;
    }
    bool good = check_room(a, *count) && go_back(a, again);
    trace_text(a, tokens, good ? *count : 0);
    if (good && llama_host_text(&a->host, tokens, *count, true) != LLAMA_HOST_OK) {
        good = say_failed("%s%s", a->host.why, say_llama_words());
    }
    free(tokens);
    return good;
}

bool asker_ask(asker *a, const char *question, bool kv, asker_piece piece, void *user,
               asker_answer *out)
{
    const double start = say_clock();
    *out = (asker_answer){0};
    out->text = calloc(1, 1);
    if (!out->text) {
        return say_failed("out of memory for an answer");
    }
    if (!asker_read(a, question, &out->question, &out->again)) {
        return false;
    }
    out->cells = a->host.cells;
    bool good = generate(a, start, piece, user, out);
    if (good && kv) { /* after the answer, which would otherwise wait for it */
        const uint64_t all = llama_state_seq_get_size(a->context, a->host.sequence);
        out->kv_bytes = all / a->host.cells * out->cells;
    }
    return good;
}

void asker_answer_free(asker_answer *answer)
{
    free(answer->text);
    *answer = (asker_answer){0};
}
