/* registry.c: the table of stages and its public description. */
#include "stage.h"

#define STAGE(id, file) extern const wn_stage wn_stage_##id;
#include "stages.def"
#undef STAGE

#define STAGE(id, file) &wn_stage_##id,
const wn_stage *const wn_stages[] = {
#include "stages.def"
};
#undef STAGE

const uint32_t wn_stage_count = sizeof wn_stages / sizeof *wn_stages;

static const char *const role_names[WINNOW_ROLE_COUNT] = {
    "tokens",
    "sizes",
    "keys",
    "queries",
    "cls",
    "cls_attention",
    "text",
    "image_embeds",
    "llm_attention",
    "frame_embeds",
    "received_attention_shallow",
    "received_attention_deep",
    "cls_attention_shallow",
    "text_attention",
    "text_keys",
    "attention",
    "attention_to_text",
    "groups",
    "saliency",
};

const char *wn_role_name(uint32_t role)
{
    return role < WINNOW_ROLE_COUNT ? role_names[role] : "unknown";
}

winnow_status wn_stage_describe(uint32_t index, winnow_stage_info *out)
{
    if (index >= wn_stage_count)
        return WINNOW_E_ARGUMENT;
    const wn_stage *stage = wn_stages[index];
    const winnow_stage_info info = {
        .option_count = stage->option_count,
        .name = stage->name,
        .family = stage->family,
        .summary = stage->summary,
        .help = stage->help,
        .source = stage->source,
        .options = stage->options,
        .roles_needed = stage->roles_needed,
        .roles_optional = stage->roles_optional,
        .needs_grid = stage->needs_grid,
        .paper = stage->paper,
        .agrees = stage->agrees,
        .gives = stage->gives,
        .cost = stage->cost,
    };
    return wn_desc_write(&info, sizeof info, out);
}

uint32_t wn_use_needs(const wn_stage_use *use)
{
    uint32_t roles = use->stage->roles_needed;
    for (uint32_t i = 0; i < use->stage->option_count; ++i)
        for (uint32_t k = 0; k < use->values[i].stage_count; ++k)
            roles |= wn_stages[use->values[i].stages[k]]->roles_needed;
    return use->stage->spares ? roles & ~use->stage->spares(use->values) : roles;
}

uint32_t wn_use_takes(const wn_stage_use *use)
{
    uint32_t roles = wn_use_needs(use) | use->stage->roles_optional;
    for (uint32_t i = 0; i < use->stage->option_count; ++i)
        for (uint32_t k = 0; k < use->values[i].stage_count; ++k)
            roles |= wn_stages[use->values[i].stages[k]]->roles_optional;
    return roles;
}

uint32_t wn_keep_count(const wn_value *keep, uint32_t n, double (*round)(double))
{
    const double want = keep->percent ? round(n * keep->share) : keep->number;
    if (want >= n)
        return n;
    return want < 1.0 ? 1u : (uint32_t)want;
}

/* Layer n counted from behind where n is negative. */
static int32_t from_behind(int32_t n, uint32_t layers)
{
    return n < 0 ? n + (int32_t)layers : n;
}

bool wn_stage_is_inside(const wn_stage_use *use)
{
    return use->inside.has_layers || use->stage->only_inside;
}

bool wn_stage_runs_inside(const wn_stage_use *use, uint32_t layer, uint32_t layers)
{
    const int32_t l = (int32_t)layer;
    if (use->stage->only_inside)
        return use->values[0].given && (double)l + 1 == use->values[0].number;
    return use->inside.has_layers && l >= from_behind(use->inside.first, layers) &&
           l <= from_behind(use->inside.last, layers);
}
