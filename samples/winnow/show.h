/* `winnow show`: one reduction, drawn as a sheet, a film or a page. */
#ifndef WINNOW_SHOW_H
#define WINNOW_SHOW_H

#include "engine.h"
#include "marks.h"
#include "media.h"
#include "reduction.h"

typedef struct show {
    const engine *e;
    const media *m;
    const reduction *r;
    const marks *k;
    const char *spec;
    const int32_t *views; /* [T, 4] of a model's views; NULL: frames as they are */
} show;

/* What picture t is, "1.25 s" or "tile 0,1"; returns text. */
const char *show_name(const show *s, uint32_t t, char *text, size_t size);

/* Each writes `path`, whole or not at all, and returns an exit code. */
int show_sheet(const show *s, const char *path); /* PNG */
int show_film(const show *s, const char *path);  /* MP4; needs libav */
int show_page(const show *s, const char *path);  /* HTML, one file, no network */

#endif /* WINNOW_SHOW_H */
