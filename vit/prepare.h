/* prepare.h: frames of any size become a model's views as part of an encoder's program. */
#ifndef WN_VIT_PREPARE_H
#define WN_VIT_PREPARE_H

#include "build.h"
#include "preprocess.h"

/* The recipe for frames of one size: stages, each from the one before it, and the whole of the last
 * is the view. */
typedef struct wn_prepare {
    uint32_t width, height; /* of a frame as it comes */
    uint32_t view_w, view_h;
    uint32_t stage_count;
    wn_prep_stage stage[WN_STAGES_MOST];
    bool widens; /* frames that are no squares are made squares first */
    /* leave nothing out and take the memory of either order of the axes: what smaller frames may
     * need */
    bool room;
} wn_prepare;

/* False where wn_prepare_plan is E_UNSUPPORTED whatever the size. */
bool wn_prepare_can(const wn_prep *prep);
/* E_UNSUPPORTED where the model makes tiles, or resizes without tables. */
winnow_status wn_prepare_plan(const wn_host *host, const wn_prep *prep, uint32_t width,
                              uint32_t height, wn_prepare *out);
/* The operations. pixels: the frames' bytes as words; the views' bytes come back, in the workspace
 * where anything was to do. */
wn_mat wn_prepare_frames(wn_build *b, const wn_prepare *prepare, uint32_t frames,
                         const wn_mat *pixels);

#endif
