#include "bench_inputs.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "half.h"
#include "roles.h"

/* xorshift64*: fast enough for half a gigabyte, and the same everywhere. */
static float uniform(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (float)(*state * 2685821657736338717ull >> 40) / 16777216.0f;
}

/* Attention is positive with few large weights, sizes are 1, all else is spread around 0. */
static float value_of(uint32_t role, const winnow_shape *s, uint64_t *state)
{
    float u = uniform(state);
    if (role == WINNOW_ROLE_SIZES) {
        return 1.0f;
    }
    if (strstr(role_name(role), "attention")) {
        return 5.0f * u * u * u * u / (float)s->tokens;
    }
    return u + uniform(state) - 1.0f;
}

static void *make(const bench_inputs *inputs, uint32_t role)
{
    uint64_t count = role_elements(&inputs->shape, role), state = 0x9e3779b97f4a7c15ull + role;
    void *data = cli_array(count, inputs->dtype == WINNOW_F32 ? 4 : 2);
    float *wide = data;
    uint16_t *narrow = data;

    for (uint64_t i = 0; data && i < count; i++) {
        float value = value_of(role, &inputs->shape, &state);
        if (inputs->dtype == WINNOW_F32) {
            wide[i] = value;
        } else {
            narrow[i] =
                inputs->dtype == WINNOW_F16 ? half_from_float(value) : bfloat_from_float(value);
        }
    }
    return data;
}

bool bench_inputs_make(bench_inputs *inputs, uint32_t bits)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        if (bits & 1u << role && !inputs->data[role]) {
            inputs->data[role] = make(inputs, role);
            if (!inputs->data[role]) {
                return false;
            }
        }
    }
    return true;
}

void bench_inputs_free(bench_inputs *inputs)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        free(inputs->data[role]);
    }
    memset(inputs->data, 0, sizeof inputs->data);
}
