#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "output.h"
#include "safetensors.h"

static bool add_tensor(cJSON *tree, const st_tensor *tensor, uint64_t begin)
{
    cJSON *object = cJSON_AddObjectToObject(tree, tensor->name), *shape, *place;
    if (!cJSON_AddStringToObject(object, "dtype", st_dtype_name(tensor->dtype))) {
        return false;
    }
    shape = cJSON_AddArrayToObject(object, "shape");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (!cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)tensor->shape[i]))) {
            return false;
        }
    }
    place = cJSON_AddArrayToObject(object, "data_offsets");
    return cJSON_AddItemToArray(place, cJSON_CreateNumber((double)begin)) &&
           cJSON_AddItemToArray(place, cJSON_CreateNumber((double)(begin + tensor->bytes)));
}

/* The header's text, padded to a multiple of 8 so that the tensors start aligned; caller frees. */
static char *header_text(const st_tensor *tensors, size_t tensor_count, const st_pair *metadata,
                         size_t metadata_count)
{
    cJSON *tree = cJSON_CreateObject();
    cJSON *pairs = metadata_count ? cJSON_AddObjectToObject(tree, "__metadata__") : NULL;
    bool whole = tree && (pairs || !metadata_count);
    uint64_t begin = 0;
    char *text = NULL, *padded = NULL;

    for (size_t i = 0; whole && i < metadata_count; i++) {
        whole = cJSON_AddStringToObject(pairs, metadata[i].key, metadata[i].value) != NULL;
    }
    for (size_t i = 0; whole && i < tensor_count; i++) {
        whole = add_tensor(tree, &tensors[i], begin);
        begin += tensors[i].bytes;
    }
    text = whole ? cJSON_PrintUnformatted(tree) : NULL;
    if (text) {
        size_t length = strlen(text), full = (length + 7) / 8 * 8;
        padded = malloc(full + 1);
        if (padded) {
            memset(padded, ' ', full);
            memcpy(padded, text, length);
            padded[full] = 0;
        }
    }
    cJSON_free(text);
    cJSON_Delete(tree);
    return padded;
}

static int by_width(const void *a, const void *b)
{
    size_t x = st_dtype_bytes((*(const st_tensor *const *)a)->dtype);
    size_t y = st_dtype_bytes((*(const st_tensor *const *)b)->dtype);
    return (x < y) - (x > y);
}

/* Wide types first: then every tensor is aligned to its element, as readers that map files like. */
static st_tensor *ordered(const st_tensor *tensors, size_t count)
{
    st_tensor *copy = cli_array(count, sizeof *copy);
    const st_tensor **rows = cli_array(count, sizeof *rows);
    if (copy && rows) {
        for (size_t i = 0; i < count; i++) {
            rows[i] = &tensors[i];
        }
        qsort(rows, count, sizeof *rows, by_width);
        for (size_t i = 0; i < count; i++) {
            copy[i] = *rows[i];
        }
    } else {
        free(copy);
        copy = NULL;
    }
    free(rows);
    return copy;
}

int st_write(const char *path, const st_tensor *tensors, size_t tensor_count,
             const st_pair *metadata, size_t metadata_count)
{
    st_tensor *rows = ordered(tensors, tensor_count);
    char *header = rows ? header_text(rows, tensor_count, metadata, metadata_count) : NULL;
    output out;
    int status;

    if (!header) {
        free(rows);
        return cli_fail("%s: out of memory", path);
    }
    status = output_open(&out, path);
    if (status == CLI_DONE) {
        uint64_t length = strlen(header);
        uint8_t prefix[8];
        for (int i = 0; i < 8; i++) {
            prefix[i] = (uint8_t)(length >> (8 * i));
        }
        bool whole = fwrite(prefix, 1, 8, out.file) == 8 &&
                     fwrite(header, 1, (size_t)length, out.file) == length;
        for (size_t i = 0; whole && i < tensor_count; i++) {
            size_t bytes = (size_t)rows[i].bytes;
            whole = bytes == 0 || fwrite(rows[i].data, 1, bytes, out.file) == bytes;
        }
        status = whole ? output_commit(&out) : output_fail(&out);
    }
    free(header);
    free(rows);
    return status;
}
