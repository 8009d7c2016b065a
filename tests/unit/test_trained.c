/* Weights of stages: what is read from a file or a blob, what is refused, and who frees it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_program.h"
#include "build_trained.h"
#include "support.h"
#include "trained.h"

#define GOOD_META \
    "\"__metadata__\":{\"winnow.stage\":\"laco\",\"winnow.version\":\"1\",\"note\":\"x\"}"
#define SPEC "laco=layer=1:weights="

/* A file: its header's text and `bytes` of data. */
typedef struct file {
    unsigned char bytes[4096];
    size_t size;
} file;

static void make(file *f, const char *header, const void *data, size_t bytes)
{
    const size_t length = strlen(header);
    memset(f, 0, sizeof *f);
    for (int i = 0; i < 8; ++i)
        f->bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(f->bytes + 8, header, length);
    if (bytes)
        memcpy(f->bytes + 8 + length, data, bytes);
    f->size = 8 + length + bytes;
}

static winnow_status open_blob(test_host *host, const file *f, winnow_pipeline **out)
{
    const winnow_blob blobs[] = {{"other", "", 0}, {"w", f->bytes, f->size}};
    test_host_open(host);
    *out = NULL;
    return test_api()->pipeline_create_weights(&host->host, SPEC "@w", blobs, 2, out);
}

/* a [2, 3] f16, a.bias [3] bf16, b [2] f32, c [1, 2, 1, 2] f32, as `data`. */
static const char good_header[] =
    "{" GOOD_META ",\"a.weight\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[24,36]},"
    "\"a.bias\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[36,42]},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
    "\"c\":{\"dtype\":\"F32\",\"shape\":[1,2,1,2],\"data_offsets\":[8,24]}}";

static void make_good(file *f)
{
    const float floats[6] = {1.5f, -2.0f, 3.0f, 4.0f, 5.0f, 6.0f};
    const uint16_t halves[9] = {0x3c00, 0x4000, 0x4200, 0x4400,          /* 1 2 3 4 */
                                0x4500, 0x4600, 0x3f80, 0x4000, 0xc040}; /* 5 6, 1 2 -3 */
    unsigned char data[42];
    memcpy(data, floats, sizeof floats);
    memcpy(data + 24, halves, sizeof halves);
    make(f, good_header, data, sizeof data);
}

static float word_of(const wn_build *b, uint64_t offset)
{
    float x;
    memcpy(&x, b->trained->data + offset, sizeof x);
    return x;
}

/* A build by hand, as a stage of the pipeline sees it. */
static wn_build build_on(const wn_host *host, const winnow_pipeline *pipeline)
{
    return (wn_build){.host = host,
                      .stage = "laco",
                      .loop_limit = UINT32_MAX,
                      .group_size = 1,
                      .may_grow = true,
                      .trained = pipeline->trained,
                      .weights = pipeline->stages[0].weights};
}

static void what_it_holds(void **state)
{
    (void)state;
    test_host mine;
    winnow_pipeline *pipeline;
    wn_host host;
    file f;
    uint32_t dims[4] = {0}, count = 9;
    make_good(&f);
    assert_int_equal(open_blob(&mine, &f, &pipeline), WINNOW_OK);
    memset(&f, 0xff, sizeof f); /* read during the call alone */
    assert_int_equal(wn_host_read(&mine.host, &host), WINNOW_OK);
    wn_build b = build_on(&host, pipeline);
    assert_true(build_has_weights(&b));
    const wn_dense a = build_weights_dense(&b, "a", 2, 3);
    assert_int_equal(b.status, WINNOW_OK);
    assert_true(a.weight.ref.slot == WN_SLOT_TRAINED && a.weight.ref.dtype == WINNOW_F16);
    assert_true(a.weight.rows == 2 && a.weight.cols == 3 && a.weight.stride == 4);
    assert_true(a.bias_at == 4 && a.weight.ref.bytes == 16 + 12); /* behind two rows of four */
    assert_true(a.weight.ref.offset % WN_TRAINED_ALIGNMENT == 0);
    const uint16_t *rows = (const void *)(b.trained->data + a.weight.ref.offset);
    assert_true(rows[0] == 0x3c00 && rows[2] == 0x4200 && rows[4] == 0x4400 && rows[6] == 0x4600);
    for (uint32_t i = 0; i < 3; ++i)
        assert_true(word_of(&b, a.weight.ref.offset + 4ull * (a.bias_at + i)) ==
                    (i == 2 ? -3.0f : (float)i + 1));
    const wn_mat c = build_weights(&b, "c", 1, 4);
    assert_true(c.cols == 4 && c.ref.dtype == WINNOW_F32 && word_of(&b, c.ref.offset + 12) == 6.0f);
    assert_true(build_weights_shape(&b, "c", dims, &count) && count == 4 && dims[1] == 2 &&
                dims[3] == 2);
    assert_false(build_weights_shape(&b, "d", dims, &count));
    assert_int_equal(b.status, WINNOW_OK);
    const wn_arr n = build_weights_array(&b, "b", 2), m = build_weights_array(&b, "a.bias", 0);
    float values[5];
    assert_true(n.n == 2 && m.n == 3);
    memcpy(values, b.consts + n.at, 8);
    memcpy(values + 2, b.consts + m.at, 12);
    assert_true(values[0] == 1.5f && values[1] == -2.0f && values[2] == 1.0f && values[4] == -3.0f);
    assert_string_equal(build_weights_note(&b, "note"), "x");
    assert_null(build_weights_note(&b, "no note"));
    assert_int_equal(mine.lines, 0);
    build_finish(&b);
    test_api()->pipeline_destroy(pipeline);
    assert_int_equal(mine.live, 0);
}

static void stages_are_told_what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *name, *says;
        uint32_t rows, cols, n;
    } rows[] = {
        {"d", "have no tensor `d`", 0, 0, 0},
        {"c", "tensor `c` of its weights is [1, 2, 1, 2], and 2 x any is wanted", 2, 0, 0},
        {"a.weight", "is [2, 3], and any x 2 is wanted", 0, 2, 0},
        {"b", "is [2], and any x any is wanted", 0, 0, 0},
        {"b", "is [2], and [3] is wanted", 0, 0, 3},
        {"a.weight", "is [2, 3], and [6] is wanted", 0, 0, 6},
    };
    test_host mine;
    winnow_pipeline *pipeline;
    wn_host host;
    file f;
    make_good(&f);
    assert_int_equal(open_blob(&mine, &f, &pipeline), WINNOW_OK);
    assert_int_equal(wn_host_read(&mine.host, &host), WINNOW_OK);
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        wn_build b = build_on(&host, pipeline);
        if (rows[i].n)
            build_weights_array(&b, rows[i].name, rows[i].n);
        else
            build_weights(&b, rows[i].name, rows[i].rows, rows[i].cols);
        assert_int_equal(b.status, WINNOW_E_FILE);
        if (!strstr(mine.line, rows[i].says) || strncmp(mine.line, "laco: ", 6) != 0)
            fail_msg("`%s` says `%s`", rows[i].name, mine.line);
        build_finish(&b);
    }
    wn_build b = build_on(&host, pipeline);
    b.weights = 0;
    assert_false(build_has_weights(&b));
    build_weights(&b, "a.weight", 0, 0);
    assert_true(b.status == WINNOW_E_FILE && strstr(mine.line, "it has no weights"));
    test_api()->pipeline_destroy(pipeline);
    assert_int_equal(mine.live, 0);
}

#define TENSOR(name, dtype, shape, from, to) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

static const struct {
    const char *header, *says;
    size_t bytes;
} mistakes[] = {
    {"", "no JSON", 0},
    {"[]", "no JSON object", 0},
    {"{", "JSON", 0},
    {"{\"a\":1}", "is no JSON object", 0},
    {"{}", "its metadata have no winnow.stage", 0},
    {"{\"__metadata__\":{\"winnow.stage\":3}}", "have no winnow.stage", 0},
    {"{\"__metadata__\":{\"winnow.stage\":\"tome\",\"winnow.version\":\"1\"}}",
     "holds the weights of `tome` (give those of laco)", 0},
    {"{\"__metadata__\":{\"winnow.stage\":\"laco\"}}", "do not say winnow.version=1", 0},
    {"{\"__metadata__\":{\"winnow.stage\":\"laco\",\"winnow.version\":\"2\"}}",
     "do not say winnow.version=1", 0},
    {"{" GOOD_META "," TENSOR("a", "F32", "[2]", "0", "8") "}", "ends after the file does", 4},
    {"{" GOOD_META "," TENSOR("a", "F32", "[2]", "0", "4") "}", "do not fit its dtype", 4},
    {"{" GOOD_META "," TENSOR("a", "F32", "[1]", "4", "8") "}", "belong to no tensor", 8},
    {"{" GOOD_META "," TENSOR("a", "F32", "[1]", "0", "4") "}", "belong to no tensor", 5},
    {"{" GOOD_META
     "," TENSOR("a", "F32", "[2]", "0", "8") "," TENSOR("b", "F32", "[2]", "4", "12") "}",
     "overlap", 12},
    {"{" GOOD_META
     "," TENSOR("a", "F32", "[1]", "0", "4") "," TENSOR("a", "F32", "[1]", "4", "8") "}",
     "twice", 8},
    {"{" GOOD_META "," TENSOR("a", "F32", "[0]", "0", "0") "}", "a dimension of 0", 0},
    {"{" GOOD_META "," TENSOR("a", "F32", "[1,1,1,1,1]", "0", "4") "}", "5 dimensions (at most 4)",
     4},
    {"{" GOOD_META "," TENSOR("a", "F32", "[1,1,1,1,1,1,1]", "0", "4") "}", "more than 6", 4},
    {"{" GOOD_META "," TENSOR("a", "I32", "[1]", "0", "4") "}", "type I32, which is not read", 4},
    {"{" GOOD_META "," TENSOR("a", "F64", "[1]", "0", "8") "}", "type F64, which is not read", 8},
    {"{" GOOD_META "," TENSOR("a", "F32", "[4294967296,4294967296]", "0", "4") "}", "64 bits", 4},
};

static void refuse(const file *f, const char *says, const char *what)
{
    test_host mine;
    winnow_pipeline *pipeline;
    const winnow_status status = open_blob(&mine, f, &pipeline);
    if (status != WINNOW_E_FILE || pipeline || mine.lines != 1 || mine.live ||
        !strstr(mine.line, says) || strncmp(mine.line, "safetensors: w: ", 16) != 0)
        fail_msg("%s: status %d, %d lines, %zu blocks: `%s`, not `%s`", what, (int)status,
                 mine.lines, mine.live, mine.line, says);
}

static void refuses_what_is_no_file_of_the_stage(void **state)
{
    (void)state;
    static const unsigned char zeros[16];
    file f;
    for (size_t i = 0; i < LENGTH(mistakes); ++i) {
        make(&f, mistakes[i].header, zeros, mistakes[i].bytes);
        refuse(&f, mistakes[i].says, mistakes[i].header);
    }
    make_good(&f);
    for (size_t size = 0; size < f.size; ++size) { /* cut short anywhere */
        file cut = f;
        cut.size = size;
        refuse(&cut, "", "cut");
    }
    f.bytes[7] = 0x40; /* a header of 2^62 bytes */
    refuse(&f, "its header claims", "a long header");
}

static void refuses_numbers_that_are_none(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        unsigned char low, high;
    } bad[] = {{6, 0xc0, 0x7f},  {6, 0x80, 0xff},  {26, 0x00, 0x7c}, {34, 0x01, 0xfe},
               {36, 0x80, 0x7f}, {40, 0xc1, 0xff}, {22, 0x80, 0x7f}};
    file f;
    for (size_t i = 0; i < LENGTH(bad); ++i) {
        make_good(&f);
        f.bytes[8 + strlen(good_header) + bad[i].at] = bad[i].low;
        f.bytes[8 + strlen(good_header) + bad[i].at + 1] = bad[i].high;
        refuse(&f, "a NaN or an infinite number", "a number");
    }
}

static void files_and_blobs_by_their_names(void **state)
{
    (void)state;
    const winnow_api *api = test_api();
    const char *path = "trained, \\a:b@.safetensors";
    test_host mine;
    winnow_pipeline *pipeline = NULL;
    file f;
    make_good(&f);
    FILE *out = fopen(path, "wb");
    assert_true(out && fwrite(f.bytes, 1, f.size, out) == f.size && fclose(out) == 0);
    const winnow_blob blobs[] = {{"w", f.bytes, f.size}, {NULL, NULL, 0}, {"x", NULL, 3}};
    const struct {
        const char *spec, *says;
        uint32_t count;
        winnow_status status;
    } rows[] = {
        {SPEC "trained\\, \\\\a\\:b@.safetensors", NULL, 0, WINNOW_OK},
        {SPEC " ./trained\\,\\ \\\\a\\:b@.safetensors , laco=layer=2", NULL, 0, WINNOW_OK},
        {SPEC "@w", NULL, 1, WINNOW_OK},
        {SPEC "@w," SPEC "@w", NULL, 1, WINNOW_OK},
        {SPEC "@v", "no blob `v`", 1, WINNOW_E_FILE},
        {SPEC "@w", "no blob `w`", 0, WINNOW_E_FILE},
        {SPEC "\\@w", "@w: No such file", 1, WINNOW_E_FILE},
        {SPEC ".", "no plain file", 0, WINNOW_E_FILE},
        {SPEC "/dev/zero", "no plain file", 0, WINNOW_E_FILE},
        {SPEC "@w", "blob 1 has no name", 2, WINNOW_E_ARGUMENT},
        {SPEC "x\\", "ends in a lone `\\` at character 23", 0, WINNOW_E_SPEC},
        {SPEC, "weights has no value", 0, WINNOW_E_SPEC},
        {SPEC "a:weights=b", "given twice", 0, WINNOW_E_SPEC},
    };
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        test_host_open(&mine);
        const winnow_status status =
            api->pipeline_create_weights(&mine.host, rows[i].spec, blobs, rows[i].count, &pipeline);
        if (status != rows[i].status || (pipeline != NULL) != (status == WINNOW_OK) ||
            mine.lines != (status != WINNOW_OK) ||
            (rows[i].says && !strstr(mine.line, rows[i].says)))
            fail_msg("`%s` gives %d and says `%s`", rows[i].spec, (int)status, mine.line);
        api->pipeline_destroy(pipeline);
        assert_int_equal(mine.live, 0);
    }
    test_host_open(&mine);
    const winnow_blob empty = {"x", NULL, 3};
    assert_int_equal(api->pipeline_create_weights(&mine.host, "evs", &empty, 1, &pipeline),
                     WINNOW_E_ARGUMENT);
    assert_int_equal(api->pipeline_create_weights(&mine.host, "evs", NULL, 1, &pipeline),
                     WINNOW_E_ARGUMENT);
    assert_true(mine.lines == 2 && !pipeline);
    out = fopen(path, "wb"); /* 1 GiB and a byte, of which the disk holds none */
    assert_true(out && fseek(out, 1 << 30, SEEK_SET) == 0 && fputc(0, out) == 0 &&
                fclose(out) == 0);
    assert_int_equal(api->pipeline_create(&mine.host, rows[0].spec, &pipeline), WINNOW_E_FILE);
    assert_non_null(strstr(mine.line, "at most 1073741824"));
    remove(path);
}

/* Every allocation fails once. */
static void no_memory(void **state)
{
    (void)state;
    test_host mine;
    winnow_pipeline *pipeline;
    file f;
    size_t count = 0;
    make_good(&f);
    for (size_t n = 0; n <= count; ++n) {
        const winnow_blob blob = {"w", f.bytes, f.size};
        test_host_open(&mine);
        mine.fail_at = n;
        pipeline = NULL;
        const winnow_status status = test_api()->pipeline_create_weights(
            &mine.host, SPEC "@w," SPEC "@w", &blob, 1, &pipeline);
        assert_int_equal(status, n ? WINNOW_E_HOST_MEMORY : WINNOW_OK);
        assert_true(mine.lines == (n != 0) && (n == 0) == (pipeline != NULL));
        count = n ? count : mine.calls;
        test_api()->pipeline_destroy(pipeline);
        assert_int_equal(mine.live, 0);
    }
    assert_true(count > 10);
}

/* Who holds them last frees them. */
static void holders(void **state)
{
    (void)state;
    test_host mine;
    winnow_pipeline *pipeline;
    file f;
    make_good(&f);
    assert_int_equal(open_blob(&mine, &f, &pipeline), WINNOW_OK);
    wn_trained *t = wn_trained_hold(pipeline->trained);
    test_api()->pipeline_destroy(pipeline);
    assert_true(mine.live > 0 && wn_trained_find(t, 1, "b") && !wn_trained_find(t, 1, "z"));
    wn_trained_drop(t);
    assert_int_equal(mine.live, 0);
    assert_null(wn_trained_hold(NULL));
    wn_trained_drop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_holds),
        cmocka_unit_test(stages_are_told_what_does_not_fit),
        cmocka_unit_test(refuses_what_is_no_file_of_the_stage),
        cmocka_unit_test(refuses_numbers_that_are_none),
        cmocka_unit_test(files_and_blobs_by_their_names),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(holders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
