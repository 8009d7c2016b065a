/* A file of pipelines: what is taken, and that nothing damaged or foreign is. */
#include <stdlib.h>
#include <string.h>

#include "gpu/cache.h"
#include "support.h"

enum { DATA = 75, NAMES = 3 }; /* an odd length */

static wn_cache_key a_key(void)
{
    wn_cache_key key;
    memset(&key, 0, sizeof key);
    key.vendor = 0x10de;
    key.device = 7;
    key.driver = 535;
    key.api = 1u << 22;
    memset(key.uuid, 0x5a, sizeof key.uuid);
    strcpy(key.version, "1.0.0");
    strcpy(key.software, "a driver 5.35");
    return key;
}

static wn_host host;
static unsigned char data[DATA];
static const uint64_t names[NAMES] = {UINT64_MAX, 1, 0x0123456789abcdefu};

static unsigned char *pack(const wn_cache_key *key, size_t *bytes)
{
    wn_host_read(NULL, &host);
    for (size_t i = 0; i < DATA; ++i)
        data[i] = (unsigned char)(i * 37);
    const wn_cache_content content = {data, DATA, names, NAMES};
    unsigned char *file = wn_cache_pack(&host, key, &content, bytes);
    assert_non_null(file);
    return file;
}

static const char *parse(const wn_cache_key *key, const unsigned char *file, size_t bytes)
{
    /* A block of its own, so that a read behind the end is seen. */
    unsigned char *exact = malloc(bytes ? bytes : 1);
    wn_cache_content out = {file, 1, names, 1};
    memcpy(exact, file, bytes);
    const char *why = wn_cache_parse(key, exact, bytes, &out);
    if (why ? out.data || out.data_bytes || out.names || out.name_count
            : out.data_bytes != DATA || memcmp(out.data, data, DATA) != 0 ||
                  out.name_count != NAMES || memcmp(out.names, names, sizeof names) != 0)
        fail_msg("%s, and %zu bytes, %zu names", why ? why : "taken", out.data_bytes,
                 out.name_count);
    free(exact);
    return why;
}

static void what_was_written_is_taken(void **state)
{
    (void)state;
    const wn_cache_key key = a_key();
    size_t bytes;
    unsigned char *file = pack(&key, &bytes);
    assert_null(parse(&key, file, bytes));
    wn_free(&host, file);
}

static void nothing_short_or_long_is(void **state)
{
    (void)state;
    const wn_cache_key key = a_key();
    size_t bytes;
    unsigned char *file = pack(&key, &bytes), *longer = calloc(1, bytes + 16);
    for (size_t n = 0; n < bytes; ++n)
        if (!parse(&key, file, n))
            fail_msg("%zu of %zu bytes were taken", n, bytes);
    memcpy(longer, file, bytes);
    for (size_t more = 1; more <= 16; ++more)
        assert_string_equal(parse(&key, longer, bytes + more), "it is longer than it says");
    free(longer);
    wn_free(&host, file);
}

static void nothing_damaged_is(void **state)
{
    (void)state;
    const wn_cache_key key = a_key();
    size_t bytes;
    unsigned char *file = pack(&key, &bytes);
    for (size_t i = 0; i < bytes; ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            file[i] ^= (unsigned char)(1u << bit);
            if (!parse(&key, file, bytes))
                fail_msg("bit %u of byte %zu turned round, and it was taken", bit, i);
            file[i] ^= (unsigned char)(1u << bit);
        }
    assert_null(parse(&key, file, bytes));
    wn_free(&host, file);
}

/* Two bytes changed places, words changed places, runs of zeros: what a sum may overlook. */
static void nothing_shuffled_is(void **state)
{
    (void)state;
    const wn_cache_key key = a_key();
    uint32_t seed = 1;
    size_t bytes;
    unsigned char *file = pack(&key, &bytes), *other = malloc(bytes);
    for (int round = 0; round < 20000; ++round) {
        memcpy(other, file, bytes);
        const uint32_t drawn[3] = {seed = seed * 1664525u + 1013904223u,
                                   seed = seed * 1664525u + 1013904223u,
                                   seed = seed * 1664525u + 1013904223u};
        const size_t run = 1 + (drawn[0] >> 20) % 16, from = (drawn[1] >> 8) % (bytes - run),
                     to = (drawn[2] >> 8) % (bytes - run);
        if (round % 2) {
            memmove(other + to, file + from, run);
            memmove(other + from, file + to, run);
        } else {
            memset(other + to, (int)(drawn[0] >> 24), run);
        }
        if (memcmp(other, file, bytes) != 0 && !parse(&key, other, bytes))
            fail_msg("round %d: taken", round);
    }
    free(other);
    wn_free(&host, file);
}

static void nothing_foreign_is(void **state)
{
    (void)state;
    const wn_cache_key mine = a_key();
    size_t bytes;
    unsigned char *file = pack(&mine, &bytes);
    for (size_t i = 0; i < sizeof mine; ++i) {
        wn_cache_key other = mine;
        ((unsigned char *)&other)[i] ^= 1;
        const char *why = parse(&other, file, bytes);
        const bool version = i >= offsetof(wn_cache_key, version) &&
                             i < offsetof(wn_cache_key, version) + sizeof mine.version;
        assert_non_null(why);
        assert_string_equal(why, version ? "it is of another version of Winnow"
                                         : "it is of another device or driver");
    }
    assert_string_equal(parse(&mine,
                              (const unsigned char *)"\x7f"
                                                     "ELF and so on and on",
                              20),
                        "it is no file of Winnow's pipelines");
    wn_free(&host, file);
}

/* The same code with the same constants, and nothing else, has the same name. */
static void names_tell_apart(void **state)
{
    (void)state;
    uint32_t code[5] = {7, 8, 9, 10, 11}, constants[3] = {128, 0, 1};
    const uint64_t name = wn_cache_name(code, sizeof code, constants, sizeof constants);
    assert_true(name == wn_cache_name(code, sizeof code, constants, sizeof constants));
    for (size_t i = 0; i < LENGTH(code); ++i) {
        code[i] ^= 1u << i;
        assert_false(name == wn_cache_name(code, sizeof code, constants, sizeof constants));
        code[i] ^= 1u << i;
    }
    for (size_t i = 0; i < LENGTH(constants); ++i) {
        constants[i] ^= 2;
        assert_false(name == wn_cache_name(code, sizeof code, constants, sizeof constants));
        constants[i] ^= 2;
    }
    assert_false(name == wn_cache_name(code, sizeof code - 4, constants, sizeof constants));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_taken), cmocka_unit_test(nothing_short_or_long_is),
        cmocka_unit_test(nothing_damaged_is),        cmocka_unit_test(nothing_shuffled_is),
        cmocka_unit_test(nothing_foreign_is),        cmocka_unit_test(names_tell_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
