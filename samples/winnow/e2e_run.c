#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "e2e.h"
#include "progress.h"

const char *const e2e_part_names[E2E_PARTS] = {"prepare", "encoder", "reduction", "prefill"};

bool e2e_take(e2e *b, film *f)
{
    return film_take(f, &b->encoder, b->frames.frames, (uint32_t)b->frames.count, b->is_video,
                     b->film);
}

/* ---- one row of one round ---- */

/* The encoder's tokens, then the pipeline on them. */
static bool run_behind(e2e *b, e2e_row *r, film *f, film_rows *rows, e2e_time parts[E2E_PARTS])
{
    e2e_time start = e2e_now();
    bool good = film_encode(f, &b->encoder);
    parts[E2E_ENCODER] = e2e_since(start);
    start = e2e_now();
    good = good && film_reduce(rows, f, &b->encoder, &r->pipeline);
    parts[E2E_REDUCTION] = e2e_since(start);
    return good;
}

static bool same_rows(const e2e_alone *a, const film_rows *rows)
{
    return a->rows == rows->count &&
           memcmp(a->indices, rows->indices, rows->count * sizeof *a->indices) == 0;
}

/* Both in one call. The pipeline then runs once more by itself, and what that takes is told apart
 * from the call's, if it is the same reduction: if the same rows are left. */
static bool run_inside(e2e *b, e2e_row *r, film *f, film_rows *rows, e2e_time parts[E2E_PARTS])
{
    e2e_time start = e2e_now();
    const bool good = film_reduce(rows, f, &b->encoder, &r->pipeline);
    parts[E2E_ENCODER] = e2e_since(start);
    if (!good || !r->split) {
        return good;
    }
    start = e2e_now();
    const winnow_status status = e2e_alone_run(&r->alone, &b->encoder);
    const e2e_time reduction = e2e_since(start);
    if (status != WINNOW_OK) {
        return film_fail(&b->encoder, "reduction", status);
    }
    r->split = same_rows(&r->alone, rows);
    if (r->split) {
        parts[E2E_REDUCTION] = reduction;
        parts[E2E_ENCODER] = e2e_minus(parts[E2E_ENCODER], reduction);
    }
    return true;
}

static bool run_prefill(e2e *b, e2e_row *r, const film *f, const film_rows *rows,
                        e2e_time parts[E2E_PARTS])
{
    prefill_counts counts = {0};
    if (!b->prefill) {
        return true;
    }
    const e2e_time start = e2e_now();
    const bool good = b->llama->first_token(b->prefill, f, rows, &counts);
    parts[E2E_PREFILL] = e2e_since(start);
    r->text = counts.text;
    r->cells = counts.cells;
    return good;
}

static void keep(e2e_row *r, uint32_t round, const e2e_time parts[E2E_PARTS])
{
    r->all[round] = (e2e_time){0};
    for (uint32_t i = 0; i < E2E_PARTS; i++) {
        r->parts[i][round] = parts[i];
        r->all[round].wall += parts[i].wall;
        r->all[round].cpu += parts[i].cpu;
    }
}

static bool run_row(e2e *b, e2e_row *r, uint32_t round)
{
    e2e_time parts[E2E_PARTS] = {{0}};
    film f = {0};
    film_rows rows = {0};
    const e2e_time start = e2e_now();
    bool good = e2e_take(b, &f);
    parts[E2E_PREPARE] = e2e_since(start);
    good =
        good && (r->pipeline.pipeline && !r->pipeline.inside ? run_behind(b, r, &f, &rows, parts)
                                                             : run_inside(b, r, &f, &rows, parts));
    good = good && run_prefill(b, r, &f, &rows, parts);
    r->tokens = rows.count;
    b->before = rows.before;
    keep(r, round, parts);
    film_rows_free(&rows);
    film_free(&f);
    return good;
}

/* ---- rounds ---- */

/* Every second round goes backwards, so that no row always follows the same one. */
static bool run_round(e2e *b, uint32_t round)
{
    for (uint32_t i = 0; i < b->row_count; i++) {
        e2e_row *r = &b->rows[round % 2 ? b->row_count - 1 - i : i];
        if (!run_row(b, r, round)) {
            return false;
        }
    }
    return true;
}

static bool any_inside(const e2e *b)
{
    for (uint32_t i = 0; i < b->row_count; i++) {
        if (b->rows[i].pipeline.inside) {
            return true;
        }
    }
    return false;
}

/* Of several views of a picture each is a call of its own: their pipelines are not told apart. */
static bool open_alone(e2e *b)
{
    film f = {0};
    bool good = true;
    if (any_inside(b) && (b->is_video || b->views == 1)) {
        good = e2e_take(b, &f) && e2e_show(&b->shown, &b->encoder, &f);
        for (uint32_t i = 0; good && i < b->row_count; i++) {
            e2e_row *r = &b->rows[i];
            r->split = r->pipeline.inside &&
                       e2e_alone_open(&r->alone, &b->encoder, &b->shown, r->pipeline.pipeline);
        }
    }
    film_free(&f);
    return good;
}

int e2e_run(e2e *b)
{
    bool good = open_alone(b);
    progress *bar = progress_begin("warming up", 0);
    double start = cli_seconds();
    if (!b->o->quick) {
        good = good && run_round(b, 0);
        start = cli_seconds();
    }
    b->rounds = 1; /* the first tells how long one takes */
    for (uint32_t i = 0; good && i < b->rounds; i++) {
        good = run_round(b, i);
        b->rounds = i ? b->rounds : e2e_rounds(b->o->rounds, b->o->quick, cli_seconds() - start);
        progress_next(bar, "measuring", b->rounds);
        progress_at(bar, i + 1, b->rounds);
    }
    progress_end(bar);
    return good ? CLI_DONE : CLI_FAILED;
}

e2e_quartiles e2e_part_of(const e2e *b, const e2e_row *r, uint32_t part)
{
    return e2e_quartiles_of(r->parts[part], b->rounds, b->cpu);
}

e2e_quartiles e2e_all_of(const e2e *b, const e2e_row *r)
{
    return e2e_quartiles_of(r->all, b->rounds, b->cpu);
}
