#include "arguments.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

typedef enum argument_kind { TEXT, COUNT, PIPELINE } argument_kind;

typedef struct argument {
    const char *name, *value;
    argument_kind kind;
    size_t offset;
    const char *help;
} argument;

#define AT(member) offsetof(arguments, member)

static const argument table[] = {
    {"--pipeline", "SPEC", PIPELINE, 0, "one way to reduce; may be given several times"},
    {"-o", "FILE", TEXT, AT(output), "what was answered, a line each: .jsonl, or .csv"},
    {"-m", "LLM.gguf", TEXT, AT(model), "the language model; default: Winnow's own small one"},
    {"--mmproj", "FILE", TEXT, AT(mmproj), "its vision encoder"},
    {"--clips", "N", COUNT, AT(most), "of the file at most; default: all"},
    {"--frames", "N", COUNT, AT(frames), "frames of a video, evenly spread; default 8"},
    {"--seed", "N", COUNT, AT(seed), "of random=; default 1"},
    {"--answer", "N", COUNT, AT(answer), "tokens of an answer at most; default 16"},
    {"--template", "TEXT", TEXT, AT(template), "a prompt with <media> and <question>"},
    {"-c", "N", COUNT, AT(context), "context, tokens; default: the model's, at most 4096"},
    {"-t", "N", COUNT, AT(threads), "threads of llama.cpp; default: one a processor, at most 4"},
    {"--ngl", "N", COUNT, AT(gpu_layers), "layers on llama.cpp's GPU; default: llama.cpp's"},
    {"--backend", "auto|gpu|cpu", TEXT, AT(backend), "of Winnow; default: what is faster here"},
    {"--like", "llama|transformers", TEXT, AT(like), "whose preprocessing; default llama"},
};

enum { ARGUMENT_COUNT = sizeof table / sizeof table[0] };

void arguments_help(void)
{
    puts(
        "usage: winnow-evaluate CLIPS.jsonl --pipeline SPEC [--pipeline SPEC...] -o FILE "
        "[OPTIONS]\n\n"
        "Asks all questions about all clips with each pipeline. Besides Winnow's there are none,\n"
        "random=keep=25% and uniform=keep=64, which look at nothing. Stages that need what the\n"
        "language model attends to get it (layer=N: of which layer; llm:SPEC: where the encoder's\n"
        "would do).\n");
    for (int i = 0; i < ARGUMENT_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", table[i].name, table[i].value);
        printf("  %-26s%s\n", left, table[i].help);
    }
}

static bool set(arguments *a, const argument *row, const char *word)
{
    char *at = (char *)a + row->offset, *end = NULL;
    if (row->kind == TEXT) {
        *(const char **)(void *)at = word;
        return true;
    }
    if (row->kind == PIPELINE) {
        if (a->pipeline_count == ARGUMENTS_MOST) {
            return say_failed("%s: that is one pipeline more than %d", word, ARGUMENTS_MOST);
        }
        a->pipelines[a->pipeline_count++] = word;
        return true;
    }
    const unsigned long long n = isdigit((unsigned char)word[0]) ? strtoull(word, &end, 10) : 0;
    if (!end || *end || n > INT32_MAX) {
        return say_failed("%s %s: not a whole number from 0 to %d", row->name, word, INT32_MAX);
    }
    *(uint32_t *)(void *)at = (uint32_t)n;
    return true;
}

static const argument *find(const char *word)
{
    for (int i = 0; i < ARGUMENT_COUNT; i++) {
        if (strcmp(table[i].name, word) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

static bool check(const arguments *a)
{
    if (!a->clips || !a->pipeline_count || !a->output) {
        return say_failed("%s is missing (see --help)", !a->clips            ? "CLIPS.jsonl"
                                                        : !a->pipeline_count ? "--pipeline"
                                                                             : "-o");
    }
    if (!a->model != !a->mmproj) {
        return say_failed("%s is missing: give both files of a model, or neither for the default",
                          a->model ? "--mmproj" : "-m");
    }
    if (!a->answer || !a->frames) {
        return say_failed("%s 0: give at least 1", !a->answer ? "--answer" : "--frames");
    }
    if (!is_one_of(a->backend, "auto", "gpu", "cpu")) {
        return say_failed("--backend %s: it is none of auto|gpu|cpu", a->backend);
    }
    return is_one_of(a->like, "llama", "transformers", "llama-b10256") ||
           say_failed("--like %s: it is none of llama|transformers", a->like);
}

bool arguments_read(arguments *a, int argc, char **argv)
{
    *a = (arguments){
        .backend = "auto", .like = "llama", .answer = 16, .frames = 8, .seed = 1, .gpu_layers = -1};
    for (int i = 1; i < argc; i++) {
        const argument *row = find(argv[i]);
        if (strcmp(argv[i], "--help") == 0) {
            a->help = true;
            return true;
        }
        if (!row && (argv[i][0] == '-' || a->clips)) {
            return say_failed("%s: %s (see --help)", argv[i],
                              argv[i][0] == '-' ? "there is no such option" : "one file of clips");
        }
        if (!row) {
            a->clips = argv[i];
            continue;
        }
        if (i + 1 == argc) {
            return say_failed("%s: its value is missing (%s)", row->name, row->value);
        }
        if (!set(a, row, argv[++i])) {
            return false;
        }
    }
    return check(a);
}
