/* The hooks that count a call, fail it or pass it on. */
#include "faults.h"
#include <string.h>

#define OBJECT(Create, Destroy, Handle, Info)                                                   \
    VkResult hook_##Create(VkDevice device, const Info *info,                                   \
                           const VkAllocationCallbacks *allocator, Handle *handle)              \
    {                                                                                           \
        struct chain *chain = chain_of(device);                                                 \
        VkResult result;                                                                        \
        if (fault_due(chain, CALL_##Create, &result))                                           \
            return result;                                                                      \
        result = DOWN(chain, Create)(device, info, allocator, handle);                          \
        balance(CALL_##Create, result == VK_SUCCESS);                                           \
        return result;                                                                          \
    }                                                                                           \
    void hook_##Destroy(VkDevice device, Handle handle, const VkAllocationCallbacks *allocator) \
    {                                                                                           \
        DOWN(chain_of(device), Destroy)(device, handle, allocator);                             \
        balance(CALL_##Create, handle ? -1 : 0);                                                \
    }
#define CALL(Name, Flags, Params, Args)             \
    VkResult hook_##Name Params                     \
    {                                               \
        struct chain *chain = chain_of(self);       \
        VkResult result;                            \
        if (fault_due(chain, CALL_##Name, &result)) \
            return result;                          \
        return DOWN(chain, Name) Args;              \
    }
#define SPECIAL(Name, Flags)
#include "calls.def"

/* The three that fill an array leave null handles behind when they fail. */
VkResult hook_CreateComputePipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                     const VkComputePipelineCreateInfo *infos,
                                     const VkAllocationCallbacks *allocator, VkPipeline *pipelines)
{
    struct chain *chain = chain_of(device);
    VkResult result;
    if (fault_due(chain, CALL_CreateComputePipelines, &result))
        memset(pipelines, 0, count * sizeof *pipelines);
    else
        result =
            DOWN(chain, CreateComputePipelines)(device, cache, count, infos, allocator, pipelines);
    for (uint32_t i = 0; i < count; i++)
        balance(CALL_CreateComputePipelines, pipelines[i] != VK_NULL_HANDLE);
    return result;
}

void hook_DestroyPipeline(VkDevice device, VkPipeline pipeline,
                          const VkAllocationCallbacks *allocator)
{
    DOWN(chain_of(device), DestroyPipeline)(device, pipeline, allocator);
    balance(CALL_CreateComputePipelines, pipeline ? -1 : 0);
}

VkResult hook_AllocateDescriptorSets(VkDevice device, const VkDescriptorSetAllocateInfo *info,
                                     VkDescriptorSet *sets)
{
    struct chain *chain = chain_of(device);
    VkResult result;
    if (!fault_due(chain, CALL_AllocateDescriptorSets, &result))
        return DOWN(chain, AllocateDescriptorSets)(device, info, sets);
    memset(sets, 0, info->descriptorSetCount * sizeof *sets);
    return result;
}

VkResult hook_AllocateCommandBuffers(VkDevice device, const VkCommandBufferAllocateInfo *info,
                                     VkCommandBuffer *buffers)
{
    struct chain *chain = chain_of(device);
    VkResult result;
    if (!fault_due(chain, CALL_AllocateCommandBuffers, &result))
        return DOWN(chain, AllocateCommandBuffers)(device, info, buffers);
    memset(buffers, 0, info->commandBufferCount * sizeof *buffers);
    return result;
}
