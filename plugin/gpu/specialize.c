/* specialize.c: specialization constants, and what shaders compute from them, as plain constants. */
#include "gpu/specialize.h"

#include <string.h>

enum { HEADER_WORDS = 5, BOUND_WORD = 3 };

/* The instructions of SPIR-V that matter here. */
enum {
    CONSTANT_TRUE = 41,
    CONSTANT_FALSE = 42,
    CONSTANT = 43,
    CONSTANT_COMPOSITE = 44,
    SPEC_CONSTANT = 50,
    SPEC_CONSTANT_COMPOSITE = 51,
    SPEC_CONSTANT_OP = 52,
    FUNCTION = 54, /* constants come before */
    DECORATE = 71,
    DECORATION_SPEC_ID = 1
};
enum {
    COMPOSITE_EXTRACT = 81,
    ADD = 128,
    SUBTRACT = 130,
    MULTIPLY = 132,
    DIVIDE = 134,
    REMAINDER = 137,
    SELECT = 169,
    LOGICAL_OR = 166,
    LOGICAL_AND = 167,
    LOGICAL_NOT = 168,
    EQUAL = 170,
    NOT_EQUAL = 171,
    GREATER = 172,
    GREATER_EQUAL = 174,
    LESS = 176,
    LESS_EQUAL = 178,
    SHIFT_LEFT = 196,
    NOT = 200
};

/* Words in the making, and what is known of each id: where in them its constant is defined, and its specialization
 * constant's number. 0: nothing. */
typedef struct folding {
    uint32_t *words, at;
    const uint32_t *values;
    uint32_t count, bound;
    uint32_t *defined, *number; /* [bound]; number: plus 1 */
} folding;

static uint32_t opcode(uint32_t word)
{
    return word & 0xffffu;
}

static uint32_t head(uint32_t op, uint32_t length)
{
    return length << 16 | op;
}

/* Whether id is a constant of one word, and which. */
static bool scalar_of(const folding *f, uint32_t id, uint32_t *value)
{
    const uint32_t *word = f->words + (id < f->bound ? f->defined[id] : 0);
    if (id >= f->bound || !f->defined[id])
        return false;
    *value = opcode(*word) == CONSTANT ? word[3] : opcode(*word) == CONSTANT_TRUE;
    return *word == head(CONSTANT, 4) || opcode(*word) == CONSTANT_TRUE ||
           opcode(*word) == CONSTANT_FALSE;
}

/* a op b. False: an operation that no shader of ours computes constants with. */
static bool evaluate(uint32_t op, uint32_t a, uint32_t b, uint32_t *out, bool *is_bool)
{
    *is_bool = op >= LOGICAL_OR && op <= LESS_EQUAL;
    switch (op) {
    case ADD: *out = a + b; return true;
    case SUBTRACT: *out = a - b; return true;
    case MULTIPLY: *out = a * b; return true;
    case DIVIDE: *out = b ? a / b : 0; return b != 0;
    case REMAINDER: *out = b ? a % b : 0; return b != 0;
    case SHIFT_LEFT: *out = b < 32 ? a << b : 0; return b < 32;
    case NOT: *out = ~a; return true;
    case LOGICAL_OR: *out = a | b; return true;
    case LOGICAL_AND: *out = a & b; return true;
    case LOGICAL_NOT: *out = !a; return true;
    case EQUAL: *out = a == b; return true;
    case NOT_EQUAL: *out = a != b; return true;
    case GREATER: *out = a > b; return true;
    case GREATER_EQUAL: *out = a >= b; return true;
    case LESS: *out = a < b; return true;
    case LESS_EQUAL: *out = a <= b; return true;
    default: return false;
    }
}

static void append(folding *f, const uint32_t *words, uint32_t length)
{
    memcpy(f->words + f->at, words, length * sizeof *words);
    f->at += length;
}

/* condition ? a : b. */
static bool choice_of(const folding *f, const uint32_t *in, uint32_t length, uint32_t *value)
{
    uint32_t condition;
    return length == 7 && scalar_of(f, in[4], &condition) &&
           scalar_of(f, in[condition ? 5 : 6], value);
}

/* An element of a constant of several. */
static bool element_of(const folding *f, const uint32_t *in, uint32_t length, uint32_t *value)
{
    const uint32_t id = in[4];
    if (length != 6 || id >= f->bound || !f->defined[id])
        return false;
    const uint32_t *whole = f->words + f->defined[id];
    return opcode(*whole) == CONSTANT_COMPOSITE && 3 + in[5] < *whole >> 16 &&
           scalar_of(f, whole[3 + in[5]], value);
}

/* A constant that is computed: type, id, operation, operands. What cannot be folded stays, which is right too. */
static void fold_operation(folding *f, const uint32_t *in, uint32_t length)
{
    uint32_t a = 0, b = 0, value = 0;
    bool is_bool = false, known;
    if (in[3] == COMPOSITE_EXTRACT)
        known = element_of(f, in, length, &value);
    else if (in[3] == SELECT)
        known = choice_of(f, in, length, &value); /* of numbers: no shader chooses between truths */
    else
        known = (length == 5 || length == 6) && scalar_of(f, in[4], &a) &&
                (length == 5 || scalar_of(f, in[5], &b)) && evaluate(in[3], a, b, &value, &is_bool);
    if (!known) {
        append(f, in, length);
        return;
    }
    f->defined[in[2]] = f->at;
    if (is_bool)
        append(f, (uint32_t[]){head(value ? CONSTANT_TRUE : CONSTANT_FALSE, 3), in[1], in[2]}, 3);
    else
        append(f, (uint32_t[]){head(CONSTANT, 4), in[1], in[2], value}, 4);
}

static void fold_instruction(folding *f, const uint32_t *in, uint32_t length)
{
    switch (opcode(*in)) {
    case DECORATE:
        if (length == 4 && in[2] == DECORATION_SPEC_ID && in[1] < f->bound && in[3] < f->count)
            f->number[in[1]] = in[3] + 1;
        else
            append(f, in, length);
        return;
    case SPEC_CONSTANT:
        f->defined[in[2]] = f->at;
        append(f, in, length);
        f->words[f->defined[in[2]]] = head(CONSTANT, length);
        if (f->number[in[2]])
            f->words[f->defined[in[2]] + 3] = f->values[f->number[in[2]] - 1];
        return;
    case CONSTANT_TRUE:
    case CONSTANT_FALSE:
    case CONSTANT:
    case CONSTANT_COMPOSITE:
        f->defined[in[2]] = f->at;
        append(f, in, length);
        return;
    case SPEC_CONSTANT_COMPOSITE:
        f->defined[in[2]] = f->at;
        append(f, in, length);
        f->words[f->defined[in[2]]] = head(CONSTANT_COMPOSITE, length);
        return;
    case SPEC_CONSTANT_OP: fold_operation(f, in, length); return;
    default: append(f, in, length);
    }
}

winnow_status wn_specialize(const wn_host *host, const wn_spirv *code, const uint32_t *values,
                            uint32_t count, uint32_t **out, size_t *out_bytes)
{
    const uint32_t *in = code->words, total = (uint32_t)(code->bytes / sizeof *in);
    folding f = {.values = values, .count = count, .bound = in[BOUND_WORD]};
    *out = NULL;
    f.words = wn_alloc(host, code->bytes); /* never longer */
    f.defined = wn_alloc(host, f.bound * sizeof *f.defined);
    f.number = wn_alloc(host, f.bound * sizeof *f.number);
    if (!f.words || !f.defined || !f.number) {
        wn_free(host, f.words);
        wn_free(host, f.defined);
        wn_free(host, f.number);
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "gpu: no memory for a shader's words");
    }
    append(&f, in, HEADER_WORDS);
    uint32_t at = HEADER_WORDS;
    for (; at < total && opcode(in[at]) != FUNCTION; at += in[at] >> 16)
        fold_instruction(&f, in + at, in[at] >> 16);
    append(&f, in + at, total - at);
    wn_free(host, f.defined);
    wn_free(host, f.number);
    *out = f.words;
    *out_bytes = f.at * sizeof *f.words;
    return WINNOW_OK;
}
