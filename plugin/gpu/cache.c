/* cache.c: a device's pipelines from a file, and back into it. */
#include "gpu/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpu/device.h"

/* Every byte is set, padding too: keys are compared, and written, as bytes. */
static wn_cache_key key_of(const wn_gpu *gpu)
{
    const VkPhysicalDeviceProperties *p = &gpu->caps.properties;
    wn_cache_key key;
    memset(&key, 0, sizeof key);
    key.vendor = p->vendorID;
    key.device = p->deviceID;
    key.driver = p->driverVersion;
    key.api = p->apiVersion;
    memcpy(key.uuid, p->pipelineCacheUUID, sizeof key.uuid);
    snprintf(key.version, sizeof key.version, "%s", WN_VERSION);
    snprintf(key.software, sizeof key.software, "%s", gpu->caps.driver);
    return key;
}

static void warn(const wn_gpu *gpu, const char *path, const char *why, const char *what)
{
    wn_log(&gpu->base.host, WINNOW_LOG_WARNING, "cache: %s: %s (%s)", path, why, what);
}

/* ---- reading ---- */

/* False: `bytes` could not be had. */
static bool read_all(int file, unsigned char *to, size_t bytes)
{
    while (bytes) {
        const ssize_t got = read(file, to, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        bytes -= (size_t)got;
    }
    return true;
}

/* The whole file, or NULL: it is not there, or `why` says what is wrong. */
static void *read_open(const wn_host *host, int file, size_t *bytes, const char **why)
{
    struct stat about;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        *why = "it is no plain file";
        return NULL;
    }
    if (about.st_size <= 0 || (uint64_t)about.st_size > WN_CACHE_MOST) {
        *why = about.st_size ? "it is too large" : "it is empty";
        return NULL;
    }
    *bytes = (size_t)about.st_size;
    void *data = wn_alloc(host, *bytes);
    if (!data) {
        *why = "there is no memory to read it";
    } else if (!read_all(file, data, *bytes)) {
        *why = "it cannot be read";
        wn_free(host, data);
        return NULL;
    }
    return data;
}

static void *read_file(const wn_gpu *gpu, const char *path, size_t *bytes, const char **why)
{
    /* Not to wait for a pipe's other end. */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *why = NULL;
    if (file < 0) {
        if (errno != ENOENT)
            *why = "it cannot be opened";
        return NULL;
    }
    void *data = read_open(&gpu->base.host, file, bytes, why);
    close(file);
    return data;
}

static VkResult make_cache(wn_gpu *gpu, const void *data, size_t bytes, VkPipelineCache *out)
{
    const VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = bytes,
        .pInitialData = data,
    };
    return gpu->vk.CreatePipelineCache(gpu->device, &info, NULL, out);
}

static bool reserve_names(wn_gpu *gpu, size_t count)
{
    const wn_host *host = &gpu->base.host;
    if (count <= gpu->cache_room)
        return true;
    const size_t room = count < 64 ? 64 : count * 2;
    uint64_t *names = wn_alloc(host, room * sizeof *names);
    if (!names)
        return false;
    if (gpu->cache_count)
        memcpy(names, gpu->cache_names, gpu->cache_count * sizeof *names);
    wn_free(host, gpu->cache_names);
    gpu->cache_names = names;
    gpu->cache_room = room;
    return true;
}

/* Puts a cache with the file's data in the place of the empty one. NULL, or why that stays. */
static const char *take(wn_gpu *gpu, const wn_cache_content *content)
{
    VkPipelineCache cache = VK_NULL_HANDLE;
    if (!reserve_names(gpu, content->name_count))
        return "there is no memory for it";
    if (make_cache(gpu, content->data, content->data_bytes, &cache) != VK_SUCCESS)
        return "the driver does not take it";
    gpu->vk.DestroyPipelineCache(gpu->device, gpu->cache, NULL);
    gpu->cache = cache;
    if (content->name_count)
        memcpy(gpu->cache_names, content->names, content->name_count * sizeof *content->names);
    gpu->cache_count = content->name_count;
    return NULL;
}

static void load(wn_gpu *gpu, const char *path)
{
    const wn_cache_key key = key_of(gpu);
    wn_cache_content content;
    size_t bytes = 0;
    const char *why;
    void *file = read_file(gpu, path, &bytes, &why);
    if (file)
        why = wn_cache_parse(&key, file, bytes, &content);
    if (file && !why)
        why = take(gpu, &content);
    if (why)
        warn(gpu, path, why, "all is compiled anew");
    wn_free(&gpu->base.host, file);
}

void wn_gpu_cache_note(wn_gpu *gpu, const void *code, size_t code_bytes, const void *constants,
                       size_t constant_bytes)
{
    if (!gpu->cache_path)
        return;
    const uint64_t name = wn_cache_name(code, code_bytes, constants, constant_bytes);
    for (size_t i = 0; i < gpu->cache_count; i++) {
        if (gpu->cache_names[i] == name)
            return;
    }
    gpu->cache_grew = true;
    if (reserve_names(gpu, gpu->cache_count + 1)) /* else it is written once more next time */
        gpu->cache_names[gpu->cache_count++] = name;
}

winnow_status wn_gpu_cache_use(winnow_device *device, const char *path)
{
    wn_gpu *gpu = (wn_gpu *)device;
    const size_t length = strlen(path) + 1;
    gpu->cache_path = wn_alloc(&device->host, length);
    if (!gpu->cache_path)
        return wn_fail(&device->host, WINNOW_E_HOST_MEMORY, "device: no memory for a path");
    memcpy(gpu->cache_path, path, length);
    load(gpu, path);
    return WINNOW_OK;
}

/* ---- writing ---- */

static bool write_all(int file, const unsigned char *from, size_t bytes)
{
    while (bytes) {
        const ssize_t put = write(file, from, bytes);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        from += put;
        bytes -= (size_t)put;
    }
    return true;
}

/* Beside the file under a name of its own, then in its place at once: readers see the old file or
 * the new one, and of two writers the last one stays. NULL, or what went wrong. */
static const char *replace_file(const wn_host *host, const char *path, const void *data,
                                size_t bytes)
{
    static const char ending[] = ".XXXXXX";
    const size_t length = strlen(path);
    struct stat about;
    if (lstat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return "it is no plain file";
    char *beside = wn_alloc(host, length + sizeof ending);
    if (!beside)
        return "there is no memory for its name";
    memcpy(beside, path, length);
    memcpy(beside + length, ending, sizeof ending);
    const int file = mkstemp(beside);
    const char *why = file < 0 ? "its folder cannot be written to" : NULL;
    if (file >= 0) {
        const bool written = write_all(file, data, bytes);
        if (close(file) != 0 || !written)
            why = "it cannot be written (is the disk full?)";
        else if (rename(beside, path) != 0)
            why = "it cannot be put in its place";
        if (why)
            (void)unlink(beside);
    }
    wn_free(host, beside);
    return why;
}

/* The driver's data. NULL: nothing to be had; `why` is set. */
static void *driver_data(wn_gpu *gpu, size_t *bytes, const char **why)
{
    const wn_host *host = &gpu->base.host;
    *bytes = 0;
    *why = "the driver does not give it";
    if (gpu->vk.GetPipelineCacheData(gpu->device, gpu->cache, bytes, NULL) != VK_SUCCESS || !*bytes)
        return NULL;
    void *data = wn_alloc(host, *bytes);
    if (!data) {
        *why = "there is no memory for it";
        return NULL;
    }
    if (gpu->vk.GetPipelineCacheData(gpu->device, gpu->cache, bytes, data) != VK_SUCCESS) {
        wn_free(host, data);
        return NULL;
    }
    *why = NULL;
    return data;
}

static const char *save(wn_gpu *gpu)
{
    const wn_host *host = &gpu->base.host;
    const wn_cache_key key = key_of(gpu);
    const char *why = NULL;
    size_t data_bytes, bytes;
    void *data = driver_data(gpu, &data_bytes, &why);
    if (!data)
        return why;
    const wn_cache_content content = {data, data_bytes, gpu->cache_names, gpu->cache_count};
    void *file = wn_cache_pack(host, &key, &content, &bytes);
    if (!file)
        why = "there is no memory for it";
    else if (bytes > WN_CACHE_MOST)
        why = "it would be too large";
    else
        why = replace_file(host, gpu->cache_path, file, bytes);
    wn_free(host, file);
    wn_free(host, data);
    return why;
}

void wn_gpu_cache_save(wn_gpu *gpu)
{
    const wn_host *host = &gpu->base.host;
    const char *why = gpu->cache_grew ? save(gpu) : NULL;
    if (why)
        warn(gpu, gpu->cache_path, why, "the pipelines are compiled again next time");
    wn_free(host, gpu->cache_path);
    wn_free(host, gpu->cache_names);
}
