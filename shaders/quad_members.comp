// quad_members: which nodes each new row collects, wherever they are, ascending: a list a row.
// One workgroup takes LOCAL places at a time: a node links to the one before it among them, or to the row's last one so far.
// Shared: a row an invocation. Cost: up to LOCAL shared loads a place, then a walk along each list.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_quad_members
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    if (group_index() != 0u) return;
    uint rows = w_u(pc.seg_new_at + pc.segs), own = thread();
    for (uint r = own; r < rows; r += LOCAL) {
        w_set_u(pc.head_at + r, WN_NONE);
        w_set_u(pc.tail_at + r, 0u);    // one more than the last member
    }
    for (uint i = own; i < pc.n; i += LOCAL) w_set_u(pc.next_at + i, WN_NONE);
    exchange();

    for (uint first = 0u; first < pc.n; first += LOCAL) {
        uint i = first + own, r = i < pc.n && w_u(pc.node_at + i) != 0u ? w_u(pc.row_at + i) : WN_NONE;
        if (r != WN_NONE && w_u(pc.from_at + r) == i) r = WN_NONE;
        wide_u[own] = r;
        exchange();
        uint before = own;
        while (r != WN_NONE && before > 0u && wide_u[before - 1u] != r) --before;
        if (r != WN_NONE) {
            uint last = before > 0u ? first + before : w_u(pc.tail_at + r);    // one more than the member before
            w_set_u(last == 0u ? pc.head_at + r : pc.next_at + last - 1u, i);
        }
        exchange();
        if (r != WN_NONE) atomicMax(W[pc.tail_at + r], i + 1u);
        exchange();
    }

    for (uint r = own; r < rows; r += LOCAL) {
        precise float sum = w_f(pc.sizes_at + w_u(pc.from_at + r));
        for (uint i = w_u(pc.head_at + r); i != WN_NONE; i = w_u(pc.next_at + i)) sum = sum + w_f(pc.sizes_at + i);
        w_set_f(pc.sizes_new_at + r, sum);
    }
}
