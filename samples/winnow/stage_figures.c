#include "stage_figures.h"

#include <stdio.h>
#include <string.h>

#define MACHINE(text) const char *const stage_figures_machine = text;
#define ALL(right)    const double stage_figures_all = right;
#define FIGURES(...)
#include "stage_figures.def"
#undef MACHINE
#undef ALL
#undef FIGURES

#define MACHINE(text)
#define ALL(right)
#define FIGURES(stage, image, video, quarter, quarter_of, tenth, tenth_of) \
    {stage, image, video, {quarter, quarter_of}, {tenth, tenth_of}},
static const stage_figures table[] = {
#include "stage_figures.def"
    {0}};

const stage_figures *stage_figures_of(const char *stage)
{
    for (const stage_figures *f = table; f->stage; f++) {
        if (strcmp(f->stage, stage) == 0) {
            return f;
        }
    }
    return NULL;
}

const char *stage_figures_ms(double ms, char *out, size_t size)
{
    snprintf(out, size, ms <= 0 ? "-" : ms < 10 ? "%.2f" : ms < 100 ? "%.1f" : "%.0f", ms);
    return out;
}

const char *stage_figures_right(const stage_answers *answers, char *out, size_t size)
{
    snprintf(out, size, answers->right > 0 ? "%.1f%%" : "-", answers->right);
    return out;
}

static void add_answers(cJSON *object, const char *name, const stage_answers *answers)
{
    cJSON *item;
    if (answers->right <= 0) {
        return;
    }
    item = cJSON_AddObjectToObject(object, name);
    cJSON_AddNumberToObject(item, "right_percent", answers->right);
    cJSON_AddStringToObject(item, "pipeline", answers->pipeline);
}

void stage_figures_json(cJSON *object, const char *stage)
{
    const stage_figures *f = stage_figures_of(stage);
    cJSON *measured;
    if (!f) {
        return;
    }
    measured = cJSON_AddObjectToObject(object, "measured");
    cJSON_AddStringToObject(measured, "machine", stage_figures_machine);
    if (f->image_ms > 0) {
        cJSON_AddNumberToObject(measured, "image_ms", f->image_ms);
    }
    if (f->video_ms > 0) {
        cJSON_AddNumberToObject(measured, "video_ms", f->video_ms);
    }
    add_answers(measured, "quarter", &f->quarter);
    add_answers(measured, "tenth", &f->tenth);
}
