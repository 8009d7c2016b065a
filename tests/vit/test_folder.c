/* Hugging Face folders: settings, one file, shards; and JSON that is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"
#include "ops_args.h"

static const char config[] =
    "{\"model_type\": \"siglip\\u00e9 \\ud83d\\ude00\\n\\\"\", \"hidden\": 64, \"eps\": 1e-06,\n"
    " \"vision_config\": {\"patch_size\": 14, \"qkv_bias\": true, "
    "\"none\": null, \"deep\": {\"x\": -2.5}},"
    " \"limit\": [0.0, Infinity], \"grids\": [[336, 672], [672, 336]], \"empty\": [],"
    " \"architectures\": [\"A\", {\"b\": 3}], \"nan\": NaN, \"\": {}}\t";

static const char header[] =
    "{\"__metadata__\": {\"format\": \"pt\"},"
    "\"b\": {\"dtype\": \"F32\", \"shape\": [2, 1], \"data_offsets\": [4, 12]},"
    "\"ids\": {\"dtype\": \"I64\", \"shape\": [1], \"data_offsets\": [12, 20]},"
    "\"new\": {\"dtype\": \"F8_E9\", \"shape\": [7], \"data_offsets\": [20, 21]},"
    "\"a\\u002e\": {\"dtype\": \"BF16\", \"shape\": [], \"data_offsets\": [0, 2]},"
    "\"h\": {\"data_offsets\": [2, 4], \"shape\": [1, 1, 1, 1, 1, 1], \"dtype\": \"F16\"}}  ";

static void write_whole(place *p)
{
    file_bytes f;
    place_write_text(p, "config.json", config);
    put_safetensors(&f, header, 21);
    place_write(p, "model.safetensors", &f);
    place_path(p, "");
}

static void whole_folders_are_read(void **state)
{
    (void)state;
    place p;
    const wn_tensor *t;
    float row[2];
    place_open(&p);
    write_whole(&p);
    wn_weights *w = place_weights(&p);
    assert_false(wn_weights_is_gguf(w));
    assert_int_equal(wn_weights_count(w), 3);
    assert_string_equal(wn_weights_at(w, 0)->name, "a.");
    assert_true(wn_weights_at(w, 0)->type == WN_FILE_BF16 && wn_weights_at(w, 0)->rank == 0);
    assert_int_equal(wn_weights_find(w, "b", &t), WINNOW_OK);
    assert_true(t->type == WN_FILE_F32 && t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 1);
    assert_true(t->elements == 2 && t->bytes == 8 && t->data[0] == 4);
    wn_tensor_row(t, 1, 1, row);
    assert_memory_equal(row, ((const unsigned char[]){8, 9, 10, 11}), 4);
    assert_int_equal(wn_weights_find(w, "ids", &t), WINNOW_E_FILE);
    assert_non_null(
        strstr(p.memory.line, "\"ids\" is of type I64, which is not read (convert it to F32"));
    assert_int_equal(wn_weights_find(w, "new", &t), WINNOW_E_FILE);
    assert_non_null(strstr(p.memory.line, "F8_E9"));
    assert_int_equal(wn_weights_find(w, "c", &t), WINNOW_OK);
    assert_null(t);
    wn_weights_close(w);
    place_close(&p);
}

static void settings_are_flat(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        double value;
    } numbers[] = {{"config.hidden", 64},
                   {"config.eps", 1e-6},
                   {"config.vision_config.patch_size", 14},
                   {"config.vision_config.qkv_bias", 1},
                   {"config.vision_config.deep.x", -2.5},
                   {"config.architectures.1.b", 3},
                   {"preprocessor.size.shortest_edge", 224}};
    place p;
    double number, some[8];
    const char *text;
    uint32_t count = 8;
    place_open(&p);
    place_write_text(&p, "preprocessor_config.json", "{\"size\": {\"shortest_edge\": 224}}");
    write_whole(&p);
    wn_weights *w = place_weights(&p);
    for (size_t i = 0; i < LENGTH(numbers); ++i) {
        assert_true(wn_setting_number(w, numbers[i].key, &number));
        assert_true(number == numbers[i].value);
    }
    assert_true(wn_setting_text(w, "config.model_type", &text));
    assert_string_equal(text, "siglip\xc3\xa9 \xf0\x9f\x98\x80\n\"");
    assert_true(wn_setting_text(w, "config.architectures.0", &text));
    assert_true(wn_setting_numbers(w, "config.grids", some, &count));
    assert_true(count == 4 && some[0] == 336 && some[1] == 672 && some[2] == 672 && some[3] == 336);
    assert_true(wn_setting_numbers(w, "config.limit", some, &count));
    assert_true(count == 2 && some[0] == 0 && some[1] > 1e308);
    assert_true(wn_setting_number(w, "config.nan", &number) && number != number);
    assert_true(wn_setting_numbers(w, "config.empty", some, &count));
    assert_int_equal(count, 0);
    assert_false(wn_setting_number(w, "config.vision_config.none", &number));
    assert_false(wn_setting_number(w, "config.vision_config", &number));
    assert_false(wn_setting_number(w, "config.limit", &number));
    wn_weights_close(w);
    place_close(&p);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    place p;
    file_bytes f = {.size = 0};
    place_open(&p);
    place_path(&p, "");
    place_refused(&p, "folder: ", "/config.json: No such file");
    place_write_text(&p, "config.json", "{}");
    place_path(&p, "");
    place_refused(&p, "folder: ", "neither model.safetensors nor model.safetensors.index.json");
    place_write(&p, "model.safetensors", &f);
    place_path(&p, "");
    place_refused(&p, "folder: ", "/model.safetensors: it is empty");
    place_remove(&p, "config.json");
    assert_int_equal(mkfifo(place_path(&p, "config.json"), 0600), 0);
    place_path(&p, "");
    place_refused(&p, "folder: ", "/config.json: it is no plain file");
    place_close(&p);
}

#define DEEP_8  "[[[[[[[["
#define DEEP_33 DEEP_8 DEEP_8 DEEP_8 DEEP_8 "["

static void bad_json_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"x", "its JSON has a word or number"},
        {"[1]", "it is no JSON object"},
        {" ", "is no JSON, or cut short"},
        {"{\"a\": 1", "is no JSON, or cut short"},
        {"{\"a\": 1}}", "closes more than it opens"},
        {"{\"a\": 1} 2", "goes on after its end"},
        {"{\"a\": 1,}", "no list of \"key\": value"},
        {"{\"a\" 1}", "no list of \"key\": value"},
        {"{\"a\": 1 \"b\": 2}", "something else than a comma"},
        {"{\"a\":, \"b\": 2}", "no value where one is due"},
        {"{1: 2}", "no list of \"key\": value"},
        {"{\"a\": [1 2]}", "something else than a comma"},
        {"{\"a\": [1,]}", "lacks a value"},
        {"{\"a\": [1}]", "is no JSON"},
        {"{\"a\": 01}", "word or number"},
        {"{\"a\": 1.}", "word or number"},
        {"{\"a\": .5}", "word or number"},
        {"{\"a\": 1e}", "word or number"},
        {"{\"a\": 0x10}", "word or number"},
        {"{\"a\": 1e999}", "word or number"},
        {"{\"a\": True}", "word or number"},
        {"{\"a\": \"\\x\"}", "is no JSON"},
        {"{\"a\": \"\\u12g4\"}", "is no JSON"},
        {"{\"a\": \"\\u0000\"}", "a NUL or half a surrogate pair"},
        {"{\"a\": \"\\ud800\"}", "half a surrogate pair"},
        {"{\"a\": \"\\ud800\\u0041\"}", "half a surrogate pair"},
        {"{\"a\": \"\\udc00\"}", "half a surrogate pair"},
        {"{\"a\": \"\x01\"}", "control bytes"},
        {"{\"a\": \"\xff\"}", "is not UTF-8"},
        {"{\"a\": \"\xc0\xaf\"}", "is not UTF-8"},
        {"{\"a\": \"\xed\xa0\x80\"}", "is not UTF-8"},
        {"{\"a\": \"\xf5\x80\x80\x80\"}", "is not UTF-8"},
        {"{\"a\": \"\xc3", "is not UTF-8"},
        {"{\"a\": x\"[\"}", "no value where one is due"},
        {"{\"a\": 1, \"\\u0061\": 2}", "has a key twice"},
        {"{\"a\": {\"b\": {}, \"c\": 1, \"b\": 2}}", "has a key twice"},
        {"{\"a\": " DEEP_33, "is nested too deeply"},
        {"{\"a.b\": 1, \"a\": {\"b\": 2}}", "key \"config.a.b\" is there twice"},
    };
    place p;
    place_open(&p);
    write_whole(&p);
    for (size_t i = 0; i < LENGTH(bad); ++i) {
        place_write_text(&p, "config.json", bad[i].text);
        place_path(&p, "");
        place_refused(&p, "folder: ", bad[i].part);
    }
    file_bytes f = {.size = 0};
    put(&f, "{}\0", 3);
    place_write(&p, "config.json", &f);
    place_path(&p, "");
    place_refused(&p, "folder: ", "has a NUL");
    place_close(&p);
}

#define T(dtype, shape, offsets) \
    "{\"t\": {\"dtype\": " dtype ", \"shape\": " shape ", \"data_offsets\": " offsets "}}"
#define PAIR(first, second)                                                              \
    "{\"t\": {\"dtype\": \"F16\", \"shape\": [4], \"data_offsets\": " first "}, \"u\": " \
    "{\"dtype\": \"F16\", \"shape\": [4], \"data_offsets\": " second "}}"

static void bad_safetensors_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *header, *part; /* 16 bytes of data */
    } bad[] = {
        {"[]", "header is no JSON object"},
        {"{\"t\": 1}", "\"t\" is no JSON object"},
        {"{\"t\": {}}", "\"t\" has no dtype"},
        {T("4", "[4]", "[0, 16]"), "has no dtype"},
        {"{\"t\": {\"dtype\": \"F32\"}}", "has no shape"},
        {T("\"F32\"", "4", "[0, 16]"), "has no shape"},
        {T("\"F32\"", "[1,1,1,1,1,1,4]", "[0, 16]"), "more than 6 dimensions"},
        {T("\"F32\"", "[-4]", "[0, 16]"), "no whole number"},
        {T("\"F32\"", "[1.5]", "[0, 16]"), "no whole number"},
        {T("\"F32\"", "[[4]]", "[0, 16]"), "no whole number"},
        {T("\"F32\"", "[0, 4]", "[0, 0]"), "a dimension of 0"},
        {T("\"F32\"", "[4294967296, 4294967296]", "[0, 16]"), "more elements than 64 bits"},
        {T("\"I64\"", "[4294967296, 4294967296]", "[0, 16]"), "more bytes than 64 bits"},
        {T("\"F32\"", "[4]", "[0]"), "no data_offsets"},
        {T("\"F32\"", "[4]", "[16, 0]"), "no data_offsets"},
        {T("\"F32\"", "[4]", "[0, \"16\"]"), "no data_offsets"},
        {T("\"F32\"", "[4]", "[0, 17]"), "ends after the file does"},
        {T("\"F32\"", "[3]", "[0, 16]"), "do not fit its dtype and shape"},
        {T("\"F16\"", "[4]", "[0, 16]"), "do not fit its dtype and shape"},
        {T("\"I64\"", "[4]", "[0, 16]"), "do not fit its dtype and shape"},
        {T("\"F16\"", "[4]", "[0, 8]"), "8 of its bytes belong to no tensor"},
        {PAIR("[0, 8]", "[4, 12]"), "overlap"},
        {PAIR("[0, 8]", "[0, 8]"), "overlap"},
        {"{\"t\": {\"shape\": [4], \"shape\": [4]}}", "has a key twice"},
        {"{", "is no JSON"},
    };
    place p;
    file_bytes f;
    place_open(&p);
    place_write_text(&p, "config.json", "{}");
    for (size_t i = 0; i < LENGTH(bad); ++i) {
        put_safetensors(&f, bad[i].header, 16);
        place_write(&p, "model.safetensors", &f);
        place_path(&p, "");
        place_refused(&p, "folder: ", bad[i].part);
    }
    f.at[7] = 0x7f;
    place_write(&p, "model.safetensors", &f);
    place_path(&p, "");
    place_refused(&p, "folder: ", "its header claims");
    f.size = 7;
    place_write(&p, "model.safetensors", &f);
    place_path(&p, "");
    place_refused(&p, "folder: ", "in a file of 7");
    place_close(&p);
}

static void write_shards(place *p, const char *map)
{
    char index[1024];
    file_bytes f;
    place_write_text(p, "config.json", "{}");
    put_safetensors(&f, "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4);
    place_write(p, "one.safetensors", &f);
    put_safetensors(&f, "{\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2);
    place_write(p, "two.safetensors", &f);
    snprintf(index, sizeof index, "{\"metadata\": {\"total_size\": 6}, \"weight_map\": %s}", map);
    place_write_text(p, "model.safetensors.index.json", index);
    place_path(p, "");
}

static void shards_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *map, *part;
    } bad[] = {
        {"1", "has no \"weight_map\""},
        {"{\"a\": 1}", "\"a\" has no name of a shard"},
        {"{\"a\": \"../one.safetensors\"}", "is no name of a file in the folder"},
        {"{\"a\": \"/etc/passwd\"}", "is no name of a file in the folder"},
        {"{\"a\": \"\"}", "is no name of a file in the folder"},
        {"{\"a\": \"three.safetensors\"}", "/three.safetensors: No such file"},
        {"{\"a\": \"one.safetensors\", \"c\": \"one.safetensors\"}",
         "tensor \"c\" should be in one.safetensors and is not"},
        {"{\"a\": \"one.safetensors\", \"b\": \"one.safetensors\", \"x\": \"two.safetensors\"}",
         "tensor \"b\" should be in one.safetensors and is not"},
    };
    place p;
    file_bytes f;
    place_open(&p);
    write_shards(&p, "{\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}");
    wn_weights *w = place_weights(&p);
    assert_int_equal(wn_weights_count(w), 2);
    assert_true(wn_weights_at(w, 0)->bytes == 4 && wn_weights_at(w, 1)->bytes == 2);
    wn_weights_close(w);
    for (size_t i = 0; i < LENGTH(bad); ++i) {
        write_shards(&p, bad[i].map);
        place_refused(&p, "folder: ", bad[i].part);
    }
    write_shards(&p, "{\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}");
    put_safetensors(&f, "{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2);
    place_write(&p, "two.safetensors", &f);
    place_path(&p, "");
    place_refused(&p, "folder: ", "tensor \"a\" is there twice");
    place_close(&p);
}

/* Cut anywhere it is refused; with every allocation failing once it says so and leaks nothing. */
static void cuts_and_want_of_memory(void **state)
{
    (void)state;
    place p;
    file_bytes whole, f;
    winnow_status status = WINNOW_E_HOST_MEMORY;
    place_open(&p);
    write_shards(&p, "{\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}");
    for (size_t n = 1; status != WINNOW_OK; ++n) {
        wn_weights *w = NULL;
        p.memory.calls = 0;
        p.memory.fail_at = n;
        status = wn_weights_open(&p.host, p.path, &w);
        assert_true(status == WINNOW_OK || status == WINNOW_E_HOST_MEMORY);
        assert_true((w != NULL) == (status == WINNOW_OK));
        wn_weights_close(w);
        assert_int_equal(p.memory.live, 0);
    }
    p.memory.fail_at = 0;
    write_whole(&p);
    put_safetensors(&whole, header, 21);
    for (size_t size = 1; size < whole.size; ++size) {
        f = whole;
        f.size = size;
        place_write(&p, "model.safetensors", &f);
        place_path(&p, "");
        place_refused(&p, "folder: ", "");
    }
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_folders_are_read),    cmocka_unit_test(settings_are_flat),
        cmocka_unit_test(missing_files_are_named),   cmocka_unit_test(bad_json_is_named),
        cmocka_unit_test(bad_safetensors_are_named), cmocka_unit_test(shards_are_read),
        cmocka_unit_test(cuts_and_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
