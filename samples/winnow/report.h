/* Reports for machines: the JSON objects that several commands share. */
#ifndef WINNOW_REPORT_H
#define WINNOW_REPORT_H

#include <cjson/cJSON.h>

#include "engine.h"
#include "reduction.h"

/* Prints `tree` on stdout and deletes it. Exit code. */
int report_print(cJSON *tree);

cJSON *report_device(const winnow_device_info *info);
cJSON *report_reduction(const reduction *r, const char *spec, const engine *e);
cJSON *report_roles(uint32_t bits);       /* ["tokens", ...] */
cJSON *report_features(const char *list); /* "a,b" -> ["a", "b"] */

const char *report_kind(const winnow_device_info *info); /* "integrated GPU" */

/* The line for people: "tokens 6272 -> 1568 (25%), 3.21 ms, DEVICE". */
void report_line(const reduction *r, const engine *e);

#endif /* WINNOW_REPORT_H */
