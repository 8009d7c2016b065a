/* libFuzzer: any bytes as a GGUF file. */
#include "fuzz_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_reader(wn_gguf_read, data, size);
    return 0;
}
