/* budget: how many tokens, instead of which method. Ours; the figures that it goes by are in docs/figures.md, "Answers against
 * tokens". It stands for a pipeline that is chosen when a plan is made, from what the media is and from the roles given:
 *   a film that has under 4 tokens a frame left   flatten,divprune: the whole film's most diverse
 *   text and image embeddings                     cdpruner
 *   class attention and keys                      visionzip, dominant and contextual as 54 to 10
 *   else                                          divprune, whose frames get what they need (share=need)
 * Exactly N tokens stay, or all there are. cdpruner and visionzip work on each frame, which gets N / frames, and the first ones one
 * more until N is used; frames of different sizes share by need. Films of more than 8192 tokens are never flattened: all pairs
 * would be too many.
 * keep=auto: divprune=keep=auto, of the whole film where that is not too large. The choice is told in one line (info). A budget of
 * everything changes nothing. */
#include "build_program.h"

#include <math.h>
#include <stdio.h>

enum { KEEP, PRESET, FIDELITY };
enum { SPEC_SIZE = 96, FEW = 4, FLAT_MOST = 8192 };

/* fast, balanced and careful, of one picture and of frames. */
static const double shares[3][2] = {{0.25, 0.10}, {0.50, 0.25}, {0.75, 0.50}};

/* The chosen pipeline; the first `more` frames take the other one, which keeps one token more. */
typedef struct choice {
    char spec[SPEC_SIZE], spec_more[SPEC_SIZE];
    uint32_t more;
} choice;

static uint32_t wanted(const wn_build *b, const wn_value *v)
{
    const wn_set *set = &b->set;
    if (v[KEEP].given)
        return wn_keep_count(&v[KEEP], set->n_max, rint);
    const wn_value share = {.percent = true, .share = shares[v[PRESET].choice][set->segs > 1]};
    return wn_keep_count(&share, set->n_max, rint);
}

static bool can_flatten(const wn_build *b)
{
    return b->set.segs > 1 && b->set.n_max <= FLAT_MOST && !b->inside;
}

static bool knows_question(const wn_build *b)
{
    return build_has(b, WINNOW_ROLE_TEXT) && build_has(b, WINNOW_ROLE_IMAGE_EMBEDS);
}

static bool knows_attention(const wn_build *b)
{
    return build_has(b, WINNOW_ROLE_CLS_ATTENTION) && build_has(b, WINNOW_ROLE_KEYS) &&
           !b->set.specials;
}

static void visionzip(char *spec, uint32_t n, uint32_t contextual)
{
    snprintf(spec, SPEC_SIZE, "visionzip=dominant=%u:contextual=%u", n - contextual, contextual);
}

/* n tokens of all frames, at least one of each. */
static void choose_for_frames(const wn_build *b, uint32_t n, choice *c)
{
    const wn_set *set = &b->set;
    const uint32_t each = n / set->segs, contextual = (each * 10 + 32) / 64;
    const bool equal = set->regular && each > 0;
    c->more = n % set->segs;
    if (knows_question(b) && equal) {
        snprintf(c->spec, SPEC_SIZE, "cdpruner=keep=%u", each);
        snprintf(c->spec_more, SPEC_SIZE, "cdpruner=keep=%u", each + 1);
    } else if (knows_attention(b) && equal && contextual) {
        visionzip(c->spec, each, contextual);
        visionzip(c->spec_more, each + 1, contextual);
    } else if (set->segs == 1 && set->exact) {
        snprintf(c->spec, SPEC_SIZE, "divprune=keep=%u", n);
    } else {
        c->more = 0;
        snprintf(c->spec, SPEC_SIZE, "divprune=keep=%.17g%%:share=need",
                 100.0 * n / (double)set->n_max);
    }
}

static void choose(const wn_build *b, const wn_value *v, choice *c)
{
    const wn_set *set = &b->set;
    const char *flat = can_flatten(b) ? "flatten," : "";
    *c = (choice){.more = 0};
    if (v[KEEP].automatic) {
        snprintf(c->spec, SPEC_SIZE, "%sdivprune=keep=auto:fidelity=%.17g", flat,
                 v[FIDELITY].given ? v[FIDELITY].number : 0.9);
        return;
    }
    const uint32_t n = wanted(b, v);
    if (n >= set->n_max)
        return;
    if (*flat && n / set->segs < FEW)
        snprintf(c->spec, SPEC_SIZE, "flatten,divprune=keep=%u", n);
    else
        choose_for_frames(b, n, c);
}

static void tell(const wn_build *b, const choice *c)
{
    char more[SPEC_SIZE + 32] = "";
    if (c->more)
        snprintf(more, sizeof more, ", the first %u: %s", c->more, c->spec_more);
    wn_log(b->host, WINNOW_LOG_INFO, "budget: %u frames of at most %u tokens: %s%s", b->set.segs,
           b->set.width, c->spec[0] ? c->spec : "everything stays", more);
}

static winnow_status parse(wn_build *b, const char *spec, winnow_pipeline *out)
{
    if (wn_spec_parse(b->host, spec, out) == WINNOW_OK)
        return WINNOW_OK;
    return build_fail(b, WINNOW_E_INTERNAL, "`%s` is no pipeline (report this)", spec);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    choice c;
    winnow_pipeline chosen, more;
    choose(b, v, &c);
    if (b->may_grow && b->const_words == 0) /* once: at planning, in the first pass */
        tell(b, &c);
    if (!c.spec[0])
        return b->status;
    WN_TRY(parse(b, c.spec, &chosen));
    if (c.more) {
        WN_TRY(parse(b, c.spec_more, &more));
        b->values = chosen.stages[0].values;
        b->values_more = more.stages[0].values;
        b->more = c.more;
    }
    for (uint32_t i = 0; i < chosen.stage_count; ++i)
        build_stage(b, &chosen.stages[i]);
    b->more = 0;
    return b->status;
}

static const char *check(const wn_value *v)
{
    if (v[FIDELITY].given && !v[KEEP].automatic)
        return "fidelity= goes with keep=auto";
    return v[KEEP].given != v[PRESET].given
               ? NULL
               : "give a number of tokens, or keep= or preset=, one of them";
}

static const winnow_option_info options[] = {
    {"keep", "keep", "-", "auto|1..1e9",
     "tokens of the whole media: 256, or 25%; auto: as many as its content needs"},
    {"preset", "choice", "-", "fast|balanced|careful",
     "a quarter, half or three quarters of a picture; 10%, 25% or half of a film"},
    {"fidelity", "number", "-", "0..<1",
     "with keep=auto: how similar a kept token every token must have; 0.9 if absent"},
};

const wn_stage wn_stage_budget = {
    .name = "budget",
    .family = "choice",
    .summary = "a number of tokens, and the method that suits: budget=256, budget=25%",
    .help =
        "Chooses by what the media is and what the host gives, and keeps exactly so many tokens. By cdpruner with text and image embeddings, "
        "by visionzip with class attention and keys, each frame its share; else by divprune, whose frames get what they need. Where that is "
        "under four a frame, a film is flattened, and divprune chooses from all frames together. keep=auto keeps as many as the "
        "content needs. The choice is told as an info line.",
    .source = "ours, from the figures of winnow-evaluate",
    .paper = "ours",
    .agrees = "the one it names",
    .gives = "chosen tokens",
    .cost = "that of the stages that it chose",
    .options = options,
    .option_count = 3,
    .check = check,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_CLS_ATTENTION | 1u << WINNOW_ROLE_KEYS |
                      1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_IMAGE_EMBEDS,
    .build = build,
};
