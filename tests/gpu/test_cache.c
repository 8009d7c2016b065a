/* The file of pipelines on a real driver: written, used, and never in the way. Run on one driver
 * at a time. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gpu/cache.h"
#include "lab.h"

static lab_log log_of_test;
static char folder[] = "/tmp/winnow-cache-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/pipelines", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder); /* fails where something else was left there */
}

/* A device that keeps its pipelines at `at`, and compiles those of the lab's program if `work`. The
 * log then holds what opening said. */
static wn_gpu *open_with(const wn_host *host, const char *at, bool work)
{
    winnow_device *device;
    lab_program program;
    wn_exec *exec = NULL;
    assert_int_equal(wn_gpu_device_create(host, "", NULL, NULL, &device), WINNOW_OK);
    log_of_test.last[0] = 0;
    assert_int_equal(wn_gpu_cache_use(device, at), WINNOW_OK);
    if (work) {
        lab_make(&program, 8, WINNOW_F32);
        const wn_exec_desc desc = lab_desc(&program, 0);
        assert_int_equal(wn_gpu_backend.exec_create(device, &desc, &exec), WINNOW_OK);
        wn_gpu_backend.exec_destroy(exec);
    }
    return (wn_gpu *)device;
}

/* Opens, works and closes; `opening` and `closing` are parts of what is said then ("": nothing). */
static void use(const char *at, const char *opening, const char *closing)
{
    const wn_host host = lab_host(&log_of_test);
    wn_gpu *gpu = open_with(&host, at, true);
    if (opening[0] ? !strstr(log_of_test.last, opening) : log_of_test.last[0] != 0)
        fail_msg("opening said '%s', not '%s'", log_of_test.last, opening);
    log_of_test.last[0] = 0;
    wn_gpu_backend.device_destroy(&gpu->base);
    if (closing[0] ? !strstr(log_of_test.last, closing) : log_of_test.last[0] != 0)
        fail_msg("closing said '%s', not '%s'", log_of_test.last, closing);
}

static struct stat about(void)
{
    struct stat out;
    assert_int_equal(stat(path, &out), 0);
    return out;
}

static unsigned files(void)
{
    DIR *dir = opendir(folder);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void test_round_trip(void **state)
{
    (void)state;
    const wn_host host = lab_host(&log_of_test);
    wn_gpu_backend.device_destroy(&open_with(&host, path, false)->base);
    assert_int_equal(files(), 0); /* nothing was compiled */
    use(path, "", "");
    assert_int_equal(files(), 1);
    const struct stat first = about();
    wn_gpu *gpu = open_with(&host, path, true);
    assert_true(gpu->cache_count > 0);
    assert_false(gpu->cache_grew);
    assert_string_equal(log_of_test.last, "");
    wn_gpu_backend.device_destroy(&gpu->base);
    struct stat second = about();
    assert_int_equal(first.st_ino, second.st_ino); /* nothing was added: not written again */
    /* One pipeline more: the old ones stay beside it. */
    gpu = open_with(&host, path, true);
    const size_t before = gpu->cache_count;
    const wn_types f16 = {.a = WINNOW_F16, .b = WINNOW_F16};
    VkPipeline unused;
    assert_int_equal(wn_pipeline_get(gpu, WN_OP_copy_rows, &f16, &unused), WINNOW_OK);
    assert_int_equal(gpu->cache_count, before + 1);
    wn_gpu_backend.device_destroy(&gpu->base);
    second = about();
    assert_int_not_equal(first.st_ino, second.st_ino);
    gpu = open_with(&host, path, true);
    assert_int_equal(gpu->cache_count, before + 1);
    wn_gpu_backend.device_destroy(&gpu->base);
    assert_int_equal(files(), 1);
}

static void put(const void *bytes, size_t count, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void test_damage(void **state)
{
    (void)state;
    use(path, "", "");
    const off_t whole = about().st_size;
    put("\xff\xff", 2, (long)whole - 2); /* within the driver's data */
    use(path, "it is damaged", "");
    use(path, "", "");  /* it was put right */
    put("\x01", 1, 16); /* the vendor */
    use(path, "it is damaged", "");
    assert_int_equal(truncate(path, about().st_size - 1), 0);
    use(path, "it is cut short", "");
    assert_int_equal(truncate(path, 0), 0);
    use(path, "it is empty", "");
    put("#!/bin/sh\n", 10, 0);
    use(path, "it is no file of Winnow's pipelines", "");
    use(path, "", "");
    assert_int_equal(files(), 1);
}

static void test_places(void **state)
{
    (void)state;
    use("/dev/null", "it is no plain file", "it is no plain file");
    assert_int_equal(access("/dev/null", W_OK), 0);
    use(folder, "it is no plain file", "it is no plain file");
    use("/nowhere/at/all", "", "its folder cannot be written to");
    (void)unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: it must not wait */
    use(path, "it is no plain file", "it is no plain file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(files(), 0);
}

/* As on a full disk: the old file stays, and nothing beside it. */
static void test_no_room(void **state)
{
    (void)state;
    struct rlimit before, none;
    (void)unlink(path);
    use(path, "", "");
    put("\xff", 1, 20); /* so that there is something to write */
    const struct stat old = about();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const wn_host host = lab_host(&log_of_test);
    wn_gpu *gpu = open_with(&host, path, true);
    none = before;
    none.rlim_cur = 40;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    log_of_test.last[0] = 0;
    wn_gpu_backend.device_destroy(&gpu->base);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(log_of_test.last, "it cannot be written (is the disk full?)"));
    assert_int_equal(about().st_ino, old.st_ino);
    assert_int_equal(about().st_size, old.st_size);
    assert_int_equal(files(), 1);
}

enum { WRITERS = 3, TIMES = 4 };

static void *write_often(void *unused)
{
    lab_log log;
    const wn_host host = lab_host(&log);
    for (int i = 0; i < TIMES; i++) {
        winnow_device *device;
        lab_program program;
        wn_exec *exec = NULL;
        if (wn_gpu_device_create(&host, "", NULL, NULL, &device) != WINNOW_OK)
            return &log_of_test;
        wn_gpu *gpu = (wn_gpu *)device;
        log.lines = 0;
        (void)wn_gpu_cache_use(device, path);
        gpu->cache_count = 0; /* so that each writes */
        lab_make(&program, 8, WINNOW_F32);
        const wn_exec_desc desc = lab_desc(&program, 0);
        const winnow_status status = wn_gpu_backend.exec_create(device, &desc, &exec);
        wn_gpu_backend.exec_destroy(exec);
        wn_gpu_backend.device_destroy(device);
        if (status != WINNOW_OK || log.lines)
            return &log_of_test; /* a torn file would have been warned of */
    }
    return unused;
}

static void test_writers_at_once(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    (void)unlink(path);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, NULL), 0);
    for (int i = 0; i < WRITERS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    use(path, "", "");
    assert_int_equal(files(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_damage),
        cmocka_unit_test(test_places),          cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_writers_at_once),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
