/* spec.c: "evs=rate=0.75,tome=r=16" into a checked list of stages.
 *
 * FFmpeg's filter syntax: stages split by ',', the options after '=' split by ':', each name=value, or
 * a number alone for the first one; a `\` takes the next character as it is.
 * A mistake is one line that names the place: `spec: no stage "tone" at character 5 (did you mean
 * "tome"?)`. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "spec_values.h"

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

/* A layer's number, -512..511. */
static bool parse_layer(wn_text value, int32_t *out)
{
    double number;
    if (!wn_text_number(value, &number) || number != floor(number) || number < -512 || number > 511)
        return false;
    *out = (int32_t)number;
    return true;
}

/* "all", "6" or "6..11". */
static bool parse_layers(wn_text value, wn_inside *inside)
{
    wn_text first = value, last = value;
    if (wn_text_is(value, "all")) {
        inside->first = 0;
        inside->last = -1;
        return true;
    }
    for (size_t i = 1; i + 2 < value.size; ++i)
        if (value.at[i] == '.' && value.at[i + 1] == '.') {
            first.size = i;
            last = (wn_text){value.at + i + 2, value.size - i - 2};
            break;
        }
    return parse_layer(first, &inside->first) && parse_layer(last, &inside->last);
}

static bool parse_attention(wn_text value, wn_inside *inside)
{
    static const char *const names[] = {[WN_ATTENTION_CLASS] = "class",
                                        [WN_ATTENTION_RECEIVED] = "received",
                                        [WN_ATTENTION_POOL] = "pool"};
    for (uint32_t i = WN_ATTENTION_CLASS; i <= WN_ATTENTION_POOL; ++i)
        if (wn_text_is(value, names[i])) {
            inside->attention = i;
            return true;
        }
    return false;
}

static winnow_status parse_inside(const wn_spec *p, uint32_t which, wn_text value,
                                  wn_inside *inside)
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
                          inside_names[which], (int)value.size, value.at,
                          wn_spec_place(p, value.at), wants[which]);
}

/* A first option's value without its name. */
static bool is_alone(const winnow_option_info *option, wn_text value)
{
    if (value.size && (value.at[0] == '.' || (value.at[0] >= '0' && value.at[0] <= '9')))
        return true;
    return wn_option_can_be_auto(option) && wn_text_is(value, "auto");
}

static winnow_status parse_option(const wn_spec *p, wn_stage_use *use, wn_text part, uint32_t *seen)
{
    const wn_stage *stage = use->stage;
    char hint[512];
    wn_text rest = part, name;
    wn_text_cut(&rest, '=', &name);
    const bool has_value = rest.at != NULL;
    wn_text value = has_value ? wn_text_trim(rest) : (wn_text){part.at + part.size, 0};
    name = wn_text_trim(name);
    /* A number alone is the first option's: divprune=64; and so is auto. */
    if (!has_value && stage->option_count && !(*seen & 1u) && is_alone(&stage->options[0], name)) {
        *seen |= 1u;
        return wn_spec_value(p, &stage->options[0], name, &use->values[0]);
    }
    const bool anywhere = stage->build && !stage->decode && !stage->only_inside;
    const bool shallow =
        stage->shallow_tokens || ((stage->roles_needed | stage->roles_optional) & WN_SHALLOW_ROLES);
    const uint32_t inside = shallow ? INSIDE_COUNT : INSIDE_SHALLOW;
    const uint32_t count = stage->option_count + (anywhere ? inside : 0u);
    for (uint32_t i = 0; i < count; ++i) {
        const char *known = option_name_at(stage, i);
        if (!wn_text_is(name, known))
            continue;
        if (*seen & (1u << i))
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: %s is given twice, again at character %d (leave one)", known,
                           wn_spec_place(p, name.at));
        *seen |= 1u << i;
        if (!has_value || value.size == 0)
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: %s has no value at character %d (write %s=...)", known,
                           wn_spec_place(p, value.at), known);
        if (i >= stage->option_count)
            return parse_inside(p, i - stage->option_count, value, &use->inside);
        return wn_spec_value(p, &stage->options[i], value, &use->values[i]);
    }
    wn_spec_suggest(hint, sizeof hint, name, count, option_name_at, stage);
    return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s has no option `%.*s` at character %d (%s)",
                   stage->name, (int)name.size, name.at, wn_spec_place(p, name.at), hint);
}

/* Defaults are texts too: parsed by the same rules. */
static winnow_status fill_defaults(const wn_spec *p, wn_stage_use *use, uint32_t seen, wn_text part)
{
    for (uint32_t i = 0; i < use->stage->option_count; ++i) {
        const winnow_option_info *option = &use->stage->options[i];
        if ((seen & (1u << i)) || strcmp(option->value, "-") == 0)
            continue;
        if (option->value[0] == '\0')
            return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s at character %d needs %s=... (%s)",
                           use->stage->name, wn_spec_place(p, part.at), option->name, option->help);
        const wn_spec defaults = {p->host, option->value};
        const wn_text value = {option->value, strlen(option->value)};
        WN_TRY(wn_spec_value(&defaults, option, value, &use->values[i]));
    }
    return WINNOW_OK;
}

static winnow_status parse_stage(const wn_spec *p, wn_text part, wn_stage_use *use)
{
    char hint[512];
    wn_text rest = part, name;
    wn_text_cut(&rest, '=', &name);
    name = wn_text_trim(name);
    if (name.size == 0)
        return wn_fail(
            p->host, WINNOW_E_SPEC,
            "spec: a stage is missing at character %d (write a stage's name, see `winnow stages`)",
            wn_spec_place(p, part.at));
    for (uint32_t i = 0; i < wn_stage_count && !use->stage; ++i)
        if (wn_text_is(name, wn_stages[i]->name))
            use->stage = wn_stages[i];
    if (!use->stage) {
        wn_spec_suggest(hint, sizeof hint, name, wn_stage_count, stage_name_at, NULL);
        return wn_fail(p->host, WINNOW_E_SPEC, "spec: no stage `%.*s` at character %d (%s)",
                       (int)name.size, name.at, wn_spec_place(p, name.at), hint);
    }
    uint32_t seen = 0;
    wn_text option;
    while (wn_text_cut(&rest, ':', &option))
        WN_TRY(parse_option(p, use, option, &seen));
    WN_TRY(fill_defaults(p, use, seen, part));
    const char *wrong = use->stage->check ? use->stage->check(use->values) : NULL;
    if (wrong)
        return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s at character %d: %s", use->stage->name,
                       wn_spec_place(p, part.at), wrong);
    return WINNOW_OK;
}

winnow_status wn_spec_parse(const wn_host *host, const char *spec, winnow_pipeline *out)
{
    const wn_spec p = {host, spec};
    if (!spec)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "spec: it is NULL (give a text such as `divprune=keep=64`)");
    const size_t size = strlen(spec);
    if (size > WN_SPEC_MOST)
        return wn_fail(host, WINNOW_E_SPEC, "spec: %zu characters long (at most %d)", size,
                       WN_SPEC_MOST);
    wn_text rest = {spec, size}, part;
    out->stage_count = 0;
    while (wn_text_cut(&rest, ',', &part)) {
        if (out->stage_count == WN_MAX_STAGES)
            return wn_fail(host, WINNOW_E_SPEC,
                           "spec: more than %d stages at character %d (shorten it)", WN_MAX_STAGES,
                           wn_spec_place(&p, part.at));
        wn_stage_use *use = &out->stages[out->stage_count];
        *use = (wn_stage_use){0};
        WN_TRY(parse_stage(&p, part, use));
        ++out->stage_count;
        if (use->stage->decode && (out->stage_count > 1 || rest.at))
            return wn_fail(
                host, WINNOW_E_SPEC,
                "spec: %s at character %d stands with other stages (a decode stage runs alone)",
                use->stage->name, wn_spec_place(&p, part.at));
    }
    return WINNOW_OK;
}

winnow_status wn_options_parse(const wn_host *host, const char *name,
                               const winnow_option_info *options, uint32_t count, const char *spec,
                               wn_value *values)
{
    const wn_spec p = {host, spec};
    const wn_stage like = {.name = name, /* no build: no options for encoders */
                           .options = options,
                           .option_count = count};
    wn_stage_use use = {.stage = &like};
    wn_text rest = {spec, strlen(spec)}, head, option;
    uint32_t seen = 0;
    wn_text_cut(&rest, '=', &head);
    if (!wn_text_is(wn_text_trim(head), name))
        return wn_fail(host, WINNOW_E_SPEC, "spec: `%.*s` is not known (use `%s`)", (int)head.size,
                       head.at, name);
    while (wn_text_cut(&rest, ':', &option))
        WN_TRY(parse_option(&p, &use, option, &seen));
    WN_TRY(fill_defaults(&p, &use, seen, head));
    memcpy(values, use.values, sizeof use.values);
    return WINNOW_OK;
}
