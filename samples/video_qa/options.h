/* The command line of winnow-ask. */
#ifndef VIDEO_QA_OPTIONS_H
#define VIDEO_QA_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { OPTIONS_LIST_MAX = 64 };

typedef struct options_list {
    const char *items[OPTIONS_LIST_MAX];
    uint32_t count;
} options_list;

typedef struct options {
    const char *model, *mmproj; /* NULL, both: the default model */
    const char *pipeline;       /* NULL: nothing is reduced */
    const char *preset;         /* NULL, or what pipeline was made of */
    const char *template, *picture, *live, *questions_file, *trace;
    const char *backend, *mrope, *like; /* checked: one of the choices */
    options_list media, questions;      /* operands */
    uint32_t frames, max_side, answer, context, batch, threads, gpu_layers;
    uint32_t live_width, live_height;
    double live_fps;   /* of the feed */
    double sample_fps; /* frames a second of it that are looked at */
    bool gpu_layers_given, compare, interactive, verbose, help, version;
} options;

/* Fills `o` from the arguments; false: a line was printed. help and version ask for no more. */
bool options_read(options *o, int argc, char **argv);
void options_help(void);

#endif /* VIDEO_QA_OPTIONS_H */
