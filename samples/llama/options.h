/* The command line of winnow-llama. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct options {
    const char *model, *mmproj, *image;
    const char *pipeline; /* NULL: nothing is reduced */
    const char *prompt;
    const char *encoder, *mrope, *backend, *like; /* checked: one of the choices */
    const char *logits, *kept;                    /* files to write, or NULL */
    uint32_t answer, context, batch, threads;     /* tokens; threads */
    uint32_t gpu_layers;
    bool gpu_layers_given, verbose, help, version;
} options;

/* Fills `o` from the arguments; false: a line was printed. help and version ask for no more. */
bool options_read(options *o, int argc, char **argv);
void options_help(void);

#endif /* OPTIONS_H */
