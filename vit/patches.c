/* patches.c: extension "winnow.encoder/1", model "patches": a weight-free encoder.
 *
 * Each patch of p x p pixels becomes its lowest-frequency DCT-II coefficients in zigzag order
 * (orthonormal basis divided by p, so that a coefficient does not grow with the patch): `luma` of Y
 * in -1..1, `chroma` each of Cb and Cr (BT.601 full range). Cosine between such tokens says how
 * alike two patches look; it is no replacement of a trained encoder.
 * One operation, patch_dct. Cost: p*p*dim multiply-adds a patch; reads each pixel once, writes each
 * token once. */
#include <math.h>
#include <string.h>

#include "encoder.h"

#define PI 3.14159265358979323846

typedef struct patches {
    winnow_encoder base; /* first: the encoder is a patches */
    uint32_t patch, luma, chroma;
    uint32_t max_frames, max_width, max_height;
} patches;

static const winnow_option_info options[] = {
    {"patch", "count", "16", "4..64", "pixels a side of a patch"},
    {"luma", "count", "24", "1..4096", "coefficients of brightness"},
    {"chroma", "count", "4", "0..4096", "coefficients of each colour difference"},
};

/* cos basis: b[u*p + x] = c(u) cos((2x+1) u pi / 2p) / sqrt(p); the product of two is the
 * orthonormal one over p. */
static void fill_basis(float *basis, uint32_t p)
{
    for (uint32_t u = 0; u < p; ++u)
        for (uint32_t x = 0; x < p; ++x)
            basis[u * p + x] = (float)((u ? sqrt(2.0 / p) : sqrt(1.0 / p)) *
                                       cos((2.0 * x + 1.0) * u * PI / (2.0 * p)) / sqrt((double)p));
}

/* JPEG's zigzag for any size: diagonals, every other one upwards. */
static void fill_zigzag(uint32_t *zigzag, uint32_t p)
{
    uint32_t k = 0;
    for (uint32_t d = 0; d < 2 * p - 1; ++d) {
        const uint32_t low = d < p ? 0 : d - p + 1, high = d < p ? d : p - 1;
        for (uint32_t i = low; i <= high; ++i) {
            const uint32_t u = d % 2 ? i : d - i;
            zigzag[k++] = u * p + (d - u);
        }
    }
}

static winnow_status build_encode(patches *e, uint32_t frames, uint32_t width, uint32_t height)
{
    wn_build *b = &e->base.build;
    const uint32_t p = e->patch, dim = e->luma + 2 * e->chroma;
    const uint64_t tokens = (uint64_t)frames * (height / p) * (width / p),
                   bytes = (uint64_t)frames * width * height * 3;
    do {
        build_start(b);
        b->stage = "patches";
        b->set.seg = build_array(b, 1); /* no rows to count: any word will do */
        b->set.segs = 0;
        const wn_arr basis = build_const(b, NULL, p * p), zigzag = build_const(b, NULL, p * p);
        float *values = (float *)(void *)build_const_data(b, basis);
        if (values) {
            fill_basis(values, p);
            fill_zigzag(build_const_data(b, zigzag), p);
        }
        const wn_mat pixels = {.ref = {.slot = WN_SLOT_IN + WINNOW_ROLE_TOKENS,
                                       .dtype = WINNOW_I32,
                                       .bytes = (bytes + 3) & ~3ull},
                               .cols = (uint32_t)((bytes + 3) / 4)};
        const wn_mat out = {.ref = {.slot = WN_SLOT_OUT + WINNOW_OUT_TOKENS,
                                    .dtype = WINNOW_F32,
                                    .bytes = tokens * dim * 4},
                            .stride = dim,
                            .cols = dim};
        const struct wn_args_patch_dct args = {.frames = frames,
                                               .height = height,
                                               .width = width,
                                               .patch = p,
                                               .luma = e->luma,
                                               .chroma = e->chroma,
                                               .basis_at = basis.at,
                                               .zigzag_at = zigzag.at};
        BUILD_OP(b, patch_dct, tokens * dim, &pixels, &out, args, READS_W);
    } while (build_again(b));
    return b->status;
}

/* "patches" or "patches=patch=14:luma=10": the options are read by the stages' own parser. */
static winnow_status read_model(patches *e, const char *model)
{
    wn_value values[WN_MAX_OPTIONS] = {0};
    WN_TRY(wn_options_parse(&e->base.host, "patches", options, sizeof options / sizeof *options,
                            model, values));
    e->patch = (uint32_t)values[0].number;
    e->luma = (uint32_t)values[1].number;
    e->chroma = (uint32_t)values[2].number;
    const uint32_t most = e->patch * e->patch;
    if (e->luma > most || e->chroma > most)
        return wn_fail(
            &e->base.host, WINNOW_E_ARGUMENT,
            "encoder: a patch of %u has %u coefficients, fewer than luma=%u or chroma=%u", e->patch,
            most, e->luma, e->chroma);
    return WINNOW_OK;
}

static winnow_status check_size(const patches *e, uint32_t frames, uint32_t width, uint32_t height)
{
    if (!frames || !width || !height || width % e->patch || height % e->patch)
        return wn_fail(&e->base.host, WINNOW_E_SHAPE,
                       "encoder: %u frames of %u x %u pixels (whole patches of %u, at least one)",
                       frames, width, height, e->patch);
    if ((uint64_t)frames * width * height * 3 > INT32_MAX)
        return wn_fail(&e->base.host, WINNOW_E_SHAPE,
                       "encoder: %u frames of %u x %u pixels pass 2 GiB (encode fewer at a time)",
                       frames, width, height);
    return WINNOW_OK;
}

static winnow_status open_encoder(patches *e, const char *model)
{
    WN_TRY(read_model(e, model));
    WN_TRY(check_size(e, e->max_frames, e->max_width, e->max_height));
    WN_TRY(build_encode(e, e->max_frames, e->max_width, e->max_height));
    const wn_program program = build_program(&e->base.build);
    wn_exec_desc desc = {.flags = WINNOW_PLAN_HOST_MEMORY,
                         .program = &program,
                         .a_types = 1u << WINNOW_I32,
                         .b_types = 1u << WINNOW_F32};
    desc.in_bytes[WINNOW_ROLE_TOKENS] = program.ops[0].a.bytes;
    desc.out_bytes[WINNOW_OUT_TOKENS] = program.ops[0].b.bytes;
    return e->base.device->backend->exec_create(e->base.device, &desc, &e->base.exec);
}

static winnow_status info(const winnow_encoder *encoder, winnow_encoder_info *out)
{
    const patches *e = (const patches *)encoder;
    const winnow_encoder_info info = {
        .patch = e->patch, .dim = e->luma + 2 * e->chroma, .roles = 1u << WINNOW_ROLE_TOKENS};
    return wn_desc_write(&info, sizeof info, out);
}

static winnow_status run(winnow_encoder *encoder, const uint8_t *rgb, uint32_t frames,
                         uint32_t width, uint32_t height, float *tokens)
{
    patches *e = (patches *)encoder;
    WN_TRY(check_size(e, frames, width, height));
    if (frames > e->max_frames || width > e->max_width || height > e->max_height)
        return wn_fail(&e->base.host, WINNOW_E_SHAPE,
                       "encoder: %u frames of %u x %u, made for %u of %u x %u (make it larger)",
                       frames, width, height, e->max_frames, e->max_width, e->max_height);
    WN_TRY(build_encode(e, frames, width, height));
    const wn_program program = build_program(&e->base.build);
    const uint64_t bytes = (uint64_t)frames * width * height * 3, out = program.ops[0].b.bytes;
    wn_host_io io = {0};
    union {
        const uint8_t *in;
        void *data; /* inputs are only read; wn_host_rows serves both ways */
    } pixels = {.in = rgb};
    io.in[WINNOW_ROLE_TOKENS] = (wn_host_rows){pixels.data, 1, bytes, bytes};
    io.out[WINNOW_OUT_TOKENS] = (wn_host_rows){tokens, 1, out, out};
    wn_exec_stats stats = {0};
    return e->base.device->backend->exec_run(e->base.exec, &program, &io, &stats);
}

static winnow_status encode(winnow_encoder *encoder, const winnow_encode *given,
                            winnow_result *result)
{
    (void)given;
    (void)result;
    return wn_fail(&encoder->host, WINNOW_E_UNSUPPORTED,
                   "encode: patches have no layers (use encoder_run, and a plan for the pipeline)");
}

winnow_status wn_patches_create(winnow_device *device, const char *model, uint32_t max_frames,
                                uint32_t max_width, uint32_t max_height, winnow_encoder **out)
{
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    if (!device || !model)
        return WINNOW_E_ARGUMENT;
    patches *e = wn_alloc(&device->host, sizeof *e);
    if (!e)
        return wn_fail(&device->host, WINNOW_E_HOST_MEMORY,
                       "encoder: no host memory for the object");
    wn_encoder_init(&e->base, device);
    e->base.info = info;
    e->base.run = run;
    e->base.encode = encode;
    e->max_frames = max_frames;
    e->max_width = max_width;
    e->max_height = max_height;
    const winnow_status status = open_encoder(e, model);
    if (status != WINNOW_OK) {
        wn_encoder_free(&e->base);
        return status;
    }
    e->base.build.may_grow = false;
    *out = &e->base;
    return WINNOW_OK;
}
