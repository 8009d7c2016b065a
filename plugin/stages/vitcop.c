/* ViTCoP: Luo et al., "ViTCoP: Accelerating Large Vision-Language Models via Visual and Textual Semantic Collaborative
 * Pruning", AAAI 2026, arXiv:2601.17818. Official: chaser682/ViTCoP multimodal_encoder/clip_encoder.py
 * visual_tokens_spatial_similarity and utils.py VIC. What they do before the language model: of each frame the int(N*keep)
 * tokens stay that the class token attends to most (summed over heads), and these are clustered. The clusters serve the step
 * inside the model, vitcop-llm: rows=tokens gives what goes into the model, rows=clusters a row a cluster, and its
 * assignment says which tokens are one.
 * VIC, density peaks over keys of all channels: d_ij = |k_i - k_j|, rho_i = sum_j exp(-(d_ij/cutoff)^2), delta_i = the
 * smallest d_ij to a denser token at most `radius` away (in shares of the grid's height and width, with their 1e-8 under
 * the root); max(1, int(n*clusters)) centres by rho*delta; each other token follows the one that its delta is to, on and on,
 * to a centre.
 * mode=paper: rho leaves out the token itself. Where no denser token is within the radius (ours: which the paper's formulas
 * leave open) delta is the token's largest distance, and it follows the nearest denser one anywhere; the densest is a centre.
 * mode=official agrees with the authors' code: rho takes the token itself; such a token has an infinite delta, and if it
 * is no centre it follows the frame's first kept token, as the argmin of a row of infinities does.
 * Differs: of equal densities the lower place is the denser (official: each is to the other, and such a pair has no cluster);
 * a row of rows=clusters is the mean of its tokens at the centre's place (the authors make none before the model). A token
 * that reaches no centre is dropped (official: label -1).
 * NaN: a NaN key is no one's neighbour, ranks last as a centre and goes unless it is one. */
#include "build.h"

#include <math.h>

enum { KEEP, ROWS, CLUSTERS, CUTOFF, RADIUS, MODE };
enum { ROWS_TOKENS, ROWS_CLUSTERS };
enum { MODE_PAPER, MODE_OFFICIAL };
static const double usual_clusters = 0.18, usual_cutoff = 8.0, usual_radius = 0.6;

static uint32_t kept_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *v = user;
    return wn_keep_count(&v[KEEP], n, trunc);
}

/* Clusters of n kept tokens. */
static uint32_t clusters_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *v = user;
    const uint32_t count =
        (uint32_t)((v[CLUSTERS].given ? v[CLUSTERS].number : usual_clusters) * n);
    return n && !count ? 1 : count;
}

/* reach[rows apart] = how many columns apart are within the radius. */
static wn_arr reach_table(wn_build *b, uint32_t grid_w, double radius)
{
    const uint32_t grid_h = grid_w ? (b->in.shape.tokens + grid_w - 1) / grid_w : 1;
    const wn_arr table = build_const(b, NULL, grid_h);
    uint32_t *reach = build_const_data(b, table);
    for (uint32_t dy = 0; reach && dy < grid_h; ++dy) {
        const double y = (double)dy / grid_h;
        uint32_t dx = 0;
        while (dx < grid_w && sqrt(y * y + (double)dx * dx / grid_w / grid_w + 1e-8) <= radius)
            ++dx;
        reach[dy] = dx;
    }
    return table;
}

static wn_mat key_distances(wn_build *b, const wn_list *all, double cutoff)
{
    const wn_mat keys = build_role(b, WINNOW_ROLE_KEYS);
    const uint32_t width = all->width ? all->width : 1;
    const wn_mat distance = build_matrix(b, all->n_max ? all->n_max : 1, width);
    const struct wn_args_distances args = {.n_max = all->n_max,
                                           .width = width,
                                           .segs = b->set.segs,
                                           .seg_at = all->seg.at,
                                           .pos_at = WN_NONE,
                                           .list_at = b->set.index.at,
                                           .cols = keys.cols,
                                           .scale = (float)(1.0 / (cutoff * cutoff))};
    const uint64_t lines = ((uint64_t)all->n_max + WN_TILE - 1) / WN_TILE + b->set.segs;
    build_loops_fit(b, WN_OP_distances, build_tile_loops(keys.cols) + b->set.segs);
    BUILD_OP(b, distances, lines * (((uint64_t)width + WN_TILE - 1) / WN_TILE), &keys, &distance,
             args, READS_W);
    return distance;
}

/* Centres have flag 1; dest: whom the others follow. */
static wn_arr find_centres(wn_build *b, const wn_value *v, wn_arr dest)
{
    const wn_set *set = &b->set;
    const bool official = v[MODE].choice == MODE_OFFICIAL;
    const wn_list all = {
        .seg = set->seg, .pos = WN_NO_ARR, .n_max = set->n_max, .width = set->width};
    const wn_mat distance =
        key_distances(b, &all, v[CUTOFF].given ? v[CUTOFF].number : usual_cutoff);
    const wn_arr density = build_array(b, set->n_max), score = build_array(b, set->n_max);
    const uint32_t grid_w = build_grid_width(b);
    const double radius = v[RADIUS].given ? v[RADIUS].number : usual_radius;
    const struct wn_args_kernel_density dense = {.n_max = set->n_max,
                                                 .segs = set->segs,
                                                 .seg_at = set->seg.at,
                                                 .others = !official,
                                                 .density_at = density.at};
    const struct wn_args_near_peaks peaks = {.n_max = set->n_max,
                                             .segs = set->segs,
                                             .seg_at = set->seg.at,
                                             .pos_at = WN_NONE,
                                             .index_at = set->index.at,
                                             .tokens = b->in.shape.tokens,
                                             .grid_w = grid_w,
                                             .reach_at = reach_table(b, grid_w, radius).at,
                                             .density_at = density.at,
                                             .score_at = score.at,
                                             .dest_at = dest.at,
                                             .first = official};
    BUILD_OP(b, kernel_density, set->n_max, &distance, NULL, dense, WRITES_W);
    BUILD_OP(b, near_peaks, set->n_max, &distance, NULL, peaks, WRITES_W);
    return build_topk_of(b, set->segs, &all, score, build_counts(b, clusters_of, 1, v));
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (b->set.specials && v[ROWS].choice == ROWS_CLUSTERS)
        return build_fail(b, WINNOW_E_UNSUPPORTED,
                          "rows that stand for no one token have no place to be clustered by (put "
                          "it before the stage that adds them)");
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    const wn_arr flags = build_topk(b, score, build_counts(b, kept_of, 1, v), false, false);
    build_prune(b, flags, build_bounds(b, kept_of, 0, v), WN_NO_ARR);
    if (v[ROWS].choice == ROWS_TOKENS)
        return b->status;
    const wn_arr dest = build_array(b, b->set.n_max), centres = find_centres(b, v, dest);
    wn_merge m = build_merge_begin(b, centres, build_bounds(b, clusters_of, 0, v), 0, 0);
    build_merge_chains(b, &m, centres, dest);
    build_merge_by(b, &m, WN_MERGE_WAVG, WN_NO_ARR);
    return b->status;
}

static const char *check(const wn_value *v)
{
    const bool of_clusters =
        v[CLUSTERS].given || v[CUTOFF].given || v[RADIUS].given || v[MODE].choice != MODE_PAPER;
    return of_clusters && v[ROWS].choice == ROWS_TOKENS
               ? "clusters=, cutoff=, radius= and mode= go with rows=clusters"
               : NULL;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "50%", "1..1e9",
     "tokens of each frame that the class token attends to most; the authors: 50, 40 or 30%"},
    {"rows", "choice", "tokens", "tokens|clusters",
     "tokens: those alone; clusters: one row for each cluster of them"},
    {"clusters", "number", "-", "0..1",
     "clusters as a share of the kept tokens; 0.18 if absent (the authors: 0.18, 0.15 or 0.12)"},
    {"cutoff", "number", "-", "1e-3..1e6",
     "distance of keys at which a neighbour's density has fallen to 1/e; 8 if absent"},
    {"radius", "number", "-", "0..2",
     "how far away a denser token may lie, in widths of the picture; 0.6 if absent"},
    {"mode", "choice", "paper", "paper|official",
     "the paper's density, or the authors' code to the letter"},
};

const wn_stage wn_stage_vitcop = {
    .name = "vitcop",
    .family = "attention",
    .summary = "keeps what the class token attends to, and clusters it by keys and places",
    .help =
        "Keeps the tokens of each frame that the class token attends to most. With rows=clusters they become one row for each cluster: "
        "density peaks over the keys, of which a token follows only those in its surroundings; keys are those of all channels. The "
        "assignment says which tokens are of one cluster: that is what vitcop-llm takes as groups inside the language model, where "
        "the authors prune the tokens of rows=tokens twice more.",
    .source =
        "Luo et al., AAAI 2026, arXiv:2601.17818; official chaser682/ViTCoP multimodal_encoder/clip_encoder.py, utils.py VIC",
    .paper = "arXiv 2601.17818",
    .agrees = "paper; mode=official: official code",
    .gives = "chosen tokens, or means of clusters",
    .cost =
        "clusters: k*k*Dk multiply-adds for k kept tokens; their k x k distances stay in memory",
    .options = options,
    .option_count = 6,
    .check = check,
    .flat_keys = true,
    .head_attention = true,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
