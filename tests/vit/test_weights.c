/* GGUF files, well formed and not, and what wn_weights_open says of paths. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "ops_args.h"

/* GGUF's value types. */
enum { U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64 };

static const uint64_t sizes_8x2[] = {8, 2}, sizes_32[] = {32}, sizes_6[] = {2, 1, 1, 1, 1, 3};

static void put_array(file_bytes *f, const char *key, uint32_t type, uint64_t count)
{
    put_key(f, key, ARRAY);
    put_number(f, type, 4);
    put_number(f, count, 8);
}

static void put_numbers(file_bytes *f)
{
    static const struct {
        const char *key;
        uint32_t type, bytes;
        uint64_t value;
    } numbers[] = {
        {"u8", U8, 1, 200},
        {"i8", I8, 1, 0x80},
        {"u16", U16, 2, 65535},
        {"i16", I16, 2, 0xfffe},
        {"u32", U32, 4, 4000000000u},
        {"i32", I32, 4, 0xfffffffdu},
        {"f32", F32, 4, 0x3fc00000u},
        {"bool", BOOL, 1, 1},
        {"u64", U64, 8, 1ull << 40},
        {"i64", I64, 8, UINT64_MAX - 3},
        {"f64", F64, 8, 0xbfd0000000000000u},
    };
    for (size_t i = 0; i < LENGTH(numbers); ++i) {
        put_key(f, numbers[i].key, numbers[i].type);
        put_number(f, numbers[i].value, numbers[i].bytes);
    }
}

/* Every type of value; 4 tensors that are read and one that is not. */
static void put_whole(file_bytes *f, uint32_t version)
{
    put_header(f, version, 5, 18);
    put_numbers(f);
    put_key(f, "text", TEXT);
    put_text(f, "clip\xc3\xa9");
    put_key(f, "odd text", TEXT);
    put_text(f, "\xff");
    put_array(f, "numbers", I16, 3);
    put_number(f, 0xffff0007fff9u, 6);
    put_array(f, "texts", TEXT, 2);
    put_text(f, "a");
    put_text(f, "");
    put_array(f, "nested", ARRAY, 2);
    put_number(f, U32, 4);
    put_number(f, 1, 8);
    put_number(f, 5, 4);
    put_number(f, TEXT, 4);
    put_number(f, 1, 8);
    put_text(f, "b");
    put_array(f, "empty", F32, 0);
    put_key(f, "general.alignment", U32);
    put_number(f, 64, 4);
    put_tensor(f, "z.weight", 2, sizes_8x2, 0, 64);
    put_tensor(f, "a.weight", 1, sizes_32, 8, 0);
    put_tensor(f, "scalar", 0, NULL, 1, 128);
    put_tensor(f, "unread", 1, sizes_32, 3, 256);
    put_tensor(f, "six", 6, sizes_6, 30, 192);
    put_padding(f, 64);
    put_zeros(f, 64);
    for (uint32_t i = 0; i < 16; ++i)
        put_number(f, 0x3f800000u + (i << 20), 4);
    put_number(f, 0x3c00, 2);
    put_padding(f, 64);
    put_zeros(f, 64 + 20);
}

static void check_settings(const wn_weights *w)
{
    static const struct {
        const char *key;
        double value;
    } numbers[] = {{"u8", 200},  {"i8", -128},   {"u16", 65535}, {"i16", -2},
                   {"u32", 4e9}, {"i32", -3},    {"f32", 1.5},   {"u64", 1099511627776.0},
                   {"i64", -4},  {"f64", -0.25}, {"bool", 1},    {"general.alignment", 64}};
    double number, some[3] = {0};
    const char *text;
    uint32_t count = 3;
    for (size_t i = 0; i < LENGTH(numbers); ++i) {
        assert_true(wn_setting_number(w, numbers[i].key, &number));
        assert_true(number == numbers[i].value);
        assert_false(wn_setting_text(w, numbers[i].key, &text));
        assert_false(wn_setting_numbers(w, numbers[i].key, some, &count));
    }
    assert_true(wn_setting_text(w, "text", &text));
    assert_string_equal(text, "clip\xc3\xa9");
    assert_true(wn_setting_numbers(w, "numbers", some, &count));
    assert_true(count == 3 && some[0] == -7 && some[1] == 7 && some[2] == -1);
    count = 1;
    some[1] = 99;
    assert_true(wn_setting_numbers(w, "numbers", some, &count));
    assert_true(count == 1 && some[1] == 99);
    assert_true(wn_setting_numbers(w, "empty", some, &count));
    assert_int_equal(count, 0);
    assert_false(wn_setting_number(w, "text", &number));
    assert_false(wn_setting_text(w, "odd text", &text));
    assert_false(wn_setting_numbers(w, "texts", some, &count));
    assert_false(wn_setting_numbers(w, "nested", some, &count));
    assert_false(wn_setting_number(w, "none", &number));
}

static void check_tensors(const wn_weights *w, place *p)
{
    static const char *const names[] = {"a.weight", "scalar", "six", "z.weight"};
    const wn_tensor *t;
    float row[8];
    assert_int_equal(wn_weights_count(w), 4);
    assert_null(wn_weights_at(w, 4));
    for (uint32_t i = 0; i < 4; ++i) {
        assert_string_equal(wn_weights_at(w, i)->name, names[i]);
        assert_int_equal(wn_weights_find(w, names[i], &t), WINNOW_OK);
        assert_ptr_equal(t, wn_weights_at(w, i));
    }
    assert_true(t->type == WN_FILE_F32 && t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 8);
    assert_true(t->elements == 16 && t->bytes == 64);
    wn_tensor_row(t, 1, 8, row);
    assert_true(row[0] == 2.0f && row[7] == 3.75f);
    t = wn_weights_at(w, 2);
    assert_true(t->rank == 6 && t->shape[0] == 3 && t->shape[5] == 2 && t->elements == 6);
    t = wn_weights_at(w, 1);
    assert_true(t->rank == 0 && t->elements == 1 && t->bytes == 2);
    wn_tensor_row(t, 0, 1, row);
    assert_true(row[0] == 1.0f);
    assert_int_equal(wn_weights_find(w, "none", &t), WINNOW_OK);
    assert_null(t);
    assert_int_equal(wn_weights_find(w, "unread", &t), WINNOW_E_FILE);
    assert_null(t);
    assert_non_null(strstr(p->memory.line, "\"unread\" is of type Q4_1, which is not read"));
}

static void whole_files_are_read(void **state)
{
    (void)state;
    place p;
    file_bytes f;
    place_open(&p);
    for (uint32_t version = 2; version <= 3; ++version) {
        put_whole(&f, version);
        place_write(&p, "a.gguf", &f);
        wn_weights *w = place_weights(&p);
        assert_true(wn_weights_is_gguf(w));
        assert_string_equal(wn_weights_path(w), p.path);
        check_settings(w);
        check_tensors(w, &p);
        wn_weights_close(w);
    }
    wn_weights_close(NULL);
    place_close(&p);
}

/* Cut anywhere, or with any byte replaced: an error or not, but no crash and no leak. */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x00, 0xff};
    place p;
    file_bytes f, g;
    place_open(&p);
    put_whole(&f, 3);
    for (size_t size = 1; size < f.size - 20; ++size) {
        g = f;
        g.size = size;
        place_write(&p, "a.gguf", &g);
        place_refused(&p, "gguf: ", "");
    }
    for (size_t at = 0; at < f.size; ++at)
        for (size_t b = 0; b < LENGTH(bytes); ++b) {
            wn_weights *w = NULL;
            g = f;
            g.at[at] = bytes[b];
            place_write(&p, "a.gguf", &g);
            if (wn_weights_open(&p.host, p.path, &w) == WINNOW_OK)
                wn_weights_close(w);
            assert_int_equal(p.memory.live, 0);
        }
    place_close(&p);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    place p;
    file_bytes f;
    winnow_status status = WINNOW_E_HOST_MEMORY;
    place_open(&p);
    put_whole(&f, 3);
    place_write(&p, "a.gguf", &f);
    for (size_t n = 1; status != WINNOW_OK; ++n) {
        wn_weights *w = NULL;
        p.memory.calls = 0;
        p.memory.fail_at = n;
        status = wn_weights_open(&p.host, p.path, &w);
        assert_true(status == WINNOW_OK || status == WINNOW_E_HOST_MEMORY);
        assert_true((w != NULL) == (status == WINNOW_OK));
        assert_true(n > 3 || status != WINNOW_OK);
        wn_weights_close(w);
        assert_int_equal(p.memory.live, 0);
    }
    place_close(&p);
}

static void refused(place *p, const file_bytes *f, const char *part)
{
    place_write(p, "bad.gguf", f);
    place_refused(p, "gguf: ", part);
}

static void bad_headers_are_named(void **state)
{
    (void)state;
    place p;
    file_bytes f;
    place_open(&p);
    put_header(&f, 3, 0, 0);
    f.at[0] = 'g';
    refused(&p, &f, "does not start with \"GGUF\"");
    put_header(&f, 1, 0, 0);
    refused(&p, &f, "version 1, but 2 and 3 are read");
    put_header(&f, 4, 0, 0);
    refused(&p, &f, "version 4");
    put_header(&f, 0x03000000u, 0, 0);
    refused(&p, &f, "big endian");
    put_header(&f, 3, 0, 0);
    f.size = 23;
    refused(&p, &f, "ends inside a header");
    put_header(&f, 3, UINT64_MAX, 0);
    refused(&p, &f, "claims 0 keys and 18446744073709551615 tensors in 24 bytes");
    put_header(&f, 3, 0, 1ull << 40);
    refused(&p, &f, "claims 1099511627776 keys");
    put_header(&f, 3, 0, 0);
    place_write(&p, "none.gguf", &f);
    wn_weights_close(place_weights(&p)); /* nothing in it is fine */
    place_close(&p);
}

static void bad_keys_are_named(void **state)
{
    (void)state;
    place p;
    file_bytes f;
    place_open(&p);
    put_header(&f, 3, 0, 1);
    put_number(&f, UINT64_MAX, 8);
    put_zeros(&f, 16);
    refused(&p, &f, "ends inside a key");
    put_header(&f, 3, 0, 1);
    put_key(&f, "\xc0\x80", U32);
    refused(&p, &f, "not UTF-8");
    put_header(&f, 3, 0, 1);
    put_key(&f, "", U64);
    put_zeros(&f, 8);
    refused(&p, &f, "is empty");
    put_header(&f, 3, 0, 1);
    put_key(&f, "kind", 13);
    refused(&p, &f, "key \"kind\" has a value of an unknown type");
    put_header(&f, 3, 0, 1);
    put_array(&f, "list", 77, 1);
    refused(&p, &f, "key \"list\" has an array of an unknown type");
    put_header(&f, 3, 0, 1);
    put_array(&f, "list", U64, 1ull << 61);
    refused(&p, &f, "an array larger than the file");
    put_header(&f, 3, 0, 1);
    put_array(&f, "list", U8, 1000);
    refused(&p, &f, "1000 bytes are due, 0 are left");
    put_header(&f, 3, 0, 1);
    put_array(&f, "list", TEXT, UINT64_MAX);
    refused(&p, &f, "ends inside a key");
    put_header(&f, 3, 0, 1);
    put_array(&f, "deep", ARRAY, 1);
    for (int i = 0; i < 20; ++i) {
        put_number(&f, ARRAY, 4);
        put_number(&f, 1, 8);
    }
    refused(&p, &f, "arrays in arrays too deeply");
    put_header(&f, 3, 0, 2);
    put_key(&f, "same", U8);
    put_number(&f, 1, 1);
    put_key(&f, "same", U64);
    put_number(&f, 1, 8);
    refused(&p, &f, "key \"same\" is there twice");
    place_close(&p);
}

static void bad_alignments_are_named(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 24, 0xffffffffu};
    place p;
    file_bytes f;
    place_open(&p);
    for (size_t i = 0; i <= LENGTH(values); ++i) {
        put_header(&f, 3, 0, 1);
        put_key(&f, "general.alignment", i < LENGTH(values) ? U32 : I32);
        put_number(&f, i < LENGTH(values) ? values[i] : 32, 4);
        refused(&p, &f, "\"general.alignment\" is no power of two in a u32");
    }
    place_close(&p);
}

typedef struct bad_tensor {
    const char *name;
    uint32_t rank;
    uint64_t sizes[7];
    uint32_t type;
    uint64_t offset;
    const char *part;
} bad_tensor;

static void bad_tensors_are_named(void **state)
{
    (void)state;
    static const bad_tensor bad[] = {
        {"t", 7, {1, 1, 1, 1, 1, 1, 1}, 0, 0, "\"t\" has more than 6 dimensions"},
        {"t", UINT32_MAX, {1}, 0, 0, "more than 6 dimensions"},
        {"t", 2, {4, 0}, 0, 0, "\"t\" has a dimension of 0"},
        {"t", 2, {1ull << 32, 1ull << 32}, 0, 0, "more elements than 64 bits count"},
        {"t", 1, {1ull << 62}, 0, 0, "more bytes than 64 bits count"},
        {"t", 1, {4}, 0, 8, "starts at no multiple of the file's alignment"},
        {"t", 1, {4}, 0, 1 << 20, "\"t\" lies outside the file"},
        {"t", 1, {4}, 0, UINT64_MAX - 31, "lies outside the file"},
        {"t", 1, {1000}, 0, 0, "lies outside the file"},
        {"t", 1, {4}, 99, 1 << 20, "lies outside the file"},
        {"t", 2, {48, 2}, 2, 0, "rows of 48 elements, but Q4_0 comes in blocks of 32"},
        {"t", 1, {128}, 14, 0, "Q6_K comes in blocks of 256"},
        {"t", 0, {0}, 8, 0, "rows of 1 elements, but Q8_0"},
        {"", 1, {4}, 0, 0, "the name of the tensor"},
        {"ok", 1, {4}, 0, 96, "tensor \"ok\" is there twice"},
        {"t", 1, {4}, 0, 32, "tensors \"t\" and \"ok\" overlap"},
        {"t", 1, {12}, 0, 0, "tensors \"t\" and \"ok\" overlap"},
    };
    static const uint64_t four[] = {16};
    place p;
    file_bytes f;
    place_open(&p);
    for (size_t i = 0; i < LENGTH(bad); ++i) {
        const bad_tensor *b = &bad[i];
        put_header(&f, 3, 2, 0);
        put_tensor(&f, "ok", 1, four, 1, 32);
        put_tensor(&f, b->name, b->rank < 8 ? b->rank : 0, b->sizes, b->type, b->offset);
        if (b->rank > 7)
            memset(f.at + f.size - 16, 0xff, 4);
        put_padding(&f, 32);
        put_zeros(&f, 112);
        refused(&p, &f, b->part);
    }
    place_close(&p);
}

static void unknown_types_are_named(void **state)
{
    (void)state;
    place p;
    file_bytes f;
    const wn_tensor *t;
    place_open(&p);
    put_header(&f, 3, 1, 0);
    put_tensor(&f, "new", 1, sizes_32, 99, 0);
    put_padding(&f, 32);
    place_write(&p, "new.gguf", &f);
    wn_weights *w = place_weights(&p);
    assert_int_equal(wn_weights_count(w), 0);
    assert_int_equal(wn_weights_find(w, "new", &t), WINNOW_E_FILE);
    assert_non_null(strstr(p.memory.line, "of type number 99 of ggml"));
    wn_weights_close(w);
    place_close(&p);
}

static void odd_paths_are_named(void **state)
{
    (void)state;
    place p;
    file_bytes f = {.size = 0};
    wn_weights *w;
    struct rlimit files, none;
    place_open(&p);
    assert_int_equal(wn_weights_open(&p.host, NULL, &w), WINNOW_E_ARGUMENT);
    place_path(&p, "none.gguf");
    place_refused(&p, "gguf: ", "No such file");
    place_write(&p, "empty.gguf", &f);
    place_refused(&p, "gguf: ", "it is empty");
    assert_int_equal(mkfifo(place_path(&p, "pipe.gguf"), 0600), 0);
    place_refused(&p, "gguf: ", "it is no plain file");
    assert_int_equal(symlink("/dev/zero", place_path(&p, "device.gguf")), 0);
    place_refused(&p, "gguf: ", "it is no plain file");
    assert_int_equal(symlink("loop.gguf", place_path(&p, "loop.gguf")), 0);
    place_refused(&p, "gguf: ", "check the path");
    put_header(&f, 3, 0, 0);
    place_write(&p, "closed.gguf", &f);
    /* No descriptor left, since root may read what nobody else can. */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = files.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    place_refused(&p, "gguf: ", "check its permissions");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files_are_read),      cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(every_allocation_may_fail), cmocka_unit_test(bad_headers_are_named),
        cmocka_unit_test(bad_keys_are_named),        cmocka_unit_test(bad_alignments_are_named),
        cmocka_unit_test(bad_tensors_are_named),     cmocka_unit_test(unknown_types_are_named),
        cmocka_unit_test(odd_paths_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
