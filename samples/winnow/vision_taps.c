#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "vision_parts.h"

static const char *const names[WINNOW_TAP_COUNT] = {
    [WINNOW_TAP_HIDDEN] = "hidden",
    [WINNOW_TAP_KEYS] = "keys",
    [WINNOW_TAP_QUERIES] = "queries",
    [WINNOW_TAP_CLASS] = "cls_attention",
    [WINNOW_TAP_RECEIVED] = "received_attention",
    [WINNOW_TAP_POOL] = "pool_attention",
    [WINNOW_TAP_FINAL] = "final",
};

static bool has_layer(int32_t kind)
{
    return kind != WINNOW_TAP_POOL && kind != WINNOW_TAP_FINAL;
}

/* "keys:-1" of `length` bytes. */
static bool read_tap(const char *text, size_t length, vision_tap *out)
{
    char copy[64], *end;
    if (length == 0 || length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = 0;
    char *colon = strchr(copy, ':');
    if (colon) {
        *colon = 0;
    }
    for (int32_t kind = 0; kind < WINNOW_TAP_COUNT; kind++) {
        if (strcmp(names[kind], copy) != 0 || !colon != !has_layer(kind)) {
            continue;
        }
        long layer = colon ? strtol(colon + 1, &end, 10) : 0;
        if (colon && (end == colon + 1 || *end || layer < -1000 || layer > 1000)) {
            return false;
        }
        out->tap = (winnow_tap){kind, (int32_t)layer};
        memcpy(out->name, text, length);
        out->name[length] = 0;
        if (colon) {
            out->name[colon - copy] = '.';
        }
        return true;
    }
    return false;
}

int vision_taps_read(vision *v, const char *list)
{
    uint32_t count = 2;
    for (const char *c = list ? list : ""; *c; c++) {
        count += *c == ',';
    }
    v->taps = calloc(count, sizeof *v->taps);
    if (!v->taps) {
        return cli_fail("--taps: out of memory");
    }
    for (const char *at = list; at && *at;) {
        size_t length = strcspn(at, ",");
        if (length == strlen("pixels") && memcmp(at, "pixels", length) == 0) {
            v->wants_pixels = true;
            at += length;
            at += *at == ',';
            continue;
        }
        if (!read_tap(at, length, &v->taps[v->tap_count])) {
            return cli_misuse(
                "--taps: \"%.*s\" is none (hidden:L, keys:L, queries:L, cls_attention:L, "
                "received_attention:L, pool_attention, final and pixels are; "
                "L counts from 0 or -1)",
                (int)length, at);
        }
        v->tap_count++;
        at += length;
        at += *at == ',';
    }
    return CLI_DONE;
}

/* Each tap as large as all frames make it. */
int vision_taps_room(vision *v, uint32_t groups, uint32_t cells)
{
    const winnow_model_info *model = &v->model;
    for (uint32_t i = 0; i < v->tap_count; i++) {
        vision_tap *t = &v->taps[i];
        bool attention = t->tap.kind >= WINNOW_TAP_CLASS && t->tap.kind <= WINNOW_TAP_POOL;
        t->shape[0] = groups;
        t->shape[1] = attention ? model->heads : cells + model->special_rows;
        t->shape[2] = attention ? cells : model->width;
        t->data = cli_array(t->shape[0] * t->shape[1] * t->shape[2], sizeof *t->data);
        if (!t->data) {
            return cli_fail("--taps: out of memory for %s", t->name);
        }
    }
    return CLI_DONE;
}
