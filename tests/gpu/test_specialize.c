/* Every shader in every variant: no specialization constant is left, and the workgroup has the size that was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gpu/specialize.h"

enum { COUNT = 13, BUILTIN_WORKGROUP_SIZE = 25 };
static const uint32_t values[COUNT] = {96, 1, 0, 2, 25, 8, 1, 16, 16, 16, 1, 1, 0};

/* Constants come before the first function. Word at + 1 of decorations and at + 2 of constants is the id. */
static void check(const uint32_t *words, size_t count, const char *name)
{
    uint32_t size_id = 0, size_x = 0, local = 0;
    for (size_t at = 5; at < count && (words[at] & 0xffffu) != 54; at += words[at] >> 16) {
        const uint32_t *in = words + at, op = *in & 0xffffu;
        if (op >= 48 && op <= 52) /* OpSpecConstant* */
            fail_msg("%s: specialization constant %u is left", name, in[2]);
        if (op == 71 && in[2] == 1) /* OpDecorate SpecId */
            fail_msg("%s: %u is still decorated", name, in[1]);
        if (op == 71 && in[2] == 11 && in[3] == BUILTIN_WORKGROUP_SIZE)
            size_id = in[1];
        if (op == 44 && in[2] == size_id)
            size_x = in[3];
    }
    for (size_t at = 5; at < count && (words[at] & 0xffffu) != 54; at += words[at] >> 16)
        if ((words[at] & 0xffffu) == 43 && words[at + 2] == size_x)
            local = words[at + 3];
    assert_int_equal(local, values[0]);
}

static void nothing_is_left(void **state)
{
    (void)state;
    wn_host host;
    assert_int_equal(wn_host_read(NULL, &host), WINNOW_OK);
    for (uint32_t i = 0; i < WN_OP_COUNT * WN_SPIRV_VARIANTS; i++) {
        const wn_spirv *code = &wn_spirv_table[i / WN_SPIRV_VARIANTS][i % WN_SPIRV_VARIANTS];
        uint32_t *words;
        size_t bytes;
        if (!code->words)
            continue;
        assert_int_equal(wn_specialize(&host, code, values, COUNT, &words, &bytes), WINNOW_OK);
        check(words, bytes / sizeof *words, wn_op_name(i / WN_SPIRV_VARIANTS));
        wn_free(&host, words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_left)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
