/* folder.c: a Hugging Face folder: config.json, preprocessor_config.json, and model.safetensors or
 * the shards that model.safetensors.index.json names.
 *
 * A safetensors file: length of the header u64 (little endian), the header (JSON: of each tensor
 * dtype, shape and data_offsets, and __metadata__), the data, every byte of which belongs to one
 * tensor.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "numbers.h"
#include "ops_args.h"
#include "weights_private.h"

enum { PREFIX_BYTES = 8, KEY_MOST = 255, SHARDS_MOST = 1024 };

#define CONVERT "convert or fetch the model again"

/* --- settings -------------------------------------------------------------------------------- */

typedef struct flat {
    wn_weights *w;
    const wn_json *json;
    winnow_status status;
    char key[KEY_MOST + 1];
} flat;

/* Numbers in it, counted and, where `items` is given, written; -1: it holds something else too.
 * Lists of lists count as one list: image_grid_pinpoints is [[336, 672], ...]. */
static int64_t flat_numbers(const wn_json *json, const wn_json_node *node, unsigned char *items)
{
    int64_t count = 0;
    if (node->type != WN_JSON_ARRAY)
        return -1;
    for (uint32_t i = (uint32_t)(node - json->nodes) + 1; i < node->next; ++i) {
        const wn_json_node *item = &json->nodes[i];
        if (item->type == WN_JSON_ARRAY)
            continue;
        if (item->type != WN_JSON_NUMBER && item->type != WN_JSON_BOOL)
            return -1;
        if (items) {
            uint64_t bits;
            memcpy(&bits, &item->number, sizeof bits);
            for (int b = 0; b < 8; ++b)
                items[8 * count + b] = (unsigned char)(bits >> 8 * b);
        }
        ++count;
    }
    return count;
}

static winnow_status fill_setting(wn_weights *w, const wn_json *json, const wn_json_node *node,
                                  wn_setting *setting)
{
    const int64_t numbers = flat_numbers(json, node, NULL);
    if (node->type == WN_JSON_NUMBER || node->type == WN_JSON_BOOL) {
        setting->kind = WN_SETTING_NUMBER;
        setting->number = node->number;
    } else if (node->type == WN_JSON_TEXT) {
        setting->kind = WN_SETTING_TEXT;
        setting->text = wn_weights_keep_text(w, node->text, strlen(node->text));
        return setting->text ? WINNOW_OK : wn_weights_no_memory(w, w->path);
    } else if (numbers >= 0) {
        unsigned char *items = wn_weights_keep(w, 8 * (size_t)numbers);
        if (!items)
            return wn_weights_no_memory(w, w->path);
        flat_numbers(json, node, items);
        setting->kind = WN_SETTING_NUMBERS;
        setting->value_type = WN_VALUE_F64;
        setting->count = (uint32_t)numbers;
        setting->items = items;
    }
    return WINNOW_OK;
}

static void flatten(flat *f, const wn_json_node *node, size_t length);

/* Under "KEY.part". A key longer than any that is asked for is left out: keys in keys could grow
 * beyond the file. */
static void flatten_under(flat *f, const char *part, const wn_json_node *node, size_t length)
{
    const int more = snprintf(f->key + length, sizeof f->key - length, ".%s", part);
    if (more > 0 && (size_t)more < sizeof f->key - length)
        flatten(f, node, length + (size_t)more);
}

/* Objects by their keys; lists that are not all numbers by place: "config.architectures.0". */
static void flatten(flat *f, const wn_json_node *node, size_t length)
{
    const wn_json_node *nodes = f->json->nodes;
    const uint32_t first = (uint32_t)(node - nodes) + 1;
    if (f->status != WINNOW_OK)
        return;
    if (node->type == WN_JSON_OBJECT) {
        for (uint32_t k = first; k < node->next; k = nodes[k + 1].next)
            flatten_under(f, nodes[k].text, &nodes[k + 1], length);
    } else if (node->type == WN_JSON_ARRAY && flat_numbers(f->json, node, NULL) < 0) {
        char number[16];
        uint32_t place = 0;
        for (uint32_t i = first; i < node->next; i = nodes[i].next) {
            snprintf(number, sizeof number, "%u", place++);
            flatten_under(f, number, &nodes[i], length);
        }
    } else {
        f->key[length] = '\0';
        const char *key = wn_weights_keep_text(f->w, f->key, length);
        wn_setting *setting;
        f->status = key ? wn_weights_add_setting(f->w, key, &setting)
                        : wn_weights_no_memory(f->w, f->w->path);
        if (f->status == WINNOW_OK)
            f->status = fill_setting(f->w, f->json, node, setting);
    }
}

winnow_status wn_json_settings(wn_weights *w, const wn_bytes *file, const char *prefix)
{
    wn_json json;
    WN_TRY(wn_json_read(&w->host, wn_weights_kind(w), file->name, file->bytes, file->size, &json));
    flat f = {.w = w, .json = &json, .status = WINNOW_OK};
    if (json.nodes->type == WN_JSON_OBJECT)
        flatten(&f, json.nodes, (size_t)snprintf(f.key, sizeof f.key, "%s", prefix));
    else
        f.status = wn_fail(&w->host, WINNOW_E_FILE,
                           "folder: %.300s: it is no JSON object (" CONVERT ")", file->name);
    wn_json_free(&w->host, &json);
    return f.status;
}

/* --- safetensors ----------------------------------------------------------------------------- */

typedef struct shard {
    wn_weights *w;
    const wn_bytes *file;
    wn_json json;
    const unsigned char *data;
    uint64_t data_bytes;
    uint64_t used; /* bytes of the data in tensors: all of it, if none overlap */
    uint32_t number;
} shard;

static winnow_status refuse(const shard *s, const char *tensor, const char *what)
{
    return wn_fail(&s->w->host, WINNOW_E_FILE, "%s: %.300s: tensor \"%.80s\" %s (" CONVERT ")",
                   wn_weights_kind(s->w), s->file->name, tensor, what);
}

static const struct {
    const char *name;
    uint32_t type; /* WN_NONE: not read */
    uint32_t bytes;
} dtypes[] = {
    {"F32", WN_FILE_F32, 4}, {"F16", WN_FILE_F16, 2}, {"BF16", WN_FILE_BF16, 2},
    {"BOOL", WN_NONE, 1},    {"U8", WN_NONE, 1},      {"I8", WN_NONE, 1},
    {"I16", WN_NONE, 2},     {"U16", WN_NONE, 2},     {"I32", WN_NONE, 4},
    {"U32", WN_NONE, 4},     {"I64", WN_NONE, 8},     {"U64", WN_NONE, 8},
    {"F64", WN_NONE, 8},
};

static winnow_status read_dtype(shard *s, const wn_json_node *node, wn_entry *entry)
{
    if (!node || node->type != WN_JSON_TEXT)
        return refuse(s, entry->tensor.name, "has no dtype");
    entry->tensor.type = WN_NONE;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; ++i)
        if (strcmp(dtypes[i].name, node->text) == 0)
            entry->tensor.type = dtypes[i].type;
    if (entry->tensor.type != WN_NONE)
        return WINNOW_OK;
    entry->unread = wn_weights_keep_text(s->w, node->text, strlen(node->text));
    return entry->unread ? WINNOW_OK : wn_weights_no_memory(s->w, s->file->name);
}

static winnow_status read_shape(shard *s, const wn_json_node *node, wn_tensor *t)
{
    if (!node || node->type != WN_JSON_ARRAY)
        return refuse(s, t->name, "has no shape");
    if (node->size > WN_TENSOR_RANK_MOST)
        return refuse(s, t->name, "has more than 6 dimensions");
    for (uint32_t i = 0; i < node->size; ++i)
        if (!wn_json_whole(node + 1 + i, &t->shape[i]))
            return refuse(s, t->name, "has a dimension that is no whole number");
    t->rank = node->size;
    return WINNOW_OK;
}

/* Bytes that the shape takes; 0: a dtype that nobody here knows, whose bytes are as the offsets
 * say. */
static winnow_status measure(const shard *s, const char *dtype, const wn_entry *entry,
                             uint64_t *bytes)
{
    wn_tensor t = entry->tensor;
    *bytes = 0;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; ++i)
        if (strcmp(dtypes[i].name, dtype) == 0)
            *bytes = dtypes[i].bytes;
    for (uint32_t i = 0; i < t.rank; ++i)
        if (__builtin_mul_overflow(*bytes, t.shape[i], bytes))
            return refuse(s, t.name, "has more bytes than 64 bits count");
    return WINNOW_OK;
}

static winnow_status read_place(shard *s, const wn_json_node *node, const char *dtype,
                                wn_entry *entry)
{
    wn_tensor *t = &entry->tensor;
    uint64_t begin, end, bytes = 0;
    if (!node || node->type != WN_JSON_ARRAY || node->size != 2 ||
        !wn_json_whole(node + 1, &begin) || !wn_json_whole(node + 2, &end) || begin > end)
        return refuse(s, t->name, "has no data_offsets of two rising whole numbers");
    if (end > s->data_bytes)
        return refuse(s, t->name, "ends after the file does");
    WN_TRY(entry->unread ? measure(s, dtype, entry, &bytes)
                         : wn_tensor_measure(s->w, s->file->name, t));
    if (!entry->unread)
        bytes = t->bytes;
    if (bytes != end - begin && bytes)
        return refuse(s, t->name, "has data_offsets that do not fit its dtype and shape");
    t->data = s->data + begin;
    t->bytes = end - begin;
    s->used += t->bytes;
    return WINNOW_OK;
}

static winnow_status read_tensor(shard *s, const wn_json_node *key)
{
    const wn_json_node *object = key + 1;
    wn_entry *entry;
    if (object->type != WN_JSON_OBJECT)
        return refuse(s, key->text, "is no JSON object");
    WN_TRY(wn_weights_add(s->w, &entry));
    entry->file = s->number;
    entry->tensor.name = wn_weights_keep_text(s->w, key->text, strlen(key->text));
    if (!entry->tensor.name)
        return wn_weights_no_memory(s->w, s->file->name);
    const wn_json_node *dtype = wn_json_find(&s->json, object, "dtype");
    WN_TRY(read_dtype(s, dtype, entry));
    WN_TRY(read_shape(s, wn_json_find(&s->json, object, "shape"), &entry->tensor));
    return read_place(s, wn_json_find(&s->json, object, "data_offsets"), dtype->text, entry);
}

static winnow_status read_metadata(shard *s, const wn_json_node *node)
{
    flat f = {.w = s->w, .json = &s->json, .status = WINNOW_OK, .key = "metadata"};
    flatten(&f, node, strlen(f.key));
    return f.status;
}

static winnow_status read_header(shard *s)
{
    const wn_json_node *nodes = s->json.nodes;
    if (nodes->type != WN_JSON_OBJECT)
        return wn_fail(&s->w->host, WINNOW_E_FILE,
                       "%s: %.300s: its header is no JSON object (" CONVERT ")",
                       wn_weights_kind(s->w), s->file->name);
    for (uint32_t k = 1; k < nodes->next; k = nodes[k + 1].next) {
        if (strcmp(nodes[k].text, "__metadata__") != 0)
            WN_TRY(read_tensor(s, &nodes[k]));
        else if (s->w->lone)
            WN_TRY(read_metadata(s, &nodes[k + 1]));
    }
    if (s->used <
        s->data_bytes) /* more than all of it: some overlap, and wn_weights_finish says which */
        return wn_fail(&s->w->host, WINNOW_E_FILE,
                       "%s: %.300s: %llu of its bytes belong to no tensor (" CONVERT ")",
                       wn_weights_kind(s->w), s->file->name,
                       (unsigned long long)(s->data_bytes - s->used));
    return WINNOW_OK;
}

winnow_status wn_safetensors_read(wn_weights *w, const wn_bytes *file, uint32_t number)
{
    shard s = {.w = w, .file = file, .number = number};
    uint64_t length = 0;
    for (uint32_t i = PREFIX_BYTES; file->size >= PREFIX_BYTES && i-- > 0;)
        length = length << 8 | file->bytes[i];
    if (file->size < PREFIX_BYTES || length > file->size - PREFIX_BYTES)
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "%s: %.300s: its header claims %llu bytes in a file of %llu (it is no "
                       "safetensors file or was cut short: fetch it again)",
                       wn_weights_kind(w), file->name, (unsigned long long)length,
                       (unsigned long long)file->size);
    s.data = file->bytes + PREFIX_BYTES + length;
    s.data_bytes = file->size - PREFIX_BYTES - length;
    WN_TRY(wn_json_read(&w->host, wn_weights_kind(w), file->name, file->bytes + PREFIX_BYTES, length,
                        &s.json));
    const winnow_status status = read_header(&s);
    wn_json_free(&w->host, &s.json);
    return status;
}

/* --- the folder ------------------------------------------------------------------------------ */

static const char *path_in(wn_weights *w, const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = wn_weights_keep(w, size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    else
        wn_weights_no_memory(w, folder);
    return path;
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* must: fails where the file is not there; else that is fine. */
static winnow_status read_settings(wn_weights *w, const char *folder, const char *name,
                                   const char *prefix, bool must)
{
    wn_bytes file;
    const char *path = path_in(w, folder, name);
    if (!path)
        return WINNOW_E_HOST_MEMORY;
    if (!must && !exists(path))
        return WINNOW_OK;
    WN_TRY(wn_weights_map(w, path, &file));
    return wn_json_settings(w, &file, prefix);
}

static winnow_status read_shard(wn_weights *w, const char *folder, const char *name,
                                uint32_t number)
{
    wn_bytes file;
    const char *path = path_in(w, folder, name);
    if (!path)
        return WINNOW_E_HOST_MEMORY;
    WN_TRY(wn_weights_map(w, path, &file));
    return wn_safetensors_read(w, &file, number);
}

typedef struct shards {
    const char **names;
    uint32_t count;
} shards;

/* Number of a shard's name, a new one at the end. An index lists tensors of a shard together, so
 * the last is tried first. */
static winnow_status shard_number(wn_weights *w, const char *index, shards *s, const char *name,
                                  uint32_t *out)
{
    for (uint32_t i = s->count; i-- > 0;)
        if (strcmp(s->names[i], name) == 0) {
            *out = i;
            return WINNOW_OK;
        }
    if (*name == '\0' || *name == '.' || strchr(name, '/'))
        return wn_fail(
            &w->host, WINNOW_E_FILE,
            "folder: %.300s: shard \"%.80s\" is no name of a file in the folder (" CONVERT ")",
            index, name);
    if (s->count == SHARDS_MOST)
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "folder: %.300s: it names more than 1024 shards (" CONVERT ")", index);
    *out = s->count;
    s->names[s->count++] = name;
    return WINNOW_OK;
}

/* The shards that the index names, once each, then each of its tensors against what the shards
 * hold. */
static winnow_status read_map(wn_weights *w, const char *folder, const char *index,
                              const wn_json *json, shards *s)
{
    const wn_json_node *map = wn_json_find(json, json->nodes, "weight_map"), *nodes = json->nodes;
    uint32_t number;
    if (!map || map->type != WN_JSON_OBJECT)
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "folder: %.300s: it has no \"weight_map\" (" CONVERT ")", index);
    const uint32_t first = (uint32_t)(map - nodes) + 1;
    for (uint32_t k = first; k < map->next; k = nodes[k + 1].next) {
        if (nodes[k + 1].type != WN_JSON_TEXT)
            return wn_fail(&w->host, WINNOW_E_FILE,
                           "folder: %.300s: tensor \"%.80s\" has no name of a shard (" CONVERT ")",
                           index, nodes[k].text);
        const uint32_t before = s->count;
        WN_TRY(shard_number(w, index, s, nodes[k + 1].text, &number));
        if (s->count > before)
            WN_TRY(read_shard(w, folder, nodes[k + 1].text, number));
    }
    WN_TRY(wn_weights_finish(w, folder)); /* by name from here on */
    for (uint32_t k = first; k < map->next; k = nodes[k + 1].next) {
        const wn_entry *entry = wn_weights_entry(w, nodes[k].text);
        WN_TRY(shard_number(w, index, s, nodes[k + 1].text, &number));
        if (!entry || entry->file != number)
            return wn_fail(
                &w->host, WINNOW_E_FILE,
                "folder: %.300s: tensor \"%.80s\" should be in %.80s and is not (fetch both "
                "again)",
                index, nodes[k].text, nodes[k + 1].text);
    }
    return WINNOW_OK;
}

static winnow_status read_shards(wn_weights *w, const char *folder, const char *index)
{
    wn_bytes file;
    wn_json json;
    shards s = {0};
    WN_TRY(wn_weights_map(w, index, &file));
    s.names = wn_weights_keep(w, SHARDS_MOST * sizeof *s.names);
    if (!s.names)
        return wn_weights_no_memory(w, index);
    WN_TRY(wn_json_read(&w->host, wn_weights_kind(w), index, file.bytes, file.size, &json));
    const winnow_status status = read_map(w, folder, index, &json, &s);
    wn_json_free(&w->host, &json); /* the names in `s` with it: they are not asked for again */
    return status;
}

winnow_status wn_folder_read(wn_weights *w, const char *folder)
{
    WN_TRY(read_settings(w, folder, "config.json", "config", true));
    WN_TRY(read_settings(w, folder, "preprocessor_config.json", "preprocessor", false));
    const char *whole = path_in(w, folder, "model.safetensors");
    const char *index = path_in(w, folder, "model.safetensors.index.json");
    if (!whole || !index)
        return WINNOW_E_HOST_MEMORY;
    if (exists(whole))
        return read_shard(w, folder, "model.safetensors", 0);
    if (exists(index))
        return read_shards(w, folder, index);
    return wn_fail(
        &w->host, WINNOW_E_FILE,
        "folder: %.300s: it has neither model.safetensors nor model.safetensors.index.json (other "
        "formats are not read: convert the model to safetensors)",
        folder);
}
