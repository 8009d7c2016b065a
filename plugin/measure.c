/* measure.c: how fast a device multiplies matrices, by the operation that encoders consist of. */
#include <string.h>
#include <time.h>

#include "ops.h"

enum { SIDE = 1024, ROWS_MOST = 16384, ROUNDS = 3 };
static const double enough = 4e-3, slow = 0.5, tired = 10.0; /* seconds of one product */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Numbers from 1/2 to 1, the same everywhere: their sums stay finite in f16. */
static void *make_rows(const wn_host *host, uint32_t rows, int32_t dtype)
{
    const uint64_t count = (uint64_t)rows * SIDE;
    void *data = wn_alloc(host, count * (dtype == WINNOW_F32 ? 4 : 2));
    uint32_t *wide = data, state = 1;
    uint16_t *narrow = data;
    for (uint64_t i = 0; data && i < count; ++i) {
        state = state * 1664525u + 1013904223u;
        if (dtype == WINNOW_F32)
            wide[i] = 0x3f000000u | state >> 9;
        else
            narrow[i] = (uint16_t)(0x3800u | state >> 22);
    }
    return data;
}

static wn_ref ref_of(uint8_t slot, uint32_t rows, int32_t dtype)
{
    return (wn_ref){.slot = slot,
                    .dtype = (uint8_t)dtype,
                    .bytes = (uint64_t)rows * SIDE * (dtype == WINNOW_F32 ? 4 : 2)};
}

/* B [rows, SIDE] = A [rows, SIDE] C [SIDE, SIDE]; see ops_args.h. */
static wn_op product(uint32_t rows, int32_t dtype)
{
    const struct wn_args_matmul args = {.a_stride = SIDE,
                                        .b_stride = SIDE,
                                        .c_stride = SIDE,
                                        .n_max = rows,
                                        .seg_at = WN_NONE,
                                        .inner = SIDE,
                                        .cols = SIDE,
                                        .bias_at = WN_NONE,
                                        .scale_at = WN_NONE};
    wn_op op = {.kind = WN_OP_matmul,
                .items = (rows + 7) / 8 * ((SIDE + 127) / 128),
                .args_bytes = sizeof args,
                .a = ref_of(WN_SLOT_IN + WINNOW_ROLE_TOKENS, rows, dtype),
                .b = ref_of(WN_SLOT_OUT + WINNOW_OUT_TOKENS, rows, dtype),
                .c = ref_of(WN_SLOT_IN + WINNOW_ROLE_KEYS, SIDE, dtype)};
    memcpy(op.args, &args, sizeof args);
    return op;
}

/* The fastest of three runs behind one that warms up; of one where that is slow; where even the
 * first takes very long, that one. */
static winnow_status time_runs(winnow_device *device, wn_exec *exec, const wn_program *program,
                               const wn_host_io *io, double *seconds)
{
    for (int i = 0; i <= ROUNDS; ++i) {
        wn_exec_stats stats = {0};
        const double start = seconds_now();
        WN_TRY(device->backend->exec_run(exec, program, io, &stats));
        const double took = stats.gpu_ns ? 1e-9 * (double)stats.gpu_ns : seconds_now() - start;
        if (i < 2 || took < *seconds)
            *seconds = took;
        if (took > (i ? slow : tired))
            break;
    }
    return WINNOW_OK;
}

static winnow_status time_product(winnow_device *device, uint32_t rows, int32_t dtype,
                                  double *seconds)
{
    const wn_host *host = &device->host;
    wn_op op = product(rows, dtype);
    const wn_program program = {.ops = &op, .op_count = 1, .emit_first = 1, .w_words = 4};
    wn_exec_desc desc = {.flags = WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_TIMING,
                         .program = &program,
                         .a_types = 1u << dtype,
                         .b_types = 1u << dtype};
    desc.in_bytes[WINNOW_ROLE_TOKENS] = op.a.bytes;
    desc.in_bytes[WINNOW_ROLE_KEYS] = op.c.bytes;
    desc.out_bytes[WINNOW_OUT_TOKENS] = op.b.bytes;
    wn_exec *exec = NULL;
    void *a = make_rows(host, rows, dtype), *c = make_rows(host, SIDE, dtype),
         *b = wn_alloc(host, op.b.bytes);
    winnow_status status = WINNOW_OK;
    if (!a || !b || !c)
        status = wn_fail(host, WINNOW_E_HOST_MEMORY, "product_rate: no memory for the matrices");
    if (status == WINNOW_OK)
        status = device->backend->exec_create(device, &desc, &exec);
    if (status == WINNOW_OK) {
        wn_host_io io = {0};
        io.in[WINNOW_ROLE_TOKENS] = (wn_host_rows){a, 1, op.a.bytes, op.a.bytes};
        io.in[WINNOW_ROLE_KEYS] = (wn_host_rows){c, 1, op.c.bytes, op.c.bytes};
        io.out[WINNOW_OUT_TOKENS] = (wn_host_rows){b, 1, op.b.bytes, op.b.bytes};
        status = time_runs(device, exec, &program, &io, seconds);
    }
    device->backend->exec_destroy(exec);
    wn_free(host, c);
    wn_free(host, b);
    wn_free(host, a);
    return status;
}

/* More rows as long as a product is too short to fill the device. */
winnow_status wn_product_rate(winnow_device *device, int32_t dtype, double *flops)
{
    *flops = 0;
    if (dtype != WINNOW_F32 && dtype != WINNOW_F16)
        return wn_fail(&device->host, WINNOW_E_ARGUMENT,
                       "product_rate: dtype is %d (use WINNOW_F32 or WINNOW_F16)", dtype);
    for (uint32_t rows = SIDE; rows <= ROWS_MOST; rows *= 4) {
        double seconds = 0;
        WN_TRY(time_product(device, rows, dtype, &seconds));
        const double rate = 2.0 * rows * SIDE * SIDE / (seconds > 1e-9 ? seconds : 1e-9);
        if (rate > *flops)
            *flops = rate;
        if (seconds > enough)
            break;
    }
    return WINNOW_OK;
}
