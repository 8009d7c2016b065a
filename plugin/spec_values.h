/* spec_values.h: a spec's text, piece by piece, for spec.c. */
#ifndef WN_SPEC_VALUES_H
#define WN_SPEC_VALUES_H

#include "stage.h"

typedef struct wn_text {
    const char *at;
    size_t size;
} wn_text;

/* What is parsed, for messages. */
typedef struct wn_spec {
    const wn_host *host;
    const char *spec;
} wn_spec;

enum { WN_SPEC_MOST = 4096 }; /* characters */

int wn_spec_place(const wn_spec *p, const char *at); /* of a character, from 1 on */

wn_text wn_text_trim(wn_text t);
/* Cuts `*rest` at the first `mark` that no `\` stands before; false when nothing is left. */
bool wn_text_cut(wn_text *rest, char mark, wn_text *part);
bool wn_text_is(wn_text t, const char *name);
bool wn_text_number(wn_text value, double *out);

/* "did you mean `x`?" for the nearest of the names that `name_at` gives, or what there is. */
void wn_spec_suggest(char *out, size_t size, wn_text given, uint32_t count,
                     const char *(*name_at)(const void *, uint32_t), const void *user);

bool wn_option_can_be_auto(const winnow_option_info *option);
/* An option's value by its type. */
winnow_status wn_spec_value(const wn_spec *p, const winnow_option_info *option, wn_text value,
                            wn_value *out);

#endif
