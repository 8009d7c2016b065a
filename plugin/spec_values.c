/* spec_values.c: texts of a spec, and the values of its options. */
#include "spec_values.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int wn_spec_place(const wn_spec *p, const char *at)
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

wn_text wn_text_trim(wn_text t)
{
    while (t.size && is_space(t.at[0])) {
        ++t.at;
        --t.size;
    }
    while (t.size && is_space(t.at[t.size - 1]))
        --t.size;
    return t;
}

bool wn_text_cut(wn_text *rest, char mark, wn_text *part)
{
    if (!rest->at)
        return false;
    size_t end = 0;
    while (end < rest->size && rest->at[end] != mark)
        end += rest->at[end] == '\\' && end + 1 < rest->size ? 2 : 1;
    *part = (wn_text){rest->at, end};
    if (end == rest->size) {
        rest->at = NULL;
        return true;
    }
    rest->size -= end + 1;
    rest->at += end + 1;
    return true;
}

bool wn_text_is(wn_text t, const char *name)
{
    return strlen(name) == t.size && memcmp(t.at, name, t.size) == 0;
}

/* Levenshtein distance, names of at most 31 characters; longer ones are far from everything. */
static unsigned distance(wn_text a, const char *b)
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

void wn_spec_suggest(char *out, size_t size, wn_text given, uint32_t count,
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

static winnow_status parse_choice(const wn_spec *p, const winnow_option_info *option, wn_text value,
                                  wn_value *out)
{
    wn_text rest = {option->choices, strlen(option->choices)}, part;
    for (uint32_t i = 0; wn_text_cut(&rest, '|', &part); ++i)
        if (part.size == value.size && memcmp(part.at, value.at, value.size) == 0) {
            out->choice = i;
            out->given = true;
            return WINNOW_OK;
        }
    return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s is `%.*s` at character %d (it can be %s)",
                   option->name, (int)value.size, value.at, wn_spec_place(p, value.at),
                   option->choices);
}

bool wn_text_number(wn_text value, double *out)
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
static winnow_status parse_stages(const wn_spec *p, const winnow_option_info *option, wn_text value,
                                  wn_value *out)
{
    char hint[512];
    wn_text rest = value, part;
    uint32_t selecting = 0;
    for (uint32_t i = 0; i < wn_stage_count; ++i)
        selecting += wn_stages[i]->selects != WN_SELECTS_NOT;
    for (out->stage_count = 0; wn_text_cut(&rest, '+', &part); ++out->stage_count) {
        wn_text share = part, name;
        double weight = 1.0;
        wn_text_cut(&share, '*', &name);
        uint32_t at = 0;
        while (at < wn_stage_count &&
               !(wn_text_is(name, wn_stages[at]->name) && wn_stages[at]->selects))
            ++at;
        if (at == wn_stage_count) {
            wn_spec_suggest(hint, sizeof hint, name, selecting, selecting_name_at, NULL);
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: %s names `%.*s` at character %d, which is no stage that only "
                           "chooses tokens (%s)",
                           option->name, (int)name.size, name.at, wn_spec_place(p, name.at), hint);
        }
        if (share.at && (!wn_text_number(share, &weight) || weight != floor(weight) || weight < 1 ||
                         weight > 100))
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: a share is `%.*s` at character %d (give a whole number, 1..100)",
                           (int)share.size, share.at, wn_spec_place(p, share.at));
        if (out->stage_count == WN_LIST_MOST)
            return wn_fail(p->host, WINNOW_E_SPEC,
                           "spec: %s names more than %d stages at character %d (leave some out)",
                           option->name, WN_LIST_MOST, wn_spec_place(p, part.at));
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
static double ratio_of(wn_text digits, double percent)
{
    char literal[72];
    snprintf(literal, sizeof literal, "%.*se-2", (int)digits.size, digits.at);
    const bool plain = !memchr(digits.at, 'e', digits.size) && !memchr(digits.at, 'E', digits.size);
    return plain ? number_of(literal, NULL) : percent / 100.0;
}

bool wn_option_can_be_auto(const winnow_option_info *option)
{
    return strncmp(option->choices, "auto|", 5) == 0;
}

/* Where a path stands; whoever reads the file takes the escapes out. */
static winnow_status parse_file(const wn_spec *p, const winnow_option_info *option, wn_text value,
                                wn_value *out)
{
    size_t i = 0;
    while (i < value.size)
        i += value.at[i] == '\\' ? 2 : 1;
    if (i > value.size)
        return wn_fail(p->host, WINNOW_E_SPEC,
                       "spec: %s ends in a lone `\\` at character %d (write `\\\\` for one)",
                       option->name, wn_spec_place(p, value.at + value.size - 1));
    out->text_at = (uint16_t)(value.at - p->spec);
    out->text_size = (uint16_t)value.size;
    out->given = true;
    return WINNOW_OK;
}

winnow_status wn_spec_value(const wn_spec *p, const winnow_option_info *option, wn_text value,
                            wn_value *out)
{
    if (strcmp(option->type, "choice") == 0)
        return parse_choice(p, option, value, out);
    if (strcmp(option->type, "stages") == 0)
        return parse_stages(p, option, value, out);
    if (strcmp(option->type, "file") == 0)
        return parse_file(p, option, value, out);
    wn_text digits = value;
    const bool keep = strcmp(option->type, "keep") == 0;
    const char *range = option->choices + (wn_option_can_be_auto(option) ? 5 : 0);
    out->automatic = wn_option_can_be_auto(option) && wn_text_is(value, "auto");
    if (out->automatic) {
        out->given = true;
        return WINNOW_OK;
    }
    out->percent = keep && value.size && value.at[value.size - 1] == '%';
    if (out->percent)
        --digits.size;
    if (!wn_text_number(digits, &out->number))
        return wn_fail(p->host, WINNOW_E_SPEC, "spec: %s is `%.*s` at character %d (give a %s)",
                       option->name, (int)value.size, value.at, wn_spec_place(p, value.at),
                       wn_option_can_be_auto(option)
                           ? "count such as 64, a share such as 25%, or auto"
                       : keep ? "count such as 64 or a share such as 25%"
                              : "number");
    const bool whole = !out->percent && (keep || strcmp(option->type, "count") == 0);
    if (whole && out->number != floor(out->number))
        return wn_fail(p->host, WINNOW_E_SPEC,
                       "spec: %s is %.*s at character %d (give a whole number)", option->name,
                       (int)value.size, value.at, wn_spec_place(p, value.at));
    if (!in_range(out->percent ? "0..100" : range, out->number) ||
        (out->percent && out->number <= 0))
        return wn_fail(p->host, WINNOW_E_SPEC,
                       "spec: %s is %.*s at character %d (it must lie in %s)", option->name,
                       (int)value.size, value.at, wn_spec_place(p, value.at),
                       out->percent ? "0%..100%, above 0%" : range);
    if (out->percent)
        out->share = ratio_of(digits, out->number);
    out->given = true;
    return WINNOW_OK;
}
