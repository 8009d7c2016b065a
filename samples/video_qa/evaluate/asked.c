#include "asked.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

enum { LAYER = 1 }; /* FastV's and others' second */

static const char by_layer[] = "llm:", by_hidden[] = "hidden:";

/* ---- which pipelines ---- */

#define ROLE(name) (1u << WINNOW_ROLE_##name)

static const uint32_t of_question = ROLE(TEXT) | ROLE(LLM_ATTENTION) | ROLE(TEXT_ATTENTION),
                      of_model =
                          ROLE(IMAGE_EMBEDS) | ROLE(ATTENTION) | ROLE(KEYS) | ROLE(TEXT_KEYS),
                      of_encoder = ROLE(CLS_ATTENTION) | ROLE(FRAME_EMBEDS);

/* The spec without what it begins with. */
static const char *plain_of(const char *spec)
{
    const size_t size = strcspn(spec, ":") + 1;
    const bool is = strncmp(spec, by_layer, size) == 0 || strncmp(spec, by_hidden, size) == 0;
    return is ? spec + size : spec;
}

static bool is_hidden(const char *spec)
{
    return strncmp(spec, by_hidden, sizeof by_hidden - 1) == 0;
}

bool asked_is(const film_encoder *e, const char *spec)
{
    uint32_t needed = 0, optional = 0;
    winnow_pipeline *pipeline = NULL;
    if (plain_of(spec) != spec) {
        return true;
    }
    if (e->api->pipeline_create(NULL, spec, &pipeline) == WINNOW_OK) {
        e->api->pipeline_inputs(pipeline, &needed, &optional);
        e->api->pipeline_destroy(pipeline);
    }
    return needed & (of_question | ROLE(FRAME_EMBEDS));
}

/* What the encoder sees is given where it is needed alone: not every model's tokens are patches. */
static bool open_with_roles(film_pipeline *p, film_encoder *e, const char *spec)
{
    if (!film_pipeline_open_with(p, e, spec, of_question | of_model) || !p->inside) {
        return p->pipeline;
    }
    film_pipeline_close(p, e);
    return film_pipeline_open_with(p, e, spec, of_question | of_model | of_encoder);
}

/* The number itself was checked where the pipeline was made. */
static int32_t layer_of(const char *spec)
{
    const char *at = strstr(spec, "layer=");
    return at && at > spec && strchr(":=", at[-1]) ? (int32_t)strtol(at + 6, NULL, 10) : LAYER;
}

static look_layer *find_layer(asked *a, int32_t layer)
{
    look_layer *found = NULL;
    for (uint32_t i = 0; i < a->look.layer_count; i++) {
        found = a->look.layers[i].layer == layer ? &a->look.layers[i] : found;
    }
    return found;
}

bool asked_pipeline_open(asked *a, film_pipeline *p, film_encoder *e, const char *spec)
{
    const char *plain = plain_of(spec);
    const int32_t layer = layer_of(plain);
    if (!open_with_roles(p, e, plain)) {
        return false;
    }
    if (p->inside) {
        return say_failed("%s: it needs more than the language model's attention, keys and "
                          "embeddings, and the encoder's last layer (winnow stages has its needs)",
                          spec);
    }
    look_layer *l = find_layer(a, layer);
    if (!l && a->look.layer_count == LOOK_LAYERS) {
        return say_failed("%s: layer %d is one more than the %d that can be looked at in one run",
                          spec, layer, LOOK_LAYERS);
    }
    if (!l) {
        l = &a->look.layers[a->look.layer_count++];
        *l = (look_layer){.layer = layer};
    }
    l->wants_hidden = l->wants_hidden || is_hidden(spec);
    return true;
}

/* ---- the language model ---- */

bool asked_open(asked *a, asker_model *m)
{
    const int32_t layers = llama_model_n_layer(m->model);
    const asker_watch watch = {.callback = look_callback, .user = &a->look};
    for (uint32_t i = 0; i < a->look.layer_count; i++) {
        const int32_t layer = a->look.layers[i].layer;
        if (layer < 0 || layer >= layers) {
            return say_failed("layer=%d: %s has layers 0 to %d", layer, m->options.model,
                              layers - 1);
        }
        if (a->look.layers[i].wants_hidden && layer == layers - 1) {
            return say_failed("layer=%d: %s has no layer behind it, and what the last one gives is "
                              "not made of all tokens (give hidden: an earlier layer)",
                              layer, m->options.model);
        }
    }
    a->look.kv_heads = (uint32_t)llama_model_n_head_kv(m->model);
    return a->look.layer_count == 0 || asker_open(&a->asker, m, &watch);
}

static void forget(asked *a)
{
    for (uint32_t i = 0; i < WINNOW_ROLE_SLOTS; i++) {
        free(a->rows[i]);
        a->rows[i] = NULL;
    }
}

void asked_close(asked *a, const film_encoder *e)
{
    asker_close(&a->asker);
    seen_free(&a->seen, e);
    look_free(&a->look);
    free(a->cells);
    forget(a);
    *a = (asked){0};
}

/* Without M-RoPE and with it, each token is a cell, in the order of decoding. */
bool asked_show(asked *a, const prompt_media *media)
{
    look_from(&a->look, 0);
    a->look.trouble = NULL;
    a->is_seen = false;
    if (!asker_show(&a->asker, media, 1)) {
        return false;
    }
    free(a->cells);
    a->cells = calloc(a->asker.prompt.visual + 1, sizeof *a->cells);
    a->visual = 0;
    for (uint32_t i = 0, cell = 0; a->cells && i < a->asker.prompt.count; i++) {
        const prompt_part *q = &a->asker.prompt.parts[i];
        for (uint32_t k = 0; k < q->count; k++, cell++) {
            if (!q->tokens) {
                a->cells[a->visual++] = cell;
            }
        }
    }
    return a->cells || say_failed("out of memory for %u visual tokens", a->asker.prompt.visual);
}

bool asked_read(asked *a, const char *question)
{
    uint32_t count = 0;
    bool again = false;
    const double start = say_clock();
    look_from(&a->look, a->asker.end_cells);
    if (!asker_read(&a->asker, question, &count, &again)) {
        return false;
    }
    llama_synchronize(a->asker.context);
    a->read_ms = say_clock() - start;
    return !again || say_failed("%s: its cache cannot go back, so what it attends to cannot be "
                                "looked at question by question",
                                a->asker.model->options.model);
}

/* ---- what is given ---- */

/* Some cells: those listed, or so many from the first on. */
typedef struct part {
    const uint32_t *cells;
    uint32_t first, count;
} part;

static uint32_t cell_of(const part *p, uint32_t i)
{
    return p->cells ? p->cells[i] : p->first + i;
}

/* Rows of some cells and of them some columns, plane by plane; a cell that came later than the row
 * gets nothing of it. False: some row is missing. */

static bool take(const look_rows *rows, uint32_t planes, const part *which, const part *columns,
                 float *out)
{
    for (uint32_t p = 0; p < planes; p++) {
        for (uint32_t i = 0; i < which->count; i++) {
            uint32_t width = 0;
            const float *row = look_row(rows, p, cell_of(which, i), &width);
            for (uint32_t k = 0; row && k < columns->count; k++) {
                const uint32_t column = cell_of(columns, k);
                *out++ = column < width ? row[column] : 0;
            }
            if (!row) {
                return false;
            }
        }
    }
    return true;
}

static bool give(asked *a, uint32_t role, const look_rows *rows, uint32_t planes, const part *which,
                 const part *columns)
{
    float **out = &a->rows[role];
    free(*out);
    *out = calloc((size_t)planes * which->count * columns->count + 1, sizeof **out);
    if (!*out) {
        return say_failed("out of memory for what the language model attends to");
    }
    return (!a->look.trouble && take(rows, planes, which, columns, *out)) ||
           say_failed(
               "%s: what its layers attend to is not to be had: %s", a->asker.model->options.model,
               a->look.trouble ? a->look.trouble : "llama.cpp's graph has other names for it");
}

/* Keys are the mean over heads; all channels for a pipeline that takes the text's too. */
static void average_heads(asked *a, const film_pipeline *p, film_inputs *inputs)
{
    const uint32_t heads = a->look.kv_heads;
    float *keys = a->rows[WINNOW_ROLE_KEYS];
    if (!heads || !(p->given & ROLE(KEYS)) || p->given & ROLE(TEXT_KEYS)) {
        return;
    }
    inputs->key_dim /= heads;
    film_mean_of_heads(keys, keys, a->visual, heads, inputs->key_dim);
}

static bool give_all(asked *a, const film_pipeline *p, bool hidden, film_inputs *inputs)
{
    const look_layer *l = find_layer(a, layer_of(p->spec));
    const uint32_t end = a->asker.end_cells, text = a->asker.host.cells - end;
    const part visual = {a->cells, 0, a->visual}, question = {NULL, end, text},
               last = {NULL, end + text - 1, 1};
    const look_block *attention = l->attention.blocks, *keys = l->keys.blocks,
                     *embeddings = a->look.embeddings.blocks;
    const uint32_t heads = l->attention.count ? attention->planes : 0;
    const part channels = {NULL, 0, l->keys.count ? keys->width : 0},
               width = {NULL, 0, a->look.embeddings.count ? embeddings->width : 0};
    const look_rows *text_rows = hidden ? &l->hidden : &a->look.embeddings;
    const uint32_t given = p->given | (hidden ? ROLE(TOKENS) : 0);
    bool good = true;
    *inputs = (film_inputs){.text_rows = text,
                            .text_dim = width.count,
                            .key_dim = channels.count,
                            .heads = heads,
                            .llm_heads = heads};
    const struct {
        uint32_t role;
        const look_rows *rows;
        uint32_t planes;
        const part *which, *columns;
    } table[] = {
        {WINNOW_ROLE_TOKENS, &l->hidden, 1, &visual, &width},
        {WINNOW_ROLE_TEXT, text_rows, 1, &question, &width},
        {WINNOW_ROLE_LLM_ATTENTION, &l->attention, heads, &last, &visual},
        {WINNOW_ROLE_TEXT_ATTENTION, &l->attention, heads, &question, &visual},
        {WINNOW_ROLE_ATTENTION, &l->attention, heads, &visual, &visual},
        {WINNOW_ROLE_KEYS, &l->keys, 1, &visual, &channels},
        {WINNOW_ROLE_TEXT_KEYS, &l->keys, 1, &question, &channels},
    };
    for (size_t i = 0; good && i < sizeof table / sizeof table[0]; i++) {
        if (given & 1u << table[i].role) {
            good = give(a, table[i].role, table[i].rows, table[i].planes, table[i].which,
                        table[i].columns);
            inputs->in[table[i].role] = a->rows[table[i].role];
        }
    }
    if (good) {
        average_heads(a, p, inputs);
    }
    return good;
}

/* In place of the language model's: what stages of both mean by keys is the encoder's. */
static bool give_seen(asked *a, film_encoder *e, const film *f, const film_pipeline *p,
                      film_inputs *inputs)
{
    if (!(p->given & of_encoder)) {
        return true;
    }
    a->is_seen = a->is_seen || seen_read(&a->seen, e, f);
    inputs->in[WINNOW_ROLE_CLS_ATTENTION] = a->seen.attention;
    inputs->in[WINNOW_ROLE_FRAME_EMBEDS] = a->seen.means;
    inputs->in[WINNOW_ROLE_KEYS] = a->seen.keys;
    inputs->heads = a->seen.heads;
    inputs->key_dim = a->seen.key_dim;
    inputs->frame_dim = a->seen.dim;
    return a->is_seen;
}

/* What was chosen among hidden states, as the tokens that they came from. */
static bool show_tokens(film_rows *out, const film *f, const float *hidden, const char *spec)
{
    const size_t width = out->width, bytes = width * sizeof *out->data;
    for (uint32_t i = 0; i < out->count; i++) {
        float *row = out->data + i * width;
        const int32_t source = out->sources[i];
        if (source < 0 || memcmp(row, hidden + (size_t)source * width, bytes) != 0) {
            return say_failed(
                "%s: it makes rows of its own, and hidden states are nothing that the "
                "language model could be shown (write llm: in place of hidden:)",
                spec);
        }
        memcpy(row, f->tokens + (size_t)source * width, bytes);
    }
    return true;
}

bool asked_reduce(asked *a, film_rows *out, film *f, film_encoder *e, film_pipeline *p,
                  const char *spec)
{
    const bool hidden = is_hidden(spec);
    film_inputs inputs;
    film seen_as = *f;
    *out = (film_rows){0};
    if (!give_all(a, p, hidden, &inputs) || !give_seen(a, e, f, p, &inputs)) {
        return false;
    }
    seen_as.tokens = hidden ? a->rows[WINNOW_ROLE_TOKENS] : f->tokens;
    inputs.in[WINNOW_ROLE_IMAGE_EMBEDS] = f->tokens;
    if (!film_reduce_with(out, &seen_as, e, p, &inputs) ||
        (hidden && !show_tokens(out, f, seen_as.tokens, spec))) {
        return false;
    }
    out->reduce_ms += a->asker.prefill_ms + a->read_ms;
    return true;
}
