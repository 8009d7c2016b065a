/* preprocess.h: pictures of any size to the views that a ViT sees, bytes in, bytes out.
 *
 * Two references, which differ in sizes, padding and order: llama.cpp's mtmd (for GGUF files) and
 * Hugging Face's image processors (for folders; the "slow" ones, Pillow). Either can be asked for.
 * A view is a picture of whole patches in packed RGB bytes: normalisation (byte * scale + shift) is
 * the patchify operation's.
 *
 * Both resize with Pillow's arithmetic (llama.cpp since August 2026), which is exact to the byte
 * here: tables of integer weights in fixed point (22 bits) that the C code and the `resize`
 * operation (ops_args.h) both use. Up to version 12 Pillow always goes along x and then y; from 13
 * on a picture that loses more than twice as many rows as columns goes along y first
 * (tall_y_first). llama.cpp before that (b10256) resized in floats: WN_FILTER_LLAMA_*, exact too,
 * but in C only.
 *
 * A plan is a recipe: at most four stages, each a resize of the picture or of an earlier stage's
 * result along both axes, and views cut out of the stages' results. wn_prep_run executes it in
 * C; a device can run the same tables.
 */
#ifndef WN_VIT_PREPROCESS_H
#define WN_VIT_PREPROCESS_H

#include "host.h"

enum wn_filter {
    WN_FILTER_NEAREST,
    WN_FILTER_BILINEAR, /* Pillow's: a triangle that widens when a picture shrinks */
    WN_FILTER_BICUBIC,  /* Keys with a = -0.5, widened likewise */
    WN_FILTER_LANCZOS,  /* 3 lobes, widened likewise */
    /* llama.cpp up to b10256; neither is widened, neither has tables. Where they are used,
     * overviews beside tiles are bilinear and idefics3 has the sizes of that time. */
    WN_FILTER_LLAMA_BILINEAR, /* corners on corners, rounded down at the end */
    WN_FILTER_LLAMA_BICUBIC,  /* a cubic through four pixels */
};

/* How a picture becomes views. */
enum wn_fit {
    /* To width x height, whatever the aspect (SigLIP, Gemma 3). */
    WN_FIT_SQUASH,
    /* The shortest edge to `edge`, then the centre width x height, `pad` around it where it is
     * smaller (CLIP, DINOv2). */
    WN_FIT_CROP,
    /* The whole picture in width x height of pad colour: LLaVA-1.5's "pad" widens to a square and
     * resizes that, llama.cpp resizes to the longest edge and then pads (mlp, gemma3). */
    WN_FIT_PAD,
    /* Both sides rounded to multiples of `multiple`, min_pixels..max_pixels in all (Qwen-VL);
     * llama.cpp keeps the aspect inside that and fills with `pad`. */
    WN_FIT_DYNAMIC,
    /* LLaVA-NeXT: an overview, then width x height tiles of the best of `grids`; llama.cpp puts the
     * overview last and gives small pictures nothing else. */
    WN_FIT_ANYRES,
    /* min_tiles..max_tiles tiles of width x height by the closest aspect, then a thumbnail where
     * more than one; llama.cpp picks the grid as for ANYRES. */
    WN_FIT_INTERNVL,
    /* The longest edge to `edge`, tiles of width x height, overview last (SmolVLM); transformers
     * gives one tile no overview. max_tiles 1: the overview only (do_image_splitting false). */
    WN_FIT_IDEFICS3,
    /* The largest size of at most max_patches whole patches with nearly the picture's aspect
     * (SigLIP 2 NaFlex), by transformers' bisection of the scale. */
    WN_FIT_NAFLEX,
};

enum { WN_GRIDS_MOST = 32, WN_STAGES_MOST = 4 };

typedef struct wn_prep {
    bool like_llama;   /* llama.cpp's sizes, padding and order; else transformers' */
    bool tall_y_first; /* as Pillow from 13 on */
    enum wn_fit fit;
    enum wn_filter filter;
    uint32_t width, height; /* of a view, where it is fixed (a view loses what is no whole patch) */
    uint32_t patch;         /* pixels; views are multiples of it. 0: any size */
    uint32_t edge;          /* see wn_fit; IDEFICS3 like llama: 0 where the file has none */
    uint32_t multiple;      /* DYNAMIC: patch * merge */
    /* DYNAMIC; IDEFICS3 like llama where a user gives limits, else 0 */
    uint64_t min_pixels, max_pixels;
    uint32_t max_patches; /* NAFLEX */
    uint32_t min_tiles, max_tiles;
    bool thumbnail; /* INTERNVL: an overview beside the tiles (llama.cpp always has it) */
    uint8_t pad[3];
    float mean[3], std[3];
    float rescale; /* 1/255 */
    /* ANYRES: width, height in pixels (Hugging Face's lists have height first) */
    uint32_t grid_count;
    uint32_t grids[WN_GRIDS_MOST][2];
} wn_prep;

/* One axis of a resize from `in` to `out` pixels, of which crop_count from crop_first are kept and
 * laid from pad_before on in `total` pixels; the rest is fill. */
typedef struct wn_prep_axis {
    uint32_t in, out;
    uint32_t crop_first, crop_count;
    uint32_t pad_before, total;
} wn_prep_axis;

typedef struct wn_prep_stage {
    uint32_t from; /* 0: the picture; k: the result of stage k - 1 */
    enum wn_filter filter;
    wn_prep_axis x, y; /* x first, unless y_first. An axis that changes nothing may be skipped */
    bool y_first;
    uint8_t fill[3];
} wn_prep_stage;

typedef struct wn_view {
    uint32_t width, height;
    int32_t tile_y, tile_x; /* in the grid of tiles; -1: the overview, or the only view */
    uint32_t stage, x, y;   /* the view is cut out of this stage's result, here */
    uint8_t *rgb;           /* [height, width, 3]; owned by the views */
} wn_view;

typedef struct wn_views {
    uint32_t count;
    uint32_t tiles_y, tiles_x; /* 0: no tiles */
    uint32_t kept_w, kept_h; /* ANYRES: size of the picture inside the best grid, before padding */
    wn_view *view;
    uint32_t stage_count;
    wn_prep_stage stage[WN_STAGES_MOST];
} wn_views;

/* The views that a picture of that size will have, without data (rgb NULL): sizes are known before
 * a pixel is. E_SHAPE for sizes of 0, settings that do not fit each other, pictures that the
 * reference refuses (an aspect over 200 for DYNAMIC, a side that would vanish), and anything of
 * 2^31 bytes or more. */
winnow_status wn_prep_plan(const wn_host *host, const wn_prep *prep, uint32_t width,
                           uint32_t height, wn_views *out);
/* With data. rgb: [height, width, 3]. */
winnow_status wn_prep_run(const wn_host *host, const wn_prep *prep, const uint8_t *rgb,
                          uint32_t width, uint32_t height, wn_views *out);
void wn_views_free(const wn_host *host, wn_views *views);

/* True where the axis gives back what it is given. */
bool wn_axis_plain(const wn_prep_axis *axis);

/* Tables of an axis for the `resize` operation: start[total], count[total] (0: fill),
 * coef[total * taps]; *taps is the same for all. start NULL: only *taps (0: a filter without
 * tables, which is E_UNSUPPORTED with start). E_SHAPE: parts that do not fit, more than 2^20
 * taps, tables of 2^31 bytes or more. */
winnow_status wn_resize_axis(const wn_host *host, enum wn_filter filter, const wn_prep_axis *axis,
                             uint32_t *taps, uint32_t *start, uint32_t *count, int32_t *coef);

/* Runs a stage: from [y.in, x.in, 3] to a new [y.total, x.total, 3], freed with wn_free. */
winnow_status wn_resample(const wn_host *host, const wn_prep_stage *stage, const uint8_t *from,
                          uint8_t **out);

#endif
