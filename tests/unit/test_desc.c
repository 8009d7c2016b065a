/* Reading and writing the structs that cross the ABI. */
#include <string.h>

#include "host.h"
#include "support.h"

typedef struct sample {
    uint32_t struct_size;
    uint32_t a;
    uint64_t b;
} sample;

typedef struct longer {
    sample known;
    uint32_t more[4];
} longer;

static void read_takes_what_is_there(void **state)
{
    (void)state;
    const sample in = {sizeof in, 1, 2};
    sample out = {9, 9, 9};
    assert_int_equal(wn_desc_read(&in, &out, sizeof out), WINNOW_OK);
    assert_memory_equal(&in, &out, sizeof in);
    assert_int_equal(wn_desc_read(NULL, &out, sizeof out), WINNOW_E_ARGUMENT);
}

static void read_zeroes_what_an_older_host_lacks(void **state)
{
    (void)state;
    for (uint32_t size = 0; size <= sizeof(sample); ++size) {
        const sample in = {size, 0xffffffffu, UINT64_MAX};
        sample out = {9, 9, 9};
        const winnow_status status = wn_desc_read(&in, &out, sizeof out);
        assert_int_equal(status, size < 4 ? WINNOW_E_STRUCT_SIZE : WINNOW_OK);
        if (status != WINNOW_OK)
            continue;
        for (size_t i = 4; i < sizeof out; ++i)
            assert_int_equal(((unsigned char *)&out)[i], i < size ? 0xff : 0);
    }
}

static void read_refuses_an_unknown_tail(void **state)
{
    (void)state;
    longer in = {.known = {sizeof in, 1, 2}};
    sample out;
    assert_int_equal(wn_desc_read(&in, &out, sizeof out), WINNOW_OK);
    assert_true(out.a == 1 && out.b == 2);
    for (size_t i = sizeof in.known; i < sizeof in; ++i) {
        ((unsigned char *)&in)[i] = 1;
        assert_int_equal(wn_desc_read(&in, &out, sizeof out), WINNOW_E_STRUCT_SIZE);
        ((unsigned char *)&in)[i] = 0;
    }
}

static void write_keeps_to_the_room(void **state)
{
    (void)state;
    const sample filled = {77, 0x01010101u, 0x0101010101010101u};
    for (uint32_t room = 0; room <= sizeof(longer); ++room) {
        union {
            longer out;
            unsigned char bytes[sizeof(longer)];
        } u;
        memset(&u, 0x5a, sizeof u);
        u.out.known.struct_size = room;
        const winnow_status status = wn_desc_write(&filled, sizeof filled, &u);
        assert_int_equal(status, room < 4 ? WINNOW_E_STRUCT_SIZE : WINNOW_OK);
        assert_int_equal(u.out.known.struct_size, room); /* the caller's word */
        for (uint32_t i = 4; i < sizeof u; ++i)
            assert_int_equal(u.bytes[i], room < 4 || i >= room ? 0x5a : i < sizeof filled ? 1 : 0);
    }
    assert_int_equal(wn_desc_write(&filled, sizeof filled, NULL), WINNOW_E_ARGUMENT);
}

static void host_defaults_and_halves(void **state)
{
    (void)state;
    wn_host host;
    assert_int_equal(wn_host_read(NULL, &host), WINNOW_OK);
    assert_true(host.allocator.allocate && host.allocator.release && !host.log);
    for (size_t bytes = 0; bytes < 200; bytes += 67) {
        unsigned char *memory = wn_alloc(&host, bytes);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (size_t i = 0; i < bytes; ++i)
            assert_int_equal(memory[i], 0);
        wn_free(&host, memory);
    }
    wn_free(&host, NULL);
    assert_null(wn_alloc(&host, SIZE_MAX));
    test_host mine;
    test_host_open(&mine);
    winnow_host half = mine.host;
    half.allocator.release = NULL;
    assert_int_equal(wn_host_read(&half, &host), WINNOW_E_ARGUMENT);
    half = mine.host;
    half.allocator.allocate = NULL;
    assert_int_equal(wn_host_read(&half, &host), WINNOW_E_ARGUMENT);
}

static void a_failure_is_one_line(void **state)
{
    (void)state;
    test_host mine;
    wn_host host;
    test_host_open(&mine);
    assert_int_equal(wn_host_read(&mine.host, &host), WINNOW_OK);
    assert_int_equal(wn_fail(&host, WINNOW_E_ROLE, "a\nb %d\r%s", 3, "c"), WINNOW_E_ROLE);
    assert_string_equal(mine.line, "a b 3 c");
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    wn_log(&host, WINNOW_LOG_INFO, "%s", text);
    assert_int_equal(strlen(mine.line), sizeof mine.line - 1);
    host.log = NULL;
    assert_int_equal(wn_fail(&host, WINNOW_E_SPEC, "%s", text), WINNOW_E_SPEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_takes_what_is_there),
        cmocka_unit_test(read_zeroes_what_an_older_host_lacks),
        cmocka_unit_test(read_refuses_an_unknown_tail),
        cmocka_unit_test(write_keeps_to_the_room),
        cmocka_unit_test(host_defaults_and_halves),
        cmocka_unit_test(a_failure_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
