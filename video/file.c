/* A whole file into memory. */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* No picture is as large; a film never comes this way. */
enum { MOST_BYTES = 512 << 20 };

frames_status video_read_file(const char *name, const char *path, uint8_t **bytes, size_t *size,
                              video_why why)
{
    frames_status status = FRAMES_OK;
    *bytes = NULL;
    *size = 0;
    FILE *file = fopen(path, "rb");
    if (!file) {
        return video_fail(why, FRAMES_E_OPEN, "%s: %s (check the path and its permissions)", name,
                          strerror(errno));
    }
    long length = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (length < 0 || fseek(file, 0, SEEK_SET) != 0) {
        status =
            video_fail(why, FRAMES_E_OPEN, "%s: %s (give a file on disk)", name, strerror(errno));
        goto done;
    }
    if (length > MOST_BYTES) {
        status =
            video_fail(why, FRAMES_E_TOO_LARGE,
                       "%s: a picture file of %ld bytes, at most %d are read (make it smaller)",
                       name, length, (int)MOST_BYTES);
        goto done;
    }
    *bytes = malloc((size_t)length + 1);
    if (!*bytes) {
        status = video_fail_memory(why, name);
        goto done;
    }
    *size = fread(*bytes, 1, (size_t)length, file);
    if (ferror(file)) {
        status = video_fail(why, FRAMES_E_OPEN, "%s: %s (check the disk it is on)", name,
                            strerror(errno));
        free(*bytes);
        *bytes = NULL;
    }

done:
    fclose(file);
    return status;
}
