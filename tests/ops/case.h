/* case.h: one random program around one primitive, run on two backends whose results must have the
 * same bits.
 *
 * A case holds the whole of W as constants, A in the slot of tokens, a C in a part of the weights (which
 * the slot of keys fills first), a B that is only read in the slot of text, and for a B that is written either the matrix workspace (a pool of elements that
 * starts with random contents, so that gaps must keep them) or the output for tokens itself. At the
 * end all of W leaves as "assignment" and all of the pool as "tokens". */
#ifndef WINNOW_TESTS_OPS_CASE_H
#define WINNOW_TESTS_OPS_CASE_H

#include "numbers.h"
#include "ops.h"

enum { CASE_OPS = 8, POOL_COLS = 64 };

typedef enum flavour {
    PLAIN, /* +-[1/16, 2]: no subnormal comes of them, which GPUs may flush */
    TIED,  /* a few values again and again */
    WILD   /* some NaN, infinities, zeros of both signs */
} flavour;

/* How words of W are compared: exactly, as floats (any NaN equals any NaN), or not at all. */
typedef enum word_kind { WORDS, REALS, SCRATCH } word_kind;

typedef struct matrix {
    unsigned char *data; /* packed, owned by the case */
    uint32_t rows, cols;
    uint8_t dtype;
} matrix;

typedef struct ops_case {
    uint64_t random;
    uint32_t round; /* of this primitive: walks through sizes and types */
    char what[200]; /* the parameters, for messages */
    uint32_t *w;
    unsigned char *kinds; /* [w_count] word_kind */
    uint32_t w_count;
    wn_op ops[CASE_OPS];
    uint32_t op_count;
    matrix a, b_in, pool;
    matrix weights; /* words, around C */
    wn_ref c_ref;
    uint32_t c_stride;
    matrix out[WINNOW_OUT_COUNT]; /* data unused: shapes */
    uint32_t emit_first; /* set where an operation of the generator's writes outputs itself */
    bool writes_out;
    bool a_may_move; /* use_a may put A into a pool of its own, at any element and stride */
} ops_case;

/* -- random numbers -- */
uint32_t below(ops_case *c, uint32_t n); /* 0 .. n-1 */
bool chance(ops_case *c, uint32_t percent);
float value(ops_case *c, flavour f);
flavour any_flavour(ops_case *c);
uint32_t any_size(ops_case *c, uint32_t most); /* 1 .. most: odd, prime, above a workgroup */
bool many_groups(ops_case *c); /* true in a round: more workgroups than one dimension has */
uint32_t any_cols(ops_case *c, uint32_t most);
uint8_t any_dtype(ops_case *c); /* f32, f16, bf16 */

/* -- W: each gives the offset of a new array -- */
uint32_t array(ops_case *c, uint32_t n, word_kind kind); /* random garbage */
uint32_t reals(ops_case *c, uint32_t n, flavour f);
uint32_t positive(ops_case *c, uint32_t n); /* weights and sizes, 0.25 .. 4 */
uint32_t words_below(ops_case *c, uint32_t n, uint32_t limit);
uint32_t flags(ops_case *c, uint32_t n, uint32_t percent);
uint32_t ramp(ops_case *c, uint32_t n); /* 0, 1, ..., n-1 */
/* A shuffle of 0 .. n-1. */
uint32_t shuffled(ops_case *c, uint32_t n);
/* Rows of a matrix: a shuffle, with some that are none. */
uint32_t row_list(ops_case *c, uint32_t n, bool with_none);

/* A set of `n` positions in ragged segments, some of them empty. n_max is sometimes more than n. */
typedef struct segments {
    uint32_t segs, at, n, n_max, width;
} segments;
segments any_segments(ops_case *c, uint32_t n);
uint32_t seg_begin(const ops_case *c, const segments *s, uint32_t k); /* k <= segs */
/* A count a segment, up to a little more than its tokens. */
uint32_t counts(ops_case *c, const segments *s);
/* A permutation of 0.. in each segment. */
uint32_t ranks(ops_case *c, const segments *s);

/* Some positions of each segment, ascending; pos == WN_NONE: all of them. */
typedef struct list {
    segments seg;
    uint32_t pos;
} list;
list any_list(ops_case *c, const segments *s, uint32_t percent);
uint32_t list_position(const ops_case *c, const list *l, uint32_t e);

/* -- matrices -- */
void make_matrix(ops_case *c, matrix *m, uint32_t rows, uint32_t cols, uint8_t dtype, flavour f);
void put_element(matrix *m, uint32_t r, uint32_t c, float x);
/* C, with an even stride of its own and `tail` f32 words behind it; their place among the "C words". */
uint32_t make_c(ops_case *c, uint32_t rows, uint32_t cols, uint8_t dtype, flavour f, uint32_t tail);
void put_c(ops_case *c, uint32_t row, uint32_t col, float x);
void put_c_word(ops_case *c, uint32_t at, float x);
/* The pool of `elements`, rounded up; views of it start at an element. */
void make_pool(ops_case *c, uint64_t elements, uint8_t dtype);

/* -- operations -- */
wn_op *add_op(ops_case *c, uint16_t kind, uint64_t items, const void *args, size_t bytes);
#define ADD(c, name, items, ...)                                          \
    add_op(c, WN_OP_##name, items, &(struct wn_args_##name){__VA_ARGS__}, \
           sizeof(struct wn_args_##name))
void use_a(ops_case *c, wn_op *op);
void use_b_in(ops_case *c, wn_op *op);
void use_c(ops_case *c, wn_op *op);
void write_pool(ops_case *c, wn_op *op, uint64_t first_element, uint32_t stride);
/* The op writes output `out` itself, rows x cols elements. */
void write_out(ops_case *c, wn_op *op, uint32_t out, uint32_t rows, uint32_t cols, uint8_t dtype);
/* Shape of an output that an emit_meta of the generator's writes; the count word must be among. */
void expect_out(ops_case *c, uint32_t out, uint32_t rows, uint32_t cols, uint8_t dtype);

/* After the generator: the pool gets its contents first, W and the pool leave last. */
void close_case(ops_case *c);

void case_init(ops_case *c, uint64_t seed, uint32_t round);
void case_free(ops_case *c);
void describe(ops_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Generators, one a primitive. */
#define OP(name, grouping) void gen_##name(ops_case *c);
#include "../../shaders/ops.def"
#undef OP

/* -- running -- */
typedef struct result {
    unsigned char *out[WINNOW_OUT_COUNT]; /* as in ops_case.out, rows `pad` elements apart */
    uint32_t pad;
    const double *slack; /* slack_of_case of what it is compared with, or NULL */
} result;

/* Runs the case with rows of host memory `pad` elements further apart than they are long. */
bool run_case(winnow_device *device, const ops_case *c, uint32_t pad, result *r);
void result_free(result *r);
/* The number of elements that differ (by more than got->slack, if that is there); says where the
 * first ones are. */
uint64_t compare(const ops_case *c, const result *expected, const result *got);

size_t dtype_bytes(uint8_t dtype);

#endif
