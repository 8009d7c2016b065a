/* status.c: VkResult to winnow_status, in one table. */
#include "loader.h"

static const struct result_row {
    VkResult result;
    winnow_status status;
    const char *why;
} results[] = {
    {VK_ERROR_OUT_OF_HOST_MEMORY, WINNOW_E_HOST_MEMORY, "out of host memory (free some)"},
    {VK_ERROR_OUT_OF_DEVICE_MEMORY, WINNOW_E_DEVICE_MEMORY,
     "out of device memory (free some, or plan for a smaller shape)"},
    {VK_ERROR_OUT_OF_POOL_MEMORY, WINNOW_E_DEVICE_MEMORY, "out of pool memory (free some plans)"},
    {VK_ERROR_FRAGMENTED_POOL, WINNOW_E_DEVICE_MEMORY, "fragmented pool (free some plans)"},
    {VK_ERROR_TOO_MANY_OBJECTS, WINNOW_E_DEVICE_MEMORY, "too many objects (free some plans)"},
    {VK_ERROR_MEMORY_MAP_FAILED, WINNOW_E_HOST_MEMORY, "cannot map memory (free address space)"},
    {VK_ERROR_DEVICE_LOST, WINNOW_E_DEVICE_LOST,
     "the device is lost (destroy everything on it and open it anew)"},
    {VK_TIMEOUT, WINNOW_E_TIMEOUT, "the device did not finish in time (wait again)"},
    {VK_NOT_READY, WINNOW_E_TIMEOUT, "the device has not finished (wait again)"},
    {VK_ERROR_INITIALIZATION_FAILED, WINNOW_E_NO_DEVICE, "initialization failed (see the driver)"},
    {VK_ERROR_INCOMPATIBLE_DRIVER, WINNOW_E_NO_DEVICE,
     "no Vulkan driver (install one, or use the plain C backend)"},
    {VK_ERROR_LAYER_NOT_PRESENT, WINNOW_E_NO_DEVICE, "a layer asked for is not there"},
    {VK_ERROR_EXTENSION_NOT_PRESENT, WINNOW_E_FEATURE, "an extension is not there"},
    {VK_ERROR_FEATURE_NOT_PRESENT, WINNOW_E_FEATURE, "a feature is not there"},
    {VK_ERROR_INVALID_EXTERNAL_HANDLE, WINNOW_E_UNSUPPORTED, "host memory cannot be imported"},
    {VK_ERROR_UNKNOWN, WINNOW_E_INTERNAL, "unknown error of the driver"},
};

static const struct result_row *find_row(VkResult result)
{
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        if (results[i].result == result)
            return &results[i];
    }
    return NULL;
}

winnow_status wn_vk_status(VkResult result)
{
    const struct result_row *row = find_row(result);
    return row ? row->status : WINNOW_E_INTERNAL;
}

winnow_status wn_vk_fail(const wn_host *host, VkResult result, const char *call)
{
    const struct result_row *row = find_row(result);
    if (!row)
        return wn_fail(host, WINNOW_E_INTERNAL, "%s: VkResult %d", call, (int)result);
    return wn_fail(host, row->status, "%s: %s", call, row->why);
}
