/* Random programs around sieve's operations. */
#include "case.h"

void gen_ridge_factors(ops_case *c)
{
    const uint32_t n = any_size(c, 130);
    make_matrix(c, &c->a, n, n + below(c, 3), WINNOW_F32, any_flavour(c));
    describe(c, "n %u", n);
    use_a(c, ADD(c, ridge_factors, 1, .n = n, .order_at = shuffled(c, n),
                 .factor_at = array(c, n, REALS), .energy = 0.25f * (float)below(c, 5),
                 .tiny = 0.125f));
}

void gen_ridge_inverse(ops_case *c)
{
    const uint32_t n = any_size(c, 130), stride = n + below(c, 3);
    make_matrix(c, &c->a, n, 2 * n, WINNOW_F32, any_flavour(c));
    make_pool(c, 3 + (uint64_t)(n + 1) * stride, WINNOW_F32);
    describe(c, "n %u", n);
    wn_op *op =
        ADD(c, ridge_inverse, n * n, .n = n, .factor_at = positive(c, n), .scale = value(c, PLAIN));
    use_a(c, op);
    write_pool(c, op, 3, stride);
}

void gen_flagged_sum(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t cols = any_size(c, 70), index = words_below(c, s.n, 4096);
    for (uint32_t i = 0; i < s.n; ++i)
        if (chance(c, 5))
            c->w[index + i] = 0u - 1u - below(c, 2);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    describe(c, "n %u of %u, cols %u, dtype %u", s.n, s.n_max, cols, c->a.dtype);
    use_a(c, ADD(c, flagged_sum, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
                 .index_at = index, .cols = cols, .flag_at = flags(c, cols, 40),
                 .out_at = array(c, s.n_max, REALS)));
}
