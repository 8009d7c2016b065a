/* libFuzzer: any text as a spec. It is taken, or refused with one line, and nothing leaks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

typedef struct tally {
    long live;
    int errors;
} tally;

static void *allocate(void *user, size_t bytes, size_t alignment)
{
    ++((tally *)user)->live;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void release(void *user, void *memory)
{
    --((tally *)user)->live;
    free(memory);
}

static void count_line(void *user, int32_t level, const char *message)
{
    ++((tally *)user)->errors;
    const bool file =
        strncmp(message, "safetensors: ", 13) == 0 || strncmp(message, "weights: ", 9) == 0;
    if (level != WINNOW_LOG_ERROR || strchr(message, '\n') ||
        !(file || strncmp(message, "spec: ", 6) == 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const winnow_api *api = wn_get_api(WINNOW_ABI);
    tally t = {0};
    const winnow_host host = {.struct_size = sizeof host,
                              .allocator = {allocate, release, &t},
                              .log = count_line,
                              .log_user = &t};
    winnow_pipeline *pipeline = NULL;
    uint32_t needed = 0, optional = 0;
    char *spec = malloc(size + 1); /* a block of just this size shows every overread */
    if (!spec)
        return 0;
    memcpy(spec, data, size);
    spec[size] = '\0';
    const winnow_status status = api->pipeline_create(&host, spec, &pipeline);
    free(spec); /* nothing may point into it */
    if ((status == WINNOW_OK) != (pipeline != NULL) || t.errors != (status != WINNOW_OK))
        abort();
    if (pipeline &&
        (api->pipeline_inputs(pipeline, &needed, &optional) != WINNOW_OK || (needed & optional)))
        abort();
    api->pipeline_destroy(pipeline);
    if (t.live)
        abort();
    return 0;
}
