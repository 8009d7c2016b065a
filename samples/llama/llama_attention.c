#include "llama_attention.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-backend.h>
#include <ggml.h>

#include "llama_why.h"

enum { SCALE, MAX_BIAS }; /* of a softmax's op_params */
enum { SINKS = 2 };       /* of its sources */

/* ---- the version ---- */

static bool context_as_built_for(void)
{
    /* A newer library's struct may be longer and is written as it returns: room for it. */
    const struct {
        struct llama_context_params params;
        char tail[256];
    } room = {.params = llama_context_default_params()};
    const struct llama_context_params *p = &room.params;
    return p->n_ctx == 512 && p->n_seq_max == 1 && !p->cb_eval && !p->cb_eval_user_data &&
           p->flash_attn_type == LLAMA_FLASH_ATTN_TYPE_AUTO && p->type_k == GGML_TYPE_F16 &&
           p->type_v == GGML_TYPE_F16 && !p->abort_callback && p->offload_kqv && p->swa_full &&
           !p->kv_unified;
}

static float parameter_of(const struct ggml_tensor *t, int index)
{
    float value;
    memcpy(&value, &t->op_params[index], sizeof value);
    return value;
}

/* A softmax like those of the graph, made of nothing, must read as it was made. */
static bool tensors_as_built_for(void)
{
    const struct ggml_init_params params = {.mem_size = 16 * ggml_tensor_overhead(),
                                            .no_alloc = true};
    struct ggml_context *graph = ggml_init(params);
    if (!graph) {
        return false;
    }
    struct ggml_tensor *scores = ggml_new_tensor_3d(graph, GGML_TYPE_F32, 3, 5, 7);
    struct ggml_tensor *row = ggml_soft_max_ext(graph, scores, NULL, 0.25f, 0.0f);
    ggml_set_name(row, "kq_soft_max-1");
    const bool good = row->type == GGML_TYPE_F32 && row->ne[0] == 3 && row->ne[1] == 5 &&
                      row->ne[2] == 7 && row->ne[3] == 1 && row->nb[1] == 12 && row->nb[2] == 60 &&
                      row->src[0] == scores && !row->src[SINKS] &&
                      parameter_of(row, SCALE) == 0.25f && parameter_of(row, MAX_BIAS) == 0.0f &&
                      strcmp(row->name, "kq_soft_max-1") == 0;
    ggml_free(graph);
    return good;
}

bool llama_attention_is_the_version(void)
{
    return context_as_built_for() && tensors_as_built_for();
}

/* ---- the callback ---- */

void llama_attention_attach(llama_attention *a, struct llama_context_params *params)
{
    params->cb_eval = llama_attention_callback;
    params->cb_eval_user_data = a;
    params->flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
}

void llama_attention_want(llama_attention *a)
{
    a->wanted = true;
    a->seen = false;
    a->trouble = NULL;
    a->heads = a->cells = 0;
    a->node[0] = 0;
}

static bool is_named(const llama_attention *a, const struct ggml_tensor *node, const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%d", what, a->layer);
    return strcmp(ggml_get_name(node), name) == 0;
}

/* Scores before the mask: the product, or the last of what a soft cap or a bias makes of it. */
static bool is_scores(const llama_attention *a, const struct ggml_tensor *node)
{
    static const char *const names[] = {"kq", "kq_scaled", "kq_scaled_2", "kq_plus_kq_b"};
    bool is = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !is; i++) {
        is = is_named(a, node, names[i]);
    }
    return is;
}

static void copy_last_rows(llama_attention *a, const struct ggml_tensor *node)
{
    const size_t heads = (size_t)node->ne[2], cells = (size_t)node->ne[0];
    a->heads = a->cells = 0;
    if (node->type != GGML_TYPE_F32 || node->ne[3] != 1 || node->nb[0] != sizeof(float)) {
        a->trouble = "its rows are not f32 of one stream (one sequence, or kv_unified)";
        return;
    }
    if (heads * cells > a->room) {
        float *larger = realloc(a->rows, heads * cells * sizeof *larger);
        if (!larger) {
            a->trouble = "out of memory for its rows";
            return;
        }
        a->rows = larger;
        a->room = heads * cells;
    }
    for (size_t h = 0; h < heads; h++) {
        const size_t at = h * node->nb[2] + (size_t)(node->ne[1] - 1) * node->nb[1];
        ggml_backend_tensor_get(node, a->rows + h * cells, at, cells * sizeof *a->rows);
    }
    a->heads = (uint32_t)heads;
    a->cells = (uint32_t)cells;
}

/* The softmax itself is not fetched: what it does to the scores is read off the node. */
static void check_softmax(llama_attention *a, const struct ggml_tensor *node)
{
    a->seen = true;
    a->scale = parameter_of(node, SCALE);
    if (parameter_of(node, MAX_BIAS) != 0 || node->src[SINKS]) {
        a->trouble = "it has ALiBi or sinks, so cells that are hidden cannot be scored";
    } else if (!a->node[0] || !node->src[0] ||
               !strstr(ggml_get_name(node->src[0]), a->node)) { /* it may be a copy */
        a->trouble = "its scores do not come from a node that is known";
    }
}

bool llama_attention_callback(struct ggml_tensor *node, bool ask, void *attention)
{
    llama_attention *a = attention;
    const bool softmax = a->wanted && is_named(a, node, "kq_soft_max");
    if (softmax && a->hidden) {
        check_softmax(a, node);
        return !ask;
    }
    if (!softmax && !(a->wanted && a->hidden && is_scores(a, node))) {
        return !ask; /* not this one; go on */
    }
    if (!ask) {
        a->seen = a->seen || softmax;
        snprintf(a->node, sizeof a->node, "%s", ggml_get_name(node));
        copy_last_rows(a, node);
    }
    return true;
}

/* ---- reading ---- */

/* In place: the softmax of scale * row. */
static void softmax_of(float *row, uint32_t count, float scale)
{
    float most = -INFINITY;
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        row[i] *= scale;
        most = row[i] > most ? row[i] : most;
    }
    for (uint32_t i = 0; i < count; i++) {
        row[i] = expf(row[i] - most);
        sum += row[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        row[i] = (float)(row[i] / sum);
    }
}

llama_host_status llama_attention_read(llama_attention *a, llama_host *host, const uint32_t *cells,
                                       uint32_t count, float *out)
{
    a->wanted = false;
    if (!a->trouble && (!a->seen || !a->heads)) {
        a->trouble = "the model has no such attention, or flash attention is on";
    }
    if (a->trouble) {
        return llama_host_fail(host, LLAMA_HOST_E_ARGUMENT, "attention of layer %d: %s", a->layer,
                               a->trouble);
    }
    if (count == 0 || cells[count - 1] >= a->cells) {
        return llama_host_fail(
            host, LLAMA_HOST_E_ARGUMENT,
            "attention of layer %d: cell %u of %u is asked for (cells count in the order "
            "of decoding)",
            a->layer, count ? cells[count - 1] : 0, a->cells);
    }
    for (uint32_t h = 0; h < a->heads; h++) {
        float *row = out + (size_t)h * count;
        for (uint32_t i = 0; i < count; i++) {
            row[i] = a->rows[(size_t)h * a->cells + cells[i]];
        }
        if (a->hidden) {
            softmax_of(row, count, a->scale);
        }
    }
    return LLAMA_HOST_OK;
}

void llama_attention_free(llama_attention *a)
{
    free(a->rows);
    a->rows = NULL;
    a->room = 0;
    a->heads = a->cells = 0;
}
