#include "options.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

typedef enum option_kind { TEXT, CHOICE, COUNT, SWITCH, PICTURE, VIDEO } option_kind;

typedef struct option {
    const char *name, *value; /* what the value is, or the choices "a|b" */
    option_kind kind;
    size_t offset;
    const char *help;
} option;

#define AT(member) offsetof(options, member)

static const option table[] = {
    {"-m", "MODEL.gguf", TEXT, AT(model), "the language model"},
    {"--mmproj", "FILE", TEXT, AT(mmproj), "its vision encoder"},
    {"--image", "PICTURE", PICTURE, 0, "PNG, JPEG, BMP or PNM; may be given again"},
    {"--video", "FILE", VIDEO, 0, "a video, or a folder of pictures; may be given again"},
    {"--frames", "N", COUNT, AT(frames), "of each video, evenly spaced; default 8"},
    {"--pipeline", "SPEC", TEXT, AT(pipeline),
     "what reduces the visual tokens, as divprune=keep=64; default: nothing does"},
    {"--preset", "fast|balanced|careful", CHOICE, AT(preset),
     "in place of a pipeline: a budget that suits, see `winnow stages budget`"},
    {"-p", "PROMPT", TEXT, AT(prompt), "taken as it is, with <__media__> where each picture goes"},
    {"--chat", NULL, SWITCH, AT(chat),
     "the prompt is a message: the model's chat template goes around it"},
    {"-n", "N", COUNT, AT(answer), "tokens of the answer at most; default 64"},
    {"--encoder", "winnow|mtmd", CHOICE, AT(encoder),
     "whose encoder runs the mmproj; default winnow"},
    {"--backend", "auto|gpu|cpu", CHOICE, AT(backend),
     "of Winnow: a GPU, plain C, or a GPU if there is one (default)"},
    {"--ngl", "N", COUNT, AT(gpu_layers),
     "layers of llama.cpp's on its GPU; 0: mtmd stays on the CPU too; default: llama.cpp's"},
    {"--mrope", "original|compact", CHOICE, AT(mrope),
     "M-RoPE models: kept tokens stay in their places (default), or close up"},
    {"--like", "llama|llama-b10256|transformers", CHOICE, AT(like),
     "whose preprocessing Winnow's encoder follows; default llama"},
    {"-c", "N", COUNT, AT(context), "context, tokens; default 4096"},
    {"-b", "N", COUNT, AT(batch), "tokens a batch; default 512"},
    {"-t", "N", COUNT, AT(threads), "threads of llama.cpp; default 4"},
    {"--kept", "FILE", TEXT, AT(kept),
     "write the tokens that were kept, a line for each tile or run of frames"},
    {"--seen", "FILE", TEXT, AT(seen),
     "write which of them fastv and dycoke-kv left: a line for the prompt,\n"
     "                          and one for each token"},
    {"--logits", "FILE", TEXT, AT(logits), "write each step's logits, f32"},
    {"--verbose", NULL, SWITCH, AT(verbose), "llama.cpp's log too"},
    {"--version", NULL, SWITCH, AT(version), "the versions of Winnow and llama.cpp"},
    {"--help", NULL, SWITCH, AT(help), "this text"},
};

enum { OPTION_COUNT = sizeof table / sizeof table[0] };

void options_help(void)
{
    puts("usage: winnow-llama -m MODEL.gguf --mmproj FILE --image PICTURE [OPTIONS]\n\n"
         "Asks a vision-language model about pictures and videos, through llama.cpp, with fewer\n"
         "visual tokens. The answer goes to standard output, a line on what it took to standard\n"
         "error.\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", table[i].name, table[i].value ? table[i].value : "");
        printf("  %-24s%s%s\n", left, strlen(left) > 23 ? "\n                          " : "",
               table[i].help);
    }
    puts("\nWith --encoder mtmd a pipeline sees the tokens alone; Winnow's encoder gives it keys\n"
         "and attention too, and runs stages inside its layers. `winnow stages` lists them.\n"
         "fastv and dycoke-kv work inside the language model: they come last.\n\n"
         "  winnow-llama -m smolvlm.gguf --mmproj mmproj.gguf --image a.jpg \\\n"
         "      --pipeline divprune=keep=25% -p '<__media__>What is this?'");
}

static bool is_choice(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = choices; length && at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, word, length) == 0 && (at[length] == '|' || at[length] == 0)) {
            return true;
        }
    }
    return false;
}

static bool read_count(const option *row, const char *word, uint32_t *out)
{
    char *end = NULL;
    const unsigned long long n = isdigit((unsigned char)word[0]) ? strtoull(word, &end, 10) : 0;
    if (!end || *end || n > INT32_MAX) {
        return say_failed("%s %s: not a whole number from 0 to %d", row->name, word, INT32_MAX);
    }
    *out = (uint32_t)n;
    return true;
}

static bool set_option(options *o, const option *row, const char *word)
{
    char *at = (char *)o + row->offset;
    if (row->kind == CHOICE && !is_choice(row->value, word)) {
        return say_failed("%s %s: it is none of %s", row->name, word, row->value);
    }
    if (row->kind == COUNT) {
        o->gpu_layers_given |= row->offset == AT(gpu_layers);
        return read_count(row, word, (uint32_t *)(void *)at);
    }
    if (row->kind == PICTURE || row->kind == VIDEO) {
        if (o->media_count == MEDIA_MOST) {
            return say_failed("%s %s: there are %d already, no more go into one prompt", row->name,
                              word, MEDIA_MOST);
        }
        o->media[o->media_count++] = (medium_option){.path = word, .is_video = row->kind == VIDEO};
    } else if (row->kind == SWITCH) {
        *(bool *)(void *)at = true;
    } else {
        *(const char **)(void *)at = word;
    }
    return true;
}

/* A preset is a pipeline. */
static bool take_preset(options *o)
{
    static char spec[48];
    if (!o->preset) {
        return true;
    }
    if (o->pipeline) {
        return say_failed("--preset %s: there is a --pipeline too (leave one out)", o->preset);
    }
    snprintf(spec, sizeof spec, "budget=preset=%s", o->preset);
    o->pipeline = spec;
    return true;
}

static const option *find(const char *word)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(table[i].name, word) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* What must be given, and limits. */
static bool check(const options *o)
{
    const char *missing = !o->model         ? "-m"
                          : !o->mmproj      ? "--mmproj"
                          : !o->media_count ? "--image"
                                            : NULL;
    if (missing) {
        return say_failed("%s is missing (see --help)", missing);
    }
    if (o->context == 0 || o->batch == 0 || o->threads == 0 || o->frames == 0) {
        return say_failed("%s 0: give at least 1", !o->context   ? "-c"
                                                   : !o->batch   ? "-b"
                                                   : !o->threads ? "-t"
                                                                 : "--frames");
    }
    return true;
}

bool options_read(options *o, int argc, char **argv)
{
    *o = (options){.encoder = "winnow",
                   .mrope = "original",
                   .backend = "auto",
                   .like = "llama",
                   .answer = 64,
                   .context = 4096,
                   .batch = 512,
                   .threads = 4,
                   .frames = 8};
    for (int i = 1; i < argc; i++) {
        const option *row = find(argv[i]);
        if (!row) {
            return say_failed("%s: there is no such option (see --help)", argv[i]);
        }
        if (row->kind != SWITCH && i + 1 == argc) {
            return say_failed("%s: its value is missing (%s)", row->name, row->value);
        }
        if (!set_option(o, row, row->kind == SWITCH ? NULL : argv[++i])) {
            return false;
        }
    }
    return o->help || o->version || (take_preset(o) && check(o));
}
