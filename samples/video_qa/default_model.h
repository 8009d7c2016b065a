/* Where the model that comes with Winnow is looked for. */
#ifndef VIDEO_QA_DEFAULT_MODEL_H
#define VIDEO_QA_DEFAULT_MODEL_H

#include <stdbool.h>

/* Its two files: paths that live as long as the process. False after a line that says where they
 * were looked for. */
bool default_model_find(const char **model, const char **mmproj);

/* The clip that it is shown where none is named; likewise. */
bool default_film_find(const char **film);

/* Whether a file can be opened. False after a line. */
bool check_file(const char *path);

#endif /* VIDEO_QA_DEFAULT_MODEL_H */
