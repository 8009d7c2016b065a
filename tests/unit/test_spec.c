/* The spec parser: what it takes, and each of its sentences with the place that it points at. */
#include <stdio.h>
#include <string.h>

#include "chosen_plan.h"
#include "stage.h"
#include "support.h"

typedef struct parsed {
    test_host mine;
    wn_host host;
    winnow_pipeline pipeline;
} parsed;

static winnow_status parse(parsed *p, const char *spec)
{
    memset(p, 0, sizeof *p);
    test_host_open(&p->mine);
    assert_int_equal(wn_host_read(&p->mine.host, &p->host), WINNOW_OK);
    return wn_spec_parse(&p->host, spec, &p->pipeline);
}

static void takes_stages_options_and_space(void **state)
{
    (void)state;
    parsed p;
    assert_int_equal(parse(&p, " evs = rate=0.75 ,\ttome= r = 16 : metric = tokens"), WINNOW_OK);
    assert_int_equal(p.pipeline.stage_count, 2);
    assert_string_equal(p.pipeline.stages[0].stage->name, "evs");
    assert_true(p.pipeline.stages[0].values[0].number == 0.75);
    assert_true(p.pipeline.stages[1].values[0].given &&
                p.pipeline.stages[1].values[0].number == 16);
    assert_false(p.pipeline.stages[1].values[1].given);
    assert_int_equal(p.pipeline.stages[1].values[2].choice, 1);
    assert_int_equal(p.mine.lines, 0);
    assert_int_equal(parse(&p, "divprune=keep=12.5%"), WINNOW_OK);
    assert_true(p.pipeline.stages[0].values[0].percent);
    assert_true(p.pipeline.stages[0].values[0].share ==
                p.pipeline.stages[0].values[0].number / 100.0);
    assert_true(p.pipeline.stages[0].values[0].number == 12.5);
    assert_int_equal(parse(&p, "divprune=keep=0.7%"), WINNOW_OK);
    assert_true(p.pipeline.stages[0].values[0].share == 0.007); /* which 0.7 / 100 is not */
    assert_int_equal(parse(&p, "divprune=keep=6.4e1"), WINNOW_OK);
    assert_true(p.pipeline.stages[0].values[0].number == 64);
    /* A number alone is the first option's. */
    assert_int_equal(parse(&p, "budget=12.5%,evs= .5 :compat=bf16"), WINNOW_OK);
    assert_true(p.pipeline.stages[0].values[0].percent &&
                p.pipeline.stages[0].values[0].number == 12.5);
    assert_true(p.pipeline.stages[1].values[0].number == 0.5);
    assert_int_equal(p.pipeline.stages[1].values[1].choice, 1);
}

static void fills_defaults(void **state)
{
    (void)state;
    parsed p;
    assert_int_equal(parse(&p, "dycoke-kv"), WINNOW_OK);
    const wn_value *v = p.pipeline.stages[0].values;
    assert_true(v[0].given && v[0].number == 0.7 && v[1].number == 0.9 && v[2].choice == 0);
    assert_int_equal(parse(&p, "prumerge"), WINNOW_OK);
    assert_false(p.pipeline.stages[0].values[0].given); /* its default "-" means off */
    for (uint32_t i = 0; i < wn_stage_count; ++i)
        for (uint32_t k = 0; k < wn_stages[i]->option_count; ++k)
            assert_true(wn_stages[i]->option_count <= WN_MAX_OPTIONS &&
                        wn_stages[i]->options[k].help);
}

/* What is said of a bad spec: the sentence must hold each of these texts. */
typedef struct mistake {
    const char *spec, *says[3];
} mistake;

static const mistake mistakes[] = {
    {"", {"stage is missing", "character 1"}},
    {",evs", {"stage is missing", "character 1"}},
    {"evs,", {"stage is missing", "character 5"}},
    {"evs,,tome=r=1", {"stage is missing", "character 5"}},
    {"evs=rate=0.5, ,tome=r=1", {"stage is missing"}},
    {"=rate=1", {"stage is missing", "character 1"}},
    {"tone=r=4", {"no stage `tone`", "character 1", "did you mean `tome`?"}},
    {"evs, divprun=keep=3", {"no stage `divprun`", "character 6", "did you mean `divprune`?"}},
    {"something-else-altogether", {"no stage", "`winnow stages` lists them"}},
    {"a-name-that-is-longer-than-thirty-one-letters", {"no stage", "lists them"}},
    {"EVS", {"no stage `EVS`"}},
    {"union=64", {"union", "character 1", "needs of="}},
    {"cascade=keep=8:of=divprun", {"`divprun`", "character 19", "did you mean `divprune`?"}},
    {"cascade=keep=8:of=divprune+tome", {"`tome`", "character 28", "only chooses tokens"}},
    {"cascade=keep=8:of=divprune+", {"names ``", "character 28"}},
    {"union=keep=8:of=divprune*0+evs", {"share is `0`", "character 26", "1..100"}},
    {"union=keep=8:of=divprune*+evs", {"share is ``", "1..100"}},
    {"union=keep=8:of=divprune*1.5", {"share is `1.5`", "whole number"}},
    {"union=keep=8:of=evs+evs+evs+evs+evs", {"more than 4 stages", "character 33"}},
    {"evs=rat=0.5", {"evs has no option `rat`", "character 5", "did you mean `rate`?"}},
    {"evs=xyzzyx=0.5", {"no option `xyzzyx`", "there are `rate`, `compat`"}},
    {"evs=rate=0.5:", {"no option ``", "character 14"}},
    {"evs=", {"no option ``", "character 5"}},
    {"evs=rate", {"rate has no value", "character 9", "rate=..."}},
    {"evs=rate=", {"rate has no value", "character 10"}},
    {"evs=rate= :compat=f32", {"rate has no value"}},
    {"evs=rate=0.5:rate=0.5", {"rate is given twice", "character 14"}},
    {"evs=rate=lots", {"rate is `lots`", "character 10", "give a number"}},
    {"evs=rate=0x1", {"rate is `0x1`", "give a number"}},
    {"evs=rate=nan", {"give a number"}},
    {"evs=rate=inf", {"give a number"}},
    {"evs=rate=1e999", {"give a number"}},
    {"evs=rate=0.5.5", {"give a number"}},
    {"evs=rate=0.5=1", {"give a number"}},
    {"evs=rate=1", {"rate is 1", "character 10", "0..<1"}},
    {"evs=rate=-0.1", {"rate is -0.1", "0..<1"}},
    {"evs=compat=f16", {"compat is `f16`", "character 12", "f32|bf16"}},
    {"evs=compat=f3", {"compat is `f3`"}},
    {"evs=compat=f32|bf16", {"compat is `f32|bf16`"}},
    {"divprune", {"divprune at character 1 needs keep=..."}},
    {"evs,divprune", {"divprune at character 5 needs keep=..."}},
    {"divprune=keep=0", {"keep is 0", "1..1e9"}},
    {"divprune=keep=1.5", {"keep is 1.5", "whole number"}},
    {"fastervlm=keep=%", {"keep is `%`", "count such as 64 or a share such as 25%"}},
    {"fastervlm=auto", {"no option `auto`"}},
    {"fastervlm=keep=auto", {"keep is `auto`", "a count such as 64 or a share"}},
    {"divprune=keep=autos", {"keep is `autos`", "a share such as 25%, or auto"}},
    {"divprune=5:fidelity=0.5", {"divprune at character 1", "fidelity= goes with keep=auto"}},
    {"divprune=keep=auto:centre=on", {"centre=on has no radius to go by"}},
    {"divprune=keep=4:share=need:centre=on", {"centre=on has no radius to go by"}},
    {"divprune=auto:fidelity=1", {"fidelity is 1", "0..<1"}},
    {"divprune=auto:share=need", {"counts no tokens that frames could share"}},
    {"divprune=5:most=3", {"least= and most= go with"}},
    {"budget=5:fidelity=0.5", {"budget at character 1", "fidelity= goes with keep=auto"}},
    {"budget=auto:preset=fast", {"one of them"}},
    {"divprune=keep=0%", {"keep is 0%", "above 0%"}},
    {"divprune=keep=101%", {"keep is 101%", "0%..100%"}},
    {"divprune=keep=25%%", {"keep is `25%%`", "share such as 25%"}},
    {"divprune=keep=2e9", {"keep is 2e9", "1..1e9"}},
    {"tome=r=2.5", {"r is 2.5", "whole number"}},
    {"tome", {"tome at character 1", "r= (tokens to merge) or keep="}},
    {"tome=r=1:keep=3", {"either r="}},
    {"cdpruner=keep=4:split=10", {"split= goes with weight="}},
    {"avg-pool", {"either factor="}},
    {"vitcop=clusters=0.2", {"vitcop at character 1", "mode= go with rows=clusters"}},
    {"vitcop=mode=official", {"mode= go with rows=clusters"}},
    {"vitcop=rows=clusters:cutoff=0", {"cutoff is 0", "1e-3..1e6"}},
    {"vitcop-llm", {"vitcop-llm at character 1 needs keep=..."}},
    {"fsr=keep=4:mass=1.5", {"mass is 1.5", "0..1"}},
    {"laco=layer=2:layers=all", {"laco has no option `layers`", "character 14", "`layer`"}},
    {"laco=layer=2:attention=class", {"laco has no option `attention`"}},
    {"tops=keep=3:norm=sum", {"norm is `sum`", "mean|range"}},
    {"tops=keep=3:raters=all", {"tops has no option `raters`"}},
    {"tops-llm=keep=3:raters=some", {"raters is `some`", "dynamic|all|last"}},
    {"sieve=keep=3:energy=1.5", {"energy is 1.5", "0..1"}},
    {"trio", {"trio at character 1 needs keep=..."}},
    {"trio=keep=3:similarity=1.5", {"similarity is 1.5", "-1..1"}},
    {"sieve=keep=3:heads=0", {"heads is 0", "1..1e9"}},
    {"tops=keep=3:coverage=-1", {"coverage is -1", "0..100"}},
    {"scope=keep=3:shallow=2", {"scope has no option `shallow`", "character 14"}},
    {"vscan=keep=3:shallow=2.5", {"shallow is `2.5`", "character 22", "a layer"}},
    {"dycoke-kv,evs", {"dycoke-kv at character 1", "runs alone"}},
    {"evs,dycoke-kv", {"dycoke-kv at character 5", "runs alone"}},
    {"divprune=keep=1111111111111111111111111111111111111111111111111111111111111111111",
     {"give a count"}},
    {"budget", {"budget at character 1", "keep= or preset="}},
    {"budget=5:preset=fast", {"budget at character 1", "one of them"}},
    {"budget=preset=slow", {"preset is `slow`", "fast|balanced|careful"}},
    {"budget=0", {"keep is 0", "character 8", "1..1e9"}},
    {"budget=101%", {"keep is 101%"}},
    {"budget=5:6", {"budget has no option `6`", "character 10"}},
    {"evs=1", {"rate is 1", "character 5", "0..<1"}},
    {"visionzip=fifty", {"no option `fifty`"}},
    {"evs=rate=0.5\n", {NULL}}, /* space around values is fine, a line feed too */
};

static void says_what_is_wrong_and_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(mistakes); ++i) {
        parsed p;
        const winnow_status status = parse(&p, mistakes[i].spec);
        if (!mistakes[i].says[0]) {
            assert_int_equal(status, WINNOW_OK);
            continue;
        }
        if (status != WINNOW_E_SPEC || p.mine.lines != 1)
            fail_msg("`%s` gives %d and %d lines", mistakes[i].spec, (int)status, p.mine.lines);
        for (size_t k = 0; k < 3 && mistakes[i].says[k]; ++k)
            if (!strstr(p.mine.line, mistakes[i].says[k]))
                fail_msg("`%s` says `%s`, not `%s`", mistakes[i].spec, p.mine.line,
                         mistakes[i].says[k]);
        if (strncmp(p.mine.line, "spec: ", 6) != 0)
            fail_msg("`%s` does not begin with what it is about", p.mine.line);
    }
}

static void limits_are_said(void **state)
{
    (void)state;
    parsed p;
    char spec[5000] = "";
    assert_int_equal(parse(&p, NULL), WINNOW_E_ARGUMENT);
    for (int i = 0; i < 17; ++i)
        snprintf(spec + strlen(spec), sizeof spec - strlen(spec), "%sevs", i ? "," : "");
    assert_int_equal(parse(&p, spec), WINNOW_E_SPEC);
    assert_non_null(strstr(p.mine.line, "more than 16 stages at character 65"));
    spec[63] = '\0';
    assert_int_equal(parse(&p, spec), WINNOW_OK);
    assert_int_equal(p.pipeline.stage_count, 16);
    memset(spec, ' ', sizeof spec - 1);
    assert_int_equal(parse(&p, spec), WINNOW_E_SPEC);
    assert_non_null(strstr(p.mine.line, "at most 4096"));
}

static void a_failed_spec_leaves_nothing(void **state)
{
    (void)state;
    test_host mine;
    winnow_pipeline *pipeline = NULL;
    test_host_open(&mine);
    for (size_t i = 0; i < LENGTH(mistakes); ++i) {
        test_api()->pipeline_create(&mine.host, mistakes[i].spec, &pipeline);
        test_api()->pipeline_destroy(pipeline);
        assert_int_equal(mine.live, 0);
    }
}

static bool is_chosen(const char *name)
{
    for (size_t i = 0; i < chosen_stage_count; ++i)
        if (strncmp(chosen_stages[i], name, strlen(name)) == 0 &&
            strchr("=", chosen_stages[i][strlen(name)]))
            return true;
    return false;
}

/* A new stage gets a row in tests/fuzz/chosen_plan.c. */
static void tests_by_chance_know_every_stage(void **state)
{
    (void)state;
    static const char *const others[] = {"laco",     "ficoco",            /* inside an encoder */
                                         "flash",    "hicom",  "explain", /* with weights */
                                         "dycoke-kv" /* while decoding */};
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < test_api()->stage_count(); ++i) {
        winnow_stage_info stage = {.struct_size = sizeof stage};
        assert_int_equal(test_api()->stage_info(i, &stage), WINNOW_OK);
        bool other = false;
        for (size_t k = 0; k < LENGTH(others); ++k)
            other = other || strcmp(others[k], stage.name) == 0;
        if (is_chosen(stage.name) == other) {
            print_error("%s\n", stage.name);
            ++unknown;
        }
    }
    assert_int_equal(unknown, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_stages_options_and_space),
        cmocka_unit_test(fills_defaults),
        cmocka_unit_test(says_what_is_wrong_and_where),
        cmocka_unit_test(limits_are_said),
        cmocka_unit_test(a_failed_spec_leaves_nothing),
        cmocka_unit_test(tests_by_chance_know_every_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
