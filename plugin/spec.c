/* spec.c: "evs=rate=0.75,tome=r=16" into a checked list of stages.
 *
 * FFmpeg's filter syntax: stages split by ',', the options after '=' split by ':', each name=value, or
 * a number alone for the first one.
 * A mistake is one line that names the place: `spec: no stage "tone" at character 5 (did you mean
 * "tome"?)`. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

typedef struct text {
    const char *at;
    size_t size;
} text;

typedef struct parser {
    const wn_host *host;
    const char *spec;
} parser;

#define MAX_SPEC 4096

static int place(const parser *p, const char *at)
{
    return (int)(at - p->spec) + 1;
}

/* isspace and strtod go by the host's locale: here a spec means the same under every one. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static double number_of(const char *digits, char **end)
{
    const locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!plain) /* out of memory, which glibc and musl do not need for it */
        return strtod(digits, end);
    const double number = strtod_l(digits, end, plain);
    freelocale(plain);
    return number;
}

static text trim(text t)
{
    while (t.size && is_space(t.at[0])) {
        ++t.at;
        --t.size;
    }
    while (t.size && is_space(t.at[t.size - 1]))
        --t.size;
    return t;
}

/* Cuts `*rest` at the first `mark`; false when nothing is left. */
static bool next_part(text *rest, char mark, text *part)
{
    if (!rest->at)
        return false;
    const char *end = memchr(rest->at, mark, rest->size);
    part->at = rest->at;
    if (!end) {
        part->size = rest->size;
        rest->at = NULL;
        return true;
    }
    part->size = (size_t)(end - rest->at);
    rest->size -= part->size + 1;
    rest->at = end + 1;
    return true;
}

static bool same(text t, const char *name)
{
    return strlen(name) == t.size && memcmp(t.at, name, t.size) == 0;
}

/* Levenshtein distance, names of at most 31 characters; longer ones are far from everything. */
static unsigned distance(text a, const char *b)
{
    const size_t n = strlen(b);
    unsigned row[32];
    if (a.size > 31 || n > 31)
        return 99;
    for (unsigned j = 0; j <= n; ++j)
        row[j] = j;
    for (size_t i = 1; i <= a.size; ++i) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; ++j) {
            const unsigned change = diagonal + (a.at[i - 1] != b[j - 1]);
            diagonal = row[j];
            unsigned best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < best ? change : best;
        }
    }
    return row[n];
}

enum { NAMES_TOLD = 16 }; /* at most, one by one */

/* " (did you mean "x"?)" for the nearest of the names that `name_at` gives, or what there is. */
static void suggest(char *out, size_t size, text given, uint32_t count,
                    const char *(*name_at)(const void *, uint32_t), const void *user)
{
    const char *best = NULL;
    unsigned best_distance = 4;
    for (uint32_t i = 0; i < count; ++i) {
        const unsigned d = distance(given, name_at(user, i));
        if (d < best_distance) {
            best_distance = d;
            best = name_at(user, i);
        }
    }
    if (best) {
        snprintf(out, size, "did you mean `%s`?", best);
        return;
    }
    if (count > NAMES_TOLD) {
        snprintf(out, size, "`winnow stages` lists them");
        return;
    }
    size_t used = (size_t)snprintf(out, size, "there %s", count ? "are" : "are none");
    for (uint32_t i = 0; i < count && used < size; ++i)
        used +=
            (size_t)snprintf(out + used, size - used, "%s `%s`", i ? "," : "", name_at(user, i));
}

static const char *stage_name_at(const void *user, uint32_t i)
{
    (void)user;
    return wn_stages[i]->name;
}

/* What stages take for encoders, but for those whose own options say where they run (laco). */
static const char *const inside_names[] = {"layer", "layers", "attention", "shallow"};
enum { INSIDE_LAYER, INSIDE_LAYERS, INSIDE_ATTENTION, INSIDE_SHALLOW, INSIDE_COUNT };

static const char *option_name_at(const void *user, uint32_t i)
{
    const wn_stage *stage = user;
    return i < stage->option_count ? stage->options[i].name : inside_names[i - stage->option_count];
}

static winnow_status parse_choice(const parser *p, const winnow_option_info *option, text value,
                                  wn_value *out)
{
    text rest = {option->choices, strlen(option->choices)}, part;
    for (uint32_t i = 0; next_part(&rest, '|', &part); ++i)
        if (part.size == value.size && memcmp(part.at, value.at, value.size) == 0) {
            out->choice = i;
            out->given = true;
            return WINNOW_OK;
        }
    return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s is `%.*s` at character %d (it can be %s)",
                   option->name, (int)value.size, value.at, place(p, value.at), option->choices);
}

static bool parse_number(text value, double *out)
{
    char copy[64], *end;
    if (value.size == 0 || value.size >= sizeof copy)
        return false;
    for (size_t i = 0; i < value.size; ++i)
        if (!strchr("0123456789+-.eE", value.at[i]))
            return false; /* no hexadecimal, no inf, no nan */
    memcpy(copy, value.at, value.size);
    copy[value.size] = '\0';
    *out = number_of(copy, &end);
    return *end == '\0' && isfinite(*out);
}

static const char *selecting_name_at(const void *user, uint32_t i)
{
    (void)user;
    for (uint32_t k = 0; k < wn_stage_count; ++k)
        if (wn_stages[k]->selects && i-- == 0)
            return wn_stages[k]->name;
    return "";
}

/* "fastervlm+divprune", "fastervlm*2+divprune": stages that choose tokens, with shares. */
static winnow_status parse_stages(const parser *p, const winnow_option_info *option, text value,
                                  wn_value *out)
{
    char hint[512];
    text rest = value, part;
    uint32_t selecting = 0;
    for (uint32_t i = 0; i < wn_stage_count; ++i)
        selecting += wn_stages[i]->selects != WN_SELECTS_NOT;
    for (out->stage_count = 0; next_part(&rest, '+', &part); ++out->stage_count) {
        text share = part, name;
        double weight = 1.0;
        next_part(&share, '*', &name);
        uint32_t at = 0;
        while (at < wn_stage_count && !(same(name, wn_stages[at]->name) && wn_stages[at]->selects))
            ++at;
        if (at == wn_stage_count) {
            suggest(hint, sizeof hint, name, selecting, selecting_name_at, NULL);
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: %s names `%.*s` at character %d, which is no stage that only "
                           "chooses tokens (%s)",
                           option->name, (int)name.size, name.at, place(p, name.at), hint);
        }
        if (share.at && (!parse_number(share, &weight) || weight != floor(weight) || weight < 1 ||
                         weight > 100))
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: a share is `%.*s` at character %d (give a whole number, 1..100)",
                           (int)share.size, share.at, place(p, share.at));
        if (out->stage_count == WN_LIST_MOST)
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: %s names more than %d stages at character %d (leave some out)",
                           option->name, WN_LIST_MOST, place(p, part.at));
        out->stages[out->stage_count] = (uint8_t)at;
        out->weights[out->stage_count] = (uint8_t)weight;
    }
    out->given = true;
    return WINNOW_OK;
}

/* "low..high" or "low..<high". number_of alone would take "0." of "0..1". */
static bool in_range(const char *range, double number)
{
    const char *dots = strstr(range, "..");
    char low[32];
    snprintf(low, sizeof low, "%.*s", (int)(dots - range), range);
    const bool open = dots[2] == '<';
    const double high = number_of(dots + (open ? 3 : 2), NULL);
    return number >= number_of(low, NULL) && (open ? number < high : number <= high);
}

/* "0.7" percent as the double nearest to 0.007, which 0.7 / 100 is not: Python's counts start from
 * that literal. */
static double ratio_of(text digits, double percent)
{
    char literal[72];
    snprintf(literal, sizeof literal, "%.*se-2", (int)digits.size, digits.at);
    const bool plain = !memchr(digits.at, 'e', digits.size) && !memchr(digits.at, 'E', digits.size);
    return plain ? number_of(literal, NULL) : percent / 100.0;
}

static bool can_be_auto(const winnow_option_info *option)
{
    return strncmp(option->choices, "auto|", 5) == 0;
}

static winnow_status parse_value(const parser *p, const winnow_option_info *option, text value,
                                 wn_value *out)
{
    if (strcmp(option->type, "choice") == 0)
        return parse_choice(p, option, value, out);
    if (strcmp(option->type, "stages") == 0)
        return parse_stages(p, option, value, out);
    text digits = value;
    const bool keep = strcmp(option->type, "keep") == 0;
    const char *range = option->choices + (can_be_auto(option) ? 5 : 0);
    out->automatic = can_be_auto(option) && same(value, "auto");
    if (out->automatic) {
        out->given = true;
        return WINNOW_OK;
    }
    out->percent = keep && value.size && value.at[value.size - 1] == '%';
    if (out->percent)
        --digits.size;
    if (!parse_number(digits, &out->number))
        return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s is `%.*s` at character %d (give a %s)",
                       option->name, (int)value.size, value.at, place(p, value.at),
                       can_be_auto(option) ? "count such as 64, a share such as 25%, or auto"
                       : keep              ? "count such as 64 or a share such as 25%"
                                           : "number");
    const bool whole = !out->percent && (keep || strcmp(option->type, "count") == 0);
    if (whole && out->number != floor(out->number))
        return wn_fail(p->host, WINNOW_E_SPEC,
                       "spec: %s is %.*s at character %d (give a whole number)", option->name,
                       (int)value.size, value.at, place(p, value.at));
    if (!in_range(out->percent ? "0..100" : range, out->number) ||
        (out->percent && out->number <= 0))
        return wn_fail(p->host, WINNOW_E_SPEC,
                       "spec: %s is %.*s at character %d (it must lie in %s)", option->name,
                       (int)value.size, value.at, place(p, value.at),
                       out->percent ? "0%..100%, above 0%" : range);
    if (out->percent)
        out->share = ratio_of(digits, out->number);
    out->given = true;
    return WINNOW_OK;
}

/* A layer's number, -512..511. */
static bool parse_layer(text value, int32_t *out)
{
    double number;
    if (!parse_number(value, &number) || number != floor(number) || number < -512 || number > 511)
        return false;
    *out = (int32_t)number;
    return true;
}

/* "all", "6" or "6..11". */
static bool parse_layers(text value, wn_inside *inside)
{
    text first = value, last = value;
    if (same(value, "all")) {
        inside->first = 0;
        inside->last = -1;
        return true;
    }
    for (size_t i = 1; i + 2 < value.size; ++i)
        if (value.at[i] == '.' && value.at[i + 1] == '.') {
            first.size = i;
            last = (text){value.at + i + 2, value.size - i - 2};
            break;
        }
    return parse_layer(first, &inside->first) && parse_layer(last, &inside->last);
}

static bool parse_attention(text value, wn_inside *inside)
{
    static const char *const names[] = {[WN_ATTENTION_CLASS] = "class",
                                        [WN_ATTENTION_RECEIVED] = "received",
                                        [WN_ATTENTION_POOL] = "pool"};
    for (uint32_t i = WN_ATTENTION_CLASS; i <= WN_ATTENTION_POOL; ++i)
        if (same(value, names[i])) {
            inside->attention = i;
            return true;
        }
    return false;
}

static winnow_status parse_inside(const parser *p, uint32_t which, text value, wn_inside *inside)
{
    static const char *const wants[] = {"a layer such as 6, or -2 for the last but one",
                                        "`all`, a layer such as 6, or a range such as 6..11",
                                        "`class`, `received` or `pool`",
                                        "a layer such as 2, or -20 from behind"};
    bool good = false;
    if (which == INSIDE_LAYER)
        good = inside->has_layer = parse_layer(value, &inside->layer);
    else if (which == INSIDE_LAYERS)
        good = inside->has_layers = parse_layers(value, inside);
    else if (which == INSIDE_ATTENTION)
        good = parse_attention(value, inside);
    else
        good = inside->has_shallow = parse_layer(value, &inside->shallow);
    return good ? WINNOW_OK
                : wn_fail(p->host, WINNOW_E_SPEC, "spec: %s is `%.*s` at character %d (give %s)",
                          inside_names[which], (int)value.size, value.at, place(p, value.at),
                          wants[which]);
}

/* A first option's value without its name. */
static bool is_alone(const winnow_option_info *option, text value)
{
    if (value.size && (value.at[0] == '.' || (value.at[0] >= '0' && value.at[0] <= '9')))
        return true;
    return can_be_auto(option) && same(value, "auto");
}

static winnow_status parse_option(const parser *p, wn_stage_use *use, text part, uint32_t *seen)
{
    const wn_stage *stage = use->stage;
    char hint[512];
    text rest = part, name;
    next_part(&rest, '=', &name);
    const bool has_value = rest.at != NULL;
    text value = has_value ? trim(rest) : (text){part.at + part.size, 0};
    name = trim(name);
    /* A number alone is the first option's: divprune=64; and so is auto. */
    if (!has_value && stage->option_count && !(*seen & 1u) && is_alone(&stage->options[0], name)) {
        *seen |= 1u;
        return parse_value(p, &stage->options[0], name, &use->values[0]);
    }
    const bool anywhere = stage->build && !stage->decode && !stage->only_inside;
    const bool shallow = (stage->roles_needed | stage->roles_optional) & WN_SHALLOW_ROLES;
    const uint32_t inside = shallow ? INSIDE_COUNT : INSIDE_SHALLOW;
    const uint32_t count = stage->option_count + (anywhere ? inside : 0u);
    for (uint32_t i = 0; i < count; ++i) {
        const char *known = option_name_at(stage, i);
        if (!same(name, known))
            continue;
        if (*seen & (1u << i))
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: %s is given twice, again at character %d (leave one)", known,
                           place(p, name.at));
        *seen |= 1u << i;
        if (!has_value || value.size == 0)
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: %s has no value at character %d (write %s=...)", known,
                           place(p, value.at), known);
        if (i >= stage->option_count)
            return parse_inside(p, i - stage->option_count, value, &use->inside);
        return parse_value(p, &stage->options[i], value, &use->values[i]);
    }
    suggest(hint, sizeof hint, name, count, option_name_at, stage);
    return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s has no option `%.*s` at character %d (%s)",
                   stage->name, (int)name.size, name.at, place(p, name.at), hint);
}

/* Defaults are texts too: parsed by the same rules. */
static winnow_status fill_defaults(const parser *p, wn_stage_use *use, uint32_t seen, text part)
{
    for (uint32_t i = 0; i < use->stage->option_count; ++i) {
        const winnow_option_info *option = &use->stage->options[i];
        if ((seen & (1u << i)) || strcmp(option->value, "-") == 0)
            continue;
        if (option->value[0] == '\0')
            return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s at character %d needs %s=... (%s)",
                           use->stage->name, place(p, part.at), option->name, option->help);
        const parser defaults = {p->host, option->value};
        const text value = {option->value, strlen(option->value)};
        WN_TRY(parse_value(&defaults, option, value, &use->values[i]));
    }
    return WINNOW_OK;
}

static winnow_status parse_stage(const parser *p, text part, wn_stage_use *use)
{
    char hint[512];
    text rest = part, name;
    next_part(&rest, '=', &name);
    name = trim(name);
    if (name.size == 0)
        return wn_fail(
            p->host, WINNOW_E_SPEC,
            "spec: a stage is missing at character %d (write a stage's name, see `winnow stages`)",
            place(p, part.at));
    for (uint32_t i = 0; i < wn_stage_count && !use->stage; ++i)
        if (same(name, wn_stages[i]->name))
            use->stage = wn_stages[i];
    if (!use->stage) {
        suggest(hint, sizeof hint, name, wn_stage_count, stage_name_at, NULL);
        return wn_fail(p->host, WINNOW_E_SPEC, "spec: no stage `%.*s` at character %d (%s)",
                       (int)name.size, name.at, place(p, name.at), hint);
    }
    uint32_t seen = 0;
    text option;
    while (next_part(&rest, ':', &option))
        WN_TRY(parse_option(p, use, option, &seen));
    WN_TRY(fill_defaults(p, use, seen, part));
    const char *wrong = use->stage->check ? use->stage->check(use->values) : NULL;
    if (wrong)
        return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s at character %d: %s", use->stage->name,
                       place(p, part.at), wrong);
    return WINNOW_OK;
}

winnow_status wn_spec_parse(const wn_host *host, const char *spec, winnow_pipeline *out)
{
    const parser p = {host, spec};
    if (!spec)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "spec: it is NULL (give a text such as `divprune=keep=64`)");
    const size_t size = strlen(spec);
    if (size > MAX_SPEC)
        return wn_fail(host, WINNOW_E_SPEC, "spec: %zu characters long (at most %d)", size,
                       MAX_SPEC);
    text rest = {spec, size}, part;
    out->stage_count = 0;
    while (next_part(&rest, ',', &part)) {
        if (out->stage_count == WN_MAX_STAGES)
            return wn_fail(host, WINNOW_E_SPEC,
                           "spec: more than %d stages at character %d (shorten it)", WN_MAX_STAGES,
                           place(&p, part.at));
        wn_stage_use *use = &out->stages[out->stage_count];
        *use = (wn_stage_use){0};
        WN_TRY(parse_stage(&p, part, use));
        ++out->stage_count;
        if (use->stage->decode && (out->stage_count > 1 || rest.at))
            return wn_fail(
                host, WINNOW_E_SPEC,
                "spec: %s at character %d stands with other stages (a decode stage runs alone)",
                use->stage->name, place(&p, part.at));
    }
    return WINNOW_OK;
}

winnow_status wn_options_parse(const wn_host *host, const char *name,
                               const winnow_option_info *options, uint32_t count, const char *spec,
                               wn_value *values)
{
    const parser p = {host, spec};
    const wn_stage like = {.name = name, /* no build: no options for encoders */
                           .options = options,
                           .option_count = count};
    wn_stage_use use = {.stage = &like};
    text rest = {spec, strlen(spec)}, head, option;
    uint32_t seen = 0;
    next_part(&rest, '=', &head);
    if (!same(trim(head), name))
        return wn_fail(host, WINNOW_E_SPEC, "spec: `%.*s` is not known (use `%s`)", (int)head.size,
                       head.at, name);
    while (next_part(&rest, ':', &option))
        WN_TRY(parse_option(&p, &use, option, &seen));
    WN_TRY(fill_defaults(&p, &use, seen, head));
    memcpy(values, use.values, sizeof use.values);
    return WINNOW_OK;
}
