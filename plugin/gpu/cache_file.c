/* cache_file.c: what a file of pipelines holds. Knows no Vulkan, reads and writes no file. */
#include <string.h>

#include "gpu/cache.h"

static const char magic[8] = "WNPIPE\r\n"; /* a transfer as text shows */
enum { FORMAT = 1 };

/* As it lies in the file, in the machine's own byte order: another order is another magic word. */
typedef struct header {
    char magic[sizeof magic];
    uint32_t format, header_bytes;
    wn_cache_key key;
    uint64_t name_count, data_bytes; /* names, then data */
    uint64_t sum;                    /* of the header with 0 here, and of what follows it */
} header;
_Static_assert(sizeof(header) == 8 + 8 + sizeof(wn_cache_key) + 24, "no padding in a file");
_Static_assert(sizeof(header) % sizeof(uint64_t) == 0, "names are aligned");

/* 64 bits over words of eight bytes, the last one filled up with zeros. */
static uint64_t sum_of(uint64_t sum, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, at + i, bytes - i < 8 ? bytes - i : 8);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 29;
    }
    return sum;
}

static uint64_t file_sum(const header *h, const void *rest, size_t bytes)
{
    header plain = *h;
    plain.sum = 0;
    return sum_of(sum_of(0, &plain, sizeof plain), rest, bytes);
}

uint64_t wn_cache_name(const void *code, size_t code_bytes, const void *constants,
                       size_t constant_bytes)
{
    return sum_of(sum_of(code_bytes, code, code_bytes), constants, constant_bytes);
}

/* Do the sizes that it names make up the file? Large ones must not overflow. */
static const char *check_sizes(const header *h, size_t bytes)
{
    const uint64_t rest = bytes - sizeof *h;
    if (h->name_count > rest / sizeof(uint64_t) ||
        h->data_bytes > rest - h->name_count * sizeof(uint64_t))
        return "it is cut short";
    return h->data_bytes < rest - h->name_count * sizeof(uint64_t) ? "it is longer than it says"
                                                                   : NULL;
}

const char *wn_cache_parse(const wn_cache_key *key, const void *file, size_t bytes,
                           wn_cache_content *out)
{
    header h;
    *out = (wn_cache_content){0};
    if (bytes < sizeof h.magic || memcmp(file, magic, sizeof magic) != 0)
        return "it is no file of Winnow's pipelines";
    if (bytes < sizeof h)
        return "it is cut short";
    memcpy(&h, file, sizeof h);
    if (h.format != FORMAT || h.header_bytes != sizeof h)
        return "it is of another version of Winnow";
    const char *why = check_sizes(&h, bytes);
    if (why)
        return why;
    const unsigned char *rest = (const unsigned char *)file + sizeof h;
    if (h.sum != file_sum(&h, rest, bytes - sizeof h))
        return "it is damaged";
    if (memcmp(h.key.version, key->version, sizeof h.key.version) != 0)
        return "it is of another version of Winnow";
    if (memcmp(&h.key, key, sizeof h.key) != 0)
        return "it is of another device or driver";
    out->names = (const uint64_t *)((const char *)file + sizeof h);
    out->name_count = (size_t)h.name_count;
    out->data = rest + h.name_count * sizeof *out->names;
    out->data_bytes = (size_t)h.data_bytes;
    return NULL;
}

void *wn_cache_pack(const wn_host *host, const wn_cache_key *key, const wn_cache_content *content,
                    size_t *bytes)
{
    const size_t name_bytes = content->name_count * sizeof *content->names;
    header h = {.format = FORMAT,
                .header_bytes = sizeof h,
                .key = *key,
                .name_count = content->name_count,
                .data_bytes = content->data_bytes};
    *bytes = sizeof h + name_bytes + content->data_bytes;
    unsigned char *file = wn_alloc(host, *bytes);
    if (!file)
        return NULL;
    if (name_bytes)
        memcpy(file + sizeof h, content->names, name_bytes);
    memcpy(file + sizeof h + name_bytes, content->data, content->data_bytes);
    memcpy(h.magic, magic, sizeof magic);
    h.sum = file_sum(&h, file + sizeof h, *bytes - sizeof h);
    memcpy(file, &h, sizeof h);
    return file;
}
