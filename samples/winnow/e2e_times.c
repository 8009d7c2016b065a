#include <stdlib.h>
#include <time.h>

#include "e2e.h"

enum { ROUNDS_LEAST = 5, ROUNDS_MOST = 25, ROUNDS_SLOW = 3, ROUNDS_TIRED = 2 };
/* Over `slow` a round three must do, over `tired` two. */
static const double slow_seconds = 20.0, tired_seconds = 60.0, enough_seconds = 30.0;

static double milliseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

e2e_time e2e_now(void)
{
    return (e2e_time){milliseconds(CLOCK_MONOTONIC), milliseconds(CLOCK_PROCESS_CPUTIME_ID)};
}

e2e_time e2e_minus(e2e_time a, e2e_time b)
{
    return (e2e_time){a.wall - b.wall, a.cpu - b.cpu};
}

e2e_time e2e_since(e2e_time start)
{
    return e2e_minus(e2e_now(), start);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the two nearest samples, as numpy's percentile has it. */
static double at(const double *sorted, uint32_t count, double share)
{
    double place = share * (double)(count - 1);
    uint32_t below = (uint32_t)place, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

e2e_quartiles e2e_quartiles_of(const e2e_time *samples, uint32_t count, bool cpu)
{
    double sorted[E2E_ROUNDS_MAX * E2E_REPEATS];
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = cpu ? samples[i].cpu : samples[i].wall;
    }
    qsort(sorted, count, sizeof *sorted, by_size);
    return (e2e_quartiles){at(sorted, count, 0.25), at(sorted, count, 0.5),
                           at(sorted, count, 0.75)};
}

uint32_t e2e_rounds(uint32_t asked, bool quick, double seconds)
{
    if (asked || quick) {
        return asked ? asked : 1;
    }
    if (seconds > slow_seconds) {
        return seconds > tired_seconds ? ROUNDS_TIRED : ROUNDS_SLOW;
    }
    double fit = enough_seconds / (seconds > 1e-6 ? seconds : 1e-6);
    return fit < ROUNDS_LEAST ? ROUNDS_LEAST : fit > ROUNDS_MOST ? ROUNDS_MOST : (uint32_t)fit;
}
