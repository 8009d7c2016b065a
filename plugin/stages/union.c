/* union and cascade: one choice out of those of several stages. Ours; VisPruner's important and diverse tokens, and VisionZip's
 * dominant and contextual ones, are cascades of two.
 *   of=a+b+...   stages that only choose tokens, up to four; a*2+b gives a twice the share
 *   keep         tokens of each frame, dealt to them by their shares (rounded as the running sum is, half to even)
 * union: each chooses among all tokens; what any of them chose stays, so that fewer than `keep` do where they agree.
 * cascade: each chooses among those that the ones before left; so exactly `keep` stay, or all there are.
 * Stages that choose for the whole media (evs, fastv, motion) get keep times the frames of it; evs and motion keep the first frame
 * whole, whatever their share, and compare places, so that in a cascade they come first. In sets whose frames differ in size a
 * share (keep=25%) is dealt as shares, which each stage rounds for itself. Raster order. */
#include "build.h"

#include <math.h>
#include <stdio.h>

enum { KEEP, OF };
enum { SPEC_SIZE = 96 };

static uint32_t weight_before(const wn_value *of, uint32_t k)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < k; ++i)
        sum += of->weights[i];
    return sum;
}

/* Of `total` tokens those of stage k. */
static uint32_t part_of(const wn_value *of, uint32_t k, uint32_t total)
{
    const double all = weight_before(of, of->stage_count);
    const double begin = rint(total * (weight_before(of, k) / all)),
                 end = rint(total * (weight_before(of, k + 1) / all));
    return (uint32_t)end - (uint32_t)begin;
}

/* Stage k's spec for the set in b; false where nothing falls to it. */
static bool spec_of(const wn_build *b, const wn_value *v, uint32_t k, uint32_t total,
                    bool same_size, char *spec)
{
    const wn_stage *stage = wn_stages[v[OF].stages[k]];
    const uint32_t own = part_of(&v[OF], k, total);
    if (stage->selects == WN_SELECTS_RATE) {
        const double all = (double)b->set.n_max, want = (double)own * b->set.segs;
        /* A quarter of a token more, so that rounding and truncating give the same. */
        snprintf(spec, SPEC_SIZE, "%s=rate=%.17g", stage->name,
                 want + 0.25 < all ? 1.0 - (want + 0.25) / all : 0.0);
    } else if (v[KEEP].percent && !same_size) {
        snprintf(spec, SPEC_SIZE, "%s=keep=%.9g%%", stage->name,
                 v[KEEP].number * v[OF].weights[k] / weight_before(&v[OF], v[OF].stage_count));
    } else {
        snprintf(spec, SPEC_SIZE, "%s=keep=%u", stage->name, own);
    }
    return own > 0 || (v[KEEP].percent && !same_size);
}

static winnow_status choose(wn_build *b, const char *spec, wn_selection *out)
{
    winnow_pipeline one;
    if (wn_spec_parse(b->host, spec, &one) != WINNOW_OK)
        return build_fail(b, WINNOW_E_INTERNAL, "`%s` is no pipeline (report this)", spec);
    return build_select(b, &one.stages[0], out);
}

/* Bounds of all choices together, of `old`. */
static wn_bounds together(const wn_set *old, wn_bounds sum, wn_bounds more, bool overlap)
{
    const uint64_t n_max = (uint64_t)sum.n_max + more.n_max,
                   width = (uint64_t)sum.width + more.width;
    return (wn_bounds){.n_max = n_max < old->n_max ? (uint32_t)n_max : old->n_max,
                       .width = width < old->width ? (uint32_t)width : old->width,
                       .regular = sum.regular && more.regular && !overlap,
                       .exact = sum.exact && more.exact && !overlap};
}

static winnow_status build_of(wn_build *b, const wn_value *v, bool cascade)
{
    const wn_set old = b->set;
    const bool same_size = old.regular;
    const uint32_t total = wn_keep_count(&v[KEEP], old.width, rint);
    wn_selection all = {.flags = WN_NO_ARR}, chosen;
    wn_arr from = WN_NO_ARR;
    uint32_t count = 0;
    if (b->inside)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "it runs behind an encoder's layers, not inside them (leave layers= out)");
    for (uint32_t k = 0; k < v[OF].stage_count && b->status == WINNOW_OK; ++k) {
        char spec[SPEC_SIZE];
        if (!spec_of(b, v, k, total, same_size, spec))
            continue;
        if (cascade && count > 0) {
            b->set = old;
            from = build_leave_out(b, &all);
        }
        if (choose(b, spec, &chosen) != WINNOW_OK)
            break;
        if (count > 0)
            build_add_choice(b, from, chosen.flags, all.flags);
        all.flags = count > 0 ? all.flags : chosen.flags;
        all.after = count > 0 ? together(&old, all.after, chosen.after, !cascade) : chosen.after;
        ++count;
    }
    b->set = old;
    if (b->status == WINNOW_OK)
        build_prune(b, all.flags, all.after, WN_NO_ARR);
    return b->status;
}

static winnow_status build_union(wn_build *b, const wn_value *v)
{
    return build_of(b, v, false);
}

static winnow_status build_cascade(wn_build *b, const wn_value *v)
{
    return build_of(b, v, true);
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens of each frame, dealt to the stages"},
    {"of", "stages", "", "a+b|a*2+b", "stages that only choose tokens, as fastervlm*2+divprune"},
};

const wn_stage wn_stage_union = {
    .name = "union",
    .family = "choice",
    .summary = "keeps what any of several stages would keep",
    .help =
        "Each stage of of= chooses its share of keep= among all tokens, and what any of them chose stays: the salient, the "
        "diverse and the new, say. Where they agree fewer than keep= stay; cascade keeps the number.",
    .source = "ours",
    .paper = "ours",
    .agrees = "the ones it names",
    .gives = "chosen tokens",
    .cost = "that of the stages, and a pass over the flags for each after the first",
    .options = options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .build = build_union,
};

const wn_stage wn_stage_cascade = {
    .name = "cascade",
    .family = "choice",
    .summary = "several stages choose in turn, each among what the others left",
    .help =
        "The first stage of of= chooses its share of keep= tokens, the next one its share of the rest, and so on: exactly keep= "
        "tokens of each frame stay. Stages that compare frames (evs, motion) come first.",
    .source = "ours; VisPruner and VisionZip are such cascades",
    .paper = "ours",
    .agrees = "the ones it names",
    .gives = "chosen tokens",
    .cost = "that of the stages, and a pass over the flags for each after the first",
    .options = options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .build = build_cascade,
};
