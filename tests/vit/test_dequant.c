/* Blocks of model files to numbers, to the bit as ggml gives them. The hashes are of what ggml's
 * own dequantize_row_* (and its f16 and bf16 conversions) made of the same pseudo-random blocks. */
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "numbers.h"
#include "ops_args.h"

enum { ELEMENTS = 256 * 64 };

/* Where a block has its halfs: their exponents are kept off that of infinity and NaN, whose bits
 * differ between machines. */
typedef struct layout {
    uint32_t type;
    int halfs[2]; /* -1: none */
    uint64_t hash;
} layout;

static const layout layouts[] = {
    /* ggml e6ab7c1 */
    {WN_FILE_F16, {0, -1}, 0x27c88ea3bb030325ull},
    {WN_FILE_BF16, {-1, -1}, 0x93bff5c9f4762325ull},
    {WN_FILE_Q4_0, {0, -1}, 0xc8aa796a9cbdb325ull},
    {WN_FILE_Q8_0, {0, -1}, 0xc5e0126f38c349e5ull},
    {WN_FILE_Q4_K, {0, 2}, 0x9ec482d8c9e693a1ull},
    {WN_FILE_Q5_K, {0, 2}, 0x30b0b1998fc8b61full},
    {WN_FILE_Q6_K, {208, -1}, 0x20c80cf7e23a1c2dull},
};

static void fill(const layout *l, unsigned char *bytes, wn_tensor *t)
{
    uint32_t block_bytes, seed = 1;
    const uint32_t block = wn_file_type_block(l->type, &block_bytes);
    *t = (wn_tensor){.name = "t",
                     .type = l->type,
                     .rank = 1,
                     .shape = {ELEMENTS},
                     .elements = ELEMENTS,
                     .data = bytes,
                     .bytes = (uint64_t)ELEMENTS / block * block_bytes};
    for (uint64_t i = 0; i < t->bytes; ++i) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(seed >> 24);
    }
    for (uint64_t b = 0; b < t->bytes; b += block_bytes)
        for (int k = 0; k < 2; ++k)
            if (l->halfs[k] >= 0 && (bytes[b + (uint64_t)l->halfs[k] + 1] & 0x7c) == 0x7c)
                bytes[b + (uint64_t)l->halfs[k] + 1] &= 0xbf;
}

static uint64_t hash(const float *numbers, uint64_t count)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (uint64_t i = 0; i < count; ++i)
        h = (h ^ f32_bits(numbers[i])) * 0x100000001b3u;
    return h;
}

static void blocks_are_as_in_ggml(void **state)
{
    (void)state;
    unsigned char *bytes = malloc(ELEMENTS * 2);
    float *out = malloc(ELEMENTS * sizeof *out);
    assert_true(bytes && out);
    for (size_t i = 0; i < LENGTH(layouts); ++i) {
        wn_tensor t;
        fill(&layouts[i], bytes, &t);
        wn_tensor_row(&t, 0, ELEMENTS, out);
        if (hash(out, ELEMENTS) != layouts[i].hash)
            print_error("%s\n", wn_file_type_name(layouts[i].type));
        assert_true(hash(out, ELEMENTS) == layouts[i].hash);
    }
    free(bytes);
    free(out);
}

/* Any row of any width, at any address, is that part of the whole; past the end are zeros. */
static void rows_are_parts(void **state)
{
    (void)state;
    static const uint64_t widths[] = {1, 7, 32, 100, 256, 300, 4096};
    unsigned char *bytes = malloc(ELEMENTS * 2 + 1); /* used from an odd address on */
    float *whole = calloc(2 * ELEMENTS, sizeof *whole), row[4096];
    assert_true(bytes && whole);
    for (size_t i = 0; i < LENGTH(layouts); ++i) {
        wn_tensor t;
        fill(&layouts[i], bytes + 1, &t);
        wn_tensor_row(&t, 0, ELEMENTS, whole);
        for (size_t k = 0; k < LENGTH(widths); ++k)
            for (uint64_t r = 0; r * widths[k] < ELEMENTS + 5000; r += 1 + 300 / widths[k]) {
                wn_tensor_row(&t, r, widths[k], row);
                assert_memory_equal(row, whole + r * widths[k], widths[k] * sizeof *row);
            }
        wn_tensor_row(&t, UINT64_MAX, 4096, row);
        assert_memory_equal(row, whole + ELEMENTS, sizeof row);
    }
    free(bytes);
    free(whole);
}

static void types_have_names_and_blocks(void **state)
{
    (void)state;
    uint32_t bytes;
    assert_string_equal(wn_file_type_name(WN_FILE_Q4_K), "Q4_K");
    assert_string_equal(wn_file_type_name(WN_NONE), "unknown");
    assert_int_equal(wn_file_type_block(WN_FILE_Q6_K, &bytes), 256);
    assert_int_equal(bytes, 210);
    assert_int_equal(wn_file_type_block(WN_FILE_F32, NULL), 1);
    assert_int_equal(wn_file_type_block(WN_NONE, &bytes), 0);
    assert_int_equal(bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_as_in_ggml),
        cmocka_unit_test(rows_are_parts),
        cmocka_unit_test(types_have_names_and_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
