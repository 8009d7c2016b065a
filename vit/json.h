/* json.h: JSON texts that nobody vouches for, as a flat tree. Strict RFC 8259 in UTF-8, plus the
 * NaN and Infinity that Python writes. Limits: 64 MiB of text, 2^21 values, 32 levels. Two keys of
 * one name in an object are refused. Memory: the text and 32 bytes a value, both only once they
 * were seen. */
#ifndef WN_VIT_JSON_H
#define WN_VIT_JSON_H

#include "host.h"

enum wn_json_type {
    WN_JSON_NULL,
    WN_JSON_BOOL, /* number: 0 or 1 */
    WN_JSON_NUMBER,
    WN_JSON_TEXT,
    WN_JSON_ARRAY,
    WN_JSON_OBJECT
};

/* In the order of the text. Items of an array follow it: the first at i + 1, each other at the
 * last one's `next`, the end at the array's own `next`. Of an object, each key (TEXT) is followed
 * by its value. */
typedef struct wn_json_node {
    uint32_t type;
    uint32_t size; /* items of an array, keys of an object */
    uint32_t next; /* the node after this one and all that is in it */
    double number;
    const char *text; /* escapes decoded, no NUL inside */
} wn_json_node;

typedef struct wn_json {
    wn_json_node *nodes; /* [0] is the whole */
    uint32_t count;
    char *text;
} wn_json;

/* E_FILE where it is no JSON; "KIND: NAME" says in the log what it was. */
winnow_status wn_json_read(const wn_host *host, const char *kind, const char *name,
                           const void *bytes, uint64_t size, wn_json *out);
void wn_json_free(const wn_host *host, wn_json *json);

/* The value of a key of that object; NULL: no object or no such key. */
const wn_json_node *wn_json_find(const wn_json *json, const wn_json_node *object, const char *key);

/* The number of a node that is a whole number from 0 to 2^53. */
bool wn_json_whole(const wn_json_node *node, uint64_t *out);

/* Whether it is UTF-8 without NUL: no overlong forms, surrogates or codes past U+10FFFF. */
bool wn_utf8_text(const void *text, size_t length);

#endif
