/* The pictures and videos of the command line, as frames. */
#ifndef MEDIA_H
#define MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include <frames.h>

#include "options.h"

/* A picture is one frame. */
typedef struct media_item {
    const char *path;
    frames_list list;
    uint32_t frames; /* of list, and the last one again to fill the last pair */
    bool is_video;
} media_item;

typedef struct media_list {
    media_item item[MEDIA_MOST];
    uint32_t count;
} media_list;

/* Reads them all. False after a line; media_free in any case. */
bool media_read(media_list *m, const options *o);
void media_free(media_list *m);

/* Fills a video's last row of frames where `merges` of them become one, by its last frame, as
 * transformers does it. */
bool medium_fill(media_item *m, uint32_t merges);

/* The question, with a marker for each medium: o->prompt, or our own. Given alone, --chat puts the
 * markers in front where there are none. NULL after a line; to be freed. */
char *media_question(const options *o, const char *marker);

#endif /* MEDIA_H */
