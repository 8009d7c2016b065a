/* slack.c: how far a product by cooperative matrices may be from plain C's. */
#include "slack.h"

#include <math.h>
#include <stdlib.h>

static double half_at(const unsigned char *data, uint64_t element)
{
    uint16_t half;
    memcpy(&half, data + 2 * element, sizeof half);
    return (double)f16_to_f32(half);
}

static double c_word(const ops_case *c, uint32_t at, uint32_t col)
{
    float x;
    memcpy(&x, c->weights.data + c->c_ref.offset + 4ull * (at + col), sizeof x);
    return (double)x;
}

double element_value(uint32_t bits, uint8_t dtype)
{
    const bool f16 = dtype == WINNOW_F16;
    if (f16 && (bits & 0x7fffu) == 0x7c00u)
        return bits & 0x8000u ? -65536.0 : 65536.0; /* what rounds to infinity starts below it */
    if (f16 || dtype == WINNOW_BF16)
        return (double)(f16 ? f16_to_f32((uint16_t)bits) : bf16_to_f32((uint16_t)bits));
    return (double)bits_f32(bits);
}

double element_ulp(double x, uint8_t dtype)
{
    const double relative = dtype == WINNOW_F16 ? 0x1p-10 : dtype == WINNOW_BF16 ? 0x1p-7 : 0x1p-23;
    return fabs(x) * relative + (dtype == WINNOW_F16 ? 0x1p-24 : 0);
}

/* The sum of |A(r, k) C(k, j)|. */
static double magnitude(const ops_case *c, const wn_op *op, const struct wn_args_matmul *args,
                        uint32_t r, uint32_t j)
{
    const unsigned char *a = op->a.slot == WN_SLOT_MATRIX ? c->pool.data : c->a.data;
    const unsigned char *weights = c->weights.data + c->c_ref.offset;
    double sum = 0;
    for (uint32_t k = 0; k < args->inner; ++k)
        sum += fabs(half_at(a, op->a.offset / 2 + (uint64_t)r * args->a_stride + k) *
                    half_at(weights, (uint64_t)k * args->c_stride + j));
    return sum;
}

/* Of B(r, j), which was `before`. Ours are rounded sums, theirs may be cut off after every product:
 * 1 and 2 units of 2^-24 of the magnitude each. No activation is steeper than 1.2. */
static double slack_of(const ops_case *c, const wn_op *op, const struct wn_args_matmul *args,
                       uint32_t r, uint32_t j, double before)
{
    double most = magnitude(c, op, args, r, j);
    if (args->bias_at != WN_NONE)
        most += fabs(c_word(c, args->bias_at, j));
    double slack = 3 * 0x1p-24 * (args->inner + 4) * most * 1.2;
    if (args->act >= WN_ACT_GELU_TANH_HALF) /* f16 in and out: each may round to the neighbour */
        slack += 2 * 0x1p-10 * most + 0x1p-23;
    if (args->scale_at != WN_NONE) {
        slack *= fabs(c_word(c, args->scale_at, j));
        most *= fabs(c_word(c, args->scale_at, j));
    }
    if (args->with == 1) {
        slack *= fabs(before);
        most *= fabs(before);
    }
    if (args->with == 2)
        most += fabs(before);
    return slack + 0x1p-21 * most;
}

static const wn_op *product_of(const ops_case *c, const winnow_device *device)
{
    if (!strstr(device->info.features, "cooperative_matrix"))
        return NULL;
    for (uint32_t i = 0; i < c->op_count; ++i) {
        const wn_op *op = &c->ops[i];
        if (op->kind == WN_OP_matmul && op->a.dtype == WINNOW_F16 && op->c.dtype == WINNOW_F16)
            return op;
    }
    return NULL;
}

double *slack_of_case(const ops_case *c, const winnow_device *device)
{
    const wn_op *op = product_of(c, device);
    struct wn_args_matmul args;
    if (!op)
        return NULL;
    memcpy(&args, op->args, sizeof args);
    const size_t elements = (size_t)c->pool.rows * POOL_COLS;
    double *slack = malloc(elements * sizeof *slack);
    if (!slack)
        abort();
    for (size_t i = 0; i < elements; ++i)
        slack[i] = -1;
    const uint32_t n = args.seg_at == WN_NONE ? args.n_max : c->w[args.seg_at + args.segs];
    const uint64_t first = op->b.offset / dtype_bytes(c->pool.dtype);
    for (uint32_t r = 0; r < n; ++r) {
        for (uint32_t j = 0; j < args.cols; ++j) {
            const uint64_t at = first + (uint64_t)r * args.b_stride + j;
            uint32_t bits = 0;
            memcpy(&bits, c->pool.data + at * dtype_bytes(c->pool.dtype),
                   dtype_bytes(c->pool.dtype));
            slack[at] = slack_of(c, op, &args, r, j, element_value(bits, c->pool.dtype));
        }
    }
    return slack;
}
