/* casp.h: low-rank factors of a model's q and k (CASP, arXiv:2503.05936).
 *
 * The paper bounds what a compression of Wq and Wk costs by the density of the attention: rows of
 * attention that look at few tokens bear coarse logits. It ties no rank to that density: rho is one
 * number for all layers (the official script keeps a quarter), the rank int(m*n*rho/(m+n)). Its
 * second half, bits by layer, is not done here.
 */
#ifndef WN_VIT_CASP_H
#define WN_VIT_CASP_H

#include "encoder.h"

typedef struct wn_casp_errors {
    double mean, worst; /* over the layers, of |X W^T - X (U'V')^T| / |X W^T|, Frobenius */
} wn_casp_errors;

typedef struct wn_casp {
    float *numbers;         /* of all factors */
    wn_tensor *tensors;     /* as if a file had them */
    uint32_t rank;          /* 0: off */
    uint64_t before, after; /* numbers of q's and k's matrices, all layers */
    uint64_t ns;
    wn_casp_errors q, k;
} wn_casp;

/* Puts factors in place of q and k in every layer of `vit` that is run, as desc->casp says; nothing
 * where that is 0. The model's own encoder runs the calibration pictures before. E_UNSUPPORTED for
 * quantised weights. */
winnow_status wn_casp_make(winnow_device *device, const winnow_model *model,
                           const winnow_encoder_desc *desc, wn_vit *vit, wn_casp *casp);
/* Frees the factors, which are on the device by then; the figures stay. */
void wn_casp_free(const wn_host *host, wn_casp *casp);

/* casp_svd.c. Matrices are rows of doubles. A packed triangle has row i at i*(i+1)/2. */
double wn_dot(const double *a, const double *b, uint32_t n);
double *wn_packed_row(double *packed, uint32_t i);
/* L of L L^T in place; false: it is not positive definite (what is there then is no good). */
bool wn_cholesky(double *packed, uint32_t n);
/* Turns the n rows of length m until they are at right angles, the longest first: rows of (singular
 * value) * (vector). */
void wn_turn_rows(double *rows, uint32_t n, uint32_t m, double *squares);

#endif
