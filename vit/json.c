/* json.c: jsmn finds the tokens, this checks every byte between them (jsmn lets much pass) and
 * decodes. */
#include "json.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "weights_private.h"

enum { BYTES_MOST = 64 << 20, VALUES_MOST = 1 << 21, DEPTH_MOST = 32, NUMBER_MOST = 400 };

typedef struct reader {
    const jsmntok_t *tokens;
    uint32_t count, token; /* the next */
    char *text;
    uint32_t size, at;
    wn_json_node *nodes;
    locale_t plain; /* a host's locale may write numbers with a comma */
    const char *fault;
} reader;

/* Bytes of the sequence that starts at text; 0: none. */
static size_t utf8_length(const unsigned char *text, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char c = text[0];
    if (c < 0x80)
        return c != 0;
    const size_t length = c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
    if (length == 0 || length > size)
        return 0;
    uint32_t code = c & (0x7fu >> length);
    for (size_t i = 1; i < length; ++i) {
        if (text[i] >> 6 != 2)
            return 0;
        code = code << 6 | (text[i] & 63u);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[length] || surrogate || code > 0x10ffff ? 0 : length;
}

bool wn_utf8_text(const void *text, size_t length)
{
    const unsigned char *bytes = text;
    size_t step;
    for (size_t i = 0; i < length; i += step) {
        step = utf8_length(bytes + i, length - i);
        if (step == 0)
            return false;
    }
    return true;
}

/* Before jsmn sees a text: brackets nest to a limit (its time for each that closes grows with the
 * depth), and what opens a token stands where one can start, so that jsmn and this see the same
 * strings. */
static const char *guard(const char *text, size_t size)
{
    uint32_t depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < size; ++i) {
        const char c = text[i];
        if (in_text) {
            in_text = c != '"';
            i += c == '\\';
            continue;
        }
        if ((c == '"' || c == '[' || c == '{') && i && !strchr(" \t\r\n[{,:", text[i - 1]))
            return "has something that is no value where one is due";
        if ((c == ']' || c == '}') && depth-- == 0)
            return "closes more than it opens";
        if ((c == '[' || c == '{') && ++depth > DEPTH_MOST)
            return "is nested too deeply";
        in_text = c == '"';
    }
    return NULL;
}

/* --- strings --------------------------------------------------------------------------------- */

static uint32_t hex4(const char *digits)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
        const unsigned char c = (unsigned char)digits[i];
        code = code << 4 | (c <= '9' ? c - 48u : (c | 32u) - 'a' + 10u);
    }
    return code;
}

/* The code after "\u" at *from, which moves past it: jsmn has seen four digits. 0: none that can
 * be. */
static uint32_t escaped_code(const char **from, const char *end)
{
    const uint32_t code = hex4(*from);
    *from += 4;
    if (code < 0xd800 || code >= 0xe000)
        return code;
    if (code >= 0xdc00 || end - *from < 6 || (*from)[0] != '\\' || (*from)[1] != 'u')
        return 0;
    const uint32_t second = hex4(*from + 2);
    *from += 6;
    if (second < 0xdc00 || second >= 0xe000)
        return 0;
    return 0x10000 + ((code - 0xd800) << 10 | (second - 0xdc00));
}

static char *put_utf8(char *to, uint32_t code)
{
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(lead[more] | code >> 6 * more);
    for (int i = more; i-- > 0;)
        *to++ = (char)(0x80 | (code >> 6 * i & 63));
    return to;
}

/* In place: no escape is shorter than what it stands for; the NUL falls on the closing quote at
 * the latest. */
static bool decode(char *text, const char *end)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char *to = text;
    for (const char *from = text; from < end;) {
        if ((unsigned char)*from < 0x20)
            return false;
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        const char kind = from[1];
        from += 2;
        if (kind == 'u') {
            const uint32_t code = escaped_code(&from, end);
            if (code == 0)
                return false;
            to = put_utf8(to, code);
        } else {
            *to++ = values[strchr(names, kind) - names];
        }
    }
    *to = '\0';
    return true;
}

/* --- numbers --------------------------------------------------------------------------------- */

static size_t digits(const char *text)
{
    size_t count = 0;
    while (text[count] >= '0' && text[count] <= '9')
        ++count;
    return count;
}

static bool number_is_well_formed(const char *text)
{
    text += *text == '-';
    size_t count = digits(text);
    if (count == 0 || (count > 1 && *text == '0'))
        return false;
    text += count;
    if (*text == '.') {
        count = digits(++text);
        if (count == 0)
            return false;
        text += count;
    }
    if (*text == 'e' || *text == 'E') {
        ++text;
        text += *text == '-' || *text == '+';
        count = digits(text);
        if (count == 0)
            return false;
        text += count;
    }
    return *text == '\0';
}

static bool read_primitive(const reader *r, const char *text, size_t length, wn_json_node *node)
{
    static const struct {
        const char *text;
        uint32_t type;
        double number;
    } words[] = {{"null", WN_JSON_NULL, 0},
                 {"true", WN_JSON_BOOL, 1},
                 {"false", WN_JSON_BOOL, 0},
                 {"NaN", WN_JSON_NUMBER, NAN},
                 {"Infinity", WN_JSON_NUMBER, INFINITY},
                 {"-Infinity", WN_JSON_NUMBER, -INFINITY}};
    char copy[NUMBER_MOST];
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        if (strcmp(copy, words[i].text) == 0) {
            node->type = words[i].type;
            node->number = words[i].number;
            return true;
        }
    node->type = WN_JSON_NUMBER;
    if (!number_is_well_formed(copy))
        return false;
    node->number = strtod_l(copy, NULL, r->plain);
    return isfinite(node->number);
}

/* --- structure ------------------------------------------------------------------------------- */

static bool fault(reader *r, const char *what)
{
    if (!r->fault)
        r->fault = what;
    return false;
}

static void skip_space(reader *r)
{
    while (r->at < r->size && r->text[r->at] && strchr(" \t\r\n", r->text[r->at]))
        ++r->at;
}

static bool skip_mark(reader *r, char mark)
{
    skip_space(r);
    if (r->at == r->size || r->text[r->at] != mark)
        return false;
    ++r->at;
    return true;
}

static bool read_value(reader *r); /* the guard has bounded how deep this goes */

static bool read_text(reader *r, const jsmntok_t *token, wn_json_node *node)
{
    char *text = r->text + token->start;
    r->at = (uint32_t)token->end + 1;
    node->type = WN_JSON_TEXT;
    node->text = text;
    return decode(text, r->text + token->end) || fault(r, "has a text with control bytes, a NUL or "
                                                          "half a surrogate pair");
}

/* What is in an array or an object, to its end. */
static bool read_items(reader *r, wn_json_node *node)
{
    const bool object = node->type == WN_JSON_OBJECT;
    const char close = object ? '}' : ']';
    ++r->at;
    if (skip_mark(r, close))
        return true;
    do {
        skip_space(r);
        if (object) {
            const bool key = r->token < r->count && r->tokens[r->token].type == JSMN_STRING;
            if (!key || !read_value(r) || !skip_mark(r, ':'))
                return fault(r, "has an object that is no list of \"key\": value");
        }
        if (!read_value(r))
            return false;
        ++node->size;
    } while (skip_mark(r, ','));
    return skip_mark(r, close) || fault(r, "has a list with something else than a comma in it");
}

static bool read_value(reader *r)
{
    skip_space(r);
    if (r->token == r->count)
        return fault(r, "lacks a value");
    wn_json_node *node = &r->nodes[r->token];
    const jsmntok_t *token = &r->tokens[r->token++];
    const bool text = token->type == JSMN_STRING;
    if ((uint32_t)token->start - text != r->at)
        return fault(r, "has something that is no value where one is due");
    if (text && !read_text(r, token, node))
        return false;
    if (token->type == JSMN_PRIMITIVE) {
        const uint32_t length = (uint32_t)(token->end - token->start);
        if (!read_primitive(r, r->text + r->at, length, node))
            return fault(r, "has a word or number that is none of JSON's");
        r->at = (uint32_t)token->end;
    }
    if (token->type == JSMN_OBJECT || token->type == JSMN_ARRAY) {
        node->type = token->type == JSMN_OBJECT ? WN_JSON_OBJECT : WN_JSON_ARRAY;
        if (!read_items(r, node))
            return false;
    }
    node->next = r->token;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* keys: room for all texts at once. */
static bool keys_differ(reader *r, const char **keys)
{
    for (uint32_t i = 0; i < r->count; ++i) {
        uint32_t count = 0;
        if (r->nodes[i].type != WN_JSON_OBJECT)
            continue;
        for (uint32_t k = i + 1; k < r->nodes[i].next; k = r->nodes[k + 1].next)
            keys[count++] = r->nodes[k].text;
        wn_sort(keys, count, sizeof *keys, by_text);
        for (uint32_t k = 1; k < count; ++k)
            if (strcmp(keys[k - 1], keys[k]) == 0)
                return fault(r, "has a key twice in one object");
    }
    return true;
}

/* Tokens, nodes and keys are counted first, from the text: 60 bytes each, never more than that. */
static winnow_status read_tokens(const wn_host *host, reader *r)
{
    jsmn_parser parser;
    jsmn_init(&parser);
    r->fault = guard(r->text, r->size);
    const int count = r->fault ? 0 : jsmn_parse(&parser, r->text, r->size, NULL, 0);
    if (count <= 0 || count > VALUES_MOST) {
        fault(r, count > VALUES_MOST ? "has too many values" : "is no JSON, or cut short");
        return WINNOW_E_FILE;
    }
    jsmntok_t *tokens = wn_alloc(host, (size_t)count * sizeof *tokens);
    r->nodes = wn_alloc(host, (size_t)count * sizeof *r->nodes);
    const char **keys = wn_alloc(host, (size_t)count * sizeof *keys);
    winnow_status status = WINNOW_E_HOST_MEMORY;
    if (tokens && r->nodes && keys) {
        jsmn_init(&parser);
        r->count = (uint32_t)count;
        r->tokens = tokens;
        if (jsmn_parse(&parser, r->text, r->size, tokens, r->count) != count)
            fault(r, "is no JSON, or cut short");
        else if (read_value(r) && keys_differ(r, keys))
            skip_space(r);
        if (!r->fault && (r->at != r->size || r->token != r->count))
            fault(r, "goes on after its end");
        status = r->fault ? WINNOW_E_FILE : WINNOW_OK;
    }
    wn_free(host, tokens);
    wn_free(host, keys);
    return status;
}

winnow_status wn_json_read(const wn_host *host, const char *kind, const char *name,
                           const void *bytes, uint64_t size, wn_json *out)
{
    reader r = {.size = (uint32_t)size};
    winnow_status status = WINNOW_E_FILE;
    memset(out, 0, sizeof *out);
    if (size > BYTES_MOST) {
        fault(&r, "is larger than 64 MiB");
    } else if (!wn_utf8_text(bytes, (size_t)size)) {
        fault(&r, "is not UTF-8, or has a NUL");
    } else {
        r.text = wn_alloc(host, (size_t)size + 1);
        r.plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
        status = r.text && r.plain ? WINNOW_OK : WINNOW_E_HOST_MEMORY;
        if (status == WINNOW_OK) {
            memcpy(r.text, bytes, (size_t)size);
            status = read_tokens(host, &r);
        }
        if (r.plain)
            freelocale(r.plain);
    }
    *out = (wn_json){.nodes = r.nodes, .count = r.count, .text = r.text};
    if (status == WINNOW_OK)
        return WINNOW_OK;
    wn_json_free(host, out);
    if (status == WINNOW_E_HOST_MEMORY)
        return wn_fail(host, status, "%s: %.300s: no memory for its JSON", kind, name);
    return wn_fail(host, status,
                   "%s: %.300s: its JSON %s, near byte %u (fetch or write it again)", kind, name,
                   r.fault, r.at);
}

void wn_json_free(const wn_host *host, wn_json *json)
{
    wn_free(host, json->nodes);
    wn_free(host, json->text);
    memset(json, 0, sizeof *json);
}

const wn_json_node *wn_json_find(const wn_json *json, const wn_json_node *object, const char *key)
{
    if (object->type != WN_JSON_OBJECT)
        return NULL;
    for (uint32_t k = (uint32_t)(object - json->nodes) + 1; k < object->next;
         k = json->nodes[k + 1].next)
        if (strcmp(json->nodes[k].text, key) == 0)
            return &json->nodes[k + 1];
    return NULL;
}

bool wn_json_whole(const wn_json_node *node, uint64_t *out)
{
    if (node->type != WN_JSON_NUMBER || !(node->number >= 0) || node->number > 9007199254740992.0)
        return false;
    *out = (uint64_t)node->number;
    return (double)*out == node->number;
}
