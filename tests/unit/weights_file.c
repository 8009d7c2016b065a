#include "weights_file.h"

#include <stdio.h>
#include <string.h>

static uint32_t elements(const weights_tensor *t)
{
    return t->rows * (t->cols ? t->cols : 1);
}

void weights_fill(const weights_tensor *t, float *values)
{
    uint32_t state = 1;
    for (const char *c = t->name; *c; ++c)
        state = state * 31 + (unsigned char)*c;
    for (uint32_t i = 0; i < elements(t); ++i) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
}

bool weights_make(weights_file *f, const char *stage, const char *notes,
                  const weights_tensor *tensors, size_t count)
{
    char head[8192];
    uint64_t at = 0;
    size_t used = (size_t)snprintf(
        head, sizeof head, "{\"__metadata__\":{\"winnow.stage\":\"%s\",\"winnow.version\":\"1\"%s}",
        stage, notes);
    for (size_t i = 0; i < count && used < sizeof head; ++i) {
        const weights_tensor *t = &tensors[i];
        char dims[32];
        snprintf(dims, sizeof dims, t->cols ? "[%u,%u]" : "[%u]", t->rows, t->cols);
        used += (size_t)snprintf(
            head + used, sizeof head - used,
            ",\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%llu,%llu]}", t->name, dims,
            (unsigned long long)at, (unsigned long long)at + 4ull * elements(t));
        at += 4ull * elements(t);
        if (elements(t) > WEIGHTS_TENSOR_MOST)
            return false;
    }
    if (used + 1 >= sizeof head || 8 + used + 1 + at > sizeof f->bytes)
        return false;
    head[used++] = '}';
    memset(f->bytes, 0, 8);
    f->bytes[0] = (unsigned char)used;
    f->bytes[1] = (unsigned char)(used >> 8);
    memcpy(f->bytes + 8, head, used);
    f->size = 8 + used;
    for (size_t i = 0; i < count; ++i) {
        float values[WEIGHTS_TENSOR_MOST];
        weights_fill(&tensors[i], values);
        memcpy(f->bytes + f->size, values, 4ull * elements(&tensors[i]));
        f->size += 4ull * elements(&tensors[i]);
    }
    return true;
}
