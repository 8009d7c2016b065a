/* preprocess_tiles.c: pictures that become several views: LLaVA-NeXT, InternVL, Idefics3 (see
 * preprocess.c for who is who).
 */
#include <math.h>
#include <string.h>

#include "preprocess_private.h"

enum { IDEFICS3_SIDE_MOST = 4096, TILES_MOST = 1 << 16 };

static wn_view view_of(const wn_planner *p, uint32_t stage, uint32_t x, uint32_t y, uint32_t width,
                       uint32_t height)
{
    const uint32_t patch = p->prep->patch ? p->prep->patch : 1;
    return (wn_view){.width = width - width % patch,
                     .height = height - height % patch,
                     .tile_y = -1,
                     .tile_x = -1,
                     .stage = stage - 1,
                     .x = x,
                     .y = y};
}

/* Views of width x height: tiles of stage `tiled` (0: none) and an overview, stage `overview` (0:
 * none), first or last. */
static winnow_status cut(wn_planner *p, bool first, uint32_t tiled, uint32_t overview)
{
    const uint32_t width = p->prep->width, height = p->prep->height;
    wn_views *v = p->views;
    const wn_prep_stage *s = tiled ? &v->stage[tiled - 1] : NULL;
    v->tiles_x = s ? s->x.total / width : 0;
    v->tiles_y = s ? s->y.total / height : 0;
    const uint64_t tiles = (uint64_t)v->tiles_x * v->tiles_y;
    if (tiles > TILES_MOST)
        return wn_fail(p->host, WINNOW_E_SHAPE,
                       "preprocess: %u x %u would be %u x %u tiles (give a smaller picture)",
                       p->width, p->height, v->tiles_x, v->tiles_y);
    const uint32_t count = (uint32_t)tiles + (overview ? 1 : 0), base = first;
    v->view = wn_alloc(p->host, count * sizeof *v->view);
    if (!v->view)
        return wn_fail(p->host, WINNOW_E_HOST_MEMORY, "preprocess: no memory for %u views", count);
    v->count = count;
    if (overview)
        v->view[base ? 0 : tiles] = view_of(p, overview, 0, 0, width, height);
    for (uint32_t t = 0; t < tiles; ++t) {
        const uint32_t y = t / v->tiles_x, x = t % v->tiles_x;
        v->view[base + t] = view_of(p, tiled, x * width, y * height, width, height);
        v->view[base + t].tile_y = (int32_t)y;
        v->view[base + t].tile_x = (int32_t)x;
    }
    return WINNOW_OK;
}

winnow_status wn_cut_one(wn_planner *p, uint32_t stage)
{
    const wn_prep_stage *s = &p->views->stage[stage - 1];
    p->views->view = wn_alloc(p->host, sizeof *p->views->view);
    if (!p->views->view)
        return wn_fail(p->host, WINNOW_E_HOST_MEMORY, "preprocess: no memory for a view");
    p->views->count = 1;
    p->views->view[0] = view_of(p, stage, 0, 0, s->x.total, s->y.total);
    return WINNOW_OK;
}

/* llama.cpp's overviews beside tiles were bilinear while it resized in floats. */
static uint32_t add_overview(wn_planner *p)
{
    const bool old = p->prep->filter == WN_FILTER_LLAMA_BICUBIC;
    return wn_add_whole(p, old ? WN_FILTER_LLAMA_BILINEAR : p->prep->filter, p->prep->width,
                        p->prep->height);
}

/* The search for the grid that keeps the most pixels of the picture, then wastes the fewest of its
 * own. */
typedef struct search {
    uint64_t best_kept, best_waste;
    uint32_t width, height; /* 0: none yet */
} search;

static void try_grid(const wn_planner *p, search *s, uint32_t width, uint32_t height)
{
    uint64_t w, h;
    if (p->prep->like_llama) {
        const float across = (float)width / (float)p->width,
                    down = (float)height / (float)p->height;
        const float scale = across < down ? across : down;
        w = (uint64_t)((float)p->width * scale);
        h = (uint64_t)((float)p->height * scale);
    } else {
        const double across = (double)width / p->width, down = (double)height / p->height;
        const double scale = across < down ? across : down;
        w = (uint64_t)(p->width * scale);
        h = (uint64_t)(p->height * scale);
    }
    const uint64_t own = (uint64_t)p->width * p->height;
    const uint64_t kept = w * h < own ? w * h : own;
    /* float scales may end a pixel past the grid: no waste then */
    const uint64_t area = (uint64_t)width * height, waste = area > kept ? area - kept : 0;
    if (kept > s->best_kept || (kept == s->best_kept && waste < s->best_waste))
        *s = (search){kept, waste, width, height};
}

static bool small(const wn_planner *p)
{
    return p->width <= p->prep->width && p->height <= p->prep->height;
}

winnow_status wn_plan_anyres(wn_planner *p)
{
    const wn_prep *prep = p->prep;
    search s = {.best_waste = UINT64_MAX};
    uint32_t kept[2];
    for (uint32_t i = 0; i < prep->grid_count && i < WN_GRIDS_MOST; ++i) {
        const uint32_t *grid = prep->grids[i];
        if (!grid[0] || !grid[1] || grid[0] % prep->width || grid[1] % prep->height)
            return wn_fail(
                p->host, WINNOW_E_SHAPE,
                "preprocess: a grid of %u x %u pixels is not whole tiles of %u x %u (check the "
                "grid pinpoints)",
                grid[0], grid[1], prep->width, prep->height);
        try_grid(p, &s, grid[0], grid[1]);
    }
    if (!s.width || prep->grid_count > WN_GRIDS_MOST)
        return wn_fail(p->host, WINNOW_E_SHAPE, "preprocess: %u grids of tiles (1 to %d are read)",
                       prep->grid_count, WN_GRIDS_MOST);
    const uint32_t overview = add_overview(p);
    if (prep->like_llama && small(p))
        return cut(p, true, 0, overview);
    const uint32_t tiled = wn_add_inside(p, s.width, s.height, kept);
    p->views->kept_w = kept[0];
    p->views->kept_h = kept[1];
    return cut(p, !prep->like_llama, tiled, overview);
}

/* The counts of tiles whose aspect is closest; among equals, in order of tiles and then of columns,
 * a larger one where the picture has more than half its pixels. */
static void closest_aspect(const wn_planner *p, uint32_t grid[2])
{
    const wn_prep *prep = p->prep;
    const double aspect = (double)p->width / p->height, area = (double)p->width * p->height;
    double best = INFINITY;
    grid[0] = grid[1] = 1;
    for (uint32_t tiles = prep->min_tiles; tiles <= prep->max_tiles; ++tiles) {
        for (uint32_t columns = 1; columns <= tiles; ++columns) {
            const uint32_t rows = tiles / columns;
            const double away = fabs(aspect - (double)columns / rows);
            if (tiles % columns)
                continue;
            if (away < best ||
                (away == best && area > 0.5 * prep->height * prep->width * columns * rows)) {
                grid[0] = columns;
                grid[1] = rows;
            }
            best = away < best ? away : best;
        }
    }
}

static void llama_internvl_grid(const wn_planner *p, uint32_t grid[2])
{
    const uint32_t least = p->prep->min_tiles, most = p->prep->max_tiles;
    search s = {.best_waste = UINT64_MAX};
    for (uint32_t columns = least; columns <= most; ++columns) {
        const uint32_t fewest = (least + columns - 1) / columns;
        for (uint32_t rows = fewest < least ? least : fewest; rows <= most / columns; ++rows)
            try_grid(p, &s, columns * p->prep->width, rows * p->prep->height);
    }
    grid[0] = s.width / p->prep->width;
    grid[1] = s.height / p->prep->height;
}

winnow_status wn_plan_internvl(wn_planner *p)
{
    const wn_prep *prep = p->prep;
    uint32_t grid[2], kept[2];
    if (!prep->min_tiles || prep->min_tiles > prep->max_tiles || prep->max_tiles > 1024)
        return wn_fail(p->host, WINNOW_E_SHAPE,
                       "preprocess: %u to %u tiles cannot be (1 to 1024; check the settings)",
                       prep->min_tiles, prep->max_tiles);
    if (!prep->like_llama) {
        closest_aspect(p, grid);
        const uint32_t tiled =
            wn_add_whole(p, prep->filter, grid[0] * prep->width, grid[1] * prep->height);
        return cut(p, false, tiled, prep->thumbnail && grid[0] * grid[1] > 1 ? add_overview(p) : 0);
    }
    if (small(p))
        return cut(p, true, 0, add_overview(p));
    llama_internvl_grid(p, grid);
    if (!grid[0] || !grid[1])
        return wn_fail(p->host, WINNOW_E_SHAPE,
                       "preprocess: no grid has %u to %u tiles (check the settings)",
                       prep->min_tiles, prep->max_tiles);
    const uint32_t tiled = wn_add_inside(p, grid[0] * prep->width, grid[1] * prep->height, kept);
    return cut(p, false, tiled, add_overview(p));
}

/* The longest edge to `edge`, the other even. */
static void idefics3_edge(const wn_planner *p, uint32_t size[2])
{
    const double aspect = (double)p->width / p->height;
    const bool wide = p->width >= p->height;
    uint32_t other = (uint32_t)(wide ? p->prep->edge / aspect : p->prep->edge * aspect);
    other += other % 2;
    size[0] = wide ? p->prep->edge : other;
    size[1] = wide ? other : p->prep->edge;
}

static uint32_t up(uint32_t size, uint32_t multiple)
{
    return (size + multiple - 1) / multiple * multiple;
}

/* transformers: no side past 4096, and the second resize takes its aspect from the first one's
 * whole pixels. */
static void idefics3_sizes(const wn_planner *p, uint32_t first[2], uint32_t second[2])
{
    const uint32_t tile_w = p->prep->width, tile_h = p->prep->height;
    idefics3_edge(p, first);
    first[0] = first[0] ? first[0] : 1;
    first[1] = first[1] ? first[1] : 1;
    const double before = (double)first[0] / first[1];
    if (first[0] >= first[1] && first[0] > IDEFICS3_SIDE_MOST) {
        first[0] = IDEFICS3_SIDE_MOST;
        first[1] = (uint32_t)(IDEFICS3_SIDE_MOST / before);
    } else if (first[1] > first[0] && first[1] > IDEFICS3_SIDE_MOST) {
        first[1] = IDEFICS3_SIDE_MOST;
        first[0] = (uint32_t)(IDEFICS3_SIDE_MOST * before);
    }
    first[0] = first[0] ? first[0] : 1;
    first[1] = first[1] ? first[1] : 1;
    const double aspect = (double)first[0] / first[1];
    const bool wide = first[0] >= first[1];
    second[0] = wide ? up(first[0], tile_w) : 0;
    second[1] = wide ? up((uint32_t)(second[0] / aspect), tile_h) : up(first[1], tile_h);
    if (!wide)
        second[0] = up((uint32_t)(second[1] * aspect), tile_w);
}

/* llama.cpp without an edge, with a user's limits, or before August 2026: one resize with the
 * aspect kept. */
static winnow_status plan_idefics3_inside(wn_planner *p)
{
    const wn_prep *prep = p->prep;
    double w, h;
    uint32_t kept[2];
    if (prep->edge) {
        const float across = (float)prep->edge / (float)p->width,
                    down = (float)prep->edge / (float)p->height;
        const float scale = across < down ? across : down;
        w = (double)ceilf((float)p->width * scale / (float)prep->width) * prep->width;
        h = (double)ceilf((float)p->height * scale / (float)prep->width) * prep->width;
    } else {
        wn_round_sides(p, prep->width, &w, &h);
    }
    wn_limit_pixels(p, prep->width, &w, &h);
    if (w > INT32_MAX || h > INT32_MAX)
        return wn_fail(p->host, WINNOW_E_SHAPE,
                       "preprocess: %u x %u becomes %g x %g pixels (give a smaller picture)",
                       p->width, p->height, w, h);
    const uint32_t overview = add_overview(p);
    return cut(p, false, wn_add_inside(p, (uint32_t)w, (uint32_t)h, kept), overview);
}

winnow_status wn_plan_idefics3(wn_planner *p)
{
    const wn_prep *prep = p->prep;
    const bool old = wn_in_floats(prep->filter);
    uint32_t first[2], second[2];
    if (prep->width != prep->height || prep->edge > 1 << 15 || (!prep->edge && !prep->like_llama))
        return wn_fail(
            p->host, WINNOW_E_SHAPE,
            "preprocess: square tiles of a longest edge are needed, not %u x %u of %u (check the "
            "settings)",
            prep->width, prep->height, prep->edge);
    if (prep->like_llama && (old || !prep->edge || prep->min_pixels || prep->max_pixels))
        return plan_idefics3_inside(p);
    idefics3_sizes(p, first, second);
    if (prep->like_llama) {
        idefics3_edge(p, first);
        second[0] = up(first[0], prep->width);
        second[1] = up(first[1], prep->height);
    }
    if (!first[0] || !first[1])
        return wn_fail(
            p->host, WINNOW_E_SHAPE,
            "preprocess: %u x %u is too narrow, a side vanishes at a longest edge of %u (crop it)",
            p->width, p->height, prep->edge);
    uint32_t stage = wn_add_whole(p, prep->filter, first[0], first[1]);
    if (prep->max_tiles == 1 && !prep->like_llama)
        return cut(p, true, 0,
                   wn_add_stage(p, stage, prep->filter, wn_axis_whole(first[0], prep->width),
                                wn_axis_whole(first[1], prep->height)));
    stage = wn_add_stage(p, stage, prep->filter, wn_axis_whole(first[0], second[0]),
                         wn_axis_whole(first[1], second[1]));
    if (!prep->like_llama && second[0] <= prep->width && second[1] <= prep->height)
        return wn_cut_one(p, stage);
    return cut(p, false, stage,
               wn_add_stage(p, stage, prep->filter, wn_axis_whole(second[0], prep->width),
                            wn_axis_whole(second[1], prep->height)));
}
