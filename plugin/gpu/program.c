/* program.c: one pipeline layout for all, and the pipelines of a device. */
#include "gpu/device.h"
#include "gpu/specialize.h"

enum { SPIRV_HEADER_WORDS = 5, OP_CAPABILITY = 17 };

/* Capabilities that a shader may declare, and what the device must have for them. */
static const struct {
    uint32_t capability;
    VkSubgroupFeatureFlags subgroup; /* 0: see `variant` */
    uint8_t variant;                 /* the bit that brings it; WN_SPIRV_PLAIN: always there */
} capabilities[] = {
    {1, 0, WN_SPIRV_PLAIN},                                      /* Shader */
    {4433, 0, WN_SPIRV_STORAGE16},                               /* StorageBuffer16BitAccess */
    {61, VK_SUBGROUP_FEATURE_BASIC_BIT, WN_SPIRV_SUBGROUP},      /* GroupNonUniform */
    {62, VK_SUBGROUP_FEATURE_VOTE_BIT, WN_SPIRV_SUBGROUP},       /* ...Vote */
    {63, VK_SUBGROUP_FEATURE_ARITHMETIC_BIT, WN_SPIRV_SUBGROUP}, /* ...Arithmetic */
    {64, VK_SUBGROUP_FEATURE_BALLOT_BIT, WN_SPIRV_SUBGROUP},     /* ...Ballot */
    {65, VK_SUBGROUP_FEATURE_SHUFFLE_BIT, WN_SPIRV_SUBGROUP},    /* ...Shuffle */
    {66, VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT, WN_SPIRV_SUBGROUP}, /* ...ShuffleRelative */
    {67, VK_SUBGROUP_FEATURE_CLUSTERED_BIT, WN_SPIRV_SUBGROUP},        /* ...Clustered */
    {68, VK_SUBGROUP_FEATURE_QUAD_BIT, WN_SPIRV_SUBGROUP},             /* ...Quad */
    {9, 0, WN_SPIRV_COOPERATIVE},                                      /* Float16 */
    {5345, 0, WN_SPIRV_COOPERATIVE},                                   /* VulkanMemoryModel */
    {6022, 0, WN_SPIRV_COOPERATIVE},                                   /* CooperativeMatrixKHR */
};

static bool has_capability(const wn_gpu *gpu, uint32_t capability, uint32_t variant)
{
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
        if (capabilities[i].capability == capability)
            return (capabilities[i].variant & ~variant) == 0 &&
                   (capabilities[i].subgroup & ~gpu->caps.subgroup_ops) == 0;
    }
    return false;
}

/* Capabilities come first in a module. */
static bool variant_runs(const wn_gpu *gpu, const wn_spirv *code, uint32_t variant)
{
    const size_t count = code->bytes / sizeof *code->words;
    for (size_t at = SPIRV_HEADER_WORDS; at + 1 < count; at += code->words[at] >> 16) {
        if ((code->words[at] & 0xffffu) != OP_CAPABILITY)
            return true;
        if (!has_capability(gpu, code->words[at + 1], variant))
            return false;
    }
    return false;
}

static bool fills_subgroups(const wn_gpu *gpu, uint32_t local)
{
    const uint32_t size = gpu->caps.subgroup_size;
    return local % size == 0 &&
           (!gpu->caps.subgroup_control || local / size <= gpu->caps.subgroups_most);
}

/* The richest variant that the device can run, with the features in use. */
static uint32_t choose_variant(const wn_gpu *gpu, uint32_t kind, bool windowed)
{
    const uint32_t least = windowed ? WN_SPIRV_WINDOWS : WN_SPIRV_PLAIN;
    uint32_t allowed = least;
    if (wn_gpu_has(gpu, WN_FEATURE_STORAGE16) && !windowed)
        allowed |= WN_SPIRV_STORAGE16;
    if (wn_gpu_has(gpu, WN_FEATURE_SUBGROUP) &&
        fills_subgroups(gpu, gpu->local[wn_op_grouping(kind)]))
        allowed |= WN_SPIRV_SUBGROUP;
    for (uint32_t variant = allowed; variant > least; variant--) {
        if ((variant & ~allowed) == 0 && variant_runs(gpu, &wn_spirv_table[kind][variant], variant))
            return variant;
    }
    return least;
}

winnow_status wn_layouts_create(wn_gpu *gpu)
{
    const wn_host *host = &gpu->base.host;
    winnow_status status = WINNOW_OK;
    VkDescriptorSetLayoutBinding bindings[WN_BIND_COUNT];
    for (uint32_t i = 0; i < WN_BIND_COUNT; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    const VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .flags = wn_gpu_has(gpu, WN_FEATURE_PUSH_DESCRIPTOR)
                     ? VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR
                     : 0,
        .bindingCount = WN_BIND_COUNT,
        .pBindings = bindings,
    };
    const VkPushConstantRange range = {
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        .size = WN_ARGS_WORDS * sizeof(uint32_t),
    };
    const VkPipelineCacheCreateInfo cache = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    WN_VK(host, &gpu->vk, CreateDescriptorSetLayout, gpu->device, &set, NULL, &gpu->set_layout);
    const VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &gpu->set_layout,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &range,
    };
    WN_VK(host, &gpu->vk, CreatePipelineLayout, gpu->device, &layout, NULL, &gpu->layout);
    WN_VK(host, &gpu->vk, CreatePipelineCache, gpu->device, &cache, NULL, &gpu->cache);
fail:
    return status; /* wn_programs_destroy takes the rest */
}

void wn_programs_destroy(wn_gpu *gpu)
{
    const wn_vk_device_calls *vk = &gpu->vk;
    VkPipeline *pipelines = &gpu->pipelines[0][0][0][0][0];
    for (size_t i = 0; i < sizeof gpu->pipelines / sizeof *pipelines; i++) {
        if (pipelines[i])
            vk->DestroyPipeline(gpu->device, pipelines[i], NULL);
    }
    if (gpu->cache)
        vk->DestroyPipelineCache(gpu->device, gpu->cache, NULL);
    if (gpu->layout)
        vk->DestroyPipelineLayout(gpu->device, gpu->layout, NULL);
    if (gpu->set_layout)
        vk->DestroyDescriptorSetLayout(gpu->device, gpu->set_layout, NULL);
}

bool wn_cooperative_runs(const wn_gpu *gpu)
{
    const wn_spirv *code = &wn_spirv_table[WN_OP_matmul][WN_SPIRV_COOPERATIVE];
    return code->words && variant_runs(gpu, code, WN_SPIRV_COOPERATIVE | WN_SPIRV_SUBGROUP);
}

bool wn_is_cooperative(const wn_gpu *gpu, uint32_t kind, const wn_types *types)
{
    return wn_gpu_has(gpu, WN_FEATURE_COOPERATIVE_MATRIX) && !types->windowed &&
           types->a == WINNOW_F16 && types->c == WINNOW_F16 &&
           wn_spirv_table[kind][WN_SPIRV_COOPERATIVE].words;
}

static enum wn_build build_of(const wn_gpu *gpu, uint32_t kind, const wn_types *types)
{
    if (wn_is_cooperative(gpu, kind, types))
        return WN_BUILD_COOPERATIVE;
    return types->windowed ? WN_BUILD_WINDOWED : WN_BUILD_USUAL;
}

/* constants: by their ids in common.glsl and coop_matmul.glsl. */
static winnow_status make_module(wn_gpu *gpu, const wn_spirv *code, const uint32_t *constants,
                                 uint32_t count, VkShaderModule *out)
{
    winnow_status status = WINNOW_OK;
    uint32_t *words;
    size_t bytes;
    WN_TRY(wn_specialize(&gpu->base.host, code, constants, count, &words, &bytes));
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = bytes,
        .pCode = words,
    };
    WN_VK(&gpu->base.host, &gpu->vk, CreateShaderModule, gpu->device, &info, NULL, out);
    wn_free(&gpu->base.host, words);
    return WINNOW_OK;
fail:
    wn_free(&gpu->base.host, words);
    *out = VK_NULL_HANDLE;
    return status;
}

static winnow_status make_pipeline(wn_gpu *gpu, uint32_t kind, const wn_types *types,
                                   VkPipeline *out)
{
    enum { CONSTANTS = 13 };
    winnow_status status = WINNOW_OK;
    const enum wn_build build = build_of(gpu, kind, types);
    const bool cooperative = build == WN_BUILD_COOPERATIVE;
    const uint32_t variant =
        cooperative ? WN_SPIRV_COOPERATIVE : choose_variant(gpu, kind, build == WN_BUILD_WINDOWED);
    const bool subgroup = cooperative || (variant & WN_SPIRV_SUBGROUP);
    const uint32_t values[CONSTANTS] = {cooperative ? 4 * gpu->caps.subgroup_size
                                                    : gpu->local[wn_op_grouping(kind)],
                                        types->a,
                                        types->b,
                                        types->c,
                                        gpu->window_shift,
                                        subgroup ? gpu->caps.subgroup_size : 0,
                                        !wn_caps_slow_compiler(&gpu->caps),
                                        gpu->caps.coop_m,
                                        gpu->caps.coop_n,
                                        gpu->caps.coop_k,
                                        !wn_caps_slow_compiler(&gpu->caps),
                                        subgroup && wn_gpu_has(gpu, WN_FEATURE_BROADCAST),
                                        wn_caps_loop_limit(&gpu->caps) != UINT32_MAX};
    /* No shader but the cooperative one has coop_m, n and k: their sizes may be 0. */
    VkShaderModule module;
    WN_TRY(make_module(gpu, &wn_spirv_table[kind][variant], values, CONSTANTS, &module));
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = gpu->caps.subgroup_size,
    };
    const bool control = subgroup && gpu->caps.subgroup_control;
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = control ? &size : NULL,
                  .flags = control ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main"},
        .layout = gpu->layout,
    };
    WN_VK(&gpu->base.host, &gpu->vk, CreateComputePipelines, gpu->device, gpu->cache, 1, &info,
          NULL, out);
    const wn_spirv *code = &wn_spirv_table[kind][variant];
    wn_gpu_cache_note(gpu, code->words, code->bytes, values, sizeof values);
    gpu->vk.DestroyShaderModule(gpu->device, module, NULL);
    return WINNOW_OK;
fail:
    gpu->vk.DestroyShaderModule(gpu->device, module, NULL);
    *out = VK_NULL_HANDLE;
    return status;
}

/* Windows are branches around every load, which attention has in nested loops. */
static bool takes_minutes(const wn_gpu *gpu, uint32_t kind, const wn_types *types)
{
    return types->windowed && wn_caps_slow_compiler(&gpu->caps) &&
           (kind == WN_OP_attention || kind == WN_OP_attention_stats ||
            kind == WN_OP_attention_received || kind == WN_OP_attention_logits);
}

winnow_status wn_pipeline_get(wn_gpu *gpu, uint32_t kind, const wn_types *types, VkPipeline *out)
{
    winnow_status status = WINNOW_OK;
    *out = VK_NULL_HANDLE;
    if (takes_minutes(gpu, kind, types))
        return wn_fail(&gpu->base.host, WINNOW_E_UNSUPPORTED,
                       "gpu: %s takes minutes to compile %s for matrices above %llu bytes (encode "
                       "fewer frames at a time, or use another device)",
                       gpu->base.info.name, wn_op_name(kind), 2ull << gpu->window_shift);
    VkPipeline *slot = &gpu->pipelines[kind][types->a][types->b][types->c][types->windowed];
    pthread_mutex_lock(&gpu->cache_lock);
    if (!*slot)
        status = make_pipeline(gpu, kind, types, slot);
    *out = *slot;
    pthread_mutex_unlock(&gpu->cache_lock);
    return status;
}

winnow_status wn_check_c(const wn_gpu *gpu, uint32_t kind, uint64_t bytes)
{
    const uint64_t most = gpu->caps.properties.limits.maxStorageBufferRange;
    if (bytes <= most)
        return WINNOW_OK;
    return wn_fail(&gpu->base.host, WINNOW_E_UNSUPPORTED,
                   "gpu: %s reads a matrix of %llu bytes, and %s binds at most %llu (use "
                   "dtype=f16, or another device)",
                   wn_op_name(kind), (unsigned long long)bytes, gpu->base.info.name,
                   (unsigned long long)most);
}

static bool is_there(const wn_ref *ref)
{
    return ref->slot != WN_SLOT_NONE && ref->bytes;
}

/* The types that one axis can have: words stay words, and no matrix has no type. */
static uint32_t axis(const wn_ref *ref, uint32_t announced)
{
    const uint32_t floats = 1u << WINNOW_F32 | 1u << WINNOW_F16 | 1u << WINNOW_BF16;
    if (ref->slot == WN_SLOT_NONE)
        return 1u << WINNOW_F32;
    if (ref->dtype == WINNOW_I32)
        return 1u << WINNOW_I32;
    return (1u << ref->dtype) | (announced & floats);
}

static winnow_status prepare_op(wn_gpu *gpu, const wn_exec_desc *desc, const wn_op *op)
{
    const uint32_t a = axis(&op->a, desc->a_types), b = axis(&op->b, desc->b_types);
    const uint64_t range = 4ull << gpu->window_shift;
    const bool large = (is_there(&op->a) && op->a.bytes > range / 2) ||
                       (is_there(&op->b) && op->b.bytes > range / 2);
    wn_types types = {.c = is_there(&op->c) ? op->c.dtype : WINNOW_F32};
    VkPipeline unused;
    if (is_there(&op->c))
        WN_TRY(wn_check_c(gpu, op->kind, op->c.bytes));
    for (uint32_t i = 0; i < WINNOW_DTYPE_COUNT * WINNOW_DTYPE_COUNT; i++) {
        types.a = i % WINNOW_DTYPE_COUNT;
        types.b = i / WINNOW_DTYPE_COUNT;
        types.windowed = false;
        if (!(a >> types.a & 1u) || !(b >> types.b & 1u))
            continue;
        WN_TRY(wn_pipeline_get(gpu, op->kind, &types, &unused));
        types.windowed = true;
        if (large) /* a tensor with gaps between its rows spans more */
            WN_TRY(wn_pipeline_get(gpu, op->kind, &types, &unused));
    }
    return WINNOW_OK;
}

winnow_status wn_pipelines_prepare(wn_gpu *gpu, const wn_exec_desc *desc)
{
    for (uint32_t p = 0; p <= desc->other_count; p++) {
        const wn_program *program = p ? &desc->others[p - 1] : desc->program;
        for (uint32_t i = 0; i < program->op_count; i++)
            WN_TRY(prepare_op(gpu, desc, &program->ops[i]));
    }
    return WINNOW_OK;
}
