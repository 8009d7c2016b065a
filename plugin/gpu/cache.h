/* cache.h: a device's pipelines in a file of the host's choice, for the next time.
 *
 * The file is a header of ours and the driver's data behind it. The header says for which device,
 * driver and version of Winnow the data is, how long it is, and what it sums up to: what does not
 * fit never reaches the driver. Nothing here fails a call: a file that cannot be used is as good as
 * none, and the log has a warning.
 */
#ifndef WN_GPU_CACHE_H
#define WN_GPU_CACHE_H

#include "host.h"

#define WN_CACHE_MOST (256u << 20) /* bytes of a file */

/* Whose pipelines they are. Equal bytes: the same device, driver and library. */
typedef struct wn_cache_key {
    uint32_t vendor, device, driver, api;
    uint8_t uuid[16];   /* pipelineCacheUUID: on some drivers the same for all versions */
    char version[32];   /* of Winnow */
    char software[256]; /* the driver's name and version */
} wn_cache_key;

/* What is kept. Drivers do not say whether their data holds a pipeline, and the data of some is
 * another one every time, so that the names of the pipelines are kept beside it. */
typedef struct wn_cache_content {
    const void *data; /* the driver's; any alignment */
    size_t data_bytes;
    const uint64_t *names; /* see wn_cache_name */
    size_t name_count;
} wn_cache_content;

/* The content of a file of `bytes` bytes, aligned to 8: *out points into it. NULL, or a clause that
 * says what is wrong with the file; *out is zeroed then. */
const char *wn_cache_parse(const wn_cache_key *key, const void *file, size_t bytes,
                           wn_cache_content *out);
/* A whole file. The caller frees it; NULL: no memory. */
void *wn_cache_pack(const wn_host *host, const wn_cache_key *key, const wn_cache_content *content,
                    size_t *bytes);

/* A pipeline's name: from its code and its constants. */
uint64_t wn_cache_name(const void *code, size_t code_bytes, const void *constants,
                       size_t constant_bytes);

/* Makes the device's pipelines from the file, where it is there, and writes them there when the
 * device is destroyed. Before the first pipeline. E_HOST_MEMORY, or what Vulkan says. */
winnow_status wn_gpu_cache_use(winnow_device *device, const char *path);

#endif
