#include "ops.h"

#define OP(name, grouping) #name,
static const char *const names[WN_OP_COUNT] = {
#include "../shaders/ops.def"
};
#undef OP

#define OP(name, grouping) WN_##grouping,
static const enum wn_grouping groupings[WN_OP_COUNT] = {
#include "../shaders/ops.def"
};
#undef OP

/* Push constants: 128 bytes are all that every device has. */
#define OP(name, grouping) \
    _Static_assert(sizeof(struct wn_args_##name) <= sizeof(uint32_t) * WN_ARGS_WORDS, #name);
#include "../shaders/ops.def"
#undef OP

const char *wn_op_name(uint32_t kind)
{
    return kind < WN_OP_COUNT ? names[kind] : "unknown";
}

enum wn_grouping wn_op_grouping(uint32_t kind)
{
    return groupings[kind];
}
