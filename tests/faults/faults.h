/*
 * VK_LAYER_WINNOW_faults: a Vulkan layer for tests. It counts the calls that can fail, fails one
 * of them, keeps the balance of created and destroyed objects, and lies about the device.
 *
 * Everything is asked for in the environment, read at the first vkCreateInstance:
 *
 *   WINNOW_FAULT_NTH=N          fail the Nth counted call of the process (from 1; 0 or unset: none)
 *   WINNOW_FAULT_CALL=NAME      count only this call (vkAllocateMemory) towards N
 *   WINNOW_FAULT_RESULT=R       what the call returns: device-memory (default), host-memory, init,
 *                               map, timeout, lost, or a number. `lost` waits for the first call
 *                               from the Nth on that may report a lost device; from then on every
 *                               such call on that device does.
 *   WINNOW_FAULT_COUNT_FILE=F   where the report goes, whenever an instance ends and at exit
 *   WINNOW_FAULT_LIMITS=LIST    lies, `name=value` separated by commas; the names stand in lies.c
 *                               and memory.c. `name` alone means `name=1`; a name that begins
 *                               with VK_ hides that device extension. A device created with what
 *                               was hidden is refused.
 *
 * The report holds one `key value` a line: `calls N` (all counted calls), `failed NAME N` if the
 * fault struck, `call NAME N` for each call made, `leaked NAME N` for objects never destroyed (by
 * the name of the call that creates them), `misuse SENTENCE` for what no driver would allow.
 */
#ifndef WINNOW_TESTS_FAULTS_H
#define WINNOW_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

enum { MAY_LOSE = 1, WAITS = 2 | MAY_LOSE };

enum call {
#define OBJECT(Create, Destroy, Handle, Info) CALL_##Create, CALL_##Destroy,
#define CALL(Name, Flags, Params, Args)       CALL_##Name,
#define SPECIAL(Name, Flags)                  CALL_##Name,
#include "calls.def"
#undef OBJECT
#undef CALL
#undef SPECIAL
    CALL_COUNT
};

/* Every hook has the type of the function that it stands in for. */
#define OBJECT(Create, Destroy, Handle, Info) \
    __typeof__(vk##Create) hook_##Create;     \
    __typeof__(vk##Destroy) hook_##Destroy;
#define CALL(Name, Flags, Params, Args) __typeof__(vk##Name) hook_##Name;
#define SPECIAL(Name, Flags)            __typeof__(vk##Name) hook_##Name;
#include "calls.def"
#undef OBJECT
#undef CALL
#undef SPECIAL

struct call_info {
    const char *name; /* with its vk */
    unsigned flags;
    PFN_vkVoidFunction hook;
};
extern const struct call_info call_info[CALL_COUNT];

/* The memory types as the layer tells them: each stands for one of the driver's. */
struct memory_view {
    uint32_t count;
    VkMemoryType types[VK_MAX_MEMORY_TYPES];
    uint32_t real[VK_MAX_MEMORY_TYPES];
};

/* One instance or device: what lies below us. Found by the dispatch key that all handles of the
 * instance or device share. */
struct chain {
    struct chain *next;
    const void *key;
    void *handle;
    bool lost;
    struct memory_view memory; /* devices only */
    PFN_vkVoidFunction down[CALL_COUNT];
};

/* The function below us, typed. */
#define DOWN(chain, Name) ((PFN_vk##Name)(chain)->down[CALL_##Name])

/* layer.c */
struct chain *chain_of(const void *handle);

/* stats.c: all of it is [any-thread]. */
bool fault_due(struct chain *chain, enum call call, VkResult *result);
void balance(enum call create, int change);
void note_misuse(const char *sentence);
void write_report(void);

/* config.c */
struct fault_config {
    uint64_t nth;
    const char *call, *count_file;
    VkResult result;
};
const struct fault_config *fault_config(void);
bool read_config(void); /* false, with a line on stderr: the environment makes no sense */
bool lie_told(const char *name, uint64_t *value);
bool extension_hidden(const char *name);

/* lies.c, memory.c: is this a name that WINNOW_FAULT_LIMITS may hold? */
bool lies_know(const char *name);
bool memory_knows(const char *name);
bool asks_for_hidden(const VkDeviceCreateInfo *info, VkResult *result);
void view_memory(struct chain *instance, VkPhysicalDevice physical, struct memory_view *view);

#endif
