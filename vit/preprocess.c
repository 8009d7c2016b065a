/* preprocess.c: what becomes of a picture: sizes, stages, views. Tiles are in preprocess_tiles.c.
 *
 * Who asks for what: fit, filter, pad colour; then where the sizes stand.
 *
 * llama.cpp v0.5.0 (September 2026), by clip.projector_type; keys follow clip.vision.:
 *   mlp        PAD       bicubic  122 116 104  image_size
 *   mlp with image_grid_pinpoints
 *              ANYRES    bicubic  0 0 0        image_size; grids: pairs as they stand, width first
 *   idefics3   IDEFICS3  lanczos  0 0 0        tile image_size, edge preproc_image_size
 *     without that key, or with a user's limits of tokens (min_pixels, max_pixels = tokens *
 *     (patch * projector.scale_factor)^2): filter bicubic
 *   internvl   INTERNVL  bicubic  0 0 0        tile image_size, preproc_min_tiles (1),
 *                                              preproc_max_tiles (12)
 *   gemma3     PAD       bilinear 0 0 0        image_size
 *   qwen2vl_merger, qwen2.5vl_merger, qwen3vl_merger
 *              DYNAMIC   bicubic  0 0 0        multiple = patch_size * spatial_merge_size (2),
 *     min_pixels = 8 * multiple^2, max_pixels = 4096 * multiple^2 (or a user's tokens)
 *   all: image_mean, image_std, rescale 1/255.
 * All of llama.cpp's overviews beside tiles come last.
 * llama.cpp b10256 (before August 23, 2026): the same, but LLAMA_BILINEAR for gemma3 and qwen,
 *   LLAMA_BICUBIC for the others.
 *
 * Hugging Face, preprocessor_config.json by image_processor_type. resample: 0 nearest, 1 lanczos,
 * 2 bilinear, 3 bicubic. Pad is 0 0 0 where none is named.
 *   CLIPImageProcessor, BitImageProcessor (DINOv2)
 *              CROP      bicubic  edge size.shortest_edge (or size, a number), crop_size (a
 *                        number or height and width). do_center_crop
 *                        false: only the shortest edge is set (not done)
 *   SiglipImageProcessor
 *              SQUASH    bicubic  size.height, size.width (384 of patch 14: 378 are seen)
 *   Gemma3ImageProcessor
 *              SQUASH    bilinear size.height, size.width (do_pan_and_scan is not done)
 *   CLIP with image_aspect_ratio "pad" in config.json, or LlavaImageProcessor with do_pad
 *              PAD       bicubic  crop_size; pad int(255 * image_mean)
 *   LlavaNextImageProcessor
 *              ANYRES    bicubic  size.shortest_edge; grids: image_grid_pinpoints with the numbers
 *                        of each pair exchanged, for height stands first there
 *   GotOcr2ImageProcessor (InternVL)
 *              INTERNVL  bicubic  size; min_patches (1), max_patches (12); thumbnail true
 *                        (crop_to_patches is false in files, but true from InternVL's processor)
 *   Idefics3ImageProcessor, SmolVLMImageProcessor
 *              IDEFICS3  lanczos  edge size.longest_edge, tile max_image_size.longest_edge;
 *                        do_image_splitting false: max_tiles 1
 *   Qwen2VLImageProcessor (and 2.5, 3)
 *              DYNAMIC   bicubic  multiple = patch_size * merge_size; min_pixels, max_pixels
 *                        (newer: size.shortest_edge and size.longest_edge, which are areas there)
 *   Siglip2ImageProcessor (NaFlex)
 *              NAFLEX    bilinear patch patch_size, max_patches max_num_patches
 *   all: image_mean, image_std, rescale_factor; tall_y_first as of Pillow 13. "Fast" processors
 *   (torchvision) round otherwise.
 */
#include "preprocess_private.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 3, ASPECT_MOST = 200 };
#define BYTES_MOST ((uint64_t)INT32_MAX)

wn_prep_axis wn_axis_whole(uint32_t in, uint32_t out)
{
    return (wn_prep_axis){.in = in, .out = out, .crop_count = out, .total = out};
}

wn_prep_axis wn_axis_padded(uint32_t in, uint32_t out, uint32_t total)
{
    return (wn_prep_axis){
        .in = in, .out = out, .crop_count = out, .pad_before = (total - out) / 2, .total = total};
}

/* The centre `total` of out pixels, rounded as transformers' center_crop does. */
static wn_prep_axis axis_centre(uint32_t in, uint32_t out, uint32_t total)
{
    if (out < total)
        return (wn_prep_axis){.in = in,
                              .out = out,
                              .crop_count = out,
                              .pad_before = (total - out + 1) / 2,
                              .total = total};
    return (wn_prep_axis){
        .in = in, .out = out, .crop_first = (out - total) / 2, .crop_count = total, .total = total};
}

/* Pillow 13 in ImagingResample: rows that go against columns that go. Compared with 13.0.0 in 2000
 * random sizes. */
static bool loses_rows(const wn_prep_axis *x, const wn_prep_axis *y)
{
    return y->out < y->in && (int64_t)y->in - y->out > 2 * ((int64_t)x->in - x->out);
}

uint32_t wn_add_stage(wn_planner *p, uint32_t from, enum wn_filter filter, wn_prep_axis x,
                      wn_prep_axis y)
{
    wn_prep_stage *s = &p->views->stage[p->views->stage_count++];
    *s = (wn_prep_stage){.from = from, .filter = filter, .x = x, .y = y};
    s->y_first = p->prep->tall_y_first && filter != WN_FILTER_NEAREST && loses_rows(&x, &y);
    memcpy(s->fill, p->prep->pad, sizeof s->fill);
    return p->views->stage_count;
}

/* Fits width x height into total: the longer side to the edge. */
void wn_fit_inside(bool like_llama, uint32_t width, uint32_t height, const uint32_t total[2],
                   uint32_t out[2])
{
    if (like_llama) {
        const float across = (float)total[0] / (float)width, down = (float)total[1] / (float)height;
        const float scale = across < down ? across : down;
        const float w = ceilf((float)width * scale), h = ceilf((float)height * scale);
        out[0] = w < (float)total[0] ? (uint32_t)w : total[0];
        out[1] = h < (float)total[1] ? (uint32_t)h : total[1];
        return;
    }
    const double across = (double)total[0] / width, down = (double)total[1] / height;
    const double w = ceil(width * down), h = ceil(height * across);
    out[0] = across < down || w > total[0] ? total[0] : (uint32_t)w;
    out[1] = across < down && h < total[1] ? (uint32_t)h : total[1];
}

uint32_t wn_add_inside(wn_planner *p, uint32_t width, uint32_t height, uint32_t kept[2])
{
    const uint32_t total[2] = {width, height};
    if (p->width == width && p->height == height) {
        kept[0] = width;
        kept[1] = height;
    } else {
        wn_fit_inside(p->prep->like_llama, p->width, p->height, total, kept);
    }
    return wn_add_stage(p, 0, p->prep->filter, wn_axis_padded(p->width, kept[0], width),
                        wn_axis_padded(p->height, kept[1], height));
}

uint32_t wn_add_whole(wn_planner *p, enum wn_filter filter, uint32_t width, uint32_t height)
{
    return wn_add_stage(p, 0, filter, wn_axis_whole(p->width, width),
                        wn_axis_whole(p->height, height));
}

static winnow_status plan_squash(wn_planner *p)
{
    const uint32_t stage = wn_add_whole(p, p->prep->filter, p->prep->width, p->prep->height);
    return wn_cut_one(p, stage);
}

static winnow_status plan_crop(wn_planner *p)
{
    const wn_prep *prep = p->prep;
    const uint32_t shorter = p->width < p->height ? p->width : p->height;
    const uint32_t longer = p->width < p->height ? p->height : p->width;
    const double edge = (double)((uint64_t)prep->edge * longer) / shorter;
    if (!prep->edge || edge > (double)BYTES_MOST)
        return wn_fail(p->host, WINNOW_E_SHAPE,
                       "preprocess: %u x %u cannot be resized to a shortest edge of %u (give "
                       "a smaller picture)",
                       p->width, p->height, prep->edge);
    const uint32_t width = p->width <= p->height ? prep->edge : (uint32_t)edge;
    const uint32_t height = p->width <= p->height ? (uint32_t)edge : prep->edge;
    const uint32_t stage =
        wn_add_stage(p, 0, prep->filter, axis_centre(p->width, width, prep->width),
                     axis_centre(p->height, height, prep->height));
    return wn_cut_one(p, stage);
}

static winnow_status plan_pad(wn_planner *p)
{
    const wn_prep *prep = p->prep;
    uint32_t kept[2];
    if (prep->like_llama)
        return wn_cut_one(p, wn_add_inside(p, prep->width, prep->height, kept));
    const uint32_t side = p->width > p->height ? p->width : p->height;
    uint32_t from = 0;
    if (p->width != p->height)
        from = wn_add_stage(p, 0, WN_FILTER_NEAREST, wn_axis_padded(p->width, p->width, side),
                            wn_axis_padded(p->height, p->height, side));
    return wn_cut_one(p, wn_add_stage(p, from, prep->filter, wn_axis_whole(side, prep->width),
                                      wn_axis_whole(side, prep->height)));
}

/* Rounded to multiples and into the limits. Python divides and rounds in double, halves to even;
 * C++ here in float, halves away from zero. */
static double rounded(double x, double by, bool like_llama)
{
    return (like_llama ? (double)roundf((float)x / (float)by) : nearbyint(x / by)) * by;
}

static double floored(double x, double beta, double by, bool like_llama)
{
    const double count =
        like_llama ? (double)floorf((float)x / (float)beta / (float)by) : floor(x / beta / by);
    return count < 1 ? by : count * by;
}

static double raised(double x, double beta, double by, bool like_llama)
{
    return (like_llama ? (double)ceilf((float)x * (float)beta / (float)by) : ceil(x * beta / by)) *
           by;
}

void wn_limit_pixels(const wn_planner *p, double multiple, double *width, double *height)
{
    const bool llama = p->prep->like_llama;
    const double least = (double)p->prep->min_pixels, most = (double)p->prep->max_pixels;
    const double w = p->width, h = p->height;
    if (most > 0 && *width * *height > most) {
        const double beta =
            llama ? (double)sqrtf((float)h * (float)w / (float)most) : sqrt(h * w / most);
        *height = floored(h, beta, multiple, llama);
        *width = floored(w, beta, multiple, llama);
    } else if (*width * *height < least) {
        const double beta =
            llama ? (double)sqrtf((float)least / ((float)h * (float)w)) : sqrt(least / (h * w));
        *height = raised(h, beta, multiple, llama);
        *width = raised(w, beta, multiple, llama);
    }
}

/* Both sides to multiples, at least one where llama.cpp asks for it (transformers' limits see to
 * that). */
void wn_round_sides(const wn_planner *p, double multiple, double *width, double *height)
{
    const bool llama = p->prep->like_llama;
    *width = rounded(p->width, multiple, llama);
    *height = rounded(p->height, multiple, llama);
    if (llama) {
        *width = *width < multiple ? multiple : *width;
        *height = *height < multiple ? multiple : *height;
    }
}

static winnow_status plan_dynamic(wn_planner *p)
{
    const wn_prep *prep = p->prep;
    const uint64_t longer = p->width > p->height ? p->width : p->height;
    const uint64_t shorter = p->width > p->height ? p->height : p->width;
    double w, h;
    uint32_t kept[2];
    if (!prep->multiple || !prep->max_pixels || prep->min_pixels > prep->max_pixels)
        return wn_fail(p->host, WINNOW_E_SHAPE,
                       "preprocess: multiples of %u within %llu..%llu pixels do not exist (check "
                       "the model's settings)",
                       prep->multiple, (unsigned long long)prep->min_pixels,
                       (unsigned long long)prep->max_pixels);
    if (!prep->like_llama && longer > ASPECT_MOST * shorter)
        return wn_fail(p->host, WINNOW_E_SHAPE,
                       "preprocess: %u x %u is longer than %d times its width, which the "
                       "model refuses (crop it)",
                       p->width, p->height, ASPECT_MOST);
    wn_round_sides(p, prep->multiple, &w, &h);
    wn_limit_pixels(p, prep->multiple, &w, &h);
    if (w < 1 || h < 1 || w > (double)BYTES_MOST || h > (double)BYTES_MOST)
        return wn_fail(
            p->host, WINNOW_E_SHAPE,
            "preprocess: %u x %u becomes %g x %g pixels (give a picture of less extreme shape)",
            p->width, p->height, w, h);
    if (prep->like_llama)
        return wn_cut_one(p, wn_add_inside(p, (uint32_t)w, (uint32_t)h, kept));
    return wn_cut_one(p, wn_add_whole(p, prep->filter, (uint32_t)w, (uint32_t)h));
}

static double in_patches(double scale, uint32_t side, uint32_t patch)
{
    const double count = ceil(side * scale / patch);
    return count < 1 ? 1 : count;
}

static winnow_status plan_naflex(wn_planner *p)
{
    const uint32_t patch = p->prep->patch, most = p->prep->max_patches;
    const double eps = 1e-5;
    double low = eps / 10, high = 100.0;
    if (!patch || !most)
        return wn_fail(
            p->host, WINNOW_E_SHAPE,
            "preprocess: at most %u patches of %u do not exist (check the model's settings)", most,
            patch);
    while (high - low >= eps) {
        const double scale = (low + high) / 2;
        const bool fits =
            in_patches(scale, p->height, patch) * in_patches(scale, p->width, patch) <= most;
        low = fits ? scale : low;
        high = fits ? high : scale;
    }
    const double width = in_patches(low, p->width, patch),
                 height = in_patches(low, p->height, patch);
    if (width * height > most)
        return wn_fail(p->host, WINNOW_E_SHAPE,
                       "preprocess: %u x %u does not become %u patches (shrink the picture first)",
                       p->width, p->height, most);
    return wn_cut_one(
        p, wn_add_whole(p, p->prep->filter, (uint32_t)width * patch, (uint32_t)height * patch));
}

static winnow_status plan_fit(wn_planner *p)
{
    switch (p->prep->fit) {
    case WN_FIT_SQUASH: return plan_squash(p);
    case WN_FIT_CROP: return plan_crop(p);
    case WN_FIT_PAD: return plan_pad(p);
    case WN_FIT_DYNAMIC: return plan_dynamic(p);
    case WN_FIT_ANYRES: return wn_plan_anyres(p);
    case WN_FIT_INTERNVL: return wn_plan_internvl(p);
    case WN_FIT_IDEFICS3: return wn_plan_idefics3(p);
    case WN_FIT_NAFLEX: return plan_naflex(p);
    }
    return wn_fail(p->host, WINNOW_E_SHAPE,
                   "preprocess: no way of fitting has the number %d (see wn_fit)",
                   (int)p->prep->fit);
}

/* Every picture on the way, and all views together, in less than 2^31 bytes; every table makeable.
 */
static winnow_status check_stages(const wn_planner *p)
{
    uint64_t bytes = 0;
    uint32_t taps;
    for (uint32_t i = 0; i < p->views->stage_count; ++i) {
        const wn_prep_stage *s = &p->views->stage[i];
        const uint64_t wide = s->y_first && s->x.in > s->x.total ? s->x.in : s->x.total,
                       tall = !s->y_first && s->y.in > s->y.total ? s->y.in : s->y.total;
        if (wide * tall > BYTES_MOST / CHANNELS)
            return wn_fail(p->host, WINNOW_E_SHAPE,
                           "preprocess: a picture of %u x %u on the way is 2^31 bytes or more "
                           "(give a smaller picture)",
                           (uint32_t)wide, (uint32_t)tall);
        WN_TRY(wn_resize_axis(p->host, s->filter, &s->x, &taps, NULL, NULL, NULL));
        WN_TRY(wn_resize_axis(p->host, s->filter, &s->y, &taps, NULL, NULL, NULL));
    }
    for (uint32_t i = 0; i < p->views->count; ++i) {
        const wn_view *v = &p->views->view[i];
        if (!v->width || !v->height)
            return wn_fail(
                p->host, WINNOW_E_SHAPE,
                "preprocess: a view has no whole patch of %u (check the model's settings)",
                p->prep->patch);
        bytes += (uint64_t)v->width * v->height * CHANNELS;
    }
    return bytes <= BYTES_MOST
               ? WINNOW_OK
               : wn_fail(p->host, WINNOW_E_SHAPE,
                         "preprocess: the views have 2^31 bytes or more (give a smaller picture)");
}

winnow_status wn_prep_plan(const wn_host *host, const wn_prep *prep, uint32_t width,
                           uint32_t height, wn_views *out)
{
    wn_planner p = {host, prep, width, height, out};
    const bool fixed = prep->fit != WN_FIT_DYNAMIC && prep->fit != WN_FIT_NAFLEX;
    memset(out, 0, sizeof *out);
    if (!width || !height || (uint64_t)width * height > BYTES_MOST / CHANNELS)
        return wn_fail(host, WINNOW_E_SHAPE,
                       "preprocess: a picture of %u x %u cannot be (1 pixel to 2^31 bytes)", width,
                       height);
    if (fixed && (!prep->width || !prep->height || prep->width > 1 << 15 || prep->height > 1 << 15))
        return wn_fail(host, WINNOW_E_SHAPE,
                       "preprocess: views of %u x %u cannot be (check the model's image size)",
                       prep->width, prep->height);
    winnow_status status = plan_fit(&p);
    if (status == WINNOW_OK)
        status = check_stages(&p);
    if (status != WINNOW_OK)
        wn_views_free(host, out);
    return status;
}

static winnow_status cut_views(const wn_host *host, wn_views *views, uint8_t *const *results)
{
    for (uint32_t i = 0; i < views->count; ++i) {
        wn_view *v = &views->view[i];
        const size_t row = (size_t)views->stage[v->stage].x.total * CHANNELS,
                     bytes = (size_t)v->width * CHANNELS;
        const uint8_t *from = results[v->stage] + v->y * row + (size_t)v->x * CHANNELS;
        v->rgb = wn_alloc(host, bytes * v->height);
        if (!v->rgb)
            return wn_fail(host, WINNOW_E_HOST_MEMORY,
                           "preprocess: no memory for a view of %u x %u", v->width, v->height);
        for (uint32_t y = 0; y < v->height; ++y)
            memcpy(v->rgb + y * bytes, from + y * row, bytes);
    }
    return WINNOW_OK;
}

winnow_status wn_prep_run(const wn_host *host, const wn_prep *prep, const uint8_t *rgb,
                          uint32_t width, uint32_t height, wn_views *out)
{
    uint8_t *results[WN_STAGES_MOST] = {0};
    WN_TRY(wn_prep_plan(host, prep, width, height, out));
    winnow_status status = WINNOW_OK;
    for (uint32_t i = 0; i < out->stage_count && status == WINNOW_OK; ++i) {
        const wn_prep_stage *s = &out->stage[i];
        status = wn_resample(host, s, s->from ? results[s->from - 1] : rgb, &results[i]);
    }
    if (status == WINNOW_OK)
        status = cut_views(host, out, results);
    for (uint32_t i = 0; i < out->stage_count; ++i)
        wn_free(host, results[i]);
    if (status != WINNOW_OK)
        wn_views_free(host, out);
    return status;
}

void wn_views_free(const wn_host *host, wn_views *views)
{
    for (uint32_t i = 0; views->view && i < views->count; ++i)
        wn_free(host, views->view[i].rgb);
    wn_free(host, views->view);
    memset(views, 0, sizeof *views);
}
