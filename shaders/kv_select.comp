// kv_select: one decode step. v[j] = mean over the heads of the attention to visual column j; c = cos(v, prev), 0 on
// the first step. c < threshold (or NaN): select anew, kept = the k best of v. Else reuse kept, or (similar 1) show all
// columns this once. Writes the mask, the number of ones, and whether kept changed; then prev = v.
// GROUPS: one workgroup; an invocation takes every LOCAL-th column. Shared: dot32, the sums, 256 bins of the radix
// selection (four passes over the score keys by bytes; ties by position with a scan).
// Cost: heads * count loads of A, then about ten passes over count words.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_kv_select
#define WN_EXCHANGE
#include "common.glsl"
#include "reduce.glsl"

#define SIMILAR_FULL 1u
shared uint bins[256];

uint key_of(uint j) { return score_key(w_f(pc.cur_at + j)); }

// v[j] = (sum over h of A(h, first + j)) * inv_heads
void average_heads()
{
    for (uint j = thread(); j < pc.count; j += LOCAL) {
        precise float sum = 0.0;
        uint x = a_row(0u) + pc.first + j, h = 0u;
        for (; h + 4u <= pc.heads; h += 4u) {    // loads that do not wait for each other
            float v0 = a_element(x), v1 = a_element(x + pc.a_stride);
            float v2 = a_element(x + 2u * pc.a_stride), v3 = a_element(x + 3u * pc.a_stride);
            sum = sum + v0;
            sum = sum + v1;
            sum = sum + v2;
            sum = sum + v3;
            x += 4u * pc.a_stride;
        }
        for (; h < pc.heads; ++h, x += pc.a_stride) sum = sum + a_element(x);
        precise float v = sum * pc.inv_heads;
        w_set_f(pc.cur_at + j, v);
    }
}

// cos(v, prev), in all invocations: every 32 of them compute the same.
float similarity()
{
    precise vec4 p = vec4(0.0);
    for (uint j = lane(); j < pc.count; j += 32u) {
        float v = w_f(pc.cur_at + j), old = w_f(pc.prev_at + j);
        precise vec4 products = vec4(v, v, old, 0.0) * vec4(old, v, old, 0.0);
        p = p + products;
    }
    vec4 dots = dot32(p);
    precise float factor = norm_factor(dots.y, COS_EPS2, COS_INV_EPS) * norm_factor(dots.z, COS_EPS2, COS_INV_EPS);
    precise float c = dots.x * factor;
    return c;
}

// kept[j] = 1 for the k best of v. The key of the k-th best is found byte by byte from the top.
void select_best(uint k)
{
    uint prefix = 0u, mask = 0u, wanted = k;    // of the keys that begin with prefix, `wanted` are still to be taken
    for (uint shift = 32u; shift > 0u;) {
        shift -= 8u;
        for (uint b = thread(); b < 256u; b += LOCAL) bins[b] = 0u;
        barrier();
        for (uint j = thread(); j < pc.count; j += LOCAL) {
            uint key = key_of(j);
            if ((key & mask) == prefix) atomicAdd(bins[(key >> shift) & 255u], 1u);
        }
        barrier();
        uint b = 255u;
        while (b > 0u && bins[b] < wanted) wanted -= bins[b--];
        prefix |= b << shift;
        mask |= 255u << shift;
        barrier();
    }
    for (uint chunk = 0u; chunk < pc.count; chunk += LOCAL) {
        uint j = chunk + thread(), key = j < pc.count ? key_of(j) : 0u;
        bool tie = j < pc.count && key == prefix;
        uint total, before = group_scan(tie ? 1u : 0u, total);
        if (j < pc.count) w_set_u(pc.kept_at + j, key > prefix || (tie && before < wanted) ? 1u : 0u);
        wanted -= min(wanted, total);
    }
}

void main()
{
    if (group_index() != 0u) return;
    average_heads();
    exchange();
    float c = 0.0;
    if (pc.seen != 0u) c = similarity();
    bool reuse = pc.seen != 0u && !is_nan(c) && !is_nan(pc.threshold) && c >= pc.threshold;
    bool all = reuse && pc.similar == SIMILAR_FULL;
    if (!reuse) select_best(min(pc.k, pc.count));
    exchange();

    uint ones = 0u;
    for (uint column = thread(); column < pc.columns; column += LOCAL) {
        uint j = column - pc.first;    // text columns: not below count
        uint one = all || j >= pc.count || w_u(pc.kept_at + j) != 0u ? 1u : 0u;
        store_b_u(0u, column, one);
        ones += one;
    }
    ones = group_sum(ones);
    if (thread() == 0u) {
        store_b_u(0u, pc.columns, ones);
        store_b_u(0u, pc.columns + 1u, reuse ? 0u : 1u);
    }
    for (uint j = thread(); j < pc.count; j += LOCAL) w_set_u(pc.prev_at + j, w_u(pc.cur_at + j));
}
