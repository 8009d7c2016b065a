/* The layer's place in the chain: what lies above finds our hooks, what lies below is kept. */
#include "faults.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

#define OBJECT(Create, Destroy, Handle, Info)             \
    {"vk" #Create, 0, (PFN_vkVoidFunction)hook_##Create}, \
        {"vk" #Destroy, 0, (PFN_vkVoidFunction)hook_##Destroy},
#define CALL(Name, Flags, Params, Args) {"vk" #Name, Flags, (PFN_vkVoidFunction)hook_##Name},
#define SPECIAL(Name, Flags)            {"vk" #Name, Flags, (PFN_vkVoidFunction)hook_##Name},
const struct call_info call_info[CALL_COUNT] = {
#include "calls.def"
};
#undef OBJECT
#undef CALL
#undef SPECIAL

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct chain *chains;

/* The loader's dispatch table, the first word of every dispatchable handle. */
static const void *key_of(const void *handle)
{
    return *(const void *const *)handle;
}

struct chain *chain_of(const void *handle)
{
    const void *key = key_of(handle);
    pthread_mutex_lock(&lock);
    struct chain *chain = chains;
    while (chain && chain->key != key)
        chain = chain->next;
    pthread_mutex_unlock(&lock);
    return chain;
}

static void link_chain(struct chain *chain, void *handle)
{
    chain->handle = handle;
    chain->key = key_of(handle);
    pthread_mutex_lock(&lock);
    chain->next = chains;
    chains = chain;
    pthread_mutex_unlock(&lock);
}

static void unlink_chain(struct chain *chain)
{
    pthread_mutex_lock(&lock);
    struct chain **at = &chains;
    while (*at != chain)
        at = &(*at)->next;
    *at = chain->next;
    pthread_mutex_unlock(&lock);
    free(chain);
}

/* The loader's own record in a create info; sType and function stand alike in both kinds. */
static void *link_info(const void *next, VkStructureType type)
{
    for (const VkBaseInStructure *s = next; s; s = s->pNext) {
        if (s->sType == type &&
            ((const VkLayerInstanceCreateInfo *)s)->function == VK_LAYER_LINK_INFO)
            return (void *)(uintptr_t)s;
    }
    return NULL;
}

VkResult hook_CreateInstance(const VkInstanceCreateInfo *info,
                             const VkAllocationCallbacks *allocator, VkInstance *instance)
{
    VkLayerInstanceCreateInfo *layer =
        link_info(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    VkResult result;
    if (!layer || !layer->u.pLayerInfo || !read_config())
        return VK_ERROR_INITIALIZATION_FAILED;
    if (fault_due(NULL, CALL_CreateInstance, &result))
        return result;
    struct chain *chain = calloc(1, sizeof *chain);
    if (!chain)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    PFN_vkGetInstanceProcAddr get = layer->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    layer->u.pLayerInfo = layer->u.pLayerInfo->pNext;
    result = ((PFN_vkCreateInstance)get(NULL, "vkCreateInstance"))(info, allocator, instance);
    if (result != VK_SUCCESS) {
        free(chain);
        return result;
    }
    for (size_t i = 0; i < CALL_COUNT; i++)
        chain->down[i] = get(*instance, call_info[i].name);
    chain->down[CALL_GetInstanceProcAddr] = (PFN_vkVoidFunction)get;
    link_chain(chain, *instance);
    balance(CALL_CreateInstance, 1);
    return VK_SUCCESS;
}

void hook_DestroyInstance(VkInstance instance, const VkAllocationCallbacks *allocator)
{
    if (!instance)
        return;
    struct chain *chain = chain_of(instance);
    DOWN(chain, DestroyInstance)(instance, allocator);
    unlink_chain(chain);
    balance(CALL_CreateInstance, -1);
    write_report();
}

VkResult hook_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                           const VkAllocationCallbacks *allocator, VkDevice *device)
{
    struct chain *instance = chain_of(physical);
    VkLayerDeviceCreateInfo *layer =
        link_info(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    VkResult result;
    if (!layer || !layer->u.pLayerInfo)
        return VK_ERROR_INITIALIZATION_FAILED;
    if (fault_due(instance, CALL_CreateDevice, &result) || asks_for_hidden(info, &result))
        return result;
    struct chain *chain = calloc(1, sizeof *chain);
    if (!chain)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    PFN_vkGetInstanceProcAddr get = layer->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    PFN_vkGetDeviceProcAddr get_device = layer->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    layer->u.pLayerInfo = layer->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)get(instance->handle, "vkCreateDevice");
    result = create(physical, info, allocator, device);
    if (result != VK_SUCCESS) {
        free(chain);
        return result;
    }
    for (size_t i = 0; i < CALL_COUNT; i++)
        chain->down[i] = get_device(*device, call_info[i].name);
    chain->down[CALL_GetDeviceProcAddr] = (PFN_vkVoidFunction)get_device;
    view_memory(instance, physical, &chain->memory);
    link_chain(chain, *device);
    balance(CALL_CreateDevice, 1);
    return VK_SUCCESS;
}

void hook_DestroyDevice(VkDevice device, const VkAllocationCallbacks *allocator)
{
    if (!device)
        return;
    struct chain *chain = chain_of(device);
    DOWN(chain, DestroyDevice)(device, allocator);
    unlink_chain(chain);
    balance(CALL_CreateDevice, -1);
}

static size_t find_call(const char *name)
{
    size_t i = 0;
    while (i < CALL_COUNT && strcmp(name, call_info[i].name))
        i++;
    return i;
}

/* A hook is shown only where the function exists below, so that nothing seems to be supported
 * that is not. */
PFN_vkVoidFunction hook_GetDeviceProcAddr(VkDevice device, const char *name)
{
    struct chain *chain = chain_of(device);
    size_t call = find_call(name);
    if (call == CALL_COUNT)
        return DOWN(chain, GetDeviceProcAddr)(device, name);
    return chain->down[call] ? call_info[call].hook : NULL;
}

/* While it makes an instance, the loader asks with one that is not made yet. */
PFN_vkVoidFunction hook_GetInstanceProcAddr(VkInstance instance, const char *name)
{
    size_t call = find_call(name);
    struct chain *chain = instance ? chain_of(instance) : NULL;
    if (!chain)
        return call == CALL_CreateInstance || call == CALL_GetInstanceProcAddr
                   ? call_info[call].hook
                   : NULL;
    if (call == CALL_COUNT)
        return DOWN(chain, GetInstanceProcAddr)(instance, name);
    return chain->down[call] ? call_info[call].hook : NULL;
}

EXPORT VkResult vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface)
{
    if (interface->loaderLayerInterfaceVersion < 2)
        return VK_ERROR_INITIALIZATION_FAILED;
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = hook_GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = hook_GetDeviceProcAddr;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
