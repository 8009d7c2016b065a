#include "pair.h"

#include <stdlib.h>

bool pair_open(const winnow_api *api, winnow_device *devices[2])
{
    const winnow_device_desc plain = {.struct_size = sizeof plain, .backend = WINNOW_BACKEND_CPU},
                             gpu = {.struct_size = sizeof gpu,
                                    .backend = WINNOW_BACKEND_GPU,
                                    .selector = "",
                                    .disable = getenv("WINNOW_TEST_DISABLE")};
    devices[0] = devices[1] = NULL;
    return api->device_create(&plain, &devices[0]) == WINNOW_OK &&
           api->device_create(&gpu, &devices[1]) == WINNOW_OK;
}

void pair_close(const winnow_api *api, winnow_device *devices[2])
{
    api->device_destroy(devices[0]);
    api->device_destroy(devices[1]);
}
