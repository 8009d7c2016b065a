#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cases.h"
#include "bench_weights.h"
#include "cli.h"
#include "e2e.h"
#include "progress.h"
#include "say.h"

/* The library's sentence, why the stage is left out. */
static void skip(e2e *b, e2e_stage *s, const char *otherwise)
{
    film_encoder *e = &b->encoder;
    snprintf(s->skipped, sizeof s->skipped, "%s", e->message[0] ? e->message : otherwise);
    film_forget(e);
}

static bool is_wanted(const e2e *b, const winnow_stage_info *info)
{
    return strcmp(info->family, "decode") != 0 &&
           (strcmp(info->family, "temporal") != 0 || b->encoder.info.frames < b->views) &&
           strcmp(info->name, "flatten") != 0; /* it moves nothing */
}

/* Every stage of the library at the settings of `winnow bench`, or the --pipelines. */
static bool add_stage(e2e *b, const char *spec, const char *name)
{
    e2e_stage *s = &b->stages[b->stage_count++];
    film_encoder *e = &b->encoder;
    s->name = name;
    if (snprintf(s->spec, sizeof s->spec, "%s", spec) >= (int)sizeof s->spec) {
        return say_failed("--pipeline: with --stages it has %zu bytes at most (give fewer stages)",
                          sizeof s->spec - 1);
    }
    const winnow_status status =
        bench_pipeline(e->api, &e->host, s->spec, e->info.dim, &s->pipeline);
    if (status != WINNOW_OK) {
        s->pipeline = NULL;
        return film_fail(e, "pipeline", status);
    }
    if (!e2e_alone_open(&s->alone, e, &b->shown, s->pipeline)) {
        skip(b, s, "it does not run by itself");
    }
    film_forget(e);
    return true;
}

static bool add_stages(e2e *b)
{
    const arg_list *given = &b->o->pipelines;
    char spec[sizeof b->stages[0].spec];
    for (size_t i = 0; i < given->count; i++) {
        if (!add_stage(b, given->items[i], given->items[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; !given->count && i < b->library.api->stage_count(); i++) {
        winnow_stage_info info = {.struct_size = sizeof info};
        if (b->stage_count < E2E_STAGES_MAX && b->library.api->stage_info(i, &info) == WINNOW_OK &&
            is_wanted(b, &info) && bench_spec(&b->library, info.name, spec, sizeof spec) &&
            !add_stage(b, spec, info.name)) {
            return false;
        }
    }
    return true;
}

static void run_stage(e2e *b, e2e_stage *s, uint32_t sample)
{
    const e2e_time start = e2e_now();
    if (e2e_alone_run(&s->alone, &b->encoder) != WINNOW_OK) {
        skip(b, s, "the run failed");
    }
    s->times[sample] = e2e_since(start);
}

/* The encoder once, then each stage a few times. */
static bool run_round(e2e *b, film *f, uint32_t round)
{
    free(f->tokens);
    f->tokens = NULL;
    const e2e_time start = e2e_now();
    const bool good = film_encode(f, &b->encoder);
    b->encoder_times[round] = e2e_since(start);
    for (uint32_t i = 0; good && i < b->stage_count; i++) {
        for (uint32_t k = 0; k < E2E_REPEATS && !b->stages[i].skipped[0]; k++) {
            run_stage(b, &b->stages[i], round * E2E_REPEATS + k);
        }
    }
    return good;
}

static bool run_rounds(e2e *b, film *f)
{
    progress *bar = progress_begin("warming up", 0);
    bool good = b->o->quick || run_round(b, f, 0);
    const double start = cli_seconds();
    b->rounds = 1;
    for (uint32_t i = 0; good && i < b->rounds; i++) {
        good = run_round(b, f, i);
        b->rounds = i ? b->rounds : e2e_rounds(b->o->rounds, b->o->quick, cli_seconds() - start);
        progress_next(bar, "measuring", b->rounds);
        progress_at(bar, i + 1, b->rounds);
    }
    b->stage_samples = b->rounds * E2E_REPEATS;
    progress_end(bar);
    return good;
}

int e2e_run_stages(e2e *b)
{
    film f = {0};
    bool good = e2e_take(b, &f) && e2e_show(&b->shown, &b->encoder, &f) && add_stages(b) &&
                run_rounds(b, &f);
    b->before = b->shown.behind.frames * b->shown.behind.tokens;
    film_free(&f);
    return good ? CLI_DONE : CLI_FAILED;
}
