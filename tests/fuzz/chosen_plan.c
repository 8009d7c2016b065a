#include "chosen_plan.h"

#include <stdio.h>
#include <string.h>

#include "plan.h"

const char *const chosen_stages[] = {
    "pixel-shuffle=factor=%u",
    "pixel-shuffle=factor=%u:pad=zero",
    "pixel-shuffle=factor=%u:pad=edge:layout=column",
    "pixel-shuffle=factor=%u:layout=channel",
    "pixel-shuffle=factor=%u:layout=blocks",
    "avg-pool=factor=%u",
    "avg-pool=stride=%u",
    "adaptive-pool=size=%u",
    "bilinear-pool=factor=%u",
    "fastervlm=keep=%u",
    "fastervlm=keep=%u0%%",
    "fastv=rate=0.%u",
    "sparsevlm=keep=%u",
    "sparsevlm=keep=%u0%%:recycle=off",
    "ficoco-l=r=%u:quantile=0.9",
    "ficoco-l=keep=%u0%%:mode=official",
    "pyramiddrop=ratio=0.%u",
    "pyramiddrop=step=2:of=%u",
    "visionzip=dominant=%u:contextual=3",
    "visionzip=dominant=2:contextual=%u",
    "prumerge",
    "prumerge=ratio=0.%u",
    "prumerge-plus",
    "prumerge-plus=ratio=0.%u",
    "vispruner=keep=%u:important=0.5",
    "vispruner=keep=%u0%%:important=0",
    "mustdrop=window=2:threshold=-0.%u",
    "mustdrop=window=2:keep=%u0%%",
    "mustdrop-llm=global=0.0%u:individual=0.5",
    "mustdrop-llm=keys=%u0%%:global=1:individual=1",
    "focus-llm=keep=%u",
    "focus-llm=keep=%u0%%",
    "focus=similarity=0.%u",
    "focus=window=8:pool=mean:similarity=-0.%u",
    "tome=r=%u",
    "tome=keep=%u",
    "tome=keep=%u0%%:metric=tokens",
    "divprune=keep=%u",
    "divprune=keep=%u0%%",
    "divprune=keep=%u:share=need:least=2",
    "divprune=keep=%u:centre=on",
    "cdpruner=keep=%u0%%:centre=on",
    "divprune=auto:fidelity=0.%u:most=5",
    "budget=%u",
    "budget=auto:fidelity=0.%u",
    "cdpruner=keep=%u",
    "cdpruner=keep=%u:weight=0.5",
    "cdpruner=keep=%u:weight=0.9:split=6",
    "hired=keep=%u0%%",
    "hired=keep=%u:tiles=grid:alpha=0.3",
    "hired=keep=%u0%%:tiles=official",
    "hiprune=keep=%u:alpha=1",
    "hiprune=keep=%u0%%:mode=official",
    "holov=keep=%u0%%:chunks=3",
    "holov=keep=%u:mode=official",
    "vscan=keep=%u0%%:window=2",
    "vscan=keep=%u:local=0.9:window=3",
    "correlation=many=%u",
    "correlation=similarity=0.%u:global=off:merge=none",
    "prunesid=keep=%u",
    "prunesid=keep=%u0%%",
    "scope=keep=%u",
    "scope=keep=%u0%%:alpha=0.5",
    "tops=keep=%u:coverage=0",
    "tops=keep=%u0%%:norm=range",
    "tops-llm=keep=%u",
    "sieve=keep=%u:heads=1",
    "sieve=keep=%u0%%:energy=1:heads=60%%",
    "tops-llm=keep=%u0%%:norm=range:raters=last",
    "vitcop=keep=%u",
    "vitcop=keep=%u0%%:rows=clusters:clusters=0.5:radius=0.3",
    "vitcop=rows=clusters:clusters=0.%u:radius=0.2:mode=official",
    "vitcop-llm=keep=%u0%%",
    "vitcop-llm=keep=%u:mode=official",
    "clse=keep=%u",
    "clse=keep=%u0%%:score=change:cutoff=0.3",
    "fsr=keep=%u",
    "fsr=keep=%u0%%:mass=0.3:gather=2",
    "mmtok=keep=%u",
    "dart=keep=%u:pivots=2:text_pivots=2",
    "dart=keep=%u0%%:mode=official",
    "trio=keep=%u",
    "trio=keep=%u0%%:similarity=0.3",
    "evs=rate=0.%u",
    "dytok=keep=%u0%%",
    "dytok=keep=%u:limit=3",
    "evs=rate=0.%u:compat=bf16",
    "motion=rate=0.%u",
    "motion=rate=0.%u:radius=2:mode=merge",
    "motion=rate=0.5:model=affine:gain=0.%u",
    "vidcom2=keep=%u0%%",
    "vidcom2=keep=%u:total=exact",
    "vidcom2=rate=0.%u:total=exact",
    "dtd=rate=0.%u",
    "dtd=threshold=0.%u",
    "v-cast=keep=%u0%%",
    "v-cast=keep=%u:min=0:temperature=0.02",
    "longvu=threshold=0.%u:window=2",
    "longvu=window=3:keep=%u0%%",
    "framefusion=cost=0.%u:threshold=0.1",
    "framefusion=cost=0.%u:prune=attention",
    "dycoke=rate=0.%u",
    "union=keep=%u:of=fastervlm+divprune+evs",
    "cascade=keep=%u:of=evs*3+vispruner+cdpruner",
    "cascade=keep=%u0%%:of=fastv+fastervlm*2",
    "dycoke=rate=0.%u:mode=merge",
    "fastvid=keep=%u",
    "fastvid=keep=%u0%%:period=2:segments=2",
    "fastvid=keep=60%%:period=%u:threshold=-1",
    "flashvid=keep=%u",
    "flashvid=keep=%u0%%:mode=official:segments=2",
    "flashvid=keep=40%%:alpha=0.%u:selection=attn_div:segment=-1",
    "holitom=keep=%u",
    "holitom=keep=%u0%%:still=0:contextual=0.5:merge=mean",
    "prunevid=still=0.%u",
    "streamingtom=keep=%u:threshold=-1",
    "streamingtom=keep=%u0%%:threshold=0.1:k=2",
    "prunevid-llm=keep=%u",
    "prunevid-llm=keep=%u0%%",
    "prunevid=still=-1:segments=0.%u:clusters=0.3",
    "sttm=threshold=0.%u:temporal=0.2",
    "sttm=threshold=0.1:temporal=0:root=%u",
    "sttm=threshold=-0.%u:temporal=0.01:root=0:weighted=on:mode=official",
    "flatten",
};

const size_t chosen_stage_count = sizeof chosen_stages / sizeof *chosen_stages;

uint32_t chosen_next(chosen_by *by, uint32_t below)
{
    const uint32_t byte = by->at < by->size ? by->data[by->at] : 0;
    ++by->at;
    return byte % below;
}

void chosen_spec(chosen_by *by, char *spec, size_t size)
{
    const uint32_t count = 1 + chosen_next(by, 3);
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < size; ++i) {
        const char *form = chosen_stages[chosen_next(by, (uint32_t)chosen_stage_count)];
        const uint32_t number = 1 + chosen_next(by, 9);
        const char *mark = strstr(form, "%u");
        used += (size_t)snprintf(spec + used, size - used, "%s", i ? "," : "");
        for (const char *c = form; *c && used + 2 < size; ++c) {
            if (c == mark) {
                spec[used++] = (char)('0' + number);
                ++c;
            } else if (*c != '%' || c[1] != '%') {
                spec[used++] = *c;
            }
        }
        spec[used] = '\0';
    }
}

winnow_shape chosen_shape(chosen_by *by)
{
    winnow_shape s = {.frames = 1 + chosen_next(by, 5),
                      .grid_h = 1 + chosen_next(by, 7),
                      .grid_w = 1 + chosen_next(by, 7),
                      .dim = 1 + chosen_next(by, 9),
                      .key_dim = 1 + chosen_next(by, 5),
                      .heads = 1 + chosen_next(by, 3),
                      .llm_heads = 1 + chosen_next(by, 3),
                      .text_rows = 1 + chosen_next(by, 3),
                      .text_dim = 1 + chosen_next(by, 5),
                      .frame_dim = 1 + chosen_next(by, 5),
                      .image_dim = chosen_next(by, 6)};
    if (chosen_next(by, 2))
        s.text_dim = s.dim; /* some stages want it so */
    s.tokens = s.grid_h * s.grid_w;
    if (chosen_next(by, 3) == 0)
        s.grid_h = s.grid_w = 0;
    return s;
}

uint64_t chosen_elements(const winnow_shape *shape, uint32_t role)
{
    uint64_t rows;
    uint32_t cols;
    wn_role_extent(shape, role, &rows, &cols);
    return rows * cols;
}
