/* Quadtrees of tokens. */
#include <math.h>

#include "expect.h"

#define NONE WN_NONE

/* A frame of 3 x 3: node 0 has token 0 alone, node 1 tokens 1 and 2, node 2 tokens 3 and 6, node 3 the others, of which one
 * differs. With `missing` nodes 1 and 2 are compared with token 0, too. */
static void expect_split(expectations *e)
{
    const float tokens[18] = {0.0f, 1.0f, 1.0f, 0.0f, 1.0f, 0.0f, 1.0f, 0.0f, 1.0f,
                              0.0f, 0.0f, 1.0f, 1.0f, 0.0f, 1.0f, 0.0f, 1.0f, 0.0f};
    const float nodes[8] = {0.0f, 1.0f, 1.0f, 0.0f, 1.0f, 0.0f, 0.75f, 0.25f};
    for (uint32_t missing = 0; missing < 2; ++missing) {
        ops_case c;
        case_init(&c, 20, 0);
        set_a(&c, 9, 2, tokens);
        make_c(&c, 4, 2, WINNOW_F32, PLAIN, 0);
        for (uint32_t i = 0; i < 8; ++i)
            put_c(&c, i / 2, i % 2, nodes[i]);
        const uint32_t own = WORDS_OF(&c, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE),
                       copy = array(&c, 4, WORDS);
        wn_op *op = ADD(&c, quad_split, 4, .frames = 1, .h = 3, .w = 3, .level = 1, .cols = 2,
                        .list_at = NONE, .own_at = own, .copy_at = copy, .top = 1,
                        .missing = missing, .limit = 0.5f);
        use_a(&c, op);
        use_c(&c, op);
        outcome o = run_expected(e, &c);
        if (missing) {
            CHECK_WORDS(e, "quad_split: missing children", o.w + own, 1, 0, 0, 0, 0, 0, 0, 0, 0);
            CHECK_WORDS(e, "quad_split: nodes that stay", o.w + copy, 0, NONE, NONE, NONE);
        } else {
            CHECK_WORDS(e, "quad_split", o.w + own, 1, 1, NONE, 1, 0, 0, NONE, 0, 0);
            CHECK_WORDS(e, "quad_split: nodes", o.w + copy, 0, 1, 3, NONE);
        }
        outcome_free(&o);
    }
}

/* What a level above left: node 0 is not asked, node 1 stays, node 2 is NaN. */
static void expect_split_below(expectations *e)
{
    ops_case c;
    case_init(&c, 21, 0);
    set_a(&c, 12, 1,
          (float[]){0.0f, 0.0f, 1.0f, 2.0f, 3.0f, 3.0f, 0.0f, 0.0f, 1.0f, 2.0f, 3.0f, 3.0f});
    make_c(&c, 3, 1, WINNOW_F32, PLAIN, 0);
    const float nodes[3] = {0.0f, 2.0f, NAN};
    for (uint32_t i = 0; i < 3; ++i)
        put_c(&c, i, 0, nodes[i]);
    const uint32_t own =
                       WORDS_OF(&c, 2, NONE, 1, NONE, 1, NONE, NONE, NONE, NONE, NONE, NONE, NONE),
                   copy = array(&c, 3, WORDS);
    wn_op *op = ADD(&c, quad_split, 3, .frames = 1, .h = 2, .w = 6, .level = 1, .cols = 1,
                    .list_at = NONE, .own_at = own, .copy_at = copy, .limit = 0.99f);
    use_a(&c, op);
    use_c(&c, op);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "quad_split: below", o.w + own, 2, NONE, 1, NONE, 0, 0, NONE, NONE, NONE, NONE,
                0, 0);
    CHECK_WORDS(e, "quad_split: asked", o.w + copy, NONE, 2, NONE);
    outcome_free(&o);
}

/* What expect_split leaves of the 3 x 3 tokens. */
static void expect_owner(expectations *e)
{
    for (uint32_t sized = 0; sized < 2; ++sized) {
        ops_case c;
        case_init(&c, 22, 0);
        const uint32_t own = WORDS_OF(&c, 1, 1, NONE, 1, 0, 0, NONE, 0, 0);
        const uint32_t sizes = REALS_OF(&c, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        const uint32_t owner = array(&c, 9, WORDS), node = array(&c, 9, WORDS),
                       copy = array(&c, 9, WORDS), count = array(&c, 9, REALS),
                       sum = array(&c, 9, REALS);
        ADD(&c, quad_owner, 9, .frames = 1, .h = 3, .w = 3, .top = 1, .own_at = own,
            .owner_at = owner, .node_at = node, .copy_at = copy, .count_at = count,
            .sizes_at = sized ? sizes : NONE, .sizes_out_at = sum);
        outcome o = run_expected(e, &c);
        CHECK_WORDS(e, "quad_owner", o.w + owner, 0, 1, 1, 3, 4, 5, 3, 7, 8);
        CHECK_WORDS(e, "quad_owner: nodes", o.w + node, 1, 1, 0, 1, 1, 1, 0, 1, 1);
        CHECK_WORDS(e, "quad_owner: tokens alone", o.w + copy, NONE, NONE, NONE, NONE, 4, 5, NONE,
                    7, 8);
        CHECK_REALS(e, "quad_owner: counts", (float *)(void *)(o.w + count), 1, 2, 0, 2, 1, 1, 0, 1,
                    1);
        if (sized)
            CHECK_REALS(e, "quad_owner: sizes", (float *)(void *)(o.w + sum), 1, 5, 0, 11, 5, 6, 0,
                        8, 9);
        else
            CHECK_REALS(e, "quad_owner: sizes of tokens", (float *)(void *)(o.w + sum), 1, 2, 0, 2,
                        1, 1, 0, 1, 1);
        outcome_free(&o);
    }
}

/* Frames of 2 x 2: tokens alone, then a block, then a block. One token is across the block behind it, one is NaN; cos 45 is 0.7071. */
static void expect_linked(expectations *e)
{
    const float rows[24] = {1.0f, 0.0f, 0.0f, 1.0f, 1.0f, 1.0f, NAN, 0.0f, 1.0f, 0.0f, [16] = 2.0f};
    ops_case c;
    case_init(&c, 23, 0);
    set_a(&c, 12, 2, rows);
    const uint32_t node = WORDS_OF(&c, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0),
                   own = WORDS_OF(&c, 0, 0, 0, 0, 1, NONE, NONE, NONE, 1, NONE, NONE, NONE),
                   owner = WORDS_OF(&c, 0, 1, 2, 3, 4, 4, 4, 4, 8, 8, 8, 8),
                   ahead = array(&c, 12, WORDS), behind = array(&c, 12, WORDS);
    use_a(&c, ADD(&c, quad_links, 12, .frames = 3, .tokens = 4, .cols = 2, .node_at = node,
                  .own_at = own, .owner_at = owner, .ahead_at = ahead, .behind_at = behind,
                  .limit = 0.7f));
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "quad_links: ahead", o.w + ahead, 4, NONE, 4, NONE, NONE, NONE, NONE, NONE, NONE,
                NONE, NONE, NONE);
    CHECK_WORDS(e, "quad_links: behind", o.w + behind, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
                NONE, 4, NONE, NONE, NONE);
    outcome_free(&o);
}

/* Four tokens under a block, place 4, and where `longer` a chain of four beside them. The first round gives the block label 0 and
 * the tokens none; the authors stop there unless something else, the chain, needs a round more. */
static void expect_union(expectations *e)
{
    for (uint32_t round = 0; round < 3; ++round) {
        const bool agree = round == 1, longer = round == 2;
        ops_case c;
        case_init(&c, 24, 0);
        const uint32_t ahead = WORDS_OF(&c, 4, 4, 4, 4, NONE, NONE, NONE, NONE, NONE);
        const uint32_t behind = WORDS_OF(&c, NONE, NONE, NONE, NONE, NONE, NONE, longer ? 5 : NONE,
                                         longer ? 6 : NONE, longer ? 7 : NONE);
        const uint32_t owner = WORDS_OF(&c, 0, 1, 2, 3, 4, 5, 6, 7, 8), root = array(&c, 9, WORDS),
                       keep = array(&c, 9, WORDS);
        ADD(&c, quad_union, 1, .n = 9, .owner_at = owner, .ahead_at = ahead, .behind_at = behind,
            .label_at = array(&c, 9, WORDS), .next_at = array(&c, 9, SCRATCH),
            .done_at = array(&c, 1, WORDS), .rounds = 8, .agree = agree, .first = 1, .last = 1,
            .root_at = root, .keep_at = keep);
        outcome o = run_expected(e, &c);
        if (longer) {
            CHECK_WORDS(e, "quad_union: beside a chain", o.w + root, 0, 0, 0, 0, 0, 5, 5, 5, 5);
        } else if (agree) {
            CHECK_WORDS(e, "quad_union: all agree", o.w + root, 0, 0, 0, 0, 0, 5, 6, 7, 8);
            CHECK_WORDS(e, "quad_union: first ones", o.w + keep, 1, 0, 0, 0, 0, 1, 1, 1, 1);
        } else {
            CHECK_WORDS(e, "quad_union: a round", o.w + root, 0, 1, 2, 3, 0, 5, 6, 7, 8);
        }
        outcome_free(&o);
    }
}

/* A chain whose least place is at one end and the next one at the other, in two operations; the second has rounds to spare. */
static void expect_long_chain(expectations *e)
{
    ops_case c;
    case_init(&c, 25, 0);
    const uint32_t ahead = WORDS_OF(&c, 8, NONE, 1, 2, 3, 4, 5, 6, 7);
    const uint32_t behind = WORDS_OF(&c, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE);
    const uint32_t owner = WORDS_OF(&c, 0, 1, 2, 3, 4, 5, 6, 7, 3), root = array(&c, 9, WORDS);
    struct wn_args_quad_union args = {.n = 9,
                                      .owner_at = owner,
                                      .ahead_at = ahead,
                                      .behind_at = behind,
                                      .label_at = array(&c, 9, WORDS),
                                      .next_at = array(&c, 9, SCRATCH),
                                      .done_at = array(&c, 1, WORDS),
                                      .agree = 1,
                                      .root_at = root,
                                      .keep_at = array(&c, 9, WORDS)};
    for (uint32_t part = 0; part < 2; ++part) {
        args.first = part == 0;
        args.last = part == 1;
        args.rounds = part ? 7 : 1;
        add_op(&c, WN_OP_quad_union, 1, &args, sizeof args);
    }
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "quad_union: a long chain", o.w + root, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    outcome_free(&o);
}

/* Rows of places 0 and 2: 1, 4 and 5 belong to the first, 3 is no node. */
static void expect_members(expectations *e)
{
    ops_case c;
    case_init(&c, 26, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 1, 2), node = WORDS_OF(&c, 1, 1, 1, 0, 1, 1),
                   row = WORDS_OF(&c, 0, 0, 1, 1, 0, 0), from = WORDS_OF(&c, 0, 2, 5),
                   head = array(&c, 3, WORDS), next = array(&c, 6, WORDS),
                   sizes = REALS_OF(&c, 1, 2, 4, 8, 16, 32), sizes_new = array(&c, 3, REALS);
    ADD(&c, quad_members, 1, .n = 6, .segs = 2, .seg_new_at = seg, .node_at = node, .row_at = row,
        .from_at = from, .head_at = head, .next_at = next, .tail_at = array(&c, 3, SCRATCH),
        .sizes_at = sizes, .sizes_new_at = sizes_new);
    outcome o = run_expected(e, &c);
    const uint32_t two[2] = {1, NONE};
    check_words(e, "quad_members", o.w + head, 2, two);
    CHECK_WORDS(e, "quad_members: lists", o.w + next, NONE, 4, NONE, NONE, 5, NONE);
    const float sums[2] = {51.0f, 4.0f};
    check_reals(e, "quad_members: sizes", (float *)(void *)(o.w + sizes_new), 2, sums);
    outcome_free(&o);
}

void expect_quad(expectations *e)
{
    expect_split(e);
    expect_split_below(e);
    expect_owner(e);
    expect_linked(e);
    expect_union(e);
    expect_long_chain(e);
    expect_members(e);
}
