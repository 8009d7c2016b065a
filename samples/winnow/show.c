#include "show.h"

#include <stdio.h>

/* Views of one picture have no time, and tiles have a place. */
static bool has_tiles(const show *s)
{
    for (uint32_t t = 0; s->views && t < s->m->frames; t++) {
        if (s->views[4 * (size_t)t] >= 0) {
            return true;
        }
    }
    return false;
}

const char *show_name(const show *s, uint32_t t, char *text, size_t size)
{
    const int32_t *view = s->views ? s->views + 4 * (size_t)t : NULL;
    if (!has_tiles(s)) {
        snprintf(text, size, "%.2f s", s->m->seconds[t]);
    } else if (view[0] < 0) {
        snprintf(text, size, "overview");
    } else {
        snprintf(text, size, "tile %d,%d", (int)view[0], (int)view[1]);
    }
    return text;
}
