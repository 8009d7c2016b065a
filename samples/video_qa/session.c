#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "default_model.h"
#include "say.h"

static const char *side_name(const session_side *side)
{
    return side->pipeline.spec ? side->pipeline.spec : "none";
}

/* ---- opening ---- */

static bool open_files(session *s, const char **model)
{
    const options *o = s->o;
    const char *mmproj = o->mmproj;
    *model = o->model;
    if (!o->model && !default_model_find(model, &mmproj)) {
        return false;
    }
    const film_options eye = {.model = mmproj, .backend = o->backend, .like = o->like};
    if (!check_file(*model) || !check_file(mmproj) || !film_open(&s->encoder, &eye)) {
        return false;
    }
    return true;
}

/* Pipelines before the language model: a wrong spec is told before anything large is loaded. */
static bool open_pipelines(session *s)
{
    if (s->o->compare) {
        film_pipeline_open(&s->sides[s->side_count++].pipeline, &s->encoder, NULL);
    }
    return film_pipeline_open(&s->sides[s->side_count++].pipeline, &s->encoder, s->o->pipeline);
}

bool session_open(session *s, const options *o)
{
    const char *model;
    memset(s, 0, sizeof *s);
    s->o = o;
    if (!open_files(s, &model) || !open_pipelines(s)) {
        return false;
    }
    if (o->trace && !(s->trace = fopen(o->trace, "w"))) {
        return say_failed("%s: it cannot be written", o->trace);
    }
    const asker_options ask = {.model = model,
                               .trace = s->trace,
                               .template = o->template,
                               .context = o->context,
                               .batch = o->batch,
                               .threads = o->threads,
                               .answer = o->answer,
                               .gpu_layers = o->gpu_layers_given ? (int32_t)o->gpu_layers : -1,
                               .compact = strcmp(o->mrope, "compact") == 0};
    bool good = asker_model_open(&s->model, &ask, &s->encoder);
    for (uint32_t i = 0; good && i < s->side_count; i++) {
        good = asker_open(&s->sides[i].asker, &s->model, NULL);
    }
    return good;
}

void session_forget(session *s)
{
    for (uint32_t i = 0; i < s->film_count; i++) {
        for (uint32_t k = 0; k < s->side_count; k++) {
            film_rows_free(&s->sides[k].rows[i]);
        }
        film_free(&s->films[i]);
    }
    s->film_count = 0;
}

void session_close(session *s)
{
    session_forget(s);
    for (uint32_t i = 0; i < s->side_count; i++) {
        asker_close(&s->sides[i].asker);
        film_pipeline_close(&s->sides[i].pipeline, &s->encoder);
    }
    asker_model_close(&s->model);
    film_close(&s->encoder);
    if (s->trace) {
        fclose(s->trace);
    }
}

/* ---- looking ---- */

static bool reduce_all(session *s, session_side *side)
{
    side->encode_ms = side->reduce_ms = 0;
    side->asked = false;
    for (uint32_t i = 0; i < s->film_count; i++) {
        film_rows *rows = &side->rows[i];
        if (!film_reduce(rows, &s->films[i], &s->encoder, &side->pipeline)) {
            return false;
        }
        side->encode_ms += rows->encode_ms;
        side->reduce_ms += rows->reduce_ms;
    }
    return true;
}

bool session_look(session *s)
{
    for (uint32_t k = 0; k < s->side_count; k++) {
        session_side *side = &s->sides[k];
        prompt_media media[OPTIONS_LIST_MAX];
        if (!reduce_all(s, side)) {
            return false;
        }
        for (uint32_t i = 0; i < s->film_count; i++) {
            media[i] = (prompt_media){.film = &s->films[i], .rows = &side->rows[i]};
        }
        if (!asker_show(&side->asker, media, s->film_count)) {
            return false;
        }
    }
    return !s->o->picture || picture_write(s, s->o->picture);
}

/* ---- asking ---- */

/* Models begin an answer with a space. */
static void print_piece(void *user, const char *piece, uint32_t size)
{
    bool *begun = user;
    while (!*begun && size > 0 && (*piece == ' ' || *piece == '\n')) {
        piece++;
        size--;
    }
    *begun = *begun || size > 0;
    fwrite(piece, 1, size, stdout);
    fflush(stdout);
}

/* From the frames to the first token, as if nothing had been kept from a question before. */
static double first_token(const session_side *side, const asker_answer *a)
{
    return side->encode_ms + side->reduce_ms + side->asker.prefill_ms + a->first_ms;
}

static void report(const session_side *side, const asker_answer *a)
{
    char made[128];
    if (side->asked) {
        snprintf(made, sizeof made, "media %s", a->again ? "decoded again" : "kept from before");
    } else if (side->pipeline.inside) {
        snprintf(made, sizeof made, "encode %.1f ms (reduced inside), prefill %.1f ms",
                 side->encode_ms, side->asker.prefill_ms);
    } else {
        snprintf(made, sizeof made, "encode %.1f ms, reduce %.1f ms, prefill %.1f ms",
                 side->encode_ms, side->reduce_ms, side->asker.prefill_ms);
    }
    fprintf(stderr,
            "%s: visual tokens %u -> %u, %s, first token after %.1f ms, %u tokens in %.1f ms, "
            "context %u of %u\n",
            say_program, side->asker.prompt.visual_before, side->asker.prompt.visual, made,
            side->asked ? a->first_ms : first_token(side, a), a->tokens, a->generate_ms,
            side->asker.host.cells, llama_n_ctx_seq(side->asker.context));
}

/* Once, about pictures: of a film nobody expects that much. */
static void warn_of_grounding(const session *s, const session_side *side)
{
    const prompt *p = &side->asker.prompt;
    if (!side->asked && s->film_count == 1 && !s->films[0].is_video &&
        llama_host_uses_mrope(side->asker.context) && p->visual < p->visual_before &&
        p->visual < LLAMA_HOST_GROUNDING) {
        fprintf(stderr,
                "%s: under %d tokens a picture models with M-RoPE tell what there is, but not "
                "reliably where\n",
                say_program, LLAMA_HOST_GROUNDING);
    }
}

static void print_table(const session *s, const asker_answer *answers)
{
    int width = 4;
    for (uint32_t k = 0; k < s->side_count; k++) {
        const int length = (int)strlen(side_name(&s->sides[k]));
        width = length > width ? length : width;
    }
    printf("\n%-*s  tokens   share  first token  context\n", width, "");
    for (uint32_t k = 0; k < s->side_count; k++) {
        const session_side *side = &s->sides[k];
        const prompt *p = &side->asker.prompt;
        printf("%-*s  %6u  %5.1f%%  %8.1f ms  %7u\n", width, side_name(side), p->visual,
               100.0 * p->visual / p->visual_before, first_token(side, &answers[k]),
               side->asker.host.cells);
    }
    putchar('\n');
}

static bool ask_side(session *s, session_side *side, const char *question, asker_answer *answer)
{
    bool begun = false;
    if (s->o->compare) {
        printf("%s: ", side_name(side));
    }
    const bool good = asker_ask(&side->asker, question, false, print_piece, &begun, answer);
    if (good || answer->tokens > 0 || s->o->compare) {
        putchar('\n');
    }
    if (good) {
        fflush(stdout);
        report(side, answer);
        warn_of_grounding(s, side);
        side->asked = true;
    }
    return good;
}

bool session_ask(session *s, const char *question)
{
    asker_answer answers[SESSION_SIDES] = {0};
    char *text = NULL;
    bool good = session_trim(question, &text);
    for (uint32_t k = 0; good && k < s->side_count; k++) {
        good = ask_side(s, &s->sides[k], text, &answers[k]);
    }
    if (good && s->o->compare) {
        print_table(s, answers);
    }
    for (uint32_t k = 0; k < s->side_count; k++) {
        asker_answer_free(&answers[k]);
    }
    free(text);
    if (good && (fflush(stdout) != 0 || ferror(stdout))) {
        return say_failed("standard output: it cannot be written");
    }
    return good;
}

bool session_trim(const char *text, char **out)
{
    static const char spaces[] = " \t\r\n\v\f";
    text += strspn(text, spaces);
    size_t length = strlen(text);
    while (length > 0 && strchr(spaces, text[length - 1])) {
        length--;
    }
    *out = NULL;
    if (length == 0) {
        return say_failed("the question is empty (write one)");
    }
    *out = strndup(text, length);
    return *out || say_failed("out of memory for a question");
}
