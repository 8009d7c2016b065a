/* gguf.c: GGUF files, versions 2 and 3, little endian, as llama.cpp writes them.
 *
 * "GGUF", version u32, tensors u64, keys u64; each key: text, type u32, value; each tensor: text,
 * rank u32, sizes u64 innermost first, type u32, offset u64; then at a multiple of
 * general.alignment the data that offsets count from.
 */
#include <stdio.h>
#include <string.h>

#include "numbers.h"
#include "ops_args.h"
#include "weights_private.h"

enum { NAME_MOST = 65535, TEXT_MOST = 1 << 20, NESTING_MOST = 8, ALIGNMENT_DEFAULT = 32 };

#define ALIGNMENT_KEY "general.alignment"
#define DAMAGED       "the file was cut short or is damaged: fetch it again"

typedef struct cursor {
    wn_weights *w;
    const wn_bytes *file;
    uint64_t at;
    uint64_t alignment;
    const char *what; /* is being read */
} cursor;

/* A file's own words, never read through a pointer of a wider type: any alignment, any machine. */
static uint64_t little(const unsigned char *bytes, uint32_t count)
{
    uint64_t value = 0;
    for (uint32_t i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

uint32_t wn_value_bytes(uint32_t type)
{
    static const uint8_t bytes[WN_VALUE_COUNT] = {
        [WN_VALUE_U8] = 1,  [WN_VALUE_I8] = 1,  [WN_VALUE_U16] = 2, [WN_VALUE_I16] = 2,
        [WN_VALUE_U32] = 4, [WN_VALUE_I32] = 4, [WN_VALUE_F32] = 4, [WN_VALUE_BOOL] = 1,
        [WN_VALUE_U64] = 8, [WN_VALUE_I64] = 8, [WN_VALUE_F64] = 8,
    };
    return type < WN_VALUE_COUNT ? bytes[type] : 0;
}

double wn_value_number(uint32_t type, const unsigned char *items, uint64_t i)
{
    const uint32_t size = wn_value_bytes(type);
    const uint64_t bits = little(items + i * size, size);
    double number;
    switch (type) {
    case WN_VALUE_I8: return (double)(bits < 0x80 ? (int)bits : (int)bits - 0x100);
    case WN_VALUE_I16: return (double)(bits < 0x8000 ? (int)bits : (int)bits - 0x10000);
    case WN_VALUE_I32: return (double)(int32_t)(uint32_t)bits;
    case WN_VALUE_I64: return (double)(int64_t)bits;
    case WN_VALUE_F32: return (double)bits_f32((uint32_t)bits);
    case WN_VALUE_BOOL: return bits ? 1.0 : 0.0;
    case WN_VALUE_F64: memcpy(&number, &bits, sizeof number); return number;
    default: return (double)bits;
    }
}

static winnow_status refuse(const cursor *c, const char *name, const char *what)
{
    return wn_fail(&c->w->host, WINNOW_E_FILE, "gguf: %.300s: %s \"%.80s\" %s", c->file->name,
                   c->what, name, what);
}

static winnow_status take(cursor *c, uint64_t bytes, const unsigned char **out)
{
    *out = NULL; /* for compilers, which cannot know that wn_fail fails */
    if (bytes > c->file->size - c->at)
        return wn_fail(&c->w->host, WINNOW_E_FILE,
                       "gguf: %.300s: it ends inside a %s: %llu bytes are due, %llu are left "
                       "(" DAMAGED ")",
                       c->file->name, c->what, (unsigned long long)bytes,
                       (unsigned long long)(c->file->size - c->at));
    *out = c->file->bytes + c->at;
    c->at += bytes;
    return WINNOW_OK;
}

static winnow_status take_u32(cursor *c, uint32_t *out)
{
    const unsigned char *bytes;
    WN_TRY(take(c, 4, &bytes));
    *out = (uint32_t)little(bytes, 4);
    return WINNOW_OK;
}

static winnow_status take_u64(cursor *c, uint64_t *out)
{
    const unsigned char *bytes;
    WN_TRY(take(c, 8, &bytes));
    *out = little(bytes, 8);
    return WINNOW_OK;
}

static winnow_status take_text(cursor *c, const unsigned char **text, uint64_t *length)
{
    WN_TRY(take_u64(c, length));
    return take(c, *length, text);
}

static winnow_status take_name(cursor *c, const char **out)
{
    const unsigned char *text;
    uint64_t length;
    WN_TRY(take_text(c, &text, &length));
    if (length == 0 || length > NAME_MOST || !wn_utf8_text(text, (size_t)length))
        return wn_fail(
            &c->w->host, WINNOW_E_FILE,
            "gguf: %.300s: the name of the %s before byte %llu is empty, too long or not "
            "UTF-8 (" DAMAGED ")",
            c->file->name, c->what, (unsigned long long)c->at);
    *out = wn_weights_keep_text(c->w, text, (size_t)length);
    return *out ? WINNOW_OK : wn_weights_no_memory(c->w, c->file->name);
}

/* --- keys ------------------------------------------------------------------------------------ */

static winnow_status read_array(cursor *c, const char *key, uint32_t depth, wn_setting *setting)
{
    const unsigned char *items;
    uint32_t type;
    uint64_t count, bytes, length;
    WN_TRY(take_u32(c, &type));
    WN_TRY(take_u64(c, &count));
    const uint32_t size = wn_value_bytes(type);
    if (size) {
        if (__builtin_mul_overflow(count, (uint64_t)size, &bytes))
            return refuse(c, key, "has an array larger than the file (" DAMAGED ")");
        WN_TRY(take(c, bytes, &items));
        if (depth == 0 && count <= UINT32_MAX) {
            setting->kind = WN_SETTING_NUMBERS;
            setting->value_type = type;
            setting->count = (uint32_t)count;
            setting->items = items;
        }
        return WINNOW_OK;
    }
    if (type != WN_VALUE_TEXT && type != WN_VALUE_ARRAY)
        return refuse(c, key, "has an array of an unknown type (" DAMAGED ")");
    if (depth == NESTING_MOST)
        return refuse(c, key, "has arrays in arrays too deeply (" DAMAGED ")");
    for (; count; --count) /* every turn takes 8 bytes or ends: no count can keep it here */
        WN_TRY(type == WN_VALUE_TEXT ? take_text(c, &items, &length)
                                     : read_array(c, key, depth + 1, setting));
    return WINNOW_OK;
}

/* A text that a host cannot be given as a C string (a NUL, no UTF-8) or that is no setting but a
 * document is as if it were not there: files carry all kinds of notes. */
static winnow_status read_text(cursor *c, wn_setting *setting)
{
    const unsigned char *text;
    uint64_t length;
    WN_TRY(take_text(c, &text, &length));
    if (length > TEXT_MOST || !wn_utf8_text(text, (size_t)length))
        return WINNOW_OK;
    setting->kind = WN_SETTING_TEXT;
    setting->text = wn_weights_keep_text(c->w, text, (size_t)length);
    return setting->text ? WINNOW_OK : wn_weights_no_memory(c->w, c->file->name);
}

static winnow_status read_alignment(cursor *c, const char *key, uint32_t type, double number)
{
    const bool is_u32 = type == WN_VALUE_U32;
    const uint32_t value = is_u32 ? (uint32_t)number : 0;
    if (value == 0 || (value & (value - 1)))
        return refuse(c, key, "is no power of two in a u32 (convert the model again)");
    c->alignment = value;
    return WINNOW_OK;
}

static winnow_status read_key(cursor *c)
{
    const unsigned char *value;
    const char *key;
    uint32_t type;
    wn_setting *setting;
    c->what = "key";
    WN_TRY(take_name(c, &key));
    WN_TRY(take_u32(c, &type));
    WN_TRY(wn_weights_add_setting(c->w, key, &setting));
    if (type == WN_VALUE_ARRAY) {
        WN_TRY(read_array(c, key, 0, setting));
    } else if (type == WN_VALUE_TEXT) {
        WN_TRY(read_text(c, setting));
    } else {
        const uint32_t size = wn_value_bytes(type);
        if (!size)
            return refuse(c, key, "has a value of an unknown type (" DAMAGED ")");
        WN_TRY(take(c, size, &value));
        setting->kind = WN_SETTING_NUMBER;
        setting->number = wn_value_number(type, value, 0);
    }
    if (strcmp(key, ALIGNMENT_KEY) == 0)
        return read_alignment(c, key, type, setting->number);
    return WINNOW_OK;
}

/* --- tensors --------------------------------------------------------------------------------- */

static const struct {
    uint32_t number;
    uint32_t type; /* WN_NONE: not read */
    const char *name;
} ggml_types[] = {
    {0, WN_FILE_F32, NULL},   {1, WN_FILE_F16, NULL},   {30, WN_FILE_BF16, NULL},
    {2, WN_FILE_Q4_0, NULL},  {8, WN_FILE_Q8_0, NULL},  {12, WN_FILE_Q4_K, NULL},
    {13, WN_FILE_Q5_K, NULL}, {14, WN_FILE_Q6_K, NULL}, {3, WN_NONE, "Q4_1"},
    {6, WN_NONE, "Q5_0"},     {7, WN_NONE, "Q5_1"},     {9, WN_NONE, "Q8_1"},
    {10, WN_NONE, "Q2_K"},    {11, WN_NONE, "Q3_K"},    {15, WN_NONE, "Q8_K"},
    {16, WN_NONE, "IQ2_XXS"}, {17, WN_NONE, "IQ2_XS"},  {18, WN_NONE, "IQ3_XXS"},
    {19, WN_NONE, "IQ1_S"},   {20, WN_NONE, "IQ4_NL"},  {21, WN_NONE, "IQ3_S"},
    {22, WN_NONE, "IQ2_S"},   {23, WN_NONE, "IQ4_XS"},  {24, WN_NONE, "I8"},
    {25, WN_NONE, "I16"},     {26, WN_NONE, "I32"},     {27, WN_NONE, "I64"},
    {28, WN_NONE, "F64"},     {29, WN_NONE, "IQ1_M"},   {34, WN_NONE, "TQ1_0"},
    {35, WN_NONE, "TQ2_0"},   {39, WN_NONE, "MXFP4"},
};

static winnow_status read_type(cursor *c, wn_entry *entry)
{
    char number[32];
    uint32_t type;
    WN_TRY(take_u32(c, &type));
    entry->tensor.type = WN_NONE;
    for (size_t i = 0; i < sizeof ggml_types / sizeof *ggml_types; ++i)
        if (ggml_types[i].number == type) {
            entry->tensor.type = ggml_types[i].type;
            entry->unread = ggml_types[i].name;
            return WINNOW_OK;
        }
    const int length = snprintf(number, sizeof number, "number %u of ggml", type);
    entry->unread = wn_weights_keep_text(c->w, number, (size_t)length);
    return entry->unread ? WINNOW_OK : wn_weights_no_memory(c->w, c->file->name);
}

static winnow_status read_shape(cursor *c, wn_tensor *t)
{
    WN_TRY(take_u32(c, &t->rank));
    if (t->rank > WN_TENSOR_RANK_MOST)
        return refuse(c, t->name, "has more than 6 dimensions (" DAMAGED ")");
    for (uint32_t i = 0; i < t->rank; ++i)
        WN_TRY(take_u64(c, &t->shape[t->rank - 1 - i]));
    return WINNOW_OK;
}

static winnow_status read_tensor(cursor *c)
{
    wn_entry *entry;
    const char *name;
    uint64_t offset;
    c->what = "tensor";
    WN_TRY(take_name(c, &name));
    WN_TRY(wn_weights_add(c->w, &entry));
    entry->tensor.name = name;
    WN_TRY(read_shape(c, &entry->tensor));
    WN_TRY(read_type(c, entry));
    WN_TRY(take_u64(c, &offset));
    if (offset % c->alignment)
        return refuse(c, name, "starts at no multiple of the file's alignment (" DAMAGED ")");
    return entry->unread ? WINNOW_OK : wn_tensor_measure(c->w, c->file->name, &entry->tensor);
}

/* Second pass over the tensors' headers, which the first one has checked: the data start where
 * they end. */
static winnow_status place_tensors(cursor *c, uint64_t headers)
{
    const uint64_t rest = c->at % c->alignment, pad = rest ? c->alignment - rest : 0;
    const uint64_t size = c->file->size, start = pad > size - c->at ? size : c->at + pad;
    const unsigned char *at = c->file->bytes + headers;
    for (uint32_t i = 0; i < c->w->entry_count; ++i) {
        wn_entry *entry = &c->w->entries[i];
        at += 8 + little(at, 8) + 4 + 8 * (uint64_t)entry->tensor.rank + 4;
        const uint64_t offset = little(at, 8), room = size - start;
        at += 8;
        if (offset > room || entry->tensor.bytes > room - offset)
            return refuse(c, entry->tensor.name, "lies outside the file (" DAMAGED ")");
        if (!entry->unread)
            entry->tensor.data = c->file->bytes + start + offset;
    }
    return WINNOW_OK;
}

static winnow_status read_version(cursor *c)
{
    const unsigned char *magic;
    uint32_t version;
    WN_TRY(take(c, 4, &magic));
    if (memcmp(magic, "GGUF", 4) != 0)
        return wn_fail(
            &c->w->host, WINNOW_E_FILE,
            "gguf: %.300s: it does not start with \"GGUF\" (give a GGUF file or a folder, or "
            "a safetensors file where one is asked for)",
            c->file->name);
    WN_TRY(take_u32(c, &version));
    if ((version & 0xffffu) == 0 && version)
        return wn_fail(&c->w->host, WINNOW_E_FILE,
                       "gguf: %.300s: it is big endian (convert it with gguf_convert_endian.py)",
                       c->file->name);
    if (version < 2 || version > 3)
        return wn_fail(&c->w->host, WINNOW_E_FILE,
                       "gguf: %.300s: version %u, but 2 and 3 are read (convert the model again)",
                       c->file->name, version);
    return WINNOW_OK;
}

winnow_status wn_gguf_read(wn_weights *w, const wn_bytes *file)
{
    cursor c = {.w = w, .file = file, .alignment = ALIGNMENT_DEFAULT, .what = "header"};
    uint64_t tensors, keys;
    w->gguf = true;
    WN_TRY(read_version(&c));
    WN_TRY(take_u64(&c, &tensors));
    WN_TRY(take_u64(&c, &keys));
    /* 12 bytes are the least that a key takes, 24 that a tensor does. */
    if (keys > (file->size - c.at) / 12 || tensors > (file->size - c.at) / 24)
        return wn_fail(&w->host, WINNOW_E_FILE,
                       "gguf: %.300s: it claims %llu keys and %llu tensors in %llu bytes (" DAMAGED
                       ")",
                       file->name, (unsigned long long)keys, (unsigned long long)tensors,
                       (unsigned long long)file->size);
    for (; keys; --keys)
        WN_TRY(read_key(&c));
    const uint64_t headers = c.at;
    for (; tensors; --tensors)
        WN_TRY(read_tensor(&c));
    return place_tensors(&c, headers);
}
