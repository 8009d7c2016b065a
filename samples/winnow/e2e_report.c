#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "e2e.h"
#include "report.h"

static const double share_most = 0.05; /* of the encoder: what a reduction should stay under */

/* Three figures of a number, "12.3". */
static const char *figure(double ms, char *text, size_t size)
{
    snprintf(text, size, ms < 10 ? "%.2f" : ms < 100 ? "%.1f" : "%.0f", ms);
    return text;
}

static const char *cell(e2e_quartiles q, char *text, size_t size)
{
    char low[24], middle[24], high[24];
    snprintf(text, size, "%s (%s-%s)", figure(q.median, middle, sizeof middle),
             figure(q.low, low, sizeof low), figure(q.high, high, sizeof high));
    return text;
}

/* ---- for people ---- */

static void print_head(const e2e *b, uint32_t samples)
{
    printf("%s, %s\n%s, %s, %u layers of %u channels\n", b->device.name, b->device.driver, b->model,
           b->encoder.info.family, b->encoder.info.run_layers, b->encoder.info.width);
    if (b->prefill) {
        printf("%s, llama.cpp %s, ", b->llm, b->llama->llama);
        printf(b->threads ? "%u thread%s\n" : "a thread a processor\n", b->threads,
               b->threads == 1 ? "" : "s");
    }
    printf("%s: %u view%s of %u x %u; %s milliseconds, medians of %u (quartiles)\n\n", b->film,
           b->views, b->views == 1 ? "" : "s", b->width, b->height, b->cpu ? "CPU" : "clock",
           samples);
}

/* Of the first column: as wide as the longest spec. */
static int spec_width(const e2e *b)
{
    size_t width = 10;
    for (uint32_t i = 0; i < b->row_count; i++) {
        const size_t length = b->rows[i].spec ? strlen(b->rows[i].spec) : 0;
        width = length > width ? length : width;
    }
    return width < 60 ? (int)width : 60;
}

static void print_row(const e2e *b, const e2e_row *r)
{
    char tokens[32], text[E2E_PARTS][96], all[96], sooner[24];
    for (uint32_t i = 0; i < E2E_PARTS; i++) {
        cell(e2e_part_of(b, r, i), text[i], sizeof text[i]);
    }
    if (!r->pipeline.pipeline || (r->pipeline.inside && !r->split)) {
        strcpy(text[E2E_REDUCTION], r->pipeline.pipeline ? "in the encoder" : "-");
    }
    snprintf(tokens, sizeof tokens, "%u of %u", r->tokens, b->before);
    snprintf(sooner, sizeof sooner, "%.2fx",
             e2e_all_of(b, &b->rows[0]).median / e2e_all_of(b, r).median);
    printf("%-*s %14s %20s %20s %20s %20s %20s %7s\n", spec_width(b), r->spec ? r->spec : "none",
           tokens, text[E2E_PREPARE], text[E2E_ENCODER], text[E2E_REDUCTION],
           b->prefill ? text[E2E_PREFILL] : "-", cell(e2e_all_of(b, r), all, sizeof all), sooner);
}

static void print_rows(const e2e *b)
{
    print_head(b, b->rounds);
    printf("%-*s %14s %20s %20s %20s %20s %20s %7s\n", spec_width(b), "PIPELINE", "TOKENS",
           "PREPARE", "ENCODER", "REDUCTION", "PREFILL", b->prefill ? "FIRST TOKEN" : "ALL",
           "SOONER");
    for (uint32_t i = 0; i < b->row_count; i++) {
        print_row(b, &b->rows[i]);
    }
    if (b->left_out[0]) {
        printf("\nprefill is left out: %s\n", b->left_out);
    }
}

static double share_of(const e2e *b, const e2e_stage *s, bool cpu)
{
    return e2e_quartiles_of(s->times, b->stage_samples, cpu).median /
           e2e_quartiles_of(b->encoder_times, b->rounds, cpu).median;
}

static void print_stages(const e2e *b)
{
    char text[96];
    print_head(b, b->rounds);
    printf("%-34s %8s %22s %10s\n", "STAGE", "TOKENS", "MS", "SHARE");
    printf("%-34s %8u %22s\n", "(encoder)", b->before,
           cell(e2e_quartiles_of(b->encoder_times, b->rounds, b->cpu), text, sizeof text));
    for (uint32_t i = 0; i < b->stage_count; i++) {
        const e2e_stage *s = &b->stages[i];
        if (s->skipped[0]) {
            printf("%-34s %s\n", s->spec, s->skipped);
            continue;
        }
        double share = share_of(b, s, b->cpu);
        printf("%-34s %8u %22s %9.3g%%%s%s\n", s->spec, s->alone.rows,
               cell(e2e_quartiles_of(s->times, b->stage_samples, b->cpu), text, sizeof text),
               100 * share, share > share_most ? "  over 5%" : "",
               s->alone.seeded ? "  (made-up text or attention)" : "");
    }
}

/* ---- for machines ---- */

static void add_quartiles(cJSON *object, const char *name, e2e_quartiles q)
{
    const double values[3] = {q.low, q.median, q.high};
    cJSON_AddItemToObject(object, name, cJSON_CreateDoubleArray(values, 3));
}

/* {"wall_ms": [low, median, high], "cpu_ms": [...]} */
static void add_time(cJSON *object, const char *name, const e2e_time *samples, uint32_t count)
{
    cJSON *both = cJSON_AddObjectToObject(object, name);
    add_quartiles(both, "wall_ms", e2e_quartiles_of(samples, count, false));
    add_quartiles(both, "cpu_ms", e2e_quartiles_of(samples, count, true));
}

static cJSON *head_object(const e2e *b)
{
    cJSON *tree = cJSON_CreateObject();
    cJSON_AddStringToObject(tree, "version", b->library.api->version);
    cJSON_AddItemToObject(tree, "device", report_device(&b->device));
    cJSON_AddStringToObject(tree, "model", b->model);
    cJSON_AddStringToObject(tree, "family", b->encoder.info.family);
    cJSON_AddStringToObject(tree, "media", b->film);
    cJSON_AddNumberToObject(tree, "views", b->views);
    cJSON_AddNumberToObject(tree, "width", b->width);
    cJSON_AddNumberToObject(tree, "height", b->height);
    cJSON_AddNumberToObject(tree, "tokens_before", b->before);
    cJSON_AddStringToObject(tree, "clock", b->cpu ? "cpu" : "wall");
    cJSON_AddNumberToObject(tree, "rounds", b->rounds);
    cJSON_AddBoolToObject(tree, "quick", b->o->quick);
    return tree;
}

static cJSON *row_object(const e2e *b, const e2e_row *r)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "pipeline",
                          r->spec ? cJSON_CreateString(r->spec) : cJSON_CreateNull());
    cJSON_AddNumberToObject(object, "tokens", r->tokens);
    cJSON_AddBoolToObject(object, "inside", r->pipeline.inside);
    for (uint32_t i = 0; i < E2E_PARTS; i++) {
        const bool known = r->pipeline.pipeline && (r->split || !r->pipeline.inside);
        if ((i != E2E_REDUCTION || known) && (i != E2E_PREFILL || b->prefill)) {
            add_time(object, e2e_part_names[i], r->parts[i], b->rounds);
        }
    }
    add_time(object, "all", r->all, b->rounds);
    if (b->prefill) {
        cJSON_AddNumberToObject(object, "text_tokens", r->text);
        cJSON_AddNumberToObject(object, "cells", r->cells);
    }
    cJSON_AddNumberToObject(object, "sooner",
                            e2e_all_of(b, &b->rows[0]).median / e2e_all_of(b, r).median);
    return object;
}

static cJSON *rows_object(const e2e *b)
{
    cJSON *tree = head_object(b);
    if (b->prefill) {
        cJSON_AddStringToObject(tree, "llm", b->llm);
        cJSON_AddStringToObject(tree, "llama", b->llama->llama);
    } else {
        cJSON_AddStringToObject(tree, "prefill_left_out", b->left_out);
    }
    cJSON *results = cJSON_AddArrayToObject(tree, "results");
    for (uint32_t i = 0; i < b->row_count; i++) {
        cJSON_AddItemToArray(results, row_object(b, &b->rows[i]));
    }
    return tree;
}

static cJSON *stage_object(const e2e *b, const e2e_stage *s)
{
    cJSON *object = cJSON_CreateObject(), *shares;
    cJSON_AddStringToObject(object, "stage", s->name);
    cJSON_AddStringToObject(object, "pipeline", s->spec);
    if (s->skipped[0]) {
        cJSON_AddStringToObject(object, "skipped", s->skipped);
        return object;
    }
    cJSON_AddNumberToObject(object, "tokens", s->alone.rows);
    cJSON *shape = cJSON_AddArrayToObject(object, "shape");
    const uint32_t sizes[3] = {s->alone.run.shape.frames, s->alone.run.shape.tokens,
                               s->alone.run.shape.dim};
    for (int i = 0; i < 3; i++) {
        cJSON_AddItemToArray(shape, cJSON_CreateNumber(sizes[i]));
    }
    cJSON_AddBoolToObject(object, "made_up", s->alone.seeded);
    add_time(object, "reduction", s->times, b->stage_samples);
    shares = cJSON_AddObjectToObject(object, "share_of_encoder");
    cJSON_AddNumberToObject(shares, "wall", share_of(b, s, false));
    cJSON_AddNumberToObject(shares, "cpu", share_of(b, s, true));
    return object;
}

static cJSON *stages_object(const e2e *b)
{
    cJSON *tree = head_object(b);
    add_time(tree, "encoder", b->encoder_times, b->rounds);
    cJSON *stages = cJSON_AddArrayToObject(tree, "stages");
    for (uint32_t i = 0; i < b->stage_count; i++) {
        cJSON_AddItemToArray(stages, stage_object(b, &b->stages[i]));
    }
    return tree;
}

int e2e_report(const e2e *b)
{
    if (b->o->json) {
        return report_print(rows_object(b));
    }
    print_rows(b);
    return cli_finish_stdout();
}

int e2e_report_stages(const e2e *b)
{
    if (b->o->json) {
        return report_print(stages_object(b));
    }
    print_stages(b);
    return cli_finish_stdout();
}
