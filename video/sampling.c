/* Which frames to take. */
#include "reader.h"

#include <math.h>

uint64_t frames_uniform_index(uint64_t i, uint64_t total, uint64_t count)
{
    /* floor((i + 0.5) * total / count) in whole numbers, so that no rounding moves a frame. */
    return (2 * i + 1) * total / (2 * count);
}

video_sampler video_sampler_by_time(double fps, uint64_t limit)
{
    return (video_sampler){.period = fps > 0 ? 1.0 / fps : 0, .limit = limit};
}

video_sampler video_sampler_uniform(uint64_t total, uint64_t count)
{
    return (video_sampler){.total = total, .count = count < total ? count : total};
}

bool video_sampler_done(const video_sampler *sampler)
{
    if (sampler->total) {
        return sampler->taken >= sampler->count;
    }
    return sampler->limit && sampler->taken >= sampler->limit;
}

bool video_sampler_takes(video_sampler *sampler, uint64_t index, double seconds)
{
    if (video_sampler_done(sampler)) {
        return false;
    }
    if (sampler->total) {
        if (index != frames_uniform_index(sampler->taken, sampler->total, sampler->count)) {
            return false;
        }
    } else if (sampler->period > 0) {
        /* Times come from counters of a millisecond or so: 0.333 has to count as 1/3. */
        const double slack = fmin(0.0015, sampler->period / 4);
        if (seconds + slack < sampler->due) {
            return false;
        }
        double due = (floor((seconds + slack) / sampler->period) + 1) * sampler->period;
        sampler->due = fmax(due, sampler->due);
    }
    sampler->taken++;
    return true;
}
