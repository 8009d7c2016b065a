#define _POSIX_C_SOURCE 200809L
#include "safetensors.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "json_guard.h"

enum {
    PREFIX_BYTES = 8,
    /* A model of ten thousand tensors needs a megabyte; beyond this a header is an attack on the
     * JSON parser's memory. */
    HEADER_MAX = 16 << 20,
    DEPTH_MAX = 4, /* object of tensors, tensor, list of sizes: 3 */
    VALUES_MAX = 1 << 20
};

static const struct {
    const char *name;
    uint8_t bytes;
} dtypes[ST_DTYPE_COUNT] = {
    [ST_BOOL] = {"BOOL", 1},       [ST_U8] = {"U8", 1},           [ST_I8] = {"I8", 1},
    [ST_F8_E5M2] = {"F8_E5M2", 1}, [ST_F8_E4M3] = {"F8_E4M3", 1}, [ST_I16] = {"I16", 2},
    [ST_U16] = {"U16", 2},         [ST_F16] = {"F16", 2},         [ST_BF16] = {"BF16", 2},
    [ST_I32] = {"I32", 4},         [ST_U32] = {"U32", 4},         [ST_F32] = {"F32", 4},
    [ST_F64] = {"F64", 8},         [ST_I64] = {"I64", 8},         [ST_U64] = {"U64", 8},
};

const char *st_dtype_name(st_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t st_dtype_bytes(st_dtype dtype)
{
    return dtypes[dtype].bytes;
}

const char *st_shape_text(const st_tensor *tensor, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (uint32_t i = 0; i < tensor->rank && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)tensor->shape[i]);
    }
    if (used < size) {
        snprintf(text + used, size - used, "]");
    }
    return text;
}

/* A whole number from 0 on that a double holds exactly. */
static bool whole_number(const cJSON *item, uint64_t *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
        item->valuedouble > 9007199254740992.0) {
        return false;
    }
    *out = (uint64_t)item->valuedouble;
    return (double)*out == item->valuedouble;
}

static bool refuse(char *why, const char *name, const char *what)
{
    snprintf(why, ST_WHY_SIZE, "tensor \"%.80s\" %s", name, what);
    return false;
}

static bool read_dtype(const cJSON *item, st_tensor *tensor, char *why)
{
    if (!cJSON_IsString(item)) {
        return refuse(why, tensor->name, "has a dtype that is no text");
    }
    for (int i = 0; i < ST_DTYPE_COUNT; i++) {
        if (strcmp(dtypes[i].name, item->valuestring) == 0) {
            tensor->dtype = (st_dtype)i;
            return true;
        }
    }
    snprintf(why, ST_WHY_SIZE, "tensor \"%.80s\" has the unknown dtype \"%.20s\"", tensor->name,
             item->valuestring);
    return false;
}

static bool read_shape(const cJSON *list, st_tensor *tensor, char *why)
{
    const cJSON *item;
    tensor->count = 1;
    if (!cJSON_IsArray(list)) {
        return refuse(why, tensor->name, "has a shape that is no list");
    }
    cJSON_ArrayForEach(item, list)
    {
        uint64_t size;
        if (tensor->rank == ST_RANK_MAX) {
            return refuse(why, tensor->name, "has more than 8 dimensions");
        }
        if (!whole_number(item, &size)) {
            return refuse(why, tensor->name,
                          "has a size in its shape that is no whole number "
                          "from 0 on");
        }
        tensor->shape[tensor->rank++] = size;
        if (!cli_multiply(tensor->count, size, &tensor->count)) {
            return refuse(why, tensor->name, "has a shape with more elements than 64 bits count");
        }
    }
    return true;
}

static bool read_place(const cJSON *list, st_tensor *tensor, const uint8_t *data,
                       uint64_t data_bytes, char *why)
{
    uint64_t begin, end, wanted;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != 2 ||
        !whole_number(list->child, &begin) || !whole_number(list->child->next, &end) ||
        begin > end) {
        return refuse(why, tensor->name, "has data_offsets that are not two rising whole numbers");
    }
    if (end > data_bytes) {
        snprintf(why, ST_WHY_SIZE,
                 "tensor \"%.80s\" ends at byte %llu of the data, but there are %llu: the file was "
                 "cut short",
                 tensor->name, (unsigned long long)end, (unsigned long long)data_bytes);
        return false;
    }
    if (!cli_multiply(tensor->count, dtypes[tensor->dtype].bytes, &wanted) ||
        wanted != end - begin) {
        char shape[128];
        snprintf(why, ST_WHY_SIZE,
                 "tensor \"%.80s\" %s %s does not fill the %llu bytes given to it", tensor->name,
                 dtypes[tensor->dtype].name, st_shape_text(tensor, shape, sizeof shape),
                 (unsigned long long)(end - begin));
        return false;
    }
    tensor->data = data + begin;
    tensor->bytes = wanted;
    return true;
}

static bool read_tensor(const cJSON *object, st_tensor *tensor, const uint8_t *data,
                        uint64_t data_bytes, char *why)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    const cJSON *found[3] = {0}, *item;

    tensor->name = object->string;
    if (!cJSON_IsObject(object)) {
        return refuse(why, tensor->name, "is no object");
    }
    cJSON_ArrayForEach(item, object)
    {
        for (int k = 0; k < 3; k++) {
            if (strcmp(item->string, keys[k]) == 0) {
                if (found[k]) {
                    return refuse(why, tensor->name, "says a thing twice");
                }
                found[k] = item;
            }
        }
    }
    if (!found[0] || !found[1] || !found[2]) {
        return refuse(why, tensor->name, "lacks its dtype, shape or data_offsets");
    }
    return read_dtype(found[0], tensor, why) && read_shape(found[1], tensor, why) &&
           read_place(found[2], tensor, data, data_bytes, why);
}

static bool read_metadata(const cJSON *object, st_file *out, char *why)
{
    const cJSON *item;
    if (!cJSON_IsObject(object) || out->metadata) {
        snprintf(why, ST_WHY_SIZE, "__metadata__ is no object, or there twice");
        return false;
    }
    out->metadata = cli_array((uint64_t)cJSON_GetArraySize(object), sizeof *out->metadata);
    if (!out->metadata) {
        snprintf(why, ST_WHY_SIZE, "out of memory for its metadata");
        return false;
    }
    cJSON_ArrayForEach(item, object)
    {
        if (!cJSON_IsString(item)) {
            snprintf(why, ST_WHY_SIZE, "metadata \"%.80s\" is no text", item->string);
            return false;
        }
        out->metadata[out->metadata_count].key = item->string;
        out->metadata[out->metadata_count++].value = item->valuestring;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const st_tensor *)a)->name, ((const st_tensor *)b)->name);
}

static int by_place(const void *a, const void *b)
{
    const st_tensor *x = a, *y = b;
    if (x->data != y->data) {
        return x->data < y->data ? -1 : 1;
    }
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* No two tensors of one name, no byte in two tensors or in none: what the format asks for. Leaves
 * the tensors sorted by name, for st_find. */
static bool check_all(st_file *out, const uint8_t *data, uint64_t data_bytes, char *why)
{
    const uint8_t *end = data;

    qsort(out->tensors, out->tensor_count, sizeof *out->tensors, by_place);
    for (size_t i = 0; i < out->tensor_count; i++) {
        const st_tensor *tensor = &out->tensors[i];
        if (tensor->data < end) {
            return refuse(why, tensor->name, "overlaps another");
        }
        if (tensor->data > end) {
            return refuse(why, tensor->name, "comes after bytes that belong to no tensor");
        }
        end = tensor->data + tensor->bytes;
    }
    if (end != data + data_bytes) {
        snprintf(why, ST_WHY_SIZE, "%llu bytes at the end belong to no tensor",
                 (unsigned long long)(data + data_bytes - end));
        return false;
    }
    qsort(out->tensors, out->tensor_count, sizeof *out->tensors, by_name);
    for (size_t i = 1; i < out->tensor_count; i++) {
        if (strcmp(out->tensors[i - 1].name, out->tensors[i].name) == 0) {
            return refuse(why, out->tensors[i].name, "is there twice");
        }
    }
    return true;
}

static bool read_tree(st_file *out, const uint8_t *data, uint64_t data_bytes, char *why)
{
    const cJSON *tree = out->tree, *item;
    if (!cJSON_IsObject(tree)) {
        snprintf(why, ST_WHY_SIZE, "the header is no JSON object");
        return false;
    }
    out->tensors = cli_array((uint64_t)cJSON_GetArraySize(tree), sizeof *out->tensors);
    if (!out->tensors) {
        snprintf(why, ST_WHY_SIZE, "out of memory for its tensors");
        return false;
    }
    cJSON_ArrayForEach(item, tree)
    {
        bool is_metadata = strcmp(item->string, "__metadata__") == 0;
        if (is_metadata
                ? !read_metadata(item, out, why)
                : !read_tensor(item, &out->tensors[out->tensor_count++], data, data_bytes, why)) {
            return false;
        }
    }
    return check_all(out, data, data_bytes, why);
}

static bool header_length(const uint8_t *bytes, uint64_t size, uint64_t *length, char *why)
{
    *length = 0;
    if (size < PREFIX_BYTES) {
        snprintf(why, ST_WHY_SIZE, "it has %llu bytes, too few for a safetensors header",
                 (unsigned long long)size);
        return false;
    }
    for (int i = PREFIX_BYTES - 1; i >= 0; i--) {
        *length = *length << 8 | bytes[i];
    }
    if (*length > size - PREFIX_BYTES || *length > HEADER_MAX || *length < 2) {
        snprintf(why, ST_WHY_SIZE,
                 "its header claims %llu bytes in a file of %llu: it is no safetensors file, or "
                 "cut short",
                 (unsigned long long)*length, (unsigned long long)size);
        return false;
    }
    return true;
}

bool st_parse(const void *memory, size_t size, st_file *out, char why[ST_WHY_SIZE])
{
    const uint8_t *bytes = memory;
    const char *header = (const char *)bytes + PREFIX_BYTES, *end = NULL, *fault;
    uint64_t length;

    memset(out, 0, sizeof *out);
    if (!header_length(bytes, size, &length, why)) {
        return false;
    }
    fault = json_guard(header, (size_t)length, DEPTH_MAX, VALUES_MAX);
    if (fault) {
        snprintf(why, ST_WHY_SIZE, "the header %s", fault);
        return false;
    }
    out->tree = cJSON_ParseWithLengthOpts(header, (size_t)length, &end, 0);
    while (out->tree && end < header + length && strchr(" \t\r\n", *end)) {
        end++; /* headers are padded with spaces */
    }
    if (!out->tree || end != header + length) {
        snprintf(why, ST_WHY_SIZE, "the header is no JSON near byte %llu",
                 (unsigned long long)(end ? end - header : 0));
    } else if (read_tree(out, bytes + PREFIX_BYTES + length, size - PREFIX_BYTES - length, why)) {
        return true;
    }
    st_close(out);
    return false;
}

/* The bytes of PATH, NULL with `why` on failure. Placed so that the tensors, which follow the
 * header, start at an aligned address whatever the header's length. */
static void *read_file(const char *path, size_t *size, uint8_t **start, char *why)
{
    uint8_t prefix[PREFIX_BYTES], *memory = NULL;
    uint64_t length;
    struct stat info;
    FILE *file = fopen(path, "rb");

    if (!file || fstat(fileno(file), &info) != 0) {
        snprintf(why, ST_WHY_SIZE, "%s", strerror(errno));
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        snprintf(why, ST_WHY_SIZE, "it is not a plain file");
        goto done;
    }
    *size = (size_t)info.st_size;
    size_t got = fread(prefix, 1, sizeof prefix, file);
    if (!header_length(prefix, got < sizeof prefix ? got : *size, &length, why)) {
        goto done;
    }
    size_t lead = (size_t)(16 - (PREFIX_BYTES + length) % 16);
    memory = malloc(*size + lead); /* malloc aligns to 16 */
    if (!memory) {
        snprintf(why, ST_WHY_SIZE, "out of memory for its %llu bytes", (unsigned long long)*size);
        goto done;
    }
    *start = memory + lead;
    memcpy(*start, prefix, sizeof prefix);
    if (fread(*start + PREFIX_BYTES, 1, *size - PREFIX_BYTES, file) != *size - PREFIX_BYTES) {
        snprintf(why, ST_WHY_SIZE, "%s", ferror(file) ? strerror(errno) : "it shrank while read");
        free(memory);
        memory = NULL;
    }
done:
    if (file) {
        fclose(file);
    }
    return memory;
}

bool st_open(const char *path, st_file *out, char why[ST_WHY_SIZE])
{
    size_t size = 0;
    uint8_t *start = NULL;
    void *memory = read_file(path, &size, &start, why);
    if (!memory) {
        return false;
    }
    if (!st_parse(start, size, out, why)) {
        free(memory);
        return false;
    }
    out->memory = memory;
    return true;
}

void st_close(st_file *file)
{
    cJSON_Delete(file->tree);
    free(file->tensors);
    free(file->metadata);
    free(file->memory);
    memset(file, 0, sizeof *file);
}

const st_tensor *st_find(const st_file *file, const char *name)
{
    st_tensor key = {.name = name};
    return file->tensor_count
               ? bsearch(&key, file->tensors, file->tensor_count, sizeof key, by_name)
               : NULL;
}

const char *st_metadata(const st_file *file, const char *key)
{
    for (size_t i = 0; i < file->metadata_count; i++) {
        if (strcmp(file->metadata[i].key, key) == 0) {
            return file->metadata[i].value;
        }
    }
    return NULL;
}
