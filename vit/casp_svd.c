/* casp_svd.c: Cholesky factors and singular vectors in double.
 *
 * One-sided Jacobi: every pair of rows is turned in its plane until it is at right angles; sweeps
 * over all pairs converge quadratically, to the last bits of small singular values too. Rows go in
 * blocks, so that a block of pairs stays in cache. Cost: 4 n^2 m multiply-adds a sweep at most, 6
 * to 10 sweeps. */
#include "casp.h"

#include <math.h>

enum { BLOCK = 16, SWEEPS_MOST = 40 };
#define RIGHT_ANGLE 1e-12

double *wn_packed_row(double *packed, uint32_t i)
{
    return packed + (size_t)i * (i + 1u) / 2;
}

double wn_dot(const double *restrict a, const double *restrict b, uint32_t n)
{
    double sum[4] = {0};
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (uint32_t k = 0; k < 4; ++k)
            sum[k] += a[i + k] * b[i + k];
    for (; i < n; ++i)
        sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

bool wn_cholesky(double *packed, uint32_t n)
{
    double most = 0;
    for (uint32_t i = 0; i < n; ++i)
        most = fmax(most, wn_packed_row(packed, i)[i]);
    for (uint32_t i = 0; i < n; ++i) {
        double *row = wn_packed_row(packed, i);
        for (uint32_t j = 0; j < i; ++j) {
            const double *above = wn_packed_row(packed, j);
            row[j] = (row[j] - wn_dot(row, above, j)) / above[j];
        }
        const double pivot = row[i] - wn_dot(row, row, i);
        if (!(pivot > n * 2.3e-16 * most)) /* rounding alone leaves so much */
            return false;
        row[i] = sqrt(pivot);
    }
    return true;
}

static void turn(double *restrict a, double *restrict b, uint32_t n, double c, double s)
{
    for (uint32_t i = 0; i < n; ++i) {
        const double x = a[i], y = b[i];
        a[i] = c * x + s * y;
        b[i] = c * y - s * x;
    }
}

/* The longer one comes first afterwards. True: they were not at right angles. */
static bool turn_pair(double *a, double *b, uint32_t m, double *aa, double *bb)
{
    const double ab = wn_dot(a, b, m), limit = RIGHT_ANGLE * sqrt(*aa * *bb);
    const bool skew = fabs(ab) > limit && limit > 0;
    if (!skew && *aa >= *bb)
        return false;
    double t = 0;
    if (skew) {
        const double z = (*aa - *bb) / (2 * ab);
        t = (z >= 0 ? 1.0 : -1.0) / (fabs(z) + sqrt(1 + z * z));
    }
    double c = 1 / sqrt(1 + t * t), s = c * t;
    const double longer = *aa + t * ab, shorter = *bb - t * ab;
    *aa = longer;
    *bb = shorter > 0 ? shorter : 0;
    if (longer < shorter) { /* a quarter more */
        const double was = c;
        c = -s;
        s = was;
        *aa = shorter;
        *bb = longer > 0 ? longer : 0;
    }
    turn(a, b, m, c, s);
    return skew;
}

static bool turn_blocks(double *rows, uint32_t n, uint32_t m, double *squares, uint32_t p0,
                        uint32_t q0)
{
    const uint32_t p_end = p0 + BLOCK < n ? p0 + BLOCK : n, q_end = q0 + BLOCK < n ? q0 + BLOCK : n;
    bool any = false;
    for (uint32_t p = p0; p < p_end; ++p)
        for (uint32_t q = q0 > p ? q0 : p + 1; q < q_end; ++q)
            any |=
                turn_pair(rows + (size_t)p * m, rows + (size_t)q * m, m, &squares[p], &squares[q]);
    return any;
}

void wn_turn_rows(double *rows, uint32_t n, uint32_t m, double *squares)
{
    bool any = true;
    for (uint32_t sweep = 0; any && sweep < SWEEPS_MOST; ++sweep) {
        any = false;
        for (uint32_t i = 0; i < n; ++i)
            squares[i] = wn_dot(rows + (size_t)i * m, rows + (size_t)i * m, m);
        for (uint32_t p = 0; p < n; p += BLOCK)
            for (uint32_t q = p; q < n; q += BLOCK)
                any |= turn_blocks(rows, n, m, squares, p, q);
    }
    for (uint32_t i = 0; i < n; ++i)
        squares[i] = wn_dot(rows + (size_t)i * m, rows + (size_t)i * m, m);
}
