/* trained.c: files of weights are read, checked and laid out for the operations. */
#include "trained.h"

#include <string.h>

#include "../vit/weights_private.h"
#include "numbers.h"
#include "ops_args.h"

#define VERSION "1"

/* --- opening ---------------------------------------------------------------------------------- */

static const winnow_blob *find_blob(const winnow_blob *blobs, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; ++i)
        if (strcmp(blobs[i].name, name) == 0)
            return &blobs[i];
    return NULL;
}

/* The blob that "@name" is, or the mapped file. */
static winnow_status find_bytes(wn_weights *w, bool named, const winnow_blob *blobs, uint32_t count,
                                wn_bytes *out)
{
    if (!named)
        return wn_weights_map(w, w->path, out);
    const winnow_blob *blob = find_blob(blobs, count, w->path);
    if (!blob)
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "weights: no blob `%.80s` was given (name a file, or give the blob to "
                       "pipeline_create_weights)",
                       w->path);
    *out = (wn_bytes){.name = w->path, .bytes = blob->data, .size = blob->bytes};
    return WINNOW_OK;
}

static winnow_status read_index(wn_weights *w, bool named, const winnow_blob *blobs, uint32_t count)
{
    wn_bytes file;
    WN_TRY(find_bytes(w, named, blobs, count, &file));
    if (file.size > WN_TRAINED_BYTES_MOST)
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "safetensors: %.300s: it has %llu bytes (weights of a stage: at most %d)",
                       file.name, (unsigned long long)file.size, WN_TRAINED_BYTES_MOST);
    WN_TRY(wn_safetensors_read(w, &file, 0));
    return wn_weights_finish(w, file.name);
}

static winnow_status check_metadata(const wn_weights *w, const wn_stage *stage)
{
    const char *name, *version;
    if (!wn_setting_text(w, "metadata.winnow.stage", &name))
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "safetensors: %.300s: its metadata have no winnow.stage (it holds no "
                       "stage's weights; those of %s say winnow.stage=%s, winnow.version=" VERSION
                       ")",
                       w->path, stage->name, stage->name);
    if (strcmp(name, stage->name) != 0)
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "safetensors: %.300s: it holds the weights of `%.40s` (give those of %s)",
                       w->path, name, stage->name);
    if (!wn_setting_text(w, "metadata.winnow.version", &version) || strcmp(version, VERSION) != 0)
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "safetensors: %.300s: its metadata do not say winnow.version=" VERSION
                       " (write it again, or use a library that reads it)",
                       w->path);
    return WINNOW_OK;
}

static winnow_status check_tensors(const wn_weights *w)
{
    const wn_tensor *found;
    for (uint32_t i = w->count; i < w->entry_count; ++i) /* of types that are not read */
        WN_TRY(wn_weights_find(w, w->entries[i].tensor.name, &found));
    for (uint32_t i = 0; i < w->count; ++i)
        if (wn_weights_at(w, i)->rank > WN_TRAINED_RANK_MOST)
            return wn_fail(&w->host, WINNOW_E_FILE,
                           "safetensors: %.300s: tensor \"%.80s\" has %u dimensions (at most %d)",
                           w->path, wn_weights_at(w, i)->name, wn_weights_at(w, i)->rank,
                           WN_TRAINED_RANK_MOST);
    return WINNOW_OK;
}

/* text: of the spec, as parse_file has checked it. */
static winnow_status open_file(const wn_host *host, const wn_stage *stage, const char *text,
                               size_t size, const winnow_blob *blobs, uint32_t count,
                               wn_weights **out)
{
    const bool named = text[0] == '@';
    size_t length = 0;
    wn_weights *w = *out = wn_alloc(host, sizeof *w);
    if (!w)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "weights: no memory");
    w->host = *host;
    w->lone = true;
    char *path = wn_weights_keep(w, size + 1);
    if (!path)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "weights: no memory");
    for (size_t i = named; i < size; ++i) {
        i += text[i] == '\\';
        path[length++] = text[i];
    }
    path[length] = '\0';
    w->path = path;
    WN_TRY(read_index(w, named, blobs, count));
    WN_TRY(check_metadata(w, stage));
    return check_tensors(w);
}

/* --- places ----------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcmp(name + length - tail, end) == 0;
}

/* NAME.bias of NAME.weight, if it fits. */
static const wn_tensor *bias_of(const wn_weights *w, const wn_tensor *t)
{
    static const char weight[] = ".weight", bias[] = ".bias";
    const size_t stem = strlen(t->name) - (ends_in(t->name, weight) ? sizeof weight - 1 : 0);
    for (uint32_t i = 0; t->rank == 2 && t->name[stem] && i < wn_weights_count(w); ++i) {
        const wn_tensor *other = wn_weights_at(w, i);
        if (other->rank == 1 && other->shape[0] == t->shape[1] &&
            strncmp(other->name, t->name, stem) == 0 && strcmp(other->name + stem, bias) == 0)
            return other;
    }
    return NULL;
}

static int32_t dtype_of(const wn_tensor *t)
{
    return t->rank < 2               ? WINNOW_F32
           : t->type == WN_FILE_F16  ? WINNOW_F16
           : t->type == WN_FILE_BF16 ? WINNOW_BF16
                                     : WINNOW_F32;
}

static wn_trained_tensor place(const wn_weights *w, const wn_tensor *t, uint64_t offset)
{
    wn_trained_tensor out = {.name = t->name,
                             .rank = t->rank,
                             .rows = t->rank < 2 ? 1 : (uint32_t)t->shape[0],
                             .dtype = dtype_of(t),
                             .bias_at = WN_NONE,
                             .offset = offset};
    for (uint32_t i = 0; i < t->rank; ++i)
        out.shape[i] = (uint32_t)t->shape[i];
    out.cols = (uint32_t)(t->elements / out.rows);
    const uint32_t element = out.dtype == WINNOW_F32 ? 4 : 2;
    out.stride = element == 4 ? out.cols : (out.cols + 1u) & ~1u;
    out.bytes = (uint64_t)out.rows * out.stride * element;
    if (bias_of(w, t)) {
        out.bias_at = (uint32_t)(out.bytes / 4);
        out.bytes += 4ull * out.cols;
    }
    return out;
}

static winnow_status place_file(wn_trained *t, wn_trained_file *file)
{
    file->count = wn_weights_count(file->index);
    file->tensors = wn_alloc(&t->host, file->count * sizeof *file->tensors);
    if (!file->tensors)
        return wn_fail(&t->host, WINNOW_E_HOST_MEMORY, "weights: no memory for %u tensors",
                       file->count);
    for (uint32_t i = 0; i < file->count; ++i) {
        file->tensors[i] = place(file->index, wn_weights_at(file->index, i), t->bytes);
        t->bytes += (file->tensors[i].bytes + WN_TRAINED_ALIGNMENT - 1) / WN_TRAINED_ALIGNMENT *
                    WN_TRAINED_ALIGNMENT;
    }
    return WINNOW_OK;
}

/* --- data ------------------------------------------------------------------------------------- */

static bool all_finite(const wn_tensor *t)
{
    const bool wide = t->type == WN_FILE_F32;
    const uint32_t mask = wide ? 0x7f800000u : t->type == WN_FILE_F16 ? 0x7c00u : 0x7f80u;
    for (uint64_t i = 0; i < t->elements; ++i) {
        uint32_t bits = 0;
        memcpy(&bits, t->data + i * (wide ? 4 : 2), wide ? 4 : 2);
        if ((bits & mask) == mask)
            return false;
    }
    return true;
}

static void copy_floats(float *to, const wn_tensor *t)
{
    for (uint64_t i = 0; i < t->elements; ++i) {
        uint16_t half;
        if (t->type == WN_FILE_F32) {
            memcpy(&to[i], t->data + 4 * i, sizeof *to);
            continue;
        }
        memcpy(&half, t->data + 2 * i, sizeof half);
        to[i] = t->type == WN_FILE_F16 ? f16_to_f32(half) : bf16_to_f32(half);
    }
}

static winnow_status copy_tensor(wn_trained *t, const wn_weights *w, const wn_trained_tensor *to,
                                 const wn_tensor *from)
{
    unsigned char *data = t->data + to->offset;
    const size_t element = to->dtype == WINNOW_F32 ? 4 : 2;
    const wn_tensor *bias = bias_of(w, from);
    if (!all_finite(from))
        return wn_fail(&t->host, WINNOW_E_FILE,
                       "safetensors: %.300s: tensor \"%.80s\" holds a NaN or an infinite number "
                       "(train or write it again)",
                       w->path, from->name);
    if (to->rank < 2)
        copy_floats((float *)(void *)data, from);
    for (uint32_t r = 0; to->rank >= 2 && r < to->rows; ++r)
        memcpy(data + r * to->stride * element, from->data + r * to->cols * element,
               to->cols * element);
    if (bias)
        copy_floats((float *)(void *)data + to->bias_at, bias);
    return WINNOW_OK;
}

static winnow_status copy_all(wn_trained *t)
{
    t->data = wn_alloc(&t->host, (size_t)t->bytes);
    if (!t->data)
        return wn_fail(&t->host, WINNOW_E_HOST_MEMORY, "weights: no memory for %llu bytes",
                       (unsigned long long)t->bytes);
    for (uint32_t f = 0; f < t->file_count; ++f) {
        const wn_trained_file *file = &t->files[f];
        for (uint32_t i = 0; i < file->count; ++i)
            WN_TRY(copy_tensor(t, file->index, &file->tensors[i], wn_weights_at(file->index, i)));
        wn_weights_unmap(file->index);
    }
    return WINNOW_OK;
}

/* --- all of a pipeline ------------------------------------------------------------------------ */

static const wn_value *file_option(const wn_stage_use *use)
{
    for (uint32_t i = 0; i < use->stage->option_count; ++i)
        if (strcmp(use->stage->options[i].type, "file") == 0 && use->values[i].given)
            return &use->values[i];
    return NULL;
}

static winnow_status read_files(wn_trained *t, winnow_pipeline *pipeline, const char *spec,
                                const winnow_blob *blobs, uint32_t blob_count)
{
    for (uint32_t i = 0; i < pipeline->stage_count; ++i) {
        wn_stage_use *use = &pipeline->stages[i];
        const wn_value *value = file_option(use);
        if (!value)
            continue;
        wn_trained_file *file = &t->files[t->file_count];
        use->weights = ++t->file_count;
        WN_TRY(open_file(&t->host, use->stage, spec + value->text_at, value->text_size, blobs,
                         blob_count, &file->index));
        WN_TRY(place_file(t, file));
    }
    return copy_all(t);
}

static winnow_status check_blobs(const wn_host *host, const winnow_blob *blobs, uint32_t count)
{
    if (count && !blobs)
        return wn_fail(host, WINNOW_E_ARGUMENT, "weights: %u blobs, and no list of them", count);
    for (uint32_t i = 0; i < count; ++i)
        if (!blobs[i].name || (!blobs[i].data && blobs[i].bytes))
            return wn_fail(host, WINNOW_E_ARGUMENT, "weights: blob %u has no %s (give both)", i,
                           blobs[i].name ? "data" : "name");
    return WINNOW_OK;
}

winnow_status wn_trained_read(winnow_pipeline *pipeline, const char *spec, const winnow_blob *blobs,
                              uint32_t blob_count)
{
    const wn_host *host = &pipeline->host;
    uint32_t files = 0;
    WN_TRY(check_blobs(host, blobs, blob_count));
    for (uint32_t i = 0; i < pipeline->stage_count; ++i)
        files += file_option(&pipeline->stages[i]) != NULL;
    if (!files)
        return WINNOW_OK;
    wn_trained *t = wn_alloc(host, sizeof *t);
    if (!t)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "weights: no memory");
    t->host = *host;
    atomic_init(&t->holders, 1);
    const winnow_status status = read_files(t, pipeline, spec, blobs, blob_count);
    if (status == WINNOW_OK)
        pipeline->trained = t;
    else
        wn_trained_drop(t);
    return status;
}

wn_trained *wn_trained_hold(wn_trained *t)
{
    if (t)
        atomic_fetch_add(&t->holders, 1);
    return t;
}

void wn_trained_drop(wn_trained *t)
{
    if (!t || atomic_fetch_sub(&t->holders, 1) != 1)
        return;
    const wn_host host = t->host;
    for (uint32_t i = 0; i < t->file_count; ++i) {
        wn_free(&host, t->files[i].tensors);
        wn_weights_close(t->files[i].index);
    }
    wn_free(&host, t->data);
    wn_free(&host, t);
}

const wn_trained_tensor *wn_trained_find(const wn_trained *t, uint32_t number, const char *name)
{
    const wn_trained_file *file = t && number ? &t->files[number - 1] : NULL;
    for (uint32_t i = 0; file && i < file->count; ++i)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}
