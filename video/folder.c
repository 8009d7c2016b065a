/* A folder of pictures as a sequence, in the order a person would put them. */
#include "reader.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

typedef struct folder_reader {
    video_reader base;
    char **paths; /* [count], owned */
    size_t count;
    size_t next;           /* the picture that advance tries next */
    uint64_t given;        /* pictures that decoded in this pass */
    video_picture picture; /* the current one, owned */
} folder_reader;

/* Digits compare as numbers, everything else byte by byte without case: img2 before img10. */
static int natural_order(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            const size_t a_digits = strspn(a, "0123456789");
            const size_t b_digits = strspn(b, "0123456789");
            if (a_digits != b_digits) {
                return a_digits < b_digits ? -1 : 1;
            }
            const int order = memcmp(a, b, a_digits);
            if (order) {
                return order;
            }
            a += a_digits;
            b += b_digits;
            continue;
        }
        const int left = tolower((unsigned char)*a++);
        const int right = tolower((unsigned char)*b++);
        if (left != right) {
            return left - right;
        }
    }
    return (*a != '\0') - (*b != '\0');
}

static int path_order(const void *a, const void *b)
{
    const char *left = *(char *const *)a;
    const char *right = *(char *const *)b;
    const int order = natural_order(left, right);
    return order ? order : strcmp(left, right); /* 01 and 1: any order, but always the same */
}

static bool has_picture_name(const char *name)
{
    static const char *const endings[] = {"jpg", "jpeg", "png", "bmp", "ppm", "pgm", "pnm"};
    static const char *const libav_endings[] = {"webp", "tif", "tiff"};
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name || name[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (strcasecmp(dot + 1, endings[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; frames_has_video() && i < sizeof libav_endings / sizeof *libav_endings;
         i++) {
        if (strcasecmp(dot + 1, libav_endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* False: out of memory. */
static bool add_path(folder_reader *reader, const char *folder, const char *name)
{
    char **paths = realloc(reader->paths, (reader->count + 1) * sizeof *paths);
    if (!paths) {
        return false;
    }
    reader->paths = paths;
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (!path) {
        return false;
    }
    snprintf(path, size, "%s/%s", folder, name);
    struct stat what;
    if (stat(path, &what) != 0 || !S_ISREG(what.st_mode)) {
        free(path); /* a folder inside, or a link to nowhere */
        return true;
    }
    reader->paths[reader->count++] = path;
    return true;
}

static frames_status list_pictures(folder_reader *reader, const char *folder, video_why why)
{
    DIR *directory = opendir(folder);
    if (!directory) {
        return video_fail(why, FRAMES_E_OPEN, "%s: %s (check the folder and its permissions)",
                          folder, strerror(errno));
    }
    bool ok = true;
    const struct dirent *entry;
    while (ok && (entry = readdir(directory))) {
        if (has_picture_name(entry->d_name)) {
            ok = add_path(reader, folder, entry->d_name);
        }
    }
    closedir(directory);
    if (!ok) {
        return video_fail_memory(why, folder);
    }
    if (reader->count == 0) {
        return video_fail(
            why, FRAMES_E_FORMAT,
            "%s: no picture in the folder (give a folder with .jpg, .png, .bmp or .ppm "
            "files)",
            folder);
    }
    qsort(reader->paths, reader->count, sizeof *reader->paths, path_order);
    return FRAMES_OK;
}

/* Only what memory or the caller's limits forbid ends a folder; a bad picture is passed over. */
static bool passes_over(frames_status status)
{
    return status == FRAMES_E_DAMAGED || status == FRAMES_E_FORMAT || status == FRAMES_E_OPEN;
}

static frames_status decode_path(folder_reader *reader, const char *path, video_why why)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    video_reader named = reader->base;
    named.name = path;
    frames_status status = video_read_file(path, path, &bytes, &size, why);
    if (status == FRAMES_OK) {
        status = video_decode_picture(&named, bytes, size, &reader->picture, why);
    }
    free(bytes);
    return status;
}

static frames_status folder_advance(video_reader *base, double *seconds, video_why why)
{
    folder_reader *reader = (folder_reader *)base;
    char text[FRAMES_WHY_SIZE]; /* most sentences here are about pictures that are passed over */
    free(reader->picture.rgb);
    reader->picture = (video_picture){0};
    while (reader->next < reader->count) {
        const char *path = reader->paths[reader->next++];
        frames_status status = decode_path(reader, path, (video_why){text, sizeof text});
        if (status == FRAMES_OK) {
            *seconds = (double)reader->given++ / base->options->picture_fps;
            return FRAMES_OK;
        }
        if (!passes_over(status)) {
            return video_fail(why, status, "%s", text);
        }
        base->info->damaged++;
    }
    return FRAMES_END;
}

static frames_status folder_pixels(video_reader *base, video_picture *picture, video_why why)
{
    (void)why;
    *picture = ((folder_reader *)base)->picture;
    return FRAMES_OK;
}

static frames_status folder_rewind(video_reader *base, video_why why)
{
    (void)why;
    folder_reader *reader = (folder_reader *)base;
    reader->next = 0;
    reader->given = 0;
    return FRAMES_OK;
}

static void folder_close(video_reader *base)
{
    folder_reader *reader = (folder_reader *)base;
    for (size_t i = 0; i < reader->count; i++) {
        free(reader->paths[i]);
    }
    free(reader->paths);
    free(reader->picture.rgb);
    free(reader);
}

frames_status video_open_folder(video_reader **reader, const video_reader *base, const char *path,
                                video_why why)
{
    static const video_reader_ops ops = {folder_advance, folder_pixels, folder_rewind,
                                         folder_close};
    *reader = NULL;
    folder_reader *folder = calloc(1, sizeof *folder);
    if (!folder) {
        return video_fail_memory(why, base->name);
    }
    folder->base = *base;
    folder->base.ops = &ops;
    frames_status status = list_pictures(folder, path, why);
    if (status != FRAMES_OK) {
        folder_close(&folder->base);
        return status;
    }
    base->info->kind = FRAMES_KIND_FOLDER;
    base->info->fps = base->options->picture_fps;
    base->info->header_frames = folder->count;
    base->info->seconds = (double)folder->count / base->options->picture_fps;
    *reader = &folder->base;
    return FRAMES_OK;
}
