/* The bench of a model's encoder: alone, and with each pipeline inside or behind it. */
#ifndef WINNOW_BENCH_MODEL_H
#define WINNOW_BENCH_MODEL_H

#include "args.h"
#include "engine.h"

typedef struct bench_model_options {
    const char *path, *dtype;  /* dtype NULL: f16 and f32 */
    int32_t like;              /* WINNOW_LIKE_* */
    const arg_list *pipelines; /* none: usual ones that the model takes */
    uint32_t frames;           /* a call; 0: what a token row stands for */
    bool json, quick;
} bench_model_options;

/* `cpu` NULL: plain C is left out. Exit code. */
int bench_model(const bench_model_options *options, engine *gpu, engine *cpu);

#endif /* WINNOW_BENCH_MODEL_H */
