/* The command line of winnow-llama. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { MEDIA_MOST = 64 };

/* A picture or a video, in the order of the command line, which is that of their markers. */
typedef struct medium_option {
    const char *path;
    bool is_video;
} medium_option;

typedef struct options {
    const char *model, *mmproj;
    medium_option media[MEDIA_MOST];
    uint32_t media_count;
    const char *pipeline;                         /* NULL: nothing is reduced */
    const char *preset;                           /* NULL, or what pipeline was made of */
    const char *prompt;                           /* NULL: a question of our own */
    const char *encoder, *mrope, *backend, *like; /* checked: one of the choices */
    const char *logits, *kept, *seen;             /* files to write, or NULL */
    uint32_t answer, context, batch, threads;     /* tokens; threads */
    uint32_t gpu_layers, frames;
    bool gpu_layers_given, chat, verbose, help, version;
} options;

/* Fills `o` from the arguments; false: a line was printed. help and version ask for no more. */
bool options_read(options *o, int argc, char **argv);
void options_help(void);

#endif /* OPTIONS_H */
