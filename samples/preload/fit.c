#include "fit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct pick {
    int32_t order, source;
    const float *row;
} pick;

/* The class token in front, the pooled rest behind all. */
static pick pick_of(int32_t source, const float *row)
{
    return (pick){.order = source == -2 ? INT_MAX : source, .source = source, .row = row};
}

static int by_order(const void *a, const void *b)
{
    const int32_t x = ((const pick *)a)->order, y = ((const pick *)b)->order;
    return (x > y) - (x < y);
}

uint32_t fit_even(uint32_t n, uint32_t count, uint32_t i)
{
    return (uint32_t)((uint64_t)i * n / count);
}

/* Adds `missing` of the tokens that `taken` does not name. */
static uint32_t add_missing(pick *picks, uint32_t used, uint32_t missing, uint32_t n,
                            const unsigned char *taken, const fit_rows *given, const float *rows)
{
    uint32_t spare = 0, seen = 0, added = 0;
    for (uint32_t i = 0; i < n; i++) {
        spare += !taken[i];
    }
    for (uint32_t i = 0; i < n && added < missing; i++) {
        if (taken[i] || seen++ != fit_even(spare, missing, added)) {
            continue;
        }
        picks[used + added++] = pick_of((int32_t)i, rows + (size_t)i * given->width);
    }
    return used + added;
}

static void write_out(const pick *picks, uint32_t count, uint32_t width, float *room, float *rows,
                      int32_t *sources)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(room + (size_t)i * width, picks[i].row, width * sizeof *room);
        sources[i] = picks[i].source;
    }
    memcpy(rows, room, (size_t)count * width * sizeof *rows);
}

bool fit(const fit_rows *given, uint32_t n, float *rows, uint32_t count, int32_t *sources)
{
    pick *picks = calloc((size_t)count + 1, sizeof *picks);
    unsigned char *taken = calloc((size_t)n + 1, 1);
    float *room = malloc((size_t)count * given->width * sizeof *room);
    const uint32_t kept = given->count < count ? given->count : count;
    const bool good = picks && taken && room;
    for (uint32_t i = 0; good && i < kept; i++) {
        const uint32_t from = fit_even(given->count, kept, i);
        const int32_t source = given->sources[from];
        picks[i] = pick_of(source, given->rows + (size_t)from * given->width);
        if (source >= 0 && (uint32_t)source < n) {
            taken[source] = 1;
        }
    }
    if (good) {
        const uint32_t used = add_missing(picks, kept, count - kept, n, taken, given, rows);
        /* A pooled row and a token can name one source, so spares never run out: kept rows take at
         * most `kept` of n. */
        qsort(picks, used, sizeof *picks, by_order);
        write_out(picks, used, given->width, room, rows, sources);
    }
    free(picks);
    free(taken);
    free(room);
    return good;
}
