// reduce.glsl: what the invocations of a workgroup compute together. Include after common.glsl.
//
// thread() numbers the invocations of the workgroup; use it, not gl_LocalInvocationIndex, beside these
// helpers: with subgroups the neighbours of a subgroup must be neighbours in number (the pipeline asks for
// full subgroups of SUBGROUP_SIZE). Every helper holds barriers: call them in uniform control flow.
// Results are the same in all invocations.
//
// Shared memory: `wide` one entry an invocation, `narrow` at most 32. On return nobody reads `wide` any
// more; `narrow` is written after a barrier of the next call only.
#ifndef REDUCE_GLSL
#define REDUCE_GLSL
#ifdef WN_SUBGROUP
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#define TEAM min(SUBGROUP_SIZE, LOCAL)     // invocations that exchange by shuffles
uint thread() { return gl_SubgroupID * SUBGROUP_SIZE + gl_SubgroupInvocationID; }
#else
#define TEAM 1u
uint thread() { return gl_LocalInvocationIndex; }
#endif
#define TEAMS (LOCAL / TEAM)

// LANES operations: 32 neighbouring invocations an item.
uint lane() { return thread() & 31u; }
uint lanes_item() { return group_index() * (LOCAL / 32u) + (thread() >> 5); }

// ---- dot32: the xor tree over the 32 partial sums of an item -------------------------------------------
// First inside groups of DOT_GROUP neighbours (shuffles, or shared memory and groups of 8), then over the
// 32/DOT_GROUP group sums. All members of a group hold the same sum, as float addition commutes.
shared float wide1[LOCAL];
shared vec4 wide4[LOCAL];
shared float narrow1[LOCAL];
shared vec4 narrow4[LOCAL];
#ifdef WN_SUBGROUP
#define DOT_GROUP min(SUBGROUP_SIZE, 32u)
#else
#define DOT_GROUP 8u
#endif

float dot_groups(float p)
{
#ifdef WN_SUBGROUP
    for (uint mask = 1u; mask < DOT_GROUP; mask <<= 1) {
        precise float sum = p + subgroupShuffleXor(p, mask);
        p = sum;
    }
    return p;
#else
    uint t = thread(), g = t & ~7u;
    wide1[t] = p;
    barrier();
    precise float a = wide1[g] + wide1[g + 1u], b = wide1[g + 2u] + wide1[g + 3u];
    precise float c = wide1[g + 4u] + wide1[g + 5u], d = wide1[g + 6u] + wide1[g + 7u];
    precise float ab = a + b, cd = c + d;
    precise float sum = ab + cd;
    return sum;
#endif
}
vec4 dot_groups(vec4 p)
{
#ifdef WN_SUBGROUP
    for (uint mask = 1u; mask < DOT_GROUP; mask <<= 1) {
        precise vec4 sum = p + subgroupShuffleXor(p, mask);
        p = sum;
    }
    return p;
#else
    uint t = thread(), g = t & ~7u;
    wide4[t] = p;
    barrier();
    precise vec4 a = wide4[g] + wide4[g + 1u], b = wide4[g + 2u] + wide4[g + 3u];
    precise vec4 c = wide4[g + 4u] + wide4[g + 5u], d = wide4[g + 6u] + wide4[g + 7u];
    precise vec4 ab = a + b, cd = c + d;
    precise vec4 sum = ab + cd;
    return sum;
#endif
}

// p: this lane's partial sum; the result is dot32 in all 32 lanes. The group sums are added pairwise as a
// binary counter carries: s1 waits for its right neighbour, s2 holds a pair, s4 two pairs, ...
float dot32(float p)
{
    p = dot_groups(p);
    uint count = 32u / DOT_GROUP;
    if (count == 1u) return p;
    uint t = thread(), first = (t >> 5) * count;
#ifdef WN_SUBGROUP
    barrier();
#endif
    if ((t & (DOT_GROUP - 1u)) == 0u) narrow1[t / DOT_GROUP] = p;
    barrier();
    precise float s1 = 0.0, s2 = 0.0, s4 = 0.0, s8 = 0.0, s16 = 0.0, v = 0.0;
    for (uint i = 0u; i < count; ++i) {
        v = narrow1[first + i];
        if ((i & 1u) == 0u) { s1 = v; continue; }
        v = s1 + v;
        if ((i & 2u) == 0u) { s2 = v; continue; }
        v = s2 + v;
        if ((i & 4u) == 0u) { s4 = v; continue; }
        v = s4 + v;
        if ((i & 8u) == 0u) { s8 = v; continue; }
        v = s8 + v;
        if ((i & 16u) == 0u) { s16 = v; continue; }
        v = s16 + v;
    }
    return v;
}
vec4 dot32(vec4 p)    // four dots at once
{
    p = dot_groups(p);
    uint count = 32u / DOT_GROUP;
    if (count == 1u) return p;
    uint t = thread(), first = (t >> 5) * count;
#ifdef WN_SUBGROUP
    barrier();
#endif
    if ((t & (DOT_GROUP - 1u)) == 0u) narrow4[t / DOT_GROUP] = p;
    barrier();
    precise vec4 s1 = vec4(0.0), s2 = vec4(0.0), s4 = vec4(0.0), s8 = vec4(0.0), s16 = vec4(0.0), v = vec4(0.0);
    for (uint i = 0u; i < count; ++i) {
        v = narrow4[first + i];
        if ((i & 1u) == 0u) { s1 = v; continue; }
        v = s1 + v;
        if ((i & 2u) == 0u) { s2 = v; continue; }
        v = s2 + v;
        if ((i & 4u) == 0u) { s4 = v; continue; }
        v = s4 + v;
        if ((i & 8u) == 0u) { s8 = v; continue; }
        v = s8 + v;
        if ((i & 16u) == 0u) { s16 = v; continue; }
        v = s16 + v;
    }
    return v;
}

// ---- the whole workgroup (GROUPS operations) ------------------------------------------------------------
// Teams first (a subgroup; without subgroups one invocation), then up to 32 blocks of teams, then those.
shared uint wide_u[LOCAL];
shared uint wide_v[LOCAL];
shared uint narrow_u[32];
shared uint narrow_v[32];

uint group_sum(uint value)
{
#ifdef WN_SUBGROUP
    for (uint mask = 1u; mask < TEAM; mask <<= 1) value += subgroupShuffleXor(value, mask);
#endif
    uint t = thread();
    if ((t & (TEAM - 1u)) == 0u) wide_u[t / TEAM] = value;
    barrier();
    uint sum = 0u;
    if (TEAMS > 32u) {
        if (t < 32u) {
            uint part = 0u;
            for (uint k = t; k < TEAMS; k += 32u) part += wide_u[k];
            narrow_u[t] = part;
        }
        barrier();
        for (uint k = 0u; k < 32u; ++k) sum += narrow_u[k];
    } else {
        for (uint k = 0u; k < TEAMS; ++k) sum += wide_u[k];
        barrier();
    }
    return sum;
}

uint group_max(uint value)
{
#ifdef WN_SUBGROUP
    for (uint mask = 1u; mask < TEAM; mask <<= 1) value = max(value, subgroupShuffleXor(value, mask));
#endif
    uint t = thread();
    if ((t & (TEAM - 1u)) == 0u) wide_u[t / TEAM] = value;
    barrier();
    uint most = 0u;
    if (TEAMS > 32u) {
        if (t < 32u) {
            uint part = 0u;
            for (uint k = t; k < TEAMS; k += 32u) part = max(part, wide_u[k]);
            narrow_u[t] = part;
        }
        barrier();
        for (uint k = 0u; k < 32u; ++k) most = max(most, narrow_u[k]);
    } else {
        for (uint k = 0u; k < TEAMS; ++k) most = max(most, wide_u[k]);
        barrier();
    }
    return most;
}

// The better of two candidates (x: score key, y: position): the larger key, then the lower position.
// (0, WN_NONE) is no candidate.
uvec2 better(uvec2 a, uvec2 b) { return b.x > a.x || (b.x == a.x && b.y < a.y) ? b : a; }

uvec2 group_best(uvec2 own)
{
#ifdef WN_SUBGROUP
    for (uint mask = 1u; mask < TEAM; mask <<= 1) own = better(own, subgroupShuffleXor(own, mask));
#endif
    uint t = thread();
    if ((t & (TEAM - 1u)) == 0u) { wide_u[t / TEAM] = own.x; wide_v[t / TEAM] = own.y; }
    barrier();
    uvec2 best = uvec2(0u, WN_NONE);
    if (TEAMS > 32u) {
        if (t < 32u) {
            uvec2 part = uvec2(0u, WN_NONE);
            for (uint k = t; k < TEAMS; k += 32u) part = better(part, uvec2(wide_u[k], wide_v[k]));
            narrow_u[t] = part.x;
            narrow_v[t] = part.y;
        }
        barrier();
        for (uint k = 0u; k < 32u; ++k) best = better(best, uvec2(narrow_u[k], narrow_v[k]));
    } else {
        for (uint k = 0u; k < TEAMS; ++k) best = better(best, uvec2(wide_u[k], wide_v[k]));
        barrier();
    }
    return best;
}

// The sum of the values of all invocations before this one, by thread(); total: of all of them.
uint group_scan(uint value, out uint total)
{
    uint t = thread(), before = 0u, sum = value;
#ifdef WN_SUBGROUP
    for (uint mask = 1u; mask < TEAM; mask <<= 1) {
        uint other = subgroupShuffleXor(sum, mask);
        if ((t & mask) != 0u) before += other;
        sum += other;
    }
#endif
    uint team = t / TEAM;
    if ((t & (TEAM - 1u)) == 0u) wide_u[team] = sum;
    barrier();
    total = 0u;
    if (TEAMS > 32u) {
        uint block = TEAMS / 32u;
        if (t < 32u) {    // wide: from here on the sum before each team inside its block
            uint part = 0u;
            for (uint k = t * block; k < (t + 1u) * block; ++k) {
                uint own = wide_u[k];
                wide_u[k] = part;
                part += own;
            }
            narrow_u[t] = part;
        }
        barrier();
        before += wide_u[team];
        for (uint k = 0u; k < 32u; ++k) {
            uint part = narrow_u[k];
            if (k < team / block) before += part;
            total += part;
        }
    } else {
        for (uint k = 0u; k < TEAMS; ++k) {
            uint part = wide_u[k];
            if (k < team) before += part;
            total += part;
        }
    }
    barrier();
    return before;
}
#endif
