#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint32_t lab_picks[LAB_PICKS] = {0, 3, 4, 7, 10};
enum { GRID_W = 4, OFFSET = 36 }; /* OFFSET: no alignment but to words */

/* Places in W. The constants come first. */
enum {
    SEG_AT = 0,
    INDEX_AT = SEG_AT + 2,
    ROWS_AT = INDEX_AT + LAB_PICKS,
    ASSIGN_AT = ROWS_AT + LAB_PICKS,
    SAME_AT = ASSIGN_AT + LAB_ROWS, /* 0, 1, 2, ... */
    CONST_WORDS = SAME_AT + LAB_ROWS,
    STATS_AT = CONST_WORDS,
    SIZES_AT = STATS_AT + 1,
    FLOATS_AT = SIZES_AT + LAB_PICKS,
};

static void keep_line(void *user, int32_t level, const char *message)
{
    lab_log *log = user;
    (void)level;
    snprintf(log->last, sizeof log->last, "%s", message);
    log->lines++;
}

wn_host lab_host(lab_log *log)
{
    wn_host host;
    *log = (lab_log){0};
    (void)wn_host_read(NULL, &host);
    host.log = keep_line;
    host.log_user = log;
    return host;
}

static uint32_t element(uint32_t type)
{
    return type == WINNOW_F32 ? 4 : 2;
}

static void fill_consts(lab_program *p)
{
    p->consts[SEG_AT + 1] = LAB_PICKS;
    for (uint32_t i = 0; i < LAB_ROWS; i++) {
        p->consts[ASSIGN_AT + i] = WN_NONE;
        p->consts[SAME_AT + i] = i;
    }
    for (uint32_t i = 0; i < LAB_PICKS; i++) {
        p->consts[INDEX_AT + i] = p->consts[ROWS_AT + i] = lab_picks[i];
        p->consts[ASSIGN_AT + lab_picks[i]] = i;
    }
}

static void add(lab_program *p, uint16_t kind, bool barrier, uint32_t items, const void *args,
                size_t bytes)
{
    wn_op *op = &p->ops[p->program.op_count++];
    *op = (wn_op){.kind = kind, .barrier = barrier, .items = items, .args_bytes = (uint32_t)bytes};
    op->a.slot = op->b.slot = WN_SLOT_NONE;
    memcpy(op->args, args, bytes);
}

/* The workspace matrix holds a copy of the input as f32, so that the rows take a detour. */
static void add_copies(lab_program *p)
{
    const uint32_t cols = p->cols, wide = element(p->type) == 2;
    const wn_ref in = {WN_SLOT_IN, (uint8_t)p->type, 0, LAB_ROWS * p->in_row};
    const wn_ref middle = {WN_SLOT_MATRIX, WINNOW_F32, 0, 4ull * LAB_ROWS * cols};
    const wn_ref out = {WN_SLOT_OUT, (uint8_t)p->type, 0, LAB_PICKS * p->out_row};
    const struct wn_args_copy_rows copy = {.a_stride = cols,
                                           .b_stride = cols,
                                           .n = LAB_ROWS,
                                           .src_at = WN_NONE,
                                           .dst_at = SAME_AT,
                                           .cols = cols};
    const struct wn_args_emit_rows rows = {.a_stride = cols,
                                           .b_stride = cols,
                                           .n_max = LAB_PICKS,
                                           .segs = 1,
                                           .seg_at = SEG_AT,
                                           .rows_at = ROWS_AT,
                                           .order_at = WN_NONE,
                                           .cols = cols};
    add(p, WN_OP_copy_rows, false, LAB_ROWS * ((cols + 1) / 2), &copy, sizeof copy);
    p->ops[p->program.op_count - 1].a = in;
    p->ops[p->program.op_count - 1].b = middle;
    add(p, WN_OP_emit_rows, true, LAB_PICKS * (wide ? (cols + 2) / 2 : cols), &rows, sizeof rows);
    p->ops[p->program.op_count - 1].a = middle;
    p->ops[p->program.op_count - 1].b = out;
}

void lab_make(lab_program *p, uint32_t cols, uint32_t type)
{
    *p = (lab_program){.cols = cols, .type = type};
    p->in_row = p->out_row = (uint64_t)cols * element(type);
    fill_consts(p);
    const struct wn_args_fill stats = {.n = 1, .at = STATS_AT, .value = 7};
    const struct wn_args_fill sizes = {.n = LAB_PICKS, .at = SIZES_AT, .value = 0x40000000};
    const struct wn_args_emit_meta meta = {.n_max = LAB_PICKS,
                                           .source = LAB_ROWS,
                                           .segs = 1,
                                           .seg_at = SEG_AT,
                                           .index_at = INDEX_AT,
                                           .sizes_at = SIZES_AT,
                                           .order_at = WN_NONE,
                                           .inverse_at = WN_NONE,
                                           .assign_at = ASSIGN_AT,
                                           .stats_at = STATS_AT,
                                           .tokens = LAB_ROWS,
                                           .grid_w = GRID_W,
                                           .mask = 0x3e};
    add(p, WN_OP_fill, false, 1, &stats, sizeof stats);
    add(p, WN_OP_fill, false, LAB_PICKS, &sizes, sizeof sizes);
    add(p, WN_OP_fill, true, 0, &sizes, sizeof sizes); /* nothing to do */
    add_copies(p);
    add(p, WN_OP_emit_meta, false, LAB_ROWS, &meta, sizeof meta);
    p->program.ops = p->ops;
    p->program.emit_first = p->program.op_count - 2;
    p->program.barriers = 2;
    p->program.consts = p->consts;
    p->program.const_words = CONST_WORDS;
    p->program.w_words = FLOATS_AT;
    p->program.matrix_bytes = 4ull * LAB_ROWS * cols;
}

wn_exec_desc lab_desc(const lab_program *p, uint32_t flags)
{
    return (wn_exec_desc){
        .flags = flags,
        .program = &p->program,
        .in_bytes = {[WINNOW_ROLE_TOKENS] = LAB_ROWS * p->in_row},
        .out_bytes = {LAB_PICKS * p->out_row, 4 * LAB_PICKS, 4 * LAB_PICKS, 12 * LAB_PICKS,
                      4 * LAB_ROWS, 16},
        .a_types = 1u << WINNOW_F32 | 1u << p->type,
        .b_types = 1u << WINNOW_F32 | 1u << p->type,
    };
}

/* Small integers, which every type holds; never the bits of zero. */
static unsigned char byte_of(const lab_program *p, uint32_t row, uint64_t at)
{
    const uint32_t size = element(p->type), col = (uint32_t)(at / size);
    const float value = (float)(1 + (row * 31 + col * 7) % 100);
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (p->type == WINNOW_BF16)
        bits >>= 16;
    if (p->type == WINNOW_F16)
        bits = ((bits >> 23) - 112) << 10 | (bits >> 13 & 0x3ff);
    return (unsigned char)(bits >> 8 * (at % size));
}

void lab_data_make(lab_data *d, const lab_program *p, uint64_t gap)
{
    *d = (lab_data){.in_stride = p->in_row + gap, .out_stride = p->out_row + gap};
    const size_t in_bytes = (size_t)(LAB_ROWS * d->in_stride + 4095) / 4096 * 4096;
    d->in = aligned_alloc(4096, in_bytes); /* whole pages: large ones can be imported */
    d->out = calloc(LAB_PICKS, (size_t)d->out_stride);
    if (!d->in || !d->out)
        abort();
    memset(d->in, 0xee, in_bytes);
    memset(d->out, 0xdd, LAB_PICKS * (size_t)d->out_stride);
    for (uint32_t r = 0; r < LAB_ROWS; r++) {
        for (uint64_t i = 0; i < p->in_row; i++)
            d->in[r * d->in_stride + i] = byte_of(p, r, i);
    }
}

void lab_data_free(lab_data *d)
{
    free(d->in);
    free(d->out);
    *d = (lab_data){0};
}

wn_host_io lab_io(lab_data *d, const lab_program *p)
{
    return (wn_host_io){
        .in = {{d->in, LAB_ROWS, p->in_row, d->in_stride}},
        .out = {{d->out, LAB_PICKS, p->out_row, d->out_stride},
                {d->indices, LAB_PICKS, 4, 4},
                {d->sizes, LAB_PICKS, 4, 4},
                {d->positions, LAB_PICKS, 12, 12},
                {d->assignment, LAB_ROWS, 4, 4},
                {d->count, 1, 16, 16}},
        .count_outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES |
                         1u << WINNOW_OUT_SIZES | 1u << WINNOW_OUT_POSITIONS,
    };
}

static unsigned wrong_rows(const lab_data *d, const lab_program *p)
{
    unsigned wrong = 0;
    for (uint32_t r = 0; r < LAB_PICKS; r++) {
        for (uint64_t i = 0; i < d->out_stride; i++) {
            if (r == LAB_PICKS - 1 && i >= p->out_row)
                break;
            const unsigned char want = i < p->out_row ? byte_of(p, lab_picks[r], i) : 0xdd;
            wrong += d->out[r * d->out_stride + i] != want;
        }
    }
    return wrong;
}

unsigned lab_wrong(const lab_data *d, const lab_program *p)
{
    unsigned wrong = wrong_rows(d, p);
    for (uint32_t i = 0; i < LAB_PICKS; i++) {
        const int32_t at = (int32_t)lab_picks[i];
        wrong += d->indices[i] != at || d->sizes[i] != 2.0f;
        wrong += d->positions[3 * i] != 0 || d->positions[3 * i + 1] != at / GRID_W ||
                 d->positions[3 * i + 2] != at % GRID_W;
        wrong += d->assignment[at] != (int32_t)i;
    }
    for (uint32_t i = 0; i < LAB_ROWS; i++)
        wrong += d->assignment[i] < -1;
    wrong += d->count[0] != LAB_PICKS || d->count[1] != 7 || d->count[2] || d->count[3];
    return wrong;
}

static void lend_matrices(lab_vulkan *v)
{
    v->timeline.pNext = &v->float16;
    v->float16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
    v->float16.pNext = &v->memory_model;
    v->float16.shaderFloat16 = VK_TRUE;
    v->memory_model.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES;
    v->memory_model.pNext = &v->cooperative;
    v->memory_model.vulkanMemoryModel = VK_TRUE;
    v->memory_model.vulkanMemoryModelDeviceScope = VK_TRUE;
    v->cooperative.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
    v->cooperative.cooperativeMatrix = VK_TRUE;
    v->extensions[v->extension_count++] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME;
}

static bool open_device(const wn_host *host, bool rich, lab_vulkan *v)
{
    const float priority = 1;
    const uint32_t has_push = v->caps.extensions >> WN_EXT_PUSH_DESCRIPTOR & 1u;
    v->features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    v->features.pNext = &v->storage16;
    v->storage16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
    v->storage16.pNext = &v->timeline;
    v->storage16.storageBuffer16BitAccess = rich && (v->caps.features >> WN_FEATURE_STORAGE16 & 1u);
    v->timeline.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES;
    v->timeline.timelineSemaphore = rich && (v->caps.features >> WN_FEATURE_TIMELINE & 1u);
    if (rich && (v->caps.features >> WN_FEATURE_COOPERATIVE_MATRIX & 1u))
        lend_matrices(v);
    if (rich && has_push)
        v->extensions[v->extension_count++] = VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME;
    if (v->timeline.timelineSemaphore && v->caps.api < VK_API_VERSION_1_2)
        v->extensions[v->extension_count++] = VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = v->caps.queue_family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &v->features,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = v->extension_count,
        .ppEnabledExtensionNames = v->extensions,
    };
    if (v->instance.vk.CreateDevice(v->physical, &info, NULL, &v->device) != VK_SUCCESS)
        return false;
    if (wn_device_calls_load(host, &v->instance, v->device, &v->vk) != WINNOW_OK)
        return false;
    v->vk.GetDeviceQueue(v->device, v->caps.queue_family, 0, &v->queue);
    return true;
}

bool lab_vulkan_open(const wn_host *host, bool rich, lab_vulkan *v)
{
    uint32_t one = 1;
    *v = (lab_vulkan){0};
    if (wn_instance_open(host, NULL, WINNOW_LOG_ERROR, &v->instance) != WINNOW_OK)
        return false;
    if (v->instance.vk.EnumeratePhysicalDevices(v->instance.handle, &one, &v->physical) >= 0 &&
        one == 1 && wn_caps_read(host, &v->instance, v->physical, &v->caps) == WINNOW_OK &&
        open_device(host, rich, v))
        return true;
    fprintf(stderr, "lab: the host's device cannot be made\n");
    lab_vulkan_close(v);
    return false;
}

void lab_vulkan_close(lab_vulkan *v)
{
    if (v->device)
        v->vk.DestroyDevice(v->device, NULL);
    wn_instance_close(&v->instance);
}

winnow_vk_borrow lab_borrow(const lab_vulkan *v, const winnow_host *host)
{
    return (winnow_vk_borrow){
        .struct_size = sizeof(winnow_vk_borrow),
        .api_version = v->instance.api,
        .host = host,
        .get_instance_proc_addr = v->instance.get,
        .instance = v->instance.handle,
        .physical_device = v->physical,
        .device = v->device,
        .queue = v->queue,
        .queue_family = v->caps.queue_family,
        .extension_count = v->extension_count,
        .extensions = v->extensions,
        .features = &v->features,
    };
}

static bool make_buffer(wn_gpu *gpu, uint64_t bytes, wn_memory *memory, wn_gpu_span *span)
{
    if (wn_memory_create(gpu, WN_MEMORY_DOWNLOAD, OFFSET + bytes, memory) != WINNOW_OK)
        return false;
    *span = (wn_gpu_span){memory->buffer, OFFSET, bytes};
    return true;
}

bool lab_buffers_make(wn_gpu *gpu, const lab_program *p, lab_buffers *b)
{
    const wn_exec_desc desc = lab_desc(p, 0);
    *b = (lab_buffers){0};
    bool good = make_buffer(gpu, desc.in_bytes[0], &b->in, &b->spans.in[WINNOW_ROLE_TOKENS]);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++)
        good = good && make_buffer(gpu, desc.out_bytes[i], &b->out[i], &b->spans.out[i]);
    if (!good)
        lab_buffers_free(gpu, b);
    return good;
}

void lab_buffers_free(wn_gpu *gpu, lab_buffers *b)
{
    wn_memory_destroy(gpu, &b->in);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++)
        wn_memory_destroy(gpu, &b->out[i]);
}

void lab_buffers_put(wn_gpu *gpu, const lab_buffers *b, const lab_data *d, const lab_program *p)
{
    memcpy((unsigned char *)b->in.mapped + OFFSET, d->in, LAB_ROWS * p->in_row);
    (void)wn_memory_flush(gpu, &b->in, b->in.bytes);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++) {
        memset(b->out[i].mapped, 0xcc, (size_t)b->out[i].bytes);
        (void)wn_memory_flush(gpu, &b->out[i], b->out[i].bytes);
    }
}

void lab_buffers_get(wn_gpu *gpu, const lab_buffers *b, lab_data *d, const lab_program *p)
{
    void *const to[WINNOW_OUT_COUNT] = {d->out,       d->indices,    d->sizes,
                                        d->positions, d->assignment, d->count};
    const wn_exec_desc desc = lab_desc(p, 0);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++) {
        (void)wn_memory_invalidate(gpu, &b->out[i], b->out[i].bytes);
        memcpy(to[i], (unsigned char *)b->out[i].mapped + OFFSET, (size_t)desc.out_bytes[i]);
    }
}
