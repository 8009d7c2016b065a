/* The page: page.html, built into the program, with the frames and the marks put into it. */
#include <errno.h>
#include <stb_image_write.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli.h"
#include "output.h"
#include "page_html.h"
#include "progress.h"
#include "show.h"

enum { JPEG_QUALITY = 88 };

typedef struct bytes {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
} bytes;

static void append(void *user, void *data, int size)
{
    bytes *b = user;
    if (size < 0 || b->failed) {
        return;
    }
    if (b->capacity - b->size < (size_t)size) {
        size_t capacity = (b->size + (size_t)size) * 2;
        uint8_t *larger = realloc(b->data, capacity);
        if (!larger) {
            b->failed = true;
            return;
        }
        b->data = larger;
        b->capacity = capacity;
    }
    memcpy(b->data + b->size, data, (size_t)size);
    b->size += (size_t)size;
}

static bool put_text(FILE *file, const char *text)
{
    return fputs(text, file) >= 0;
}

static bool put_base64(FILE *file, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16 | (i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0) |
                         (i + 2 < size ? data[i + 2] : 0u);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63], digits[three >> 6 & 63],
                        digits[three & 63]};
        if (i + 1 >= size) {
            four[2] = '=';
        }
        if (i + 2 >= size) {
            four[3] = '=';
        }
        if (fwrite(four, 1, 4, file) != 4) {
            return false;
        }
    }
    return true;
}

/* A JSON string that is safe inside a script element: no "</script>" can end it. */
static bool put_string(FILE *file, const char *text)
{
    cJSON *item = cJSON_CreateString(text);
    char *quoted = item ? cJSON_PrintUnformatted(item) : NULL;
    bool whole = quoted != NULL;
    for (const char *c = quoted; whole && *c; c++) {
        whole = *c == '<' ? put_text(file, "\\u003c") : fputc(*c, file) != EOF;
    }
    cJSON_free(quoted);
    cJSON_Delete(item);
    return whole;
}

static bool put_frame(FILE *file, const show *s, uint32_t t)
{
    const media *m = s->m;
    uint64_t picture = (uint64_t)m->width * m->height * 3;
    bytes jpeg = {0};
    bool whole = stbi_write_jpg_to_func(append, &jpeg, (int)m->width, (int)m->height, 3,
                                        m->rgb + t * picture, JPEG_QUALITY) != 0 &&
                 !jpeg.failed;
    if (!whole) {
        errno = ENOMEM; /* all that can fail in memory */
    }
    whole = whole && put_text(file, t ? ",\n\"" : "\"") && put_base64(file, jpeg.data, jpeg.size) &&
            put_text(file, "\"");
    free(jpeg.data);
    return whole;
}

/* Per frame the destination row of each token, -1 dropped; kept tokens are those whose row's index
 * is their own, which the page works out from `indices`. */
static bool put_numbers(FILE *file, const char *name, const int32_t *values, uint64_t count)
{
    bool whole = fprintf(file, ",\n\"%s\":[", name) > 0;
    for (uint64_t i = 0; whole && i < count; i++) {
        whole = fprintf(file, i ? ",%d" : "%d", (int)values[i]) > 0;
    }
    return whole && put_text(file, "]");
}

static bool put_data(FILE *file, const show *s)
{
    const media *m = s->m;
    const reduction *r = s->r;
    const uint64_t tokens = (uint64_t)r->shape.frames * r->shape.tokens;
    char name[32];
    progress *bar = progress_begin("writing the page", m->frames);
    bool whole = put_text(file, "{\"pipeline\":") && put_string(file, s->spec) &&
                 put_text(file, ",\"device\":") && put_string(file, engine_device_name(s->e));

    whole = whole && fprintf(file,
                             ",\"ms\":%.3f,\"width\":%u,\"height\":%u,\"gridW\":%u,\"gridH\":%u,"
                             "\"times\":%u,\"before\":%llu,\"after\":%u,\"seconds\":[",
                             r->wall_ms, m->width, m->height, m->grid_w, m->grid_h, s->k->times,
                             (unsigned long long)tokens, r->result.rows) > 0;
    for (uint32_t t = 0; whole && t < m->frames; t++) {
        whole = fprintf(file, t ? ",%.3f" : "%.3f", m->seconds[t]) > 0;
    }
    whole = whole && put_text(file, "],\"names\":[");
    for (uint32_t t = 0; whole && t < m->frames; t++) {
        whole =
            put_text(file, t ? "," : "") && put_string(file, show_name(s, t, name, sizeof name));
    }
    whole = whole && put_text(file, "]") &&
            put_numbers(file, "indices", r->indices, r->result.rows) &&
            put_numbers(file, "rows", r->assignment, tokens) && put_text(file, ",\n\"frames\":[");
    for (uint32_t t = 0; whole && t < m->frames; t++) {
        whole = put_frame(file, s, t);
        progress_at(bar, t + 1, m->frames);
    }
    progress_end(bar);
    return whole && put_text(file, "]}");
}

int show_page(const show *s, const char *path)
{
    static const char mark[] = "\"WINNOW_DATA\"";
    const char *page = (const char *)page_html;
    const char *place = strstr(page, mark);
    output out;
    int exit_code = output_open(&out, path);

    if (exit_code) {
        return exit_code;
    }
    bool whole = fwrite(page, 1, (size_t)(place - page), out.file) == (size_t)(place - page) &&
                 put_data(out.file, s) && put_text(out.file, place + sizeof mark - 1);
    return whole ? output_commit(&out) : output_fail(&out);
}
