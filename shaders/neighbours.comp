// neighbours: near[e*many + t] = the t-th best token u of the source's segment by A(e, u), itself and tokens with
// index < 0 left out; WN_NONE past the end.
// LANES: a team a source (teams.glsl; where teams are smaller than an item, the last workgroups have none). A member keeps
// the best candidate of each of its eight blocks; the best of them all is the next neighbour, and its block alone is looked
// through again, by the whole team, for the best that comes strictly after it in the order (score key down, then position
// up), so nothing has to be marked. Shared: a team's reduction, without subgroups.
// Cost: n loads of A, and for each neighbour n / (8 * members) more and two reductions.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_neighbours
#include "common.glsl"
#include "reduce.glsl"
#include "teams.glsl"

#define BLOCKS 8u
#define EACH_BLOCK(F) F(0u, b0) F(1u, b1) F(2u, b2) F(3u, b3) F(4u, b4) F(5u, b5) F(6u, b6) F(7u, b7)
const uvec2 none = uvec2(0u, WN_NONE);

// A source: its row, its first token's position, the number of tokens, its own place.
struct source { uint e, first, n, self; };

// Token u as a candidate of group_best.
uvec2 candidate(source s, uint u)
{
    uint v = min(u, s.n - 1u);
    bool there = u < s.n && u != s.self && (pc.index_at == WN_NONE || is_row(w_u(pc.index_at + s.first + v)));
    return there ? uvec2(score_key(load_a(s.e, v)), u) : none;
}

uvec2 team_best(uvec2 own)
{
#ifdef WN_SUBGROUP
    for (uint mask = 1u; mask < MEMBERS; mask <<= 1) own = better(own, subgroupShuffleXor(own, mask));
    return own;
#else
    uint t = thread(), first = t & ~31u;
    wide_u[t] = own.x;
    wide_v[t] = own.y;
    barrier();
    uvec2 best = none;
    for (uint i = 0u; i < 32u; ++i) best = better(best, uvec2(wide_u[first + i], wide_v[first + i]));
    barrier();
    return best;
#endif
}

// The best candidate of the block of `last` that comes after it.
uvec2 next_of_block(source s, uvec2 last)
{
    uint at = last.y % (BLOCKS * MEMBERS), u = at + member() * BLOCKS * MEMBERS;
    uvec2 own = none;
    for (; u < s.n; u += MEMBERS * BLOCKS * MEMBERS) {
        uvec2 c = candidate(s, u);
        bool after = c.x < last.x || (c.x == last.x && c.y > last.y);
        own = better(own, after ? c : none);
    }
    return team_best(own);
}

void main()
{
    uint e = group_index() * TEAMS_HERE + team(), count = min(pc.n_max, w_u(pc.src_seg_at + pc.segs));
#ifdef WN_SUBGROUP
    if (e >= count) return;
#endif
    source s = source(0u, 0u, 0u, 0u);
    if (e < count) {
        uint k = segment_of(e, pc.src_seg_at, pc.segs), first = w_u(pc.seg_at + k);
        uint self = (pc.src_pos_at == WN_NONE ? e : w_u(pc.src_pos_at + e)) - first;
        s = source(e, first, w_u(pc.seg_at + k + 1u) - first, self);
    }
#define DECLARE(r, best) uvec2 best = none;
#define OFFER(r, best) best = better(best, candidate(s, u + r * MEMBERS));
#define LEAD(r, best) own = better(own, best);
#define REPLACE(r, best) if (mine == r) best = next;
    EACH_BLOCK(DECLARE)
    for (uint u = member(); u < s.n; u += BLOCKS * MEMBERS) { EACH_BLOCK(OFFER) }
    for (uint round = 0u; round < pc.many; ++round) {
        uvec2 own = none;
        EACH_BLOCK(LEAD)
        uvec2 last = team_best(own);
        if (e < count && member() == 0u)
            w_set_u(pc.near_at + e * pc.many + round, last.y == WN_NONE ? WN_NONE : s.first + last.y);
        uvec2 next = next_of_block(s, last);
        uint mine = last.y % MEMBERS == member() ? last.y / MEMBERS % BLOCKS : BLOCKS;
        EACH_BLOCK(REPLACE)
    }
}
