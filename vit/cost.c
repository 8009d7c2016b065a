/* cost.c: the arithmetic of a program. */
#include "cost.h"

#include <string.h>

static uint64_t matmul(const wn_op *op)
{
    struct wn_args_matmul args;
    memcpy(&args, op->args, sizeof args);
    return (uint64_t)args.n_max * args.inner * args.cols;
}

/* Each token asks all of its segment, and takes a part of each. */
static uint64_t attention(const wn_op *op)
{
    struct wn_args_attention args;
    memcpy(&args, op->args, sizeof args);
    return 2ull * args.n_max * args.width * args.heads * args.head_dim;
}

uint64_t wn_multiply_adds(const wn_program *program)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < program->op_count; ++i) {
        const wn_op *op = &program->ops[i];
        if (op->items && op->kind == WN_OP_matmul)
            sum += matmul(op);
        if (op->items && op->kind == WN_OP_attention)
            sum += attention(op);
    }
    return sum;
}
