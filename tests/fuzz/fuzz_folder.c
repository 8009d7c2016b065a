/* libFuzzer: any bytes as each of the files of a model folder: config.json, model.safetensors. */
#include "fuzz_weights.h"

static winnow_status read_config(wn_weights *weights, const wn_bytes *file)
{
    return wn_json_settings(weights, file, "config");
}

static winnow_status read_shard(wn_weights *weights, const wn_bytes *file)
{
    return wn_safetensors_read(weights, file, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_reader(read_config, data, size);
    try_reader(read_shard, data, size);
    return 0;
}
