/* Listing, choosing, masking and borrowing devices. Run on one driver at a time
 * (tests/drivers/with-driver.sh); every expectation holds on any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

static lab_log log_of_test;
static wn_host host;

static int start(void **state)
{
    (void)state;
    host = lab_host(&log_of_test);
    return 0;
}

/* One line that holds `part`. */
static void assert_said(const char *part)
{
    if (!strstr(log_of_test.last, part))
        fail_msg("the log says '%s', without '%s'", log_of_test.last, part);
}

static winnow_device *create(const char *selector, const char *disable)
{
    winnow_device *device = NULL;
    assert_int_equal(wn_gpu_device_create(&host, selector, disable, NULL, &device), WINNOW_OK);
    assert_non_null(device);
    return device;
}

static void test_list(void **state)
{
    (void)state;
    winnow_device_info infos[8];
    uint32_t count = 99, again = 99;
    assert_int_equal(wn_gpu_device_list(&host, NULL, NULL, NULL, 0, &count), WINNOW_OK);
    assert_true(count >= 1 && count <= 8);
    assert_int_equal(wn_gpu_device_list(&host, "subgroup", NULL, infos, 8, &again), WINNOW_OK);
    assert_int_equal(again, count);
    assert_int_equal(infos[0].backend, WINNOW_BACKEND_GPU);
    assert_int_equal(infos[0].struct_size, sizeof infos[0]);
    assert_string_equal(infos[0].unusable, "");
    assert_true(infos[0].name[0] && infos[0].driver[0]);
    assert_true(infos[0].memory > 0 && infos[0].max_binding >= 1u << 27);
    assert_null(strstr(infos[0].features, "subgroup"));
    assert_string_equal(infos[0].disabled, "subgroup");
    assert_int_equal(wn_gpu_device_list(&host, NULL, NULL, infos, 0, &again), WINNOW_E_TOO_SMALL);
    assert_int_equal(again, count);
}

/* Nothing named: a driver that computes on the CPU is no GPU. */
static void test_software(void **state)
{
    (void)state;
    winnow_device_info info = {.struct_size = sizeof info};
    winnow_device *device = (winnow_device *)&host;
    uint32_t count = 0;
    const winnow_status listed = wn_gpu_device_list(&host, NULL, NULL, &info, 1, &count);
    assert_true(listed == WINNOW_OK || listed == WINNOW_E_TOO_SMALL);
    const winnow_status status = wn_gpu_device_create(&host, NULL, NULL, NULL, &device);
    if (info.kind == WINNOW_DEVICE_CPU) {
        assert_int_equal(status, WINNOW_E_NO_DEVICE);
        assert_null(device);
        assert_said("computes on the CPU");
        return;
    }
    assert_int_equal(status, WINNOW_OK);
    device->backend->device_destroy(device);
}

static void test_no_loader(void **state)
{
    (void)state;
    winnow_device *device = (winnow_device *)&host;
    uint32_t count = 99;
    assert_int_equal(wn_gpu_device_list(&host, NULL, "/nowhere/libvulkan.so", NULL, 0, &count),
                     WINNOW_OK);
    assert_int_equal(count, 0);
    assert_int_equal(wn_gpu_device_create(&host, "", NULL, "/nowhere/libvulkan.so", &device),
                     WINNOW_E_NO_DEVICE);
    assert_null(device);
    assert_said("no loader");
    /* A library, but none of Vulkan. */
    assert_int_equal(wn_gpu_device_create(&host, "", NULL, "libm.so.6", &device),
                     WINNOW_E_NO_DEVICE);
    assert_said("vkGetInstanceProcAddr");
}

static void test_select(void **state)
{
    (void)state;
    winnow_device *device = create("", NULL);
    char part[8];
    snprintf(part, sizeof part, "%.5s", device->info.name);
    for (char *c = part; *c; c++) /* any case */
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    wn_gpu_backend.device_destroy(device);
    wn_gpu_backend.device_destroy(create(part, NULL));
    wn_gpu_backend.device_destroy(create("0", NULL));
    wn_gpu_backend.device_destroy(create("", NULL));
    assert_int_equal(wn_gpu_device_create(&host, "99", NULL, NULL, &device), WINNOW_E_NO_DEVICE);
    assert_said("no GPU is '99' (there are: 0 ");
    assert_int_equal(wn_gpu_device_create(&host, "voodoo", NULL, NULL, &device),
                     WINNOW_E_NO_DEVICE);
    assert_null(device);
}

static void test_mask(void **state)
{
    (void)state;
    static const char *const names[] = {"subgroup",           "storage16",   "timeline",
                                        "push_descriptor",    "host_import", "timestamps",
                                        "cooperative_matrix", "broadcast",   "fp16"};
    winnow_device *all = create("", NULL), *device;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *listed = strcmp(names[i], "fp16") ? names[i] : "storage16";
        device = create("", names[i]);
        assert_null(strstr(device->info.features, listed));
        if (strstr(all->info.features, listed))
            assert_string_equal(device->info.disabled, listed);
        wn_gpu_backend.device_destroy(device);
    }
    wn_gpu_backend.device_destroy(all);
    device = create("", " subgroup,,fp16, timeline ,push_descriptor,host_import,timestamps,"
                        "cooperative_matrix,broadcast");
    assert_string_equal(device->info.features, "");
    wn_gpu_backend.device_destroy(device);
    assert_int_equal(wn_gpu_device_create(&host, "", "subgruop", NULL, &device), WINNOW_E_ARGUMENT);
    assert_said("no feature 'subgruop' (did you mean 'subgroup'?");
    assert_said("host_import,timestamps,cooperative_matrix");
    assert_int_equal(wn_gpu_device_create(&host, "", "a-name-that-is-longer-than-any-feature-has",
                                          NULL, &device),
                     WINNOW_E_ARGUMENT);
}

/* No memory of the host's at any point: E_HOST_MEMORY and nothing left. */
typedef struct budget {
    int left, live;
} budget;

static void *take(void *user, size_t bytes, size_t alignment)
{
    budget *b = user;
    if (b->left-- <= 0)
        return NULL;
    b->live++;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void give(void *user, void *memory)
{
    budget *b = user;
    b->live -= memory != NULL;
    free(memory);
}

static void test_host_memory(void **state)
{
    (void)state;
    for (int n = 0;; n++) {
        budget b = {n, 0};
        winnow_device *device = NULL;
        host.allocator = (winnow_allocator){take, give, &b};
        const winnow_status status = wn_gpu_device_create(&host, "", NULL, NULL, &device);
        if (status == WINNOW_OK) {
            wn_gpu_backend.device_destroy(device);
            assert_int_equal(b.live, 0);
            assert_true(n >= 3);
            return;
        }
        assert_int_equal(status, WINNOW_E_HOST_MEMORY);
        assert_int_equal(b.live, 0);
    }
}

static winnow_host host_of(const wn_host *from)
{
    return (winnow_host){sizeof(winnow_host), 0, from->allocator, from->log, from->log_user};
}

static void test_borrow_features(void **state)
{
    (void)state;
    for (int rich = 0; rich < 2; rich++) {
        lab_vulkan v;
        winnow_device *device = NULL;
        const winnow_host lent = host_of(&host);
        assert_true(lab_vulkan_open(&host, rich, &v));
        winnow_vk_borrow desc = lab_borrow(&v, &lent);
        if (!rich) {
            desc.features = NULL;
            desc.extension_count = 7; /* without a list: none */
            desc.extensions = NULL;
        }
        assert_int_equal(wn_gpu_borrow(&desc, &device), WINNOW_OK);
        const char *features = device->info.features;
        assert_int_equal(strstr(features, "timeline") != NULL, rich);
        assert_int_equal(strstr(features, "storage16") != NULL,
                         v.storage16.storageBuffer16BitAccess);
        assert_int_equal(strstr(features, "push_descriptor") != NULL,
                         rich && (v.caps.features >> WN_FEATURE_PUSH_DESCRIPTOR & 1u));
        assert_int_equal(strstr(features, "cooperative_matrix") != NULL,
                         v.cooperative.cooperativeMatrix && strstr(features, "subgroup"));
        assert_null(strstr(features, "host_import"));
        wn_gpu_backend.device_destroy(device);
        lab_vulkan_close(&v);
    }
}

static void refuse(const winnow_vk_borrow *desc, winnow_status status, const char *part)
{
    winnow_device *device = (winnow_device *)&host;
    assert_int_equal(wn_gpu_borrow(desc, &device), status);
    assert_null(device);
    if (part)
        assert_said(part);
}

static void no_lock(void *user)
{
    (void)user;
}

static PFN_vkVoidFunction knows_nothing(VkInstance instance, const char *name)
{
    (void)instance;
    (void)name;
    return NULL;
}

static void test_borrow_refusals(void **state)
{
    (void)state;
    lab_vulkan v;
    const winnow_host lent = host_of(&host);
    assert_true(lab_vulkan_open(&host, true, &v));
    const winnow_vk_borrow good = lab_borrow(&v, &lent);
    winnow_vk_borrow bad = good;
    refuse(NULL, WINNOW_E_ARGUMENT, NULL);
    bad.struct_size = 0;
    refuse(&bad, WINNOW_E_STRUCT_SIZE, NULL);
    bad = good;
    bad.device = VK_NULL_HANDLE;
    refuse(&bad, WINNOW_E_ARGUMENT, "must be given");
    bad = good;
    bad.api_version = VK_API_VERSION_1_0;
    refuse(&bad, WINNOW_E_FEATURE, "api_version is 1.0");
    bad = good;
    bad.queue_family = 77;
    refuse(&bad, WINNOW_E_FEATURE, "queue family 77 does not compute");
    bad = good;
    bad.lock_queue = no_lock;
    refuse(&bad, WINNOW_E_ARGUMENT, "go together");
    bad = good;
    bad.disable = "everything";
    refuse(&bad, WINNOW_E_ARGUMENT, "no feature 'everything'");
    bad = good;
    bad.get_instance_proc_addr = knows_nothing;
    refuse(&bad, WINNOW_E_FEATURE, "vkDestroyInstance");
    assert_int_equal(wn_gpu_borrow(&good, NULL), WINNOW_E_ARGUMENT);
    lab_vulkan_close(&v);
}

/* A device of ours, lent out and borrowed back. */
static void test_handles(void **state)
{
    (void)state;
    winnow_device *device = create("", NULL), *second = NULL;
    winnow_vk_borrow handles = {.struct_size = sizeof handles};
    assert_int_equal(wn_gpu_device_handles(device, &handles), WINNOW_OK);
    assert_non_null(handles.queue);
    assert_int_equal(wn_gpu_borrow(&handles, &second), WINNOW_OK);
    assert_string_equal(second->info.features, device->info.features);
    wn_gpu_backend.device_destroy(second);
    handles.struct_size = 0;
    assert_int_equal(wn_gpu_device_handles(device, &handles), WINNOW_E_STRUCT_SIZE);
    assert_int_equal(wn_gpu_device_handles(NULL, &handles), WINNOW_E_ARGUMENT);
    wn_gpu_backend.device_destroy(device);
}

static void test_wants(void **state)
{
    (void)state;
    winnow_vk_wants wants = {.struct_size = sizeof wants};
    wn_gpu_wants(&wants);
    assert_int_equal(wants.struct_size, sizeof wants);
    assert_true(wants.storage16 && wants.timeline_semaphore);
    assert_int_equal(wants.extension_count, 5);
    assert_string_equal(wants.extensions[0], "VK_KHR_push_descriptor");
}

static void test_bandwidth(void **state)
{
    (void)state;
    static const char *const masks[] = {NULL, "timestamps"};
    for (int i = 0; i < 2; i++) {
        winnow_device *device = create("", masks[i]);
        double speed = 0;
        assert_int_equal(wn_gpu_backend.copy_bandwidth(device, 1u << 20, &speed), WINNOW_OK);
        assert_true(speed > 1e6 && speed < 1e14);
        assert_int_equal(wn_gpu_backend.copy_bandwidth(device, 0, &speed), WINNOW_E_ARGUMENT);
        assert_int_equal(wn_gpu_backend.copy_bandwidth(device, UINT64_MAX, &speed),
                         WINNOW_E_DEVICE_MEMORY);
        assert_said("one buffer needs");
        wn_gpu_backend.device_destroy(device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_list, start),
        cmocka_unit_test_setup(test_software, start),
        cmocka_unit_test_setup(test_no_loader, start),
        cmocka_unit_test_setup(test_select, start),
        cmocka_unit_test_setup(test_mask, start),
        cmocka_unit_test_setup(test_host_memory, start),
        cmocka_unit_test_setup(test_borrow_features, start),
        cmocka_unit_test_setup(test_borrow_refusals, start),
        cmocka_unit_test_setup(test_handles, start),
        cmocka_unit_test_setup(test_wants, start),
        cmocka_unit_test_setup(test_bandwidth, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
