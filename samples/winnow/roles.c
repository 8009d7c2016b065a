#include "roles.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define FIELD(member) offsetof(winnow_shape, member)
enum { DIM_ALL_TOKENS = 0xffff }; /* T * N: no field of its own */

/* Dimensions from the first to the last, as fields of winnow_shape. */
static const struct {
    const char *name, *shape;
    uint32_t rank;
    size_t dims[4];
} roles[WINNOW_ROLE_COUNT] = {
    [WINNOW_ROLE_TOKENS] = {"tokens", "[T,N,D]", 3, {FIELD(frames), FIELD(tokens), FIELD(dim)}},
    [WINNOW_ROLE_SIZES] = {"sizes", "[T,N]", 2, {FIELD(frames), FIELD(tokens)}},
    [WINNOW_ROLE_KEYS] = {"keys", "[T,N,Dk]", 3, {FIELD(frames), FIELD(tokens), FIELD(key_dim)}},
    [WINNOW_ROLE_QUERIES] = {"queries",
                             "[T,N,Dk]",
                             3,
                             {FIELD(frames), FIELD(tokens), FIELD(key_dim)}},
    [WINNOW_ROLE_CLS] = {"cls", "[T,D]", 2, {FIELD(frames), FIELD(dim)}},
    [WINNOW_ROLE_CLS_ATTENTION] = {"cls_attention",
                                   "[T,H,N]",
                                   3,
                                   {FIELD(frames), FIELD(heads), FIELD(tokens)}},
    [WINNOW_ROLE_TEXT] = {"text", "[M,Dt]", 2, {FIELD(text_rows), FIELD(text_dim)}},
    [WINNOW_ROLE_IMAGE_EMBEDS] = {"image_embeds",
                                  "[T,N,Di]",
                                  3,
                                  {FIELD(frames), FIELD(tokens), FIELD(image_dim)}},
    [WINNOW_ROLE_LLM_ATTENTION] = {"llm_attention",
                                   "[H,T*N]",
                                   2,
                                   {FIELD(llm_heads), DIM_ALL_TOKENS}},
    [WINNOW_ROLE_FRAME_EMBEDS] = {"frame_embeds", "[T,De]", 2, {FIELD(frames), FIELD(frame_dim)}},
    [WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW] = {"received_attention_shallow",
                                                "[T,N]",
                                                2,
                                                {FIELD(frames), FIELD(tokens)}},
    [WINNOW_ROLE_RECEIVED_ATTENTION_DEEP] = {"received_attention_deep",
                                             "[T,N]",
                                             2,
                                             {FIELD(frames), FIELD(tokens)}},
    [WINNOW_ROLE_CLS_ATTENTION_SHALLOW] = {"cls_attention_shallow",
                                           "[T,H,N]",
                                           3,
                                           {FIELD(frames), FIELD(heads), FIELD(tokens)}},
    [WINNOW_ROLE_TEXT_ATTENTION] = {"text_attention",
                                    "[H,M,T*N]",
                                    3,
                                    {FIELD(llm_heads), FIELD(text_rows), DIM_ALL_TOKENS}},
    [WINNOW_ROLE_TEXT_KEYS] = {"text_keys", "[M,Dk]", 2, {FIELD(text_rows), FIELD(key_dim)}},
    [WINNOW_ROLE_ATTENTION] = {"attention",
                               "[T,H,N,N]",
                               4,
                               {FIELD(frames), FIELD(heads), FIELD(tokens), FIELD(tokens)}},
    [WINNOW_ROLE_ATTENTION_TO_TEXT] = {"attention_to_text",
                                       "[H,T*N,M]",
                                       3,
                                       {FIELD(llm_heads), DIM_ALL_TOKENS, FIELD(text_rows)}},
    [WINNOW_ROLE_GROUPS] = {"groups", "[T,N]", 2, {FIELD(frames), FIELD(tokens)}},
    [WINNOW_ROLE_SALIENCY] = {"saliency", "[T,N]", 2, {FIELD(frames), FIELD(tokens)}},
};

static const struct {
    const char *name;
    st_dtype file;
} floats[] = {[WINNOW_F32] = {"f32", ST_F32},
              [WINNOW_F16] = {"f16", ST_F16},
              [WINNOW_BF16] = {"bf16", ST_BF16}};
enum { FLOAT_COUNT = sizeof floats / sizeof floats[0] };

const char *role_name(uint32_t role)
{
    return roles[role].name;
}

const char *role_shape(uint32_t role)
{
    return roles[role].shape;
}

const char *role_list(uint32_t bits, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "-");
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT && used < size; role++) {
        if (bits & 1u << role) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     roles[role].name);
        }
    }
    return text;
}

int32_t role_dtype(st_dtype dtype)
{
    for (int32_t i = 0; i < FLOAT_COUNT; i++) {
        if (floats[i].file == dtype) {
            return i;
        }
    }
    return -1;
}

st_dtype role_st_dtype(int32_t dtype)
{
    return floats[dtype].file;
}

int32_t role_dtype_named(const char *name)
{
    for (int32_t i = 0; i < FLOAT_COUNT; i++) {
        if (strcmp(floats[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int role_integers(const st_tensor *tensor, const char *path, size_t count, int64_t *out)
{
    if ((tensor->dtype != ST_I32 && tensor->dtype != ST_I64) || tensor->count != count) {
        char shape[128];
        return cli_fail("%s: \"%s\" is %s %s (it must be I32 or I64 with %zu numbers)", path,
                        tensor->name, st_dtype_name(tensor->dtype),
                        st_shape_text(tensor, shape, sizeof shape), count);
    }
    for (size_t i = 0; i < count; i++) {
        if (tensor->dtype == ST_I32) {
            int32_t value;
            memcpy(&value, tensor->data + 4 * i, sizeof value);
            out[i] = value;
        } else {
            memcpy(&out[i], tensor->data + 8 * i, sizeof out[i]);
        }
    }
    return CLI_DONE;
}

static int read_grid(winnow_shape *shape, const st_file *file, const char *path)
{
    const st_tensor *grid = st_find(file, "grid");
    int64_t sizes[3];
    if (!grid) {
        return CLI_DONE;
    }
    int status = role_integers(grid, path, 3, sizes);
    if (status) {
        return status;
    }
    for (int i = 0; i < 3; i++) {
        if (sizes[i] < 1 || sizes[i] > INT32_MAX) {
            return cli_fail(
                "%s: \"grid\" holds %lld (give frames, rows and columns, each from 1 on)", path,
                (long long)sizes[i]);
        }
    }
    shape->frames = (uint32_t)sizes[0];
    shape->grid_h = (uint32_t)sizes[1];
    shape->grid_w = (uint32_t)sizes[2];
    return CLI_DONE;
}

uint64_t role_elements(const winnow_shape *shape, uint32_t role)
{
    uint64_t count = 1;
    for (uint32_t i = 0; i < roles[role].rank; i++) {
        const size_t field = roles[role].dims[i];
        uint32_t size = 0;
        if (field != DIM_ALL_TOKENS) {
            memcpy(&size, (const char *)shape + field, sizeof size);
        }
        if (field == FIELD(image_dim) && !size) {
            size = shape->text_dim;
        }
        count *= field == DIM_ALL_TOKENS ? (uint64_t)shape->frames * shape->tokens : size;
    }
    return count;
}

/* Sets a size that is not known yet; false if another tensor said otherwise. */
static bool agree(winnow_shape *shape, size_t field, uint64_t size)
{
    uint32_t *known = (uint32_t *)(void *)((char *)shape + field);
    if (field == DIM_ALL_TOKENS) {
        uint64_t all = (uint64_t)shape->frames * shape->tokens;
        return all == 0 || all == size;
    }
    if (*known == 0) {
        *known = (uint32_t)size;
    }
    return *known == size;
}

static int misfit(const winnow_shape *shape, const st_tensor *tensor, uint32_t role,
                  const char *path)
{
    char text[128];
    return cli_fail("%s: \"%s\" %s does not fit the rest: T=%u, N=%u, D=%u, grid %ux%u (it must be "
                    "%s)",
                    path, roles[role].name, st_shape_text(tensor, text, sizeof text), shape->frames,
                    shape->tokens, shape->dim, shape->grid_h, shape->grid_w, roles[role].shape);
}

/* The tensor's sizes, spread to the role's rank: tokens [T*N,D] of a grid, or a leading T of 1 that
 * was left out. False: neither. */
static bool full_shape(const winnow_shape *shape, const st_tensor *tensor, uint32_t role,
                       uint64_t sizes[4])
{
    uint32_t rank = roles[role].rank, given = tensor->rank;
    bool starts_with_frames = roles[role].dims[0] == FIELD(frames);

    if (given != rank && !(starts_with_frames && given + 1 == rank)) {
        return false;
    }
    sizes[0] = 1;
    memcpy(sizes + (rank - given), tensor->shape, given * sizeof *sizes);
    if (given + 1 == rank && shape->frames > 1 && roles[role].dims[1] == FIELD(tokens) &&
        sizes[1] % shape->frames == 0) {
        sizes[0] = shape->frames;
        sizes[1] /= shape->frames;
    }
    return true;
}

static int read_role(role_inputs *inputs, const st_tensor *tensor, uint32_t role, const char *path)
{
    uint64_t sizes[4];
    char text[128];
    size_t element = st_dtype_bytes(tensor->dtype);

    inputs->dtype[role] = role_dtype(tensor->dtype);
    if (inputs->dtype[role] < 0) {
        return cli_fail("%s: \"%s\" is %s (convert it to F32, F16 or BF16)", path, roles[role].name,
                        st_dtype_name(tensor->dtype));
    }
    if (!full_shape(&inputs->shape, tensor, role, sizes)) {
        return cli_fail("%s: \"%s\" has the shape %s (it must be %s)", path, roles[role].name,
                        st_shape_text(tensor, text, sizeof text), roles[role].shape);
    }
    for (uint32_t i = 0; i < roles[role].rank; i++) {
        if (sizes[i] == 0 || sizes[i] > INT32_MAX) {
            return cli_fail("%s: \"%s\" has the shape %s (each size must be 1 to %d)", path,
                            roles[role].name, st_shape_text(tensor, text, sizeof text), INT32_MAX);
        }
        if (!agree(&inputs->shape, roles[role].dims[i], sizes[i])) {
            return misfit(&inputs->shape, tensor, role, path);
        }
    }
    inputs->in[role].data = (void *)(uintptr_t)tensor->data; /* only read */
    if ((uintptr_t)tensor->data % element != 0) {
        inputs->copies[role] = cli_array(tensor->count, element);
        if (!inputs->copies[role]) {
            return cli_fail("%s: out of memory for \"%s\"", path, roles[role].name);
        }
        memcpy(inputs->copies[role], tensor->data, (size_t)tensor->bytes);
        inputs->in[role].data = inputs->copies[role];
    }
    inputs->roles |= 1u << role;
    return CLI_DONE;
}

static int check_grid(const winnow_shape *shape, const char *path)
{
    if (shape->grid_h && (uint64_t)shape->grid_h * shape->grid_w != shape->tokens) {
        return cli_fail(
            "%s: \"grid\" says %u x %u x %u, but there are %u x %u tokens (make T*H*W of "
            "the grid the number of tokens)",
            path, shape->frames, shape->grid_h, shape->grid_w, shape->frames, shape->tokens);
    }
    return CLI_DONE;
}

int role_inputs_read(role_inputs *inputs, const st_file *file, const char *path, const char *spec,
                     uint32_t needed, uint32_t optional)
{
    int status;
    memset(inputs, 0, sizeof *inputs);
    status = read_grid(&inputs->shape, file, path);
    for (uint32_t role = 0; status == CLI_DONE && role < WINNOW_ROLE_COUNT; role++) {
        const st_tensor *tensor = st_find(file, roles[role].name);
        if (!((needed | optional) & 1u << role)) {
            continue; /* what the pipeline does not use is not its business */
        }
        if (tensor) {
            status = read_role(inputs, tensor, role, path);
        } else if (needed & 1u << role) {
            status = cli_fail("%s: it has no \"%s\", which \"%s\" needs (add %s to the file, or "
                              "choose a stage that does without: winnow stages)",
                              path, roles[role].name, spec, roles[role].shape);
        }
    }
    if (status == CLI_DONE) {
        status = check_grid(&inputs->shape, path);
    }
    if (status != CLI_DONE) {
        role_inputs_free(inputs);
    }
    return status;
}

void role_inputs_free(role_inputs *inputs)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        free(inputs->copies[role]);
    }
    memset(inputs, 0, sizeof *inputs);
}
