/* weights.c: the index that gguf.c and folder.c fill, and what is asked of it.
 *
 * A file that another process shortens while it is mapped ends this one (SIGBUS), as for every
 * program that maps its model: what is checked here holds for the file as it was opened.
 */
#include "weights_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops_args.h"

enum { BLOCK_BYTES = 64 << 10, FIRST_ROOM = 64, SORT_BYTES_MOST = 192 };

const char *wn_weights_kind(const wn_weights *w)
{
    return w->gguf ? "gguf" : w->lone ? "safetensors" : "folder";
}

winnow_status wn_weights_no_memory(const wn_weights *w, const char *name)
{
    return wn_fail(&w->host, WINNOW_E_HOST_MEMORY, "%s: %.300s: no memory for its index",
                   wn_weights_kind(w), name);
}

/* --- memory ---------------------------------------------------------------------------------- */

void *wn_weights_keep(wn_weights *w, size_t bytes)
{
    const size_t head = (sizeof(wn_block) + 15) / 16 * 16;
    if (bytes > SIZE_MAX / 2)
        return NULL;
    const size_t want = (bytes + 15) / 16 * 16;
    wn_block *block = w->blocks;
    if (!block || block->room - block->used < want) {
        const size_t room = want > BLOCK_BYTES ? want : BLOCK_BYTES;
        block = wn_alloc(&w->host, head + room);
        if (!block)
            return NULL;
        *block = (wn_block){.next = w->blocks, .room = room};
        w->blocks = block;
    }
    void *memory = (unsigned char *)block + head + block->used;
    block->used += want;
    return memory;
}

const char *wn_weights_keep_text(wn_weights *w, const void *text, size_t length)
{
    char *copy = wn_weights_keep(w, length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

/* The index grows with what was read, never by a count that a header claims. */
static bool grow(const wn_host *host, void **items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return true;
    if (*room > UINT32_MAX / 2)
        return false;
    const uint32_t wanted = *room ? *room * 2 : FIRST_ROOM;
    void *more = wn_alloc(host, (size_t)wanted * size);
    if (!more)
        return false;
    if (count)
        memcpy(more, *items, (size_t)count * size);
    wn_free(host, *items);
    *items = more;
    *room = wanted;
    return true;
}

winnow_status wn_weights_add(wn_weights *w, wn_entry **out)
{
    void *items = w->entries;
    const bool grown = grow(&w->host, &items, w->entry_count, &w->entry_room, sizeof **out);
    w->entries = items;
    if (!grown)
        return wn_weights_no_memory(w, w->path);
    *out = &w->entries[w->entry_count++];
    return WINNOW_OK;
}

winnow_status wn_weights_add_setting(wn_weights *w, const char *key, wn_setting **out)
{
    void *items = w->settings;
    const bool grown = grow(&w->host, &items, w->setting_count, &w->setting_room, sizeof **out);
    w->settings = items;
    if (!grown)
        return wn_weights_no_memory(w, w->path);
    *out = &w->settings[w->setting_count++];
    (*out)->key = key;
    return WINNOW_OK;
}

/* --- order ----------------------------------------------------------------------------------- */

static void swap(unsigned char *a, unsigned char *b, size_t size)
{
    unsigned char held[SORT_BYTES_MOST];
    memcpy(held, a, size);
    memcpy(a, b, size);
    memcpy(b, held, size);
}

static void sift(unsigned char *items, size_t root, size_t count, size_t size,
                 int (*compare)(const void *, const void *))
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count)
            return;
        if (child + 1 < count && compare(items + child * size, items + (child + 1) * size) < 0)
            ++child;
        if (compare(items + root * size, items + child * size) >= 0)
            return;
        swap(items + root * size, items + child * size, size);
        root = child;
    }
}

void wn_sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    unsigned char *bytes = items;
    for (size_t i = count / 2; i-- > 0;)
        sift(bytes, i, count, size, compare);
    for (size_t end = count; end-- > 1;) {
        swap(bytes, bytes + end * size, size);
        sift(bytes, 0, end, size, compare);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const wn_entry *)a)->tensor.name, ((const wn_entry *)b)->tensor.name);
}

static int by_use_and_name(const void *a, const void *b)
{
    const int x = ((const wn_entry *)a)->unread != NULL, y = ((const wn_entry *)b)->unread != NULL;
    return x != y ? x - y : by_name(a, b);
}

/* What has no data (a type of unknown size) is before all. */
static int by_place(const void *a, const void *b)
{
    const wn_tensor *x = &((const wn_entry *)a)->tensor, *y = &((const wn_entry *)b)->tensor;
    const uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    return p != q ? (p > q) - (p < q) : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const wn_setting *)a)->key, ((const wn_setting *)b)->key);
}

static winnow_status refuse_overlap(wn_weights *w, const char *name)
{
    _Static_assert(sizeof(wn_entry) <= SORT_BYTES_MOST, "swap() holds one");
    wn_sort(w->entries, w->entry_count, sizeof *w->entries, by_place);
    for (uint32_t i = 1; i < w->entry_count; ++i) {
        const wn_tensor *before = &w->entries[i - 1].tensor, *after = &w->entries[i].tensor;
        if ((uintptr_t)after->data - (uintptr_t)before->data < before->bytes)
            return wn_fail(
                &w->host, WINNOW_E_FILE,
                "%s: %.300s: tensors \"%.80s\" and \"%.80s\" overlap (the file is damaged: "
                "fetch or convert it again)",
                wn_weights_kind(w), name, before->name, after->name);
    }
    return WINNOW_OK;
}

winnow_status wn_weights_finish(wn_weights *w, const char *name)
{
    WN_TRY(refuse_overlap(w, name));
    wn_sort(w->entries, w->entry_count, sizeof *w->entries, by_name);
    for (uint32_t i = 1; i < w->entry_count; ++i)
        if (by_name(&w->entries[i - 1], &w->entries[i]) == 0)
            return wn_fail(&w->host, WINNOW_E_FILE,
                           "%s: %.300s: tensor \"%.80s\" is there twice (convert the model again)",
                           wn_weights_kind(w), name, w->entries[i].tensor.name);
    wn_sort(w->entries, w->entry_count, sizeof *w->entries, by_use_and_name);
    for (w->count = 0; w->count < w->entry_count && !w->entries[w->count].unread;)
        ++w->count;
    wn_sort(w->settings, w->setting_count, sizeof *w->settings, by_key);
    for (uint32_t i = 1; i < w->setting_count; ++i)
        if (by_key(&w->settings[i - 1], &w->settings[i]) == 0)
            return wn_fail(&w->host, WINNOW_E_FILE,
                           "%s: %.300s: key \"%.80s\" is there twice (remove one)",
                           wn_weights_kind(w), name, w->settings[i].key);
    return WINNOW_OK;
}

winnow_status wn_tensor_measure(const wn_weights *w, const char *name, wn_tensor *t)
{
    uint32_t block_bytes;
    const uint32_t block = wn_file_type_block(t->type, &block_bytes);
    const uint64_t cols = t->rank ? t->shape[t->rank - 1] : 1;
    t->elements = 1;
    for (uint32_t i = 0; i < t->rank; ++i) {
        if (t->shape[i] == 0)
            return wn_fail(
                &w->host, WINNOW_E_FILE,
                "%s: %.300s: tensor \"%.80s\" has a dimension of 0 (convert the model again)",
                wn_weights_kind(w), name, t->name);
        if (__builtin_mul_overflow(t->elements, t->shape[i], &t->elements))
            return wn_fail(&w->host, WINNOW_E_FILE,
                           "%s: %.300s: tensor \"%.80s\" has more elements than 64 bits count (the "
                           "file is damaged: fetch it again)",
                           wn_weights_kind(w), name, t->name);
    }
    if (cols % block)
        return wn_fail(
            &w->host, WINNOW_E_FILE,
            "%s: %.300s: tensor \"%.80s\" has rows of %llu elements, but %s comes in blocks "
            "of %u (convert it to F16)",
            wn_weights_kind(w), name, t->name, (unsigned long long)cols, wn_file_type_name(t->type),
            block);
    if (__builtin_mul_overflow(t->elements / block, (uint64_t)block_bytes, &t->bytes))
        return wn_fail(
            &w->host, WINNOW_E_FILE,
            "%s: %.300s: tensor \"%.80s\" has more bytes than 64 bits count (the file is "
            "damaged: fetch it again)",
            wn_weights_kind(w), name, t->name);
    return WINNOW_OK;
}

/* --- opening --------------------------------------------------------------------------------- */

static winnow_status refuse_path(const wn_weights *w, const char *path, const char *why)
{
    return wn_fail(&w->host, WINNOW_E_FILE, "%s: %.300s: %s", wn_weights_kind(w), path, why);
}

static winnow_status map_descriptor(wn_weights *w, const char *path, int file, wn_bytes *out)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return refuse_path(w, path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return refuse_path(w, path, "it is no plain file (give the path of a model file)");
    if (info.st_size == 0)
        return refuse_path(w, path, "it is empty (fetch it again)");
    if ((uint64_t)info.st_size > SIZE_MAX / 2)
        return refuse_path(w, path, "it is larger than this machine can map");
    wn_mapping *mapping = wn_weights_keep(w, sizeof *mapping);
    if (!mapping)
        return wn_weights_no_memory(w, path);
    const size_t size = (size_t)info.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED)
        return refuse_path(w, path, strerror(errno));
    *mapping = (wn_mapping){.next = w->mappings, .bytes = bytes, .size = size};
    w->mappings = mapping;
    *out = (wn_bytes){.name = path, .bytes = bytes, .size = size};
    return WINNOW_OK;
}

winnow_status wn_weights_map(wn_weights *w, const char *path, wn_bytes *out)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return wn_fail(&w->host, WINNOW_E_FILE, "%s: %.300s: %s (check the path)",
                       wn_weights_kind(w), path, strerror(errno));
    if (!S_ISREG(info.st_mode)) /* before the open: to open a device may do something */
        return refuse_path(w, path, "it is no plain file (give the path of a model file)");
    /* Should it have become a pipe since, NONBLOCK keeps the open from waiting. */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return wn_fail(&w->host, WINNOW_E_FILE, "%s: %.300s: %s (check its permissions)",
                       wn_weights_kind(w), path, strerror(errno));
    const winnow_status status = map_descriptor(w, path, file, out);
    close(file);
    return status;
}

static winnow_status open_file(wn_weights *w)
{
    wn_bytes file;
    w->gguf = true;
    WN_TRY(wn_weights_map(w, w->path, &file));
    w->lone = file.size > 8 && memcmp(file.bytes, "GGUF", 4) != 0 && file.bytes[8] == '{';
    w->gguf = !w->lone; /* a file that starts as neither is refused by the GGUF reader */
    return w->lone ? wn_safetensors_read(w, &file, 0) : wn_gguf_read(w, &file);
}

winnow_status wn_weights_open(const wn_host *host, const char *path, wn_weights **out)
{
    struct stat info;
    if (!path || !out)
        return wn_fail(host, WINNOW_E_ARGUMENT, "weights: no path (give a GGUF file or a folder)");
    *out = NULL;
    wn_weights *w = wn_alloc(host, sizeof *w);
    if (!w)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "weights: no memory");
    w->host = *host;
    w->path = wn_weights_keep_text(w, path, strlen(path));
    winnow_status status = w->path ? WINNOW_OK : wn_weights_no_memory(w, path);
    if (status == WINNOW_OK && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        status = wn_folder_read(w, w->path);
    else if (status == WINNOW_OK)
        status = open_file(w);
    if (status == WINNOW_OK)
        status = wn_weights_finish(w, w->path);
    if (status == WINNOW_OK)
        *out = w;
    else
        wn_weights_close(w);
    return status;
}

void wn_weights_unmap(wn_weights *w)
{
    for (wn_mapping *m = w->mappings; m; m = m->next)
        munmap((void *)(uintptr_t)m->bytes, m->size);
    w->mappings = NULL;
}

void wn_weights_release(wn_weights *w)
{
    wn_weights_unmap(w);
    for (wn_block *next, *block = w->blocks; block; block = next) {
        next = block->next;
        wn_free(&w->host, block);
    }
    wn_free(&w->host, w->entries);
    wn_free(&w->host, w->settings);
}

void wn_weights_close(wn_weights *w)
{
    if (!w)
        return;
    const wn_host host = w->host;
    wn_weights_release(w);
    wn_free(&host, w);
}

/* --- questions ------------------------------------------------------------------------------- */

bool wn_weights_is_gguf(const wn_weights *w)
{
    return w->gguf;
}

const char *wn_weights_path(const wn_weights *w)
{
    return w->path;
}

uint32_t wn_weights_count(const wn_weights *w)
{
    return w->count;
}

const wn_tensor *wn_weights_at(const wn_weights *w, uint32_t i)
{
    return i < w->count ? &w->entries[i].tensor : NULL;
}

/* Of entries[from .. to), by name. */
static const wn_entry *find_entry(const wn_weights *w, uint32_t from, uint32_t to, const char *name)
{
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        const int order = strcmp(name, w->entries[middle].tensor.name);
        if (order == 0)
            return &w->entries[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

const wn_entry *wn_weights_entry(const wn_weights *w, const char *name)
{
    const wn_entry *entry = find_entry(w, 0, w->count, name);
    return entry ? entry : find_entry(w, w->count, w->entry_count, name);
}

winnow_status wn_weights_find(const wn_weights *w, const char *name, const wn_tensor **out)
{
    const wn_entry *entry = wn_weights_entry(w, name);
    *out = entry && !entry->unread ? &entry->tensor : NULL;
    if (!entry || !entry->unread)
        return WINNOW_OK;
    return wn_fail(
        &w->host, WINNOW_E_FILE,
        "%s: %.300s: tensor \"%.80s\" is of type %.40s, which is not read (convert it to %s)",
        wn_weights_kind(w), w->path, name, entry->unread,
        w->gguf ? "F32, F16, BF16, Q4_0, Q8_0, Q4_K, Q5_K or Q6_K" : "F32, F16 or BF16");
}

static const wn_setting *find_setting(const wn_weights *w, const char *key, uint32_t kind)
{
    uint32_t from = 0, to = w->setting_count;
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        const wn_setting *setting = &w->settings[middle];
        const int order = strcmp(key, setting->key);
        if (order == 0)
            return setting->kind == kind ? setting : NULL;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

bool wn_setting_number(const wn_weights *w, const char *key, double *out)
{
    const wn_setting *setting = find_setting(w, key, WN_SETTING_NUMBER);
    if (setting)
        *out = setting->number;
    return setting != NULL;
}

bool wn_setting_text(const wn_weights *w, const char *key, const char **out)
{
    const wn_setting *setting = find_setting(w, key, WN_SETTING_TEXT);
    if (setting)
        *out = setting->text;
    return setting != NULL;
}

bool wn_setting_numbers(const wn_weights *w, const char *key, double *out, uint32_t *count)
{
    const wn_setting *setting = find_setting(w, key, WN_SETTING_NUMBERS);
    if (!setting)
        return false;
    if (setting->count < *count)
        *count = setting->count;
    for (uint32_t i = 0; i < *count; ++i)
        out[i] = wn_value_number(setting->value_type, setting->items, i);
    return true;
}
