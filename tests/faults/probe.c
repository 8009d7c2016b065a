/*
 * probe [hazard|noflush|noinvalidate]: fills a buffer, copies it to another and reads it back,
 * cleanly or with one thing left out. It is what selftest.sh runs under the layers, to prove that
 * they see what they should.
 *
 * Exit status: 0 done, 3 a Vulkan call failed, 4 the copy is wrong.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <vulkan/vulkan.h>

enum { SIZE = 1 << 16, WORDS = SIZE / 4, FILLED = 256, VALUE = 0x5eed };

#define TRY(call)                                               \
    do {                                                        \
        VkResult result_ = (call);                              \
        if (result_ != VK_SUCCESS) {                            \
            fprintf(stderr, "probe: %s: %d\n", #call, result_); \
            return false;                                       \
        }                                                       \
    } while (0)

struct probe {
    const char *mode;
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    VkBuffer buffers[2];
    VkDeviceMemory memory[2];
    uint32_t *words[2];
    VkCommandPool pool;
    VkFence fence;
};

static bool open_device(struct probe *p)
{
    const VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                   .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo instance = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                           .pApplicationInfo = &app};
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo device = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                       .queueCreateInfoCount = 1,
                                       .pQueueCreateInfos = &queue};
    uint32_t count = 1;
    TRY(vkCreateInstance(&instance, NULL, &p->instance));
    TRY(vkEnumeratePhysicalDevices(p->instance, &count, &p->physical));
    TRY(vkCreateDevice(p->physical, &device, NULL, &p->device));
    vkGetDeviceQueue(p->device, 0, 0, &p->queue);
    return true;
}

static uint32_t host_visible_type(const struct probe *p, uint32_t bits)
{
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(p->physical, &memory);
    uint32_t i = 0;
    while (i + 1 < memory.memoryTypeCount &&
           !((bits >> i & 1) &&
             (memory.memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)))
        i++;
    return i;
}

static bool make_buffer(struct probe *p, int i)
{
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = SIZE,
                                     .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkMemoryAllocateInfo memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
    VkMemoryRequirements needs;
    void *words;
    TRY(vkCreateBuffer(p->device, &info, NULL, &p->buffers[i]));
    vkGetBufferMemoryRequirements(p->device, p->buffers[i], &needs);
    memory.allocationSize = needs.size;
    memory.memoryTypeIndex = host_visible_type(p, needs.memoryTypeBits);
    TRY(vkAllocateMemory(p->device, &memory, NULL, &p->memory[i]));
    TRY(vkBindBufferMemory(p->device, p->buffers[i], p->memory[i], 0));
    TRY(vkMapMemory(p->device, p->memory[i], 0, VK_WHOLE_SIZE, 0, &words));
    p->words[i] = words;
    return true;
}

static VkMappedMemoryRange whole(const struct probe *p, int i)
{
    return (VkMappedMemoryRange){.sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
                                 .memory = p->memory[i],
                                 .size = VK_WHOLE_SIZE};
}

static void barrier(VkCommandBuffer commands, VkPipelineStageFlags to, VkAccessFlags access)
{
    const VkMemoryBarrier memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                    .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                    .dstAccessMask = access};
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, to, 0, 1, &memory, 0, NULL, 0,
                         NULL);
}

/* The device fills the head of the first buffer, the host has written its tail. */
static bool record(struct probe *p, VkCommandBuffer commands)
{
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    const VkBufferCopy copy = {.size = SIZE};
    TRY(vkBeginCommandBuffer(commands, &begin));
    vkCmdFillBuffer(commands, p->buffers[0], 0, FILLED * 4, VALUE);
    if (strcmp(p->mode, "hazard"))
        barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT);
    vkCmdCopyBuffer(commands, p->buffers[0], p->buffers[1], 1, &copy);
    barrier(commands, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    TRY(vkEndCommandBuffer(commands));
    return true;
}

static bool copy_on_device(struct probe *p)
{
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkCommandBufferAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                            .commandBufferCount = 1};
    VkCommandBuffer commands;
    TRY(vkCreateCommandPool(p->device, &pool, NULL, &p->pool));
    allocate.commandPool = p->pool;
    TRY(vkAllocateCommandBuffers(p->device, &allocate, &commands));
    TRY(vkCreateFence(p->device, &fence, NULL, &p->fence));
    if (!record(p, commands))
        return false;
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                 .commandBufferCount = 1,
                                 .pCommandBuffers = &commands};
    TRY(vkQueueSubmit(p->queue, 1, &submit, p->fence));
    TRY(vkWaitForFences(p->device, 1, &p->fence, VK_TRUE, UINT64_MAX));
    return true;
}

static bool run(struct probe *p)
{
    if (!open_device(p) || !make_buffer(p, 0) || !make_buffer(p, 1))
        return false;
    for (uint32_t i = 0; i < WORDS; i++)
        p->words[0][i] = VALUE + i;
    const VkMappedMemoryRange in = whole(p, 0), out = whole(p, 1);
    if (strcmp(p->mode, "noflush"))
        TRY(vkFlushMappedMemoryRanges(p->device, 1, &in));
    if (!copy_on_device(p))
        return false;
    if (strcmp(p->mode, "noinvalidate"))
        TRY(vkInvalidateMappedMemoryRanges(p->device, 1, &out));
    return true;
}

static bool copied(const struct probe *p)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        if (p->words[1][i] != VALUE + (i < FILLED ? 0 : i))
            return false;
    }
    return true;
}

static void close_device(struct probe *p)
{
    if (p->device) {
        vkDestroyFence(p->device, p->fence, NULL);
        vkDestroyCommandPool(p->device, p->pool, NULL);
        for (int i = 0; i < 2; i++) {
            vkDestroyBuffer(p->device, p->buffers[i], NULL);
            vkFreeMemory(p->device, p->memory[i], NULL);
        }
        vkDestroyDevice(p->device, NULL);
    }
    vkDestroyInstance(p->instance, NULL);
}

int main(int argc, char **argv)
{
    struct probe probe = {.mode = argc > 1 ? argv[1] : ""};
    int status = !run(&probe) ? 3 : copied(&probe) ? 0 : 4;
    close_device(&probe);
    return status;
}
