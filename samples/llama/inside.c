#include "inside.h"

#include <stdlib.h>
#include <string.h>

#include "inside_spec.h"
#include "llama_cells.h"
#include "say.h"

enum { STORE = 1 };        /* the sequence that has every cell, for dycoke-kv */
enum { ATTEND_LAYER = 2 }; /* DyCoke's third: a choice of the paper, not of the stage */

/* ---- opening ---- */

bool inside_open(inside *in, reducer *r, const options *o)
{
    inside_specs specs;
    *in = (inside){0};
    if (o->pipeline) {
        if (!inside_spec_split(r->api, o->pipeline, &specs)) {
            return false;
        }
        in->rows_spec = specs.rows;
        in->prune_layer = specs.prune_layer;
        winnow_status status = WINNOW_OK;
        if (specs.prune[0]) {
            status = r->api->pipeline_create(&r->host, specs.prune, &in->prune);
        }
        if (status == WINNOW_OK && specs.attend[0]) {
            status = r->api->pipeline_create(&r->host, specs.attend, &in->attend);
        }
        if (status != WINNOW_OK) {
            return reducer_failed(r, "pipeline", status);
        }
    }
    if (o->seen && !inside_is_asked(in)) {
        return say_failed("--seen: no stage of the pipeline works inside the language model (fastv "
                          "and dycoke-kv do)");
    }
    if (o->seen && !(in->log = fopen(o->seen, "w"))) {
        return say_failed("%s: it cannot be written", o->seen);
    }
    return true;
}

void inside_close(inside *in, const reducer *r)
{
    if (r->api) {
        r->api->kv_destroy(in->kv);
        r->api->pipeline_destroy(in->prune);
        r->api->pipeline_destroy(in->attend);
    }
    if (in->log) {
        fclose(in->log);
    }
    llama_attention_free(&in->attention);
    free(in->rows_spec);
    free(in->positions);
    free(in->sources);
    free(in->shown);
    free(in->mask);
    free(in->cells);
    free(in->rows);
    free(in->row_order);
    *in = (inside){0};
}

bool inside_is_asked(const inside *in)
{
    return in->prune || in->attend;
}

/* ---- checks ---- */

static int32_t layer_of(const inside *in, const struct llama_model *model)
{
    return in->prune_layer < 0 ? in->prune_layer + llama_model_n_layer(model) : in->prune_layer;
}

static bool check_layer(const char *stage, int32_t layer, const options *o,
                        const struct llama_model *model)
{
    const int32_t layers = llama_model_n_layer(model);
    return (layer >= 0 && layer < layers) ||
           say_failed("pipeline: %s needs what layer %d attends to, and %s has layers 0 to %d%s",
                      stage, layer, o->model, layers - 1,
                      strcmp(stage, "fastv") == 0 ? " (give layer=)" : "");
}

bool inside_check_model(const inside *in, const options *o, const struct llama_model *model)
{
    if (!inside_is_asked(in)) {
        return true;
    }
    if (!llama_attention_is_the_version()) {
        return say_failed("llama.cpp: the library that was loaded is not of the version that this "
                          "program was built for (build it again)");
    }
    const char *why_not = llama_cells_why_not(model);
    if (why_not) {
        return say_failed("pipeline: fastv and dycoke-kv take tokens out of the cache: %s",
                          why_not);
    }
    if (in->attend && llama_model_n_swa(model) > 0) {
        return say_failed(
            "pipeline: dycoke-kv scores tokens that are hidden, and layers of %s see a "
            "sliding window alone (take fastv)",
            o->model);
    }
    return (!in->prune || check_layer("fastv", layer_of(in, model), o, model)) &&
           (!in->attend || check_layer("dycoke-kv", ATTEND_LAYER, o, model));
}

void inside_set_context(inside *in, const struct llama_model *model,
                        struct llama_context_params *params)
{
    if (inside_is_asked(in)) {
        in->attention.layer = layer_of(in, model);
        params->swa_full = true; /* cells in the order of decoding */
        params->n_seq_max = in->attend ? STORE + 1 : 1;
        params->kv_unified = in->attend != NULL;
        llama_attention_attach(&in->attention, params);
    }
}

bool inside_check_prompt(const inside *in, const prompt *p)
{
    return !inside_is_asked(in) || (p->count > 0 && p->parts[p->count - 1].tokens) ||
           say_failed("pipeline: fastv and dycoke-kv need text behind the last picture (what it "
                      "attends to is what counts)");
}

llama_attention *inside_attention(inside *in)
{
    return in->prune ? &in->attention : NULL;
}

/* ---- behind the prompt ---- */

/* Where visual tokens and text are. Without M-RoPE a position is a cell. */
static bool find_tokens(inside *in, const prompt *p, const llama_host *host)
{
    const uint32_t all = (uint32_t)host->n_past, most = llama_n_ctx_seq(host->context);
    in->positions = calloc(all, sizeof *in->positions);
    in->sources = calloc(all, sizeof *in->sources);
    in->shown = calloc(all, sizeof *in->shown);
    in->mask = calloc(most, sizeof *in->mask);
    in->cells = calloc(most, sizeof *in->cells);
    if (!in->positions || !in->sources || !in->shown || !in->mask || !in->cells) {
        return say_failed("out of memory for %u tokens", most);
    }
    in->room = most;
    for (uint32_t i = 0; i < p->count; i++) {
        const part *q = &p->parts[i];
        for (uint32_t k = 0; !q->tokens && k < q->rows.count; k++) {
            in->positions[in->visual] = q->at + (llama_pos)k;
            in->sources[in->visual] = (int32_t)in->visual;
            in->shown[in->visual++] = 1;
        }
    }
    in->text = all - in->visual;
    in->pruned_to = in->visual;
    return true;
}

/* What was read for `cells`, in in->rows; how many heads there are is known by then. */
static bool read_rows(inside *in, llama_host *host, uint32_t count)
{
    const size_t need = (size_t)in->attention.heads * in->room;
    if (need > in->rows_room) {
        free(in->rows);
        free(in->row_order);
        in->rows = calloc(need, sizeof *in->rows);
        in->row_order = calloc(need, sizeof *in->row_order);
        in->rows_room = in->rows && in->row_order ? need : 0;
        if (!in->rows_room) {
            return say_failed("out of memory for attention to %u tokens", in->room);
        }
    }
    return llama_attention_read(&in->attention, host, in->cells, count, in->rows) ==
               LLAMA_HOST_OK ||
           say_failed("%s", host->why);
}

/* A line of --seen: numbers among the prompt's visual tokens. */
static bool write_seen(const inside *in)
{
    const char *between = "";
    for (uint32_t i = 0; in->log && i < in->visual; i++) {
        if (in->shown[i]) {
            fprintf(in->log, "%s%d", between, in->sources[i]);
            between = " ";
        }
    }
    if (in->log) {
        fputc('\n', in->log);
    }
    return !in->log || (fflush(in->log) == 0 && !ferror(in->log)) ||
           say_failed("--seen: the file cannot be written");
}

/* The stage on the visual columns [heads, visual] of in->rows: indices of those that stay. A plan
 * wants tokens too; of these only their number matters. */
static winnow_status choose(inside *in, const reducer *r, int32_t *indices, uint32_t *kept)
{
    winnow_plan_desc desc = {.struct_size = sizeof desc, .flags = WINNOW_PLAN_HOST_MEMORY};
    winnow_run run = {.struct_size = sizeof run};
    winnow_result result = {.struct_size = sizeof result};
    winnow_plan *plan = NULL;
    desc.max_shape = (winnow_shape){
        .frames = 1, .tokens = in->visual, .dim = 1, .llm_heads = in->attention.heads};
    desc.roles = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_LLM_ATTENTION;
    desc.outputs = 1u << WINNOW_OUT_INDICES;
    run.shape = desc.max_shape;
    run.in[WINNOW_ROLE_TOKENS].data = in->row_order;
    run.in[WINNOW_ROLE_LLM_ATTENTION].data = in->rows;
    run.out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = indices, .capacity = in->visual};
    winnow_status status = r->api->plan_create(r->device, in->prune, &desc, &plan);
    if (status == WINNOW_OK) {
        status = r->api->plan_run(plan, &run, &result);
        *kept = result.rows;
    }
    r->api->plan_destroy(plan);
    return status;
}

/* The lists become those of the tokens that stay; the positions of the others go to `gone`. */
static uint32_t close_up(inside *in, const int32_t *indices, uint32_t kept, llama_pos *gone)
{
    uint32_t at = 0, count = 0;
    for (uint32_t i = 0; i < in->visual; i++) {
        if (at < kept && indices[at] == (int32_t)i) {
            in->positions[at] = in->positions[i];
            in->sources[at++] = in->sources[i];
        } else {
            gone[count++] = in->positions[i];
        }
    }
    in->visual = in->pruned_to = at;
    return count;
}

static bool prune(inside *in, reducer *r, llama_host *host)
{
    int32_t *indices = calloc(in->visual, sizeof *indices);
    llama_pos *gone = calloc(in->visual, sizeof *gone);
    uint32_t kept = 0;
    bool good = indices && gone;
    for (uint32_t i = 0; i < in->visual; i++) {
        in->cells[i] = (uint32_t)in->positions[i];
    }
    if (!good) {
        say_failed("out of memory for %u visual tokens", in->visual);
    } else if ((good = read_rows(in, host, in->visual))) {
        const winnow_status status = choose(in, r, indices, &kept);
        good = status == WINNOW_OK || reducer_failed(r, "fastv", status);
    }
    /* Where dycoke-kv follows cells must stay in their order, so none is freed. */
    if (good && llama_cells_forget(host, gone, close_up(in, indices, kept, gone), !in->attend) !=
                    LLAMA_HOST_OK) {
        good = say_failed("%s", host->why);
    }
    free(indices);
    free(gone);
    return good;
}

/* Every cell that counts, ascending. */
static void list_cells(inside *in, const prompt *p)
{
    uint32_t at = 0, visual = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const part *q = &p->parts[i];
        for (uint32_t k = 0; q->tokens && k < q->before; k++) {
            in->cells[at++] = (uint32_t)q->at + k;
        }
        const llama_pos end = q->at + (llama_pos)q->rows.count;
        for (; !q->tokens && visual < in->visual && in->positions[visual] < end; visual++) {
            in->cells[at++] = (uint32_t)in->positions[visual];
        }
    }
}

bool inside_prune(inside *in, reducer *r, const prompt *p, llama_host *host)
{
    if (!inside_is_asked(in)) {
        return true;
    }
    if (!find_tokens(in, p, host)) {
        return false;
    }
    if (in->attend && llama_cells_keep(host, STORE, 0) != LLAMA_HOST_OK) {
        return say_failed("%s", host->why);
    }
    if (in->prune && !prune(in, r, host)) {
        return false;
    }
    list_cells(in, p);
    in->attention.layer = ATTEND_LAYER;
    in->attention.hidden = true;
    return write_seen(in);
}

/* ---- the answer ---- */

void inside_before(inside *in)
{
    if (in->attend) {
        llama_attention_want(&in->attention);
    }
}

static bool open_kv(inside *in, reducer *r)
{
    const winnow_kv_desc desc = {
        .struct_size = sizeof desc, .max_columns = in->room, .max_heads = in->attention.heads};
    const winnow_status status = r->api->kv_create(r->device, in->attend, &desc, &in->kv);
    return status == WINNOW_OK || reducer_failed(r, "dycoke-kv", status);
}

/* Visual tokens are one run of columns for the stage, wherever in the prompt they are. */
static void visual_first(inside *in, uint32_t columns)
{
    for (uint32_t h = 0; h < in->attention.heads; h++) {
        const float *from = in->rows + (size_t)h * columns;
        float *to = in->row_order + (size_t)h * columns;
        uint32_t visual = 0, text = in->visual;
        for (uint32_t i = 0; i < columns; i++) {
            const bool is_visual =
                visual < in->visual && in->cells[i] == (uint32_t)in->positions[visual];
            to[is_visual ? visual++ : text++] = from[i];
        }
    }
}

static bool step(inside *in, reducer *r, uint32_t columns)
{
    winnow_kv_step step = {.struct_size = sizeof step,
                           .heads = in->attention.heads,
                           .columns = columns,
                           .visual_count = in->visual,
                           .attention = in->row_order,
                           .mask = in->mask};
    const winnow_status status = r->api->kv_step(in->kv, &step);
    in->steps++;
    in->changes += step.changed;
    return status == WINNOW_OK || reducer_failed(r, "dycoke-kv", status);
}

bool inside_after(inside *in, reducer *r, llama_host *host)
{
    if (!in->attend) {
        return true;
    }
    const uint32_t columns = in->visual + ++in->text;
    in->cells[columns - 1] = (uint32_t)host->n_past - 1;
    for (uint32_t i = 0; i < in->visual; i++) {
        in->seen += (uint32_t)in->shown[i];
    }
    if (llama_cells_keep(host, STORE, host->n_past - 1) != LLAMA_HOST_OK) {
        return say_failed("%s", host->why);
    }
    if (!read_rows(in, host, columns)) {
        return false;
    }
    visual_first(in, columns);
    if ((!in->kv && !open_kv(in, r)) || !step(in, r, columns)) {
        return false;
    }
    if (llama_cells_show(host, STORE, in->positions, in->visual, in->mask, in->shown) !=
        LLAMA_HOST_OK) {
        return say_failed("%s", host->why);
    }
    return write_seen(in);
}

void inside_report(const inside *in, char *text, size_t size)
{
    text[0] = 0;
    if (in->attend && in->steps) {
        snprintf(text, size, ", %u in the cache, %.1f of them seen (%u selections)", in->pruned_to,
                 (double)in->seen / in->steps, in->changes);
    } else if (inside_is_asked(in)) {
        snprintf(text, size, ", %u in the cache", in->pruned_to);
    }
}
