#include "json_guard.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at text, 0 if it is none: overlong forms, surrogates and what lies
 * beyond U+10FFFF are none. */
static size_t utf8_length(const unsigned char *text, size_t size)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t length = 1; length <= 4; length++) {
        if ((text[0] & forms[length - 1].mask) != forms[length - 1].lead) {
            continue;
        }
        uint32_t code = text[0] & (unsigned char)~forms[length - 1].mask;
        if (length > size) {
            return 0;
        }
        for (size_t i = 1; i < length; i++) {
            if ((text[i] & 0xc0) != 0x80) {
                return 0;
            }
            code = code << 6 | (text[i] & 0x3fu);
        }
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        return code < forms[length - 1].least || surrogate || code > 0x10ffff ? 0 : length;
    }
    return 0;
}

const char *json_guard(const char *text, size_t size, size_t depth_max, size_t values_max)
{
    size_t depth = 0, values = 0, step;
    bool in_string = false;

    for (size_t i = 0; i < size; i += step) {
        char c = text[i];
        step = utf8_length((const unsigned char *)text + i, size - i);
        if (step == 0) {
            return "is not UTF-8";
        }
        if ((unsigned char)c < 0x20 && (in_string || !strchr("\t\n\r", c) || c == 0)) {
            return "holds control bytes";
        }
        if (in_string) {
            if (c == '\\') {
                if (size - i > 5 && memcmp(text + i, "\\u0000", 6) == 0) {
                    return "has a NUL in a name";
                }
                if (size - i > 1 && (unsigned char)text[i + 1] >= 0x20 &&
                    (unsigned char)text[i + 1] < 0x80) {
                    step = 2; /* an escaped quote does not end the string */
                }
            } else if (c == '"') {
                in_string = false;
            }
            continue;
        }
        in_string = c == '"';
        if (c == '{' || c == '[') {
            if (++depth > depth_max) {
                return "is nested too deeply";
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        } else if ((c == ',' || c == ':') && ++values > values_max) {
            return "has too many values";
        }
    }
    return NULL;
}
