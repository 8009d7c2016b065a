#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "commands.h"
#include "engine.h"
#include "marks.h"
#include "media.h"
#include "reduction.h"
#include "report.h"
#include "show.h"
#include "vision.h"

typedef struct values {
    engine_options engine;
    media_options media;
    vision_options vision;
    arg_list outputs;
    const char *pipeline;
    bool json;
} values;

static const arg_option options[] = {
    {"output", 'o', ARG_LIST, offsetof(values, outputs), "FILE",
     "a .png, .mp4 or .html; may be given several times"},
    {"pipeline", 0, ARG_TEXT, offsetof(values, pipeline), "SPEC", "what to show"},
    MEDIA_OPTIONS(values),
    VISION_OPTIONS(values),
    ENGINE_OPTIONS(values),
    {"json", 0, ARG_FLAG, offsetof(values, json), NULL, "report for machines"},
    {0}};

static const struct {
    const char *ending;
    int (*draw)(const show *s, const char *path);
} painters[] = {
    {".png", show_sheet}, {".mp4", show_film}, {".html", show_page}, {".htm", show_page}};
enum { PAINTER_COUNT = sizeof painters / sizeof painters[0] };

/* By the path's ending; -1: none. */
static int find_painter(const char *path)
{
    size_t length = strlen(path);
    for (int i = 0; i < PAINTER_COUNT; i++) {
        size_t ending = strlen(painters[i].ending);
        if (length > ending && strcasecmp(path + length - ending, painters[i].ending) == 0) {
            return i;
        }
    }
    return -1;
}

/* `seen`: the model's, NULL without one. */
static int tell(const values *v, const show *s, const vision *seen)
{
    const char *what = seen ? "view" : "frame";
    if (v->json) {
        cJSON *tree = report_reduction(s->r, s->spec, s->e);
        cJSON_AddNumberToObject(tree, "frames", s->m->frames);
        cJSON_AddNumberToObject(tree, "grid_h", s->m->grid_h);
        cJSON_AddNumberToObject(tree, "grid_w", s->m->grid_w);
        cJSON_AddNumberToObject(tree, "kept", (double)s->k->totals[MARK_KEPT]);
        cJSON_AddNumberToObject(tree, "merged", (double)s->k->totals[MARK_MERGED]);
        cJSON_AddNumberToObject(tree, "dropped", (double)s->k->totals[MARK_DROPPED]);
        cJSON_AddStringToObject(tree, "model", v->media.model ? v->media.model : "patches");
        if (seen) {
            cJSON_AddStringToObject(tree, "family", seen->model.family);
        }
        cJSON *list = cJSON_AddArrayToObject(tree, "outputs");
        for (size_t i = 0; i < v->outputs.count; i++) {
            cJSON_AddItemToArray(list, cJSON_CreateString(v->outputs.items[i]));
        }
        return report_print(tree);
    }
    report_line(s->r, s->e);
    printf(
        "kept %llu, merged %llu, dropped %llu, in %u %s%s of %ux%u tokens%s\n",
        (unsigned long long)s->k->totals[MARK_KEPT], (unsigned long long)s->k->totals[MARK_MERGED],
        (unsigned long long)s->k->totals[MARK_DROPPED], s->m->frames, what,
        s->m->frames == 1 ? "" : "s", s->m->grid_w, s->m->grid_h, s->k->times > 1 ? " a pair" : "");
    for (size_t i = 0; i < v->outputs.count; i++) {
        printf("%s\n", v->outputs.items[i]);
    }
    return cli_finish_stdout();
}

static int draw_all(const values *v, show *s, const vision *seen)
{
    marks k = {0};
    int exit_code = CLI_DONE;

    if (!marks_create(&k, s->r, seen ? seen->model.frames : 1)) {
        return cli_fail("show: out of memory");
    }
    s->k = &k;
    for (size_t i = 0; i < v->outputs.count && exit_code == CLI_DONE; i++) {
        const char *path = v->outputs.items[i];
        exit_code = painters[find_painter(path)].draw(s, path);
    }
    if (exit_code == CLI_DONE) {
        exit_code = tell(v, s, seen);
    }
    marks_destroy(&k);
    return exit_code;
}

static int show_model(const values *v, engine *e, const arg_list *paths,
                      const winnow_pipeline *pipeline)
{
    vision seen;
    int exit_code = vision_load(&seen, e, paths, &v->media, &v->vision, pipeline);
    if (exit_code == CLI_DONE) {
        show s = {e, &seen.m, &seen.r, NULL, v->pipeline, seen.views};
        exit_code = draw_all(v, &s, &seen);
    }
    vision_free(&seen);
    return exit_code;
}

static int show_patches(const values *v, engine *e, const arg_list *paths,
                        const winnow_pipeline *pipeline)
{
    media m;
    reduction r = {0};
    reduction_options how = {.dtype = WINNOW_F32};
    int exit_code = media_load(&m, e, paths, &v->media);
    if (exit_code == CLI_DONE) {
        exit_code = media_check_roles(m.roles, e, pipeline, v->pipeline);
    }
    if (exit_code == CLI_DONE) {
        role_inputs inputs = media_inputs(&m);
        exit_code = reduction_run(&r, e, pipeline, &inputs, &how);
    }
    if (exit_code == CLI_DONE) {
        show s = {e, &m, &r, NULL, v->pipeline, NULL};
        exit_code = draw_all(v, &s, NULL);
    }
    reduction_free(&r);
    media_free(&m);
    return exit_code;
}

static int show_paths(const values *v, engine *e, const arg_list *paths)
{
    int exit_code = engine_load(e);
    winnow_pipeline *pipeline =
        exit_code ? NULL : engine_pipeline(e, v->pipeline, true, &exit_code);
    if (!pipeline) {
        return exit_code;
    }
    const winnow_api *api = e->api;
    exit_code = engine_open(e, &v->engine);
    if (exit_code == CLI_DONE) {
        exit_code = vision_is_model(v->media.model) ? show_model(v, e, paths, pipeline)
                                                    : show_patches(v, e, paths, pipeline);
        engine_close(e);
    }
    api->pipeline_destroy(pipeline);
    return exit_code;
}

static int run(const void *given, const arg_list *operands)
{
    const values *v = given;
    engine e;

    if (operands->count == 0) {
        return cli_misuse("show: no picture or video (winnow show film.mp4 --pipeline "
                          "SPEC -o film.html)");
    }
    if (!v->pipeline) {
        return cli_misuse("show: no pipeline (add --pipeline SPEC; see 'winnow stages')");
    }
    if (v->outputs.count == 0) {
        return cli_misuse("show: no output file (add -o FILE.png, FILE.mp4 or FILE.html)");
    }
    for (size_t i = 0; i < v->outputs.count; i++) {
        if (find_painter(v->outputs.items[i]) < 0) {
            return cli_misuse("show: %s: its ending says no kind of picture (give "
                              ".png, .mp4 or .html)",
                              v->outputs.items[i]);
        }
    }
    int exit_code = vision_check_options("show", v->media.model, &v->vision);
    return exit_code ? exit_code : show_paths(v, &e, operands);
}

const command command_show = {
    "show",
    "a picture, film or page of what a pipeline keeps, merges and drops",
    "VIDEO|IMAGE|FOLDER... --pipeline SPEC -o FILE [-o FILE ...] [OPTIONS]",
    "Kept patches are clear, merged ones toned and outlined in the colour of the patch that took\n"
    "them in, dropped ones dimmed. A .png is a sheet of all frames, an .mp4 plays them, an .html\n"
    "is one page with a slider, made to be opened and passed on without a network.\n"
    "With a vision transformer's file as --model (llama.cpp's mmproj GGUF, or a Hugging Face\n"
    "folder of CLIP, SigLIP or DINOv2) the views that the model sees are shown, on the grid of\n"
    "the tokens that the pipeline counts: patches where a stage runs inside the layers, else what\n"
    "the projector makes one token of. Frames that a model takes in pairs share their marks.\n"
    "--like, --dtype, --as-is, --casp and --merge-weights are for such files alone. --casp 0.25\n"
    "leaves a quarter of each layer's q and k, as two factors of rank D/8, made so that these\n"
    "pictures (the first 16 views) change least; it takes seconds a layer.\n"
    "\nExamples:\n"
    "  winnow show film.mp4 --pipeline evs=rate=0.75 -o film.html\n"
    "  winnow show film.mp4 --pipeline evs=rate=0.5,tome=r=32 --frames 32 -o a.png -o a.mp4\n"
    "  winnow show photo.jpg --pipeline divprune=keep=25% --max-side 672 -o photo.png\n"
    "  winnow show photo.jpg --model clip-folder --pipeline tome=r=16:layers=all -o merged.html\n"
    "  winnow show film.mp4 --model mmproj.gguf --pipeline evs=rate=0.75 -o film.mp4\n",
    options,
    sizeof(values),
    run};
