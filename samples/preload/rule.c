#include "rule.h"

#include <stdio.h>
#include <string.h>

static const char head[] = "winnow(1;"; /* 1: counts and choices as this version makes them */
static const char budget_stage[] = "divprune";

/* Digits of at most `most`; moves *at behind them. */
static bool read_digits(const char **at, uint32_t most, uint32_t *out)
{
    const char *start = *at;
    uint64_t value = 0;
    for (; **at >= '0' && **at <= '9' && value <= most; (*at)++) {
        value = value * 10 + (uint64_t)(**at - '0');
    }
    *out = (uint32_t)value;
    return *at > start && value <= most;
}

/* Up to three decimals, as thousandths. */
static bool read_decimals(const char **at, uint32_t *out)
{
    uint32_t unit = 100;
    *out = 0;
    if (**at != '.') {
        return true;
    }
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, unit /= 10) {
        if (unit == 0) {
            return false;
        }
        *out += (uint32_t)(**at - '0') * unit;
    }
    return unit < 100;
}

bool rule_read_budget(rule *r, const char *text)
{
    const char *at = text;
    uint32_t number, thousandths = 0;
    r->tokens = r->share = 0;
    if (!read_digits(&at, 1000000000, &number) || !read_decimals(&at, &thousandths)) {
        return false;
    }
    if (*at == '%') {
        if (number > 100 || at[1] != 0) {
            return false;
        }
        r->share = number * (RULE_WHOLE / 100) + thousandths;
        return r->share > 0 && r->share <= RULE_WHOLE;
    }
    r->tokens = number;
    return number > 0 && *at == 0 && !strchr(text, '.');
}

bool rule_finish(rule *r)
{
    char budget[32] = "-";
    r->by_budget = !r->spec[0] || strcmp(r->spec, budget_stage) == 0;
    if (r->share) {
        snprintf(budget, sizeof budget, "%u.%03u%%", r->share / 1000, r->share % 1000);
    } else if (r->tokens) {
        snprintf(budget, sizeof budget, "%u", r->tokens);
    }
    const int length =
        snprintf(r->mark, sizeof r->mark, "%s%s;%s;%s)", head, budget,
                 r->compact ? "compact" : "original", r->by_budget ? budget_stage : r->spec);
    return length > 0 && (size_t)length < sizeof r->mark && !strpbrk(r->spec, ";)");
}

uint32_t rule_count(const rule *r, uint32_t n)
{
    uint32_t most = n;
    if (r->share) {
        most = (uint32_t)((uint64_t)n * r->share / RULE_WHOLE);
    } else if (r->tokens) {
        most = r->tokens;
    }
    most = most < n ? most : n;
    return most || !n ? most : 1;
}

size_t rule_mark_length(const char *id)
{
    const char *end = id && strncmp(id, head, sizeof head - 1) == 0 ? strchr(id, ')') : NULL;
    return end ? (size_t)(end - id) + 1 : 0;
}

/* The next field of a mark, up to `end`. */
static bool take(const char **at, char end, char *out, size_t size)
{
    const char *stop = strchr(*at, end);
    const size_t length = stop ? (size_t)(stop - *at) : size;
    if (length >= size) {
        return false;
    }
    memcpy(out, *at, length);
    out[length] = 0;
    *at = stop + 1;
    return true;
}

bool rule_read_mark(rule *r, const char *id)
{
    const char *at = id + sizeof head - 1;
    char budget[32], places[16];
    *r = (rule){0};
    if (!rule_mark_length(id) || !take(&at, ';', budget, sizeof budget) ||
        !take(&at, ';', places, sizeof places) || !take(&at, ')', r->spec, sizeof r->spec)) {
        return false;
    }
    r->compact = strcmp(places, "compact") == 0;
    if (strcmp(budget, "-") != 0 && !rule_read_budget(r, budget)) {
        return false;
    }
    return rule_finish(r);
}
