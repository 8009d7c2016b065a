/* winnow-evaluate: how many questions about clips a model still gets right with the visual tokens
 * that each of several pipelines leaves, and what that saves. See README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <frames.h>
#include <llama.h>

#include "../asker.h"
#include "../default_model.h"
#include "arguments.h"
#include "asked.h"
#include "clips.h"
#include "floors.h"
#include "results.h"
#include "say.h"
#include "say_llama.h"

/* One pipeline of the list, or a floor. */
typedef struct way {
    film_pipeline pipeline;
    floor_spec floor;
    const char *spec;
    bool is_asked; /* it chooses for each question anew */
    uint64_t asked, right;
} way;

typedef struct evaluation {
    arguments a;
    film_encoder encoder;
    way ways[ARGUMENTS_MOST];
    uint32_t way_count;
    film_pipeline none;
    asker_model model;
    asker asker;
    asked look;
    results out;
    uint32_t clips;
} evaluation;

/* ---- opening ---- */

static bool open_way(evaluation *v, const char *spec)
{
    way *w = &v->ways[v->way_count++];
    bool good;
    w->spec = spec;
    if (floor_read(spec, &w->floor, &good)) {
        return good;
    }
    w->is_asked = asked_is(&v->encoder, spec);
    if (w->is_asked) {
        return asked_pipeline_open(&v->look, &w->pipeline, &v->encoder, spec);
    }
    return film_pipeline_open(&w->pipeline, &v->encoder, strcmp(spec, "none") == 0 ? NULL : spec);
}

static bool open_all(evaluation *v)
{
    const arguments *a = &v->a;
    const char *model = a->model, *mmproj = a->mmproj;
    if (!model && !default_model_find(&model, &mmproj)) {
        return false;
    }
    const film_options eye = {.model = mmproj, .backend = a->backend, .like = a->like};
    const asker_options ask = {.model = model,
                               .context = a->context,
                               .batch = 512,
                               .threads = a->threads,
                               .answer = a->answer,
                               .template = a->template,
                               .gpu_layers = a->gpu_layers};
    if (!check_file(model) || !check_file(mmproj) || !film_open(&v->encoder, &eye)) {
        return false;
    }
    for (uint32_t i = 0; i < a->pipeline_count; i++) {
        if (!open_way(v, a->pipelines[i])) {
            return false;
        }
    }
    return film_pipeline_open(&v->none, &v->encoder, NULL) &&
           asker_model_open(&v->model, &ask, &v->encoder) &&
           asker_open(&v->asker, &v->model, NULL) && asked_open(&v->look, &v->model) &&
           results_open(&v->out, a->output);
}

static void close_all(evaluation *v)
{
    asker_close(&v->asker);
    asked_close(&v->look, &v->encoder);
    asker_model_close(&v->model);
    for (uint32_t i = 0; i < v->way_count; i++) {
        film_pipeline_close(&v->ways[i].pipeline, &v->encoder);
    }
    film_pipeline_close(&v->none, &v->encoder);
    film_close(&v->encoder);
}

/* ---- one clip ---- */

/* The same words, whatever spaces are around them. */
static bool same_answer(const char *said, const char *answer)
{
    static const char spaces[] = " \t\r\n";
    said += strspn(said, spaces);
    const size_t length = strlen(answer);
    return strncmp(said, answer, length) == 0 && said[length + strspn(said + length, spaces)] == 0;
}

static bool ask(evaluation *v, way *w, const clip *c, const film_rows *rows, uint32_t number)
{
    const clip_question *q = &c->questions[number];
    asker_answer answer;
    bool good = asker_ask(&v->asker, q->question, true, NULL, NULL, &answer);
    if (good) {
        const bool right = same_answer(answer.text, q->answer);
        const result_row row = {.clip = v->clips,
                                .pipeline = w->spec,
                                .type = q->type,
                                .question = q->question,
                                .answer = q->answer,
                                .said = answer.text,
                                .right = right,
                                .tokens = rows->count,
                                .tokens_before = rows->before,
                                .cells = answer.cells,
                                .kv_bytes = answer.kv_bytes,
                                .encode_ms = rows->encode_ms,
                                .reduce_ms = rows->reduce_ms,
                                .prefill_ms = v->asker.prefill_ms,
                                .question_ms = answer.first_ms};
        w->asked++;
        w->right += right;
        good = results_write(&v->out, &row);
    }
    asker_answer_free(&answer);
    return good;
}

/* The media decoded, then questions `first` up to `end`. */
static bool ask_some(evaluation *v, way *w, const clip *c, const prompt_media *media,
                     uint32_t first, uint32_t end)
{
    bool good = asker_show(&v->asker, media, 1);
    for (uint32_t i = first; good && i < end; i++) {
        good = ask(v, w, c, media->rows, i);
    }
    return good;
}

/* What each way that chooses for a question leaves for this one. */
static bool evaluate_question(evaluation *v, const clip *c, film *f, uint32_t q)
{
    bool good = asked_read(&v->look, c->questions[q].question);
    for (uint32_t i = 0; good && i < v->way_count; i++) {
        way *w = &v->ways[i];
        film_rows rows = {0};
        if (w->is_asked) {
            good = asked_reduce(&v->look, &rows, f, &v->encoder, &w->pipeline, w->spec) &&
                   ask_some(v, w, c, &(prompt_media){.film = f, .rows = &rows}, q, q + 1);
        }
        film_rows_free(&rows);
    }
    return good;
}

static bool evaluate_asked(evaluation *v, const clip *c, film *f, const film_rows *all)
{
    if (v->look.look.layer_count == 0) {
        return true; /* there is no such way */
    }
    bool good = asked_show(&v->look, &(prompt_media){.film = f, .rows = all});
    for (uint32_t q = 0; good && q < c->question_count; q++) {
        good = evaluate_question(v, c, f, q);
    }
    return good;
}

/* One encoding for all ways that need no more than tokens. */
static bool evaluate_clip(evaluation *v, const clip *c)
{
    const film_choice choice = {.frames = v->a.frames};
    film f;
    film_rows all = {0};
    bool good =
        clip_read(c, &f, &v->encoder, &choice) && film_reduce(&all, &f, &v->encoder, &v->none);
    for (uint32_t i = 0; good && i < v->way_count; i++) {
        way *w = &v->ways[i];
        film_rows rows = {0};
        if (w->is_asked) {
            continue;
        }
        const uint64_t seed = v->a.seed * 0x100000001B3u + v->clips;
        good = w->floor.kind != FLOOR_NONE ? floor_reduce(&rows, &all, &w->floor, seed)
                                           : film_reduce(&rows, &f, &v->encoder, &w->pipeline);
        good = good &&
               ask_some(v, w, c, &(prompt_media){.film = &f, .rows = &rows}, 0, c->question_count);
        film_rows_free(&rows);
    }
    good = good && evaluate_asked(v, c, &f, &all);
    film_rows_free(&all);
    film_free(&f);
    return good;
}

static bool evaluate_file(evaluation *v)
{
    clip_file file;
    const bool terminal = isatty(STDERR_FILENO) != 0;
    bool end = false, good = clip_file_open(&file, v->a.clips);
    while (good && !end && (!v->a.most || v->clips < v->a.most)) {
        clip c;
        good = clip_next(&file, &c, &end) && (end || evaluate_clip(v, &c));
        clip_free(&c);
        v->clips += good && !end;
        if (terminal && good) {
            fprintf(stderr, "\r%u clips", v->clips);
        }
    }
    if (terminal) {
        fputc('\n', stderr);
    }
    clip_file_close(&file);
    return good && (v->clips > 0 || say_failed("%s: there are no clips in it", v->a.clips));
}

static void report(const evaluation *v)
{
    for (uint32_t i = 0; i < v->way_count; i++) {
        const way *w = &v->ways[i];
        printf("%-32s %llu of %llu right, %.1f%%\n", w->spec, (unsigned long long)w->right,
               (unsigned long long)w->asked, 100.0 * (double)w->right / (double)w->asked);
    }
}

int main(int argc, char **argv)
{
    static evaluation v;
    say_program = "winnow-evaluate";
    if (!arguments_read(&v.a, argc, argv)) {
        return 1;
    }
    if (v.a.help) {
        arguments_help();
        return 0;
    }
    frames_quiet_libav();
    llama_log_set(say_llama_log(false), NULL);
    llama_backend_init();
    bool good = open_all(&v) && evaluate_file(&v);
    good = results_close(&v.out, good) && good;
    if (good) {
        report(&v);
    }
    close_all(&v);
    llama_backend_free();
    return good ? 0 : 1;
}
