#include "media.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

static bool read_one(media_item *m, const options *o, const medium_option *given)
{
    const frames_options how = {.max_frames = given->is_video ? 0 : 1,
                                .uniform_count = given->is_video ? o->frames : 0,
                                .same_size = true};
    char why[FRAMES_WHY_SIZE];
    m->path = given->path;
    m->is_video = given->is_video;
    if (frames_load(&m->list, given->path, &how, why, sizeof why) != FRAMES_OK) {
        return say_failed("%s", why);
    }
    m->frames = (uint32_t)m->list.count;
    return m->frames > 0 ||
           say_failed("%s: there is no %s in it", m->path, m->is_video ? "frame" : "picture");
}

bool media_read(media_list *m, const options *o)
{
    memset(m, 0, sizeof *m);
    for (; m->count < o->media_count; m->count++) {
        if (!read_one(&m->item[m->count], o, &o->media[m->count])) {
            return false;
        }
    }
    return true;
}

void media_free(media_list *m)
{
    for (uint32_t i = 0; i < MEDIA_MOST; i++) {
        frames_list_free(&m->item[i].list);
    }
    m->count = 0;
}

bool medium_fill(media_item *m, uint32_t merges)
{
    const uint32_t count = m->is_video ? (m->frames + merges - 1) / merges * merges : m->frames;
    frames_frame *longer = realloc(m->list.frames, count * sizeof *longer);
    if (!longer) {
        return say_failed("%s: out of memory for its last frame", m->path);
    }
    m->list.frames = longer;
    for (; m->frames < count; m->frames++) {
        longer[m->frames] = longer[m->frames - 1]; /* owned once: list.count stays */
    }
    return true;
}

static uint32_t count_markers(const char *text, const char *marker)
{
    uint32_t found = 0;
    for (const char *at = text; (at = strstr(at, marker)); at += strlen(marker)) {
        found++;
    }
    return found;
}

char *media_question(const options *o, const char *marker)
{
    const char *text = o->prompt ? o->prompt
                       : o->chat ? "Describe what you see."
                                 : "\nDescribe what you see.";
    const uint32_t found = count_markers(text, marker);
    const uint32_t missing = found == 0 && (o->chat || !o->prompt) ? o->media_count : 0;
    if (found + missing != o->media_count) {
        say_failed("-p: the prompt has %u media markers, and there %s %u picture%s (write %s once "
                   "for each, where it goes)",
                   found, o->media_count == 1 ? "is" : "are", o->media_count,
                   o->media_count == 1 ? "" : "s and videos", marker);
        return NULL;
    }
    char *out = calloc(missing * strlen(marker) + strlen(text) + 1, 1);
    if (!out) {
        say_failed("out of memory for the prompt");
        return NULL;
    }
    for (uint32_t i = 0; i < missing; i++) {
        strcat(out, marker);
    }
    return strcat(out, text);
}
