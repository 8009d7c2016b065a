/* winnow-llama: asks a vision-language model of llama.cpp about pictures and videos, with the
 * visual tokens that a Winnow pipeline keeps. See README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <frames.h>
#include <llama.h>
#include <mtmd.h>

#include "chat.h"
#include "chunks.h"
#include "inside.h"
#include "llama_host.h"
#include "media.h"
#include "options.h"
#include "rows.h"
#include "say.h"
#include "say_llama.h"

enum { PIECE_SIZE = 256 };

/* Everything that is open. */
typedef struct session {
    options o;
    media_list media;
    char *question; /* with markers; in the chat's format where that is asked for */
    reducer reducer;
    inside inside;
    struct llama_model *model;
    struct llama_context *context;
    prompt prompt;
    llama_host host;
    FILE *logits;
    double prefill_ms, generate_ms;
    uint32_t generated;
} session;

/* ---- opening ---- */

static bool check_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        return say_failed("%s: it cannot be opened", path);
    }
    fclose(file);
    return true;
}

static bool ask_as_chat(session *s)
{
    if (s->o.chat) {
        char *message = s->question;
        s->question = chat_around(s->model, s->o.model, message);
        free(message);
    }
    return s->question != NULL;
}

static bool load_model(session *s)
{
    struct llama_model_params params = llama_model_default_params();
    if (s->o.gpu_layers_given) {
        params.n_gpu_layers = (int32_t)s->o.gpu_layers;
    }
    s->model = llama_model_load_from_file(s->o.model, params);
    if (!s->model) {
        return say_failed("%s: llama.cpp does not load it%s", s->o.model, say_llama_words());
    }
    const int32_t width = llama_model_n_embd_inp(s->model);
    if (s->reducer.model && s->reducer.info.dim != (uint32_t)width) {
        return say_failed("%s: its rows have %u channels, %s takes %d (the two files are not of "
                          "one model)",
                          s->o.mmproj, s->reducer.info.dim, s->o.model, width);
    }
    return true;
}

/* After the rows are there, so that what does not fit is told before memory is taken for it. */
static bool open_context(session *s)
{
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = s->o.context;
    params.n_batch = s->o.batch;
    params.n_ubatch = s->o.batch;
    params.n_threads = (int32_t)s->o.threads;
    params.n_threads_batch = (int32_t)s->o.threads;
    inside_set_context(&s->inside, s->model, &params);
    s->context = llama_init_from_model(s->model, params);
    if (!s->context) {
        return say_failed("a context of %u tokens: llama.cpp does not make it%s", s->o.context,
                          say_llama_words());
    }
    s->host = (llama_host){.context = s->context, .compact = strcmp(s->o.mrope, "compact") == 0};
    if (s->host.compact && !llama_host_uses_mrope(s->context)) {
        return say_failed("--mrope compact: %s has no M-RoPE, its positions are always consecutive "
                          "(leave it out)",
                          s->o.model);
    }
    return true;
}

static bool check_room(const session *s)
{
    const prompt *p = &s->prompt;
    const uint64_t prompt_tokens = (uint64_t)p->text + p->visual_after,
                   all = prompt_tokens + s->o.answer;
    return all <= s->o.context ||
           say_failed("context: a prompt of %llu tokens (%u of them visual) and an answer of %u do "
                      "not fit %u (give -c %llu, or a --pipeline that keeps fewer)",
                      (unsigned long long)prompt_tokens, p->visual_after, s->o.answer, s->o.context,
                      (unsigned long long)all);
}

/* ---- the answer ---- */

static llama_token best(const float *logits, int32_t count)
{
    llama_token top = 0;
    for (int32_t i = 1; i < count; i++) {
        top = logits[i] > logits[top] ? i : top;
    }
    return top;
}

static bool write_logits(session *s, const float *logits, int32_t count)
{
    return !s->logits ||
           fwrite(logits, sizeof *logits, (size_t)count, s->logits) == (size_t)count ||
           say_failed("%s: it cannot be written", s->o.logits);
}

static void print_piece(const struct llama_vocab *vocab, llama_token token)
{
    char piece[PIECE_SIZE];
    const int32_t length = llama_token_to_piece(vocab, token, piece, sizeof piece, 0, false);
    if (length > 0) {
        fwrite(piece, 1, (size_t)length, stdout);
        fflush(stdout);
    }
}

static bool go_on(session *s, llama_token token)
{
    inside_before(&s->inside);
    return llama_host_text(&s->host, &token, 1, true) == LLAMA_HOST_OK
               ? inside_after(&s->inside, &s->reducer, &s->host)
               : say_failed("%s%s", s->host.why, say_llama_words());
}

/* Greedy: the likeliest token each time, until one ends the answer. */
static bool answer(session *s)
{
    const struct llama_vocab *vocab = llama_model_get_vocab(s->model);
    const int32_t count = llama_vocab_n_tokens(vocab);
    const double start = say_clock();
    for (; s->generated < s->o.answer; s->generated++) {
        const float *logits = llama_get_logits_ith(s->context, -1);
        if (!logits) {
            return say_failed("llama.cpp gives no logits%s", say_llama_words());
        }
        const llama_token token = best(logits, count);
        if (!write_logits(s, logits, count)) {
            return false;
        }
        if (llama_vocab_is_eog(vocab, token)) {
            break;
        }
        print_piece(vocab, token);
        if (s->generated + 1 < s->o.answer && !go_on(s, token)) {
            return false;
        }
    }
    putchar('\n');
    s->generate_ms = say_clock() - start;
    return fflush(stdout) == 0 || say_failed("standard output: it cannot be written");
}

static void report(const session *s)
{
    const prompt *p = &s->prompt;
    const reducer *r = &s->reducer;
    char reduce[48] = "", left[96];
    inside_report(&s->inside, left, sizeof left);
    if (r->pipeline && r->encoder) {
        snprintf(reduce, sizeof reduce, " (reduced inside)");
    } else if (r->pipeline) {
        snprintf(reduce, sizeof reduce, ", reduce %.1f ms", r->reduce_ms);
    }
    fprintf(
        stderr,
        "winnow-llama: visual tokens %u -> %u in %u view%s%s, encode %.1f ms%s, prefill %.1f ms, "
        "%u tokens in %.1f ms, context %u of %u\n",
        p->visual_before, p->visual_after, p->unit_count, p->unit_count == 1 ? "" : "s", left,
        p->encode_ms + r->encode_ms, reduce, s->prefill_ms, s->generated, s->generate_ms,
        s->host.cells, llama_n_ctx_seq(s->context));
}

/* What a small budget costs with models that are asked for places; of a film nobody expects that much. */
static void warn_of_grounding(const session *s)
{
    const prompt *p = &s->prompt;
    for (uint32_t i = 0; i < s->o.media_count; i++) {
        if (s->o.media[i].is_video) {
            return;
        }
    }
    if (llama_host_uses_mrope(s->context) && p->visual_after < p->visual_before &&
        p->visual_after / LLAMA_HOST_GROUNDING < p->unit_count) {
        fprintf(
            stderr,
            "winnow-llama: under %d tokens a picture models with M-RoPE tell what there is, but "
            "not reliably where\n",
            LLAMA_HOST_GROUNDING);
    }
}

static bool ask(session *s)
{
    const double start = say_clock();
    if (!prompt_decode(&s->prompt, &s->host, inside_attention(&s->inside)) ||
        !inside_prune(&s->inside, &s->reducer, &s->prompt, &s->host)) {
        return false;
    }
    llama_synchronize(s->context);
    s->prefill_ms = say_clock() - start;
    if (s->o.logits && !(s->logits = fopen(s->o.logits, "wb"))) {
        return say_failed("%s: it cannot be written", s->o.logits);
    }
    return answer(s);
}

/* What needs no model comes first: mistakes are told before anything large is read. */
static bool open_all(session *s)
{
    const options *o = &s->o;
    s->question = media_question(o, mtmd_default_marker());
    return s->question && check_file(o->model) && check_file(o->mmproj) &&
           reducer_load(&s->reducer) && inside_open(&s->inside, &s->reducer, o) &&
           media_read(&s->media, o) &&
           reducer_open(&s->reducer, o, s->inside.rows_spec, inside_is_asked(&s->inside)) &&
           load_model(s) && inside_check_model(&s->inside, o, s->model) && ask_as_chat(s) &&
           prompt_open(&s->prompt, o, s->model);
}

static bool run(session *s)
{
    const options *o = &s->o;
    if (!open_all(s) || !prompt_split(&s->prompt, s->question, &s->media, &s->reducer) ||
        !inside_check_prompt(&s->inside, &s->prompt) ||
        !prompt_fill(&s->prompt, o, &s->reducer, &s->media,
                     (uint32_t)llama_model_n_embd_inp(s->model)) ||
        (o->kept && !prompt_write_kept(&s->prompt, o->kept)) || !check_room(s) ||
        !open_context(s) || !ask(s)) {
        return false;
    }
    report(s);
    warn_of_grounding(s);
    return true;
}

static bool close_session(session *s, bool good)
{
    if (s->logits && fclose(s->logits) != 0 && good) {
        good = say_failed("%s: it cannot be written", s->o.logits);
    }
    prompt_close(&s->prompt);
    if (s->context) {
        llama_free(s->context);
    }
    if (s->model) {
        llama_model_free(s->model);
    }
    inside_close(&s->inside, &s->reducer);
    reducer_close(&s->reducer);
    media_free(&s->media);
    free(s->question);
    return good;
}

static int print_version(void)
{
    const winnow_api *api = winnow_get_api(WINNOW_ABI);
    printf("winnow-llama with Winnow %s, built for llama.cpp %s\n",
           api ? api->version : "of another ABI", LLAMA_BUILT_FOR);
    return 0;
}

int main(int argc, char **argv)
{
    session s = {0};
    say_program = "winnow-llama";
    if (!options_read(&s.o, argc, argv)) {
        return 1;
    }
    if (s.o.help) {
        options_help();
        return 0;
    }
    if (s.o.version) {
        return print_version();
    }
    frames_quiet_libav();
    llama_log_set(say_llama_log(s.o.verbose), NULL);
    mtmd_log_set(say_llama_log(s.o.verbose), NULL);
    llama_backend_init();
    const bool good = close_session(&s, run(&s));
    llama_backend_free();
    return good ? 0 : 1;
}
