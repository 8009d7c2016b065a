/* fuzz_weights.h: for the fuzzers of model files: what a reader accepts must be safe to walk. */
#ifndef WINNOW_TESTS_FUZZ_WEIGHTS_H
#define WINNOW_TESTS_FUZZ_WEIGHTS_H

#include <stdlib.h>
#include <string.h>

#include "weights_private.h"

enum { WALK_MOST = 4096 };

static inline void count_line(void *user, int32_t level, const char *message)
{
    (void)level;
    if (!*message)
        abort();
    ++*(int *)user;
}

static inline void walk_tensor(const wn_weights *w, const wn_tensor *t, const wn_bytes *file)
{
    const wn_tensor *found;
    const uint64_t count = t->elements < WALK_MOST ? t->elements : WALK_MOST;
    float out[WALK_MOST];
    if (t->data < file->bytes || t->bytes > (uint64_t)(file->bytes + file->size - t->data))
        abort();
    if (wn_weights_find(w, t->name, &found) != WINNOW_OK || found != t || t->rank > 6)
        abort();
    wn_tensor_row(t, 0, count, out);
    wn_tensor_row(t, t->elements / count - 1, count, out); /* the last whole one */
    wn_tensor_row(t, t->elements / count, count, out);     /* over the end */
}

static inline void walk_setting(const wn_weights *w, const wn_setting *s)
{
    double number, numbers[16];
    uint32_t count = 16;
    const char *text = NULL;
    const uint32_t kinds = (uint32_t)wn_setting_number(w, s->key, &number) +
                           (uint32_t)wn_setting_text(w, s->key, &text) +
                           (uint32_t)wn_setting_numbers(w, s->key, numbers, &count);
    if (kinds != (s->kind != WN_SETTING_OTHER) || (text && !wn_utf8_text(text, strlen(text))))
        abort();
    if (s->kind == WN_SETTING_NUMBERS && s->count)
        wn_value_number(s->value_type, s->items, s->count - 1);
}

static inline void walk_weights(const wn_weights *w, const wn_bytes *file)
{
    for (uint32_t i = 0; i < wn_weights_count(w); ++i)
        walk_tensor(w, wn_weights_at(w, i), file);
    for (uint32_t i = 0; i < w->setting_count; ++i)
        walk_setting(w, &w->settings[i]);
}

/* One reader on bytes of just this size, so that every overread shows. A refusal says why, once. */
static inline void try_reader(winnow_status (*reader)(wn_weights *, const wn_bytes *),
                              const uint8_t *data, size_t size)
{
    int lines = 0;
    const winnow_host given = {.struct_size = sizeof given, .log = count_line, .log_user = &lines};
    uint8_t *exact = malloc(size ? size : 1);
    wn_weights w = {.path = "fuzz"};
    if (!exact || wn_host_read(&given, &w.host) != WINNOW_OK)
        abort();
    if (size)
        memcpy(exact, data, size);
    const wn_bytes file = {.name = "fuzz", .bytes = exact, .size = size};
    winnow_status status = reader(&w, &file);
    if (status == WINNOW_OK)
        status = wn_weights_finish(&w, file.name);
    if (status == WINNOW_OK)
        walk_weights(&w, &file);
    if (lines != (status != WINNOW_OK) || (status != WINNOW_OK && status != WINNOW_E_FILE))
        abort();
    wn_weights_release(&w);
    free(exact);
}

#endif
