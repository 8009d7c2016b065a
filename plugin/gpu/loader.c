/* loader.c: opens libvulkan and fills the tables of functions. */
#include "loader.h"

#include <dlfcn.h>
#include <string.h>

/* What the library uses; a newer loader is asked for no more than this. */
#define NEWEST_API VK_API_VERSION_1_3

static void *open_library(const char *path)
{
    static const char *const usual[] = {"libvulkan.so.1", "libvulkan.so"};
    if (path && *path)
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        void *library = dlopen(usual[i], RTLD_NOW | RTLD_LOCAL);
        if (library)
            return library;
    }
    return NULL;
}

/* dlsym gives an object pointer; C wants the detour by memory. */
static PFN_vkGetInstanceProcAddr find_entry(void *library)
{
    PFN_vkGetInstanceProcAddr get = NULL;
    void *symbol = dlsym(library, "vkGetInstanceProcAddr");
    memcpy(&get, &symbol, sizeof get);
    return get;
}

static winnow_status load_instance_calls(const wn_host *host, wn_instance *instance)
{
    struct {
        PFN_vkVoidFunction *into;
        const char *name;
    } rows[] = {
#define X(call) {(PFN_vkVoidFunction *)(void *)&instance->vk.call, "vk" #call},
        WN_VK_INSTANCE_CALLS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        *rows[i].into = instance->get(instance->handle, rows[i].name);
        if (!*rows[i].into)
            return wn_fail(host, WINNOW_E_FEATURE,
                           "vulkan: the instance has no %s (make it for Vulkan 1.1 or newer)",
                           rows[i].name);
    }
    return WINNOW_OK;
}

winnow_status wn_device_calls_load(const wn_host *host, const wn_instance *instance,
                                   VkDevice device, wn_vk_device_calls *out)
{
    struct {
        PFN_vkVoidFunction *into;
        const char *name;
        bool extra;
    } rows[] = {
#define X(call) {(PFN_vkVoidFunction *)(void *)&out->call, "vk" #call, false},
        WN_VK_DEVICE_CALLS(X)
#undef X
#define X(call) {(PFN_vkVoidFunction *)(void *)&out->call, "vk" #call, true},
            WN_VK_DEVICE_EXTRAS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        *rows[i].into = instance->vk.GetDeviceProcAddr(device, rows[i].name);
        if (!*rows[i].into && !rows[i].extra)
            return wn_fail(host, WINNOW_E_FEATURE, "vulkan: the device has no %s", rows[i].name);
    }
    return WINNOW_OK;
}

/* Drivers that implement a subset of Vulkan (over Metal) are listed only to who asks. */
static winnow_status knows_portability(const wn_host *host, PFN_vkGetInstanceProcAddr get,
                                       bool *known)
{
    const PFN_vkEnumerateInstanceExtensionProperties enumerate =
        (PFN_vkEnumerateInstanceExtensionProperties)get(NULL,
                                                        "vkEnumerateInstanceExtensionProperties");
    uint32_t count = 0;
    *known = false;
    if (!enumerate || enumerate(NULL, &count, NULL) != VK_SUCCESS)
        return WINNOW_OK;
    VkExtensionProperties *list = wn_alloc(host, count * sizeof *list);
    if (!list)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "vulkan: no memory to list extensions");
    if (enumerate(NULL, &count, list) < 0)
        count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(list[i].extensionName, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME))
            *known = true;
    }
    wn_free(host, list);
    return WINNOW_OK;
}

static winnow_status create_instance(const wn_host *host, int32_t level, wn_instance *instance)
{
    const PFN_vkEnumerateInstanceVersion version =
        (PFN_vkEnumerateInstanceVersion)instance->get(NULL, "vkEnumerateInstanceVersion");
    const PFN_vkCreateInstance create =
        (PFN_vkCreateInstance)instance->get(NULL, "vkCreateInstance");
    static const char *const extensions[] = {VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME};
    uint32_t loader = VK_API_VERSION_1_0;
    bool portability = false;
    if (version && version(&loader) != VK_SUCCESS)
        loader = VK_API_VERSION_1_0;
    if (!create || loader < VK_API_VERSION_1_1) {
        wn_log(host, level, "vulkan: the loader knows Vulkan 1.0 only (update it)");
        return WINNOW_E_NO_DEVICE;
    }
    instance->api = loader < NEWEST_API ? loader : NEWEST_API;
    WN_TRY(knows_portability(host, instance->get, &portability));
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "winnow",
        .pEngineName = "winnow",
        .apiVersion = instance->api,
    };
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .flags = portability ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0,
        .pApplicationInfo = &application,
        .enabledExtensionCount = portability ? 1 : 0,
        .ppEnabledExtensionNames = extensions,
    };
    const VkResult result = create(&info, NULL, &instance->handle);
    if (result != VK_SUCCESS) {
        const winnow_status status = wn_vk_status(result);
        instance->handle = VK_NULL_HANDLE;
        if (status != WINNOW_E_NO_DEVICE)
            return wn_vk_fail(host, result, "vkCreateInstance");
        wn_log(host, level, "vkCreateInstance: no Vulkan driver works here (VkResult %d)",
               (int)result);
        return status;
    }
    return WINNOW_OK;
}

winnow_status wn_instance_open(const wn_host *host, const char *path, int32_t level,
                               wn_instance *out)
{
    winnow_status status = WINNOW_E_NO_DEVICE;
    *out = (wn_instance){0};
    out->library = open_library(path);
    if (!out->library) {
        const char *why = dlerror();
        wn_log(host, level, "vulkan: no loader: %s (install libvulkan1, or use plain C)",
               why ? why : "not found");
        return status;
    }
    out->get = find_entry(out->library);
    if (!out->get) {
        wn_log(host, level, "vulkan: %s is no Vulkan loader (it has no vkGetInstanceProcAddr)",
               path && *path ? path : "libvulkan.so.1");
        goto fail;
    }
    status = create_instance(host, level, out);
    if (status == WINNOW_OK)
        status = load_instance_calls(host, out);
    if (status != WINNOW_OK)
        goto fail;
    return WINNOW_OK;

fail:
    wn_instance_close(out);
    return status;
}

winnow_status wn_instance_borrow(const wn_host *host, PFN_vkGetInstanceProcAddr get,
                                 VkInstance handle, uint32_t api, wn_instance *out)
{
    *out = (wn_instance){.get = get, .handle = handle, .api = api};
    return load_instance_calls(host, out);
}

/* The table may be half full after a failure: destroy through the loader's own answer. */
void wn_instance_close(wn_instance *instance)
{
    if (instance->library && instance->handle) {
        const PFN_vkDestroyInstance destroy =
            (PFN_vkDestroyInstance)instance->get(instance->handle, "vkDestroyInstance");
        if (destroy)
            destroy(instance->handle, NULL);
    }
    if (instance->library)
        dlclose(instance->library);
    *instance = (wn_instance){0};
}
