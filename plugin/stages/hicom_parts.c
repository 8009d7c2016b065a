/* hicom_parts.c: the guide, the pooling of windows and that of the whole film, of HICom's projector (see hicom.c). */
#include <math.h>

#include "hicom.h"
#include "numbers.h"

/* -- windows ------------------------------------------------------------------------------------ */

/* Where window o starts. Windows of the whole size k; where they overlap by one at most, as the authors' do. */
static uint32_t start_of(uint32_t length, uint32_t k, uint32_t out, uint32_t o)
{
    const uint32_t whole = length % out ? length % out : out; /* windows of k new tokens */
    if (out == 1)
        return 0;
    if (length <= out * (k - 1)) /* they do not reach: equal distances */
        return (uint32_t)((uint64_t)o * (length - k) / (out - 1));
    return o < whole ? o * k : whole * k + (o - whole) * (k - 1) - 1;
}

static hicom_axis make_axis(wn_build *b, uint32_t length, uint32_t k)
{
    hicom_axis axis = {
        .length = length, .out = (length + k - 1) / k, .size = k < length ? k : length};
    axis.start = build_const(b, NULL, axis.out);
    uint32_t *start = build_const_data(b, axis.start);
    for (uint32_t o = 0; start && o < axis.out; ++o)
        start[o] = start_of(length, k, axis.out, o);
    return axis;
}

static void fill_places(const wn_build *b, const hicom_windows *w, uint32_t *places)
{
    const hicom_axis *t = &w->axis[0], *y = &w->axis[1], *x = &w->axis[2];
    const uint32_t *c = b->consts;
    for (uint32_t e = 0; e < w->count; ++e)
        for (uint32_t k = 0; k < w->taps; ++k) {
            const uint32_t frame = c[t->start.at + e / (y->out * x->out)] + k / (y->size * x->size);
            const uint32_t row = c[y->start.at + e / x->out % y->out] + k / x->size % y->size;
            const uint32_t column = c[x->start.at + e % x->out] + k % x->size;
            places[e * w->taps + k] = (frame * y->length + row) * x->length + column;
        }
}

hicom_windows hicom_make_windows(wn_build *b, uint32_t temporal, uint32_t spatial)
{
    const wn_set *set = &b->set;
    hicom_windows w = {.axis = {make_axis(b, set->segs, set->segs == 1 ? 1 : temporal),
                                make_axis(b, set->grid_h, spatial),
                                make_axis(b, set->grid_w, spatial)}};
    w.count = w.axis[0].out * w.axis[1].out * w.axis[2].out;
    w.taps = w.axis[0].size * w.axis[1].size * w.axis[2].size;
    w.seg = build_counting(b, w.count + 1, w.taps);
    w.places = build_const(b, NULL, w.count * w.taps);
    uint32_t *places = build_const_data(b, w.places);
    if (places)
        fill_places(b, &w, places);
    return w;
}

/* values[places[.]] of a constant list. */
static wn_arr placed(wn_build *b, const hicom_windows *w, wn_arr values)
{
    const wn_arr out = build_const(b, NULL, w->count * w->taps);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t i = 0; data && i < out.n; ++i)
        data[i] = b->consts[values.at + b->consts[w->places.at + i]];
    return out;
}

wn_arr hicom_window_sizes(wn_build *b, const hicom_windows *w, uint32_t rows)
{
    const uint32_t all = w->count + rows;
    if (b->set.sizes.at == WN_NONE) {
        const wn_arr sizes = build_same(b, all, f32_bits((float)w->taps));
        uint32_t *data = build_const_data(b, sizes);
        for (uint32_t r = 0; data && r < rows; ++r)
            data[w->count + r] = f32_bits(1.0f);
        return sizes;
    }
    const wn_arr sizes = build_fill(b, all, f32_bits(1.0f)),
                 of = build_array(b, w->count * w->taps);
    const wn_list entries = {.seg = w->seg, .pos = w->places, .n_max = of.n, .width = w->taps};
    const wn_rows windows = {.seg = w->seg, .segs = w->count, .n_max = of.n, .width = w->taps};
    build_lookup(b, w->count, &entries, w->places, WN_NO_ARR, b->set.sizes, of);
    return build_attend_sizes(b, &windows, 1, of, sizes);
}

/* -- the guide ---------------------------------------------------------------------------------- */

/* (1 - a) x + a LN(made), a = STEM.NAME_alpha; x as f32 rows. */
static wn_mat adapted(wn_build *b, const char *stem, const char *norm, const char *alpha,
                      const wn_mat *x, const wn_mat *made)
{
    const float a = build_weights_number(b, stem, alpha);
    const wn_mat out = build_f32_rows(b, x, WN_NO_ARR, x->rows);
    build_layer_norm(b, stem, norm, made, a, 1.0f - a, &out);
    return out;
}

static uint32_t guide_of(wn_build *b, const char *stem, uint32_t guide, bool direct)
{
    if (guide != HICOM_AUTO)
        return guide;
    if (build_has_tensor(b, stem, "guide_injector.coarse_norm.weight"))
        return HICOM_COARSE;
    if (build_has_tensor(b, stem, "guide_injector.fine_norm.weight"))
        return HICOM_FINE;
    return direct && build_has(b, WINNOW_ROLE_TEXT) ? HICOM_DIRECT : HICOM_OFF;
}

static wn_mat unit_rows(wn_build *b, const wn_mat *rows)
{
    const wn_mat copy = build_f32_rows(b, rows, WN_NO_ARR, rows->rows), *x = &copy;
    const wn_mat out = build_matrix(b, x->rows, x->cols);
    const struct wn_args_norm args = {.n_max = x->rows,
                                      .seg_at = WN_NONE,
                                      .cols = x->cols,
                                      .rms = 1,
                                      .gain_at = WN_NONE,
                                      .bias_at = WN_NONE,
                                      .inv_cols = 1.0f};
    BUILD_OP3(b, norm, x->rows, x, &out, NULL, args, READS_W);
    return out;
}

/* The rows of text as the guide wants them: [M, width]. */
static wn_mat guide_rows(wn_build *b, const char *stem, uint32_t guide, bool unit, uint32_t width)
{
    const wn_mat text = build_role(b, WINNOW_ROLE_TEXT);
    if (b->status == WINNOW_OK && guide != HICOM_FINE && text.rows != 1)
        build_fail(b, WINNOW_E_SHAPE,
                   "`text` has %u rows, and only guide=fine takes more than one (give the pooled "
                   "instruction)",
                   text.rows);
    wn_mat g = unit ? unit_rows(b, &text) : build_f32_rows(b, &text, WN_NO_ARR, text.rows);
    if (build_has_tensor(b, stem, "guide_injector.text2qk_proj.0.weight"))
        g = build_mlp(b, stem, "guide_injector.text2qk_proj", &g, width);
    if (b->status == WINNOW_OK && g.cols != width)
        build_fail(b, WINNOW_E_SHAPE,
                   "`text` has %u channels, and its queries %u (give both in one space)", g.cols,
                   width);
    if (!build_has_tensor(b, stem, "guide_injector.guide_alpha"))
        return g;
    const wn_mat made = build_mlp(b, stem, "guide_injector.guide_proj", &g, width);
    return adapted(b, stem, "guide_injector.guide_norm", "guide_injector.guide_alpha", &g, &made);
}

static wn_mat coarse(wn_build *b, const char *stem, const wn_mat *q, const wn_mat *g)
{
    const uint32_t cols = q->cols;
    const wn_mat both = build_mlp(b, stem, "guide_injector.coarse_proj", g, 2 * cols);
    const wn_arr words = build_array(b, 2 * cols);
    const struct wn_args_load_f32 load = {.rows = 1, .cols = 2 * cols, .dst_at = words.at};
    BUILD_OP(b, load_f32, 2 * cols, &both, NULL, load, WRITES_W);
    const wn_mat moved = build_matrix(b, q->rows, cols), out = build_matrix(b, q->rows, cols);
    const struct wn_args_row_affine args = {.n = q->rows,
                                            .cols = cols,
                                            .list_at = WN_NONE,
                                            .scale_at = words.at,
                                            .shift_at = words.at + cols,
                                            .taps = 1,
                                            .tap_at = WN_NONE,
                                            .share = 1.0f};
    BUILD_OP(b, row_affine, (uint64_t)q->rows * cols, q, &moved, args, READS_W);
    build_layer_norm(b, stem, "guide_injector.coarse_norm", &moved, 1.0f, 0.0f, &out);
    return out;
}

static uint32_t heads_of(const hicom_use *use, uint32_t cols)
{
    return use->heads ? use->heads : cols < 128 ? 1 : cols / 128;
}

static wn_mat fine(wn_build *b, const hicom_use *use, const char *stem, const wn_mat *q,
                   const wn_mat *g)
{
    const wn_mat sum = build_f32_rows(b, q, WN_NO_ARR, q->rows);
    const wn_mat out = build_matrix(b, q->rows, q->cols);
    build_multihead(b, stem, "guide_injector.fine_proj", heads_of(use, q->cols), q, g, &sum);
    build_layer_norm(b, stem, "guide_injector.fine_norm", &sum, 1.0f, 0.0f, &out);
    return out;
}

/* -- windows' rows ------------------------------------------------------------------------------ */

/* torch's axis of a linear resize: inputs `at` and the next one (held), the share of the latter. */
static float resized(const hicom_axis *axis, uint32_t o, uint32_t *at)
{
    float source = ((float)o + 0.5f) * ((float)axis->length / (float)axis->out) - 0.5f;
    source = source < 0.0f ? 0.0f : source;
    *at = (uint32_t)source < axis->length ? (uint32_t)source : axis->length - 1;
    return source - (float)*at;
}

/* Window e's eight tokens of the resize. */
static void resize_window(const wn_build *b, const hicom_windows *w, uint32_t e, uint32_t *src,
                          uint32_t *weight)
{
    const hicom_axis *axis = w->axis;
    const uint32_t o[3] = {e / (axis[1].out * axis[2].out), e / axis[2].out % axis[1].out,
                           e % axis[2].out};
    uint32_t at[3];
    float part[3];
    for (uint32_t a = 0; a < 3; ++a)
        part[a] = resized(&axis[a], o[a], &at[a]);
    for (uint32_t k = 0; k < 8; ++k) {
        uint32_t place = 0;
        float share = 1.0f;
        for (uint32_t a = 0; a < 3; ++a) {
            const uint32_t next = k >> (2 - a) & 1u, last = axis[a].length - 1;
            place = place * axis[a].length + (at[a] + next < last ? at[a] + next : last);
            share *= next ? part[a] : 1.0f - part[a];
        }
        src[k] = b->consts[b->set.rows.at + place];
        weight[k] = f32_bits(share);
    }
}

/* F resized to a row a window. */
static wn_mat resize(wn_build *b, const hicom_windows *w)
{
    const wn_mat *tokens = &b->set.mat, out = build_matrix(b, w->count, tokens->cols);
    const wn_arr src = build_const(b, NULL, 8 * w->count),
                 weight = build_const(b, NULL, 8 * w->count);
    uint32_t *from = build_const_data(b, src), *share = build_const_data(b, weight);
    for (uint32_t e = 0; from && share && e < w->count; ++e)
        resize_window(b, w, e, from + 8 * (size_t)e, share + 8 * (size_t)e);
    const struct wn_args_table_mix args = {.n_max = w->count,
                                           .taps = 8,
                                           .src_at = src.at,
                                           .weight_at = weight.at,
                                           .dst_at = WN_NONE,
                                           .cols = tokens->cols};
    BUILD_OP3(b, table_mix, (uint64_t)w->count * tokens->cols, NULL, &out, tokens, args, READS_W);
    return out;
}

/* The windows' queries: one row each, or for all of them one (own: false). */
static wn_queries window_queries(wn_build *b, const hicom_use *use, const hicom_windows *w,
                                 bool unit, uint32_t width)
{
    const uint32_t guide = guide_of(b, HICOM_LOCAL, use->guide, true);
    wn_queries out = {.src = WN_NO_ARR, .rows = 1, .own = guide != HICOM_DIRECT};
    if (guide == HICOM_DIRECT) {
        out.mat = guide_rows(b, HICOM_LOCAL, guide, unit, width);
        return out;
    }
    wn_mat q = resize(b, w);
    if (build_has_tensor(b, HICOM_LOCAL, "q_alpha")) {
        const wn_dense layer = build_weights_dense(b, HICOM_LOCAL ".q_proj", q.cols, q.cols);
        const wn_mat made = build_matrix(b, q.rows, q.cols);
        build_dense(b, &layer, &q, &made, WN_ACT_NONE, 0);
        q = adapted(b, HICOM_LOCAL, "q_norm", "q_alpha", &q, &made);
    }
    if (b->status == WINNOW_OK && q.cols != width)
        build_fail(b, WINNOW_E_SHAPE,
                   "its queries have %u channels and `image_embeds` %u (use guide=direct)", q.cols,
                   width);
    if (guide != HICOM_OFF) {
        const wn_mat g = guide_rows(b, HICOM_LOCAL, guide, unit, width);
        q = guide == HICOM_COARSE ? coarse(b, HICOM_LOCAL, &q, &g)
                                  : fine(b, use, HICOM_LOCAL, &q, &g);
    }
    out.mat = q;
    return out;
}

/* Rows of a matrix through MLP and norm STEM.PART_*, where the weights have them. */
static wn_mat with_adapter(wn_build *b, const wn_mat *x, const char *proj, const char *norm,
                           const char *alpha)
{
    if (!build_has_tensor(b, HICOM_LOCAL, alpha))
        return *x;
    const wn_mat plain = build_f32_rows(b, x, WN_NO_ARR, x->rows);
    const wn_mat made = build_mlp(b, HICOM_LOCAL, proj, &plain, x->cols);
    return adapted(b, HICOM_LOCAL, norm, alpha, &plain, &made);
}

void hicom_local(wn_build *b, const hicom_use *use, const hicom_windows *w, const wn_mat *out)
{
    const bool embeds = build_has(b, WINNOW_ROLE_IMAGE_EMBEDS);
    uint32_t dims[4], count;
    const bool clip = build_weights_shape(b, "local_logit_scale", dims, &count),
               unit = clip && embeds;
    const wn_mat tokens = b->set.mat;
    wn_mat keys = embeds ? build_role(b, WINNOW_ROLE_IMAGE_EMBEDS) : tokens;
    float scale = 1.0f / sqrtf((float)(keys.cols ? keys.cols : 1));
    if (clip) {
        const uint32_t *word = build_const_data(b, build_weights_array(b, "local_logit_scale", 1));
        scale = word ? expf(bits_f32(*word)) : 0.0f;
    }
    if (unit)
        keys = unit_rows(b, &keys);
    keys = with_adapter(b, &keys, "k_proj", "k_norm", "k_alpha");
    const wn_queries q = window_queries(b, use, w, unit, keys.cols);
    wn_rows rows = {.mat = keys,
                    .list = placed(b, w, embeds ? b->set.index : b->set.rows),
                    .seg = w->seg,
                    .segs = w->count,
                    .n_max = w->count * w->taps,
                    .width = w->taps};
    const wn_mat shares = build_attend_shares(b, &q, &rows, scale);
    rows.mat = with_adapter(b, &tokens, "v_proj", "v_norm", "v_alpha");
    rows.list = placed(b, w, b->set.rows);
    const wn_mat pooled = build_matrix(b, w->count, tokens.cols);
    build_attend_values(b, &shares, 1, &rows, WN_NO_ARR, &pooled);
    build_mlp_into(b, HICOM_LOCAL, "readout", &pooled, out);
}

/* -- the whole film ----------------------------------------------------------------------------- */

/* Rows of sines and cosines for t, then y, then x. */
static wn_arr sine_table(wn_build *b, const uint32_t size[3], uint32_t cols)
{
    const wn_arr out = build_const(b, NULL, (size[0] + size[1] + size[2]) * cols);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t a = 0, row = 0; data && a < 3; ++a)
        for (uint32_t p = 0; p < size[a]; ++p, ++row)
            for (uint32_t c = 0; c < cols; ++c) {
                const double angle = p / pow(10000.0, 2 * (c / 2) / (double)cols);
                data[row * cols + c] = f32_bits((float)(c % 2 ? cos(angle) : sin(angle)));
            }
    return out;
}

/* F + positions, as f32. */
static wn_mat with_positions(wn_build *b)
{
    const wn_set *set = &b->set;
    const uint32_t size[3] = {set->segs, set->grid_h, set->grid_w}, n = set->n_max;
    const wn_mat out = build_matrix(b, n, set->mat.cols);
    const wn_arr table = sine_table(b, size, set->mat.cols), tap = build_const(b, NULL, 3 * n);
    uint32_t *data = build_const_data(b, tap);
    for (uint32_t i = 0; data && i < n; ++i) {
        data[3 * i] = i / (size[1] * size[2]);
        data[3 * i + 1] = size[0] + i / size[2] % size[1];
        data[3 * i + 2] = size[0] + size[1] + i % size[2];
    }
    const struct wn_args_row_affine args = {.n = n,
                                            .cols = set->mat.cols,
                                            .list_at = set->rows.at,
                                            .scale_at = WN_NONE,
                                            .shift_at = table.at,
                                            .taps = 3,
                                            .tap_at = tap.at,
                                            .share = 1.0f};
    BUILD_OP(b, row_affine, (uint64_t)n * set->mat.cols, &set->mat, &out, args, READS_W);
    return out;
}

static wn_mat film_queries(wn_build *b, const hicom_use *use, const wn_mat *query)
{
    const uint32_t guide = guide_of(b, HICOM_GLOBAL, use->global_guide, false);
    const wn_mat q = build_f32_rows(b, query, WN_NO_ARR, query->rows);
    if (guide == HICOM_OFF)
        return q;
    const wn_mat g = guide_rows(b, HICOM_GLOBAL, guide, false, q.cols);
    if (guide == HICOM_DIRECT)
        return build_f32_rows(b, &g, build_same(b, query->rows, 0), query->rows);
    return guide == HICOM_COARSE ? coarse(b, HICOM_GLOBAL, &q, &g)
                                 : fine(b, use, HICOM_GLOBAL, &q, &g);
}

/* Row h*R + r: query r as head h's keys would have it, its part of q_proj times that of k_proj, whose bias all products share. */
static wn_mat drawn_in(wn_build *b, const wn_mat *q, uint32_t heads)
{
    const wn_dense to_q =
        build_weights_dense(b, HICOM_GLOBAL ".attn_layer.q_proj", q->cols, q->cols);
    const wn_dense to_k =
        build_weights_dense(b, HICOM_GLOBAL ".attn_layer.k_proj", q->cols, q->cols);
    const wn_mat made = build_matrix(b, q->rows, q->cols);
    const wn_mat out = build_matrix(b, (uint64_t)heads * q->rows, q->cols);
    build_dense(b, &to_q, q, &made, WN_ACT_NONE, 0);
    const wn_mat by_head = build_heads(b, &made, heads), keys = build_heads(b, &to_k.weight, heads);
    const struct wn_args_cross_sim args = {
        .segs = heads,
        .seg_at = build_counting(b, heads + 1, q->cols).at,
        .rows = q->rows,
        .width = q->cols,
        .src_at = build_by_heads(b, q->rows, heads).at,
        .c_inv_at = build_fill(b, by_head.rows, f32_bits(1.0f)).at,
        .list_at = build_by_heads(b, q->cols, heads).at,
        .inv_at = build_fill(b, (uint64_t)q->cols * heads, f32_bits(1.0f)).at,
        .cols = by_head.cols,
        .own = 1};
    BUILD_OP3(b, cross_sim, (uint64_t)out.rows * ((q->cols + 3) / 4), &keys, &out, &by_head, args,
              READS_W);
    return out;
}

/* Columns first .. first+cols of a matrix. */
static wn_mat columns_of(const wn_mat *mat, uint32_t first, uint32_t cols)
{
    const uint64_t skip = first * (mat->ref.dtype == WINNOW_F32 ? 4ull : 2ull);
    wn_mat part = *mat;
    part.ref.offset += skip;
    part.ref.bytes -= skip;
    part.cols = cols;
    return part;
}

/* Head h's columns of v_proj for what head h pooled. */
static void project_values(wn_build *b, const wn_mat *pooled, uint32_t heads, const wn_mat *out)
{
    const wn_dense all =
        build_weights_dense(b, HICOM_GLOBAL ".attn_layer.v_proj", out->cols, out->cols);
    const uint32_t cols = out->cols / heads, wide = all.weight.ref.dtype == WINNOW_F32;
    if (!wide && cols % 2)
        build_fail(b, WINNOW_E_FILE, "heads of %u channels want `attn_layer.v_proj.weight` as f32",
                   cols);
    for (uint32_t h = 0; h < heads && b->status == WINNOW_OK; ++h) {
        const wn_mat in = build_rows_part(pooled, h * out->rows, out->rows);
        const wn_mat to = columns_of(out, h * cols, cols);
        const wn_dense part = {.weight = columns_of(&all.weight, h * cols, cols),
                               .bias_at = all.bias_at == WN_NONE ? WN_NONE
                                          : wide                 ? all.bias_at
                                                                 : all.bias_at + h * cols / 2};
        build_dense(b, &part, &in, &to, WN_ACT_NONE, 0);
    }
}

wn_mat hicom_global(wn_build *b, const hicom_use *use, const wn_mat *query, const wn_mat *out)
{
    const uint32_t heads = heads_of(use, query->cols), n = b->set.n_max, range[2] = {0, n};
    const wn_mat sum = film_queries(b, use, query);
    const wn_queries q = {
        .mat = drawn_in(b, &sum, heads), .src = WN_NO_ARR, .rows = heads * sum.rows};
    if (b->status != WINNOW_OK)
        return sum;
    const wn_rows tokens = {.mat = with_positions(b),
                            .list = WN_NO_ARR,
                            .seg = build_const(b, range, 2),
                            .segs = 1,
                            .n_max = n,
                            .width = n};
    const float scale = 1.0f / sqrtf((float)(sum.cols / heads));
    const wn_mat shares = build_attend_shares(b, &q, &tokens, scale);
    const wn_mat pooled = build_matrix(b, q.rows, sum.cols),
                 mixed = build_matrix(b, sum.rows, sum.cols);
    build_attend_values(b, &shares, q.rows, &tokens, WN_NO_ARR, &pooled);
    project_values(b, &pooled, heads, &mixed);
    const wn_dense last =
        build_weights_dense(b, HICOM_GLOBAL ".attn_layer.out_proj", sum.cols, sum.cols);
    build_dense(b, &last, &mixed, &sum, WN_ACT_NONE, 2);
    build_mlp_into(b, HICOM_GLOBAL, "readout", &sum, out);
    return shares;
}
