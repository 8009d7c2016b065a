// coop_matmul.glsl: matmul on matrices that a subgroup holds together (GL_KHR_cooperative_matrix): A and C f16, sums
// f32. Included by matmul.comp, which has finish().
//
// A workgroup is four subgroups and makes 64 rows by 64 columns; each subgroup 32 by 32 of them, as sums of M x N. A and
// C pass through shared memory, DEPTH of k at a time, with zeros where there is nothing: so any rows, columns, inner,
// bases and strides will do, and rows that are not there (NaN perhaps) touch nothing. Products are exact in f32; they
// are added in the device's own order, so the sums agree with the plain variant's to rounding, not to the bit.
// Cost: per DEPTH of k 64 * DEPTH elements of each of A and C for 64 * 64 * DEPTH multiply-adds.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_control_flow_attributes : require

// The device's shape (plugin/gpu/coop.h): M and N divide PART, K divides DEPTH, all are even.
layout(constant_id = 7) const uint M = 16u;
layout(constant_id = 8) const uint N = 16u;
layout(constant_id = 9) const uint K = 16u;

const uint TILE = WN_COOP_TILE, PART = TILE / 2u, DEPTH = WN_COOP_DEPTH;
const uint DOWN = PART / M, ACROSS = PART / N;
// The gaps keep rows on 16 bytes, as loads want them, and neighbours off the same banks.
const uint A_PITCH = WN_COOP_A_PITCH, C_PITCH = WN_COOP_C_PITCH;
shared f16vec2 a_tile[TILE * A_PITCH];
shared f16vec2 c_tile[DEPTH * C_PITCH];
shared float sums[4u * M * N]; // a matrix of each subgroup

// A word of two halves of which `left` are there.
f16vec2 halves(uint word, uint left) { return unpackFloat2x16(left > 1u ? word : word & 0xffffu); }

// A(r.., k..) and C(k.., j..), of which n rows and pc.cols columns are there.
void load_tiles(uint r, uint j, uint k, uint n)
{
    for (uint i = gl_LocalInvocationIndex; i < TILE * (DEPTH / 2u); i += LOCAL) {
        uint row = i / (DEPTH / 2u), at = k + i % (DEPTH / 2u) * 2u;
        f16vec2 pair = f16vec2(0.0);
        if (r + row < n && at < pc.inner) pair = halves(a_word((a_row(r + row) + at) >> 1), pc.inner - at);
        a_tile[row * A_PITCH + i % (DEPTH / 2u)] = pair;
    }
    for (uint i = gl_LocalInvocationIndex; i < DEPTH * (TILE / 2u); i += LOCAL) {
        uint row = i / (TILE / 2u), at = j + i % (TILE / 2u) * 2u;
        f16vec2 pair = f16vec2(0.0);
        if (k + row < pc.inner && at < pc.cols) pair = halves(c0[(c_row(k + row) + at) >> 1], pc.cols - at);
        c_tile[row * C_PITCH + i % (TILE / 2u)] = pair;
    }
}

// The subgroup's matrix in `sums`, whose first element is B(r, j).
void write_out(uint r, uint j, uint n)
{
    for (uint i = gl_SubgroupInvocationID; i < M * N / 2u; i += gl_SubgroupSize) {
        uint row = r + i / (N / 2u), col = j + i % (N / 2u) * 2u, at = gl_SubgroupID * M * N + 2u * i;
        if (row >= n || col >= pc.cols) continue;
        bool second = col + 1u < pc.cols;
        float v0 = finish(sums[at], row, col), v1 = second ? finish(sums[at + 1u], row, col + 1u) : 0.0;
        store_b2(row, col, v0, v1, second);
    }
}

void main()
{
    uint across = (pc.cols + TILE - 1u) / TILE, n = set_count(pc.n_max, pc.segs, pc.seg_at);
    uint r = group_index() / across * TILE, j = group_index() % across * TILE;
    if (r >= n) return; // the whole workgroup
    uint down = gl_SubgroupID / 2u * PART, right = gl_SubgroupID % 2u * PART;

    coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum[DOWN * ACROSS];
    [[unroll]] for (uint t = 0u; t < DOWN * ACROSS; ++t)
        sum[t] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0.0);
    for (uint k = 0u; k < pc.inner; k += DEPTH) {
        load_tiles(r, j, k, n);
        barrier();
        [[unroll]] for (uint s = 0u; s < DEPTH; s += K) {
            coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> c[ACROSS];
            [[unroll]] for (uint x = 0u; x < ACROSS; ++x)
                coopMatLoad(c[x], c_tile, s * C_PITCH + (right + x * N) / 2u, C_PITCH,
                            gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint y = 0u; y < DOWN; ++y) {
                coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a;
                coopMatLoad(a, a_tile, (down + y * M) * A_PITCH + s / 2u, A_PITCH, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint x = 0u; x < ACROSS; ++x)
                    sum[y * ACROSS + x] = coopMatMulAdd(a, c[x], sum[y * ACROSS + x]);
            }
        }
        barrier();
    }
    [[unroll]] for (uint t = 0u; t < DOWN * ACROSS; ++t) {
        coopMatStore(sum[t], sums, gl_SubgroupID * M * N, N, gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        write_out(r + down + t / ACROSS * M, j + right + t % ACROSS * N, n);
        barrier();
    }
}
