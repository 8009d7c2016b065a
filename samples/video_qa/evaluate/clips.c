#include "clips.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "say.h"

enum { SIDE_MOST = 16384, FRAMES_MOST = 65536 };

bool clip_file_open(clip_file *f, const char *path)
{
    *f = (clip_file){.path = path, .file = fopen(path, "rb")};
    return f->file || say_failed("%s: it cannot be opened", path);
}

void clip_file_close(clip_file *f)
{
    if (f->file) {
        fclose(f->file);
    }
    free(f->line);
    *f = (clip_file){0};
}

/* ---- one line ---- */

static bool wrong(const clip_file *f, const char *what)
{
    return say_failed("%s: line %u: %s", f->path, f->number, what);
}

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static uint32_t count_of(const cJSON *object, const char *name, uint32_t most)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    const double value = cJSON_IsNumber(item) ? item->valuedouble : 0;
    return value >= 1 && value <= most ? (uint32_t)value : 0;
}

/* `name` in the folder of the file, unless it is absolute. */
static char *beside(const clip_file *f, const char *name)
{
    const char *slash = strrchr(f->path, '/');
    const size_t folder = slash && name[0] != '/' ? (size_t)(slash - f->path) + 1 : 0;
    char *path = malloc(folder + strlen(name) + 1);
    if (path) {
        memcpy(path, f->path, folder);
        strcpy(path + folder, name);
    }
    return path;
}

static bool read_question(const clip_file *f, const cJSON *item, clip_question *out)
{
    const char *type = text_of(item, "type"), *question = text_of(item, "question"),
               *answer = text_of(item, "answer");
    if (!type || !question || !question[0] || !answer) {
        return wrong(f, "a question is {\"type\", \"question\", \"answer\"}, all texts");
    }
    *out = (clip_question){strdup(type), strdup(question), strdup(answer)};
    return (out->type && out->question && out->answer) || wrong(f, "out of memory");
}

static bool read_source(const clip_file *f, const cJSON *object, clip *out)
{
    const char *video = text_of(object, "video"), *frames = text_of(object, "frames");
    const cJSON *fps = cJSON_GetObjectItemCaseSensitive(object, "fps");
    if (!video == !frames) {
        return wrong(f, "a clip has \"video\", or \"frames\" with count, width and height");
    }
    out->raw = frames != NULL;
    out->path = beside(f, video ? video : frames);
    out->fps = cJSON_IsNumber(fps) && fps->valuedouble > 0 ? fps->valuedouble : 1;
    out->count = count_of(object, "count", FRAMES_MOST);
    out->width = count_of(object, "width", SIDE_MOST);
    out->height = count_of(object, "height", SIDE_MOST);
    if (out->raw && (!out->count || !out->width || !out->height)) {
        return wrong(f, "\"frames\" needs count, width and height");
    }
    return out->path || wrong(f, "out of memory");
}

static bool read_clip(const clip_file *f, const cJSON *object, clip *out)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "questions");
    const int count = cJSON_GetArraySize(list);
    if (!cJSON_IsObject(object) || !cJSON_IsArray(list) || count < 1) {
        return wrong(f, "it is no JSON object with \"questions\"");
    }
    out->questions = calloc((size_t)count, sizeof *out->questions);
    if (!out->questions) {
        return wrong(f, "out of memory");
    }
    for (; out->question_count < (uint32_t)count; out->question_count++) {
        if (!read_question(f, cJSON_GetArrayItem(list, (int)out->question_count),
                           &out->questions[out->question_count])) {
            out->question_count++; /* what there is of it is freed */
            return false;
        }
    }
    return read_source(f, object, out);
}

bool clip_next(clip_file *f, clip *out, bool *end)
{
    *out = (clip){0};
    do {
        f->number++;
        *end = getline(&f->line, &f->room, f->file) < 0;
        if (*end) {
            return !ferror(f->file) || say_failed("%s: it cannot be read", f->path);
        }
    } while (f->line[strspn(f->line, " \t\r\n")] == 0);
    cJSON *object = cJSON_Parse(f->line);
    const bool good = read_clip(f, object, out);
    cJSON_Delete(object);
    return good;
}

void clip_free(clip *c)
{
    for (uint32_t i = 0; i < c->question_count; i++) {
        free(c->questions[i].type);
        free(c->questions[i].question);
        free(c->questions[i].answer);
    }
    free(c->questions);
    free(c->path);
    *c = (clip){0};
}

/* ---- its frames ---- */

static bool read_raw(const clip *c, film *out, film_encoder *e)
{
    const size_t bytes = (size_t)c->width * c->height * 3;
    FILE *file = fopen(c->path, "rb");
    uint8_t *rgb = malloc(bytes * c->count);
    frames_frame *frames = calloc(c->count, sizeof *frames);
    bool good = file || say_failed("%s: it cannot be opened", c->path);
    if (good && (!rgb || !frames)) {
        good = say_failed("%s: out of memory for %u frames", c->path, c->count);
    }
    if (good && fread(rgb, bytes, c->count, file) != c->count) {
        good =
            say_failed("%s: it has not %u frames of %ux%u", c->path, c->count, c->width, c->height);
    }
    for (uint32_t i = 0; good && i < c->count; i++) {
        frames[i] = (frames_frame){.rgb = rgb + i * bytes,
                                   .width = c->width,
                                   .height = c->height,
                                   .seconds = i / c->fps,
                                   .index = i};
    }
    good = good && film_take(out, e, frames, c->count, true, c->path);
    free(frames);
    free(rgb);
    if (file) {
        fclose(file);
    }
    return good;
}

bool clip_read(const clip *c, film *out, film_encoder *e, const film_choice *choice)
{
    *out = (film){0};
    return c->raw ? read_raw(c, out, e) : film_read(out, e, c->path, choice);
}
