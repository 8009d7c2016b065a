/* model.c: what the readers of GGUF files and of Hugging Face folders share, and what is checked
 * after both. */
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MOST = 256 };

static winnow_status wrong_shape(const wn_reader *r, const wn_tensor *t, uint32_t rank,
                                 const uint64_t *shape)
{
    char has[128] = "", wants[128] = "";
    size_t a = 0, b = 0;
    for (uint32_t i = 0; i < t->rank && a < sizeof has; ++i)
        a += (size_t)snprintf(has + a, sizeof has - a, "%s%llu", i ? " x " : "",
                              (unsigned long long)t->shape[i]);
    for (uint32_t i = 0; i < rank && b < sizeof wants; ++i)
        b += (size_t)snprintf(wants + b, sizeof wants - b, shape[i] ? "%s%llu" : "%s?",
                              i ? " x " : "", (unsigned long long)shape[i]);
    return wn_fail(r->host, WINNOW_E_FILE,
                   "%s: tensor %s has shape %s, the settings say %s (the file is damaged, or of a "
                   "kind that is not read)",
                   wn_weights_path(r->weights), t->name, has, wants);
}

static winnow_status find(const wn_reader *r, bool need, const wn_tensor **out, uint32_t rank,
                          const uint64_t *shape, const char *name)
{
    WN_TRY(wn_weights_find(r->weights, name, out));
    const wn_tensor *t = *out;
    if (!t)
        return need ? wn_fail(r->host, WINNOW_E_FILE,
                              "%s: tensor %s is missing (the file is incomplete, or of a "
                              "kind that is not read)",
                              wn_weights_path(r->weights), name)
                    : WINNOW_OK;
    bool same = t->rank == rank;
    for (uint32_t i = 0; i < rank && same; ++i)
        same = !shape[i] || t->shape[i] == shape[i];
    return same ? WINNOW_OK : wrong_shape(r, t, rank, shape);
}

winnow_status wn_read_tensor(const wn_reader *r, bool need, const wn_tensor **out, uint32_t rank,
                             const uint64_t *shape, const char *format, ...)
{
    char name[NAME_MOST];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return find(r, need, out, rank, shape, name);
}

winnow_status wn_read_linear(const wn_reader *r, bool need, wn_linear *out, uint32_t in,
                             uint32_t outs, const char *format, ...)
{
    char name[NAME_MOST], full[NAME_MOST + 16];
    const uint64_t shape[2] = {outs, in};
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    *out = (wn_linear){.in = in, .out = outs};
    snprintf(full, sizeof full, "%s.weight", name);
    WN_TRY(find(r, need, &out->weight[0], 2, shape, full));
    if (!out->weight[0])
        return WINNOW_OK;
    snprintf(full, sizeof full, "%s.bias", name);
    WN_TRY(find(r, false, &out->bias[0], 1, shape, full));
    out->parts = 1;
    out->out = (uint32_t)out->weight[0]->shape[0];
    out->in = (uint32_t)out->weight[0]->shape[1];
    return WINNOW_OK;
}

winnow_status wn_read_norm(const wn_reader *r, bool need, wn_norm *out, uint32_t cols,
                           const char *format, ...)
{
    char name[NAME_MOST], full[NAME_MOST + 16];
    const uint64_t shape[1] = {cols};
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    *out = (wn_norm){.cols = cols};
    snprintf(full, sizeof full, "%s.weight", name);
    WN_TRY(find(r, need, &out->gain, 1, shape, full));
    if (!out->gain)
        return WINNOW_OK;
    snprintf(full, sizeof full, "%s.bias", name);
    return find(r, false, &out->bias, 1, shape, full);
}

winnow_status wn_read_count(const wn_reader *r, const char *key, uint32_t least, uint32_t most,
                            uint32_t fallback, uint32_t *out)
{
    double value;
    if (!wn_setting_number(r->weights, key, &value)) {
        *out = fallback;
        return fallback != UINT32_MAX
                   ? WINNOW_OK
                   : wn_fail(r->host, WINNOW_E_FILE,
                             "%s: the setting %s is missing (the file is incomplete, or of a "
                             "kind that is not read)",
                             wn_weights_path(r->weights), key);
    }
    if (!(value >= least && value <= most) || value != floor(value))
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: the setting %s is %g (a whole number in %u..%u is read)",
                       wn_weights_path(r->weights), key, value, least, most);
    *out = (uint32_t)value;
    return WINNOW_OK;
}

float wn_read_real(const wn_reader *r, const char *key, float fallback)
{
    double value;
    return wn_setting_number(r->weights, key, &value) && isfinite(value) ? (float)value : fallback;
}

winnow_status wn_vit_check(const wn_reader *r)
{
    wn_vit *v = r->vit;
    const char *path = wn_weights_path(r->weights);
    if (v->width % v->heads != 0)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: %u channels do not divide into %u heads (the file is damaged)", path,
                       v->width, v->heads);
    v->head_dim = v->width / v->heads;
    if (v->head_dim % 2 != 0 || (v->rope && v->head_dim % 4 != 0))
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: heads of %u channels are not run (even ones are%s)", path, v->head_dim,
                       v->rope ? ", with rotary positions multiples of four" : "");
    if (v->layers > 64 && v->window)
        return wn_fail(r->host, WINNOW_E_FILE, "%s: %u layers with window attention (at most 64)",
                       path, v->layers);
    if (!(v->eps > 0) || !(v->project_eps >= 0))
        return wn_fail(r->host, WINNOW_E_FILE, "%s: the norms' epsilon is %g (above 0 is read)",
                       path, (double)v->eps);
    if (!wn_weights_is_gguf(r->weights))
        v->token_first = v->class_token + v->registers;
    if (!v->run_layers)
        return wn_fail(r->host, WINNOW_E_FILE,
                       "%s: none of its %u layers is run (the file is damaged)", path, v->layers);
    for (uint32_t c = 0; c < 3; ++c)
        if (!(v->prep.std[c] > 0) || !isfinite(v->prep.mean[c]))
            return wn_fail(
                r->host, WINNOW_E_FILE,
                "%s: the picture's mean and deviation are %g and %g (deviations above 0 are read)",
                path, (double)v->prep.mean[c], (double)v->prep.std[c]);
    return WINNOW_OK;
}

winnow_status wn_vit_read(const wn_host *host, const wn_weights *weights, bool llama, wn_vit *vit)
{
    memset(vit, 0, sizeof *vit);
    vit->times = vit->merge = vit->project_factor = 1;
    vit->project_act = WN_ACT_GELU_ERF;
    vit->project_eps = 1e-5f;
    vit->rope_base = 10000.0;
    vit->prep.rescale = 1.0f / 255.0f;
    const winnow_status status = wn_weights_is_gguf(weights)
                                     ? wn_vit_read_gguf(host, weights, llama, vit)
                                     : wn_vit_read_folder(host, weights, vit);
    if (status != WINNOW_OK)
        wn_vit_free(host, vit);
    return status;
}

void wn_vit_free(const wn_host *host, wn_vit *vit)
{
    wn_free(host, vit->layer);
    vit->layer = NULL;
}
