/*
 * Lies about memory, and what makes them bite.
 *
 * The software drivers have one memory type that is everything at once, so that a forgotten
 * staging copy, flush or invalidation goes unseen on them. The lies:
 *
 *   discrete=1        such a type becomes two: device-local only, and host-visible only
 *   noncoherent=1     no host-visible type is coherent. Mapped memory is then a copy: what the
 *                     host wrote arrives with a flush, what the device wrote with an invalidation
 *   nodevicelocal=1   no type is device-local
 *   heapSize=N        every heap holds N bytes, and allocations beyond that fail
 *
 * maxMemoryAllocationSize (lies.c) is enforced here too.
 */
#include "faults.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAP_ALIGNMENT = 4096 };

struct allocation {
    struct allocation *next;
    VkDevice device;
    VkDeviceMemory memory;
    VkMemoryPropertyFlags flags;
    VkDeviceSize size;
    bool shadowed;         /* mapped through a copy */
    char *shadow, *mapped; /* while mapped: of the range that begins at offset */
    VkDeviceSize offset, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct allocation *allocations;
static VkDeviceSize allocated; /* bytes, of all devices */

static bool told(const char *name)
{
    uint64_t value;
    return lie_told(name, &value) && value;
}

bool memory_knows(const char *name)
{
    static const char *const names[] = {"discrete", "noncoherent", "nodevicelocal", "heapSize"};
    for (size_t i = 0; i < LENGTH(names); i++) {
        if (!strcmp(names[i], name))
            return true;
    }
    return false;
}

/* --- the types ------------------------------------------------------------------------------- */

static void add_type(struct memory_view *view, VkMemoryType type, uint32_t real)
{
    if (view->count == VK_MAX_MEMORY_TYPES)
        return;
    if (told("noncoherent"))
        type.propertyFlags &= ~(VkFlags)VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    if (told("nodevicelocal"))
        type.propertyFlags &= ~(VkFlags)VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    view->real[view->count] = real;
    view->types[view->count++] = type;
}

void view_memory(struct chain *instance, VkPhysicalDevice physical, struct memory_view *view)
{
    const VkFlags both = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    VkPhysicalDeviceMemoryProperties real;
    DOWN(instance, GetPhysicalDeviceMemoryProperties)(physical, &real);
    view->count = 0;
    for (uint32_t i = 0; i < real.memoryTypeCount; i++) {
        VkMemoryType type = real.memoryTypes[i], host = type;
        if (told("discrete") && (type.propertyFlags & both) == both) {
            type.propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
            host.propertyFlags &= ~(VkFlags)VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
            add_type(view, type, i);
            add_type(view, host, i);
        } else {
            add_type(view, type, i);
        }
    }
}

static void lie_about_memory(VkPhysicalDevice physical,
                             VkPhysicalDeviceMemoryProperties *properties)
{
    struct memory_view view;
    uint64_t heap_size;
    view_memory(chain_of(physical), physical, &view);
    properties->memoryTypeCount = view.count;
    memcpy(properties->memoryTypes, view.types, sizeof view.types);
    for (uint32_t i = 0; i < properties->memoryHeapCount; i++) {
        if (lie_told("heapSize", &heap_size))
            properties->memoryHeaps[i].size = heap_size;
        if (told("nodevicelocal"))
            properties->memoryHeaps[i].flags &= ~(VkFlags)VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
    }
}

/* The driver's set of memory types, in the numbering that we tell. */
static void translate_bits(struct chain *chain, uint32_t *bits)
{
    uint32_t real = *bits;
    *bits = 0;
    for (uint32_t i = 0; i < chain->memory.count; i++)
        *bits |= (real >> chain->memory.real[i] & 1) << i;
}

void hook_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice physical,
                                            VkPhysicalDeviceMemoryProperties *properties)
{
    DOWN(chain_of(physical), GetPhysicalDeviceMemoryProperties)(physical, properties);
    lie_about_memory(physical, properties);
}

#define SECOND_FORM(Name)                                                                      \
    void hook_##Name(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties2 *properties) \
    {                                                                                          \
        DOWN(chain_of(physical), Name)(physical, properties);                                  \
        lie_about_memory(physical, &properties->memoryProperties);                             \
    }
SECOND_FORM(GetPhysicalDeviceMemoryProperties2)
SECOND_FORM(GetPhysicalDeviceMemoryProperties2KHR)

#define REQUIREMENTS(Name, What)                                                     \
    void hook_##Name(VkDevice device, What what, VkMemoryRequirements *requirements) \
    {                                                                                \
        struct chain *chain = chain_of(device);                                      \
        DOWN(chain, Name)(device, what, requirements);                               \
        translate_bits(chain, &requirements->memoryTypeBits);                        \
    }
#define REQUIREMENTS2(Name, What)                                                            \
    void hook_##Name(VkDevice device, const What *what, VkMemoryRequirements2 *requirements) \
    {                                                                                        \
        struct chain *chain = chain_of(device);                                              \
        DOWN(chain, Name)(device, what, requirements);                                       \
        translate_bits(chain, &requirements->memoryRequirements.memoryTypeBits);             \
    }
REQUIREMENTS(GetBufferMemoryRequirements, VkBuffer)
REQUIREMENTS(GetImageMemoryRequirements, VkImage)
REQUIREMENTS2(GetBufferMemoryRequirements2, VkBufferMemoryRequirementsInfo2)
REQUIREMENTS2(GetBufferMemoryRequirements2KHR, VkBufferMemoryRequirementsInfo2)
REQUIREMENTS2(GetDeviceBufferMemoryRequirements, VkDeviceBufferMemoryRequirements)
REQUIREMENTS2(GetDeviceBufferMemoryRequirementsKHR, VkDeviceBufferMemoryRequirements)
REQUIREMENTS2(GetImageMemoryRequirements2, VkImageMemoryRequirementsInfo2)
REQUIREMENTS2(GetImageMemoryRequirements2KHR, VkImageMemoryRequirementsInfo2)

VkResult hook_GetMemoryHostPointerPropertiesEXT(VkDevice device,
                                                VkExternalMemoryHandleTypeFlagBits type,
                                                const void *pointer,
                                                VkMemoryHostPointerPropertiesEXT *properties)
{
    struct chain *chain = chain_of(device);
    VkResult result;
    if (fault_due(chain, CALL_GetMemoryHostPointerPropertiesEXT, &result))
        return result;
    result = DOWN(chain, GetMemoryHostPointerPropertiesEXT)(device, type, pointer, properties);
    translate_bits(chain, &properties->memoryTypeBits);
    return result;
}

VkResult hook_GetMemoryFdPropertiesKHR(VkDevice device, VkExternalMemoryHandleTypeFlagBits type,
                                       int fd, VkMemoryFdPropertiesKHR *properties)
{
    struct chain *chain = chain_of(device);
    VkResult result;
    if (fault_due(chain, CALL_GetMemoryFdPropertiesKHR, &result))
        return result;
    result = DOWN(chain, GetMemoryFdPropertiesKHR)(device, type, fd, properties);
    translate_bits(chain, &properties->memoryTypeBits);
    return result;
}

/* --- allocation ------------------------------------------------------------------------------ */

/* Unlinks and returns it, or returns it where it is; NULL for a null handle. Drivers may give two
 * devices the same handle. */
static struct allocation *find(VkDevice device, VkDeviceMemory memory, bool unlink)
{
    pthread_mutex_lock(&lock);
    struct allocation **at = &allocations;
    while (*at && ((*at)->memory != memory || (*at)->device != device))
        at = &(*at)->next;
    struct allocation *found = *at;
    if (found && unlink) {
        *at = found->next;
        allocated -= found->size;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void record(struct allocation *allocation)
{
    pthread_mutex_lock(&lock);
    allocation->next = allocations;
    allocations = allocation;
    allocated += allocation->size;
    pthread_mutex_unlock(&lock);
}

static bool over_budget(VkDeviceSize size)
{
    uint64_t limit;
    if (lie_told("maxMemoryAllocationSize", &limit) && size > limit)
        return true;
    pthread_mutex_lock(&lock);
    bool over = lie_told("heapSize", &limit) && (size > limit || allocated > limit - size);
    pthread_mutex_unlock(&lock);
    return over;
}

/* Imported memory is the host's own: there is nothing to copy. */
static bool imports(const VkMemoryAllocateInfo *info)
{
    for (const VkBaseInStructure *s = info->pNext; s; s = s->pNext) {
        if (s->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT ||
            s->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR)
            return true;
    }
    return false;
}

VkResult hook_AllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
                             const VkAllocationCallbacks *allocator, VkDeviceMemory *memory)
{
    struct chain *chain = chain_of(device);
    VkMemoryAllocateInfo real = *info;
    VkResult result;
    if (fault_due(chain, CALL_AllocateMemory, &result))
        return result;
    if (info->memoryTypeIndex >= chain->memory.count) {
        note_misuse("memory was allocated of a type that does not exist");
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    if (over_budget(info->allocationSize))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    struct allocation *allocation = calloc(1, sizeof *allocation);
    if (!allocation)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    real.memoryTypeIndex = chain->memory.real[info->memoryTypeIndex];
    result = DOWN(chain, AllocateMemory)(device, &real, allocator, memory);
    if (result != VK_SUCCESS) {
        free(allocation);
        return result;
    }
    allocation->device = device;
    allocation->memory = *memory;
    allocation->size = info->allocationSize;
    allocation->flags = chain->memory.types[info->memoryTypeIndex].propertyFlags;
    allocation->shadowed = told("noncoherent") && !imports(info);
    record(allocation);
    balance(CALL_AllocateMemory, 1);
    return VK_SUCCESS;
}

void hook_FreeMemory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *allocator)
{
    struct allocation *allocation = find(device, memory, true);
    if (allocation) {
        free(allocation->shadow);
        free(allocation);
        balance(CALL_AllocateMemory, -1);
    }
    DOWN(chain_of(device), FreeMemory)(device, memory, allocator);
}

/* --- mapping --------------------------------------------------------------------------------- */

/* The copy begins where the driver's memory would, to the alignment that is promised for maps. */
static char *make_shadow(struct allocation *allocation)
{
    size_t lead = allocation->offset % MAP_ALIGNMENT;
    size_t size = (lead + allocation->length + MAP_ALIGNMENT - 1) / MAP_ALIGNMENT * MAP_ALIGNMENT;
    allocation->shadow = aligned_alloc(MAP_ALIGNMENT, size);
    if (!allocation->shadow)
        return NULL;
    return memcpy(allocation->shadow + lead, allocation->mapped, allocation->length);
}

VkResult hook_MapMemory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                        VkDeviceSize size, VkMemoryMapFlags flags, void **data)
{
    struct chain *chain = chain_of(device);
    struct allocation *allocation = find(device, memory, false);
    VkResult result;
    if (fault_due(chain, CALL_MapMemory, &result))
        return result;
    if (!(allocation->flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)) {
        note_misuse("memory was mapped that is not host-visible");
        return VK_ERROR_MEMORY_MAP_FAILED;
    }
    result = DOWN(chain, MapMemory)(device, memory, offset, size, flags, data);
    if (result != VK_SUCCESS || !allocation->shadowed)
        return result;
    allocation->offset = offset;
    allocation->length = size == VK_WHOLE_SIZE ? allocation->size - offset : size;
    allocation->mapped = *data;
    *data = make_shadow(allocation);
    return *data ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

void hook_UnmapMemory(VkDevice device, VkDeviceMemory memory)
{
    struct allocation *allocation = find(device, memory, false);
    if (allocation) {
        free(allocation->shadow);
        allocation->shadow = allocation->mapped = NULL;
    }
    DOWN(chain_of(device), UnmapMemory)(device, memory);
}

static void copy_range(VkDevice device, const VkMappedMemoryRange *range, bool to_device)
{
    struct allocation *allocation = find(device, range->memory, false);
    if (!allocation || !allocation->shadow)
        return;
    VkDeviceSize at = range->offset - allocation->offset, left = allocation->length - at;
    size_t size = range->size == VK_WHOLE_SIZE || range->size > left ? left : range->size;
    char *shadow = allocation->shadow + allocation->offset % MAP_ALIGNMENT + at;
    char *mapped = allocation->mapped + at;
    memcpy(to_device ? mapped : shadow, to_device ? shadow : mapped, size);
}

VkResult hook_FlushMappedMemoryRanges(VkDevice device, uint32_t count,
                                      const VkMappedMemoryRange *ranges)
{
    struct chain *chain = chain_of(device);
    VkResult result;
    if (fault_due(chain, CALL_FlushMappedMemoryRanges, &result))
        return result;
    for (uint32_t i = 0; i < count; i++)
        copy_range(device, &ranges[i], true);
    return DOWN(chain, FlushMappedMemoryRanges)(device, count, ranges);
}

VkResult hook_InvalidateMappedMemoryRanges(VkDevice device, uint32_t count,
                                           const VkMappedMemoryRange *ranges)
{
    struct chain *chain = chain_of(device);
    VkResult result;
    if (fault_due(chain, CALL_InvalidateMappedMemoryRanges, &result))
        return result;
    result = DOWN(chain, InvalidateMappedMemoryRanges)(device, count, ranges);
    for (uint32_t i = 0; i < count; i++)
        copy_range(device, &ranges[i], false);
    return result;
}
