/* preprocess_private.h: what planning and resampling share among their files. */
#ifndef WN_VIT_PREPROCESS_PRIVATE_H
#define WN_VIT_PREPROCESS_PRIVATE_H

#include "preprocess.h"

typedef struct wn_planner {
    const wn_host *host;
    const wn_prep *prep;
    uint32_t width, height; /* of the picture */
    wn_views *views;        /* filled by the planning */
} wn_planner;

/* True for llama.cpp's old filters, which have no tables. */
static inline bool wn_in_floats(enum wn_filter filter)
{
    return filter == WN_FILTER_LLAMA_BILINEAR || filter == WN_FILTER_LLAMA_BICUBIC;
}
/* A stage of theirs: from [y.in, x.in, 3] to [y.total, x.total, 3]. */
void wn_resample_floats(const wn_prep_stage *stage, const uint8_t *from, uint8_t *to);

wn_prep_axis wn_axis_whole(uint32_t in, uint32_t out);
/* `out` pixels centred in total. */
wn_prep_axis wn_axis_padded(uint32_t in, uint32_t out, uint32_t total);

/* Stages are named by their number + 1, as in wn_prep_stage.from. */
uint32_t wn_add_stage(wn_planner *p, uint32_t from, enum wn_filter filter, wn_prep_axis x,
                      wn_prep_axis y);
/* The picture resized to width x height. */
uint32_t wn_add_whole(wn_planner *p, enum wn_filter filter, uint32_t width, uint32_t height);
/* The picture in width x height with its aspect kept; kept: its size there. */
uint32_t wn_add_inside(wn_planner *p, uint32_t width, uint32_t height, uint32_t kept[2]);
void wn_fit_inside(bool like_llama, uint32_t width, uint32_t height, const uint32_t total[2],
                   uint32_t out[2]);

void wn_round_sides(const wn_planner *p, double multiple, double *width, double *height);
void wn_limit_pixels(const wn_planner *p, double multiple, double *width, double *height);

/* One view of a whole stage. E_HOST_MEMORY. */
winnow_status wn_cut_one(wn_planner *p, uint32_t stage);

winnow_status wn_plan_anyres(wn_planner *p);
winnow_status wn_plan_internvl(wn_planner *p);
winnow_status wn_plan_idefics3(wn_planner *p);

#endif
