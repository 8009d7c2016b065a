// teams.glsl: dot products of rows in the order of dot32, a row a team. Include after reduce.glsl.
//
// A team is a subgroup, or 32 invocations of a larger one; without subgroups, 32 invocations by shared memory. Of every
// 32 elements of a row a member has the PARTS = 32 / MEMBERS neighbours from PARTS * member() on, and keeps their partial
// sums: one load brings them all where A allows it, and most of dot32's tree is between registers. Sums need no barriers
// with subgroups, but call them in uniform control flow all the same.
//
// The teams share the items out among themselves, whatever their number (TEAMS in ops.def): a workgroup takes TEAMS_HERE
// of them at a time, from first_item() on in steps of items_step().
#ifndef TEAMS_GLSL
#define TEAMS_GLSL
#ifdef WN_SUBGROUP
#define MEMBERS min(SUBGROUP_SIZE, 32u)
#else
#define MEMBERS 32u
#endif
#define PARTS (32u / MEMBERS)    // 1, 2, 4 or 8
#define TEAMS_HERE (LOCAL / MEMBERS)

uint member() { return thread() & (MEMBERS - 1u); }
uint first_item() { return group_index() * TEAMS_HERE; }
uint items_step() { return gl_NumWorkGroups.x * gl_NumWorkGroups.y * TEAMS_HERE; }
uint team() { return thread() / MEMBERS; }

// Elements or partial sums 0..3 and 4..7 of a member.
struct parts {
    vec4 low, high;
};
const parts no_parts = parts(vec4(0.0), vec4(0.0));

// The member's elements of the 32 of A from `at` on, one by one; of those from n on, zero.
parts a_parts(uint at, uint n)
{
    uint first = PARTS * member();
    parts v = no_parts;
    at += first;
    if (first < n) v.low.x = a_element(at);
    if (PARTS >= 2u && first + 1u < n) v.low.y = a_element(at + 1u);
    if (PARTS >= 4u && first + 2u < n) v.low.z = a_element(at + 2u);
    if (PARTS >= 4u && first + 3u < n) v.low.w = a_element(at + 3u);
    if (PARTS >= 8u && first + 4u < n) v.high.x = a_element(at + 4u);
    if (PARTS >= 8u && first + 5u < n) v.high.y = a_element(at + 5u);
    if (PARTS >= 8u && first + 6u < n) v.high.z = a_element(at + 6u);
    if (PARTS >= 8u && first + 7u < n) v.high.w = a_element(at + 7u);
    return v;
}
parts b_parts(uint at, uint n)
{
    uint first = PARTS * member();
    parts v = no_parts;
    at += first;
    if (first < n) v.low.x = b_element(at);
    if (PARTS >= 2u && first + 1u < n) v.low.y = b_element(at + 1u);
    if (PARTS >= 4u && first + 2u < n) v.low.z = b_element(at + 2u);
    if (PARTS >= 4u && first + 3u < n) v.low.w = b_element(at + 3u);
    if (PARTS >= 8u && first + 4u < n) v.high.x = b_element(at + 4u);
    if (PARTS >= 8u && first + 5u < n) v.high.y = b_element(at + 5u);
    if (PARTS >= 8u && first + 6u < n) v.high.z = b_element(at + 6u);
    if (PARTS >= 8u && first + 7u < n) v.high.w = b_element(at + 7u);
    return v;
}

// Whether rows from `at` on, of A or of B, can be read by quads: four words at once, of 16-bit types two or four.
const bool B_WIDE = B_TYPE == TYPE_F32 || B_TYPE == TYPE_WORDS;
bool are_quads(uint at, bool wide)
{
#ifdef WN_WINDOWS
    return false;
#else
    return PARTS >= 4u && (at & (wide ? 3u : PARTS - 1u)) == 0u;
#endif
}
bool has_quads(uint x) { return are_quads(x, A_WIDE); }
vec4 halves_of(uvec2 words) { return vec4(a_halves(words.x), a_halves(words.y)); }
vec4 b_halves_of(uvec2 words)
{
    uvec4 h = uvec4(words.x & 0xffffu, words.x >> 16, words.y & 0xffffu, words.y >> 16);
    if (B_TYPE == TYPE_BF16) return uintBitsToFloat(h << 16);
    return vec4(f16_to_f32(h.x), f16_to_f32(h.y), f16_to_f32(h.z), f16_to_f32(h.w));
}

// The member's elements of the 32 of A or B from `at` on, which are quads.
parts a_quads(uint at)
{
    parts v = no_parts;
#ifndef WN_WINDOWS
    uint first = at + PARTS * member();
    if (A_WIDE) {
        v.low = uintBitsToFloat(a0_quads[first >> 2]);
        if (PARTS == 8u) v.high = uintBitsToFloat(a0_quads[(first >> 2) + 1u]);
    } else if (PARTS == 8u) {
        uvec4 words = a0_quads[first >> 3];
        v.low = halves_of(words.xy);
        v.high = halves_of(words.zw);
    } else {
        v.low = halves_of(a0_twos[first >> 2]);
    }
#endif
    return v;
}

parts b_quads(uint at)
{
    parts v = no_parts;
#ifndef WN_WINDOWS
    uint first = at + PARTS * member();
    if (B_WIDE) {
        v.low = uintBitsToFloat(b0_quads[first >> 2]);
        if (PARTS == 8u) v.high = uintBitsToFloat(b0_quads[(first >> 2) + 1u]);
    } else if (PARTS == 8u) {
        uvec4 words = b0_quads[first >> 3];
        v.low = b_halves_of(words.xy);
        v.high = b_halves_of(words.zw);
    } else {
        v.low = b_halves_of(b0_twos[first >> 2]);
    }
#endif
    return v;
}

// sum + a*b, part by part.
parts add_products(parts sum, parts a, parts b)
{
    precise vec4 low = a.low * b.low, high = a.high * b.high;
    precise vec4 new_low = sum.low + low, new_high = sum.high + high;
    return parts(new_low, new_high);
}

// The members' sums of the lowest levels of dot32's tree, and the whole of it: the same in all of a team.
float sum_of(parts p)
{
    precise float xy = p.low.x + p.low.y, zw = p.low.z + p.low.w, low = xy + zw;
    precise float ab = p.high.x + p.high.y, cd = p.high.z + p.high.w, high = ab + cd;
    precise float all = low + high;
    return PARTS == 8u ? all : PARTS == 4u ? low : PARTS == 2u ? xy : p.low.x;
}
#ifdef WN_SUBGROUP
float team_sum(parts p) { return dot_groups(sum_of(p)); }
vec4 team_sums(vec4 sums) { return dot_groups(sums); }
#else
float team_sum(parts p) { return dot32(sum_of(p)); }
vec4 team_sums(vec4 sums) { return dot32(sums); }
#endif

// x.x over a row of A, x its first element.
float square_of_row(uint x, uint cols, bool is_there)
{
    parts p = no_parts;
    uint d = is_there ? 0u : cols, whole = cols & ~31u;
    bool quads = has_quads(x);
    for (; quads && d < whole; d += 32u) {
        parts v = a_quads(x + d);
        p = add_products(p, v, v);
    }
    for (; d < cols; d += 32u) {
        parts v = a_parts(x + d, cols - d);
        p = add_products(p, v, v);
    }
    return team_sum(p);
}
#endif
