/* HICom: Liu et al., "Hybrid-Level Instruction Injection for Video Token Compression in Multi-modal Large Language Models", CVPR
 * 2025, arXiv:2503.16036. Official: lntzm/HICom hicom/model/projector.py; agrees with it. Trained: its projector's tensors in a weights
 * file, by their names, matrices turned to [in, out]. Which parts there are follows from the file.
 * F [T, h, w, D] are the tokens, V the image embeddings (absent: F), g the rows of text.
 * Guide (text2qk_proj: g = MLP(g); guide_proj: g = (1-a) g + a LN(MLP(g)), a = guide_alpha), on a query q:
 *   off     q            direct  g, one row         coarse  LN(q (1 + scale) + shift), (scale, shift) = MLP(g), one row
 *   fine    LN(q + MHA(q, g)), any number of rows
 * Local (`local_compressor`): windows of `temporal` frames (one frame alone: 1) by `spatial` x `spatial` tokens; q the trilinear
 * resize of F to one a window, (1-a) q + a LN(q W) with q_proj; each window's row is softmax(guide(q) . k / sqrt(D')) over its
 * tokens times v, k = (1-a) V + a LN(MLP(V)) with k_proj, v likewise of F with v_proj; then the MLP `readout`. With
 * local_logit_scale V and g have unit length and the products the factor e^scale. Where a window does not divide an axis of L,
 * S = ceil(L/k) windows overlap by one: the first L mod S (0: S) take k new tokens, the others k-1 and the one before.
 * Global (`global_compressor`): x = F + a sine table of t, y and x; guided queries Q; out = readout(Q + MHA(Q, x)).
 * Key and value projections of the heads are drawn into the queries and behind the means: the same numbers but for rounding.
 * Order: windows in (t, y, x), then the queries' rows. The authors' newline rows between are the host's.
 * index: a window's first token; -2 for the queries' rows. sizes: a window's tokens; queries' rows beside windows 1, alone an even
 * part of all tokens. A token is assigned to the first window that has it; to the query that has most of it where there are no windows.
 * Differs: overlaps by one that do not add up to L (official raises, as for 5 in windows of 4) become windows at equal distances;
 * logit biases are left out, which a softmax does not see; zero vectors stay zero (official: NaN); global_logit_scale is refused; direct
 * and coarse take one row of text; the f32 sums of the sine table come one by one (official: as one f64). NaN: a token of NaN has no
 * share. Shares below 2^-64 count as none. */
#include "hicom.h"

enum { WEIGHTS, TEMPORAL, SPATIAL, GUIDE, GLOBAL_GUIDE, HEADS, PARTS };
enum { AUTO_PARTS, BOTH, LOCAL, GLOBAL };

static hicom_use read_use(wn_build *b, const wn_value *v)
{
    const bool local = build_has_tensor(b, HICOM_LOCAL, "readout.0.weight");
    const bool global = build_has_tensor(b, HICOM_GLOBAL, "query");
    const uint32_t parts = v[PARTS].choice;
    uint32_t dims[4], count;
    hicom_use use = {.temporal = (uint32_t)v[TEMPORAL].number,
                     .spatial = (uint32_t)v[SPATIAL].number,
                     .guide = v[GUIDE].choice,
                     .global_guide = v[GLOBAL_GUIDE].choice,
                     .heads = v[HEADS].given ? (uint32_t)v[HEADS].number : 0,
                     .local = parts == BOTH || parts == LOCAL || (parts == AUTO_PARTS && local),
                     .global = parts == BOTH || parts == GLOBAL || (parts == AUTO_PARTS && global)};
    if (!use.local && !use.global)
        build_fail(b, WINNOW_E_FILE,
                   "its weights have neither `" HICOM_LOCAL ".readout.0.weight` nor "
                   "`" HICOM_GLOBAL ".query` (give those of HICom's projector)");
    if (use.global && build_weights_shape(b, "global_logit_scale", dims, &count))
        build_fail(b, WINNOW_E_UNSUPPORTED,
                   "its weights have `global_logit_scale`, which is not done (use parts=local)");
    return use;
}

static uint32_t width_of(wn_build *b, const char *stem)
{
    uint32_t dims[4] = {0}, count;
    build_weights_shape(b, stem, dims, &count);
    return count == 2 ? dims[1] : 0;
}

/* Channels that come out, the same of both parts. */
static uint32_t width_after(wn_build *b, const hicom_use *use)
{
    const uint32_t local = width_of(b, HICOM_LOCAL ".readout.2.weight");
    const uint32_t global = width_of(b, HICOM_GLOBAL ".readout.2.weight");
    if (use->local && use->global && local != global)
        build_fail(b, WINNOW_E_FILE, "its readouts make %u and %u channels (they must be the same)",
                   local, global);
    return use->local ? local : global;
}

/* The set of windows, and behind them `rows` rows of queries in the same segment. */
static void end_windows(wn_build *b, const hicom_windows *w, uint32_t rows, const wn_mat *out)
{
    const wn_set *old = &b->set;
    const uint32_t all = w->count + rows, range[2] = {0, all};
    wn_set set = *old;
    set.n_max = all;
    set.regular = set.exact = set.fresh = true;
    set.segs = rows ? 1 : w->axis[0].out;
    set.width = all / set.segs;
    set.aligned = !rows;
    set.specials = rows || old->specials;
    set.grid_h = rows ? 0 : w->axis[1].out;
    set.grid_w = rows ? 0 : w->axis[2].out;
    set.mat = *out;
    set.seg = rows ? build_const(b, range, 2) : build_counting(b, set.segs + 1, set.width);
    set.rows = build_counting(b, all, 1);
    set.order = WN_NO_ARR;
    set.index = build_same(b, all, (uint32_t)-2);
    set.sizes = hicom_window_sizes(b, w, rows);
    const wn_arr map = build_same(b, old->n_max, WN_NONE);
    const uint32_t *place = build_const_data(b, w->places), *was = build_const_data(b, old->index);
    uint32_t *to = build_const_data(b, map), *index = build_const_data(b, set.index);
    for (uint32_t e = w->count;
         to && e-- > 0;) { /* of windows that overlap the first has the token */
        for (uint32_t k = w->taps; k-- > 0;)
            to[place[e * w->taps + k]] = e;
        index[e] = was[place[e * w->taps]];
    }
    build_remap(b, map);
    b->set = set;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (b->inside)
        return build_fail(b, WINNOW_E_UNSUPPORTED,
                          "inside an encoder's layers rows must stand for tokens (put it behind)");
    const hicom_use use = read_use(b, v);
    const uint32_t cols = width_after(b, &use);
    const wn_mat query = use.global ? build_weights(b, HICOM_GLOBAL ".query", 0, b->set.mat.cols)
                                    : (wn_mat){.rows = 0};
    hicom_windows w = {.count = 0};
    if (use.local)
        w = hicom_make_windows(b, use.temporal, use.spatial);
    if (b->status != WINNOW_OK)
        return b->status;
    const wn_mat out = build_matrix(b, (uint64_t)w.count + query.rows, cols);
    const wn_mat first = build_rows_part(&out, 0, w.count);
    const wn_mat rest = build_rows_part(&out, w.count, query.rows);
    wn_mat shares = {.rows = 0};
    const uint64_t mark = build_mark(b);
    if (use.local)
        hicom_local(b, &use, &w, &first);
    if (use.local && use.global)
        build_release(b, mark);
    if (use.global)
        shares = hicom_global(b, &use, &query, &rest);
    if (b->status != WINNOW_OK)
        return b->status;
    if (use.local) {
        end_windows(b, &w, query.rows, &out);
        return b->status;
    }
    build_join(b);
    build_attend_end(b, &shares, query.rows, shares.rows / query.rows, &out);
    return b->status;
}

static const winnow_option_info options[] = {
    {"weights", "file", "", "", "HICom's projector, its matrices turned to [in, out]"},
    {"temporal", "count", "4", "1..64", "frames of a window; one frame alone: 1"},
    {"spatial", "count", "3", "1..64", "rows and columns of a window"},
    {"guide", "choice", "auto", "auto|off|direct|coarse|fine",
     "how the text enters the windows' queries; auto: as the weights have it, direct where they have neither and there is text"},
    {"global_guide", "choice", "auto", "auto|off|direct|coarse|fine",
     "the same for the learned queries; auto: as the weights have it, else off"},
    {"heads", "count", "-", "1..1024", "heads of attention; absent: one for 128 channels"},
    {"parts", "choice", "auto", "auto|both|local|global",
     "windows, learned queries or both; auto: what the weights have"},
};

const wn_stage wn_stage_hicom = {
    .name = "hicom",
    .family = "transform",
    .summary =
        "pools windows of the film by what the question asks for, and the whole by learned queries",
    .help =
        "The trained projector of HICom: each window of 4 frames by 3 x 3 tokens becomes one row, the mean of its tokens weighted by "
        "their likeness to the instruction, and learned queries with positions in time and space pool the whole film beside them. "
        "Tokens are SigLIP's features of its last layer but one, image_embeds its patch embeddings in the text's space (absent: the "
        "tokens), text the pooled instruction, or for guide=fine its tokens. What comes out is as wide as the language model.",
    .source =
        "Liu et al., CVPR 2025, arXiv:2503.16036; official lntzm/HICom hicom/model/projector.py",
    .paper = "arXiv 2503.16036",
    .agrees = "official code",
    .gives = "weighted means, rows of queries",
    .cost = "2*N*D multiply-adds, the readout a row; 2*R*H*N*D for R queries of H heads",
    .options = options,
    .option_count = 7,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional =
        1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_IMAGE_EMBEDS | 1u << WINNOW_ROLE_SIZES,
    .needs_grid = true,
    .build = build,
};
