/* A host's locale may write 0,75. What specs and JSON say must not depend on it: both are read
 * under a locale with a decimal comma, an installed one or one that localedef makes for the test.
 * Where there is neither (musl has no such locales) the test says so and reads in the C locale. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "stage.h"
#include "support.h"

static const char comma_source[] = "LC_NUMERIC\n"
                                   "decimal_point \"<U002C>\"\n"
                                   "thousands_sep \"<U002E>\"\n"
                                   "grouping 3;3\n"
                                   "END LC_NUMERIC\n";

static bool writes_commas(const char *name)
{
    return setlocale(LC_NUMERIC, name) && strcmp(localeconv()->decimal_point, ",") == 0;
}

/* Makes COMMA_FOLDER/comma; LOCPATH leads to it. */
static void make_comma(void)
{
    FILE *source = fopen(COMMA_FOLDER "/comma.src", "w");
    if (!source)
        return;
    fputs(comma_source, source);
    if (fclose(source) != 0)
        return;
    /* Its status is 1 where it warns, as it does of the categories that are not there. */
    const int unused = system("localedef --no-archive -c -i '" COMMA_FOLDER "/comma.src' "
                              "'" COMMA_FOLDER "/comma' >'" COMMA_FOLDER "/comma.log' 2>&1");
    (void)unused;
    setenv("LOCPATH", COMMA_FOLDER, 1);
}

static bool use_comma(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8",
                                        "de_DE",       "fr_FR",      "es_ES.UTF-8", "pt_BR.UTF-8"};
    for (size_t i = 0; i < LENGTH(names); ++i)
        if (writes_commas(names[i]))
            return true;
    make_comma();
    if (writes_commas("comma"))
        return true;
    setlocale(LC_NUMERIC, "C");
    return false;
}

typedef struct reading {
    const char *spec;
    uint32_t option;
    double number, share;
} reading;

static const reading readings[] = {
    {"evs=rate=0.75", 0, 0.75, 0},
    {"evs", 0, 0.75, 0}, /* the default */
    {"evs=rate=.5", 0, 0.5, 0},
    {"evs=rate=1e-1", 0, 0.1, 0},
    {"evs=rate=0.1000000000000000055511151231257827", 0, 0.1, 0},
    {"evs=rate=2.2250738585072011e-308", 0, 2.2250738585072011e-308, 0},
    {"evs=rate=0.99999999999999994", 0, 0.99999999999999994, 0},
    {"divprune=keep=0.7%", 0, 0.7, 0.007},
    {"divprune=keep=12.5%", 0, 12.5, 0.125},
    {"divprune=keep=6.4e1", 0, 64, 0},
    {"dycoke-kv=similarity=-0.25", 1, -0.25, 0}, /* its range is -1..1 */
    {"ficoco=quantile=0.998", 2, 0.998, 0},
};

static void read_specs(void)
{
    test_host mine;
    wn_host host;
    winnow_pipeline pipeline;
    test_host_open(&mine);
    assert_int_equal(wn_host_read(&mine.host, &host), WINNOW_OK);
    for (size_t i = 0; i < LENGTH(readings); ++i) {
        const reading *r = &readings[i];
        if (wn_spec_parse(&host, r->spec, &pipeline) != WINNOW_OK)
            fail_msg("`%s`: %s", r->spec, mine.line);
        const wn_value *value = &pipeline.stages[0].values[r->option];
        if (value->number != r->number || value->share != r->share)
            fail_msg("`%s` is %a and %a", r->spec, value->number, value->share);
    }
    assert_int_equal(wn_spec_parse(&host, "evs=rate=1.0", &pipeline), WINNOW_E_SPEC); /* 0..<1 */
    assert_int_equal(wn_spec_parse(&host, "evs=rate=0,75", &pipeline), WINNOW_E_SPEC);
}

static void read_json(void)
{
    static const char text[] = "[0.75, -1.5e-3, 1e2]";
    static const double numbers[] = {0.75, -1.5e-3, 1e2};
    test_host mine;
    wn_host host;
    wn_json json;
    test_host_open(&mine);
    assert_int_equal(wn_host_read(&mine.host, &host), WINNOW_OK);
    assert_int_equal(wn_json_read(&host, "text", "text", text, strlen(text), &json), WINNOW_OK);
    assert_int_equal(json.count, 1 + LENGTH(numbers));
    for (size_t i = 0; i < LENGTH(numbers); ++i)
        assert_true(json.nodes[1 + i].number == numbers[i]);
    wn_json_free(&host, &json);
    assert_int_equal(mine.live, 0);
}

static void numbers_are_read_in_the_c_locale(void **state)
{
    (void)state;
    setlocale(LC_NUMERIC, "C");
    read_specs();
    read_json();
}

static void numbers_are_read_where_the_host_writes_commas(void **state)
{
    (void)state;
    if (!use_comma())
        print_message("no locale here writes commas, and localedef makes none: not tried\n");
    else
        assert_true(strtod("0.75", NULL) == 0.0); /* what would go wrong does */
    read_specs();
    read_json();
    setlocale(LC_NUMERIC, "C");
}

/* A thread of the host may have a locale of its own. It is a copy of the global one: glibc's
 * newlocale leaks the path that it makes of LOCPATH. */
static void numbers_are_read_where_the_thread_writes_commas(void **state)
{
    (void)state;
    use_comma();
    const locale_t own = duplocale(LC_GLOBAL_LOCALE);
    setlocale(LC_NUMERIC, "C");
    assert_true(own != (locale_t)0);
    const locale_t old = uselocale(own);
    read_specs();
    read_json();
    uselocale(old);
    freelocale(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_in_the_c_locale),
        cmocka_unit_test(numbers_are_read_where_the_host_writes_commas),
        cmocka_unit_test(numbers_are_read_where_the_thread_writes_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
