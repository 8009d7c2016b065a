/*
 * Fuzzes frames_open_memory: any bytes are a picture, a film, or an error, and never more memory
 * than the options allow. The bytes' count chooses the options, so that a corpus file stays a plain
 * picture or film.
 *
 * Build: clang -fsanitize=fuzzer,address,undefined over this file and video/ (see video's
 * CMakeLists.txt). Run: fuzz_video tests/fuzz/corpus/video
 */
#include "frames.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    frames_quiet_libav();
    return 0;
}

static const frames_options choices[] = {
    {.refuse_side = 1024, .refuse_pixels = 1 << 18, .threads = 1, .max_frames = 8},
    {.refuse_side = 1024,
     .refuse_pixels = 1 << 18,
     .threads = 1,
     .uniform_count = 3,
     .size = FRAMES_SIZE_MULTIPLE,
     .multiple = 14,
     .longest_side = 56},
    {.refuse_side = 1024,
     .refuse_pixels = 1 << 18,
     .threads = 1,
     .fps = 2,
     .max_frames = 4,
     .spread = true,
     .size = FRAMES_SIZE_EXACT,
     .width = 31,
     .height = 17},
};

/* Reads every pixel that was promised: a checker sees a promise too many. */
static void check_frame(const frames_frame *frame)
{
    volatile uint8_t sum = 0;
    const size_t bytes = (size_t)frame->width * frame->height * 3;
    for (size_t i = 0; i < bytes; i++) {
        sum = (uint8_t)(sum + frame->rgb[i]);
    }
    if (bytes == 0 || !(frame->seconds >= 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const frames_options *options = &choices[size % (sizeof choices / sizeof *choices)];
    char why[FRAMES_WHY_SIZE];
    frames_source *source = NULL;
    frames_frame frame;
    uint32_t given = 0;
    frames_status status = frames_open_memory(&source, bytes, size, options, why, sizeof why);
    while (status == FRAMES_OK) {
        status = frames_next(source, &frame, why, sizeof why);
        if (status == FRAMES_OK) {
            check_frame(&frame);
            given++;
        }
    }
    if (given > 8 || (source && given == 0 && status == FRAMES_END)) {
        abort(); /* what opens has a frame */
    }
    frames_close(&source);
    return 0;
}
