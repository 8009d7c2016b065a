#include "bench_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANDOM "weights=@random"

/* Rows and columns of each tensor; 0: the tokens' channels. */
static const struct {
    const char *stage, *name;
    uint32_t rows, cols;
} tensors[] = {
    {"flash", "queries", 64, 0},
    {"hicom", "local_compressor.readout.0.weight", 0, 0},
    {"hicom", "local_compressor.readout.2.weight", 0, 0},
    {"hicom", "global_compressor.query", 32, 0},
    {"hicom", "global_compressor.attn_layer.q_proj.weight", 0, 0},
    {"hicom", "global_compressor.attn_layer.k_proj.weight", 0, 0},
    {"hicom", "global_compressor.attn_layer.v_proj.weight", 0, 0},
    {"hicom", "global_compressor.attn_layer.out_proj.weight", 0, 0},
    {"hicom", "global_compressor.readout.0.weight", 0, 0},
    {"hicom", "global_compressor.readout.2.weight", 0, 0},
    {"explain", "layer1.depth.weight", 3, 1},
    {"explain", "layer1.weight", 1, 32},
    {"explain", "layer2.depth.weight", 3, 32},
    {"explain", "layer2.weight", 32, 64},
    {"explain", "layer3.depth.weight", 3, 64},
    {"explain", "layer3.weight", 64, 128},
    {"explain", "layer4.depth.weight", 3, 128},
    {"explain", "layer4.weight", 128, 256},
    {"explain", "layer5.depth.weight", 3, 256},
    {"explain", "layer5.weight", 256, 512},
    {"explain", "layer6.weight", 512, 1},
};

/* Metadata that a stage wants beside its name. */
static const struct {
    const char *stage, *text;
} notes[] = {{"explain", ",\"kernel\":\"3\""}};

enum { TENSORS = sizeof tensors / sizeof *tensors, HEADER = 4096 };

static const char *notes_of(const char *stage)
{
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        if (strcmp(notes[i].stage, stage) == 0) {
            return notes[i].text;
        }
    }
    return "";
}

static uint64_t elements(size_t i, uint32_t dim)
{
    return (uint64_t)(tensors[i].rows ? tensors[i].rows : dim) *
           (tensors[i].cols ? tensors[i].cols : dim);
}

/* The header of the tensors of a stage, f16; *bytes: of their data. */
static int make_header(char text[HEADER], const char *stage, uint32_t dim, uint64_t *bytes)
{
    int used =
        snprintf(text, HEADER,
                 "{\"__metadata__\":{\"winnow.stage\":\"%s\",\"winnow.version\":\"1\"%s}", stage,
                 notes_of(stage));
    *bytes = 0;
    for (size_t i = 0; i < TENSORS && used < HEADER; i++) {
        if (strcmp(tensors[i].stage, stage) != 0) {
            continue;
        }
        const uint64_t end = *bytes + 2 * elements(i, dim);
        used +=
            snprintf(text + used, (size_t)(HEADER - used),
                     ",\"%s\":{\"dtype\":\"F16\",\"shape\":[%u,%u],\"data_offsets\":[%llu,%llu]}",
                     tensors[i].name, tensors[i].rows ? tensors[i].rows : dim,
                     tensors[i].cols ? tensors[i].cols : dim, (unsigned long long)*bytes,
                     (unsigned long long)end);
        *bytes = end;
    }
    if (used < HEADER) {
        used += snprintf(text + used, (size_t)(HEADER - used), "}");
    }
    return used < HEADER ? used : -1;
}

/* Halves of 1/64 to 1/32, of both signs: products of a few thousand of them stay near 1. */
static void fill(unsigned char *data, uint64_t bytes)
{
    uint32_t state = 1;
    for (uint64_t at = 0; at < bytes; at += 2) {
        state = state * 1664525u + 1013904223u;
        const uint16_t half =
            (uint16_t)(0x2400u | (state >> 22 & 0x3ffu) | (state >> 16 & 0x8000u));
        memcpy(data + at, &half, sizeof half);
    }
}

/* The stage that the spec begins with. */
static void stage_of(const char *spec, char *name, size_t size)
{
    snprintf(name, size, "%.*s", (int)strcspn(spec, "=,:"), spec);
}

winnow_status bench_pipeline(const winnow_api *api, const winnow_host *host, const char *spec,
                             uint32_t dim, winnow_pipeline **out)
{
    char stage[32], header[HEADER];
    uint64_t bytes;
    if (!strstr(spec, RANDOM) || !WINNOW_HAS(api, pipeline_create_weights)) {
        return api->pipeline_create(host, spec, out);
    }
    stage_of(spec, stage, sizeof stage);
    const int length = make_header(header, stage, dim, &bytes);
    unsigned char *file = length < 0 ? NULL : malloc(8 + (size_t)length + bytes);
    if (!file) {
        *out = NULL;
        return WINNOW_E_HOST_MEMORY;
    }
    for (int i = 0; i < 8; i++) {
        file[i] = (unsigned char)((uint64_t)length >> 8 * i);
    }
    memcpy(file + 8, header, (size_t)length);
    fill(file + 8 + length, bytes);
    const winnow_blob blob = {"random", file, 8 + (uint64_t)length + bytes};
    const winnow_status status = api->pipeline_create_weights(host, spec, &blob, 1, out);
    free(file);
    return status;
}
