/* test_ops: every primitive on random inputs, a GPU against plain C, bit by bit.
 *
 * test_ops --cpu              plain C alone: results worked out by hand, and host strides
 * test_ops --shared PARTS [--disable LIST] ...
 *                             plain C in parts with wider vectors, against plain C in one piece
 * test_ops [--device SEL | --lent] [--disable LIST] [--needs FEATURE] [--rounds N] [--seed N]
 *          [--only NAME]
 *
 * --lent is on a host's device with all features, those that a software device of ours does without
 * too. On a device without the FEATURE it says so and does no more. */
#include <stdio.h>
#include <stdlib.h>

#include "expect.h"
#include "lab.h"
#include "slack.h"

typedef struct options {
    bool cpu, lent;
    uint32_t shared; /* parts; 0: another device than plain C */
    const char *device, *disable, *needs, *only;
    uint64_t seed;
    uint32_t rounds;
} options;

typedef struct tally {
    uint32_t cases, failures;
} tally;

#define OP(name, grouping) gen_##name,
static void (*const generators[WN_OP_COUNT])(ops_case *c) = {
#include "../../shaders/ops.def"
};
#undef OP

static void print_log(void *user, int32_t level, const char *message)
{
    (void)user;
    if (level <= WINNOW_LOG_WARNING)
        printf("  [%d] %s\n", (int)level, message);
}

static bool read_options(int argc, char **argv, options *o)
{
    *o = (options){.device = "", .disable = "", .needs = "", .seed = 20240229, .rounds = 14};
    for (int i = 1; i < argc; ++i) {
        const bool has_value = i + 1 < argc;
        if (!strcmp(argv[i], "--cpu"))
            o->cpu = true;
        else if (!strcmp(argv[i], "--lent"))
            o->lent = true;
        else if (has_value && !strcmp(argv[i], "--shared"))
            o->shared = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (has_value && !strcmp(argv[i], "--device"))
            o->device = argv[++i];
        else if (has_value && !strcmp(argv[i], "--disable"))
            o->disable = argv[++i];
        else if (has_value && !strcmp(argv[i], "--needs"))
            o->needs = argv[++i];
        else if (has_value && !strcmp(argv[i], "--only"))
            o->only = argv[++i];
        else if (has_value && !strcmp(argv[i], "--seed"))
            o->seed = strtoull(argv[++i], NULL, 10);
        else if (has_value && !strcmp(argv[i], "--rounds"))
            o->rounds = (uint32_t)strtoul(argv[++i], NULL, 10);
        else
            return false;
    }
    return true;
}

/* Odd distances between the rows of host memory show who minds them. */
static bool same_results(winnow_device *cpu, winnow_device *other, const ops_case *c)
{
    result expected = {0}, got = {0};
    bool good = run_case(cpu, c, 0, &expected) && run_case(other, c, c->round % 4, &got);
    if (good) {
        double *slack = slack_of_case(c, other);
        got.slack = slack;
        const uint64_t wrong = compare(c, &expected, &got);
        good = wrong == 0;
        if (!good)
            printf("    %llu elements differ: %s\n", (unsigned long long)wrong, c->what);
        free(slack);
    }
    result_free(&expected);
    result_free(&got);
    return good;
}

static void try_kind(winnow_device *cpu, winnow_device *other, const options *o, uint32_t kind,
                     tally *t)
{
    const uint32_t failures = t->failures;
    for (uint32_t round = 0; round < o->rounds; ++round) {
        ops_case c;
        case_init(&c, o->seed + 1000003u * kind + 7919u * round, round);
        c.a_may_move = true;
        generators[kind](&c);
        close_case(&c);
        ++t->cases;
        if (!same_results(cpu, other, &c)) {
            ++t->failures;
            printf("  FAILED %s, round %u\n", wn_op_name(kind), round);
        }
        case_free(&c);
    }
    printf("%-18s %s\n", wn_op_name(kind), t->failures == failures ? "same" : "DIFFERS");
    fflush(stdout);
}

static bool is_wanted(const options *o, uint32_t kind)
{
    return !o->only || !strcmp(o->only, wn_op_name(kind));
}

static bool open_other(const wn_host *host, const options *o, lab_vulkan *lender,
                       winnow_device **out)
{
    const winnow_host lent = {.struct_size = sizeof lent, .log = host->log};
    if (o->shared) {
        if (wn_cpu_device_create(host, o->disable, out) != WINNOW_OK)
            return false;
        wn_cpu_device_share_all(*out, o->shared);
        return true;
    }
    if (!o->lent)
        return wn_gpu_device_create(host, o->device, o->disable, NULL, out) == WINNOW_OK;
    if (!lab_vulkan_open(host, true, lender))
        return false;
    winnow_vk_borrow desc = lab_borrow(lender, &lent);
    desc.disable = o->disable;
    return wn_gpu_borrow(&desc, out) == WINNOW_OK;
}

int main(int argc, char **argv)
{
    options o;
    wn_host host;
    lab_vulkan lender = {0};
    winnow_device *cpu = NULL, *other = NULL;
    if (!read_options(argc, argv, &o)) {
        fputs(
            "usage: test_ops [--cpu] [--shared PARTS | --device SEL | --lent] [--disable LIST] [--needs FEATURE] "
            "[--rounds N] [--seed N] [--only NAME]\n",
            stderr);
        return 2;
    }
    if (wn_host_read(NULL, &host) != WINNOW_OK)
        return 1;
    host.log = print_log;
    if (wn_cpu_device_create(&host, "avx2,avx512,threads", &cpu) != WINNOW_OK)
        return 1;
    if (!o.cpu && !open_other(&host, &o, &lender, &other)) {
        printf("no device \"%s\"\n", o.device);
        cpu->backend->device_destroy(cpu);
        return 1; /* a lender's device goes with the process */
    }
    const bool skipped = other && !strstr(other->info.features, o.needs);
    tally t = {0};
    if (o.cpu) {
        expectations e = {.device = cpu};
        expect_selection(&e);
        expect_merging(&e);
        expect_greedy(&e);
        expect_cover(&e);
        expect_shares(&e);
        expect_running(&e);
        expect_spans(&e);
        expect_frames(&e);
        expect_attend(&e);
        expect_convolution(&e);
        expect_vit(&e);
        expect_links(&e);
        expect_quotas(&e);
        expect_scales(&e);
        expect_quad(&e);
        expect_ridge(&e);
        expect_spectral(&e);
        printf("%u of %u expectations hold\n", e.checks - e.failures, e.checks);
        t = (tally){e.checks, e.failures};
    } else {
        printf("%s (%s), features: %s; seed %llu\n", other->info.name, other->info.driver,
               other->info.features, (unsigned long long)o.seed);
    }
    for (uint32_t kind = 0; kind < WN_OP_COUNT && !skipped; ++kind)
        if (is_wanted(&o, kind))
            try_kind(cpu, other ? other : cpu, &o, kind, &t);
    if (other)
        other->backend->device_destroy(other);
    if (o.lent)
        lab_vulkan_close(&lender);
    cpu->backend->device_destroy(cpu);
    if (skipped) {
        printf("not measured: no %s here\n", o.needs);
        return 0;
    }
    printf("%u cases, %u failed\n", t.cases, t.failures);
    return t.cases > 0 && t.failures == 0 ? 0 : 1;
}
