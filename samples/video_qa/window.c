#include "window.h"

#include <stdlib.h>
#include <string.h>

bool window_open(window *w, uint32_t size, size_t frame_bytes)
{
    *w = (window){.size = size, .frame_bytes = frame_bytes};
    w->slots = calloc(size, frame_bytes);
    w->seconds = calloc(size, sizeof *w->seconds);
    return w->slots && w->seconds;
}

void window_free(window *w)
{
    free(w->slots);
    free(w->seconds);
    *w = (window){0};
}

void window_push(window *w, const uint8_t *frame, double seconds)
{
    memcpy(w->slots + w->next * w->frame_bytes, frame, w->frame_bytes);
    w->seconds[w->next] = seconds;
    w->next = (w->next + 1) % w->size;
    w->count += w->count < w->size;
    w->version++;
}

void window_copy(window *to, const window *from)
{
    const uint32_t oldest = from->count < from->size ? 0 : from->next;
    for (uint32_t i = 0; i < from->count; i++) {
        const uint32_t at = (oldest + i) % from->size;
        memcpy(to->slots + i * to->frame_bytes, from->slots + at * from->frame_bytes,
               from->frame_bytes);
        to->seconds[i] = from->seconds[at];
    }
    to->count = from->count;
    to->next = from->count % to->size;
    to->version = from->version;
}
