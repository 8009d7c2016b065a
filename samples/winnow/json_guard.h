/* A look over JSON text before a parser that recurses and allocates sees it. */
#ifndef WINNOW_JSON_GUARD_H
#define WINNOW_JSON_GUARD_H

#include <stddef.h>

/* NULL if the text is UTF-8, is nested no deeper than `depth_max`, has no more than `values_max`
 * values, and holds no NUL in any spelling; else what is wrong, for "the header WHAT". */
const char *json_guard(const char *text, size_t size, size_t depth_max, size_t values_max);

#endif /* WINNOW_JSON_GUARD_H */
