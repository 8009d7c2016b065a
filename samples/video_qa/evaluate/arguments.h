/* The command line of winnow-evaluate. */
#ifndef VIDEO_QA_ARGUMENTS_H
#define VIDEO_QA_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

enum { ARGUMENTS_MOST = 64 };

typedef struct arguments {
    const char *clips, *output;
    const char *pipelines[ARGUMENTS_MOST];
    uint32_t pipeline_count;
    const char *model, *mmproj; /* NULL, both: the default model */
    const char *backend, *like, *template;
    uint32_t threads, answer, context, frames, most, seed;
    int32_t gpu_layers; /* -1: llama.cpp's choice */
    bool help;
} arguments;

/* False after a line on stderr. */
bool arguments_read(arguments *a, int argc, char **argv);
void arguments_help(void);

#endif /* VIDEO_QA_ARGUMENTS_H */
