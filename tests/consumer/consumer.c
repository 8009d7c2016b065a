/* What a program that links the library must be able to do. */
#include <stdio.h>
#include <winnow/winnow.h>

int main(void)
{
    const winnow_api *api = winnow_get_api(WINNOW_ABI);
    const winnow_device_desc desc = {.struct_size = sizeof desc, .backend = WINNOW_BACKEND_CPU};
    winnow_device *device = NULL;
    if (!api || api->device_create(&desc, &device) != WINNOW_OK)
        return 1;
    api->device_destroy(device);
    printf("winnow %s\n", api->version);
    return 0;
}
