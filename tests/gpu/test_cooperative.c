/* Cooperative matrices: who gets them, and of what shape. Run where the driver has them; elsewhere
 * every test is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

static lab_log log_of_test;
static wn_host host;
static winnow_host lent;
static lab_vulkan vulkan;

static bool supported(const wn_caps *caps)
{
    return caps->features >> WN_FEATURE_COOPERATIVE_MATRIX & 1u;
}

static int start(void **state)
{
    (void)state;
    host = lab_host(&log_of_test);
    lent = (winnow_host){sizeof lent, 0, host.allocator, host.log, host.log_user};
    return lab_vulkan_open(&host, true, &vulkan) ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    lab_vulkan_close(&vulkan);
    return 0;
}

static void need_matrices(void)
{
    if (!supported(&vulkan.caps))
        skip();
}

/* Whether a device borrowed like this makes use of them. */
static bool borrowed_with(const winnow_vk_borrow *desc)
{
    winnow_device *device = NULL;
    assert_int_equal(wn_gpu_borrow(desc, &device), WINNOW_OK);
    const bool used = strstr(device->info.features, "cooperative_matrix");
    wn_gpu_backend.device_destroy(device);
    return used;
}

/* A host must say all that the shader declares. */
static void test_lent(void **state)
{
    (void)state;
    need_matrices();
    winnow_vk_borrow desc = lab_borrow(&vulkan, &lent);
    VkBool32 *const parts[] = {&vulkan.cooperative.cooperativeMatrix, &vulkan.float16.shaderFloat16,
                               &vulkan.memory_model.vulkanMemoryModel,
                               &vulkan.memory_model.vulkanMemoryModelDeviceScope};
    assert_true(borrowed_with(&desc));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i] = VK_FALSE;
        assert_false(borrowed_with(&desc));
        *parts[i] = VK_TRUE;
    }
    desc.extension_count = 0;
    assert_false(borrowed_with(&desc));
    desc = lab_borrow(&vulkan, &lent);
    desc.disable = "subgroup";
    assert_false(borrowed_with(&desc));
    desc.disable = "cooperative_matrix";
    assert_false(borrowed_with(&desc));
}

/* The same features by the struct of Vulkan 1.2. */
static void test_lent_by_core(void **state)
{
    (void)state;
    need_matrices();
    VkPhysicalDeviceVulkan12Features core = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .shaderFloat16 = VK_TRUE,
        .vulkanMemoryModel = VK_TRUE,
        .vulkanMemoryModelDeviceScope = VK_TRUE,
    };
    winnow_vk_borrow desc = lab_borrow(&vulkan, &lent);
    vulkan.timeline.pNext = &core;
    core.pNext = &vulkan.cooperative;
    assert_true(borrowed_with(&desc));
    core.vulkanMemoryModelDeviceScope = VK_FALSE;
    assert_false(borrowed_with(&desc));
}

/* Two owners of one device agree. */
static void test_handles(void **state)
{
    (void)state;
    need_matrices();
    const winnow_vk_borrow desc = lab_borrow(&vulkan, &lent);
    winnow_vk_borrow handles = {.struct_size = sizeof handles};
    winnow_device *device = NULL;
    assert_int_equal(wn_gpu_borrow(&desc, &device), WINNOW_OK);
    assert_int_equal(wn_gpu_device_handles(device, &handles), WINNOW_OK);
    assert_true(borrowed_with(&handles));
    wn_gpu_backend.device_destroy(device);
}

static void test_own(void **state)
{
    (void)state;
    need_matrices();
    const bool software = vulkan.caps.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    winnow_device *device = NULL;
    winnow_device_info info;
    uint32_t count;
    assert_int_equal(wn_gpu_device_create(&host, "0", NULL, NULL, &device), WINNOW_OK);
    assert_int_equal(strstr(device->info.features, "cooperative_matrix") == NULL, software);
    wn_gpu_backend.device_destroy(device);
    assert_true(wn_gpu_device_list(&host, NULL, NULL, &info, 1, &count) <= WINNOW_OK || count > 1);
    assert_int_equal(strstr(info.features, "cooperative_matrix") == NULL, software);
}

/* ---- shapes that a driver could list ---- */

static const VkCooperativeMatrixPropertiesKHR *told;
static uint32_t told_count;
static int told_fails; /* the call that fails, from 1; 0: none */
static bool told_nothing;

static VkResult VKAPI_CALL tell_shapes(VkPhysicalDevice physical, uint32_t *count,
                                       VkCooperativeMatrixPropertiesKHR *out)
{
    (void)physical;
    if (told_fails && --told_fails == 0)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; out && i < told_count; i++) {
        assert_int_equal(out[i].sType, VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR);
        out[i] = told[i];
    }
    *count = told_count;
    return VK_SUCCESS;
}

static PFN_vkVoidFunction get_told(VkInstance instance, const char *name)
{
    if (strcmp(name, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR") != 0)
        return vulkan.instance.get(instance, name);
    return told_nothing ? NULL : (PFN_vkVoidFunction)tell_shapes;
}

static winnow_status caps_of(const VkCooperativeMatrixPropertiesKHR *shapes, uint32_t count,
                             wn_caps *out)
{
    wn_instance instance = vulkan.instance;
    instance.get = get_told;
    told = shapes;
    told_count = count;
    return wn_caps_read(&host, &instance, vulkan.physical, out);
}

static VkCooperativeMatrixPropertiesKHR shape(uint32_t m, uint32_t n, uint32_t k)
{
    return (VkCooperativeMatrixPropertiesKHR){
        .MSize = m,
        .NSize = n,
        .KSize = k,
        .AType = VK_COMPONENT_TYPE_FLOAT16_KHR,
        .BType = VK_COMPONENT_TYPE_FLOAT16_KHR,
        .CType = VK_COMPONENT_TYPE_FLOAT32_KHR,
        .ResultType = VK_COMPONENT_TYPE_FLOAT32_KHR,
        .scope = VK_SCOPE_SUBGROUP_KHR,
    };
}

static bool fits(VkCooperativeMatrixPropertiesKHR one)
{
    wn_caps caps;
    assert_int_equal(caps_of(&one, 1, &caps), WINNOW_OK);
    return supported(&caps);
}

static void test_sizes(void **state)
{
    (void)state;
    static const uint32_t bad[][3] = {{0, 16, 16},  {16, 0, 16},  {16, 16, 0},
                                      {64, 16, 16}, {16, 64, 16}, {16, 16, 64},
                                      {12, 16, 16}, {16, 4, 16},  {16, 16, 4}};
    static const uint32_t good[][3] = {{16, 16, 16}, {8, 8, 8}, {32, 32, 32}, {8, 16, 16}};
    need_matrices();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(fits(shape(bad[i][0], bad[i][1], bad[i][2])));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(fits(shape(good[i][0], good[i][1], good[i][2])));
}

static void test_types(void **state)
{
    (void)state;
    VkCooperativeMatrixPropertiesKHR bad[6];
    wn_caps caps;
    need_matrices();
    for (int i = 0; i < 6; i++)
        bad[i] = shape(16, 16, 16);
    bad[0].AType = VK_COMPONENT_TYPE_FLOAT32_KHR;
    bad[1].BType = VK_COMPONENT_TYPE_FLOAT32_KHR;
    bad[2].CType = VK_COMPONENT_TYPE_FLOAT16_KHR;
    bad[3].ResultType = VK_COMPONENT_TYPE_FLOAT16_KHR;
    bad[4].saturatingAccumulation = VK_TRUE;
    bad[5].scope = (VkScopeKHR)2; /* the workgroup's */
    for (int i = 0; i < 6; i++)
        assert_false(fits(bad[i]));
    assert_int_equal(caps_of(bad, 6, &caps), WINNOW_OK);
    assert_false(supported(&caps));
    assert_int_equal(caps_of(NULL, 0, &caps), WINNOW_OK);
    assert_false(supported(&caps));
}

static void test_choice(void **state)
{
    (void)state;
    const VkCooperativeMatrixPropertiesKHR shapes[] = {
        shape(64, 8, 8), shape(16, 8, 16), shape(8, 8, 8), shape(16, 16, 16), shape(32, 8, 16)};
    wn_caps caps;
    need_matrices();
    assert_int_equal(caps_of(shapes, 5, &caps), WINNOW_OK);
    assert_true(supported(&caps) && caps.coop_m == 16 && caps.coop_n == 16 && caps.coop_k == 16);
    assert_int_equal(caps_of(shapes, 3, &caps), WINNOW_OK);
    assert_true(supported(&caps) && caps.coop_m == 16 && caps.coop_n == 8 && caps.coop_k == 16);
}

static void test_failures(void **state)
{
    (void)state;
    const VkCooperativeMatrixPropertiesKHR one = shape(16, 16, 16);
    wn_caps caps;
    need_matrices();
    for (int call = 1; call <= 2; call++) {
        told_fails = call;
        assert_int_equal(caps_of(&one, 1, &caps), WINNOW_E_HOST_MEMORY);
        assert_non_null(strstr(log_of_test.last, "CooperativeMatrixPropertiesKHR"));
    }
    told_nothing = true;
    assert_int_equal(caps_of(&one, 1, &caps), WINNOW_OK);
    assert_false(supported(&caps));
    told_nothing = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lent, start, finish),
        cmocka_unit_test_setup_teardown(test_lent_by_core, start, finish),
        cmocka_unit_test_setup_teardown(test_handles, start, finish),
        cmocka_unit_test_setup_teardown(test_own, start, finish),
        cmocka_unit_test_setup_teardown(test_sizes, start, finish),
        cmocka_unit_test_setup_teardown(test_types, start, finish),
        cmocka_unit_test_setup_teardown(test_choice, start, finish),
        cmocka_unit_test_setup_teardown(test_failures, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
