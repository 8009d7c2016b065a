/* motion: keeps what is new to the camera. Ours; the comparison with the frame before is that of evs (arXiv:2510.14624).
 * A camera that pans, tilts, zooms or turns moves everything on the token grid, so that comparing place by place finds all of
 * it changed. Here the move from each frame to the next is estimated first, one for the whole frame:
 *   gain(move) = mean over the tokens that stay inside of cos(token, the token where it came from)
 * for every translation of up to `radius` tokens (the similarity peaks of all tokens added up), and with model=affine for zooms
 * and turns of up to 2 tokens at the edge, and one more token of translation, on top of the best one. A move is taken only if it
 * explains a share `gain` of what no move leaves unexplained: 1 - gain(move) <= (1 - gain)*(1 - gain(none)); a still camera, a
 * cut or a picture without structure has none, and then this is evs to the bit.
 * Dissimilarity of a token: 1 - cos with where it came from (at the nearest place of the border where that is outside); the
 * first frame counts 255. The max(N, int(T*N*(1-rate))) most dissimilar of the whole video stay, in raster order.
 * mode=merge: a dropped token is averaged, by sizes, into the token that it came from, or where that one was dropped too, into
 * the one that took it, up to 64 frames back.
 * In a stream the first frame of a push looks back to the last of the push before, as in evs. A search over a table of moves,
 * not a fit by least squares: the same answer to the bit everywhere, and never a wild one. */
#include "build.h"

enum { RATE, RADIUS, MODEL, MODE, GAIN };
enum { EDGE = 4, TURN_SIDE = 2 * EDGE + 1, TURNS_MOST = TURN_SIDE * TURN_SIDE * 9 };
enum { CHAIN_MOST = 65 }; /* frames that a merge spans */

/* A candidate of motion_fit, and how far it is from no move. */
typedef struct move {
    uint32_t word, far;
} move;

static move move_of(int32_t zoom, int32_t turn, int32_t dy, int32_t dx)
{
    const uint32_t bend = (uint32_t)(zoom * zoom + turn * turn),
                   shift = (uint32_t)(dy * dy + dx * dx);
    return (move){(uint32_t)(zoom + 128) | (uint32_t)(turn + 128) << 8 |
                      (uint32_t)(dy + 128) << 16 | (uint32_t)(dx + 128) << 24,
                  bend * 256 + shift};
}

/* Adds one behind those that are as near to no move, so that of equal ones the nearer is taken. */
static uint32_t insert(move *moves, uint32_t count, move add)
{
    uint32_t at = count;
    for (; at > 0 && moves[at - 1].far > add.far; --at)
        moves[at] = moves[at - 1];
    moves[at] = add;
    return count + 1;
}

static wn_arr candidates(wn_build *b, const wn_value *v, uint32_t *shifts, uint32_t *turns)
{
    move moves[TURNS_MOST]; /* more than the shifts of any radius */
    const int32_t radius = (int32_t)v[RADIUS].number, edge = v[MODEL].choice == 1 ? EDGE : 0;
    const uint32_t side = 2 * (uint32_t)radius + 1;
    const wn_arr words = build_const(b, NULL, side * side + (edge ? TURNS_MOST : 0u));
    uint32_t *data = build_const_data(b, words), count = 0;
    for (int32_t dy = -radius; dy <= radius; ++dy)
        for (int32_t dx = -radius; dx <= radius; ++dx)
            count = insert(moves, count, move_of(0, 0, dy, dx));
    *shifts = count;
    for (uint32_t k = 0; data && k < count; ++k)
        data[k] = moves[k].word;
    count = 0;
    for (int32_t k = 0; edge && k < TURNS_MOST; ++k)
        count = insert(
            moves, count,
            move_of(k / 9 / TURN_SIDE - edge, k / 9 % TURN_SIDE - edge, k % 9 / 3 - 1, k % 3 - 1));
    *turns = count;
    for (uint32_t k = 0; data && k < count; ++k)
        data[*shifts + k] = moves[k].word;
    return words;
}

typedef struct motion {
    wn_arr score, dest;
} motion;

static motion find_motion(wn_build *b, const wn_value *v, const wn_mat *history)
{
    const wn_set *set = &b->set;
    const uint32_t radius = (uint32_t)v[RADIUS].number, side = 2 * radius + 1;
    const uint64_t table = (uint64_t)set->n_max * side * side;
    motion found = {build_array(b, set->n_max),
                    v[MODE].choice == 1 ? build_array(b, set->n_max) : WN_NO_ARR};
    const wn_arr ref = build_look_back(b), inv = build_norms(b, &set->mat, set->rows);
    const wn_arr sim = build_array(b, table), taken = build_array(b, set->segs);
    /* Of what is remembered, before the first push too, so that every push is planned for. */
    const wn_arr inv_old = b->in.streaming ? build_row_norms(b, history) : WN_NO_ARR;
    const struct wn_args_shift_sim shift = {.frames = set->segs,
                                            .tokens = set->width,
                                            .grid_w = set->grid_w,
                                            .cols = set->mat.cols,
                                            .radius = radius,
                                            .rows_at = set->rows.at,
                                            .ref_at = ref.at,
                                            .inv_at = inv.at,
                                            .inv_old_at = inv_old.at,
                                            .sim_at = sim.at};
    BUILD_OP(b, shift_sim, (uint64_t)set->n_max * side, &set->mat, b->in.streaming ? history : NULL,
             shift, WRITES_W);
    struct wn_args_motion_fit fit = {.frames = set->segs,
                                     .tokens = set->width,
                                     .grid_w = set->grid_w,
                                     .radius = radius,
                                     .ref_at = ref.at,
                                     .sim_at = sim.at,
                                     .score_at = found.score.at,
                                     .dest_at = found.dest.at,
                                     .move_at = taken.at,
                                     .less = (float)(1.0 - v[GAIN].number),
                                     .none_value = 255.0f};
    fit.moves_at = candidates(b, v, &fit.shifts, &fit.turns).at;
    /* An invocation sums every group_size-th candidate, and the taken ones again. */
    const uint64_t sums = fit.shifts / b->group_size + fit.turns / b->group_size + 6;
    build_loops_fit(b, WN_OP_motion_fit, sums * (set->width + 1));
    BUILD_OP(b, motion_fit, set->segs, NULL, NULL, fit, WRITES_W);
    return found;
}

static void merge_dropped(wn_build *b, wn_arr keep, wn_arr dest, wn_bounds after)
{
    const uint32_t span = b->set.segs < CHAIN_MOST ? b->set.segs : CHAIN_MOST;
    const wn_merge m = build_merge_lists(b, keep, dest, NULL, after, 0, span);
    build_merge_by(b, &m, WN_MERGE_WAVG, m.old.sizes);
}

static winnow_status check_set(wn_build *b, const wn_value *v)
{
    if (!b->set.aligned)
        return build_fail(
            b, WINNOW_E_SHAPE,
            "frames keep different places here, and it follows the camera from frame to frame "
            "(put it before the stage that prunes)");
    if (b->in.streaming && v[MODE].choice == 1)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "mode=merge in a stream (a token of an earlier push cannot be changed any more; use mode=drop)");
    return b->status;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const bool follows = b->in.streaming && b->in.frames_before > 0;
    wn_mat history = {0};
    if (check_set(b, v) != WINNOW_OK)
        return b->status;
    if (b->in.streaming)
        history = build_history(b, b->set.width, b->set.mat.cols);
    const motion found = find_motion(b, v, &history);
    if (b->in.streaming)
        build_remember(b, b->set.segs - 1, &history);
    uint32_t k = (uint32_t)((double)b->set.segs * b->set.width * (1.0 - v[RATE].number));
    if (!follows && k < b->set.width)
        k = b->set.width;
    const wn_arr keep = build_topk(b, found.score, build_const(b, &k, 1), false, true);
    const wn_bounds after = {.n_max = k,
                             .width = b->set.width < k ? b->set.width : k,
                             .regular = b->set.segs == 1,
                             .exact = true};
    if (v[MODE].choice == 1)
        merge_dropped(b, keep, found.dest, after);
    else
        build_prune(b, keep, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"rate", "number", "0.75", "0..<1", "share of the video's tokens to remove"},
    {"radius", "count", "3", "0..7",
     "farthest move between two frames that is looked for, in tokens"},
    {"model", "choice", "translation", "translation|affine",
     "moves that are looked for: shifts, or zooms and turns too"},
    {"mode", "choice", "drop", "drop|merge",
     "what becomes of a token that was seen before: dropped, or averaged into where it was seen"},
    {"gain", "number", "0.1", "0..1",
     "share of what no move leaves unexplained that a move must explain"},
};

const wn_stage wn_stage_motion = {
    .name = "motion",
    .family = "temporal",
    .summary = "keeps what is new to a moving camera",
    .help =
        "Estimates how the camera moved from each frame to the next on the token grid, compares each token with where it came from, and keeps the "
        "most different ones of the whole video; the first frame stays whole. With a still camera it is evs.",
    .source = "ours; the selection is that of evs, arXiv:2510.14624",
    .paper = "ours",
    .agrees = "ours",
    .gives = "chosen or merged tokens",
    .cost = "(2*radius+1)^2*D multiply-adds a token; keeps that many similarities a token",
    .options = options,
    .selects = WN_SELECTS_RATE,
    .option_count = 5,
    .needs_grid = true,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
