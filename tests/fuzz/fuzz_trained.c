/* libFuzzer: any bytes as a stage's weights. They are taken, or refused with one line, and what is taken is finite, in its
 * place, and there to be asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "build_program.h"
#include "build_trained.h"
#include "numbers.h"
#include "plan.h"
#include "trained.h"

static void count_line(void *user, int32_t level, const char *message)
{
    if (level > WINNOW_LOG_WARNING || !*message || strchr(message, '\n'))
        abort();
    ++*(int *)user;
}

static void walk(const wn_host *host, const winnow_pipeline *pipeline, const wn_trained_tensor *t)
{
    wn_build b = {.host = host,
                  .may_grow = true,
                  .loop_limit = UINT32_MAX,
                  .trained = pipeline->trained,
                  .weights = 1};
    uint32_t dims[4], count;
    if (t->offset % WN_TRAINED_ALIGNMENT || t->offset + t->bytes > b.trained->bytes ||
        !build_weights_shape(&b, t->name, dims, &count) || count != t->rank)
        abort();
    const unsigned char *data = b.trained->data + t->offset;
    for (uint64_t i = 0; i < (uint64_t)t->rows * t->stride; ++i) {
        uint16_t half;
        float x;
        memcpy(&half, data + 2 * i, sizeof half);
        if (t->dtype == WINNOW_F32)
            memcpy(&x, data + 4 * i, sizeof x);
        else
            x = t->dtype == WINNOW_F16 ? f16_to_f32(half) : bf16_to_f32(half);
        if (!isfinite(x))
            abort();
    }
    if (t->rank >= 2 && (build_weights(&b, t->name, t->shape[0], 0).cols != t->cols || b.status))
        abort();
    if (t->rank == 1 && (build_weights_array(&b, t->name, 0).n != t->cols || b.status))
        abort();
    build_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int lines = 0;
    const winnow_host given = {.struct_size = sizeof given, .log = count_line, .log_user = &lines};
    wn_host host;
    uint8_t *exact = malloc(size ? size : 1); /* a block of just this size shows every overread */
    winnow_pipeline *pipeline = NULL;
    if (!exact || wn_host_read(&given, &host) != WINNOW_OK)
        abort();
    if (size)
        memcpy(exact, data, size);
    const winnow_blob blob = {"w", exact, size};
    const winnow_status status =
        wn_get_api(WINNOW_ABI)
            ->pipeline_create_weights(&given, "laco=layer=1:weights=@w", &blob, 1, &pipeline);
    free(exact); /* nothing may point into it */
    if ((status != WINNOW_OK && status != WINNOW_E_FILE) || lines != (status != WINNOW_OK) ||
        (pipeline != NULL) != (status == WINNOW_OK))
        abort();
    for (uint32_t i = 0; pipeline && i < pipeline->trained->files[0].count; ++i)
        walk(&host, pipeline, &pipeline->trained->files[0].tensors[i]);
    wn_get_api(WINNOW_ABI)->pipeline_destroy(pipeline);
    return 0;
}
