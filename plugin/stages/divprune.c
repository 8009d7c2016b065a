/* DivPrune: Alvar et al., "DivPrune: Diversity-based Visual Token Pruning for Large Multimodal Models", CVPR 2025,
 * arXiv:2503.02175. Official: vbdi/divprune llava_arch.py DivPrune; agrees with it, pick order included.
 * Distance 1 - cos. First pick: the token whose second smallest distance (the smallest is to itself) is largest; then,
 * again and again, the token farthest from the picked ones (max-min). Raster order out.
 * Differs: a picked token is never picked again (the official code relies on its distance being 0).
 * Ours, by what a pick is worth, its radius: how far it was from the picks before it, which only shrinks from pick to pick.
 *   share=need   frames share one number, `keep` times the frames, or a share of all: of the picks of all frames those of largest
 *                radius stay, so that a frame that repeats itself gets few tokens and a rich one many
 *   keep=auto    picks with a radius above 1 - fidelity stay: every token then has a kept one at least so similar (in its frame),
 *                and the content says how many that takes (an idea of ALIT, arXiv:2411.02393, whose tokenizer is trained)
 * centre=on, Cen-Prune: Wen et al., "Centering before Pruning", arXiv:2608.30263 (no official code; its plain variant, for tokens as
 * LLaVA projects them): distances between tokens less their frame's mean, and each times how distinct its token is, the mean of
 * 1 - cos to the others before centring, scaled to 0..1 in the frame; the first pick by distances alone. The paper's unnamed small
 * number beside the range is left out.
 * `least` and `most` bound what a frame keeps then. Ties go to the earlier token. */
#include "build.h"
#include <math.h>

enum { KEEP, SHARE, FIDELITY, LEAST, MOST, CENTRE };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, rint);
}

static uint32_t ceiling(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *most = user;
    return most->given ? wn_keep_count(most, n, rint) : n;
}

/* One number for all frames. */
typedef struct shared {
    const wn_value *keep;
    uint32_t segs;
} shared;

static uint32_t kept_of_all(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const shared *s = user;
    const wn_value each = {.number = s->keep->number * s->segs};
    return wn_keep_count(s->keep->percent ? s->keep : &each, n, rint);
}

typedef struct picks {
    wn_mat sim;
    wn_arr k, flags, order;
} picks;

/* `count` picks of each frame. */
static picks pick(wn_build *b, wn_count_fn count, const wn_value *value, bool centre)
{
    const wn_compared tokens = build_compared(b, centre);
    picks p = {.sim = build_sim_matrix(b, NULL, &tokens.mat, tokens.list, tokens.inv)};
    const wn_arr first = build_array(b, b->set.n_max), md = build_array(b, b->set.n_max);
    p.flags = build_array(b, b->set.n_max);
    p.order = build_array(b, b->set.n_max);
    p.k = build_counts(b, count, 1, value);
    const struct wn_args_row_second second = {
        .n_max = b->set.n_max, .segs = b->set.segs, .seg_at = b->set.seg.at, .score_at = first.at};
    BUILD_OP(b, row_second, b->set.n_max, &p.sim, NULL, second, WRITES_W);
    const struct wn_args_greedy_maxmin greedy = {.segs = b->set.segs,
                                                 .seg_at = b->set.seg.at,
                                                 .k_at = p.k.at,
                                                 .first_at = first.at,
                                                 .md_at = md.at,
                                                 .flag_at = p.flags.at,
                                                 .order_at = p.order.at,
                                                 .weighted = centre,
                                                 .weight_at = tokens.distinct.at};
    build_greedy_maxmin(b, greedy, &p.sim, build_bounds(b, count, 0, value).width);
    return p;
}

/* Radii of the picks; flags stay with those above `more`. */
static wn_arr radii(wn_build *b, const wn_value *v, const picks *p, float more)
{
    const wn_arr radius = build_fill(b, b->set.n_max, 0xff800000u); /* -infinity: never picked */
    const struct wn_args_pick_radius args = {.n_max = b->set.n_max,
                                             .segs = b->set.segs,
                                             .seg_at = b->set.seg.at,
                                             .k_at = p->k.at,
                                             .order_at = p->order.at,
                                             .least =
                                                 v[LEAST].given ? (uint32_t)v[LEAST].number : 1,
                                             .more = more,
                                             .radius_at = radius.at,
                                             .flag_at = p->flags.at};
    BUILD_OP(b, pick_radius, args.n_max, &p->sim, NULL, args, WRITES_W);
    return radius;
}

static winnow_status build_by_radius(wn_build *b, const wn_value *v)
{
    const wn_set *set = &b->set;
    const double fidelity = v[FIDELITY].given ? v[FIDELITY].number : 0.9;
    const picks p = pick(b, ceiling, &v[MOST], false);
    const wn_arr radius = radii(b, v, &p, (float)(1.0 - fidelity));
    wn_bounds after = build_bounds(b, ceiling, 0, &v[MOST]);
    wn_arr flags = p.flags;
    after.regular = after.exact = false;
    if (!v[KEEP].automatic) {
        const shared all = {&v[KEEP], set->segs};
        const uint32_t most = after.n_max, want = kept_of_all(set->n_max, 0, &all);
        flags = build_topk(b, radius, build_count_of_all(b, kept_of_all, &all), false, true);
        after.n_max = want < most ? want : most;
        after.width = after.width < after.n_max ? after.width : after.n_max;
        after.exact = set->exact && want <= most;
        after.regular = after.exact && set->segs == 1;
    }
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (v[KEEP].automatic || v[SHARE].choice == 1)
        return build_by_radius(b, v);
    const picks p = pick(b, kept, &v[KEEP], v[CENTRE].choice == 1);
    build_prune(b, p.flags, build_bounds(b, kept, 0, &v[KEEP]), p.order);
    return b->status;
}

static const char *check(const wn_value *v)
{
    if (v[CENTRE].choice == 1 && (v[KEEP].automatic || v[SHARE].choice == 1))
        return "centre=on has no radius to go by (leave share= and keep=auto out)";
    if (v[FIDELITY].given && !v[KEEP].automatic)
        return "fidelity= goes with keep=auto";
    if (v[KEEP].automatic && v[SHARE].choice == 1)
        return "keep=auto counts no tokens that frames could share (leave share= out)";
    if ((v[LEAST].given || v[MOST].given) && !v[KEEP].automatic && v[SHARE].choice == 0)
        return "least= and most= go with keep=auto or share=need";
    return NULL;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "auto|1..1e9",
     "tokens to keep of each frame; a share is rounded half to even, as the authors do; auto: as many as it takes"},
    {"share", "choice", "frame", "frame|need",
     "need: the frames' tokens go to the frames that need them (ours)"},
    {"fidelity", "number", "-", "0..<1",
     "with keep=auto: how similar a kept token every token must have; 0.9 if absent"},
    {"least", "count", "-", "1..1e9", "tokens of a frame that stay in any case; 1 if absent"},
    {"most", "keep", "-", "1..1e9", "tokens of a frame that stay at most"},
    {"centre", "choice", "off", "off|on",
     "on: tokens less their frame's mean, the distinct ones first (Cen-Prune)"},
};

const wn_stage wn_stage_divprune = {
    .name = "divprune",
    .family = "similarity",
    .summary = "keeps the most diverse tokens: greedy max-min distance",
    .help =
        "Picks tokens one by one, each the farthest (by cosine) from those already picked, so that the kept ones cover "
        "the picture. Needs the tokens alone. --order method gives the pick order. share=need and keep=auto let the content say which "
        "frames get the tokens, and how many they need.",
    .source =
        "Alvar et al., CVPR 2025, arXiv:2503.02175; official vbdi/divprune llava_arch.py DivPrune",
    .paper = "arXiv 2503.02175",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost =
        "n*n*D multiply-adds a frame; keeps the n x n similarities in memory, since every pick reads a row of them",
    .options = options,
    .selects = WN_SELECTS_KEEP,
    .option_count = 6,
    .check = check,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .build = build,
};
