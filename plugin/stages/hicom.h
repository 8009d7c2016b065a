/* hicom.h: the parts of HICom's projector (hicom.c says what they compute). */
#ifndef WN_STAGES_HICOM_H
#define WN_STAGES_HICOM_H

#include "build_trained.h"

#define HICOM_LOCAL  "local_compressor"
#define HICOM_GLOBAL "global_compressor"

enum hicom_guide { HICOM_AUTO, HICOM_OFF, HICOM_DIRECT, HICOM_COARSE, HICOM_FINE };

typedef struct hicom_use {
    uint32_t temporal, spatial, guide, global_guide;
    uint32_t heads; /* 0: one for 128 channels */
    bool local, global;
} hicom_use;

/* Windows along one axis: `out` of `size` inputs each, from start[o] on. */
typedef struct hicom_axis {
    uint32_t length, out, size;
    wn_arr start;
} hicom_axis;

/* The windows of t, y and x as segments of `taps` tokens each. */
typedef struct hicom_windows {
    hicom_axis axis[3];
    uint32_t count, taps;
    wn_arr seg;    /* [count + 1] */
    wn_arr places; /* [count * taps]: positions in the set */
} hicom_windows;

hicom_windows hicom_make_windows(wn_build *b, uint32_t temporal, uint32_t spatial);
/* Of windows, and of `rows` rows behind them. */
wn_arr hicom_window_sizes(wn_build *b, const hicom_windows *w, uint32_t rows);

/* Each window's row into out. */
void hicom_local(wn_build *b, const hicom_use *use, const hicom_windows *w, const wn_mat *out);
/* Each query's row into out; the shares that they have of the tokens, head by head. */
wn_mat hicom_global(wn_build *b, const hicom_use *use, const wn_mat *query, const wn_mat *out);

#endif
