/* factored.c: q, k and v of a layer: one product, or three where q and k are factors. */
#include "layers.h"

void wn_vit_qkv(wn_vit_state *s, const wn_vit_layer *layer, const wn_apply *all)
{
    wn_build *b = s->b;
    const uint32_t width = s->v->width;
    if (!layer->q_up.parts) {
        wn_vit_linear(b, &layer->qkv, all);
        return;
    }
    const wn_linear *const down[2] = {&layer->q_down, &layer->k_down}, *const up[2] = {
                                                                           &layer->q_up,
                                                                           &layer->k_up};
    const uint64_t mark = build_mark(b);
    const wn_mat few[2] = {build_matrix_of(b, s->rows_max, down[0]->out, s->dtype),
                           build_matrix_of(b, s->rows_max, down[1]->out, s->dtype)};
    for (uint32_t i = 0; i < 2; ++i) {
        wn_apply first = *all;
        first.out = &few[i];
        wn_vit_linear(b, down[i], &first);
    }
    const wn_mat v = wn_vit_columns(all->out, 2 * width, width);
    wn_apply rest = *all;
    rest.out = &v;
    wn_vit_linear(b, &layer->qkv, &rest);
    for (uint32_t i = 0; i < 2; ++i) {
        const wn_mat to = wn_vit_columns(all->out, i * width, width);
        wn_apply second = *all;
        second.in = &few[i];
        second.out = &to;
        wn_vit_linear(b, up[i], &second);
    }
    build_release(b, mark);
}
