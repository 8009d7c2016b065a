/* memory.h: buffers with memory of their own. */
#ifndef WN_GPU_MEMORY_H
#define WN_GPU_MEMORY_H

#include "gpu/device.h"

enum wn_memory_use {
    WN_MEMORY_DEVICE,   /* only the device touches it */
    WN_MEMORY_DIRECT,   /* device-local and mapped, where that costs the device nothing */
    WN_MEMORY_UPLOAD,   /* mapped; the host writes, the device reads */
    WN_MEMORY_DOWNLOAD, /* mapped; the device writes, the host reads */
};

typedef struct wn_memory {
    VkBuffer buffer;
    VkDeviceMemory memory;
    uint64_t bytes;     /* of the buffer: at least what was asked for, a multiple of 16 */
    uint64_t allocated; /* of the memory */
    void *mapped;       /* NULL: WN_MEMORY_DEVICE */
    bool coherent;
} wn_memory;

/* bytes 0 leaves *out zeroed, which every other function takes. On failure *out is zeroed. */
winnow_status wn_memory_create(wn_gpu *gpu, enum wn_memory_use use, uint64_t bytes, wn_memory *out);
void wn_memory_destroy(wn_gpu *gpu, wn_memory *memory);

/* True if what the host only writes can be DIRECT, or (`cached`) what it reads: then no staging
 * copies are needed. */
bool wn_memory_is_unified(const wn_gpu *gpu, bool cached);

/* The first `bytes` after the host wrote, and before it reads. Nothing on coherent memory. */
winnow_status wn_memory_flush(wn_gpu *gpu, const wn_memory *memory, uint64_t bytes);
winnow_status wn_memory_invalidate(wn_gpu *gpu, const wn_memory *memory, uint64_t bytes);

/* A buffer on the caller's own pages. E_UNSUPPORTED (not logged): copy instead. */
winnow_status wn_memory_import(wn_gpu *gpu, void *data, uint64_t bytes, wn_memory *out);

#endif
