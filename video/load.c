/* All selected frames at once. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

/* Copies the frame to the end of the list. False: out of memory. */
static bool append(frames_list *list, size_t *room, const frames_frame *frame)
{
    if (list->count == *room) {
        const size_t more = *room ? *room * 2 : 16;
        frames_frame *frames = realloc(list->frames, more * sizeof *frames);
        if (!frames) {
            return false;
        }
        list->frames = frames;
        *room = more;
    }
    const size_t size = (size_t)frame->width * frame->height * 3;
    uint8_t *rgb = malloc(size);
    if (!rgb) {
        return false;
    }
    memcpy(rgb, frame->rgb, size);
    list->frames[list->count] = *frame;
    list->frames[list->count++].rgb = rgb;
    return true;
}

frames_status frames_load(frames_list *list, const char *path, const frames_options *options,
                          char *text, size_t text_size)
{
    const video_why why = {text, text_size};
    const uint64_t most = options && options->load_bytes ? options->load_bytes : (uint64_t)2 << 30;
    frames_source *source = NULL;
    frames_frame frame;
    size_t room = 0;
    uint64_t bytes = 0;
    *list = (frames_list){0};
    frames_status status = frames_open(&source, path, options, text, text_size);
    while (status == FRAMES_OK &&
           (status = frames_next(source, &frame, text, text_size)) == FRAMES_OK) {
        bytes += (uint64_t)frame.width * frame.height * 3;
        if (bytes > most) {
            status = video_fail(why, FRAMES_E_TOO_LARGE,
                                "%s: the frames take more than %llu bytes (take fewer or smaller "
                                "frames)",
                                path, (unsigned long long)most);
        } else if (!append(list, &room, &frame)) {
            status = video_fail_memory(why, path);
        }
    }
    frames_close(&source);
    if (status != FRAMES_END) {
        frames_list_free(list);
        return status;
    }
    return FRAMES_OK;
}

void frames_list_free(frames_list *list)
{
    if (!list) {
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        free(list->frames[i].rgb);
    }
    free(list->frames);
    *list = (frames_list){0};
}
