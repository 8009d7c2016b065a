/* flatten: all frames as one set, for the stages behind it. Ours; DivPrune's authors so prune a video's tokens as one list
 * (vbdi/divprune llava_arch.py). No token moves. */
#include "build.h"

static winnow_status build(wn_build *b, const wn_value *v)
{
    (void)v;
    if (b->inside)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "inside an encoder's layers each frame attends to itself (put it behind)");
    build_join(b);
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
    .paper = "ours",
    .agrees = "ours",
    .gives = "all tokens as one set",
    .cost =
        "none where counts are known, else one operation. What stands behind it may compare every token with every other "
        "one: n x n similarities of the whole media",
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .build = build,
};
