/* StreamingTOM's causal temporal reduction: "StreamingTOM: Streaming Token Compression for Efficient Video Understanding",
 * CVPR 2026, arXiv:2510.18269. Official: YIGE24/StreamingTOM streamingtom/modules/ctr.py; agrees with it. (Its other part packs the
 * KV cache: a host's matter.)
 * Each frame keeps `keep` tokens, whatever comes later: static are those whose cosine with the one at their place a frame before is
 * above the threshold, all others, and the first frame, are dynamic. Of s static tokens among n int(keep*s/n) clusters are kept, of
 * the dynamic ones the rest, those of most attention; where one sort has too few the other has its places.
 * Clusters: density of the min(k, s-1) nearest, the token itself one of them, times the distance to the nearest *sparser* token (as
 * their code has it); the best are centres, and become beta*centre + (1-beta)*mean of the others that are nearest to them.
 * Differs: the noise on densities is the index; of equal densities the later token counts as sparser. Any number of tokens a frame
 * (theirs: 196). Sizes given weigh nothing, they add up. In a stream the first frame looks back to the last of the push before.
 * NaN: a token with a NaN similarity is dynamic; a score that is NaN ranks last. */
#include "build.h"
#include <math.h>

enum { KEEP, THRESHOLD, NEIGHBOURS, BETA };

/* Tokens of a frame, and how many stay. */
typedef struct shares {
    uint32_t all, kept, neighbours;
} shares;

static uint32_t of_static(uint32_t n, uint32_t part, const void *user)
{
    const shares *f = user;
    const uint32_t moving = f->all - n;
    (void)part;
    const uint32_t count = f->all ? (uint32_t)((double)f->kept * n / f->all) : 0;
    return f->kept - count > moving ? f->kept - moving : count;
}

static uint32_t of_dynamic(uint32_t n, uint32_t part, const void *user)
{
    const shares *f = user;
    return f->kept - of_static(f->all - n, part, user);
}

static uint32_t neighbours_of(uint32_t n, uint32_t part, const void *user)
{
    const shares *f = user;
    (void)part;
    const uint32_t others = n > 1 ? n - 1 : 1;
    return f->neighbours < others ? f->neighbours : others;
}

/* 1 for the dynamic tokens that stay. */
static void keep_attended(wn_build *b, const wn_list *moving, const shares *f, wn_arr keep)
{
    const uint32_t segs = b->set.segs;
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_RECEIVED_ATTENTION_DEEP, 1.0f),
                 own = build_array(b, b->set.n_max);
    build_lookup(b, segs, moving, moving->pos, WN_NO_ARR, score, own);
    const wn_arr flags =
        build_topk_of(b, segs, moving, own, build_list_counts(b, moving, of_dynamic, f));
    build_lookup(b, segs, moving, WN_NO_ARR, moving->pos, flags, keep);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_aligned(b) != WINNOW_OK)
        return b->status;
    const uint32_t n = b->set.n_max, segs = b->set.segs;
    const shares f = {.all = b->set.width,
                      .kept = wn_keep_count(&v[KEEP], b->set.width, trunc),
                      .neighbours = (uint32_t)v[NEIGHBOURS].number};
    const wn_arr similarity = build_frame_before(b, 0, -2.0f);
    const wn_arr still = build_above(b, similarity, (float)v[THRESHOLD].number, false, false);
    const wn_list standing = build_list(b, still, false), moving = build_list(b, still, true);
    const wn_arr keep = build_fill(b, n, 0), dest = build_fill(b, n, WN_NONE);
    keep_attended(b, &moving, &f, keep);
    build_sparse_clusters(b, segs, &standing, &b->set.mat, b->set.rows, f.neighbours,
                          build_list_counts(b, &standing, neighbours_of, &f),
                          build_list_counts(b, &standing, of_static, &f), keep, dest);
    const wn_bounds after = {
        .n_max = f.kept * segs, .width = f.kept, .regular = true, .exact = true};
    wn_merge m = build_merge_begin(b, keep, after, 0, 0);
    build_merge_members(b, &m, keep, dest, 1, true);
    const wn_mat out = build_matrix(b, b->set.n_max, m.old.mat.cols);
    build_merge_blend(b, &m, &m.old.mat, m.old.rows, &out, WN_MERGE_BLEND, (float)v[BETA].number);
    build_merge_end(b, &m, &out);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "50", "1..1e9", "tokens of each frame to keep, or their share"},
    {"threshold", "number", "0.9", "-1..1",
     "cosine with the frame before above which a token is static"},
    {"k", "count", "7", "1..1000", "nearest tokens that a density is of"},
    {"beta", "number", "0.6", "0..1", "weight of a cluster's centre beside the mean of its others"},
};

const wn_stage wn_stage_streamingtom = {
    .name = "streamingtom",
    .family = "temporal",
    .summary =
        "a fixed number a frame: clusters of what stands still, and what is attended to of the rest",
    .help =
        "Each frame keeps the same number of tokens and looks back alone, so that films can be given frame by frame. What is as it was a "
        "frame before is clustered, of the rest what receives most attention stays; both in proportion to how much there is. "
        "Needs received_attention_deep, on frames of one size.",
    .source = "arXiv:2510.18269; official YIGE24/StreamingTOM streamingtom/modules/ctr.py",
    .paper = "arXiv 2510.18269",
    .agrees = "official code",
    .gives = "chosen tokens, means of clusters",
    .cost = "tokens are read twice; s*s*D multiply-adds for the s still ones of a frame",
    .options = options,
    .option_count = 4,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_RECEIVED_ATTENTION_DEEP,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
