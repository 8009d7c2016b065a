/* gpu_smoke: opens a device, runs a program twice, measures, and takes it all down. 0: all right,
 * 1: a call failed and said so, 2: wrong results or a failure without a word. For runners that
 * make every Vulkan call fail once (tests/faults): no exit leaks. WINNOW_TEST_DISABLE masks
 * features. */
#include <stdio.h>
#include <stdlib.h>

#include "lab.h"

static winnow_status run_twice(wn_exec *exec, const lab_program *p, unsigned *wrong)
{
    winnow_status status = WINNOW_OK;
    for (int i = 0; i < 2 && status == WINNOW_OK; i++) {
        lab_data data;
        wn_exec_stats stats;
        lab_data_make(&data, p, 0);
        const wn_host_io io = lab_io(&data, p);
        status = wn_gpu_backend.exec_run(exec, &p->program, &io, &stats);
        if (status == WINNOW_OK)
            *wrong += lab_wrong(&data, p);
        lab_data_free(&data);
    }
    return status;
}

static winnow_status submit_once(wn_gpu *gpu, wn_exec *exec, const lab_program *p)
{
    lab_buffers buffers;
    if (!lab_buffers_make(gpu, p, &buffers))
        return WINNOW_E_DEVICE_MEMORY;
    winnow_status status = wn_gpu_submit(exec, &p->program, &buffers.spans, NULL);
    if (status == WINNOW_OK)
        status = wn_gpu_wait(exec, UINT64_MAX, NULL, NULL);
    for (int i = 0; i < 3 && exec->lane[0].job.in_flight; i++) /* the buffers are in use until then */
        (void)wn_gpu_wait(exec, UINT64_MAX, NULL, NULL);
    lab_buffers_free(gpu, &buffers);
    return status;
}

static winnow_status use(winnow_device *device, const lab_program *p, unsigned *wrong)
{
    const wn_exec_desc desc = lab_desc(p, WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_TIMING);
    wn_exec *exec;
    double bandwidth;
    winnow_status status = wn_gpu_backend.exec_create(device, &desc, &exec);
    if (status == WINNOW_OK)
        status = run_twice(exec, p, wrong);
    if (status == WINNOW_OK)
        status = submit_once((wn_gpu *)device, exec, p);
    wn_gpu_backend.exec_destroy(exec);
    if (status == WINNOW_OK)
        status = wn_gpu_backend.copy_bandwidth(device, 65536, &bandwidth);
    return status;
}

int main(int argc, char **argv)
{
    static lab_program program;
    lab_log log;
    const wn_host host = lab_host(&log);
    winnow_device *device;
    unsigned wrong = 0;
    /* An argument makes the rows long: above the size from which memory is imported. */
    lab_make(&program, argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 37, WINNOW_F32);
    winnow_status status =
        wn_gpu_device_create(&host, "", getenv("WINNOW_TEST_DISABLE"), NULL, &device);
    if (status == WINNOW_OK)
        status = use(device, &program, &wrong);
    if (device)
        wn_gpu_backend.device_destroy(device);
    printf("%s: %s\n", wn_status_name(status), log.last);
    if (status != WINNOW_OK)
        return log.lines ? 1 : 2;
    return wrong ? 2 : 0;
}
