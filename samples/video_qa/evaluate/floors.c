#include "floors.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

bool floor_read(const char *spec, floor_spec *out, bool *good)
{
    static const char *const names[] = {[FLOOR_RANDOM] = "random", [FLOOR_UNIFORM] = "uniform"};
    *good = true;
    for (int kind = FLOOR_RANDOM; kind <= FLOOR_UNIFORM; kind++) {
        const size_t length = strlen(names[kind]);
        if (strncmp(spec, names[kind], length) != 0 || (spec[length] && spec[length] != '=')) {
            continue;
        }
        const char *value = spec + length;
        char *end = NULL;
        value += strncmp(value, "=keep=", 6) == 0 ? 6 : strlen(value);
        *out = (floor_spec){.kind = (floor_kind)kind};
        out->keep = isdigit((unsigned char)value[0]) ? strtod(value, &end) : 0;
        out->is_share = end && strcmp(end, "%") == 0;
        *good = out->keep > 0 && (out->is_share ? out->keep <= 100 : end && *end == 0);
        if (!*good) {
            say_failed("%s: write it as %s=keep=25%% or %s=keep=64", spec, names[kind],
                       names[kind]);
        }
        return true;
    }
    return false;
}

static uint32_t count_of(const floor_spec *spec, uint32_t all)
{
    const double n = rint(spec->is_share ? spec->keep / 100 * all : spec->keep);
    return n < 1 ? 1 : n > all ? all : (uint32_t)n;
}

/* splitmix64: any seed is a good one. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Row i is taken if as many of those left to take as of those left to see: each set of rows is as
 * likely as any other, and they come in order. */
static void choose(const floor_spec *spec, uint32_t all, uint32_t n, uint64_t seed, uint32_t *rows)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; spec->kind == FLOOR_RANDOM && i < all && taken < n; i++) {
        if (draw(&seed) % (all - i) < n - taken) {
            rows[taken++] = i;
        }
    }
    for (uint32_t i = 0; spec->kind == FLOOR_UNIFORM && i < n; i++) {
        rows[i] = (uint32_t)(((double)i + 0.5) * all / n);
    }
}

static void copy_row(film_rows *to, uint32_t i, const film_rows *from, uint32_t row)
{
    memcpy(to->data + (size_t)i * to->width, from->data + (size_t)row * from->width,
           from->width * sizeof *to->data);
    memcpy(to->places + (size_t)i * 3, from->places + (size_t)row * 3, 3 * sizeof *to->places);
    to->sources[i] = from->sources[row];
    to->indices[i] = from->indices[row];
    to->assignment[row] = (int32_t)i;
}

bool floor_reduce(film_rows *out, const film_rows *all, const floor_spec *spec, uint64_t seed)
{
    const uint32_t n = count_of(spec, all->count);
    uint32_t *rows = calloc(n, sizeof *rows);
    if (!rows || !film_rows_room(out, n, all->width, all->count)) {
        free(rows);
        return rows ? false : say_failed("out of memory for %u visual tokens", n);
    }
    choose(spec, all->count, n, seed, rows);
    out->shape = all->shape;
    out->before = all->before;
    out->encode_ms = all->encode_ms;
    memcpy(out->grid, all->grid, sizeof out->grid);
    memset(out->assignment, -1, all->count * sizeof *out->assignment);
    for (uint32_t i = 0; i < n; i++) {
        copy_row(out, i, all, rows[i]);
    }
    out->count = n;
    free(rows);
    return true;
}
