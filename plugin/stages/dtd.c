/* DTD, differential token dropping: Yao et al., "TimeChat-Online: 80% Visual Tokens are Naturally Redundant in Streaming Videos",
 * ACM MM 2025, arXiv:2504.17343. Official: yaolinli/TimeChat-Online demo/qwen2_5_vl/modeling_qwen2_5_vl.py token_drop, method
 * "feature"; agrees with it.
 * Of every frame but the first, the tokens whose cosine with the same place one frame earlier (the frame as it was, dropped
 * tokens and all) is above threshold= go; or with rate=, the int(n * rate) most similar go. Nothing is merged.
 * Differs: ties of rate= keep the lower place. The method "pixel" compares pictures, which are not here. NaN: a similarity that
 * is NaN is above nothing, so threshold= keeps the token, as the official code does; rate= prefers tokens with numbers.
 * In a stream the first frame of a push looks back to the last of the push before. */
#include "build.h"

enum { THRESHOLD, RATE };

/* What each frame keeps of the least similar. */
static wn_arr frame_counts(wn_build *b, double rate, uint32_t *total)
{
    const uint32_t n = b->set.width, kept = n - (uint32_t)(n * rate);
    const bool follows = b->in.streaming && b->in.frames_before > 0;
    const wn_arr k = build_const(b, NULL, b->set.segs);
    uint32_t *data = build_const_data(b, k);
    for (uint32_t t = 0; data && t < b->set.segs; ++t)
        data[t] = t || follows ? kept : n;
    *total = kept * (b->set.segs - !follows) + (follows ? 0 : n);
    return k;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const float none = -2.0f; /* below every cosine */
    if (build_need_aligned(b) != WINNOW_OK)
        return b->status;
    const wn_arr similarity = build_frame_before(b, 0, none);
    wn_bounds after = {.n_max = b->set.n_max, .width = b->set.width};
    wn_arr keep;
    if (v[RATE].given) {
        const wn_arr k = frame_counts(b, v[RATE].number, &after.n_max);
        keep = build_topk(b, similarity, k, true, false);
        after.exact = true;
        after.regular = b->set.segs == 1 || after.n_max == b->set.n_max;
        after.width = b->set.segs == 1 ? after.n_max : b->set.width;
    } else {
        const float limit = v[THRESHOLD].given ? (float)v[THRESHOLD].number : 0.5f;
        keep = build_above(b, similarity, limit, false, true);
    }
    build_prune(b, keep, after, WN_NO_ARR);
    return b->status;
}

static const char *check(const wn_value *v)
{
    if (v[THRESHOLD].given && v[RATE].given)
        return "give either threshold= (similarity) or rate= (share of a frame)";
    return NULL;
}

static const winnow_option_info options[] = {
    {"threshold", "number", "-", "-1..1",
     "cosine above which a token is dropped; without threshold and rate 0.5"},
    {"rate", "number", "-", "0..1",
     "instead: share of each frame's tokens to drop, the most similar"},
};

const wn_stage wn_stage_dtd = {
    .name = "dtd",
    .family = "temporal",
    .summary = "drops tokens that are as they were a frame before",
    .help =
        "Compares each token with the one at the same place a frame earlier and drops it where they are alike: above a threshold, so that "
        "how many stay depends on the content, or a fixed share of each frame. The first frame stays whole. Needs the tokens alone, on frames "
        "of one size. Fit for streams: a frame needs only the one before it.",
    .source =
        "Yao et al., ACM MM 2025, arXiv:2504.17343; official yaolinli/TimeChat-Online demo/qwen2_5_vl/modeling_qwen2_5_vl.py token_drop",
    .paper = "arXiv 2504.17343",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "reads every token once (twice where caches are small)",
    .options = options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .check = check,
    .build = build,
};
