/* prepare.c: a model's recipe for pictures on the device. A stage is two `resize` operations on
 * packed bytes, with the tables of wn_resize_axis in the constants: the same sums as in resample.c,
 * so the same bytes. Cost a stage and frame: a multiply-add a byte and tap, two or three taps'
 * worth of the ratio along each axis; least traffic: the frame once, what lies between the axes
 * twice, the view once. */
#include "prepare.h"

#include "preprocess_private.h"

enum { CHANNELS = 3 };

static const char *const how = "prepare on the host: model_prepare, and no WINNOW_ENCODER_PREPARE";

static bool makes_tiles(const wn_prep *prep)
{
    return prep->fit == WN_FIT_ANYRES || prep->fit == WN_FIT_INTERNVL ||
           prep->fit == WN_FIT_IDEFICS3;
}

bool wn_prepare_can(const wn_prep *prep)
{
    return !makes_tiles(prep) && !wn_in_floats(prep->filter);
}

static winnow_status check_recipe(const wn_host *host, const wn_prep *prep)
{
    if (makes_tiles(prep))
        return wn_fail(host, WINNOW_E_UNSUPPORTED,
                       "encoder: the model cuts pictures into tiles (%s)", how);
    if (wn_in_floats(prep->filter))
        return wn_fail(host, WINNOW_E_UNSUPPORTED,
                       "encoder: llama.cpp b10256 resizes in floats, without tables (%s)", how);
    return WINNOW_OK;
}

/* One view, of the whole of the last of a chain of stages. */
static bool is_chain(const wn_views *views)
{
    bool chain = views->count == 1 && views->stage_count > 0 &&
                 views->view[0].stage == views->stage_count - 1;
    for (uint32_t i = 0; i < views->stage_count; ++i)
        chain = chain && views->stage[i].from == i && !wn_in_floats(views->stage[i].filter);
    if (!chain)
        return false;
    const wn_prep_stage *last = &views->stage[views->stage_count - 1];
    const wn_view *v = &views->view[0];
    return !v->x && !v->y && v->width == last->x.total && v->height == last->y.total;
}

winnow_status wn_prepare_plan(const wn_host *host, const wn_prep *prep, uint32_t width,
                              uint32_t height, wn_prepare *out)
{
    wn_views views;
    WN_TRY(check_recipe(host, prep));
    WN_TRY(wn_prep_plan(host, prep, width, height, &views));
    const bool chain = is_chain(&views);
    *out = (wn_prepare){
        .width = width, .height = height, .widens = prep->fit == WN_FIT_PAD && !prep->like_llama};
    for (uint32_t i = 0; chain && i < views.stage_count; ++i)
        out->stage[out->stage_count++] = views.stage[i];
    out->view_w = chain ? views.view[0].width : 0;
    out->view_h = chain ? views.view[0].height : 0;
    wn_views_free(host, &views);
    return chain ? WINNOW_OK
                 : wn_fail(host, WINNOW_E_UNSUPPORTED,
                           "encoder: the model's view is no whole picture (%s)", how);
}

typedef struct picture {
    uint32_t width, height;
    wn_mat bytes;
} picture;

static uint64_t words_of(uint32_t frames, uint64_t width, uint64_t height)
{
    return (frames * width * height * CHANNELS + 3) / 4;
}

/* from along one axis. words: memory to take, at least what is needed. */
static picture resize(wn_build *b, const wn_prep_stage *s, bool vertical, uint32_t frames,
                      const picture *from, uint64_t words)
{
    const wn_prep_axis *axis = vertical ? &s->y : &s->x;
    picture to = {.width = vertical ? from->width : axis->total,
                  .height = vertical ? axis->total : from->height};
    const uint64_t need = words_of(frames, to.width, to.height);
    uint32_t taps = 0;
    if (b->status != WINNOW_OK)
        return to;
    if (need > INT32_MAX / 4) {
        build_fail(
            b, WINNOW_E_SHAPE,
            "%u frames of %u x %u on the way to the views pass 2 GiB (encode fewer at a time)",
            frames, to.width, to.height);
        return to;
    }
    b->status = wn_resize_axis(b->host, s->filter, axis, &taps, NULL, NULL, NULL);
    if (b->status != WINNOW_OK)
        return to;
    const wn_arr start = build_const(b, NULL, axis->total),
                 count = build_const(b, NULL, axis->total),
                 coef = build_const(b, NULL, axis->total * taps);
    to.bytes = build_matrix(b, 1, (uint32_t)(words > need ? words : need));
    if (b->status != WINNOW_OK)
        return to;
    b->status = wn_resize_axis(b->host, s->filter, axis, &taps, build_const_data(b, start),
                               build_const_data(b, count), (int32_t *)build_const_data(b, coef));
    const struct wn_args_resize args = {.frames = frames,
                                        .in_w = from->width,
                                        .in_h = from->height,
                                        .out_w = to.width,
                                        .out_h = to.height,
                                        .vertical = vertical,
                                        .taps = taps,
                                        .start_at = start.at,
                                        .count_at = count.at,
                                        .coef_at = coef.at,
                                        .fill = s->fill[0] | (uint32_t)s->fill[1] << 8 |
                                                (uint32_t)s->fill[2] << 16};
    BUILD_OP(b, resize, need, &from->bytes, &to.bytes, args, READS_W);
    return to;
}

static void run_stage(wn_build *b, const wn_prep_stage *s, bool room, uint32_t frames, picture *at)
{
    const uint64_t across = words_of(frames, s->x.total, s->y.in),
                   down = words_of(frames, s->x.in, s->y.total),
                   end = words_of(frames, s->x.total, s->y.total);
    uint64_t words = !room ? 0 : across > down ? across : down;
    words = room && end > words ? end : words;
    for (uint32_t i = 0; i < 2; ++i) {
        const bool vertical = (i == 1) != s->y_first;
        if (room || !wn_axis_plain(vertical ? &s->y : &s->x))
            *at = resize(b, s, vertical, frames, at, i ? 0 : words);
    }
}

/* A square needs no widening where other frames do. */
static bool lacks_widening(const wn_prepare *p)
{
    return p->room && p->widens && p->width == p->height;
}

wn_mat wn_prepare_frames(wn_build *b, const wn_prepare *p, uint32_t frames, const wn_mat *pixels)
{
    picture at = {p->width, p->height, *pixels};
    const char *stage = b->stage;
    b->stage = "prepare";
    if (lacks_widening(p)) {
        const wn_prep_stage same = {.filter = WN_FILTER_NEAREST,
                                    .x = wn_axis_whole(p->width, p->width),
                                    .y = wn_axis_whole(p->height, p->height)};
        run_stage(b, &same, true, frames, &at);
    }
    for (uint32_t i = 0; i < p->stage_count; ++i)
        run_stage(b, &p->stage[i], p->room, frames, &at);
    b->stage = stage;
    return at.bytes;
}
