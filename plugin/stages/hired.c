/* HiRED: Arif et al., "HiRED: Attention-Guided Token Dropping for Efficient Inference of High-Resolution Vision-Language
 * Models", AAAI 2025, arXiv:2408.10945. Official: hasanar1f/HiRED modeling_llava.py and modeling_llava_next.py
 * HiRED_token_selection; agrees with them.
 * A picture alone (LLaVA-1.5): the int(n * share) best by class attention, summed over heads.
 * tiles= (LLaVA-NeXT): frame 0 is the whole picture, the others are its tiles in raster order. Of int(frames * n * share)
 * tokens the whole picture keeps int(alpha of them); the int(n * (1 - alpha)) that its class token attends to most in the
 * first layer are counted tile by tile, and each tile keeps its share of the rest, rounded down; tokens by the class
 * attention of the last layer used. Raster order out.
 * Differs: the official code takes runs of n / tiles tokens for the tiles' places in the picture, which are rows of it:
 * tiles=official does; tiles=grid counts what lies in each tile. A budget of nothing is one token of the whole picture. */
#include "build.h"
#include <math.h>

enum { KEEP, ALPHA, TILES, COLUMNS };
enum { NO_TILES, GRID_TILES, OFFICIAL_TILES };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* Counts of a picture with tiles, as Python computes them. */
typedef struct budget {
    uint32_t tiles, whole, rest, looked_at;
} budget;

static budget budget_of(const wn_build *b, const wn_value *v)
{
    const double n = b->set.width, frames = b->set.segs, alpha = v[ALPHA].number;
    double total = v[KEEP].percent ? trunc(frames * n * v[KEEP].share) : frames * v[KEEP].number;
    total = fmin(fmax(total, 1.0), frames * n);
    const double whole = total > 1.0 ? fmin(trunc(total * alpha), n) : 1.0;
    return (budget){.tiles = b->set.segs - 1,
                    .whole = (uint32_t)whole,
                    .rest = (uint32_t)fmin(total - whole, (frames - 1) * n),
                    .looked_at = (uint32_t)(n * (1 - alpha))};
}

/* Which tile each place of the whole picture belongs to. */
static wn_arr tile_labels(wn_build *b, const wn_value *v, uint32_t tiles)
{
    const uint32_t n = b->in.shape.tokens;
    const wn_arr label = build_const(b, NULL, n);
    uint32_t *data = build_const_data(b, label);
    if (v[TILES].choice == OFFICIAL_TILES) {
        if (n % tiles)
            build_fail(b, WINNOW_E_SHAPE,
                       "%u tokens are not %u runs of the same length (use tiles=grid)", n, tiles);
        for (uint32_t j = 0; data && j < n && b->status == WINNOW_OK; ++j)
            data[j] = j / (n / tiles);
        return label;
    }
    const uint32_t side = (uint32_t)lrint(sqrt(tiles)), given = (uint32_t)v[COLUMNS].number;
    const uint32_t across = given ? given : side * side == tiles ? side : tiles;
    if (tiles % across)
        build_fail(b, WINNOW_E_SHAPE,
                   "%u tiles are not rows of columns=%u (give the tiles' columns)", tiles, across);
    const uint32_t w = build_grid_width(b), h = n / w, down = tiles / across;
    for (uint32_t j = 0; data && j < n; ++j)
        data[j] = (j / w * down / h) * across + j % w * across / w;
    return label;
}

/* What a tile keeps for each count of tokens looked at in it; f32, as the authors' tensors are. */
static wn_arr tile_table(wn_build *b, const budget *k)
{
    const wn_arr table = build_const(b, NULL, b->set.width + 1);
    uint32_t *data = build_const_data(b, table);
    for (uint32_t c = 0; data && c <= b->set.width; ++c) {
        const float share = k->looked_at ? (float)c / (float)k->looked_at : 0.0f;
        const float tokens = share * (float)k->rest;
        data[c] = tokens < (float)b->set.width ? (uint32_t)tokens : b->set.width;
    }
    return table;
}

/* Flags of a picture's tokens, frame 0 the whole, the others its tiles. */
static wn_arr tile_flags(wn_build *b, const wn_value *v, wn_arr score, const budget *k)
{
    const wn_arr shallow = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION_SHALLOW, 1.0f);
    const wn_arr look = build_const(b, NULL, b->set.segs), keep = build_array(b, b->set.segs);
    uint32_t *data = build_const_data(b, look);
    if (data)
        data[0] = k->looked_at;
    const wn_arr looked_at = build_topk(b, shallow, look, false, false);
    const struct wn_args_label_quota quota = {.seg_at = b->set.seg.at,
                                              .index_at = b->set.index.at,
                                              .flag_at = looked_at.at,
                                              .label_at = tile_labels(b, v, k->tiles).at,
                                              .tokens = b->in.shape.tokens,
                                              .labels = k->tiles,
                                              .table_at = tile_table(b, k).at,
                                              .out_at = keep.at + 1};
    const struct wn_args_fill whole = {.n = 1, .at = keep.at, .value = k->whole};
    BUILD_OP(b, fill, 1, NULL, NULL, whole, WRITES_W);
    if (build_loops_fit(b, WN_OP_label_quota, b->set.width))
        BUILD_OP(b, label_quota, k->tiles, NULL, NULL, quota, WRITES_W);
    return build_topk(b, score, keep, false, false);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    wn_bounds after = build_bounds(b, kept, 0, &v[KEEP]);
    if (v[TILES].choice == NO_TILES || b->set.segs == 1) {
        const wn_arr flags = build_topk(b, score, build_counts(b, kept, 1, &v[KEEP]), false, false);
        build_prune(b, flags, after, WN_NO_ARR);
        return b->status;
    }
    if (!b->set.regular)
        return build_fail(b, WINNOW_E_SHAPE,
                          "tiles= wants a whole picture and its tiles as frames of the same size "
                          "(give them so, or leave tiles= out)");
    const budget k = budget_of(b, v);
    const wn_arr flags = tile_flags(b, v, score, &k);
    after.width = b->set.width;
    after.n_max = k.whole + k.rest;
    after.regular = after.exact = false;
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "20%", "1..1e9",
     "tokens to keep of each frame; with tiles=, of all on average"},
    {"alpha", "number", "0.5", "0..1", "with tiles=: share of the budget for the whole picture"},
    {"tiles", "choice", "no", "no|grid|official",
     "the frames are a whole picture and its tiles, by place or by runs as the authors' code has it"},
    {"columns", "count", "0", "0..1e6", "tiles in a row; 0: a square, or all in one row"},
};

const wn_stage wn_stage_hired = {
    .name = "hired",
    .family = "attention",
    .summary = "keeps what the class token attends to; tiles share a budget by the whole picture",
    .help =
        "One picture: the best by class attention. With tiles= the first frame is the whole picture and the others are its "
        "tiles (LLaVA-NeXT): each tile gets tokens by how many of those that the whole picture's class token attends to in "
        "the first layer (cls_attention_shallow) lie in it.",
    .source =
        "Arif et al., AAAI 2025, arXiv:2408.10945; official hasanar1f/HiRED modeling_llava.py, modeling_llava_next.py",
    .paper = "arXiv 2408.10945",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "reads the attention once, moves the kept rows once",
    .options = options,
    .option_count = 4,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_CLS_ATTENTION_SHALLOW,
    .selects = WN_SELECTS_KEEP,
    .build = build,
};
