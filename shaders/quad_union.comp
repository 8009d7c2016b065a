// quad_union: labels of linked places: the least label of the neighbours, then the label's label, until these agree.
// One workgroup, each invocation its strided places. Shared: sums. Cost: some ten loads of W a place and round; a few rounds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_quad_union
#include "common.glsl"
#include "reduce.glsl"

// The order of the places does not matter: the least of all is taken.
void lower(uint i, uint other)
{
    if (other == WN_NONE) return;
    uint own = w_u(pc.label_at + i), its = w_u(pc.label_at + other), label = min(own, its);
    atomicMin(W[pc.next_at + i], label);
    atomicMin(W[pc.next_at + other], label);
    if (pc.agree != 0u) atomicMin(W[pc.next_at + max(own, its)], label);
}

bool has(uint other, uint label) { return other == WN_NONE || w_u(pc.label_at + other) == label; }

void main()
{
    if (group_index() != 0u) return;
    bool done = pc.first == 0u && w_u(pc.done_at) != 0u;
    for (uint i = thread(); pc.first != 0u && i < pc.n; i += LOCAL) w_set_u(pc.label_at + i, i);
    exchange();
    for (uint round = 0u; !done && round < pc.rounds; ++round) {
        for (uint i = thread(); i < pc.n; i += LOCAL) w_set_u(pc.next_at + i, w_u(pc.label_at + i));
        exchange();
        for (uint i = thread(); i < pc.n; i += LOCAL) {
            lower(i, w_u(pc.ahead_at + i));
            lower(i, w_u(pc.behind_at + i));
        }
        exchange();
        for (uint i = thread(); i < pc.n; i += LOCAL)
            w_set_u(pc.label_at + i, w_u(pc.next_at + w_u(pc.next_at + i)));
        exchange();
        uint moves = 0u;
        for (uint i = thread(); i < pc.n; i += LOCAL) {
            uint label = w_u(pc.label_at + i);
            bool settled = pc.agree == 0u ? w_u(pc.label_at + label) == label
                                          : has(w_u(pc.ahead_at + i), label) && has(w_u(pc.behind_at + i), label);
            moves += settled ? 0u : 1u;
        }
        done = group_sum(moves) == 0u;
    }
    if (thread() == 0u) w_set_u(pc.done_at, done ? 1u : 0u);
    for (uint i = thread(); pc.last != 0u && i < pc.n; i += LOCAL) {
        uint root = w_u(pc.label_at + w_u(pc.owner_at + i));
        w_set_u(pc.root_at + i, root);
        w_set_u(pc.keep_at + i, root == i ? 1u : 0u);
    }
}
