/* budget: how many tokens, instead of which method. Ours; the figures that it goes by are in docs/figures.md, "Answers against
 * tokens". It stands for a pipeline that is chosen when a plan is made, from what the media is and from the roles given:
 *   a film that has under 4 tokens a frame left   flatten,divprune: the whole film's most diverse, exactly N
 *   text and image embeddings                     cdpruner
 *   class attention and keys                      visionzip, dominant and contextual as 54 to 10
 *   else                                          divprune
 * The last three work on each frame, which gets N / frames, at least 1; so do films of more than 8192 tokens, of which all
 * pairs would be too many. The choice is told in one line (info). A budget of everything changes nothing. Cost: that of the
 * stages that it chose. */
#include "build.h"

#include <math.h>
#include <stdio.h>

enum { KEEP, PRESET };
enum { SPEC_SIZE = 96, FEW = 4, FLAT_MOST = 8192 };

/* fast, balanced and careful, of one picture and of frames. */
static const double shares[3][2] = {{0.25, 0.10}, {0.50, 0.25}, {0.75, 0.50}};

static uint32_t wanted(const wn_build *b, const wn_value *v)
{
    const wn_set *set = &b->set;
    if (v[KEEP].given)
        return wn_keep_count(&v[KEEP], set->n_max, rint);
    const wn_value share = {.percent = true, .share = shares[v[PRESET].choice][set->segs > 1]};
    return wn_keep_count(&share, set->n_max, rint);
}

static void choose_for_frames(const wn_build *b, uint32_t n, char *spec)
{
    const bool asked = build_has(b, WINNOW_ROLE_TEXT) && build_has(b, WINNOW_ROLE_IMAGE_EMBEDS);
    const bool looked = build_has(b, WINNOW_ROLE_CLS_ATTENTION) && build_has(b, WINNOW_ROLE_KEYS) &&
                        !b->set.specials;
    const uint32_t contextual = (n * 10 + 32) / 64;
    if (asked)
        snprintf(spec, SPEC_SIZE, "cdpruner=keep=%u", n);
    else if (looked && contextual)
        snprintf(spec, SPEC_SIZE, "visionzip=dominant=%u:contextual=%u", n - contextual,
                 contextual);
    else
        snprintf(spec, SPEC_SIZE, "divprune=keep=%u", n);
}

static void choose(const wn_build *b, uint32_t n, char *spec)
{
    const wn_set *set = &b->set;
    const uint32_t each = n / set->segs ? n / set->segs : 1;
    spec[0] = '\0';
    if (n >= set->n_max)
        return;
    if (set->segs > 1 && each < FEW && set->n_max <= FLAT_MOST && !b->inside)
        snprintf(spec, SPEC_SIZE, "flatten,divprune=keep=%u", n);
    else
        choose_for_frames(b, each, spec);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    char spec[SPEC_SIZE];
    winnow_pipeline chosen;
    choose(b, wanted(b, v), spec);
    if (b->may_grow && b->const_words == 0) /* once: at planning, in the first pass */
        wn_log(b->host, WINNOW_LOG_INFO, "budget: %u frames of at most %u tokens: %s", b->set.segs,
               b->set.width, spec[0] ? spec : "everything stays");
    if (!spec[0])
        return b->status;
    const winnow_status status = wn_spec_parse(b->host, spec, &chosen);
    if (status != WINNOW_OK)
        return build_fail(b, WINNOW_E_INTERNAL, "`%s` is no pipeline (report this)", spec);
    for (uint32_t i = 0; i < chosen.stage_count; ++i)
        build_stage(b, &chosen.stages[i]);
    return b->status;
}

static const char *check(const wn_value *v)
{
    return v[KEEP].given != v[PRESET].given
               ? NULL
               : "give a number of tokens, or keep= or preset=, one of them";
}

static const winnow_option_info options[] = {
    {"keep", "keep", "-", "1..1e9", "tokens of the whole media: 256, or 25%"},
    {"preset", "choice", "-", "fast|balanced|careful",
     "a quarter, half or three quarters of a picture; 10%, 25% or half of a film"},
};

const wn_stage wn_stage_budget = {
    .name = "budget",
    .family = "choice",
    .summary = "a number of tokens, and the method that suits: budget=256, budget=25%",
    .help =
        "Chooses by what the media is and what the host gives. Each frame gets its share of the tokens: by cdpruner with "
        "text and image embeddings, by visionzip with class attention and keys, else by divprune. Where that is under four a "
        "frame, a film is flattened, and divprune chooses from all frames together. The choice is told as an info line.",
    .source = "ours, from the figures of winnow-evaluate",
    .options = options,
    .option_count = 2,
    .check = check,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_CLS_ATTENTION | 1u << WINNOW_ROLE_KEYS |
                      1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_IMAGE_EMBEDS,
    .build = build,
};
