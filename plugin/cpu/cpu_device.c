/* The plain C backend: what the GPU is compared with, and what runs where there is none. */
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cpu_levels.h"
#include "cpu_pool.h"

typedef struct cpu_device {
    winnow_device base;
    const wn_cpu_op_fn *ops;
    wn_cpu_pool *pool; /* NULL: the caller's thread alone */
    uint32_t threads;
    uint64_t worth; /* multiplications that are worth a part of their own */
} cpu_device;

struct wn_exec {
    const wn_host *host;
    const cpu_device *device;
    uint32_t *w;
    unsigned char *matrix, *history;
    unsigned char *weights[WN_WEIGHT_PARTS];
    union {
        const void *in;
        unsigned char *data; /* operations only read it; wn_cpu_rows serves both ways */
    } trained;
    uint64_t weight_bytes[WN_WEIGHT_PARTS];
    unsigned char *scratch; /* scratch_bytes for each thread */
    uint64_t w_words, matrix_bytes, history_bytes, scratch_bytes;
};

enum {
    MOST_THREADS = 64,
    LINE = 64,             /* bytes of a cache line */
    WORTH_A_PART = 1 << 16 /* multiplications: some 10 microseconds, what waking a thread takes */
};

/* ---- device ---- */

static uint64_t physical_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

/* Processors that this process may use. */
static uint32_t processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    const int count = CPU_COUNT(&set);
    return count < 1 ? 1u : count > MOST_THREADS ? MOST_THREADS : (uint32_t)count;
}

static uint32_t features_there(void)
{
    return wn_cpu_levels() | (uint32_t)(processors() > 1) << WN_FEATURE_THREADS;
}

static void fill_info(uint32_t mask, winnow_device_info *out)
{
    *out = (winnow_device_info){
        .struct_size = sizeof *out,
        .backend = WINNOW_BACKEND_CPU,
        .kind = WINNOW_DEVICE_CPU,
        .name = "plain C",
        .driver = "built in",
        .subgroup_size = 1,
        .max_workgroup = 1,
        .max_binding = UINT64_MAX,
        .memory = physical_memory(),
    };
    wn_features_list(features_there() & ~mask, out->features, sizeof out->features);
    wn_features_list(features_there() & mask, out->disabled, sizeof out->disabled);
}

winnow_status wn_cpu_device_info(const wn_host *host, const char *disable, winnow_device_info *out)
{
    uint32_t mask;
    WN_TRY(wn_features_parse(host, disable, &mask));
    fill_info(mask, out);
    return WINNOW_OK;
}

static void device_destroy(winnow_device *base)
{
    cpu_device *device = (cpu_device *)base;
    if (!device)
        return;
    const wn_host host = device->base.host;
    wn_cpu_pool_destroy(device->pool);
    wn_free(&host, device);
}

winnow_status wn_cpu_device_create(const wn_host *host, const char *disable, winnow_device **out)
{
    uint32_t mask;
    *out = NULL;
    WN_TRY(wn_features_parse(host, disable, &mask));
    cpu_device *device = wn_alloc(host, sizeof *device);
    if (!device)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "plain C device: no memory for the object");
    const uint32_t features = features_there() & ~mask;
    device->base = (winnow_device){.host = *host,
                                   .backend = &wn_cpu_backend,
                                   .max_matrix = UINT64_MAX,
                                   .max_w = UINT64_MAX,
                                   .loop_limit = UINT32_MAX,
                                   .group_size = 1};
    fill_info(mask, &device->base.info);
    device->ops = wn_cpu_level_ops(features);
    device->threads = 1;
    device->worth = WORTH_A_PART;
    if (features >> WN_FEATURE_THREADS & 1u) {
        device->threads = processors();
        device->pool = wn_cpu_pool_create(host, device->threads);
        if (!device->pool) {
            device_destroy(&device->base);
            return wn_fail(host, WINNOW_E_HOST_MEMORY,
                           "plain C device: no memory for %u threads (disable `threads`)",
                           processors());
        }
    }
    *out = &device->base;
    return WINNOW_OK;
}

void wn_cpu_device_share_all(winnow_device *base, uint32_t parts)
{
    cpu_device *device = (cpu_device *)base;
    device->threads = parts;
    device->worth = 1;
}

/* ---- memory ---- */

/* Room for each of the desc's programs. */
static void take_sizes(wn_exec *exec, const wn_exec_desc *desc)
{
    for (uint32_t p = 0; p <= desc->other_count; ++p) {
        const wn_program *program = p ? &desc->others[p - 1] : desc->program;
        exec->w_words = wn_larger(exec->w_words, program->w_words);
        exec->matrix_bytes = wn_larger(exec->matrix_bytes, program->matrix_bytes);
        for (uint32_t i = 0; i < program->op_count; ++i)
            exec->scratch_bytes =
                wn_larger(exec->scratch_bytes, wn_cpu_scratch_bytes(&program->ops[i]));
    }
    exec->scratch_bytes = wn_larger(exec->scratch_bytes, desc->scratch_room);
    exec->scratch_bytes = (exec->scratch_bytes + LINE - 1) / LINE * LINE; /* a thread's own lines */
    exec->history_bytes = desc->history_bytes;
    exec->trained.in = desc->trained;
    memcpy(exec->weight_bytes, desc->weight_bytes, sizeof exec->weight_bytes);
}

static uint64_t sum_of(const uint64_t *bytes, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; ++i)
        sum += bytes[i];
    return sum;
}

static void exec_destroy(wn_exec *exec)
{
    if (!exec)
        return;
    const wn_host *host = exec->host;
    wn_free(host, exec->scratch);
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; ++i)
        wn_free(host, exec->weights[i]);
    wn_free(host, exec->history);
    wn_free(host, exec->matrix);
    wn_free(host, exec->w);
    wn_free(host, exec);
}

static winnow_status exec_create(winnow_device *device, const wn_exec_desc *desc, wn_exec **out)
{
    const wn_host *host = &device->host;
    *out = NULL;
    wn_exec *exec = wn_alloc(host, sizeof *exec);
    if (!exec)
        goto fail;
    exec->host = host;
    exec->device = (const cpu_device *)device;
    take_sizes(exec, desc);
    exec->w = wn_alloc(host, exec->w_words * sizeof *exec->w);
    exec->matrix = wn_alloc(host, exec->matrix_bytes);
    exec->history = wn_alloc(host, exec->history_bytes);
    exec->scratch = wn_alloc(host, exec->scratch_bytes * exec->device->threads);
    if (!exec->w || !exec->matrix || !exec->history || !exec->scratch)
        goto fail;
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; ++i) {
        if (desc->weight_bytes[i])
            exec->weights[i] = wn_alloc(host, desc->weight_bytes[i]);
        if (desc->weight_bytes[i] && !exec->weights[i])
            goto fail;
    }
    *out = exec;
    return WINNOW_OK;

fail:
    exec_destroy(exec);
    return wn_fail(host, WINNOW_E_HOST_MEMORY,
                   "plain C plan: no memory for a workspace of %llu bytes (use a smaller shape)",
                   (unsigned long long)(desc->program->w_words * sizeof(uint32_t) +
                                        desc->program->matrix_bytes + desc->history_bytes +
                                        sum_of(desc->weight_bytes, WN_WEIGHT_PARTS)));
}

static uint64_t exec_bytes(const wn_exec *exec, uint64_t *staging)
{
    if (staging)
        *staging = 0; /* the host's memory is used where it lies */
    return exec->w_words * sizeof *exec->w + exec->matrix_bytes + exec->history_bytes +
           exec->scratch_bytes * exec->device->threads +
           sum_of(exec->weight_bytes, WN_WEIGHT_PARTS);
}

/* ---- runs ---- */

static unsigned char *slot_base(const wn_exec *exec, const wn_host_io *io, uint8_t slot)
{
    if (slot == WN_SLOT_MATRIX)
        return exec->matrix;
    if (slot == WN_SLOT_HISTORY)
        return exec->history;
    if (slot == WN_SLOT_TRAINED)
        return exec->trained.data;
    if (slot >= WN_SLOT_WEIGHTS && slot < WN_SLOT_TRAINED)
        return exec->weights[slot - WN_SLOT_WEIGHTS];
    if (slot < WN_SLOT_OUT)
        return io->in[slot].data;
    return slot < WN_SLOT_MATRIX ? io->out[slot - WN_SLOT_OUT].data : NULL;
}

static wn_cpu_rows bind(const wn_exec *exec, const wn_host_io *io, const wn_ref *ref,
                        uint32_t stride)
{
    unsigned char *base = slot_base(exec, io, ref->slot);
    return (wn_cpu_rows){
        .data = base ? base + ref->offset : NULL, .stride = stride, .dtype = ref->dtype};
}

static bool is_output(uint8_t slot)
{
    return slot >= WN_SLOT_OUT && slot < WN_SLOT_MATRIX;
}

/* One operation, as its parts see it. */
typedef struct shared_op {
    wn_cpu_op_fn run;
    const uint32_t *args;
    wn_cpu_memory memory;
    unsigned char *scratch;
    uint64_t scratch_bytes;
} shared_op;

static void run_part(void *user, uint32_t part)
{
    const shared_op *op = user;
    wn_cpu_memory m = op->memory;
    m.part = part;
    m.scratch = op->scratch + part * op->scratch_bytes;
    op->run(op->args, &m);
}

static void share_out(const wn_exec *exec, const wn_op *op, const wn_cpu_memory *m)
{
    const cpu_device *device = exec->device;
    shared_op shared = {device->ops[op->kind], op->args, *m, exec->scratch, exec->scratch_bytes};
    const uint64_t most = device->threads > 1 ? wn_cpu_work(op) / device->worth : 1;
    const uint32_t parts = most < device->threads ? (uint32_t)most : device->threads;
    shared.memory.parts = parts > 1 ? parts : 1;
    if (parts > 1 && device->pool)
        wn_cpu_pool_run(device->pool, run_part, &shared, parts);
    else
        for (uint32_t part = 0; part < shared.memory.parts; ++part)
            run_part(&shared, part);
}

/* Every operation's arguments start with a_base, a_stride, b_base, b_stride, and c_base, c_stride where
 * it has a C; the bases are of a GPU's bindings and mean nothing here. */
static winnow_status run_op(const wn_exec *exec, const wn_op *op, const wn_host_io *io,
                            wn_exec_stats *stats)
{
    wn_cpu_memory m = {
        .w = exec->w,
        .a = bind(exec, io, &op->a, op->args[WN_ARG_A_STRIDE]),
        .b = bind(exec, io, &op->b, op->args[WN_ARG_B_STRIDE]),
        .out = io->out,
    };
    if (op->c.bytes)
        m.c = bind(exec, io, &op->c, op->args[WN_ARG_C_STRIDE]);
    if (op->items == 0 || (is_output(op->b.slot) && !m.b.data)) /* not wanted this time */
        return WINNOW_OK;
    if ((op->a.slot != WN_SLOT_NONE && !m.a.data) || (op->b.slot != WN_SLOT_NONE && !m.b.data) ||
        (op->c.bytes && op->c.slot != WN_SLOT_NONE && !m.c.data) ||
        wn_cpu_scratch_bytes(op) > exec->scratch_bytes)
        return wn_fail(exec->host, WINNOW_E_INTERNAL,
                       "plain C: %s lacks an input or scratch memory (report this)",
                       wn_op_name(op->kind));
    share_out(exec, op, &m);
    ++stats->dispatches;
    return WINNOW_OK;
}

static const char *const output_names[WINNOW_OUT_COUNT] = {"tokens",    "indices",    "sizes",
                                                           "positions", "assignment", "count"};

/* The row count as the operations before the outputs left it. */
static winnow_status check_room(const wn_exec *exec, const wn_program *program,
                                const wn_host_io *io)
{
    const uint32_t rows = io->count_outputs ? exec->w[program->count_at] : 0;
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i)
        if ((io->count_outputs >> i & 1u) && io->out[i].data && io->out[i].rows < rows)
            return wn_fail(exec->host, WINNOW_E_TOO_SMALL,
                           "output \"%s\": room for %llu rows, %u came out (give a larger buffer)",
                           output_names[i], (unsigned long long)io->out[i].rows, rows);
    return WINNOW_OK;
}

static void start_words(const wn_exec *exec, const wn_program *program)
{
    if (program->const_words > 0)
        memcpy(exec->w, program->consts, program->const_words * sizeof *exec->w);
    for (uint32_t g = 0; g < program->fill_count; ++g)
        for (uint32_t i = 0; i < program->fills[g].words; ++i)
            exec->w[program->fills[g].at + i] = program->fills[g].value;
}

static winnow_status exec_run(wn_exec *exec, const wn_program *program, const wn_host_io *io,
                              wn_exec_stats *stats)
{
    wn_exec_stats counted = {0};
    if (program->w_words > exec->w_words || program->matrix_bytes > exec->matrix_bytes)
        return wn_fail(exec->host, WINNOW_E_INTERNAL,
                       "plain C: a program larger than its plan's (report this)");
    start_words(exec, program);
    for (uint32_t i = 0; i < program->op_count; ++i) {
        if (i == program->emit_first)
            WN_TRY(check_room(exec, program, io));
        WN_TRY(run_op(exec, &program->ops[i], io, &counted));
    }
    if (stats)
        *stats = counted;
    return WINNOW_OK;
}

/* ---- measure ---- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static winnow_status copy_bandwidth(winnow_device *device, uint64_t bytes, double *bytes_per_second)
{
    enum { TIMES = 9 };
    const wn_host *host = &device->host;
    winnow_status status = WINNOW_OK;
    double seconds[TIMES];
    void *from = wn_alloc(host, bytes), *to = wn_alloc(host, bytes);
    *bytes_per_second = 0.0;
    if (!from || !to) {
        status =
            wn_fail(host, WINNOW_E_HOST_MEMORY, "copy bandwidth: no memory for two of %llu bytes",
                    (unsigned long long)bytes);
        goto done;
    }
    memcpy(to, from, bytes); /* brings the pages in */
    for (int i = 0; i < TIMES; ++i) {
        const double start = seconds_now();
        memcpy(to, from, bytes);
        seconds[i] = seconds_now() - start;
    }
    qsort(seconds, TIMES, sizeof *seconds, by_value);
    if (seconds[TIMES / 2] > 0.0)
        *bytes_per_second = 2.0 * (double)bytes / seconds[TIMES / 2];

done:
    wn_free(host, to);
    wn_free(host, from);
    return status;
}

const wn_backend wn_cpu_backend = {
    .id = WINNOW_BACKEND_CPU,
    .device_destroy = device_destroy,
    .exec_create = exec_create,
    .exec_destroy = exec_destroy,
    .exec_run = exec_run,
    .copy_bandwidth = copy_bandwidth,
    .scratch_bytes = wn_cpu_scratch_bytes,
    .packs_rows = false,
    .exec_bytes = exec_bytes,
};
