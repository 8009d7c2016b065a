/* Output files that are whole or not there: written beside their place, then renamed. */
#ifndef WINNOW_OUTPUT_H
#define WINNOW_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

typedef struct output {
    FILE *file;
    char *path;   /* where it shall be */
    char *beside; /* where it is written; NULL: straight to a device or pipe, as /dev/stdout */
} output;

/* Opens PATH for writing. Returns an exit code; says why on stderr. */
int output_open(output *out, const char *path);

/* Flushes, checks that the bytes are on the disk, closes and renames. On failure the file is
 * removed. Always closes. */
int output_commit(output *out);

/* Closes and removes what was written. Fine after output_commit and on a zeroed struct. */
void output_abandon(output *out);

/* Prints why writing failed (errno), and abandons. Returns CLI_FAILED. */
int output_fail(output *out);

#endif /* WINNOW_OUTPUT_H */
