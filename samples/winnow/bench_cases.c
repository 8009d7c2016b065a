#include "bench_cases.h"

#include <stdio.h>
#include <string.h>

#include "bench_weights.h"

/* Sizes beside the tokens: keys of one head, CLIP's heads, a 7B model's heads, text in the tokens' space. */
#define SHAPE(t, side, d)                                                                 \
    {                                                                                     \
        .frames = t, .tokens = (side) * (side), .dim = d, .grid_h = side, .grid_w = side, \
        .key_dim = 64, .heads = 16, .llm_heads = 28, .text_rows = 8, .text_dim = d,       \
        .frame_dim = 1152                                                                 \
    }

static const bench_shape full[] = {
    {SHAPE(1, 24, 1024), false},  /* CLIP-L/14 at 336 pixels */
    {SHAPE(1, 48, 1152), false},  /* SigLIP at 672 pixels */
    {SHAPE(32, 14, 3584), true},  /* frames of LLaVA-OneVision 7B, pooled, before the model */
    {SHAPE(128, 14, 3584), true}, /* a long video of them */
};
static const bench_shape quick[] = {{SHAPE(1, 12, 64), false}, {SHAPE(4, 10, 64), true}};

const bench_shape *bench_shapes(bool is_quick, size_t *count)
{
    *count = is_quick ? sizeof quick / sizeof quick[0] : sizeof full / sizeof full[0];
    return is_quick ? quick : full;
}

/* Each at a reduction that its paper reports, small enough for the quick shapes too. */
static const struct {
    const char *stage, *options;
} specs[] = {
    {"pixel-shuffle", "factor=2"},
    {"avg-pool", "factor=2"},
    {"adaptive-pool", "size=6"},
    {"bilinear-pool", "factor=2"},
    {"focus", "similarity=0.9"},
    {"fastervlm", "keep=25%"},
    {"fastv", "rate=0.5"},
    {"pyramiddrop", "step=1"},
    {"clse", "keep=25%"},
    {"sparsevlm", "keep=25%"},
    {"explain", "keep=25%:weights=@random"},
    {"ficoco-l", "keep=25%"},
    {"visionzip", "dominant=54:contextual=10"},
    {"prumerge", "ratio=0.125"},
    {"prumerge-plus", "ratio=0.125"},
    {"vispruner", "keep=25%"},
    {"hired", "keep=20%"},
    {"mustdrop", "window=2:threshold=0.8"},
    {"mustdrop-llm", "global=0.001"},
    {"focus-llm", "keep=25%"},
    {"hiprune", "keep=64"},
    {"holov", "keep=64"},
    {"vscan", "keep=64"},
    {"correlation", "similarity=0.8"},
    {"prunesid", "keep=64"},
    {"scope", "keep=64"},
    {"tops", "keep=64"},
    {"tops-llm", "keep=25%"},
    {"vitcop", "rows=clusters"},
    {"vitcop-llm", "keep=25%"},
    {"sieve", "keep=25%"},
    {"mmtok", "keep=64"},
    {"dart", "keep=64"},
    {"trio", "keep=25%"},
    {"divprune", "keep=25%"},
    {"cdpruner", "keep=25%"},
    {"fsr", "keep=25%"},
    {"tome", "r=32"},
    {"flash", "weights=@random"},
    {"hicom", "weights=@random"},
    {"evs", "rate=0.75"},
    {"motion", "rate=0.75"},
    {"dycoke", "rate=0.7"},
    {"dycoke-kv", "rate=0.7"},
    {"fastvid", "keep=10%"},
    {"flashvid", "keep=25%"},
    {"holitom", "keep=10%"},
    {"streamingtom", "keep=25%"},
    {"prunevid", "still=0.8"},
    {"prunevid-llm", "keep=40%"},
    {"sttm", "threshold=0.85:temporal=0.55"},
    {"vidcom2", "keep=25%"},
    {"union", "keep=25%:of=fastervlm+divprune"},
    {"cascade", "keep=25%:of=fastervlm+divprune"},
    {"v-cast", "keep=25%"},
    {"dytok", "keep=25%"},
    {"dtd", "rate=0.75"},
    {"longvu", "threshold=0.7"},
    {"framefusion", "cost=0.3"},
    {"budget", "keep=25%"},
    {"flatten", ""},
};

/* For stages without a row, and rows whose options a library does not know. */
static const char *const usual[] = {"", "keep=64", "keep=25%", "rate=0.75"};

static bool parses(const engine *e, const char *spec)
{
    winnow_pipeline *pipeline = NULL;
    bool good = bench_pipeline(e->api, NULL, spec, 8, &pipeline) == WINNOW_OK;
    e->api->pipeline_destroy(pipeline);
    return good;
}

bool bench_spec(engine *e, const char *stage, char *text, size_t size)
{
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        if (strcmp(specs[i].stage, stage) == 0) {
            snprintf(text, size, "%s=%s", stage, specs[i].options);
            if (parses(e, text)) {
                return true;
            }
        }
    }
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        snprintf(text, size, "%s%s%s", stage, *usual[i] ? "=" : "", usual[i]);
        if (parses(e, text)) {
            return true;
        }
    }
    return false;
}
