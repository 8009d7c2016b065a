#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "engine.h"
#include "report.h"
#include "roles.h"
#include "stage_figures.h"

typedef struct values {
    bool json, figures, markdown;
} values;

static const arg_option options[] = {
    {"figures", 0, ARG_FLAG, offsetof(values, figures), NULL,
     "papers, what each agrees with, what was measured"},
    {"markdown", 0, ARG_FLAG, offsetof(values, markdown), NULL, "all of it as a table in Markdown"},
    {"json", 0, ARG_FLAG, offsetof(values, json), NULL, "for machines"},
    {0}};

static bool stage_at(const engine *e, uint32_t index, winnow_stage_info *out)
{
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    return e->api->stage_info(index, out) == WINNOW_OK;
}

static const char *stage_name(const void *user, size_t index)
{
    winnow_stage_info info;
    return stage_at(user, (uint32_t)index, &info) ? info.name : "";
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static cJSON *option_object(const winnow_option_info *option)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", option->name);
    cJSON_AddStringToObject(object, "type", or_empty(option->type));
    cJSON_AddStringToObject(object, "default", or_empty(option->value));
    cJSON_AddStringToObject(object, "choices", or_empty(option->choices));
    cJSON_AddStringToObject(object, "help", or_empty(option->help));
    return object;
}

static cJSON *stage_object(const winnow_stage_info *info)
{
    cJSON *object = cJSON_CreateObject(), *list;
    cJSON_AddStringToObject(object, "name", info->name);
    cJSON_AddStringToObject(object, "family", info->family);
    cJSON_AddStringToObject(object, "summary", info->summary);
    cJSON_AddStringToObject(object, "help", or_empty(info->help));
    cJSON_AddStringToObject(object, "source", or_empty(info->source));
    cJSON_AddItemToObject(object, "roles_needed", report_roles(info->roles_needed));
    cJSON_AddItemToObject(object, "roles_optional", report_roles(info->roles_optional));
    cJSON_AddBoolToObject(object, "needs_grid", info->needs_grid != 0);
    cJSON_AddStringToObject(object, "paper", or_empty(info->paper));
    cJSON_AddStringToObject(object, "agrees", or_empty(info->agrees));
    cJSON_AddStringToObject(object, "gives", or_empty(info->gives));
    cJSON_AddStringToObject(object, "cost", or_empty(info->cost));
    stage_figures_json(object, info->name);
    list = cJSON_AddArrayToObject(object, "options");
    for (uint32_t i = 0; i < info->option_count; i++) {
        cJSON_AddItemToArray(list, option_object(&info->options[i]));
    }
    return object;
}

/* `text` in lines of 96 columns, indented behind its label. */
static void print_wrapped(const char *label, const char *text, int indent)
{
    int column = 0;
    while (*text) {
        size_t word = strcspn(text, " \n");
        if (column == 0 || column + 1 + (int)word > 96 - indent) {
            printf("%s%-*s", column ? "\n" : "", indent, label);
            label = "";
            column = 0;
        }
        printf("%s%.*s", column ? " " : "", (int)word, text);
        column += (int)word + (column ? 1 : 0);
        text += word;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

static void print_option(const winnow_option_info *option)
{
    char value[160];
    const char *preset = or_empty(option->value);
    if (!*preset) {
        snprintf(value, sizeof value, "must be given");
    } else if (strcmp(preset, "-") == 0) {
        snprintf(value, sizeof value, "off if absent");
    } else {
        snprintf(value, sizeof value, "default %s", preset);
    }
    printf("  %-14s %s, %s%s%s\n", option->name, or_empty(option->type), value,
           *or_empty(option->choices) ? ", " : "", or_empty(option->choices));
    print_wrapped("", or_empty(option->help), 17);
}

enum {
    LOOKED_AT = 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_QUERIES | 1u << WINNOW_ROLE_CLS |
                1u << WINNOW_ROLE_CLS_ATTENTION,
    ATTENTION = 1u << WINNOW_ROLE_CLS_ATTENTION,
    NOT_OF_ENCODERS = 1u << WINNOW_ROLE_LLM_ATTENTION | 1u << WINNOW_ROLE_SALIENCY
};

/* What stages take in encoders beside their own options; `roles`: of no use without one of them. */
static const struct {
    uint32_t roles;
    winnow_option_info option;
} inside[] = {
    {LOOKED_AT,
     {"layer", "layer", "-", "",
      "whose keys and attention it gets: 6, or -2 for the last but one; absent: the last one "
      "that runs"}},
    {UINT32_MAX,
     {"layers", "layers", "-", "all|6|6..11",
      "the layers that it runs in, so that later ones have fewer tokens; absent: behind the "
      "encoder"}},
    {ATTENTION,
     {"attention", "choice", "-", "class|received|pool",
      "the class token's attention, what a token receives on average, or the pooling head's "
      "(SigLIP); absent: the class token's if there is one"}}};
enum { INSIDE_COUNT = sizeof inside / sizeof inside[0] };

/* A stage with a `layer` of its own (laco) runs there alone and takes none of these. */
static bool has_own_place(const winnow_stage_info *info)
{
    for (uint32_t i = 0; i < info->option_count; i++) {
        if (strcmp(info->options[i].name, inside[0].option.name) == 0) {
            return true;
        }
    }
    return false;
}

static void print_inside(const winnow_stage_info *info)
{
    uint32_t roles = info->roles_needed | info->roles_optional;
    if (strcmp(info->family, "decode") == 0 || (info->roles_needed & NOT_OF_ENCODERS) ||
        has_own_place(info)) {
        return;
    }
    puts("\nin an encoder (winnow encode --model FILE)");
    for (size_t i = 0; i < INSIDE_COUNT; i++) {
        if (inside[i].roles & roles) {
            print_option(&inside[i].option);
        }
    }
}

static void print_figures(const char *name)
{
    const stage_figures *f = stage_figures_of(name);
    char text[24];
    if (!f) {
        return;
    }
    if (f->image_ms > 0) {
        printf("measured  %s ms for " STAGE_FIGURES_IMAGE "\n",
               stage_figures_ms(f->image_ms, text, sizeof text));
    }
    if (f->video_ms > 0) {
        printf("measured  %s ms for " STAGE_FIGURES_VIDEO "\n",
               stage_figures_ms(f->video_ms, text, sizeof text));
    }
    if (f->quarter.right > 0) {
        printf("answers   %.1f%% right at a quarter of the tokens: %s\n", f->quarter.right,
               f->quarter.pipeline);
    }
    if (f->tenth.right > 0) {
        printf("answers   %.1f%% right at a tenth: %s\n", f->tenth.right, f->tenth.pipeline);
    }
}

static void print_stage(const winnow_stage_info *info)
{
    char roles[256];
    printf("%s (%s): %s\n\n", info->name, info->family, info->summary);
    if (*or_empty(info->help)) {
        print_wrapped("", info->help, 0);
        putchar('\n');
    }
    printf("needs     %s%s\n", role_list(info->roles_needed, roles, sizeof roles),
           info->needs_grid ? ", on a full grid" : "");
    if (info->roles_optional) {
        printf("uses      %s\n", role_list(info->roles_optional, roles, sizeof roles));
    }
    print_wrapped("gives     ", or_empty(info->gives), 10);
    print_wrapped("source    ", or_empty(info->source), 10);
    print_wrapped("agrees    ", or_empty(info->agrees), 10);
    print_wrapped("cost      ", or_empty(info->cost), 10);
    print_figures(info->name);
    if (info->option_count) {
        puts("\noptions");
    }
    for (uint32_t i = 0; i < info->option_count; i++) {
        print_option(&info->options[i]);
    }
    print_inside(info);
}

static int show_one(const engine *e, const char *name, bool json)
{
    winnow_stage_info info;
    if (!engine_stage(e, name, strlen(name), &info)) {
        const char *nearest = cli_nearest(name, stage_name, e, e->api->stage_count());
        if (nearest) {
            return cli_misuse("stages: there is no stage \"%s\" (did you mean %s?)", name, nearest);
        }
        return cli_misuse("stages: there is no stage \"%s\" (see 'winnow stages')", name);
    }
    if (json) {
        return report_print(stage_object(&info));
    }
    print_stage(&info);
    return cli_finish_stdout();
}

/* Every stage with what was measured, for people and for documents. */
static int show_figures(const engine *e)
{
    winnow_stage_info info;
    printf("%-14s %-31s %-24s %9s %9s %7s %7s  %s\n", "NAME", "PAPER", "AGREES WITH", "IMAGE MS",
           "VIDEO MS", "AT 25%", "AT 10%", "GIVES");
    for (uint32_t i = 0; i < e->api->stage_count() && stage_at(e, i, &info); i++) {
        const stage_figures none = {0}, *found = stage_figures_of(info.name),
                            *f = found ? found : &none;
        char image[24], video[24], quarter[24], tenth[24];
        printf("%-14s %-31s %-24s %9s %9s %7s %7s  %s\n", info.name, or_empty(info.paper),
               or_empty(info.agrees), stage_figures_ms(f->image_ms, image, sizeof image),
               stage_figures_ms(f->video_ms, video, sizeof video),
               stage_figures_right(&f->quarter, quarter, sizeof quarter),
               stage_figures_right(&f->tenth, tenth, sizeof tenth), or_empty(info.gives));
    }
    printf(
        "\nIMAGE MS, VIDEO MS: %s and %s, f32, plain C on %s.\nAT 25%%, AT 10%%: right answers of the small model "
        "with so many of its tokens; %.1f%% with all.\n'winnow stages NAME --json' has the pipelines.\n",
        STAGE_FIGURES_IMAGE, STAGE_FIGURES_VIDEO, stage_figures_machine, stage_figures_all);
    return cli_finish_stdout();
}

static int show_markdown(const engine *e)
{
    winnow_stage_info info;
    puts(
        "| stage | family | paper | needs | gives | agrees with | cost | image, ms | video, ms | at 25% | at "
        "10% |\n|---|---|---|---|---|---|---|---:|---:|---:|---:|");
    for (uint32_t i = 0; i < e->api->stage_count() && stage_at(e, i, &info); i++) {
        const stage_figures none = {0}, *found = stage_figures_of(info.name),
                            *f = found ? found : &none;
        char image[24], video[24], quarter[24], tenth[24], roles[256];
        printf("| `%s` | %s | %s | %s%s | %s | %s | %s | %s | %s | %s | %s |\n", info.name,
               info.family, or_empty(info.paper), role_list(info.roles_needed, roles, sizeof roles),
               info.needs_grid ? ", on a grid" : "", or_empty(info.gives), or_empty(info.agrees),
               or_empty(info.cost), stage_figures_ms(f->image_ms, image, sizeof image),
               stage_figures_ms(f->video_ms, video, sizeof video),
               stage_figures_right(&f->quarter, quarter, sizeof quarter),
               stage_figures_right(&f->tenth, tenth, sizeof tenth));
    }
    return cli_finish_stdout();
}

static int show_all(const engine *e, bool json)
{
    cJSON *tree = json ? cJSON_CreateObject() : NULL;
    cJSON *list = json ? cJSON_AddArrayToObject(tree, "stages") : NULL;
    winnow_stage_info info;
    char roles[256];
    size_t widest_name = 4, widest_roles = 5;

    for (uint32_t i = 0; i < e->api->stage_count() && stage_at(e, i, &info); i++) {
        size_t name = strlen(info.name);
        size_t needs = strlen(role_list(info.roles_needed, roles, sizeof roles));
        widest_name = name > widest_name ? name : widest_name;
        widest_roles = needs > widest_roles ? needs : widest_roles;
    }
    if (!json) {
        printf("%-*s  %-11s %-*s  %s\n", (int)widest_name, "NAME", "FAMILY", (int)widest_roles,
               "NEEDS", "WHAT IT DOES");
    }
    for (uint32_t i = 0; i < e->api->stage_count() && stage_at(e, i, &info); i++) {
        if (json) {
            cJSON_AddItemToArray(list, stage_object(&info));
        } else {
            printf("%-*s  %-11s %-*s  %s\n", (int)widest_name, info.name, info.family,
                   (int)widest_roles, role_list(info.roles_needed, roles, sizeof roles),
                   info.summary);
        }
    }
    return json ? report_print(tree) : cli_finish_stdout();
}

static int run(const void *given, const arg_list *operands)
{
    const values *v = given;
    engine e;
    int exit_code;

    if (operands->count > 1) {
        return cli_misuse("stages: \"%s\" is one name too many (ask for one stage)",
                          operands->items[1]);
    }
    if (v->figures + v->markdown + v->json > 1) {
        return cli_misuse("stages: --figures, --markdown and --json are three forms (give one)");
    }
    if (operands->count && (v->figures || v->markdown)) {
        return cli_misuse("stages: %s is of all stages (leave \"%s\" out, or the option)",
                          v->figures ? "--figures" : "--markdown", operands->items[0]);
    }
    exit_code = engine_load(&e);
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (operands->count) {
        return show_one(&e, operands->items[0], v->json);
    }
    return v->figures ? show_figures(&e) : v->markdown ? show_markdown(&e) : show_all(&e, v->json);
}

const command command_stages = {
    "stages",
    "the methods, or one of them in detail",
    "[NAME] [OPTIONS]",
    "NEEDS lists the inputs by the names that they have in safetensors files. A stage that needs\n"
    "tokens alone works with every encoder.\n"
    "\nExamples:\n"
    "  winnow stages\n"
    "  winnow stages divprune\n"
    "  winnow stages --figures\n"
    "  winnow stages --json\n",
    options,
    sizeof(values),
    run};
