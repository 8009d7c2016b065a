/* The library as the commands see it: a device that is opened by the common options, and failures
 * told in the library's own sentence. */
#ifndef WINNOW_ENGINE_H
#define WINNOW_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include <winnow/winnow.h>

#include "args.h"

enum { ENGINE_MESSAGE_SIZE = 768 };

typedef struct engine {
    const winnow_api *api;
    winnow_host host;
    winnow_device *device;
    winnow_device_info info;           /* of device */
    char message[ENGINE_MESSAGE_SIZE]; /* the last thing that the library said */
    bool message_is_error;
    bool has_cache; /* --cache: the device's end may warn too */
    char warning[ENGINE_MESSAGE_SIZE]; /* the last one; of a call that succeeded, worth telling */
} engine;

/* --device, --backend, --disable and, for what runs something, --cache. */
typedef struct engine_options {
    const char *device, *backend, *disable, *cache;
} engine_options;

/* The rows of an options table for an `engine_options` member called `engine`. */
#define ENGINE_OPTIONS(values)                                                  \
    {"device", 0,                                                               \
     ARG_TEXT, offsetof(values, engine.device),                                 \
     "SEL",    "a number of 'winnow devices', or part of a name"},              \
        {"backend",  0,                                                         \
         ARG_CHOICE, offsetof(values, engine.backend),                          \
         "gpu|cpu",  "only a GPU, or plain C; default: a GPU if there is a real one"}, \
        {"disable",                                                             \
         0,                                                                     \
         ARG_TEXT,                                                              \
         offsetof(values, engine.disable),                                      \
         "F,..",                                                                \
         "device features not to use, as fp16,subgroup"},                       \
    {                                                                           \
        "cache", 0, ARG_TEXT, offsetof(values, engine.cache), "FILE",           \
            "keep what the GPU's driver compiles here, for the next time"       \
    }

/* Takes the library's table; opens no device. Returns an exit code, as all below. */
int engine_load(engine *e);
int engine_open(engine *e, const engine_options *options);
/* A second device, the plain C backend, with the same host. */
int engine_open_cpu(engine *e);
void engine_close(engine *e);

winnow_device_desc engine_device_desc(const engine *e, const engine_options *options);

/* Parses `spec`; `given` tells whether it was typed (a bad one is then bad use). NULL on failure,
 * with the exit code in *status. */
winnow_pipeline *engine_pipeline(engine *e, const char *spec, bool given, int *status);

/* Prints the library's sentence on what failed, or `what` and the status' name when it kept silent.
 * Returns CLI_FAILED. */
int engine_fail(engine *e, const char *what, winnow_status status);

/* Prints what the library warned of since `warning` was emptied. */
void engine_tell_warning(const engine *e);

/* The stage whose name is the `length` bytes at `name`; false: none. */
bool engine_stage(const engine *e, const char *name, size_t length, winnow_stage_info *out);
/* The spec's first stage; false if it names none (a bad spec, or a budget). */
bool engine_first_stage(const engine *e, const char *spec, winnow_stage_info *out);

/* "GPU 0"-like names of what runs: "plain C", or the GPU's name. */
const char *engine_device_name(const engine *e);

#endif /* WINNOW_ENGINE_H */
