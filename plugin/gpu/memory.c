/* memory.c: buffers with memory of their own, in the best type that there is. */
#include "gpu/memory.h"

#include <unistd.h>

enum {
    LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
    VISIBLE = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
    COHERENT = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
    CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
};

/* What each use wants, best first; a row of 0 ends it (any type will do). */
static const VkMemoryPropertyFlags wishes[][5] = {
    [WN_MEMORY_DEVICE] = {LOCAL, 0},
    [WN_MEMORY_DIRECT] = {LOCAL | VISIBLE | CACHED | COHERENT, LOCAL | VISIBLE | CACHED,
                          LOCAL | VISIBLE | COHERENT, LOCAL | VISIBLE, 0},
    [WN_MEMORY_UPLOAD] = {VISIBLE | COHERENT, VISIBLE, 0},
    [WN_MEMORY_DOWNLOAD] = {VISIBLE | CACHED | COHERENT, VISIBLE | CACHED, VISIBLE | COHERENT,
                            VISIBLE, 0},
};
enum { WISH_COUNT = 5 };

/* Types that no wish may lead to: protected, lazily allocated, vendors' uncached ones. */
static const VkMemoryPropertyFlags plain = LOCAL | VISIBLE | COHERENT | CACHED;

static bool type_fits(const wn_gpu *gpu, enum wn_memory_use use, VkMemoryPropertyFlags wish,
                      uint32_t type)
{
    const VkMemoryPropertyFlags flags = gpu->caps.memory.memoryTypes[type].propertyFlags;
    if (use != WN_MEMORY_DEVICE && !(flags & VISIBLE))
        return false;
    return (flags & wish) == wish && !(flags & ~plain);
}

bool wn_memory_is_unified(const wn_gpu *gpu, bool cached)
{
    const VkMemoryPropertyFlags wish = LOCAL | VISIBLE | (cached ? CACHED : 0);
    const VkPhysicalDeviceMemoryProperties *memory = &gpu->caps.memory;
    if (gpu->caps.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU)
        return false; /* visible or not, it lies across a bus */
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        const VkMemoryType *type = &memory->memoryTypes[i];
        if (type_fits(gpu, WN_MEMORY_DIRECT, wish, i) &&
            memory->memoryHeaps[type->heapIndex].size == gpu->base.info.memory)
            return true;
    }
    return false;
}

static winnow_status create_buffer(wn_gpu *gpu, uint64_t bytes, const void *next, wn_memory *out)
{
    winnow_status status = WINNOW_OK;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = next,
        .size = bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    WN_VK(&gpu->base.host, &gpu->vk, CreateBuffer, gpu->device, &info, NULL, &out->buffer);
    out->bytes = bytes;
    return WINNOW_OK;
fail:
    out->buffer = VK_NULL_HANDLE;
    return status;
}

/* Each fitting type in turn, as one heap may be full while another is not. */
static VkResult allocate(wn_gpu *gpu, enum wn_memory_use use, const VkMemoryRequirements *needs,
                         wn_memory *out)
{
    VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    uint32_t tried = 0;
    for (uint32_t w = 0; w < WISH_COUNT; w++) {
        for (uint32_t i = 0; i < gpu->caps.memory.memoryTypeCount; i++) {
            if (!(needs->memoryTypeBits >> i & 1u) || (tried >> i & 1u) ||
                !type_fits(gpu, use, wishes[use][w], i))
                continue;
            const VkMemoryAllocateInfo info = {
                .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                .allocationSize = needs->size,
                .memoryTypeIndex = i,
            };
            tried |= 1u << i;
            result = gpu->vk.AllocateMemory(gpu->device, &info, NULL, &out->memory);
            out->coherent = gpu->caps.memory.memoryTypes[i].propertyFlags & COHERENT;
            if (result != VK_ERROR_OUT_OF_DEVICE_MEMORY)
                return result;
        }
        if (!wishes[use][w])
            break;
    }
    return result;
}

winnow_status wn_memory_create(wn_gpu *gpu, enum wn_memory_use use, uint64_t bytes, wn_memory *out)
{
    const wn_host *host = &gpu->base.host;
    winnow_status status = WINNOW_OK;
    VkMemoryRequirements needs;
    *out = (wn_memory){0};
    if (bytes == 0)
        return WINNOW_OK;
    if (bytes > gpu->caps.max_buffer)
        return wn_fail(host, WINNOW_E_DEVICE_MEMORY,
                       "gpu: one buffer needs %llu bytes, and %s gives at most %llu (plan for a "
                       "smaller shape)",
                       (unsigned long long)bytes, gpu->base.info.name,
                       (unsigned long long)gpu->caps.max_buffer);
    WN_TRY(create_buffer(gpu, (bytes + 15) & ~15ull, NULL, out));
    gpu->vk.GetBufferMemoryRequirements(gpu->device, out->buffer, &needs);
    const VkResult result = allocate(gpu, use, &needs, out);
    if (result != VK_SUCCESS) {
        out->memory = VK_NULL_HANDLE;
        status = wn_vk_fail(host, result, "vkAllocateMemory");
        goto fail;
    }
    out->allocated = needs.size;
    WN_VK(host, &gpu->vk, BindBufferMemory, gpu->device, out->buffer, out->memory, 0);
    if (use != WN_MEMORY_DEVICE)
        WN_VK(host, &gpu->vk, MapMemory, gpu->device, out->memory, 0, VK_WHOLE_SIZE, 0,
              &out->mapped);
    return WINNOW_OK;

fail:
    wn_memory_destroy(gpu, out);
    return status;
}

void wn_memory_destroy(wn_gpu *gpu, wn_memory *memory)
{
    if (memory->buffer)
        gpu->vk.DestroyBuffer(gpu->device, memory->buffer, NULL);
    if (memory->memory)
        gpu->vk.FreeMemory(gpu->device, memory->memory, NULL); /* unmaps */
    *memory = (wn_memory){0};
}

/* Ranges start and end at atoms, or at the end of the memory. */
static VkMappedMemoryRange range_of(const wn_gpu *gpu, const wn_memory *memory, uint64_t bytes)
{
    const uint64_t atom = gpu->caps.properties.limits.nonCoherentAtomSize;
    const uint64_t whole = (bytes + atom - 1) / atom * atom;
    return (VkMappedMemoryRange){
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = memory->memory,
        .size = whole < memory->allocated ? whole : VK_WHOLE_SIZE,
    };
}

winnow_status wn_memory_flush(wn_gpu *gpu, const wn_memory *memory, uint64_t bytes)
{
    winnow_status status = WINNOW_OK;
    const VkMappedMemoryRange range = range_of(gpu, memory, bytes);
    if (memory->mapped && !memory->coherent && bytes)
        WN_VK(&gpu->base.host, &gpu->vk, FlushMappedMemoryRanges, gpu->device, 1, &range);
fail:
    return status;
}

winnow_status wn_memory_invalidate(wn_gpu *gpu, const wn_memory *memory, uint64_t bytes)
{
    winnow_status status = WINNOW_OK;
    const VkMappedMemoryRange range = range_of(gpu, memory, bytes);
    if (memory->mapped && !memory->coherent && bytes)
        WN_VK(&gpu->base.host, &gpu->vk, InvalidateMappedMemoryRanges, gpu->device, 1, &range);
fail:
    return status;
}

/* A lost device is an error; anything else means that these pages cannot be shared. */
static winnow_status import_status(const wn_gpu *gpu, VkResult result)
{
    return result == VK_ERROR_DEVICE_LOST ? wn_vk_fail(&gpu->base.host, result, "vkAllocateMemory")
                                          : WINNOW_E_UNSUPPORTED;
}

/* A type that both the pages and the buffer can have; coherent, as nothing is flushed here. */
static VkResult import_pages(wn_gpu *gpu, void *data, wn_memory *out)
{
    const VkExternalMemoryHandleTypeFlagBits handle =
        VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    VkMemoryHostPointerPropertiesEXT pages = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
    };
    VkMemoryRequirements needs;
    VkResult result = gpu->vk.GetMemoryHostPointerPropertiesEXT(gpu->device, handle, data, &pages);
    if (result != VK_SUCCESS)
        return result;
    gpu->vk.GetBufferMemoryRequirements(gpu->device, out->buffer, &needs);
    if (needs.size > out->bytes)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    const VkImportMemoryHostPointerInfoEXT import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = handle,
        .pHostPointer = data,
    };
    VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &import,
        .allocationSize = out->bytes,
    };
    const uint32_t bits = pages.memoryTypeBits & needs.memoryTypeBits;
    for (uint32_t i = 0; i < gpu->caps.memory.memoryTypeCount; i++) {
        if (!(bits >> i & 1u) || !type_fits(gpu, WN_MEMORY_UPLOAD, VISIBLE | COHERENT, i))
            continue;
        info.memoryTypeIndex = i;
        result = gpu->vk.AllocateMemory(gpu->device, &info, NULL, &out->memory);
        if (result != VK_SUCCESS) {
            out->memory = VK_NULL_HANDLE;
            return result;
        }
        out->allocated = out->bytes;
        return gpu->vk.BindBufferMemory(gpu->device, out->buffer, out->memory, 0);
    }
    return VK_ERROR_INVALID_EXTERNAL_HANDLE;
}

/* Pages are imported whole: what shares the last page with the tensor is mapped too, but never
 * touched. That holds up to the size of a page of this machine. */
winnow_status wn_memory_import(wn_gpu *gpu, void *data, uint64_t bytes, wn_memory *out)
{
    const uint64_t alignment = gpu->caps.import_alignment;
    const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
    };
    *out = (wn_memory){0};
    if (!wn_gpu_has(gpu, WN_FEATURE_HOST_IMPORT) || (uintptr_t)data % alignment != 0 ||
        alignment > (uint64_t)sysconf(_SC_PAGESIZE))
        return WINNOW_E_UNSUPPORTED;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    if (bytes > gpu->caps.max_buffer)
        return WINNOW_E_UNSUPPORTED;
    winnow_status status = create_buffer(gpu, bytes, &external, out);
    if (status != WINNOW_OK)
        return status;
    const VkResult result = import_pages(gpu, data, out);
    if (result == VK_SUCCESS)
        return WINNOW_OK;
    status = import_status(gpu, result);
    wn_memory_destroy(gpu, out);
    return status;
}
