/* build_norms.c: norms of rows, which a pipeline takes once. */
#include "build.h"

/* Those of the same rows; or, with `every`, of every row of the tensor. NULL: not made yet. */
static const wn_norms *find_norms(const wn_build *b, const wn_mat *mat, wn_arr list, bool every)
{
    for (const wn_norms *n = b->norms; n < b->norms + b->norm_count; ++n)
        if (n->mat.ref.slot == mat->ref.slot && n->mat.ref.offset == mat->ref.offset &&
            n->mat.stride == mat->stride && n->mat.cols == mat->cols &&
            (every
                 ? n->list.at == b->every_row.at
                 : n->list.at == list.at && n->seg.at == b->set.seg.at && n->n_max == b->set.n_max))
            return n;
    return NULL;
}

static wn_arr make_norms(wn_build *b, const wn_mat *mat, wn_arr list, wn_arr seg, uint32_t segs,
                         uint32_t n_max)
{
    const wn_arr inv = build_array(b, n_max);
    const struct wn_args_row_norm args = {.n_max = n_max,
                                          .segs = segs,
                                          .seg_at = seg.at,
                                          .list_at = list.at,
                                          .inv_at = inv.at,
                                          .cols = mat->cols,
                                          .eps2 = 1e-16f,
                                          .inv_eps = 1e8f};
    BUILD_OP(b, row_norm, n_max, mat, NULL, args, WRITES_W);
    return inv;
}

/* A stage behind one that chose tokens looks its norms up: a word a token in place of a row. */
wn_arr build_norms(wn_build *b, const wn_mat *mat, wn_arr list)
{
    const wn_norms *same = find_norms(b, mat, list, false), *every = find_norms(b, mat, list, true);
    if (same)
        return same->inv;
    wn_arr inv;
    if (every && !b->set.specials) {
        const wn_list rows = {.seg = b->set.seg, .n_max = b->set.n_max};
        inv = build_array(b, b->set.n_max);
        build_lookup(b, b->set.segs, &rows, list, WN_NO_ARR, every->inv, inv);
    } else {
        inv = make_norms(b, mat, list, b->set.seg, b->set.segs, b->set.n_max);
    }
    if (mat->ref.slot < WN_SLOT_IN + WINNOW_ROLE_COUNT && b->every_row.at != WN_NONE &&
        b->norm_count < WN_NORMS_MOST)
        b->norms[b->norm_count++] = (wn_norms){
            .mat = *mat, .list = list, .seg = b->set.seg, .inv = inv, .n_max = b->set.n_max};
    return inv;
}

wn_arr build_row_norms(wn_build *b, const wn_mat *mat)
{
    return make_norms(b, mat, WN_NO_ARR, build_counting(b, 2, mat->rows), 1, mat->rows);
}
