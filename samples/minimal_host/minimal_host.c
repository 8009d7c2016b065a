/* minimal_host LIBRARY (as build/lib/libwinnow.so): what a runtime needs of Winnow, in one page.
 *
 * It opens the library with dlopen and takes a picture's tokens through both doors: host memory on
 * a device of Winnow's own, then VkBuffers and a command buffer of this program's VkDevice. Exit
 * status: 0 both kept the same tokens, 1 no, 77 there is no Vulkan for the second door. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <vulkan/vulkan.h>

#include <winnow/winnow.h>
#include <winnow/winnow_vulkan.h>

enum { GRID = 8, N = GRID * GRID, D = 16, KEEP = 8, NO_DEVICE = 77 };
enum { HOST_MEMORY = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT };

#define TRY(call)                                             \
    do {                                                      \
        if (call)                                             \
            return fprintf(stderr, "failed: %s\n", #call), 1; \
    } while (0)

/* The library never prints: what it has to say comes here, one sentence at a time. */
static void print_log(void *user, int32_t level, const char *message)
{
    fprintf(user ? user : stderr, "winnow says (level %d): %s\n", level, message);
}
static const winnow_host host = {.struct_size = sizeof(winnow_host), .log = print_log};

/* One picture of GRID x GRID tokens with D channels; roles that are not set default to f32. */
static winnow_plan_desc describe_plan(void)
{
    winnow_plan_desc desc = {.struct_size = sizeof desc};
    desc.max_shape =
        (winnow_shape){.frames = 1, .tokens = N, .dim = D, .grid_h = GRID, .grid_w = GRID};
    desc.roles = 1u << WINNOW_ROLE_TOKENS;
    desc.outputs = 1u << WINNOW_OUT_INDICES; /* OUT_TOKENS, a bit too, are the rows themselves */
    return desc;
}

/* ---- The first door: host memory in, host memory out. ---- */
static int reduce_host_memory(const winnow_api *w, const winnow_pipeline *pipeline,
                              const float *tokens, int32_t *kept)
{
    winnow_device_desc device_desc = {.struct_size = sizeof device_desc, .host = &host};
    winnow_plan_desc plan_desc = describe_plan();
    winnow_run run = {.struct_size = sizeof run, .shape = plan_desc.max_shape};
    winnow_result result = {.struct_size = sizeof result};
    winnow_device *device; /* AUTO: the best GPU, or plain C where there is none */
    winnow_plan *plan;
    TRY(w->device_create(&device_desc, &device));
    plan_desc.flags = WINNOW_PLAN_HOST_MEMORY;
    TRY(w->plan_create(device, pipeline, &plan_desc, &plan)); /* once; all memory is taken here */
    run.in[WINNOW_ROLE_TOKENS].data = (void *)(uintptr_t)tokens; /* only read */
    run.out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = kept, .capacity = KEEP};
    TRY(w->plan_run(plan, &run, &result)); /* once a picture */
    w->plan_destroy(plan);
    w->device_destroy(device);
    return result.rows == KEEP ? 0 : 1;
}

/* ---- The second door: a host lends its VkDevice, and the tokens stay on the GPU. ---- */
static int open_gpu(winnow_vk_borrow *g)
{
    VkApplicationInfo app = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_1};
    VkInstanceCreateInfo info = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
    VkQueueFamilyProperties families[16];
    uint32_t devices = 1, count = 16;
    float priority = 1;
    g->host = &host;
    g->get_instance_proc_addr = vkGetInstanceProcAddr; /* or volk's, or one from dlopen */
    if (vkCreateInstance(&info, NULL, &g->instance) != VK_SUCCESS ||
        vkEnumeratePhysicalDevices(g->instance, &devices, &g->physical_device) < 0 || !devices)
        return 1;
    vkGetPhysicalDeviceQueueFamilyProperties(g->physical_device, &count, families);
    while (g->queue_family + 1 < count &&
           !(families[g->queue_family].queueFlags & VK_QUEUE_COMPUTE_BIT))
        g->queue_family++;
    VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1,
                                     .queueFamilyIndex = g->queue_family,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo device = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .queueCreateInfoCount = 1,
                                 .pQueueCreateInfos = &queue};
    TRY(vkCreateDevice(g->physical_device, &device, NULL, &g->device));
    vkGetDeviceQueue(g->device, g->queue_family, 0, &g->queue);
    return 0;
}

/* A storage buffer, mapped. Vulkan promises a kind of memory that fits and is coherent. */
static int make_buffer(const winnow_vk_borrow *g, size_t bytes, VkBuffer *buffer,
                       VkDeviceMemory *memory, void **map)
{
    VkBufferCreateInfo info = {VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = bytes,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT};
    VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
    VkPhysicalDeviceMemoryProperties kinds;
    VkMemoryRequirements needs;
    TRY(vkCreateBuffer(g->device, &info, NULL, buffer));
    vkGetBufferMemoryRequirements(g->device, *buffer, &needs);
    vkGetPhysicalDeviceMemoryProperties(g->physical_device, &kinds);
    while (!(needs.memoryTypeBits & 1u << allocate.memoryTypeIndex) ||
           ~kinds.memoryTypes[allocate.memoryTypeIndex].propertyFlags & HOST_MEMORY)
        allocate.memoryTypeIndex++;
    allocate.allocationSize = needs.size;
    TRY(vkAllocateMemory(g->device, &allocate, NULL, memory));
    TRY(vkBindBufferMemory(g->device, *buffer, *memory, 0));
    TRY(vkMapMemory(g->device, *memory, 0, VK_WHOLE_SIZE, 0, map));
    return 0;
}

/* The host's command buffer: its own work, Winnow's, its own again, in one submission. */
static int submit(const winnow_vk_borrow *g, const winnow_ext_vulkan *vk, winnow_plan *plan,
                  const winnow_vk_run *run)
{
    VkCommandPoolCreateInfo pool_info = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                         .queueFamilyIndex = g->queue_family};
    VkCommandBufferAllocateInfo info = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandBufferCount = 1};
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VkMemoryBarrier to_cpu = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT,
                              VK_ACCESS_HOST_READ_BIT};
    VkCommandBuffer commands;
    TRY(vkCreateCommandPool(g->device, &pool_info, NULL, &info.commandPool));
    TRY(vkAllocateCommandBuffers(g->device, &info, &commands));
    TRY(vkBeginCommandBuffer(commands, &begin));
    TRY(vk->plan_record(plan, commands, run)); /* submits, waits for and allocates nothing */
    /* The outputs are visible to shaders and copies now; that the CPU reads them is our affair. */
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT,
                         0, 1, &to_cpu, 0, NULL, 0, NULL);
    TRY(vkEndCommandBuffer(commands));
    VkSubmitInfo batch = {VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1,
                          .pCommandBuffers = &commands};
    TRY(vkQueueSubmit(g->queue, 1, &batch, VK_NULL_HANDLE));
    TRY(vkQueueWaitIdle(g->queue)); /* a real host goes on, and waits for a fence later */
    vkDestroyCommandPool(g->device, info.commandPool, NULL);
    return 0;
}

static int reduce_on_gpu(const winnow_api *w, const winnow_pipeline *pipeline, const float *tokens,
                         int32_t *kept)
{
    const winnow_ext_vulkan *vk = w->get_extension(WINNOW_EXT_VULKAN);
    winnow_vk_borrow g = {.struct_size = sizeof g, .api_version = VK_API_VERSION_1_1};
    winnow_plan_desc desc = describe_plan();
    winnow_vk_run run = {.struct_size = sizeof run, .shape = desc.max_shape};
    size_t sizes[2] = {N * D * sizeof *tokens, KEEP * sizeof *kept};
    VkBuffer buffers[2];
    VkDeviceMemory memory[2];
    void *map[2];
    winnow_device *device;
    winnow_plan *plan;
    if (!vk || open_gpu(&g) != 0)
        return NO_DEVICE;
    TRY(make_buffer(&g, sizes[0], &buffers[0], &memory[0], &map[0]));
    TRY(make_buffer(&g, sizes[1], &buffers[1], &memory[1], &map[1]));
    memcpy(map[0], tokens, sizes[0]); /* a real host's vision encoder wrote them on the GPU */
    TRY(vk->device_borrow(&g, &device));
    TRY(w->plan_create(device, pipeline, &desc, &plan));
    run.in[WINNOW_ROLE_TOKENS] = (winnow_vk_tensor){.buffer = buffers[0], .bytes = sizes[0]};
    run.out[WINNOW_OUT_INDICES] = (winnow_vk_tensor){.buffer = buffers[1], .bytes = sizes[1]};
    TRY(submit(&g, vk, plan, &run));
    memcpy(kept, map[1], sizes[1]);
    w->plan_destroy(plan);
    w->device_destroy(device); /* what was lent stays, and is the host's to destroy */
    for (int i = 0; i < 2; i++) {
        vkDestroyBuffer(g.device, buffers[i], NULL);
        vkFreeMemory(g.device, memory[i], NULL);
    }
    vkDestroyDevice(g.device, NULL);
    vkDestroyInstance(g.instance, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    float tokens[N * D];
    int32_t kept[2][KEEP];
    winnow_pipeline *pipeline;
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    winnow_get_api_fn get_api;
    *(void **)&get_api = library ? dlsym(library, "winnow_get_api") : NULL; /* the only symbol */
    const winnow_api *w = get_api ? get_api(WINNOW_ABI) : NULL; /* NULL: another major */
    if (!w) {
        fprintf(stderr, "usage: minimal_host LIBRARY (a libwinnow of ABI %d)\n", WINNOW_ABI_MAJOR);
        return 1;
    }
    for (int i = 0; i < N * D; i++)
        tokens[i] = (float)(i * i % 101) / 50.0f - 1.0f;
    TRY(w->pipeline_create(&host, "divprune=keep=8", &pipeline));
    TRY(reduce_host_memory(w, pipeline, tokens, kept[0]));
    int status = reduce_on_gpu(w, pipeline, tokens, kept[1]);
    w->pipeline_destroy(pipeline);
    for (int i = 0; i < KEEP; i++)
        printf("%d%c", kept[0][i], i + 1 < KEEP ? ' ' : '\n');
    TRY(status == 0 && memcmp(kept[0], kept[1], sizeof kept[0])); /* both doors, same tokens */
    dlclose(library);
    return status;
}
