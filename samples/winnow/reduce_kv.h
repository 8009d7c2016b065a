/* `winnow reduce` with a decode-time stage: a mask of the KV cache for each decode step. */
#ifndef WINNOW_REDUCE_KV_H
#define WINNOW_REDUCE_KV_H

#include "engine.h"
#include "safetensors.h"

typedef struct kv_job {
    engine *e;
    const winnow_pipeline *pipeline;
    const char *spec, *in_path, *out_path;
    bool json;
} kv_job;

/* Exit code. */
int reduce_kv(const kv_job *job, const st_file *file);

#endif /* WINNOW_REDUCE_KV_H */
