/* Sentences for errors, and the buffer that only grows. */
#include "reader.h"

#include <stdarg.h>
#include <stdlib.h>

frames_status video_fail(video_why why, frames_status status, const char *format, ...)
{
    if (why.text && why.size > 0) {
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf(why.text, why.size, format, arguments);
        va_end(arguments);
        if (length < 0) {
            why.text[0] = '\0';
        }
    }
    return status;
}

frames_status video_fail_memory(video_why why, const char *name)
{
    return video_fail(why, FRAMES_E_MEMORY,
                      "%s: out of memory (take fewer or smaller frames, or free some memory)",
                      name);
}

bool video_buffer_reserve(video_buffer *buffer, size_t size)
{
    if (buffer->size >= size) {
        return true;
    }
    /* The old pixels are never wanted: no need for realloc to copy them. */
    uint8_t *bytes = malloc(size);
    if (!bytes) {
        return false;
    }
    free(buffer->bytes);
    buffer->bytes = bytes;
    buffer->size = size;
    return true;
}

void video_buffer_free(video_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (video_buffer){0};
}
