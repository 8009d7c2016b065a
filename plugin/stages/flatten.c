/* flatten: all frames as one set, for the stages behind it. Ours; DivPrune's authors so prune a video's tokens as one list
 * (vbdi/divprune llava_arch.py). No token moves. Cost: none where counts are known, else one operation. What stands behind it
 * may compare every token with every other one: n x n similarities of the whole media. */
#include "build.h"

static uint32_t itself(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    (void)user;
    return n;
}

/* {0, all}: where the one segment begins and ends. */
static wn_arr one_segment(wn_build *b)
{
    const uint32_t known[2] = {0, b->set.n_max};
    if (b->set.exact)
        return build_const(b, known, 2);
    const wn_arr all = build_count_of_all(b, itself, NULL), seg = build_array(b, 2);
    const struct wn_args_fill zero = {.n = 1, .at = seg.at, .value = 0};
    const struct wn_args_remap copy = {
        .n = 1, .assign_at = WN_NONE, .map_at = all.at, .assign_out_at = seg.at + 1};
    BUILD_OP(b, fill, 1, NULL, NULL, zero, WRITES_W);
    BUILD_OP(b, remap, 1, NULL, NULL, copy, WRITES_W);
    return seg;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    (void)v;
    if (b->inside)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "inside an encoder's layers each frame attends to itself (put it behind)");
    if (b->set.segs == 1)
        return b->status;
    b->set.seg = one_segment(b);
    b->set.segs = 1;
    b->set.width = b->set.n_max;
    b->set.regular = b->set.exact;
    b->set.aligned = false;
    b->set.grid_h = b->set.grid_w = 0;
    return b->status;
}

const wn_stage wn_stage_flatten = {
    .name = "flatten",
    .family = "choice",
    .summary = "makes one set of all frames, so that what follows compares the whole media",
    .help =
        "Stages work on each frame alone. Behind flatten they take a film's frames for one picture: flatten,divprune=keep=10% "
        "keeps what is diverse in the whole film, and counts are of the whole film. Needs memory for comparing all with all. "
        "Stages that compare frames, or need a grid, go in front of it.",
    .source = "ours; DivPrune's official code prunes a video's tokens as one list",
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .build = build,
};
