/* FastVID: Shen et al., "FastVID: Dynamic Density Pruning for Fast Video Large Language Models", NeurIPS 2025,
 * arXiv:2503.11187.
 * Official: LunarShen/FastVID modeling_qwen2.py, Qwen2Model.forward between the banners "FastVID"; agrees with it.
 * Segments: a frame begins one where the cosine of its embedding with that of the frame before is among the
 * segments-1 smallest, or below `threshold`. R = int(N*keep) tokens a frame: R - int(R*context) of most attention
 * stay (ATS), c = int(R*context) are centres.
 * The rest (DTM): in a segment of S frames every period-th frame, counted from its end, is an anchor; the a =
 * ceil(S/period) anchors have c*S // a centres each, the peaks of density (k = 4) of their own frame. Each token of
 * the segment that is left, the centres too, joins the centre of highest cosine in each anchor frame: v*centre +
 * (1-v)*mean, v = max(1/(members+1), beta).
 * Where c*S // a == c (frames alone, period=1) an anchor collects from its own frame.
 * Differs: the noise on densities is the index; distances are sums of squared differences (official: of products
 * above 25 rows); fewer than 4 neighbours, or fewer rest tokens than centres, work. A token that several anchors
 * collect is told in `assignment` and counted in `sizes` once: with the centre that it resembles most. Sizes given
 * weigh nothing, they add up.
 * In a stream each push is a video of its own.
 * NaN: a similarity of frames that is NaN cuts nothing; a NaN token is no centre as long as there are others. */
#include "build.h"

#include <math.h>

enum { KEEP, SEGMENTS, THRESHOLD, CONTEXT, PERIOD, BETA };
enum { NEAREST = 4 };

typedef struct budget {
    uint32_t salient, context, rest; /* of each frame; rest: tokens without the salient ones */
} budget;

static budget budget_of(const wn_build *b, const wn_value *v)
{
    const uint32_t kept = wn_keep_count(&v[KEEP], b->set.width, trunc);
    const uint32_t context = (uint32_t)(kept * v[CONTEXT].number);
    return (budget){kept - context, context, b->set.width - (kept - context)};
}

/* The anchors' centres and the tokens that they collect, one anchor after the other. */
typedef struct anchors {
    wn_arr k, begin, seg, seg_far;
    wn_list sources;
    wn_arr rows;  /* of the set's tokens, then of the sources */
    uint32_t far; /* where these begin */
} anchors;

static anchors make_anchors(wn_build *b, const wn_value *v, const budget *n, const wn_spans *spans,
                            const wn_list *rest)
{
    const uint32_t frames = b->set.segs, period = (uint32_t)v[PERIOD].number;
    const uint64_t lists = period == 1 ? 1 : (frames + period - 1ull) / period;
    anchors a = {.k = build_array(b, frames),
                 .begin = build_array(b, frames),
                 .seg = build_array(b, frames + 1u),
                 .seg_far = build_array(b, frames + 1u),
                 .far = b->set.n_max};
    const uint64_t most = n->context ? lists * rest->n_max : 1;
    if (most > UINT32_MAX / 2) {
        build_fail(b, WINNOW_E_SHAPE,
                   "%u frames with an anchor every %u are too many (use more "
                   "segments apart, or a larger period)",
                   frames, period);
        return a;
    }
    a.sources = (wn_list){
        .seg = a.seg, .pos = build_array(b, most), .n_max = (uint32_t)most, .width = rest->n_max};
    a.rows = build_array(b, b->set.n_max + most);
    const struct wn_args_anchors args = {.frames = frames,
                                         .seg_at = rest->seg.at,
                                         .starts_at = spans->starts.at,
                                         .of_at = spans->of.at,
                                         .context = n->context,
                                         .period = period,
                                         .far = a.far,
                                         .k_at = a.k.at,
                                         .begin_at = a.begin.at,
                                         .seg_out_at = a.seg.at,
                                         .seg_far_at = a.seg_far.at};
    const struct wn_args_sources sources = {.n_max = (uint32_t)most,
                                            .frames = frames,
                                            .seg_at = a.seg.at,
                                            .begin_at = a.begin.at,
                                            .pos_at = rest->pos.at,
                                            .rows_at = b->set.rows.at,
                                            .pos_out_at = a.sources.pos.at,
                                            .rows_out_at = a.rows.at + a.far};
    const wn_list own = {.seg = b->set.seg, .n_max = b->set.n_max};
    BUILD_OP(b, anchors, frames + 1u, NULL, NULL, args, WRITES_W);
    BUILD_OP(b, sources, most, NULL, NULL, sources, WRITES_W);
    build_lookup(b, frames, &own, WN_NO_ARR, WN_NO_ARR, b->set.rows, a.rows);
    return a;
}

/* The peaks of each anchor frame; they are kept too. */
static wn_list choose_centres(wn_build *b, const budget *n, const anchors *a, const wn_list *rest,
                              wn_arr keep)
{
    const wn_peaks peaks =
        build_peaks(b, b->set.segs, rest, &b->set.mat, b->set.rows, NEAREST, WN_NO_ARR);
    const wn_arr flags = build_topk_of(b, b->set.segs, rest, peaks.score, a->k);
    const wn_arr centre = build_fill(b, b->set.n_max, 0);
    build_lookup(b, b->set.segs, rest, WN_NO_ARR, rest->pos, flags, keep);
    build_lookup(b, b->set.segs, rest, WN_NO_ARR, rest->pos, flags, centre);
    wn_list centres = build_list(b, centre, false);
    const uint64_t most = (uint64_t)n->context * b->set.segs;
    centres.n_max = most < rest->n_max ? (uint32_t)most : rest->n_max;
    centres.width = n->rest;
    return centres;
}

/* Which centre each source of each anchor joins (best, arg), and where a token is said to go. */
static wn_arr assign(wn_build *b, const wn_spans *spans, const wn_list *rest, const anchors *a,
                     const wn_list *centres, wn_arr keep, wn_arr *arg)
{
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_arr dest = build_fill(b, b->set.n_max, WN_NONE);
    wn_arr best;
    build_match(b, &a->sources, centres, &b->set.mat, b->set.rows, inv, &best, arg);
    const struct wn_args_closest args = {.n_max = rest->n_max,
                                         .frames = b->set.segs,
                                         .seg_at = rest->seg.at,
                                         .pos_at = rest->pos.at,
                                         .starts_at = spans->starts.at,
                                         .of_at = spans->of.at,
                                         .src_seg_at = a->seg.at,
                                         .begin_at = a->begin.at,
                                         .best_at = best.at,
                                         .arg_at = arg->at,
                                         .keep_at = keep.at,
                                         .dest_at = dest.at};
    BUILD_OP(b, closest, rest->n_max, NULL, NULL, args, WRITES_W);
    return dest;
}

/* The rows: members are sources, which a token may be of several times. */
static void merge_sources(wn_build *b, wn_merge *m, const anchors *a, wn_arr arg, float beta)
{
    const wn_arr map = build_array(b, (uint64_t)a->far + a->sources.n_max);
    const wn_arr to = {map.at + a->far, a->sources.n_max};
    build_lookup(b, b->set.segs, &a->sources, arg, WN_NO_ARR, m->map, to);
    wn_merge rows = *m;
    rows.head = build_array(b, b->set.n_max);
    rows.next = build_array(b, (uint64_t)a->far + a->sources.n_max);
    const struct wn_args_group group = {.n_max = b->set.n_max,
                                        .segs = b->set.segs,
                                        .seg_at = a->seg_far.at,
                                        .seg_new_at = b->set.seg.at,
                                        .span = 1,
                                        .map2_at = map.at,
                                        .from_at = m->from.at,
                                        .head_at = rows.head.at,
                                        .next_at = rows.next.at,
                                        .sizes_at = WN_NONE,
                                        .sizes_new_at = WN_NONE};
    BUILD_OP(b, group, b->set.n_max, NULL, NULL, group, WRITES_W);
    const wn_mat out = build_matrix(b, b->set.n_max, m->old.mat.cols);
    build_merge_blend(b, &rows, &m->old.mat, a->rows, &out, WN_MERGE_BLEND_FEW, beta);
    build_merge_end(b, m, &out);
}

static wn_bounds bounds_after(const wn_build *b, const wn_value *v, const budget *n)
{
    const double period = v[PERIOD].number;
    const double anchor = n->context * (period < b->set.segs ? period : b->set.segs);
    const uint32_t centres = anchor < n->rest ? (uint32_t)anchor : n->rest;
    const bool even = n->context == 0 || period == 1 || b->set.segs == 1;
    return (wn_bounds){.n_max = (n->salient + n->context) * b->set.segs,
                       .width = n->salient + centres,
                       .regular = even,
                       .exact = even};
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_frames(b) != WINNOW_OK)
        return b->status;
    const budget n = budget_of(b, v);
    const wn_mat embeds = build_role(b, WINNOW_ROLE_FRAME_EMBEDS);
    const wn_arr similar = build_neighbour_sim(b, &embeds, b->set.segs);
    const wn_spans spans =
        build_cut(b, similar, (uint32_t)v[SEGMENTS].number - 1, (float)v[THRESHOLD].number);
    const float heads = b->in.shape.heads ? (float)b->in.shape.heads : 1.0f;
    const wn_arr attention = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f / heads);
    const wn_arr salient = build_const(b, NULL, b->set.segs);
    uint32_t *data = build_const_data(b, salient);
    for (uint32_t t = 0; data && t < b->set.segs; ++t)
        data[t] = n.salient;
    const wn_arr keep = build_topk(b, attention, salient, false, false);
    wn_list rest = build_list(b, keep, true);
    rest.width = n.rest;
    rest.n_max = n.rest * b->set.segs;
    const wn_bounds after = bounds_after(b, v, &n);
    if (n.context == 0 || n.rest == 0) {
        build_prune(b, keep, after, WN_NO_ARR);
        return b->status;
    }
    const anchors a = make_anchors(b, v, &n, &spans, &rest);
    const wn_list centres = choose_centres(b, &n, &a, &rest, keep);
    wn_arr arg;
    const wn_arr dest = assign(b, &spans, &rest, &a, &centres, keep, &arg);
    wn_merge m = build_merge_begin(b, keep, after, 0, 0);
    build_merge_span(b, &m, &spans, keep, dest);
    merge_sources(b, &m, &a, arg, (float)v[BETA].number);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "10%", "1..1e9", "tokens to keep of each frame, on the average of a segment"},
    {"segments", "count", "8", "1..1e6", "segments at least"},
    {"threshold", "number", "0.9", "-1..1",
     "a frame less similar than this to the one before begins a segment"},
    {"context", "number", "0.4", "0..1", "share of the kept tokens that collect others"},
    {"period", "count", "4", "1..1e6", "every so many frames of a segment is an anchor"},
    {"beta", "number", "0.6", "0..1", "least weight of a centre in its merged token"},
};

const wn_stage wn_stage_fastvid = {
    .name = "fastvid",
    .family = "temporal",
    .summary =
        "cuts a video into segments, keeps what is attended to, merges the rest into dense tokens",
    .help =
        "Frames whose embeddings resemble each other form segments. Each frame keeps its most attended tokens; the others merge into "
        "peaks of density in the segment's anchor frames. cls_attention: of the class token or the pooling head. How many tokens "
        "a segment leaves depends on its length; the plan's rows_max holds for all.",
    .source =
        "Shen et al., NeurIPS 2025, arXiv:2503.11187; official LunarShen/FastVID modeling_qwen2.py",
    .paper = "arXiv 2503.11187",
    .agrees = "official code",
    .gives = "chosen tokens, and weighted means",
    .cost = "N*N*D a frame, N*c*S*D a segment; memory for frames/period lists of the tokens",
    .options = options,
    .option_count = 6,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION | 1u << WINNOW_ROLE_FRAME_EMBEDS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
